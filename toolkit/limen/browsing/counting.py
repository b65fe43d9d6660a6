"""Counts, sums and extremes over pairs of codes; the loops below everything that is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import DUMPED, Codes

__all__ = ["BLOCK", "Kept", "blocks", "keep", "tally"]

# A block of codes, its keys and a table of pairs stay in the processor's cache.
BLOCK = 131_072
# Below this share of rows that pass it is quicker to pick them than to count the rest as dumped.
_FEW = 0.8

Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.intp]
Table = npt.NDArray[Any]


def blocks(n: int) -> Iterator[slice]:
    """Give the ranges of rows that are worked on at once."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


class Kept:
    """
    The rows of a block that pass, in the cheaper of two forms.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,), or None
        None if all pass.
    n : int
        Rows of the block.

    Attributes
    ----------
    n : int
        Rows that pass.
    counted : int
        Rows that `dumped` and `picked` give.
    """

    __slots__ = ("_dumped", "_rows", "counted", "n")

    def __init__(self, mask: Mask | None, n: int) -> None:
        self._rows: npt.NDArray[np.intp] | None = None
        self._dumped: npt.NDArray[np.uint8] | None = None
        self.n = self.counted = n
        if mask is None:
            return
        passing = int(np.count_nonzero(mask))
        if passing == n:
            return
        self.n = passing
        if passing < _FEW * n:
            self._rows = np.flatnonzero(mask)
            self.counted = passing
        else:
            # 255 where a row is left out, 0 where it is kept.
            self._dumped = (~mask).view(np.uint8) * np.uint8(DUMPED)

    def picked(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give the rows of any array that belong to the codes that `dumped` gives."""
        return values if self._rows is None else values[self._rows]

    def dumped(self, codes: Codes) -> Codes:
        """Give the codes; rows that do not pass are left out or have the code 255."""
        if self._rows is not None:
            return codes[self._rows]
        return codes if self._dumped is None else codes | self._dumped


def keep(masks: list[Mask], n: int) -> Kept:
    """Give the rows that pass all masks."""
    if not masks:
        return Kept(None, n)
    whole = masks[0]
    for mask in masks[1:]:
        whole = whole & mask
    return Kept(whole, n)


def tally(
    table: Table, keys: Keys, weights: npt.NDArray[Any] | None = None, *, least: bool = False
) -> None:
    """
    Add rows to a table in place.

    Parameters
    ----------
    table : ndarray, shape (cells,)
        Counts, sums of weights, or least values.
    keys : ndarray of int, shape (n,)
        Cell of each row.
    weights : ndarray, shape (n,), optional
        Without NaN. Rows are counted if there are none.
    least : bool
        Keep the least weight of each cell in place of the sum.
    """
    if least and weights is not None:
        np.minimum.at(table, keys, weights.astype(table.dtype, copy=False))
    elif weights is not None:
        table += np.bincount(keys, weights=weights, minlength=table.size)
    else:
        table += np.bincount(keys, minlength=table.size)
