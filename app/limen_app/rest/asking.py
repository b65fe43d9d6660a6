"""What a client asks: a bundle, a model, points by name; all faults of it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from limen.manifest import Column
from limen.schema.wording import nearest, pointer, quoted
from limen_app.limits import Limits
from limen_app.rest.fields import MOST_FAULTS
from limen_app.rest.problems import Detail, Problem

__all__ = ["IDENTIFIERS", "Asked", "columns_of", "read_question"]

IDENTIFIERS = "id|name|label|file|[A-Za-z0-9]{1,40}_id"
"""Names of what only names a point and comes back with its verdict, as a regular expression."""

_IDENTIFIER = re.compile(rf"(?:{IDENTIFIERS})\Z")
_LONGEST = 200
_FIELDS: dict[str, tuple[type, str]] = {
    "bundle": (str, "text"),
    "version": (str, "text"),
    "model": (str, "text"),
    "points": (list, "a list of objects"),
    "nearest": (int, "a whole number"),
    "outside": (bool, "true or false"),
}
_REQUIRED = ("bundle", "points")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A question, its points not looked at yet.

    Attributes
    ----------
    bundle : str
    version, model : str or None
    points : list
    nearest : int
    outside : bool
        Whether numbers outside of the domain are wanted, apart.
    """

    bundle: str
    points: list[Any]
    version: str | None = None
    model: str | None = None
    nearest: int = 0
    outside: bool = False


def read_question(document: Mapping[str, Any], limits: Limits) -> Asked:
    """
    Read the fields of a question.

    Raises
    ------
    Problem
        422 for unknown, missing or wrong fields; 413 for too many points.
    """
    faults = [Detail(pointer([name]), "missing") for name in _REQUIRED if name not in document]
    for name, value in document.items():
        if len(faults) >= MOST_FAULTS:
            break
        if name not in _FIELDS:
            hint = nearest(name, _FIELDS) or f"allowed are {', '.join(_FIELDS)} "
            faults.append(Detail(pointer([name[:_LONGEST]]), f"unknown name, {hint.rstrip()}"))
            continue
        kind, words = _FIELDS[name]
        if type(value) is not kind and not (kind is int and _is_whole(value)):
            faults.append(Detail(pointer([name]), f"found {quoted(value)}, allowed {words}"))
        elif name == "nearest" and value not in range(limits.nearest + 1):
            words = f"found {value}, allowed 0 to {limits.nearest} rows"
            faults.append(Detail("/nearest", words))
    if faults:
        raise Problem.of_faults(422, faults)
    asked = Asked(**{**document, "nearest": int(document.get("nearest", 0))})
    _count(asked, limits)
    return asked


def _is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number to JSON Schema: 3.0 is one."""
    return type(value) is float and value.is_integer()


def _count(asked: Asked, limits: Limits) -> None:
    number = len(asked.points)
    if number > limits.rows:
        found = f"points: found {number:,}, allowed {limits.rows:,} in one request; send parts"
        raise Problem(413, found, [Detail("/points", "too many")])
    if not number:
        raise Problem.of_faults(422, [Detail("/points", "found none, allowed at least one point")])
    if asked.nearest and number > limits.nearest_rows:
        found = f"found {number:,} points with nearest, allowed {limits.nearest_rows:,}; send parts"
        raise Problem(413, f"points: {found}", [Detail("/nearest", "too many points for it")])


def columns_of(points: Sequence[Any], inputs: Sequence[Column]) -> dict[str, list[Any]]:
    """
    Turn points into columns by name.

    Parameters
    ----------
    points : sequence of dict
        Each a number, null, or an object of value and unit, by name.
    inputs : sequence of Column
        What the model needs; a point that gives some but not all is refused.

    Returns
    -------
    dict of str to list
        What `limen.prediction.Predictor` takes.

    Raises
    ------
    Problem
        422 with a pointer to each parameter that is wrong.
    """
    faults = [
        Detail(f"/points/{row}", f"found {quoted(point)}, allowed an object with names")
        for row, point in enumerate(points)
        if type(point) is not dict
    ]
    if faults:
        raise Problem.of_faults(422, faults)
    names = list(dict.fromkeys(chain.from_iterable(points)))
    _refuse_many(names, points, 2 * len(inputs) + _LONGEST)
    needed = {column.name: column for column in inputs}
    columns: dict[str, list[Any]] = {}
    for name in names:
        cells = [point.get(name, ...) for point in points]
        columns[name] = cells
        if _IDENTIFIER.match(name) and name not in needed:
            columns[name] = _texts(name, cells, faults)
        elif not set(map(type, cells)) <= {float, int}:
            columns[name] = _checked(name, cells, needed.get(name), faults)
    if faults:
        raise Problem.of_faults(422, sorted(faults, key=_place))
    return columns


def _refuse_many(names: Sequence[str], points: Sequence[Mapping[str, Any]], most: int) -> None:
    """Refuse names beyond any use: an answer names every one of them."""
    long = next((name for name in names if len(name) > _LONGEST), None)
    if long is not None:
        detail = f"found a name of {len(long):,} characters, allowed {_LONGEST}"
        raise Problem.of_faults(422, [Detail(f"/points/{_row_of(long, points)}", detail)])
    if len(names) > most:
        detail = f"found {len(names):,} different names, allowed {most}"
        raise Problem.of_faults(422, [Detail("/points", detail)])


def _row_of(name: str, points: Sequence[Mapping[str, Any]]) -> int:
    return next(row for row, point in enumerate(points) if name in point)


def _place(fault: Detail) -> int:
    return int(fault.pointer.split("/")[2])


def _texts(name: str, cells: Sequence[Any], faults: list[Detail]) -> list[Any]:
    for row, cell in enumerate(cells):
        if type(cell) not in (str, int, float) and cell is not ...:
            found = f"found {quoted(cell)}, allowed text or a number"
            faults.append(Detail(pointer(["points", row, name]), found))
        elif type(cell) is str and len(cell) > _LONGEST:
            found = f"found {len(cell):,} characters, allowed {_LONGEST}"
            faults.append(Detail(pointer(["points", row, name]), found))
    return ["" if cell is ... else cell for cell in cells]


def _checked(
    name: str, cells: Sequence[Any], column: Column | None, faults: list[Detail]
) -> list[Any]:
    for row, cell in enumerate(cells):
        if type(cell) in (float, int) or cell is None:
            continue
        if cell is ...:
            found = None if column is None else f"missing, allowed a number{_unit(column)}"
        else:
            found = _wrong(cell)
        if found:
            faults.append(Detail(pointer(["points", row, name]), found))
    return [None if cell is ... else cell for cell in cells]


def _unit(column: Column) -> str:
    return "" if column.unit == "1" else f" in {column.unit}"


def _wrong(cell: Any) -> str | None:
    """Say what is wrong with a value that is no plain number; None if nothing is."""
    if type(cell) is not dict:
        return f"found {quoted(cell)}, allowed a number, null, or an object of value and unit"
    more = sorted(set(cell) - {"value", "unit"})
    if more:
        return f"found the name {quoted(more[0])}, allowed value and unit"
    if "value" not in cell:
        return "found an object without value, allowed value and unit"
    if type(cell["value"]) not in (float, int) and cell["value"] is not None:
        return f"value: found {quoted(cell['value'])}, allowed a number or null"
    if "unit" in cell and not (type(cell["unit"]) is str and len(cell["unit"]) <= 60):
        return f"unit: found {quoted(cell['unit'])}, allowed at most 60 characters, as GeV"
    return None
