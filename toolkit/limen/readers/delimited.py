"""Delimited text (CSV, tab, whitespace; plain or gzip): read strictly, in blocks, in two passes."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from limen.errors import Fault, ReadError
from limen.readers.fields import Survey, convert
from limen.readers.options import Selection
from limen.readers.tables import Block, Table

__all__ = ["MAX_FAULTS", "guess_delimiter", "open_delimited"]

MAX_FAULTS = 20
_CHUNK = 1 << 21
_LONGEST_LINE = 1 << 20
_UNIT = re.compile(r"(.+?)(?:\s+\[([^\[\]]+)\]|\[([^\[\]0-9][^\[\]]*)\])")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of one file become fields."""

    path: Path
    delimiter: str
    comment: str
    names: tuple[str, ...]
    skip_lines: int

    def fields(self, line: str) -> list[str]:
        """Split one line into its fields."""
        if self.delimiter == "whitespace":
            return line.split()
        if '"' not in line:
            return line.split(self.delimiter)
        reader = csv.reader([line], delimiter=self.delimiter, skipinitialspace=True, strict=True)
        return next(reader)

    def rows(self, lines: list[str], width: int) -> list[list[str]] | None:
        """Split lines that are all plain and of one width; else None."""
        if self.delimiter == "whitespace":
            rows = [line.split() for line in lines]
        elif any('"' in line for line in lines):
            return None
        else:
            delimiter = self.delimiter
            rows = [line.split(delimiter) for line in lines]
        return rows if all(len(row) == width for row in rows) else None


