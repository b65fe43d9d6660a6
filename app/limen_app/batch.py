"""Many points of an uploaded file: what its columns are taken for, and a verdict for each row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limen.cli.answering import write_csv
from limen.cli.asking import Asked, point_blocks
from limen.errors import ColumnError, ReadError
from limen.manifest import resolve_alias
from limen.prediction import verdict_rows
from limen.prediction.points import LET_PASS, is_identifier
from limen.schema.wording import nearest
from limen.slha import looks_like_spectra
from limen_app.spectra import takes_spectra
from limen_app.uploads import Upload, kept

if TYPE_CHECKING:
    from limen.manifest import Column
    from limen.prediction import Predictor

__all__ = ["Outcome", "Taken", "answer", "guarded", "mapping_of", "template"]

_HEADER = re.compile(r"(.+?)\s*\[([^\]]*)\]\s*\Z")
_HINTS = 5
_SHOWN = 1000
_STEP = 8_192
# Columns beyond those of the bundle; each unknown one is compared with all names.
_MORE = 200
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a column of a file is taken for.

    Attributes
    ----------
    header : str
        As the file has it; empty for an input that it lacks.
    column : str
        The input; empty if it is none.
    unit : str
        Unit that its values are taken in.
    what : str
        ``used``, ``passed through``, ``not needed``, ``unknown`` or ``missing``.
    """

    header: str
    column: str
    unit: str
    what: str


@dataclass(slots=True)
class Outcome:
    """
    The verdicts on a file of points.

    Attributes
    ----------
    csv : bytes
        One line a point, as ``limen predict -o FILE.csv`` writes them; text that a spreadsheet
        would take for a formula begins with an apostrophe.
    counts : dict of str to int
        Points by verdict.
    faults : list of (int, str)
        Rows that were refused, counted from 0, and why; the first thousand.
    refused : int
        Number of rows that were refused.
    first : list of dict
        The first thousand rows.
    notes : list of str
    mapping : list of Taken
        Empty for spectra.
    """

    csv: bytes = b""
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    refused: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mapping: list[Taken] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Number of points."""
        return sum(self.counts.values())


def mapping_of(headers: list[str], predictor: Predictor) -> list[Taken]:
    """
    Say what each column of a table is taken for, and which inputs are missing.

    Parameters
    ----------
    headers : list of str
        Names of the table's columns, which may carry units, as ``M1 [TeV]``.
    predictor : Predictor

    Returns
    -------
    list of Taken
    """
    inputs = {column.name: column for column in predictor.inputs}
    found = [_taken(header, inputs, predictor.columns) for header in headers]
    there = {taken.column for taken in found}
    found += [Taken("", name, c.unit, "missing") for name, c in inputs.items() if name not in there]
    return found


def _taken(header: str, inputs: Mapping[str, Column], known: Mapping[str, Column]) -> Taken:
    parted = None if header in known else _HEADER.match(header)
    bare, unit = (parted[1], parted[2].strip()) if parted else (header, "")
    try:
        name = resolve_alias(bare, known)
    except ColumnError:
        return Taken(header, "", unit, "passed through" if is_identifier(bare) else "unknown")
    if name not in inputs:
        return Taken(header, "", unit, "not needed")
    return Taken(header, name, unit or known[name].unit, "used")


def template(predictor: Predictor, point: Mapping[str, float]) -> bytes:
    """
    Give a CSV file with one point, to be filled with others.

    Parameters
    ----------
    predictor : Predictor
    point : mapping of str to float
        A value for every input, in its unit.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    units = {column.name: column.unit for column in predictor.inputs}
    heads = [name if unit == "1" else f"{name} [{unit}]" for name, unit in units.items()]
    writer.writerow(["id", *heads])
    writer.writerow(["1", *(repr(float(point[name])) for name in units)])
    return stream.getvalue().encode()


def answer(
    predictor: Predictor,
    upload: Upload,
    document: Mapping[str, Any],
    *,
    most_rows: int,
    most_bytes: int,
    ignore_extra: bool = False,
    progress: Progress = lambda _: None,
) -> Outcome:
    """
    Answer for every point of a file.

    Parameters
    ----------
    predictor : Predictor
    upload : Upload
        CSV, Parquet, an SLHA spectrum, or a ZIP or tar archive of spectra.
    document : mapping
        The bundle's manifest.
    most_rows, most_bytes : int
        What is allowed of one file.
    ignore_extra : bool
        Let unknown columns pass.
    progress : callable
        Told the number of points done.

    Returns
    -------
    Outcome
        A row that is refused does not keep the others from being answered.

    Raises
    ------
    ReadError
        If the file cannot be read, or holds too many points.
    ColumnError
        If columns are missing or unknown.
    """
    outcome = Outcome()
    text = io.StringIO(newline="")
    with kept(upload, most_bytes) as path:
        name = upload.plain_name
        blocks = _blocks(path, name, predictor, document, most_rows)
        rows = _rows(blocks, predictor, outcome, ignore_extra, progress)
        try:
            write_csv(text, rows)
        except (ReadError, ColumnError) as error:
            # What the file is called here is nothing to its owner.
            said = error.message.replace(str(path), name)
            if isinstance(error, ColumnError):
                said = _for_the_page(said, outcome.mapping)
            raise type(error)(said, error.faults) from error
    outcome.csv = text.getvalue().encode()
    return outcome


