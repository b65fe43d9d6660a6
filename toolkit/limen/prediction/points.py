"""
The door for points: names to columns, units to the columns' units, faults to their rows.

Columns go by name, never by position. Missing or unknown columns are an error of the whole call;
what is wrong in a row (no number, NaN, infinity) is a fault of that row.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limen import units
from limen.errors import ColumnError, ShapeError, UnitError, UsageError
from limen.manifest import Column

__all__ = ["LET_PASS", "Points", "is_identifier", "read_points"]

LET_PASS = "pass --ignore-extra (in Python: ignore_extra=True)"
"""How unknown columns are let pass; a page that has a box for it names that in its place."""

_HEADER = re.compile(r"(.+?)\s*\[([^\]]*)\]\s*\Z")
_ONE_VALUE = "give one value per point"
# Columns that only name a point pass through.
_IDENTIFIERS = re.compile(
    r"(?:id|point|name|label|row|index|file|unnamed: 0|.*_id)\Z", re.IGNORECASE
)


@dataclass(slots=True)
class Points:
    """
    Points that came through the door.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Values in the units and the order of the model's inputs; NaN where a row has a fault.
    faults : dict of int to list of str
        Faults by row.
    notes : list of str
        What was done to whole columns.
    """

    X: np.ndarray[Any, np.dtype[np.float64]]
    faults: dict[int, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_points(
    points: Any,
    inputs: Sequence[Column],
    known: Mapping[str, Column],
    *,
    ignore_extra: bool = False,
) -> Points:
    """
    Bring points into the order and the units of a model's inputs.

    Parameters
    ----------
    points : mapping, pandas.DataFrame or xarray.Dataset
        By column name: values, ``(values, unit)``, or ``{"value": ..., "unit": ...}``. A name may
        carry its unit, as ``M1 [TeV]``; a Dataset's variables may, in ``attrs["units"]``. A single
        value of a list may be ``{"value": ..., "unit": ...}`` too. Single numbers stand for all
        points.
    inputs : sequence of Column
        The model's inputs, in order.
    known : mapping of str to Column
        All columns of the bundle.
    ignore_extra : bool
        Let unknown columns pass.

    Returns
    -------
    Points

    Raises
    ------
    ColumnError
        If columns are missing, unknown or given twice; ``faults`` names the first two kinds.
    ShapeError
        If columns differ in length.
    UsageError
        If the points carry no names.
    """
    given, notes, unknown = _by_column(points, known, ignore_extra)
    missing = [column.name for column in inputs if column.name not in given]
    if missing or unknown:
        raise _refusal(missing, unknown, inputs, known)
    arrays = {c.name: _array(c.name, given[c.name][0]) for c in inputs}
    answer = Points(np.empty((_length(arrays), len(inputs))), notes=notes)
    for position, column in enumerate(inputs):
        _fill(answer, position, column, arrays[column.name], given[column.name][1])
    _fault_not_finite(answer, inputs)
    return answer


def is_identifier(name: str) -> bool:
    """Tell whether a column only names its points, as ``id`` or ``file``."""
    return _IDENTIFIERS.match(name) is not None


def _items(points: Any) -> Iterable[tuple[str, Any, str | None]]:
    if hasattr(points, "data_vars"):
        for name in [*points.data_vars, *points.coords]:
            variable = points[name]
            unit = variable.attrs.get("units")
            yield str(name), variable.values, None if unit is None else str(unit)
    elif isinstance(points, Mapping) or hasattr(points, "columns"):
        for name in points.columns if hasattr(points, "columns") else points:
            value = points[name]
            if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
                yield str(name), value[0], value[1]
            elif isinstance(value, Mapping):
                unit = value.get("unit")
                yield str(name), value.get("value"), None if unit is None else str(unit)
            else:
                yield str(name), value, None
    elif getattr(getattr(points, "dtype", None), "names", None):
        for name in points.dtype.names:
            yield name, points[name], None
    else:
        raise UsageError(
            f"points: found {type(points).__name__} without column names, allowed a mapping, a "
            "DataFrame or a Dataset; columns go by name, never by position"
        )


def _by_column(
    points: Any, known: Mapping[str, Column], ignore_extra: bool
) -> tuple[dict[str, tuple[Any, str | None]], list[str], list[str]]:
    aliases = _aliases(known)
    given: dict[str, tuple[Any, str | None]] = {}
    unknown: list[str] = []
    ignored: list[str] = []
    for name, values, unit in _items(points):
        header = None if name in known or name in aliases else _HEADER.match(name)
        if header:
            name, unit = header.group(1), _one_unit(name, header.group(2), unit)
        if name in known:
            target = name
        elif len(aliases.get(name, ())) == 1:
            target = aliases[name][0]
        elif name in aliases:
            raise ColumnError(f"points: {name!r} may be {' or '.join(aliases[name])}; use its name")
        elif ignore_extra or is_identifier(name):
            ignored.append(name)
            continue
        else:
            unknown.append(name)
            continue
        if target in given:
            raise ColumnError(f"points: {target} is given twice; leave one of the two out")
        given[target] = (values, unit)
    return given, [f"passed through: {', '.join(ignored)}"] if ignored else [], unknown


def _one_unit(name: str, header: str, unit: str | None) -> str:
    if unit is not None and unit.strip() != header.strip():
        raise ColumnError(f"points: {name!r} comes with the unit {unit!r}; leave one of them out")
    return header


def _aliases(known: Mapping[str, Column]) -> dict[str, list[str]]:
    aliases: dict[str, list[str]] = {}
    for column in known.values():
        for alias in column.aliases:
            aliases.setdefault(alias, []).append(column.name)
    return aliases


def _refusal(
    missing: Sequence[str],
    unknown: Sequence[str],
    inputs: Sequence[Column],
    known: Mapping[str, Column],
) -> ColumnError:
    """Say all that is wrong with the names at once, and how to mend it."""
    hints = []
    faults = [(name, "missing") for name in missing]
    for name in unknown:
        near = _nearest(name, missing) or _nearest(name, [*known, *_aliases(known)])
        hints.append(f"{name!r} (nearest: {near})" if near else repr(name))
        faults.append((name, f"unknown, nearest: {near}" if near else "unknown"))
    found = [f"missing {', '.join(missing)}"] if missing else []
    found += [f"unknown {', '.join(hints)}"] if hints else []
    needed = ", ".join(
        column.name if column.unit == "1" else f"{column.name} [{column.unit}]" for column in inputs
    )
    if not missing:
        advice = f"correct the name, leave the column out, or {LET_PASS}"
    else:
        advice = f"the model needs {needed}; name the columns so"
    return ColumnError(f"points: {'; '.join(found)}; {advice}", faults)


def _nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Find the name that was meant: alike but for case, its beginning, or a few letters."""
    lower = {other.lower(): other for other in allowed}
    bare = re.split(r"[\s(\[]", name.strip().strip("'\"").lower())[0]
    near = [other for other in lower if bare and other.startswith(bare)]
    near += difflib.get_close_matches(bare, lower, n=1, cutoff=0.5)
    return lower[near[0]] if near else None


