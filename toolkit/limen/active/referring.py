"""What a new best point changes: the reference of every difference that is taken to the best."""

from __future__ import annotations

from typing import Any

import numpy as np

from limen.bundle import Bundle
from limen.expressions import Expression

__all__ = ["note_moved_best"]

_LOGARITHMS = ("log_likelihood", "log_likelihood_ratio")


def note_moved_best(document: dict[str, Any], parent: Bundle, bundle: Bundle) -> None:
    """
    Name the new reference of differences whose best point is a new row, in place.

    Parameters
    ----------
    document : dict
        Manifest of the new version.
    parent, bundle : Bundle
        Before and after.
    """
    table = next(entry for entry in document["tables"] if entry["name"] == "scan")
    moved = {}
    for column in table["columns"]:
        source = _source(column)
        if source is None or source not in parent.columns:
            continue
        before, after = parent.columns[source].range, bundle.columns[source].range
        if before is not None and after is not None and after[1] > before[1]:
            moved[column["name"]] = _point(bundle, source, after[1])
    for column in table["columns"]:
        derived_from = column.get("definition", {}).get("column")
        for name in {column["name"], derived_from} & set(moved):
            _amend(column, moved[name], parent)


def _source(column: dict[str, Any]) -> str | None:
    """Name the column whose best value over the points a difference is taken to."""
    if "derived" not in column:
        return None
    over = list(Expression(column["derived"]).over_points)
    return over[0] if len(over) == 1 and over[0].isidentifier() else None


def _point(bundle: Bundle, source: str, best: float) -> dict[str, Any]:
    names = [n for n, c in bundle.columns.items() if c.role in ("parameter", "nuisance")]
    with bundle.open_scan() as scan:
        table = scan.read([source, *names])
    row = int(np.nanargmax(table[source]))
    reference: dict[str, Any] = {"set": "scan"}
    if bundle.columns[source].quantity in _LOGARITHMS:
        reference["value"] = -2.0 * best
    return reference | {"point": {name: float(table[name][row]) for name in names}}


def _amend(column: dict[str, Any], reference: dict[str, Any], parent: Bundle) -> None:
    statistics = column.get("statistics", {})
    if "reference" in statistics:
        statistics["reference"] = reference
    fit = statistics.get("goodness_of_fit")
    if fit is not None and fit.get("at"):
        version = parent.manifest["version"]
        fit["at"] = f"{fit['at']} of version {version}"[:300]
