"""The door for results: what was told of asked points, checked before anything is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.active.problem import OK, STATUSES, Problem
from limen.active.queries import PENDING, Queries, Query
from limen.errors import CampaignError, Fault

__all__ = ["Told", "check_results", "writable"]

_LONGEST_MESSAGE = 2000
# Results that went through a text file may have lost the last digits.
_TEXT = 1e-9
_NO_NUMBER = (TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Told:
    """
    What became of results.

    Attributes
    ----------
    recorded : tuple of str
        Ids whose results are kept from now on.
    repeated : tuple of str
        Ids that were told before, with the same result.
    faults : tuple of Fault
        Results that were not taken, and why.
    """

    recorded: tuple[str, ...]
    repeated: tuple[str, ...]
    faults: tuple[Fault, ...]


def check_results(
    queries: Queries,
    ids: Iterable[Any],
    values: Any,
    *,
    status: str | Sequence[str] = STATUSES[OK],
    y_err: Any = None,
    message: str | Sequence[str] = "",
    cost: float | Sequence[float] | None = None,
) -> tuple[list[dict[str, Any]], Told]:
    """
    Check results against what was asked.

    Parameters
    ----------
    queries : Queries
    ids : iterable of str, n
    values : mapping, DataFrame, or array of shape (n,) for a single output
        By output: one value per id [unit of the output]. Columns named as a parameter must repeat
        what was asked.
    status : str or sequence of str
    y_err : float, array or mapping of str to array, optional
        Standard errors in the outputs' units.
    message : str or sequence of str
    cost : float or sequence of float, optional

    Returns
    -------
    results : list of dict
        Entries of an event, of the good results that are new.
    told : Told

    Raises
    ------
    CampaignError
        If whole columns are missing, unknown or of the wrong length.
    """
    named = [ids] if isinstance(ids, str) else [str(name) for name in ids]
    n, outputs = len(named), [output.name for output in queries.problem.outputs]
    columns = _columns(values, outputs, queries.problem.space.names, n)
    errors = _errors(y_err, outputs, n)
    notes = {
        "status": _spread(status, n, "status"),
        "message": _spread(message, n, "message"),
        "cost": _spread(cost, n, "cost"),
    }
    results: list[dict[str, Any]] = []
    repeated: list[str] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for row, name in enumerate(named):
        given = {column: cells[row] for column, cells in columns.items()}
        stated = {column: cells[row] for column, cells in errors.items()}
        note = {key: cells[row] for key, cells in notes.items()}
        where = f"result {row + 1} ({name})"
        if name in seen:
            faults.append(Fault(where, "this id stands in another row as well; leave one out"))
            continue
        seen.add(name)
        result, found = _result(queries, name, given, stated, note)
        if found:
            faults += [Fault(where, text) for text in found]
        elif _same(queries.by_id[name], result):
            repeated.append(name)
        else:
            results.append(result)
    recorded = tuple(result["id"] for result in results)
    return results, Told(recorded, tuple(repeated), tuple(faults))


def writable(text: str) -> str:
    """Replace what no file of text can hold: halves of characters, as programs may print them."""
    return text.encode("utf-8", "replace").decode()


def _columns(
    values: Any, outputs: Sequence[str], parameters: Sequence[str], n: int
) -> dict[str, list[Any]]:
    if values is None:
        values = {}
    if not (isinstance(values, Mapping) or hasattr(values, "columns")):
        if len(outputs) != 1:
            raise CampaignError(
                f"values: found {type(values).__name__} without names, allowed a mapping of "
                f"{', '.join(outputs)} to values"
            )
        values = {outputs[0]: values}
    unknown = [str(name) for name in values if name not in outputs and name not in parameters]
    if unknown:
        allowed = ", ".join([*outputs, *parameters])
        raise CampaignError(f"values: found {', '.join(unknown)}, allowed {allowed}")
    return {str(name): _spread(values[name], n, str(name)) for name in values}


def _errors(y_err: Any, outputs: Sequence[str], n: int) -> dict[str, list[Any]]:
    if y_err is None:
        return {}
    if not (isinstance(y_err, Mapping) or hasattr(y_err, "columns")):
        if len(outputs) != 1:
            raise CampaignError(
                f"y_err: found no names, allowed a mapping of {', '.join(outputs)} to errors"
            )
        y_err = {outputs[0]: y_err}
    unknown = [str(name) for name in y_err if name not in outputs]
    if unknown:
        raise CampaignError(f"y_err: found {', '.join(unknown)}, allowed {', '.join(outputs)}")
    return {str(name): _spread(y_err[name], n, f"y_err {name}") for name in y_err}


def _spread(cells: Any, n: int, where: str) -> list[Any]:
    """Give one cell per id; a single one stands for all."""
    if cells is None or isinstance(cells, str | int | float | np.generic):
        return [cells] * n
    listed = list(cells)
    if len(listed) != n:
        raise CampaignError(
            f"{where}: found {len(listed)} entries for {n} ids, allowed one, or one per id"
        )
    return listed


def _number(cell: Any) -> float | None:
    """Give a number; None where there is none. Raise ValueError for other text."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool | np.bool_):
        raise ValueError(repr(cell))
    number = float(cell)
    return None if math.isnan(number) else number