def _array(name: str, values: Any) -> Any:
    """Make an array of numbers or of cells; what a mask hides is NaN."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(object), np.nan)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"points: {name}: found rows of different length; {_ONE_VALUE}") from error
    if array.ndim > 1:
        raise ShapeError(f"points: {name}: found {array.ndim} dimensions; {_ONE_VALUE}")
    if array.dtype.kind not in "fiuUSO":
        raise ColumnError(f"points: {name}: found values of type {array.dtype}, allowed numbers")
    if array.dtype.kind == "U" and not (np.char.find(array, "_") >= 0).any():
        try:
            return array.astype(np.float64)
        except ValueError:
            # Cell by cell, to tell which ones are no numbers.
            return np.asarray(values, dtype=object)
    return np.asarray(values, dtype=object) if array.dtype.kind in "US" else array


def _length(columns: Mapping[str, Any]) -> int:
    lengths = {name: len(values) for name, values in columns.items() if values.ndim}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ShapeError(f"points: columns differ in length ({found}); {_ONE_VALUE}")
    return next(iter(lengths.values()), 1)


def _fill(answer: Points, position: int, column: Column, values: Any, unit: str | None) -> None:
    numbers = _numbers(answer, column, values)
    if unit is not None and unit.strip() != column.unit:
        try:
            numbers = units.convert(numbers, unit.strip(), column.unit)
            answer.notes.append(f"{column.name}: converted from {unit.strip()} to {column.unit}")
        except UnitError as error:
            fault = f"{column.name}: {error}"
            for row in range(len(answer.X)):
                answer.faults.setdefault(row, []).append(fault)
            numbers = np.nan
    answer.X[:, position] = numbers


def _numbers(answer: Points, column: Column, values: Any) -> Any:
    if values.dtype.kind != "O":
        return values.astype(np.float64)
    cells = np.broadcast_to(values, (len(answer.X),))
    numbers = np.full(len(answer.X), np.nan)
    for row, cell in enumerate(cells):
        try:
            numbers[row] = _quantity(answer, column, cell)
        except UnitError as error:
            answer.faults.setdefault(row, []).append(f"{column.name}: {error}")
        except (TypeError, ValueError):
            cell = cell.get("value") if isinstance(cell, Mapping) else cell
            found = "no value" if cell is None else repr(str(cell)[:40])
            fault = f"{column.name}: found {found}, allowed a number"
            answer.faults.setdefault(row, []).append(fault)
    return numbers


def _quantity(answer: Points, column: Column, cell: Any) -> float:
    """Read one cell: a number, or a mapping of value and unit."""
    if not isinstance(cell, Mapping):
        return _number(cell)
    number = _number(cell.get("value"))
    unit = str(cell.get("unit") or column.unit).strip()
    if unit == column.unit:
        return number
    # As an array, which rounds as a whole column does.
    number = float(units.convert(np.asarray(number), unit, column.unit))
    note = f"{column.name}: converted from {unit} to {column.unit}"
    if note not in answer.notes:
        answer.notes.append(note)
    return number


def _number(cell: Any) -> float:
    # Python reads True as 1 and '1_5' as 15; in a table both are mistakes.
    if isinstance(cell, (bool, np.bool_)) or (isinstance(cell, str) and "_" in cell):
        raise ValueError
    return float(cell)


def _fault_not_finite(answer: Points, inputs: Sequence[Column]) -> None:
    wrong = ~np.isfinite(answer.X)
    if not wrong.any():
        return
    for row, position in np.argwhere(wrong):
        value, column = answer.X[row, position], inputs[position]
        faults = answer.faults.setdefault(int(row), [])
        if not any(fault.startswith(f"{column.name}:") for fault in faults):
            faults.append(f"{column.name}: found {value}, allowed a finite number")
