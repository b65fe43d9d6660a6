"""Filters on columns: what they accept, which codes they decide, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins
from limen.errors import UsageError
from limen.expressions import MAXIMUM_LENGTH
from limen.manifest import Column

__all__ = ["Choice", "Filter", "Range", "predicate"]

Mask = npt.NDArray[np.bool_]
Decisions = tuple[Mask, Mask]


@dataclass(frozen=True, slots=True)
class Range:
    """
    Values between two ends. A row without a valid value never passes.

    Attributes
    ----------
    low, high : float or None
        Ends, in the column's unit; None is open. The lower end belongs to the range.
    closed : bool
        Whether the upper end belongs to the range. A dragged range ends at the edge of a bin,
        which belongs to the next bin, and so it does not.
    inverted : bool
        Accept the valid values outside instead.

    Examples
    --------
    >>> Range(0.0, 1.0).accepts(np.array([0.0, 1.0, 2.0, np.nan])).tolist()
    [True, True, False, False]
    >>> Range(0.0, 1.0, inverted=True).accepts(np.array([0.0, 2.0, np.nan])).tolist()
    [False, True, False]
    """

    low: float | None = None
    high: float | None = None
    closed: bool = True
    inverted: bool = False

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(math.isfinite(end) for end in ends):
            raise UsageError(
                "filter: found an end that is no finite number; give a number, or leave it open"
            )
        if len(ends) == 2 and ends[1] < ends[0]:
            raise UsageError(
                f"filter: found {ends[0]:g} to {ends[1]:g}, allowed ends that ascend; exchange them"
            )

    def accepts(self, values: npt.NDArray[np.float64]) -> Mask:
        """
        Tell which values pass.

        Parameters
        ----------
        values : ndarray, shape (n,)
            In the column's unit, NaN where a row is not valid.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        inside = ~np.isnan(values)
        if self.inverted:
            return inside & ~self._within(values)
        return inside & self._within(values)

    def _within(self, values: npt.NDArray[np.float64]) -> Mask:
        within = np.ones(len(values), dtype=bool)
        if self.low is not None:
            within &= values >= self.low
        if self.high is not None:
            within &= values <= self.high if self.closed else values < self.high
        return within

    def decisions(self, bins: Bins) -> Decisions:
        """
        Tell which codes pass as a whole, and which are decided by the values.

        Parameters
        ----------
        bins : Bins

        Returns
        -------
        (ndarray of bool, ndarray of bool), shape (256,) each
        """
        sure, open_ = np.zeros(256, dtype=bool), np.zeros(256, dtype=bool)
        start, end = 0, bins.above
        if self.low is not None:
            code = start = int(bins.encode([self.low])[0])
            if not _starts(bins, code, self.low):
                open_[code] = True
        if self.high is not None:
            code = end = int(bins.encode([self.high])[0])
            whole = bins.first <= code < bins.above
            if whole and self.closed and self.high == bins.edges[-1]:
                pass
            elif not self.closed and _starts(bins, code, self.high):
                end -= 1
            else:
                open_[code] = True
        sure[start : end + 1] = True
        if bins.scale == "whole":
            _decide_whole(self, bins, sure, open_)
        return _settled(sure, open_, bins, self.inverted)

    def condition(self, column: Column) -> str:
        """Write the filter as a condition of ``limen select --where``."""
        low = None if self.low is None else f"{column.name} >= {_number(self.low)}"
        sign = "<=" if self.closed else "<"
        high = None if self.high is None else f"{column.name} {sign} {_number(self.high)}"
        if self.inverted:
            other = ">" if self.closed else ">="
            low = None if self.low is None else f"{column.name} < {_number(self.low)}"
            high = None if self.high is None else f"{column.name} {other} {_number(self.high)}"
            parts = [part for part in (low, high) if part]
            return f"({' or '.join(parts)})" if parts else f"{column.name} < {column.name}"
        parts = [part for part in (low, high) if part]
        # An open range still asks for a value.
        return " and ".join(parts) if parts else f"{column.name} == {column.name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Some categories, by their codes. A row without a valid value never passes.

    Attributes
    ----------
    values : tuple of float
        Codes of the categories that pass; 0 and 1 for no and yes.
    inverted : bool
        Accept all other categories instead.
    """

    values: tuple[float, ...]
    inverted: bool = False

    def accepts(self, values: npt.NDArray[np.float64]) -> Mask:
        """Tell which values pass, as `Range.accepts`."""
        return np.asarray(~np.isnan(values) & (np.isin(values, self.values) != self.inverted))

    def decisions(self, bins: Bins) -> Decisions:
        """Tell which codes are decided, as `Range.decisions`."""
        sure, open_ = np.zeros(256, dtype=bool), np.zeros(256, dtype=bool)
        open_[bins.encode(np.asarray(self.values, dtype=np.float64))] = True
        open_[bins.invalid] = False
        if bins.scale == "whole":
            _decide_whole(Choice(self.values), bins, sure, open_)
        return _settled(sure, open_, bins, self.inverted)

    def condition(self, column: Column) -> str:
        """Write the filter as a condition of ``limen select --where``."""
        sign, word = ("!=", " and ") if self.inverted else ("==", " or ")
        parts = [f"{column.name} {sign} {_number(value)}" for value in self.values]
        if not parts:
            sign = "==" if self.inverted else "<"
            return f"{column.name} {sign} {column.name}"
        if self.inverted:
            parts.append(f"{column.name} == {column.name}")
        return f"({word.join(parts)})"


Filter = Range | Choice


def predicate(filters: Mapping[str, Filter], columns: Mapping[str, Column]) -> str:
    """
    Write filters as the condition of ``limen select --where``: the same rows.

    Parameters
    ----------
    filters : mapping of str to Filter
        By column; all must accept.
    columns : mapping of str to Column
        Those of the bundle. The mask of a column becomes part of the condition.

    Returns
    -------
    str
        Empty without filters. `limen.expressions` takes at most 500 characters.

    Examples
    --------
    >>> m = Column("m", "parameter", "GeV")
    >>> predicate({"m": Range(1.0, 2.5, closed=False)}, {"m": m})
    'm >= 1.0 and m < 2.5'
    """
    parts: list[str] = []
    for name, one in filters.items():
        column = columns[name]
        parts.append(one.condition(column))
        if column.valid is not None and f"{column.valid} == 1" not in parts:
            parts.append(f"{column.valid} == 1")
    return " and ".join(parts)


def check_length(text: str) -> str:
    """
    Give the condition back if ``limen select`` takes it.

    Raises
    ------
    UsageError
        If it is too long.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise UsageError(
            f"filters: written as a condition they have {len(text)} characters, allowed "
            f"{MAXIMUM_LENGTH}; select in two steps, or export the rows as CSV or Parquet"
        )
    return text


def _number(value: float) -> str:
    return repr(float(value))


def _starts(bins: Bins, code: int, value: float) -> bool:
    """Tell whether a value is the lower edge of its bin, so that the bin begins with it."""
    return bins.first <= code < bins.above and value == bins.edges[code - bins.first]


def _decide_whole(one: Filter, bins: Bins, sure: Mask, open_: Mask) -> None:
    """Bins of whole numbers hold one value each, which decides them."""
    places = np.arange(bins.first, bins.above)
    plain = Range(one.low, one.high, one.closed) if isinstance(one, Range) else one
    sure[places] = plain.accepts(np.asarray(bins.edges[:-1]) + 0.5)
    open_[places] = False


def _settled(sure: Mask, open_: Mask, bins: Bins, inverted: bool) -> Decisions:
    sure &= ~open_
    if inverted:
        sure = ~sure & ~open_
    # A value that is not there passes nothing.
    sure[bins.invalid :] = False
    open_[bins.invalid :] = False
    return sure, open_
