"""The verb predict: points from files, stdin or the command line, one verdict per point."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from limen import journal
from limen.cli.arguments import as_json, assignments, bundle_argument, model_names, print_json
from limen.cli.running import PARTLY, REFUSED
from limen.errors import ReadError, UsageError
from limen.prediction.points import is_identifier

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdicts

__all__ = ["predict_points"]

_BLOCK = 65_536
_NUMBERS = ("probability", "value", "lower", "upper", "confidence", "domain_score")


@click.command()
@bundle_argument
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
    bundle: Path,
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

    Columns go by name; a header may carry a unit, as 'M1 [TeV]'.
    """
    from limen.bundle import open_bundle

    if bool(points) == bool(values):
        raise UsageError("predict: give files of points, or --set NAME=VALUE for one point")
    if output is not None and output.suffix not in (".csv", ".parquet", ".json"):
        raise UsageError(f"-o {output}: allowed are names ending in .csv, .parquet or .json")
    opened = open_bundle(bundle)
    names = list(opened.models) if name == "all" else [opened.model(name).name]
    predictors = [opened.predictor(each) for each in names]
    rows: list[dict[str, Any]] = []
    told: set[str] = set()
    single = bool(values)
    blocks = [_from_options(values)] if single else _blocks(points)
    start = 0
    for block in blocks:
        length = 0
        for predictor in predictors:
            answer = predictor.verdicts(
                block, nearest=nearest, extrapolate=extrapolate, ignore_extra=ignore_extra
            )
            length = len(answer)
            for note in answer.notes:
                if note not in told:
                    told.add(note)
                    click.echo(f"limen: {note}", err=True)
            rows += _rows(predictor, answer, start, block)
        start += length
    rows.sort(key=lambda row: row["point"])
    if output is not None:
        _write(output, rows, predictors)
    elif json_wanted:
        print_json({"models": [_about(predictor) for predictor in predictors], "points": rows})
    elif single:
        _print_one(rows, {predictor.card.name: predictor for predictor in predictors})
    else:
        _write_csv(sys.stdout, rows)
    _finish(rows, start)


def _from_options(values: tuple[str, ...]) -> dict[str, Any]:
    from limen.units import parse_quantity

    point: dict[str, Any] = {}
    for name, text in assignments(values, "--set").items():
        number, unit = parse_quantity(text)
        point[name] = number if unit is None else (number, unit)
    return point


def _blocks(points: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for name in points:
        if name == "-":
            yield from _read_csv(sys.stdin, "stdin")
            continue
        path = Path(name)
        if path.suffix.lower() in (".csv", ".tsv", ".txt", ""):
            if not path.is_file():
                raise ReadError(f"{path}: no such file; give a file of points, or --set NAME=VALUE")
            with path.open(encoding="utf-8-sig", newline="") as stream:
                yield from _read_csv(stream, str(path))
        else:
            from limen.readers import open_source

            yield from open_source([path]).blocks()


def _read_csv(stream: TextIO, where: str) -> Iterator[dict[str, list[str]]]:
    """Read text columns in blocks; what is no number is a fault of its row, found later."""
    try:
        first = stream.readline()
        delimiter = "\t" if "\t" in first and "," not in first else ","
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not any(header):
            raise ReadError(f"{where}: found no header, allowed a first line with column names")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise ReadError(f"{where}: found the column {twice[0]!r} twice; leave one of them out")
        lines: list[list[str]] = []
        some = False
        for number, line in enumerate(csv.reader(stream, delimiter=delimiter), start=2):
            if not line:
                continue
            if len(line) != len(header):
                raise ReadError(
                    f"{where} line {number}: found {len(line)} fields, allowed {len(header)} as in "
                    "the header; correct the line"
                )
            lines.append(line)
            some = True
            if len(lines) == _BLOCK:
                yield dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
                lines = []
        if lines:
            yield dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
        if not some:
            raise ReadError(f"{where}: found a header and no points; give at least one")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{where}: is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    except csv.Error as error:
        raise ReadError(f"{where}: is no CSV file; {error}") from error


def _rows(
    predictor: Predictor, answer: Verdicts, start: int, block: Mapping[str, Any]
) -> list[dict[str, Any]]:
    carried = [name for name in block if is_identifier(name) and name not in predictor.columns]
    carried = [name for name in carried if name not in ("point", "model")]
    found = []
    for number in range(len(answer)):
        row: dict[str, Any] = {"point": start + number, "model": predictor.card.name}
        row |= {name: str(block[name][number]) for name in carried}
        row |= answer[number].to_dict()
        if answer.neighbours:
            row["nearest"] = [
                {
                    "row": int(answer.neighbours["row"][number, k]),
                    "distance": _finite(answer.neighbours["distance"][number, k]),
                    predictor.target.name: _finite(answer.neighbours["target"][number, k]),
                }
                for k in range(answer.neighbours["row"].shape[1])
            ]
        found.append(row)
    return found


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if number == number and abs(number) != float("inf") else None


def _about(predictor: Predictor) -> dict[str, Any]:
    return {"name": predictor.card.name, **predictor.attrs}


def _table(rows: list[dict[str, Any]]) -> tuple[list[str], Iterator[dict[str, Any]]]:
    names = [name for name in rows[0] if name != "nearest"]
    if "nearest" in rows[0]:
        names.append("nearest")

    def flat() -> Iterator[dict[str, Any]]:
        for row in rows:
            out = dict(row, reasons="; ".join(row["reasons"]))
            if "nearest" in out:
                out["nearest"] = " ".join(str(near["row"]) for near in out["nearest"])
            yield out

    return names, flat()


def _write_csv(stream: TextIO, rows: list[dict[str, Any]]) -> None:
    names, flat = _table(rows)
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)


