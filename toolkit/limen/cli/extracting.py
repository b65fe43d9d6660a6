"""Verbs that take parts out: select, export."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from limen.cli.arguments import bundle_argument
from limen.errors import UsageError

__all__ = ["export_bundle", "select_rows"]


@click.command()
@bundle_argument
@click.option(
    "--where", required=True, metavar="EXPR", help="As 'delta_chi2 < 30 and C9_bsmumu < 0'."
)
@click.option(
    "-o", "output", required=True, type=click.Path(path_type=Path), help="The new bundle."
)
def select_rows(bundle: Path, where: str, output: Path) -> None:
    """Write the rows of BUNDLE that meet --where as a sub-bundle; BUNDLE becomes its parent."""
    from limen.comparing import select

    made = select(bundle, where, output)
    click.echo(f"{output}: {made.n_points:,} rows", err=True)


@click.command()
@bundle_argument
@click.option(
    "--to",
    required=True,
    type=click.Choice(["csv", "parquet", "croissant", "hepdata"]),
    help="Format.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="A new file (for hepdata a folder); CSV goes to stdout without it.",
)
@click.option(
    "--table",
    metavar="NAME",
    help="For hepdata: write one table of this name, not those that the columns came from.",
)
def export_bundle(bundle: Path, to: str, output: Path | None, table: str | None) -> None:
    """Write BUNDLE's scan as CSV, Parquet or HEPData tables, or its Croissant description."""
    from limen.bundle import open_bundle
    from limen.comparing import export, export_hepdata, write_csv

    if table is not None and to != "hepdata":
        raise UsageError(f"--table: found with --to {to}, allowed with --to hepdata; leave it out")
    target = None if output is None or str(output) == "-" else output
    if target is None and to != "csv":
        kind = "folder" if to == "hepdata" else "file"
        raise UsageError(f"--to {to}: no {kind} named; name a new one with -o {kind.upper()}")
    opened = open_bundle(bundle)
    if target is None:
        write_csv(opened, sys.stdout)
        return
    if to == "hepdata":
        export_hepdata(opened, target, table=table)
        size = sum(path.stat().st_size for path in target.iterdir())
        click.echo(f"{target}: {len(list(target.iterdir()))} files, {size:,} bytes", err=True)
        return
    export(opened, to, target)
    click.echo(f"{target}: {target.stat().st_size:,} bytes", err=True)
