"""Columns of a bundle as the variables of a HEPData table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limen.errors import DataError
from limen.manifest import Column
from limen.readers.hepdata.values import Notes

__all__ = ["Columns", "Variable", "variables_of"]

Columns = Mapping[str, Column]
Variable = dict[str, Any]
Cell = dict[str, Any]

_GAP = "-"
_LABELS = {"syst": "sys"}


def variables_of(
    columns: Columns, names: Sequence[str], values: Mapping[str, Any], *, independent: bool
) -> list[Variable]:
    """
    Make the variables of one section of a table.

    Parameters
    ----------
    columns : mapping of str to Column
        All columns of the scan.
    names : sequence of str
        Those that are wanted.
    values : mapping of str to ndarray, shape (n,)
        Values of all columns, masks included.
    independent : bool
        They are coordinates: edges of a bin go together, and there are no errors.

    Returns
    -------
    list of dict

    Raises
    ------
    DataError
        If an uncertainty has only one of two sides.
    """
    if not independent:
        return [_dependent(columns, name, values) for name in names]
    bins = _bins(columns, names)
    answer = []
    for name in names:
        edges = next((edges for edges in bins if name in edges.values()), None)
        if edges is None:
            cells = [{"value": value} for value in _values(columns[name], values)]
        elif name == edges["low"]:
            cells = _binned(columns, edges, values)
        else:
            continue
        answer.append({"header": _header(columns[name]), "values": cells})
    return answer


def _header(column: Column) -> dict[str, str]:
    notes = Notes.read(column.description or "")
    header = {"name": notes.header or column.title}
    units = notes.units or ("" if notes.header or column.unit == "1" else column.unit)
    return header | ({"units": units} if units else {})


def _bins(columns: Columns, names: Sequence[str]) -> list[dict[str, str]]:
    """Find the columns that are low edge, high edge and (if there is one) value of one bin."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        notes = Notes.read(columns[name].description or "")
        if notes.header:
            found.setdefault(notes.header, {}).setdefault(notes.bin or "value", name)
    return [edges for edges in found.values() if {"low", "high"} <= edges.keys()]


def _binned(columns: Columns, edges: Mapping[str, str], values: Mapping[str, Any]) -> list[Cell]:
    parts = {key: _values(columns[name], values) for key, name in edges.items()}
    cells: list[Cell] = []
    for row in range(len(parts["low"])):
        cell: Cell = {key: parts[key][row] for key in ("low", "high", "value") if key in parts}
        if isinstance(cell.get("value"), str):
            del cell["value"]
        if isinstance(cell["low"], str) or isinstance(cell["high"], str):
            cell = {"value": cell.get("value", _GAP)}
        cells.append(cell)
    return cells


def _values(column: Column, values: Mapping[str, Any]) -> list[Any]:
    """Give what stands in the cells: numbers, the texts that codes stand for, or a gap."""
    raw = np.asarray(values[column.name])
    gone = np.zeros(len(raw), dtype=bool) if column.valid is None else ~values[column.valid]
    if column.role != "label" and column.categories:
        texts = column.categories
        return [_GAP if g else texts[str(v)] for v, g in zip(raw.tolist(), gone, strict=True)]
    return [_GAP if g else _cell(v) for v, g in zip(_doubles(raw), gone, strict=True)]


def _doubles(raw: Any) -> list[Any]:
    """Give Python numbers; single precision has the digits that name it, not those of a double."""
    if raw.dtype == np.float32:
        return [float(str(value)) for value in raw]
    if raw.dtype.kind == "b":
        return [int(value) for value in raw]
    return list(raw.tolist())


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return _GAP if np.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _dependent(columns: Columns, name: str, values: Mapping[str, Any]) -> Variable:
    column = columns[name]
    cells: list[Cell] = [{"value": value} for value in _values(column, values)]
    groups = _uncertainties(columns, name)
    for sides in groups:
        _add_errors(cells, sides, columns, values)
    for cell in cells:
        if all(not any(_sizes(error)) for error in cell.get("errors", [])):
            # A value all of whose errors are zero is refused: it has none.
            cell.pop("errors", None)
    variable: Variable = {"header": _header(column)}
    qualifiers = _qualifiers(column)
    if qualifiers:
        variable["qualifiers"] = qualifiers
    return variable | {"values": cells}