def _for_the_page(said: str, mapping: list[Taken]) -> str:
    """Name what the page has instead of options, and columns that were let pass but are near."""
    said = said.replace(LET_PASS, "tick \u201cIgnore unknown columns\u201d")
    missing = [taken.column for taken in mapping if taken.what == "missing"]
    unknown = [taken.header for taken in mapping if taken.what == "unknown"]
    hints = [f"{name}: {hint.strip()}" for name in unknown if (hint := nearest(name, missing))]
    return f"{said} ({'; '.join(hints[:_HINTS])})" if hints else said


def _blocks(
    path: Path, name: str, predictor: Predictor, document: Mapping[str, Any], most: int
) -> Iterator[Asked]:
    """Read points, name spectra as their owner does, and refuse too many."""
    if not takes_spectra(predictor) and (path.is_dir() or looks_like_spectra(path)):
        raise ReadError(
            f"{name}: this bundle does not say where its parameters stand in a spectrum; give CSV "
            "or Parquet"
        )
    if path.suffix.lower() in (".json", ".npz", ".npy", ".h5", ".hdf5", ".zarr"):
        raise ReadError(f"{name}: allowed are CSV, Parquet, SLHA spectra and archives of them")
    number = 0
    for part in point_blocks((str(path),), predictor.inputs, document):
        columns = dict(part.columns)
        allowed = len(predictor.columns) + _MORE
        if len(columns) > allowed:
            raise ReadError(
                f"{name}: found {len(columns):,} columns, allowed {allowed:,}; leave out what the "
                "model does not need"
            )
        if part.served and "file" in columns:
            folder = f"{path}/" if path.is_dir() else f"{path.parent}/"
            columns["file"] = [str(one).removeprefix(folder) for one in columns["file"]]
        number += len(next(iter(columns.values())))
        if number > most:
            raise ReadError(
                f"{name}: holds more than {most:,} points, which is the most for one file here; "
                "use limen predict, or parts of it"
            )
        if part.served:
            yield Asked(columns, part.faults, part.uncovered, part.served, part.notes)
        else:
            yield from _parts(columns)


def _parts(columns: Mapping[str, Any]) -> Iterator[Asked]:
    """Cut a block into parts that are answered while one can wait."""
    length = len(next(iter(columns.values())))
    for start in range(0, length, _STEP):
        yield Asked({name: values[start : start + _STEP] for name, values in columns.items()})


def _rows(
    blocks: Iterator[Asked],
    predictor: Predictor,
    outcome: Outcome,
    ignore_extra: bool,
    progress: Progress,
) -> Iterator[list[dict[str, Any]]]:
    done = 0
    for part in blocks:
        if not done and not part.served:
            outcome.mapping = mapping_of([str(name) for name in part.columns], predictor)
        said = predictor.verdicts(
            part.columns, ignore_extra=ignore_extra, faults=part.faults, uncovered=part.uncovered
        )
        rows = verdict_rows(predictor, said, done, part.columns)
        for name, count in said.counts().items():
            outcome.counts[name] = outcome.counts.get(name, 0) + count
        for row in rows:
            if row["verdict"] == "invalid_input":
                outcome.refused += 1
                if len(outcome.faults) < _SHOWN:
                    outcome.faults.append((row["point"], "; ".join(row["reasons"])))
        outcome.notes += [n for n in (*part.notes, *said.notes) if n not in outcome.notes]
        rows = [{key: guarded(value) for key, value in row.items()} for row in rows]
        outcome.first += rows[: _SHOWN - len(outcome.first)]
        done += len(rows)
        progress(done)
        yield rows


def guarded(cell: Any) -> Any:
    """
    Keep a spreadsheet from taking text for a formula.

    >>> guarded("=HYPERLINK(1)"), guarded("-3"), guarded(-3.0), guarded("a=b")
    ("'=HYPERLINK(1)", '-3', -3.0, 'a=b')
    """
    if isinstance(cell, list):
        return [guarded(one) for one in cell]
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "|", "%")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
