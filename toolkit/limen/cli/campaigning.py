"""The verbs of campaigns: ask, tell, submitted, predict."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from limen import journal
from limen.cli.arguments import as_json, print_json
from limen.cli.running import PARTLY, REFUSED
from limen.cli.tables import declared_units, read_table
from limen.errors import CampaignError, ColumnError, StorageError, UsageError
from limen.prediction.points import is_identifier

if TYPE_CHECKING:
    import pandas as pd

    from limen.active import Campaign

__all__ = ["ask_points", "campaign_argument", "mark_submitted", "predict_points", "tell_results"]

campaign_argument = click.argument("folder", metavar="CAMPAIGN", type=click.Path(path_type=Path))
_output = click.option("-o", "output", type=click.Path(path_type=Path), help="A new CSV file.")
_NOTES = ("status", "message", "cost")
_LISTED = 20


@click.command("ask")
@campaign_argument
@click.option("-n", "number", default=1, show_default=True, help="How many points.")
@click.option("--pending", is_flag=True, help="Give those that are pending again; ask none.")
@_output
@as_json
def ask_points(
    folder: Path, number: int, pending: bool, output: Path | None, json_wanted: bool
) -> None:
    """Give the next points of CAMPAIGN as CSV; they are pending from now on."""
    from limen.active import Campaign

    _refuse_existing(output)
    campaign = Campaign.open(folder)
    points = campaign.pending if pending else campaign.ask(number)
    if json_wanted:
        print_json({"campaign": campaign.id, "points": points.to_dict("records")})
        return
    try:
        _write(points, output)
    except StorageError as error:
        told = f"{error}; the points are pending: limen campaign ask {folder} --pending -o FILE"
        raise StorageError(told) from error
    if output is not None:
        outputs = ",".join(item.name for item in campaign.problem.outputs)
        click.echo(f"{output}: {len(points):,} points", err=True)
        click.echo(f"next: limen campaign tell {folder} results.csv, with id,{outputs}", err=True)
    elif not pending and len(points) < number:
        click.echo(f"limen: {len(points):,} points are all that is left", err=True)


@click.command("tell")
@campaign_argument
@click.argument("results")
@click.option("--keep-good", is_flag=True, help="Record the good results although others are bad.")
@as_json
def tell_results(folder: Path, results: str, keep_good: bool, json_wanted: bool) -> None:
    """
    Record RESULTS, a table ('-': CSV on stdin), in any order, in parts, and again if you like.

    Columns: id, the outputs, and where wanted OUTPUT_err, status, message, cost, and parameters,
    which are compared. Rows without any value and status are not evaluated yet: they stay pending.
    """
    from limen.active import Campaign

    campaign = Campaign.open(folder)
    table = read_table(results, declared_units(campaign.problem))
    outputs = [output.name for output in campaign.problem.outputs]
    _check_columns(results, table, outputs, campaign.problem.space.names)
    cells = [table[name] for name in [*outputs, "status"] if name in table]
    told = [row for row in range(len(table["id"])) if any(not _blank(c[row]) for c in cells)]
    if not told:
        raise CampaignError(f"{results}: found no row with a result; fill in {', '.join(outputs)}")
    taken = {name: [column[row] for row in told] for name, column in table.items()}
    answer = campaign.tell(
        [str(name).strip() for name in taken["id"]],
        {n: taken[n] for n in [*outputs, *campaign.problem.space.names] if n in taken},
        status=[_text(cell) or "ok" for cell in taken.get("status", [""] * len(told))],
        y_err={n: taken[f"{n}_err"] for n in outputs if f"{n}_err" in taken},
        message=[_text(cell) for cell in taken.get("message", [""] * len(told))],
        cost=taken.get("cost"),
        strict=not keep_good,
    )
    status = campaign.status()
    left = len(table["id"]) - len(told)
    if json_wanted:
        refused = [{"pointer": f.pointer, "message": f.message} for f in answer.faults]
        found = {"recorded": list(answer.recorded), "repeated": list(answer.repeated)}
        print_json(found | {"refused": refused, "left": left} | status)
    else:
        pending = status["counts"]["pending"]
        repeated = f", {len(answer.repeated):,} known before" if answer.repeated else ""
        click.echo(f"{folder}: {len(answer.recorded):,} recorded{repeated}, {pending:,} pending")
        for text in [*answer.faults[:_LISTED], *status["notes"]]:
            click.echo(f"limen: {text}", err=True)
        if left:
            click.echo(f"limen: {left:,} rows without a result are left pending", err=True)
    if answer.faults:
        raise SystemExit(PARTLY if answer.recorded or answer.repeated else REFUSED)


@click.command("submitted")
@campaign_argument
@click.argument("points", nargs=-1, required=True, metavar="(ID|batch.csv)...")
@click.option("--task", required=True, help="Id of the task there; '' takes the mark away.")
def mark_submitted(folder: Path, points: tuple[str, ...], task: str) -> None:
    """Note that a production system has points, by id or by batch: no run evaluates them."""
    from limen.active import Campaign

    campaign = Campaign.open(folder)
    named: list[str] = []
    for text in points:
        if not Path(text).is_file():
            named.append(text)
            continue
        table = read_table(text, {})
        if "id" not in table:
            raise ColumnError(f"{text}: found no column id; give a batch that was asked")
        named += [str(name).strip() for name in table["id"]]
    campaign.submitted(named, task)
    click.echo(f"{folder}: {len(named):,} points {f'with {task}' if task else 'free again'}")


@click.command("predict")
@campaign_argument
@click.argument("points")
@_output
@as_json
def predict_points(folder: Path, points: str, output: Path | None, json_wanted: bool) -> None:
    """Say what the surrogate of CAMPAIGN believes at POINTS, a table ('-': CSV on stdin)."""
    from limen.active import Campaign

    _refuse_existing(output)
    campaign = Campaign.open(folder)
    units = {item.name: item.unit for item in campaign.problem.space.parameters}
    table = read_table(points, units)
    found = campaign.predict(table)
    names = {n: c for n, c in table.items() if is_identifier(n) and n not in units}
    rows = [
        {name: str(cells[row]) for name, cells in names.items()} | believed
        for row, believed in enumerate(_believed(campaign, found))
    ]
    if json_wanted:
        notes = list(found.attrs["notes"])
        print_json({"strategy": found.attrs["strategy"], "notes": notes, "points": rows})
    else:
        _write_rows(rows, output)
        for note in found.attrs["notes"]:
            click.echo(f"limen: {note}", err=True)
    outside = sum(bool(row["reason"]) for row in rows)
    if outside:
        click.echo(f"limen: {outside:,} of {len(rows):,} rows have no estimate", err=True)
        raise SystemExit(REFUSED if outside == len(rows) else PARTLY)


def _believed(campaign: Campaign, found: Any) -> list[dict[str, Any]]:
    """Give one plain row per point; None where there is no number."""
    columns: dict[str, Any] = {name: found[name].values for name in campaign.problem.space.names}
    for output in campaign.problem.outputs:
        for word in ("mean", "std"):
            columns[f"{output.name}_{word}"] = found[f"{output.name}_{word}"].values
        for k, threshold in enumerate(output.thresholds):
            below = found[f"{output.name}_below"].values[:, k]
            columns[f"{output.name}_below_{threshold:g}"] = below
    numbers = {
        name: [None if math.isnan(value) else float(value) for value in column]
        for name, column in columns.items()
    }
    reasons = [str(text) for text in found["reason"].values]
    return [
        {name: column[row] for name, column in numbers.items()} | {"reason": reason}
        for row, reason in enumerate(reasons)
    ]


def _check_columns(
    where: str, table: dict[str, list[Any]], outputs: list[str], parameters: list[str]
) -> None:
    from difflib import get_close_matches

    allowed = ["id", *outputs, *_NOTES, *(f"{name}_err" for name in outputs), *parameters, "task"]
    unknown = []
    for name in table:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            unknown.append(f"{name!r}" + (f" (nearest: {near[0]})" if near else ""))
    missing = [] if "id" in table else ["id"]
    if "status" not in table:
        missing += [name for name in outputs if name not in table]
    if unknown or missing:
        found = [f"missing {', '.join(missing)}"] if missing else []
        found += [f"unknown {', '.join(unknown)}"] if unknown else []
        raise ColumnError(f"{where}: {'; '.join(found)}; allowed {', '.join(allowed)}")


def _text(cell: Any) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _refuse_existing(output: Path | None) -> None:
    """Refuse a file before points are asked that could not be written."""
    if output is None:
        return
    if output.suffix != ".csv":
        raise UsageError(f"-o {output}: allowed are names ending in .csv")
    if output.exists():
        raise StorageError(f"{output}: there is a file here already; choose another name")
    if not output.parent.is_dir():
        raise StorageError(f"{output}: found no folder {output.parent}; make it first")


def _write(points: pd.DataFrame, output: Path | None) -> None:
    header = list(points.columns)
    rows = [dict(zip(header, row, strict=True)) for row in points.itertuples(index=False)]
    _write_rows(rows, output, header)


def _write_rows(
    rows: Sequence[dict[str, Any]], output: Path | None, header: list[str] | None = None
) -> None:
    """Write CSV, numbers to the last bit: to stdout, or a file whole or not at all."""
    names = header or list(rows[0])

    def write(stream: TextIO) -> None:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cells(row, names) for row in rows])

    if output is None:
        write(sys.stdout)
        return
    with journal.new_file(output) as working, working.open("w", encoding="utf-8") as stream:
        write(stream)


def _cells(row: dict[str, Any], names: list[str]) -> Iterator[Any]:
    return ("" if row[name] is None else row[name] for name in names)