def _sizes(error: Cell) -> list[bool]:
    shifts = error["asymerror"].values() if "asymerror" in error else [error["symerror"]]
    return [float(str(shift).rstrip("%") or 0) != 0 for shift in shifts]


def _uncertainties(columns: Columns, of: str) -> list[dict[str, Column]]:
    """Collect the uncertainties of a column: ``both``, or ``up`` and ``down`` together."""
    groups: list[tuple[str, dict[str, Column]]] = []
    for column in columns.values():
        if column.role != "uncertainty" or column.of != of:
            continue
        label, side = _label(column), column.side or "both"
        open_ = [g for known, g in groups if known == label and not {"both", side} & g.keys()]
        if side != "both" and open_:
            open_[0][side] = column
        else:
            groups.append((label, {side: column}))
    for _, sides in groups:
        if len(sides) == 1 and "both" not in sides:
            side, column = next(iter(sides.items()))
            raise DataError(
                f"column '{column.name}': found side '{side}' of an uncertainty of '{of}' alone, "
                "allowed 'both', or 'up' and 'down'; add the other side"
            )
    return [sides for _, sides in groups]


def _label(column: Column) -> str:
    notes = Notes.read(column.description or "")
    if notes.errors is not None:
        return notes.errors
    return _LABELS.get(column.kind or "", column.kind or "")


def _add_errors(
    cells: list[Cell],
    sides: Mapping[str, Column],
    columns: Columns,
    values: Mapping[str, Any],
) -> None:
    first = next(iter(sides.values()))
    percent = Notes.read(first.description or "").percent
    label = _label(first)
    parts = {side: _values(column, values) for side, column in sides.items()}
    for row, cell in enumerate(cells):
        shifts = {side: part[row] for side, part in parts.items()}
        if cell["value"] == _GAP or all(shift == _GAP for shift in shifts.values()):
            continue
        said = {side: _shift(shift, side, percent, cell) for side, shift in shifts.items()}
        error: Cell = (
            {"symerror": said["both"]}
            if "both" in said
            else {"asymerror": {"plus": said["up"], "minus": said["down"]}}
        )
        cell.setdefault("errors", []).append(error | ({"label": label} if label else {}))


def _shift(shift: Any, side: str, percent: bool, cell: Cell) -> Any:
    """Write one side of an error with its sign, in per cent if it was read so."""
    if isinstance(shift, str):
        return ""
    signed = -shift + 0.0 if side == "down" else shift
    if percent and isinstance(cell["value"], (int, float)) and cell["value"]:
        # Twelve digits undo the multiplication that made it absolute.
        return f"{100 * signed / abs(cell['value']):.12g}%"
    return signed


def _qualifiers(column: Column) -> list[dict[str, Any]]:
    """Give the qualifiers that the column came with, else what its statistics say."""
    notes = Notes.read(column.description or "")
    if notes.header:
        return [
            {"name": name, "value": _plain(value)} | ({"units": units} if units else {})
            for name, value, units in notes.qualifiers
        ]
    statistics = column.statistics or {}
    names = {
        "confidence_level": "Confidence level",
        "construction": "Construction",
        "result": "Result",
        "band": "Band [standard deviations]",
        "normalisation": "Normalisation",
    }
    said = [
        {"name": text, "value": statistics[key]} for key, text in names.items() if key in statistics
    ]
    if column.definition:
        said.append({"name": "Definition", "value": column.definition["text"]})
    return said


def _plain(text: str) -> Any:
    """Give a number where the text is how it would be written."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and np.isfinite(value):
            return value
    return text