def _result(
    queries: Queries,
    name: str,
    given: Mapping[str, Any],
    stated: Mapping[str, Any],
    note: Mapping[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Make the entry of one result, and say what is wrong with it."""
    if name not in queries.by_id:
        known = f"allowed the {len(queries)} ids that were asked"
        return {}, [f"unknown id, {known}; was it asked by another campaign?"]
    query, problem, faults = queries.by_id[name], queries.problem, []
    status = str(note["status"]).strip() if note["status"] is not None else ""
    if status not in STATUSES:
        faults.append(f"status {status!r}, allowed {', '.join(STATUSES)}")
    result: dict[str, Any] = {"id": name, "status": status}
    if status in ("ok", "censored"):
        values, errors, found = _values(problem, status, given, stated)
        faults += found
        result |= {"values": values} | ({"errors": errors} if errors else {})
    faults += _moved(problem, query, given)
    message = note["message"]
    if isinstance(message, str) and message.strip():
        result["message"] = writable(message.strip()[:_LONGEST_MESSAGE])
    try:
        cost = _number(note["cost"])
    except _NO_NUMBER:
        cost = math.inf
    if cost is not None and not (math.isfinite(cost) and cost >= 0):
        faults.append(f"cost {note['cost']!r}, allowed a number of 0 or more")
    elif cost is not None:
        result["cost"] = cost
    # A failed point may succeed another time; any other result stays.
    settled = query.status not in (PENDING, "failed")
    if not faults and settled and not _same(query, result):
        before = " ".join(f"{key} = {value:.10g}" for key, value in query.values.items())
        now = " ".join(f"{key} = {value:.10g}" for key, value in result.get("values", {}).items())
        faults.append(
            f"told before as {' '.join([query.status, before]).strip()}, now {status} {now}".strip()
            + "; a told result does not change: start another campaign if it was wrong"
        )
    return result, faults


def _values(
    problem: Problem, status: str, given: Mapping[str, Any], stated: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, float], list[str]]:
    values: dict[str, float] = {}
    errors: dict[str, float] = {}
    faults = []
    for output in problem.outputs:
        cell = given.get(output.name)
        try:
            number = _number(cell)
        except _NO_NUMBER:
            faults.append(f"{output.name}: found {str(cell)[:40]!r}, allowed a number")
            continue
        if number is None or math.isinf(number):
            found = "nothing" if cell is None or not str(cell).strip() else f"{cell}"
            advice = "a finite bound" if status == "censored" else "a finite number"
            faults.append(
                f"{output.name}: found {found}, allowed {advice}; tell a point without a value as "
                "failed or invalid, one without sensitivity as censored with its bound"
            )
        elif output.scale == "log" and number <= 0:
            faults.append(
                f"{output.name}: found {number:g} with scale log, allowed above 0; tell a point "
                "without sensitivity as censored with its bound"
            )
        else:
            values[output.name] = number
        try:
            error = _number(stated.get(output.name))
        except _NO_NUMBER:
            error = math.inf
        if error is not None and not (math.isfinite(error) and error >= 0):
            found = stated[output.name]
            faults.append(f"{output.name}_err: found {found!r}, allowed a number of 0 or more")
        elif error is not None:
            errors[output.name] = error
    return values, errors, faults


def _moved(problem: Problem, query: Query, given: Mapping[str, Any]) -> list[str]:
    """Find parameters that differ from what was asked: the result of another point."""
    faults = []
    for item, asked in zip(problem.space.parameters, query.x, strict=True):
        cell = given.get(item.name)
        # An empty cell claims nothing.
        if item.name not in given or (isinstance(cell, str) and not cell.strip()):
            continue
        try:
            number = _number(given[item.name])
        except _NO_NUMBER:
            number = math.nan
        width = item.high - item.low
        if number is None or not abs(number - asked) <= _TEXT * max(abs(asked), width):
            unit = "" if item.unit == "1" else f" {item.unit}"
            faults.append(
                f"{item.name}: found {str(given[item.name])[:40]}, asked was {asked!r}{unit}; this "
                "is the result of another point"
            )
    return faults


def _same(query: Query, result: Mapping[str, Any]) -> bool:
    """Whether a result was told before; numbers may have gone through a text file."""
    if query.status != result["status"]:
        return False
    values, errors = result.get("values", {}), result.get("errors", {})
    return _close(query.values, values) and _close(query.errors, errors)


def _close(before: Mapping[str, float], now: Mapping[str, float]) -> bool:
    return set(before) == set(now) and all(
        math.isclose(before[key], now[key], rel_tol=_TEXT, abs_tol=1e-300) for key in now
    )
