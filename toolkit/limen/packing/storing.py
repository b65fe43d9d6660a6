"""Bring a finished column into the dtype it is stored in, lossless unless rounding is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from limen.packing.spool import Spool

__all__ = ["store_column"]

# Roles whose values are real numbers, even where all that were read happen to be whole.
_REAL = ("likelihood", "limit", "test")

Array = np.ndarray[Any, Any]


def store_column(spool: Spool, column: dict[str, Any]) -> list[str]:
    """
    Cast a column to its stored dtype, and note dtype, precision and range in its entry.

    Parameters
    ----------
    spool : Spool
        Holds the column; what is masked in a float column is NaN by now.
    column : dict
        Its entry, completed in place.

    Returns
    -------
    list of str
        What is wrong: a value that the dtype cannot hold, or outside the declared range.
    """
    name = column["name"]
    present = spool.dtypes[name]
    wanted = np.dtype(_dtype(column, present))
    policy = column.pop("precision", None)
    codes = _codes(column)
    error, low, high, wrong, strange = 0.0, np.inf, -np.inf, -1, ""

    def stored() -> Iterator[Array]:
        nonlocal error, low, high, wrong, strange
        for start, stop in spool.ranges():
            values = spool.read(name, start, stop)
            if wanted.kind != "f" and values.dtype.kind == "f":
                # Only floats have a NaN to say that a value is masked.
                values = np.where(np.isnan(values), 0.0, values)
            cast, lost, differ = _narrowed(values, wanted, policy is not None)
            error = max(error, lost)
            if differ.any() and wrong < 0:
                wrong = start + int(np.argmax(differ))
            known = np.isfinite(cast)
            if "valid" in column:
                known &= spool.read(column["valid"], start, stop).astype(bool)
            foreign = known & ~np.isin(values, codes) if codes else np.zeros(0, dtype=bool)
            if foreign.any() and not strange:
                row = int(np.argmax(foreign))
                strange = f"found {values[row]:g} in row {start + row}"
            if known.any():
                low = min(low, float(cast[known].min()))
                high = max(high, float(cast[known].max()))
            yield cast

    spool.put(name, wanted, stored())
    column["dtype"] = wanted.name
    if isinstance(policy, dict):
        column["precision"] = policy
    elif policy is not None:
        precision = {"source": present.name, "stored": wanted.name, "max_relative_error": error}
        column["precision"] = precision
    if strange:
        allowed = f"allowed {_listed(codes)}; correct the cell, or mask it"
        return [f"{strange}, {allowed}"]
    faults = _range_faults(column, low, high)
    if wrong >= 0:
        advice = "" if policy else ", or say precision: float32 to round on purpose"
        text = f"found a value in row {wrong} that {wanted} cannot hold; declare a wider dtype"
        faults.append(text + advice)
    return faults


def _codes(column: dict[str, Any]) -> list[int]:
    """Give the codes that a column may hold; none if it is no column of codes."""
    if column["role"] == "label" and column.get("quantity") != "category":
        return [0, 1]
    return sorted(int(code) for code in column.get("categories", ()))


def _listed(codes: list[int]) -> str:
    if len(codes) > 20:
        return f"one of the {len(codes)} codes under categories"
    return " or ".join(filter(None, [", ".join(map(str, codes[:-1])), str(codes[-1])]))


def _dtype(column: dict[str, Any], present: np.dtype[Any]) -> str:
    if column["role"] == "mask":
        return "bool"
    if column["role"] in ("label", "split"):
        return str(column.get("dtype", "int8"))
    if column.get("precision") is not None:
        return "float32"
    whole = present.kind in "biu" and column["role"] in _REAL
    return str(column.get("dtype", "float64" if whole else present.name))


def _range_faults(column: dict[str, Any], low: float, high: float) -> list[str]:
    if column["role"] in ("mask", "split", "id"):
        return []
    if low > high:
        return ["found no valid value in any row, allowed at least one; drop the column"]
    declared = column.setdefault("range", [low, high])
    if declared[0] <= low and high <= declared[1]:
        return []
    return [
        f"found values from {low:g} to {high:g}, allowed the declared range "
        f"{declared[0]:g} to {declared[1]:g}; correct the range or the data"
    ]


def _narrowed(values: Array, dtype: np.dtype[Any], rounding: bool) -> tuple[Array, float, Array]:
    """
    Cast values, and tell what is lost.

    Returns
    -------
    cast : ndarray, shape (n,)
    error : float
        Largest relative difference.
    wrong : ndarray of bool, shape (n,)
        Where the dtype cannot hold the value; with ``rounding``, where it holds no number near it.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
        back = cast.astype(values.dtype)
    finite, held = np.isfinite(values), np.isfinite(cast)
    near = finite & held
    before, after = values[near].astype(float), back[near].astype(float)
    lost = np.abs(after - before) / np.maximum(np.abs(before), 1e-300)
    error = float(lost.max()) if lost.size else 0.0
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    wrong = finite & ~held if rounding else (back != values) & ~missing
    return cast, error, wrong