def open_delimited(path: Path, options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open a text table; reads it once to prove its structure and find the exact dtypes.

    Empty fields and ``nan`` are missing values (NaN), ``inf`` is infinity, ``true`` and ``false``
    make a bool column; a column of integers alone stays integer. Blank lines and whole lines that
    begin with ``comment`` are skipped.

    Parameters
    ----------
    path : Path
        UTF-8 text, with or without byte-order mark; gzip if the name ends in ``.gz``.
    options : mapping
        ``delimiter`` (one character, "tab" or "whitespace"), ``comment`` (one character), ``names``
        (for a file without header), ``skip_lines`` (before the header).
    selection : Selection
        Columns to drop, and columns to read as text.

    Returns
    -------
    Table

    Raises
    ------
    ReadError
        With up to 20 faults, each with its line: ragged rows, text among numbers, duplicate names,
        not UTF-8, integers beyond 64 bits in an integer column.
    """
    delimiter = options.get("delimiter", ",")
    delimiter = {"tab": "\t", " ": "whitespace"}.get(delimiter, delimiter)
    layout = _Layout(
        path,
        delimiter,
        options.get("comment", ""),
        tuple(options.get("names", ())),
        options.get("skip_lines", 0),
    )
    names, units = _header(layout)
    used = [i for i, name in enumerate(names) if name not in selection.drop]
    surveys = {i: Survey(names[i], as_text=names[i] in selection.categories) for i in used}
    n_rows = 0
    ragged: list[Fault] = []
    for numbers, columns in _columns(layout, len(names), ragged):
        n_rows += len(numbers)
        for i, survey in surveys.items():
            survey.see(columns[i], numbers)
    found = [*ragged, *(fault for survey in surveys.values() for fault in survey.faults())]
    if found:
        raise ReadError.from_faults(str(path), _explained(layout, found))
    dtypes = {names[i]: survey.dtype() for i, survey in surveys.items()}

    def stream(rows: int) -> Iterator[Block]:
        for _, columns in _columns(layout, len(names), []):
            yield {names[i]: convert(columns[i], dtypes[names[i]]) for i in used}

    return Table(path, names, dtypes, n_rows, stream, units)


def guess_delimiter(path: Path, options: Mapping[str, Any]) -> dict[str, str]:
    """
    Guess the delimiter of a text table from its first line, for a draft that a human reads.

    Parameters
    ----------
    path : Path
        Any file; one that is no text table has no delimiter.
    options : mapping
        ``comment`` and ``skip_lines``, if given.

    Returns
    -------
    dict of str to str
        The option ``delimiter`` where it is not the comma, else nothing.
    """
    layout = _Layout(path, ",", options.get("comment", ""), (), options.get("skip_lines", 0))
    try:
        _, lines = next(_kept(layout), ([], [""]))
    except ReadError:
        return {}
    line = _uncommented(lines[0])
    for delimiter, found in (("", ","), ("tab", "\t"), (";", ";")):
        if found in line:
            return {"delimiter": delimiter} if delimiter else {}
    return {"delimiter": "whitespace"} if len(line.split()) > 1 else {}


def _uncommented(header: str) -> str:
    """Take off the mark that numpy.savetxt and others put before the names of the columns."""
    return re.sub(r"\A\s*#\s+", "", header)


def _explained(layout: _Layout, faults: list[Fault]) -> list[Fault]:
    """Put the likely cause before the first faults: a comment or a header taken for another."""
    (number, *_), (line, *_) = next(_kept(layout), ([0], [""]))
    if layout.names and any(fault.pointer.startswith(f"line {number},") for fault in faults):
        text = (
            "is the first line that is read as a row, since the names are given; if it holds the "
            f"names, give the option skip_lines: {number} (--option skip_lines={number}) as well"
        )
    elif not layout.names and line.lstrip().startswith("#"):
        text = (
            "begins with '#' and was taken for the header; if it is a comment, give the option "
            "comment: '#' (limen init: --option comment=#), and names where no header is left"
        )
    else:
        return faults[:MAX_FAULTS]
    return [Fault(f"line {number}", text), *faults[: MAX_FAULTS - 1]]


def _opened(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the file in pieces of whole lines."""
    rest = b""
    try:
        with _opened(path) as stream:
            while data := stream.read(_CHUNK):
                data = rest + data
                cut = data.rfind(b"\n") + 1
                rest = data[cut:]
                if len(rest) > _LONGEST_LINE:
                    raise ReadError(
                        f"{path}: found a line of over {_LONGEST_LINE} bytes; is it a text table?"
                    )
                if cut:
                    yield data[:cut]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: found a damaged gzip stream ({error}); fetch or compress the file again"
        raise ReadError(message) from error
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if rest:
        yield rest


def _lines(path: Path) -> Iterator[list[str]]:
    """Yield the decoded lines of the file, piece by piece, without their ends."""
    offset = 0
    for piece in _pieces(path):
        try:
            text = piece.decode("utf-8")
        except UnicodeDecodeError as error:
            place = offset + error.start
            raise ReadError(
                f"{path} byte {place}: found 0x{piece[error.start]:02x}, allowed UTF-8 text; "
                "convert the file to UTF-8"
            ) from error
        if "\0" in text:
            place = offset + piece.index(b"\0")
            raise ReadError(f"{path} byte {place}: found a NUL byte; is it a text table?")
        if offset == 0:
            text = text.removeprefix("\ufeff")
        lines = text.replace("\r\n", "\n").split("\n")
        if not lines[-1]:
            lines.pop()
        yield lines
        offset += len(piece)


def _kept(layout: _Layout) -> Iterator[tuple[Sequence[int], list[str]]]:
    """Yield line numbers (from 1) and lines without blank lines, comments and skipped lines."""
    first = 1
    for lines in _lines(layout.path):
        numbers: Sequence[int] = range(first, first + len(lines))
        first += len(lines)
        if layout.comment or numbers[0] <= layout.skip_lines or not all(map(str.strip, lines)):
            kept = [pair for pair in zip(numbers, lines, strict=True) if _is_row(layout, *pair)]
            numbers, lines = [number for number, _ in kept], [line for _, line in kept]
        if lines:
            yield numbers, lines


def _is_row(layout: _Layout, number: int, line: str) -> bool:
    text = line.strip()
    comment = layout.comment and text.startswith(layout.comment)
    return bool(number > layout.skip_lines and text and not comment)


def _header(layout: _Layout) -> tuple[tuple[str, ...], dict[str, str]]:
    """Find the columns' names, and the units that the header states."""
    if layout.names:
        words = list(layout.names)
        where = f"{layout.path} option 'names'"
    else:
        numbers, lines = next(_kept(layout), ([], []))
        if not lines:
            raise ReadError(
                f"{layout.path}: found no header and no rows, allowed a text table; check the file"
            )
        where = f"{layout.path} line {numbers[0]}"
        try:
            words = [word.strip() for word in layout.fields(_uncommented(lines[0]))]
        except csv.Error as error:
            raise ReadError(f"{where}: found a broken quotation ({error}); close it") from error
    names, units = [], {}
    for word in words:
        match = _UNIT.fullmatch(word)
        names.append(match[1] if match else word)
        if match:
            units[match[1]] = match[2] or match[3]
    faults = [
        (f"column {i}", "found an empty name; name it, or give the option 'names'")
        for i, name in enumerate(names, 1)
        if not name
    ]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    faults += [(f"column '{name}'", "found twice, allowed once; rename one") for name in twice]
    if faults:
        raise ReadError.from_faults(where, faults)
    return tuple(names), units


def _columns(
    layout: _Layout, width: int, faults: list[Fault]
) -> Iterator[tuple[Sequence[int], list[tuple[str, ...]]]]:
    """Yield line numbers and the columns' fields; lines of another width go to ``faults``."""
    header = 0 if layout.names else 1
    for numbers, lines in _kept(layout):
        numbers, lines, header = numbers[header:], lines[header:], 0
        rows = layout.rows(lines, width)
        if rows is None:
            found = [
                (n, _row(layout, n, line, width, faults))
                for n, line in zip(numbers, lines, strict=True)
            ]
            numbers = [number for number, row in found if row is not None]
            rows = [row for _, row in found if row is not None]
        if len(faults) >= MAX_FAULTS:
            raise ReadError.from_faults(str(layout.path), _explained(layout, faults))
        if rows:
            yield numbers, list(zip(*rows, strict=True))


def _row(
    layout: _Layout, number: int, line: str, width: int, faults: list[Fault]
) -> list[str] | None:
    """Split one line; what is wrong with it goes to ``faults``."""
    try:
        row = layout.fields(line)
    except csv.Error as error:
        text = f"found a broken quotation ({error}), allowed one that ends on its line; close it"
        faults.append(Fault(f"line {number}", text))
        return None
    if len(row) == width:
        return row
    delimiter = {"\t": "tab"}.get(layout.delimiter, layout.delimiter)
    text = f"found {len(row)} fields, allowed {width} (delimiter '{delimiter}'); correct the line"
    faults.append(Fault(f"line {number}", text))
    return None
