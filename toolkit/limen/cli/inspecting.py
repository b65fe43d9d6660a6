"""Verbs that look: check, show, cite, diff."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.arguments import as_json, bundle_argument, metric_lines, print_json
from limen.cli.places import open_place, place_argument
from limen.cli.running import CORRUPT, REFUSED

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.checking import Report

__all__ = ["check_bundle", "cite_bundle", "diff_bundles", "show_bundle"]


@click.command()
@bundle_argument
@click.option("--deep", is_flag=True, help="Recompute labels, metrics and benchmark points.")
@click.option("--complete", is_flag=True, help="Count parts that were not fetched as faults.")
@as_json
def check_bundle(bundle: Path, deep: bool, complete: bool, json_wanted: bool) -> None:
    """Check BUNDLE: schema, hashes, data against columns, models against probes."""
    from limen.checking import check

    report = check(bundle, deep=deep, complete=complete)
    if json_wanted:
        print_json(report.to_dict())
    else:
        _print_report(bundle, report)
    if report.integrity:
        raise SystemExit(CORRUPT)
    if report.faults:
        raise SystemExit(REFUSED)


def _print_report(bundle: Path, report: Report) -> None:
    for text in report.done:
        click.echo(f"checked  {text}")
    for name in report.not_fetched:
        click.echo(f"absent   {name}: not fetched")
    for fault in report.faults:
        click.echo(f"FAULT    {fault}")
    click.echo("\nLimen reuse checklist")
    marks = {True: "yes", False: "NO", None: "-"}
    for point in report.checklist:
        click.echo(f"  {marks[point['met']]:>3}  {point['point']}: {point['why']}")
    number = len(report.faults)
    click.echo(f"\n{bundle}: {'passed' if report.passed else f'{number} fault(s)'}")


@click.command()
@place_argument
@as_json
def show_bundle(bundle: str, json_wanted: bool) -> None:
    """Show what is in BUNDLE, also by its DOI; only its manifest is read."""
    opened = open_place(bundle)
    if json_wanted:
        print_json(opened.manifest)
        return
    for line in _describe(opened):
        click.echo(line)


def _describe(bundle: Bundle) -> list[str]:
    document = bundle.manifest
    lines = [
        f"{document['title']}",
        f"{document['id']} {document['version']}, {document['status']}",
    ]
    if "doi" in document:
        lines[1] += f", doi {document['doi']}"
    if "theory" in document:
        lines.append(f"theory {document['theory']['family']}: {document['theory']['convention']}")
    table = bundle.table
    lines.append(f"{table['rows']:,} points, {table['valid_rows']:,} with all parameters valid")
    lines += ["", "columns", *_columns(bundle)]
    lines += ["", "models" if bundle.models else "no models yet; train one: limen train"]
    for card in bundle.models.values():
        size = document["files"][card.file]["bytes"] / 1e6
        lines.append(
            f"  {card.name}: {card.task} of {card.target} from {len(card.inputs)} inputs, "
            f"{card.training['estimator']}, {size:.1f} MB"
        )
        tested = [metric for metric in card.metrics if metric["split"] == "test"]
        lines += [f"    {text}" for text in metric_lines(tested)]
        lines.append(f"    population: {card.training.get('population', 'not stated')}")
    return lines


def _columns(bundle: Bundle) -> list[str]:
    rows = [
        (
            column.name,
            f"{column.role} ({column.quantity})" if column.quantity else column.role,
            f"[{column.unit}]",
            f"{column.range[0]:g} to {column.range[1]:g}" if column.range else "",
            column.label or "",
        )
        for column in bundle.columns.values()
    ]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    padded = (map(str.ljust, row, widths) for row in rows)
    return [f"  {'  '.join(cells)}".rstrip() for cells in padded]


@click.command()
@place_argument
@click.option("--bibtex", is_flag=True, help="BibTeX instead of text.")
@as_json
def cite_bundle(bundle: str, bibtex: bool, json_wanted: bool) -> None:
    """Say how to cite BUNDLE, also by its DOI, its analyses and its tools."""
    from limen import documents

    document = open_place(bundle).manifest
    entry, text = documents.bibtex(document), documents.how_to_cite(document)
    if json_wanted:
        print_json({"text": text, "bibtex": entry})
        return
    click.echo((entry if bibtex else text).rstrip("\n"))


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@as_json
def diff_bundles(first: Path, second: Path, json_wanted: bool) -> None:
    """Compare two bundles: columns, rows, labels, metrics, benchmark verdicts."""
    from limen.comparing import diff

    difference: dict[str, Any] = diff(first, second)
    if json_wanted:
        print_json(difference)
        return
    for line in difference["summary"]:
        click.echo(line)
