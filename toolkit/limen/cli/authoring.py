"""Verbs that make and change bundles: init, pack, edit, freeze."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from limen import journal
from limen.cli.arguments import as_json, assignments, bundle_argument, print_json
from limen.cli.running import PARTLY
from limen.errors import DataError, Fault, IntegrityError, SchemaError, StorageError, UsageError

__all__ = ["draft_document", "edit_bundle", "freeze_bundle", "pack_bundle"]

# Rows that were left out are listed up to this number.
_LISTED = 50

_EXAMPLES = {
    "title": "title='TITLE'",
    "description": "description='WHAT WAS COMPUTED, AND FOR WHAT'",
    "creators": """creators='[{name: "FAMILY, GIVEN"}]'""",
    "licences": "licences='{data: CC-BY-4.0, models: CC-BY-4.0}'",
}


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(path_type=Path), help="Where to write; else stdout.")
@click.option("--format", "kind", help="csv, parquet, gambit, slha, ...; else by the files.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Reader's option.")
def draft_document(
    files: tuple[Path, ...], output: Path | None, kind: str | None, options: tuple[str, ...]
) -> None:
    """Draft a scan document from FILES, marked TODO where a human must decide."""
    from limen.readers import drafting

    assignments(options, "--option")
    given = dict(_reader_option(text) for text in options)
    folder = output.parent if output is not None else None
    text = drafting.draft(files, format=kind, options=given, folder=folder)
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise StorageError(f"{output}: there is a file here already; choose another name")
    with journal.new_file(output) as working:
        working.write_text(text, encoding="utf-8")
    undecided = sum("TODO" in line.split("#")[0] for line in text.splitlines())
    click.echo(
        f"{output}: drafted; {undecided} entries say TODO: decide them, then run: "
        f"limen pack {output} -o BUNDLE",
        err=True,
    )


def _reader_option(text: str) -> tuple[str, Any]:
    """
    Read NAME=VALUE literally: one character, names with commas between, else YAML.

    Examples
    --------
    >>> _reader_option("comment=#"), _reader_option("delimiter= "), _reader_option("names=a,b")
    (('comment', '#'), ('delimiter', 'whitespace'), ('names', ['a', 'b']))
    """
    import yaml

    name, _, value = text.partition("=")
    name = name.strip()
    if name in ("comment", "delimiter"):
        quoted = len(value) > 2 and value[0] == value[-1] and value[0] in "'\""
        value = value[1:-1] if quoted else value
        return name, {" ": "whitespace", "\t": "tab", "\\t": "tab"}.get(value, value)
    if name in ("names", "drop") and not value.lstrip().startswith(("[", "-")):
        return name, [part.strip() for part in value.split(",")]
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--option {name}: found {value!r}, allowed YAML") from error


@click.command()
@click.argument("scan_document", type=click.Path(path_type=Path))
@click.option(
    "-o", "output", required=True, type=click.Path(path_type=Path), help="The new bundle."
)
@as_json
def pack_bundle(scan_document: Path, output: Path, json_wanted: bool) -> None:
    """Read and check what SCAN_DOCUMENT describes and write a draft bundle."""
    from limen.packing import pack

    bundle = pack(scan_document, output)
    table = bundle.table
    if json_wanted:
        print_json(
            {
                "bundle": str(output),
                "rows": table["rows"],
                "valid_rows": table["valid_rows"],
                "refused": [fault._asdict() for fault in bundle.refused],
            }
        )
    else:
        click.echo(
            f"{output}: packed {table['rows']:,} rows ({table['valid_rows']:,} valid) of "
            f"{len(bundle.columns)} columns; next: limen check {output}, "
            f"limen train {output} --target COLUMN",
            err=True,
        )
    if bundle.refused:
        _list_refused(bundle.refused)
        raise SystemExit(PARTLY)


def _list_refused(refused: Sequence[Fault]) -> None:
    """Say which rows were left out, and why."""
    plural = "rows" if len(refused) > 1 else "row"
    click.echo(f"limen: {len(refused):,} {plural} could not be read and left out:", err=True)
    for fault in refused[:_LISTED]:
        click.echo(f"  {fault}", err=True)
    if len(refused) > _LISTED:
        click.echo(f"  and {len(refused) - _LISTED:,} more (all of them: --json)", err=True)


@click.command()
@bundle_argument
@click.option(
    "--set",
    "fields",
    multiple=True,
    metavar="FIELD=VALUE",
    help="YAML value; columns as columns.NAME.FIELD.",
)
@click.option(
    "--attach", "files", multiple=True, type=click.Path(path_type=Path), help="File to attach."
)
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="Make the next version here instead."
)
def edit_bundle(
    bundle: Path, fields: tuple[str, ...], files: tuple[Path, ...], output: Path | None
) -> None:
    """Change the metadata of a draft, or of the next version of a bundle (-o)."""
    from limen.bundle import Edit, open_bundle
    from limen.editing import set_fields

    changes = assignments(fields, "--set")
    if not changes and not files and output is None:
        raise UsageError("edit: nothing to do; give --set FIELD=VALUE or --attach FILE")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"--attach: no such file: {', '.join(missing)}")

    def amend(change: Edit) -> None:
        set_fields(change.manifest, changes)
        for path in files:
            change.attach(path)

    opened = open_bundle(bundle)
    if output is not None:
        opened = opened.next_version(output, changes.pop("version", None), amend)
    else:
        with opened.edit() as change:
            amend(change)
    name = f"{opened.manifest['id']} {opened.manifest['version']}"
    click.echo(f"{opened.path}: changed; it is {name}, a draft", err=True)


def _remedy(pointer: str, bundle: Path) -> str:
    """Say how to fill in what a draft may lack and a frozen bundle may not."""
    example = _EXAMPLES.get(pointer.split("/")[1] if "/" in pointer else "")
    return f"; limen edit {bundle} --set {example}" if example else ""


@click.command()
@bundle_argument
def freeze_bundle(bundle: Path) -> None:
    """Check a draft bundle and freeze it: no change any more."""
    from limen.bundle import open_bundle
    from limen.checking import check

    opened = open_bundle(bundle)
    report = check(opened, complete=True)
    if not report.passed:
        kind = IntegrityError if report.integrity else DataError
        faults = report.faults
        raise kind.from_faults(f"{bundle}: not frozen, the check found", faults)
    try:
        opened.freeze()
    except SchemaError as error:
        raise SchemaError.from_faults(
            f"{bundle}: not frozen",
            [Fault(f.pointer, f.message + _remedy(f.pointer, bundle)) for f in error.faults],
        ) from error
    click.echo(f"{bundle}: frozen; its manifest has SHA-256 {opened.manifest_sha256}", err=True)
