"""The verb predict: points in, one verdict per point and model out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.answering import Tally, print_one, write_csv, write_file
from limen.cli.arguments import as_json, model_names, print_json
from limen.cli.asking import Asked, point_blocks, point_from_options
from limen.cli.places import open_place, place_argument
from limen.cli.running import PARTLY, REFUSED
from limen.errors import UsageError
from limen.prediction.rows import about, verdict_rows

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdicts

__all__ = ["predict_points"]


@click.command()
@place_argument
@click.argument("points", nargs=-1)
@click.option("--model", "name", shell_complete=model_names, help="Model, or 'all'.")
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="As M1=500 or M1=0.5TeV."
)
@click.option(
    "--nearest", default=0, metavar="K", help="Also give the K nearest points of the scan."
)
@click.option("--extrapolate", is_flag=True, help="Also give numbers outside the domain, apart.")
@click.option("--ignore-extra", is_flag=True, help="Let unknown columns pass.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="CSV, Parquet or JSON file.")
@as_json
def predict_points(
    bundle: str,
    points: tuple[str, ...],
    name: str | None,
    values: tuple[str, ...],
    nearest: int,
    extrapolate: bool,
    ignore_extra: bool,
    output: Path | None,
    json_wanted: bool,
) -> None:
    """
    Give a verdict on POINTS: CSV, Parquet or NumPy files, '-' for CSV on stdin, or --set.

    Columns go by name; a header may carry a unit, as 'M1 [TeV]'. SLHA spectra, folders and tar
    archives of them go by the addresses that the bundle states. Of a published bundle, given by
    its DOI, the manifest and the model are fetched, and with --nearest columns of its scan.
    """
    if bool(points) == bool(values):
        raise UsageError("predict: give files of points, or --set NAME=VALUE for one point")
    if output is not None and output.suffix not in (".csv", ".parquet", ".json"):
        raise UsageError(f"-o {output}: allowed are names ending in .csv, .parquet or .json")
    opened = open_place(bundle)
    names = list(opened.models) if name == "all" else [opened.model(name).name]
    predictors = {each: opened.predictor(each) for each in names}
    inputs = {column.name: column for each in predictors.values() for column in each.inputs}
    asked = (
        [Asked(point_from_options(values))]
        if values
        else point_blocks(points, inputs.values(), opened.manifest)
    )

    def ask(predictor: Predictor, part: Asked) -> Verdicts:
        return predictor.verdicts(
            part.columns,
            nearest=nearest,
            extrapolate=extrapolate,
            ignore_extra=ignore_extra,
            faults=part.faults,
            uncovered=part.uncovered,
        )

    tally = Tally()
    whole = json_wanted or (output is not None and output.suffix == ".json")
    answered = _answers(asked, predictors, ask, tally, whole)
    models = [about(predictor) for predictor in predictors.values()]
    if output is not None:
        number = write_file(output, answered, models)
        click.echo(f"{output}: {number:,} verdicts", err=True)
    elif json_wanted:
        print_json({"models": models, "points": [row for rows in answered for row in rows]})
    elif values:
        print_one([row for rows in answered for row in rows], predictors)
    else:
        write_csv(sys.stdout, answered)
    for line in tally.words():
        click.echo(f"limen: {line}", err=True)
    if tally.refused:
        raise SystemExit(REFUSED if len(tally.refused) == tally.points else PARTLY)


def _answers(
    asked: Iterable[Asked],
    predictors: Mapping[str, Predictor],
    ask: Callable[[Predictor, Asked], Verdicts],
    tally: Tally,
    whole: bool,
) -> Iterator[list[dict[str, Any]]]:
    """Answer block by block, rows in the order of the points; say each note once."""
    told: set[str] = set()
    for part in asked:
        rows: list[dict[str, Any]] = []
        length = 0
        for predictor in predictors.values():
            answer = ask(predictor, part)
            length = len(answer)
            found = verdict_rows(predictor, answer, tally.points, part.columns)
            if whole and part.served:
                for row, served in zip(found, part.served, strict=True):
                    row["read_from"] = served
            rows += found
            for note in [note for note in (*part.notes, *answer.notes) if note not in told]:
                told.add(note)
                click.echo(f"limen: {note}", err=True)
        rows.sort(key=lambda row: row["point"])
        tally.points += length
        tally.note(rows)
        yield rows
