"""Files that go to a program and come back: SLHA, CSV, JSON, as their bytes and as values."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from limen.errors import ReadError, UsageError
from limen.slha import Address, parse, value_of

__all__ = ["FORMATS", "Input", "Output", "filled", "number_text", "placeholders", "read", "write"]

FORMATS = ("slha", "csv", "json")
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_NOTES = ("status", "message", "cost")


@dataclass(frozen=True, slots=True)
class Input:
    """
    How the file is made that a program reads.

    Attributes
    ----------
    format : str
        ``slha``, ``csv`` or ``json``.
    values : mapping of str to str
        By parameter: the SLHA address (``MSOFT 1``), column or name under which it stands; all
        parameters under their own names if empty.
    template : str
        Text in which ``{PARAMETER}`` is replaced; then there are no values.
    file : str
        Its name in the working folder.
    """

    format: str
    values: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    file: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file or f"input.{self.format}"


@dataclass(frozen=True, slots=True)
class Output:
    """
    How the file is read that a program writes.

    Attributes
    ----------
    format : str
        ``slha``, ``csv`` or ``json``.
    values : mapping of str to str
        By output, or ``OUTPUT_err`` for its standard error: the SLHA address, the column, or the
        name (``a.b.0`` leads into objects and lists); under their own names if empty.
    file : str
        Its name in the working folder; ``-`` is the standard output.
    """

    format: str
    values: Mapping[str, str] = field(default_factory=dict)
    file: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"output.{self.format}" if self.file in ("", "-") else self.file


def placeholders(text: str) -> list[str]:
    """
    List the names in braces.

    >>> placeholders("--mass={m} {output}")
    ['m', 'output']
    """
    return _PLACE.findall(text)


def filled(text: str, words: Mapping[str, str]) -> str:
    """Replace the names in braces; other braces stay."""
    return _PLACE.sub(lambda found: words.get(found[1], found[0]), text)


def number_text(value: float) -> str:
    """
    Write a number so that it is read as the same one.

    >>> number_text(3.0), number_text(0.1)
    ('3', '0.1')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def write(told: Input, point: Mapping[str, float]) -> str:
    """
    Make the text of an input file.

    Examples
    --------
    >>> print(write(Input("slha", {"m": "MSOFT 1"}), {"m": 0.5}), end="")
    BLOCK MSOFT
      1  5.0000000000000000E-01  # m
    """
    if told.template:
        return filled(told.template, {name: number_text(value) for name, value in point.items()})
    named = told.values or {name: name for name in point}
    if told.format == "slha":
        return _slha_text(named, point)
    row = {place: point[name] for name, place in named.items()}
    if told.format == "json":
        return json.dumps(row, ensure_ascii=False, indent=1) + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row.keys(), map(number_text, row.values())])
    return text.getvalue()


def _slha_text(named: Mapping[str, str], point: Mapping[str, float]) -> str:
    entries = [(Address.from_text(place), name) for name, place in named.items()]
    entries.sort(key=lambda entry: (entry[0].block, entry[0].scale or 0.0, entry[0].key))
    lines = []
    for (block, scale), group in groupby(entries, key=lambda e: (e[0].block, e[0].scale)):
        lines.append(f"BLOCK {block}" + ("" if scale is None else f" Q= {scale:.8E}"))
        for address, name in group:
            keys = " ".join(map(str, address.key))
            lines.append(f"  {keys}  {point[name]:.16E}  # {name}")
    return "\n".join(lines) + "\n"


def read(told: Output, path: Path, outputs: Sequence[str]) -> dict[str, Any]:
    """
    Read values from an output file.

    Parameters
    ----------
    told : Output
    path : Path
    outputs : sequence of str

    Returns
    -------
    dict
        By output; texts where there is no number; ``status``, ``message`` and ``cost`` where a
        CSV or JSON file has them.

    Raises
    ------
    ReadError
        With all reasons: no such file, another format, missing columns or entries, too few rows.
    """
    if not path.is_file():
        raise ReadError(f"wrote no {path.name}")
    named = told.values or {name: name for name in _with_errors(outputs)}
    needed = set(told.values or outputs)
    if told.format == "slha":
        return _read_slha(path, named)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path.name}: is not UTF-8 text") from error
    read_row = _read_csv if told.format == "csv" else _read_json
    return read_row(text, path.name, {**{name: name for name in _NOTES}, **named}, needed)


def _with_errors(outputs: Iterable[str]) -> list[str]:
    return [name for output in outputs for name in (output, f"{output}_err")]


def _read_slha(path: Path, named: Mapping[str, str]) -> dict[str, Any]:
    try:
        spectrum = parse(path.read_bytes(), refuse_wrong=False)
    except ReadError as error:
        raise ReadError(f"{path.name}: {error}", error.faults) from error
    if spectrum.errors:
        return {"status": "invalid", "message": f"the generator says: {spectrum.errors[0]}"}
    found, faults = {}, []
    for name, place in named.items():
        try:
            found[name] = value_of(spectrum, [Address.from_text(place)]).value
        except ReadError as error:
            faults.append(f"{path.name} {name}: {error}")
    if faults:
        raise ReadError("; ".join(faults))
    return found


def _read_csv(text: str, where: str, named: Mapping[str, str], needed: set[str]) -> dict[str, Any]:
    first = text.partition("\n")[0]
    delimiter = "\t" if "\t" in first and "," not in first else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ReadError(f"{where}: is no CSV file; {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if len(rows) != 2:
        raise ReadError(f"{where}: found {max(len(rows) - 1, 0)} rows, allowed a header and 1 row")
    if len(rows[1]) != len(header):
        raise ReadError(
            f"{where}: found {len(rows[1])} fields, allowed {len(header)} as in the header"
        )
    row = {}
    for name, place in named.items():
        if header.count(place) > 1:
            raise ReadError(f"{where}: found the column {place!r} twice, allowed once")
        if place in header:
            row[name] = rows[1][header.index(place)]
    return _complete(row, where, "column", {n: named[n] for n in needed}, header)


def _read_json(text: str, where: str, named: Mapping[str, str], needed: set[str]) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{where}: is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise ReadError(f"{where}: found a {type(document).__name__}, allowed an object")
    row = {
        name: value for name, path in named.items() if (value := _at(document, path)) is not None
    }
    return _complete(row, where, "name", {n: named[n] for n in needed}, list(document))


def _at(node: Any, path: str) -> Any:
    """Follow a dotted path; None if it leads nowhere."""
    for step in path.split("."):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def _complete(
    row: dict[str, Any], where: str, kind: str, needed: Mapping[str, str], there: list[str]
) -> dict[str, Any]:
    row = {name: _value(name, cell) for name, cell in row.items()}
    settled = row.get("status", "ok") in ("failed", "invalid")
    missing = [place for name, place in needed.items() if name not in row]
    if missing and not settled:
        raise ReadError(
            f"{where}: found no {kind} {', '.join(missing)} among {', '.join(there)[:200]}"
        )
    return {name: cell for name, cell in row.items() if cell is not None}


def _value(name: str, cell: Any) -> Any:
    """Give the number that a text is; None for none, the text itself for anything else."""
    if not isinstance(cell, str) or name in ("status", "message"):
        return cell.strip() or None if isinstance(cell, str) else cell
    try:
        return float(cell)
    except ValueError:
        return cell.strip() or None


def check_address(place: str) -> str:
    """Say what is wrong with an SLHA address; nothing if it is right."""
    try:
        Address.from_text(place)
    except UsageError as error:
        return str(error)
    return ""
