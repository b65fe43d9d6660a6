"""Filters at work: which rows of a block pass, mostly by their codes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins, Codes
from limen.browsing.filters import Filter
from limen.browsing.index import Index

__all__ = ["Decided", "decide"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Decided:
    """
    A filter, decided for every row.

    Attributes
    ----------
    codes : ndarray of uint8, shape (n,)
    sure : ndarray of bool, shape (256,)
        Codes that pass.
    interval : (int, int) or None
        First and last code that passes, if those between do too.
    bits : ndarray of uint8 or None
        One bit a row: further rows that pass, where the codes do not tell.
    """

    codes: Codes
    sure: Mask
    interval: tuple[int, int] | None
    bits: npt.NDArray[np.uint8] | None

    def mask(self, rows: slice) -> Mask:
        """Tell which rows pass; the range begins at a multiple of eight."""
        codes = self.codes[rows]
        if self.interval is None:
            mask: Any = np.take(self.sure, codes, mode="clip")
        else:
            first, last = self.interval
            # Codes below the first wrap round to large ones: one comparison in place of two.
            mask = (codes - np.uint8(first)) <= np.uint8(last - first)
        if self.bits is not None:
            packed = self.bits[rows.start // 8 : -(-rows.stop // 8)]
            mask |= np.unpackbits(packed, count=rows.stop - rows.start).view(bool)
        return np.asarray(mask)

    def at(self, rows: npt.NDArray[np.int64]) -> Decided:
        """Give the same for single rows of the scan."""
        bits = self.bits
        if bits is not None:
            found = (bits[rows >> 3] >> (7 - (rows & 7)).astype(np.uint8)) & 1
            bits = np.packbits(found.astype(bool))
        return Decided(self.codes[rows], self.sure, self.interval, bits)


def decide(index: Index, name: str, one: Filter, known: Sequence[Bins]) -> Decided:
    """
    Decide a filter with the binning that leaves the fewest codes to the values.

    Parameters
    ----------
    index : Index
    name : str
        Its column.
    one : Filter
    known : sequence of Bins
        Binnings of the column, at least one.

    Returns
    -------
    Decided
    """
    found = [(bins, *one.decisions(bins)) for bins in known]
    bins, sure, undecided = min(found, key=lambda each: int(each[2].sum()))
    codes = index.codes(name, bins)
    bits = index.passing(name, one, codes, undecided) if undecided.any() else None
    return Decided(codes, sure, _interval(sure), bits)


def _interval(sure: Mask) -> tuple[int, int] | None:
    places = np.flatnonzero(sure)
    if places.size and places[-1] - places[0] + 1 == places.size:
        return int(places[0]), int(places[-1])
    return None
