"""Points for the verb predict: from files, from stdin, from ``--set``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from limen.cli.arguments import assignments
from limen.errors import ReadError, UnitError, UsageError

if TYPE_CHECKING:
    from limen.manifest import Column

__all__ = ["Asked", "point_blocks", "point_from_options", "table_blocks"]

_BLOCK = 65_536
_TEXT_FILES = (".csv", ".tsv", ".txt", "")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Some points, and what their files say of them.

    Parameters
    ----------
    columns : mapping of str to values
        By name; what a predictor takes.
    faults : mapping of int to list of str
        Rows that are no valid input, and why.
    uncovered : mapping of int to list of str
        Rows whose topology the bundle does not cover, and why.
    served : sequence of dict
        Per row, by column: where in its file a value stood; empty where there is one place only.
    notes : sequence of str
        What holds for many rows.
    """

    columns: Mapping[str, Any]
    faults: Mapping[int, list[str]] = field(default_factory=dict)
    uncovered: Mapping[int, list[str]] = field(default_factory=dict)
    served: Sequence[dict[str, str]] = ()
    notes: Sequence[str] = ()


def point_from_options(values: tuple[str, ...]) -> dict[str, Any]:
    """
    Make one point of ``NAME=VALUE`` texts.

    Raises
    ------
    UsageError
        If a text is no assignment, or a value no number with an optional unit.
    """
    from limen.units import parse_quantity

    point: dict[str, Any] = {}
    for name, text in assignments(values, "--set").items():
        try:
            number, unit = parse_quantity(text)
        except UnitError as error:
            raise UsageError(
                f"--set {name}: found {text!r}, allowed one number with an optional unit, as "
                f"{name}=1.5 or {name}=1.2TeV; several points go into a CSV file"
            ) from error
        point[name] = number if unit is None else (number, unit)
    return point


def point_blocks(
    names: tuple[str, ...], inputs: Iterable[Column], document: Mapping[str, Any]
) -> Iterator[Asked]:
    """
    Read points in blocks of columns; ``-`` is CSV on stdin.

    Parameters
    ----------
    names : tuple of str
        Files; SLHA spectra also as folders and tar archives.
    inputs : iterable of Column
        What the models need, for files whose values go by addresses.
    document : mapping
        The bundle's manifest.

    Raises
    ------
    UsageError
        If some files are spectra and others tables.
    ReadError
        If a file is none, or cannot be read as what it claims to be.
    """
    from limen.slha import looks_like_spectra

    paths = [Path(name) for name in names]
    spectra = [looks_like_spectra(path) for path in paths]
    if all(spectra):
        yield from _read_spectra(paths, tuple(inputs), document)
        return
    if any(spectra):
        raise UsageError(
            f"predict: {paths[spectra.index(True)]} is an SLHA spectrum and "
            f"{paths[spectra.index(False)]} is not, allowed one kind; ask twice"
        )
    for name in names:
        yield from map(Asked, table_blocks(name))


def _read_spectra(
    paths: Sequence[Path], inputs: Sequence[Column], document: Mapping[str, Any]
) -> Iterator[Asked]:
    from limen.slha import read_points

    family = document.get("theory", {}).get("family", "")
    found = read_points(
        paths,
        inputs,
        assumptions=document.get("assumptions", ()),
        equal_generations=family.lower().startswith("pmssm"),
    )
    for part in found:
        yield Asked(part.columns, part.faults, part.uncovered, part.served, part.notes)


def table_blocks(name: str) -> Iterator[Mapping[str, Any]]:
    """
    Read a table in blocks of columns, cells of CSV as text; ``-`` is CSV on stdin.

    Raises
    ------
    ReadError
        If the file is none, or cannot be read as what it claims to be.
    """
    path = Path(name)
    if name == "-":
        yield from _read_csv(sys.stdin, "stdin")
    elif path.suffix.lower() in _TEXT_FILES:
        if not path.is_file():
            raise ReadError(f"{path}: no such file; give a file of points")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _read_csv(stream, str(path))
    else:
        yield from _read_other(path)


def _read_other(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of another format; its text columns are no inputs, but may name the points."""
    from limen.readers import open_source, text_columns

    text = text_columns(path)
    for block in open_source([path], options={"drop": text} if text else None).blocks():
        rows = len(next(iter(block.values())))
        yield block | {name: [""] * rows for name in text}


def _read_csv(stream: TextIO, where: str) -> Iterator[dict[str, list[str]]]:
    """Read text columns in blocks; what is no number is a fault of its row, found later."""
    try:
        header, delimiter = _header(stream, where)
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


def _header(stream: TextIO, where: str) -> tuple[list[str], str]:
    first = stream.readline()
    delimiter = "\t" if "\t" in first and "," not in first else ","
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(header):
        raise ReadError(f"{where}: found no header, allowed a first line with column names")
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        raise ReadError(f"{where}: found the column {twice[0]!r} twice; leave one of them out")
    return header, delimiter
