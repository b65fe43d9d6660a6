"""Points for the verb predict: from files, from stdin, from ``--set``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from limen.cli.arguments import assignments
from limen.errors import ReadError, UnitError, UsageError

__all__ = ["point_blocks", "point_from_options"]

_BLOCK = 65_536
_TEXT_FILES = (".csv", ".tsv", ".txt", "")


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


def point_blocks(names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """
    Read points in blocks of columns; ``-`` is CSV on stdin.

    Parameters
    ----------
    names : tuple of str
        Files.

    Raises
    ------
    ReadError
        If a file is none, or cannot be read as what it claims to be.
    """
    for name in names:
        path = Path(name)
        if name == "-":
            yield from _read_csv(sys.stdin, "stdin")
        elif path.suffix.lower() in _TEXT_FILES:
            if not path.is_file():
                raise ReadError(f"{path}: no such file; give a file of points, or --set NAME=VALUE")
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
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ReadError(f"{where}: found the column {twice[0]!r} twice; leave one of them out")
    return header, delimiter
