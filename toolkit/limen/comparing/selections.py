"""A sub-bundle: the rows that meet a condition, with the whole as its parent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limen.bundle import Bundle, open_bundle
from limen.errors import DataError, ExpressionError
from limen.expressions import Expression
from limen.packing import write_bundle

__all__ = ["select"]

_TABLE = ("name", "dimension", "sampling", "split", "columns")


def select(bundle: Bundle | str | Path, where: str, path: str | Path) -> Bundle:
    """
    Write the rows of a bundle that meet a condition as a new draft bundle.

    Columns keep their values, splits included; derived columns over all points keep those of the
    whole and become plain ones. Models stay with the parent: they were judged on its population.

    Parameters
    ----------
    bundle : Bundle, str or Path
    where : str
        A condition over columns, as ``delta_chi2 < 30 and C9_bsmumu < 0``. NaN and masked values
        meet none.
    path : str or Path
        The new bundle's folder.

    Returns
    -------
    Bundle

    Raises
    ------
    ExpressionError
        If the condition is none, or names no column.
    DataError
        If no row meets it.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    condition = Expression(where, condition=True)
    unknown = sorted(condition.names - set(opened.columns))
    if unknown:
        raise ExpressionError(
            f"--where {where!r}: no column {', '.join(unknown)}; columns are "
            f"{', '.join(opened.columns)}"
        )
    if condition.over_points:
        raise ExpressionError(
            f"--where {where!r}: max_over_points selects nothing; write the number"
        )
    kept, blocks = _kept(opened, condition), _blocks(opened, condition)
    if kept == 0:
        raise DataError(f"--where {where!r}: no row of {opened.n_points} meets it; widen it")
    return write_bundle(
        _document(opened, where),
        {n: np.dtype(str(c.dtype)) for n, c in opened.columns.items()},
        blocks,
        path,
    )


def _kept(bundle: Bundle, condition: Expression) -> int:
    with bundle.open_scan() as scan:
        masks = {bundle.columns[name].valid for name in condition.names} - {None}
        names = sorted(condition.names | {str(mask) for mask in masks}) or [scan.names[0]]
        return sum(int(_met(bundle, condition, block).sum()) for block in scan.blocks(names))


def _blocks(bundle: Bundle, condition: Expression) -> Iterator[dict[str, Any]]:
    with bundle.open_scan() as scan:
        for block in scan.blocks(list(bundle.columns)):
            met = _met(bundle, condition, block)
            yield {name: values[met] for name, values in block.items()}


def _met(bundle: Bundle, condition: Expression, block: Mapping[str, Any]) -> Any:
    """Tell which rows meet the condition; a masked value is none, whatever is stored there."""
    known = dict(block)
    for name in condition.names:
        mask = bundle.columns[name].valid
        if mask is not None and not block[mask].all():
            known[name] = np.where(block[mask], block[name], np.nan)
    rows = len(next(iter(block.values())))
    return np.broadcast_to(condition.evaluate(known), (rows,))


def _document(bundle: Bundle, where: str) -> dict[str, Any]:
    document = bundle.manifest
    table = {key: value for key, value in bundle.table.items() if key in _TABLE}
    for column in table["columns"]:
        column.pop("range", None)
        if "max_over_points" in column.get("derived", ""):
            formula = column.pop("derived")
            column["reference"] = f"{formula} over all {bundle.n_points} points of the parent"
    for sampling in table.get("sampling", []):
        sampling.pop("rows", None)
        before = sampling.get("selection")
        sampling["selection"] = f"{before}; {where}" if before else where
    dropped = ("models", "files", "doi", "concept_doi", "campaign", "format", "status", "created")
    kept = {key: value for key, value in document.items() if key not in dropped}
    return kept | {
        "id": f"{document['id'][:54]}-selection",
        "title": f"{document['title']} (selection)",
        "parent": bundle.as_parent(),
        "tables": [table],
    }
