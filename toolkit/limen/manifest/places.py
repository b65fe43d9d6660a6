"""Where a fault lies, for people: the line of the document, and the name of the column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from limen import resources
from limen.errors import Fault

__all__ = ["located"]

_COLUMN = re.compile(r"/tables/([0-9]+)/columns/([0-9]+)(/quantity\Z)?")


def located(
    faults: Iterable[Fault], document: Any, lines: Mapping[str, int] | None = None
) -> list[Fault]:
    """
    Add to the messages of faults the line and the column that they are about.

    Parameters
    ----------
    faults : iterable of Fault
    document : object
        What was checked; it may be broken in any way.
    lines : mapping of str to int, optional
        Line of each JSON pointer, as :func:`limen.schema.yaml_lines` gives.

    Returns
    -------
    list of Fault
        With the pointers they had.

    Examples
    --------
    >>> document = {"tables": [{"columns": [{"name": "M1"}]}]}
    >>> print(located([Fault("/tables/0/columns/0/unit", "missing")], document)[0])
    /tables/0/columns/0/unit: column M1: missing
    """
    return [_located(fault, document, lines or {}) for fault in faults]


def _located(fault: Fault, document: Any, lines: Mapping[str, int]) -> Fault:
    place = fault.pointer
    while place and place not in lines:
        place = place.rpartition("/")[0]
    said = [f"line {lines[place]}"] if place in lines else []
    message = fault.message
    match = _COLUMN.match(fault.pointer)
    column = _column(document, int(match[1]), int(match[2])) if match else {}
    name = column.get("name")
    if isinstance(name, str) and name and fault.pointer != f"{match[0] if match else ''}/name":
        said.append(f"column {name[:64]}")
    if match and match[3]:
        message += _other_role(column)
    return Fault(fault.pointer, ": ".join([", ".join(said), message] if said else [message]))


def _column(document: Any, table: int, number: int) -> Mapping[str, Any]:
    try:
        column = document["tables"][table]["columns"][number]
    except (KeyError, IndexError, TypeError):
        return {}
    return column if isinstance(column, dict) else {}


def _other_role(column: Mapping[str, Any]) -> str:
    """Say which role a quantity belongs to that the column's own role does not have."""
    quantity = column.get("quantity")
    roles = [role for role, quantities in _quantities().items() if quantity in quantities]
    if not roles or column.get("role") in roles:
        return ""
    return f"; {quantity!r} is a quantity of role {' or '.join(map(repr, roles))}"


@cache
def _quantities() -> dict[str, list[str]]:
    """Read off the schema which quantities a role has."""
    rules = json.loads(resources.schema_text("column"))["$defs"]["declared"]["allOf"]
    return dict(_rules(rules))


def _rules(rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for rule in rules:
        role = rule.get("if", {}).get("properties", {}).get("role", {}).get("const")
        allowed = rule.get("then", {}).get("properties", {}).get("quantity", {}).get("enum")
        if role and allowed:
            yield role, allowed
