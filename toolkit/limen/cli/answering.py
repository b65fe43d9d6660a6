"""Verdicts for people and programs: CSV, JSON, Parquet, words."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from limen import journal
from limen.prediction.rows import Row
from limen.prediction.verdict import NUMBERS

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Tally", "print_one", "write_csv", "write_file"]


@dataclass(slots=True)
class Tally:
    """Counts of what was answered, and the rows that were refused."""

    points: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)

    def note(self, rows: Iterable[Row]) -> None:
        """Count the verdicts of rows."""
        for row in rows:
            self.counts.setdefault(row["model"], Counter())[row["verdict"]] += 1
            if row["verdict"] == "invalid_input":
                self.refused.add(row["point"])

    def words(self) -> Iterator[str]:
        """Say what was answered, a line a model, and which rows were refused."""
        if self.points > 1:
            for model, counter in self.counts.items():
                text = ", ".join(f"{count:,} {name}" for name, count in sorted(counter.items()))
                where = f" by {model}" if len(self.counts) > 1 else ""
                yield f"{self.points:,} points{where}: {text}"
        if self.refused:
            listed = ", ".join(map(str, sorted(self.refused)[:10]))
            more = ", ..." if len(self.refused) > 10 else ""
            plural = "rows" if len(self.refused) > 1 else "row"
            yield (
                f"{len(self.refused):,} of {self.points:,} refused as invalid input: "
                f"{plural} {listed}{more} (counted from 0)"
            )


def _flat(row: Row) -> Row:
    out = dict(row, reasons="; ".join(row["reasons"]))
    if "nearest" in out:
        out["nearest"] = " ".join(str(near["row"]) for near in out["nearest"])
    return out


def write_csv(stream: TextIO, blocks: Iterable[list[Row]]) -> int:
    """Write rows as they come, and give their number."""
    writer = None
    number = 0
    for rows in blocks:
        if writer is None:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
        writer.writerows(map(_flat, rows))
        number += len(rows)
    return number


def write_file(output: Path, blocks: Iterable[list[Row]], models: list[Row]) -> int:
    """
    Write a CSV, JSON or Parquet file, whole or not at all, and give the number of verdicts.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    with journal.new_file(output) as working:
        if output.suffix == ".csv":
            with working.open("w", encoding="utf-8", newline="") as stream:
                return write_csv(stream, blocks)
        rows = [row for block in blocks for row in block]
        if output.suffix == ".json":
            text = json.dumps({"models": models, "points": rows}, ensure_ascii=False, indent=1)
            working.write_text(text, encoding="utf-8")
        else:
            from limen.comparing.parquet import write_parquet

            listed = [_flat(row) for row in rows]
            write_parquet(working, [{name: [row[name] for row in listed] for name in listed[0]}])
        return len(rows)


def print_one(rows: list[Row], predictors: Mapping[str, Predictor]) -> None:
    """Print the verdicts on one point for people."""
    for row in rows:
        predictor = predictors[row["model"]]
        click.echo(f"{row['model']}: {row['verdict'].replace('_', ' ')}")
        for name, text in _details(row, predictor):
            click.echo(f"  {name:<14}{text}")


def _details(row: Row, predictor: Predictor) -> Iterator[tuple[str, str]]:
    target = predictor.target
    yield "predicts", f"{target.name}: {(target.definition or {}).get('text', target.title)}"
    for name in NUMBERS:
        if row[name] is not None:
            unit = row["unit"] if name in ("value", "lower", "upper") and row["unit"] != "1" else ""
            text = (
                _confidence(row, predictor) if name == "confidence" else f"{row[name]:.6g} {unit}"
            )
            yield name.replace("_", " "), text.rstrip()
    if "extrapolated" in row:
        yield "extrapolated", f"{row['extrapolated']:.6g} (outside the domain, backed by nothing)"
    for reason in row["reasons"]:
        yield "because", reason
    for near in row.get("nearest", []):
        place = f"row {near['row']} at distance {near['distance']:.4g}"
        value = near[target.name]
        yield "near", f"{place}: {target.name} {'masked' if value is None else format(value, 'g')}"
    if row["confidence"] is not None or row["lower"] is not None:
        for entry in predictor.card.confidence:
            yield "meaning", f"{entry['kind']}: {entry['meaning']}"
        yield "population", str(predictor.attrs["confidence_population"])
    yield "cite", str(predictor.attrs["cite"])


def _confidence(row: Row, predictor: Predictor) -> str:
    """Say a share together with how well it is known."""
    table = next(e["table"] for e in predictor.card.confidence if e["kind"] == "binned_accuracy")
    for entry in table:
        inside = entry["low"] <= row["probability"] <= entry["high"]
        if inside and entry.get("interval") and entry["accuracy"] is not None:
            low, high = entry["interval"]
            return f"{row['confidence']:.4f} (95 %: {low:.4f} to {high:.4f}, {entry['n']:,} rows)"
    return f"{row['confidence']:.4f}"
