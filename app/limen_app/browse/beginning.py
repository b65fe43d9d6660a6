"""The charts that the page begins with, and the columns that can be drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from limen.browsing import Axis, columns_for
from limen_app.restoring import axis_document
from limen_app.showing import plain
from limen_app.state import Panel

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.manifest import Column

__all__ = ["categories_of", "chart_documents", "column_documents", "drawable", "first_panels"]

_HIDDEN = ("mask", "id", "split", "fidelity", "origin")
_HISTOGRAMS = 5
_CATEGORIES = 75


def drawable(bundle: Bundle) -> dict[str, Column]:
    """Give the columns that make an axis: not masks, names of points, or bookkeeping."""
    return {name: c for name, c in bundle.columns.items() if c.role not in _HIDDEN}


def first_panels(bundle: Bundle) -> tuple[Panel, ...]:
    """
    Choose charts that tell most of a bundle at once.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    tuple of Panel
        The first parameters and the first likelihood, observable or label as histograms, two
        parameters as a map of counts, and of the best sampled likelihood where there is one.
    """
    columns = drawable(bundle)
    parameters = [name for name, column in columns.items() if column.role == "parameter"]
    others = [name for name in columns if name not in parameters]
    others.sort(key=lambda name: _order(columns[name]))
    chosen = [*parameters[:4], *others[:2], *parameters[4:]][:_HISTOGRAMS]
    panels = [Panel("histogram", (Axis(name),)) for name in chosen]
    pair = (*parameters, *others)[:2]
    if len(pair) == 2:
        axes = (Axis(pair[0]), Axis(pair[1]))
        panels.append(Panel("map", axes))
        likelihoods = columns_for("best", bundle.columns)
        if likelihoods:
            panels.append(Panel("map", axes, "best", likelihoods[0]))
    return tuple(panels)


def _order(column: Column) -> int:
    order = {"label": 0, "likelihood": 1, "observable": 2, "limit": 3, "test": 3}
    return order.get(column.role, 4)


def column_documents(bundle: Bundle, names: Iterable[str]) -> dict[str, Any]:
    """Give titles, units and categories by column, as plain text for the component."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(set(names)):
        column = bundle.columns[name]
        found[name] = {"title": plain(column.title), "unit": plain(column.unit)}
        categories = categories_of(column)
        if categories:
            found[name]["categories"] = categories
    return found


def categories_of(column: Column) -> dict[str, str] | None:
    """Give the meanings of a column's categories by code, as plain text; None if it has none."""
    if column.categories:
        listed = list(column.categories.items())[:_CATEGORIES]
        return {code: plain(meaning) for code, meaning in listed}
    if column.quantity == "excluded":
        return {"0": "not excluded", "1": "excluded"}
    if column.quantity == "outside_region":
        return {"0": "inside the region", "1": "outside the region"}
    return None


def chart_documents(bundle: Bundle, panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """Give the histograms and maps among the panels, as the component takes them."""
    found = []
    for place, panel in enumerate(panels):
        if panel.kind not in ("histogram", "map"):
            continue
        document: dict[str, Any] = {
            "id": str(place),
            "kind": panel.kind,
            "axes": [axis_document(axis) for axis in panel.axes],
            "statistic": panel.statistic,
        }
        if panel.column is not None:
            document["column"] = panel.column
            document["told"] = _told(bundle.columns[panel.column])
            if panel.statistic == "labels":
                names = categories_of(bundle.columns[panel.column]) or {}
                document["labels"] = [names.get(code, code) for code in ("0", "1")]
        found.append(document)
    return found


def _told(column: Column) -> str:
    """Name what a statistic is of."""
    if column.quantity == "excluded":
        return f"excluded by {plain(column.title)}"
    if column.quantity == "outside_region":
        return f"outside the region of {plain(column.title)}"
    return plain(column.title) + ("" if column.unit == "1" else f" [{plain(column.unit)}]")
