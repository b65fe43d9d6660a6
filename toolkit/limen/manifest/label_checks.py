"""A label says the same as the column it is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from limen.errors import Fault

__all__ = ["label_faults"]

Document = Mapping[str, Any]

# Side of the threshold on which a point is excluded, or outside of a region, by quantity.
_SIDE = {
    "cls": "below",
    "clsb": "below",
    "p_value": "below",
    "r": "above",
    "signal_strength_limit": "below",
    "chi2": "above",
    "delta_chi2": "above",
    "minus_2_log_likelihood": "above",
    "log_likelihood": "below",
    "log_likelihood_ratio": "below",
}
_CONSTRUCTION = {"cls": "CLs", "clsb": "CLs+b"}
# Quantities that are compared with one minus the confidence level.
_PROBABILITIES = {"cls", "clsb", "p_value"}
_SAME = ("construction", "result", "band", "confidence_level")


def label_faults(column: Document, by_name: Mapping[str, Document], place: str) -> Iterator[Fault]:
    """
    Check that a label's definition agrees with the column it compares.

    Parameters
    ----------
    column : mapping
        A column that has passed the schema.
    by_name : mapping of str to mapping
        All columns of its table.
    place : str
        Pointer of the column.

    Yields
    ------
    Fault
    """
    definition = column.get("definition", {})
    if "column" not in definition:
        return
    source = by_name.get(definition["column"])
    place_of_column = f"{place}/definition/column"
    if source is None:
        names = ", ".join(list(by_name)[:20])
        yield Fault(
            place_of_column,
            f"found {definition['column']!r}, which is no column; there are {names}",
        )
    elif source["role"] in {"mask", "split", "id"}:
        yield Fault(
            place_of_column,
            f"found {source['name']!r} of role {source['role']!r}, allowed a column with values",
        )
    elif column["quantity"] == "excluded" and source["role"] == "likelihood":
        yield Fault(
            f"{place}/quantity",
            f"found 'excluded' by the likelihood {source['name']!r}, allowed 'outside_region': "
            "a point outside a likelihood region is not excluded by a test",
        )
    elif column["quantity"] != "category":
        yield from _side_faults(column, source, place)
        yield from _statement_faults(column, source, place)
    if source is not None and "valid" in source and "valid" not in column and "dtype" in column:
        yield Fault(
            f"{place}/valid",
            f"missing; a label is masked where its source is, here by {source['valid']!r}",
        )


def _side_faults(column: Document, source: Document, place: str) -> Iterator[Fault]:
    definition = column["definition"]
    side = (
        column["statistics"].get("excluded_when")
        or source.get("statistics", {}).get("excluded_when")
        or _SIDE.get(source.get("quantity", ""))
    )
    found = "above" if definition["comparison"].startswith(">") else "below"
    if side is not None and found != side:
        allowed = "'>' or '>='" if side == "above" else "'<' or '<='"
        yield Fault(
            f"{place}/definition/comparison",
            f"found {definition['comparison']!r}, allowed {allowed}: "
            f"a point is {column['quantity']} where {source['name']!r} is {side} the threshold",
        )


def _statement_faults(column: Document, source: Document, place: str) -> Iterator[Fault]:
    mine, theirs = column["statistics"], dict(source.get("statistics", {}))
    quantity = source.get("quantity", "")
    if quantity in _CONSTRUCTION:
        theirs["construction"] = _CONSTRUCTION[quantity]
    if source["role"] in {"test", "limit"}:
        for key in _SAME:
            if key in mine and key in theirs and mine[key] != theirs[key]:
                yield Fault(
                    f"{place}/statistics/{key}",
                    f"found {mine[key]!r}, allowed {theirs[key]!r} as {source['name']!r} states; "
                    "correct one of them",
                )
    threshold = column["definition"]["threshold"]
    level = mine.get("confidence_level")
    if quantity in _PROBABILITIES and level is not None and abs(threshold - (1 - level)) > 1e-9:
        yield Fault(
            f"{place}/definition/threshold",
            f"found {threshold}, allowed {round(1 - level, 12)}: one minus the confidence level",
        )