def _write(output: Path, rows: list[dict[str, Any]], predictors: list[Predictor]) -> None:
    with journal.new_file(output) as working:
        if output.suffix == ".csv":
            with working.open("w", encoding="utf-8", newline="") as stream:
                _write_csv(stream, rows)
        elif output.suffix == ".json":
            about = [_about(predictor) for predictor in predictors]
            text = json.dumps({"models": about, "points": rows}, ensure_ascii=False, indent=1)
            working.write_text(text, encoding="utf-8")
        else:
            _write_parquet(working, rows)
    click.echo(f"{output}: {len(rows):,} verdicts", err=True)


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    from limen.comparing.parquet import write_parquet

    names, flat = _table(rows)
    listed = list(flat)
    write_parquet(path, [{name: [row[name] for row in listed] for name in names}])


def _print_one(rows: list[dict[str, Any]], predictors: Mapping[str, Predictor]) -> None:
    for row in rows:
        predictor = predictors[row["model"]]
        click.echo(f"{row['model']}: {row['verdict'].replace('_', ' ')}")
        for name, text in _details(row, predictor):
            click.echo(f"  {name:<14}{text}")


def _details(row: dict[str, Any], predictor: Predictor) -> Iterator[tuple[str, str]]:
    target = predictor.target
    yield "predicts", f"{target.name}: {(target.definition or {}).get('text', target.title)}"
    for name in _NUMBERS:
        if row[name] is not None:
            unit = row["unit"] if name in ("value", "lower", "upper") and row["unit"] != "1" else ""
            yield name.replace("_", " "), f"{row[name]:.6g} {unit}".rstrip()
    if "extrapolated" in row:
        yield "extrapolated", f"{row['extrapolated']:.6g} (outside the domain, backed by nothing)"
    for reason in row["reasons"]:
        yield "because", reason
    for near in row.get("nearest", []):
        value = near[target.name]
        yield (
            "near",
            f"row {near['row']} at distance {near['distance']:.4g}: {target.name} {value:g}",
        )
    if row["confidence"] is not None or row["lower"] is not None:
        for entry in predictor.card.confidence:
            yield "meaning", f"{entry['kind']}: {entry['meaning']}"
        yield "population", str(predictor.attrs["confidence_population"])
    yield "cite", str(predictor.attrs["cite"])


def _finish(rows: list[dict[str, Any]], n: int) -> None:
    refused = {row["point"] for row in rows if row["verdict"] == "invalid_input"}
    if n > 1:
        counts: dict[str, int] = {}
        for row in rows:
            counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
        text = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
        click.echo(f"limen: {n:,} points: {text}", err=True)
    if refused:
        listed = ", ".join(map(str, sorted(refused)[:10])) + (" ..." if len(refused) > 10 else "")
        click.echo(f"limen: {len(refused)} point(s) refused as invalid input: {listed}", err=True)
        raise SystemExit(REFUSED if len(refused) == n else PARTLY)
