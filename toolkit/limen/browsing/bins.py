"""Bins of a column, and the codes that rows get by them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limen.browsing.facts import Facts
from limen.errors import UsageError

__all__ = ["DUMPED", "MOST_BINS", "Bins", "Codes", "Scale", "symlog_unit"]

Scale = Literal["linear", "log", "symlog", "quantile", "whole"]
Codes = npt.NDArray[np.uint8]

# A code is one byte: four codes are not bins, and one stays free for rows left out of a count.
MOST_BINS = 250
DUMPED = 255
_FIRST = 2
# A symmetric logarithm is linear below this share of its largest value.
_SYMLOG = 1e-3


@dataclass(frozen=True)
class Bins:
    """
    Adjacent bins of one column.

    Code 0 is a value that a logarithmic axis cannot show (zero or negative), 1 lies below the
    bins, 2 to n + 1 are the bins, n + 2 lies above them and n + 3 is not valid. Codes 0 to n + 2
    are in the order of the values, so that a range of values is a range of codes. A bin holds its
    lower edge, the last one also its upper edge.

    Parameters
    ----------
    scale : {"linear", "log", "symlog", "quantile", "whole"}
        ``symlog``: logarithmic on both sides of zero, linear below a thousandth of the larger end.
        ``whole``: one bin for each whole number, for integers, categories and yes/no.
    edges : tuple of float
        The n + 1 edges, in the column's unit, ascending.

    Raises
    ------
    UsageError
        If the edges do not ascend, are not finite, or are too many.

    Examples
    --------
    >>> bins = Bins("linear", (0.0, 1.0, 2.0))
    >>> bins.encode(np.array([-1.0, 0.0, 1.0, 2.0, 2.5, np.nan])).tolist()
    [1, 2, 3, 3, 4, 5]
    """

    scale: Scale
    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=np.float64)
        if not 2 <= edges.size <= MOST_BINS + 1:
            raise UsageError(f"bins: found {edges.size - 1}, allowed 1 to {MOST_BINS}")
        if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            raise UsageError("bins: edges must be finite and ascend; widen the range of the axis")
        if self.scale == "log" and edges[0] <= 0:
            raise UsageError(
                f"bins: found a logarithmic axis from {edges[0]:g}, allowed positive values; "
                "choose a linear axis or a positive lower end"
            )

    @property
    def n(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def below(self) -> int:
        """Code of values below the bins."""
        return _FIRST - 1

    @property
    def above(self) -> int:
        """Code of values above the bins."""
        return self.n + _FIRST

    @property
    def invalid(self) -> int:
        """Code of rows without a valid value."""
        return self.n + _FIRST + 1

    @property
    def first(self) -> int:
        """Code of the first bin."""
        return _FIRST

    @cached_property
    def key(self) -> str:
        """Name of the binning for files; equal for equal edges."""
        content = self.scale.encode() + np.asarray(self.edges, dtype="<f8").tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    @cached_property
    def _edges(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.edges, dtype=np.float64)

    def encode(self, values: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> Codes:
        """
        Give the code of each value.

        Parameters
        ----------
        values : array_like, shape (n,)
            In the column's unit.
        valid : array_like of bool, shape (n,), optional
            Rows that count; NaN never does.

        Returns
        -------
        ndarray of uint8, shape (n,)
        """
        with np.errstate(all="ignore"):
            numbers = np.asarray(values).astype(np.float64, copy=False)
            place = self._places(numbers)
            codes = (place + _FIRST).astype(np.uint8)
            codes[numbers < self._edges[0]] = self.below
            codes[numbers > self._edges[-1]] = self.above
            if self.scale == "log":
                codes[numbers <= 0] = 0
            gone = np.isnan(numbers)
        if valid is not None:
            gone |= ~np.asarray(valid, dtype=bool)
        codes[gone] = self.invalid
        return codes

    def _places(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
        """Find the bin of numbers within the edges; what lies outside gets any."""
        edges = self._edges
        if self.scale in ("quantile", "symlog"):
            return np.asarray(np.searchsorted(edges[1:-1], numbers, side="right"), dtype=np.int16)
        scaled, low, high = numbers, edges[0], edges[-1]
        if self.scale == "log":
            scaled, low, high = np.log(numbers), np.log(low), np.log(high)
        guess = np.nan_to_num((scaled - low) * (self.n / (high - low)), nan=0.0)
        place: npt.NDArray[np.int16] = np.clip(guess, 0, self.n - 1).astype(np.int16)
        # The guess may miss by one where a value lies at an edge.
        place -= (numbers < edges[:-1][place]) & (place > 0)
        place += (numbers >= edges[1:][place]) & (place < self.n - 1)
        return np.asarray(place)

    def coarser(self, factor: int) -> Bins:
        """
        Join so many neighbouring bins each.

        Raises
        ------
        UsageError
            If the number of bins is no multiple of the factor.
        """
        if factor < 1 or self.n % factor:
            raise UsageError(f"bins: {self.n} cannot be joined by {factor}")
        return Bins(self.scale, self.edges[::factor])

    def joined(self, factor: int) -> npt.NDArray[np.uint8]:
        """
        Give the code after joining bins, by the code before.

        Parameters
        ----------
        factor : int
            Neighbours that become one bin; the last bin may hold fewer.

        Returns
        -------
        ndarray of uint8, shape (256,)
        """
        n = -(-self.n // factor)
        table = np.full(256, DUMPED, dtype=np.uint8)
        table[:_FIRST] = range(_FIRST)
        table[_FIRST : self.above] = _FIRST + np.arange(self.n) // factor
        table[self.above : self.above + 2] = n + _FIRST, n + _FIRST + 1
        return table

    def to_dict(self) -> dict[str, Any]:
        """Give scale and edges for JSON."""
        return {"scale": self.scale, "edges": list(self.edges)}

    @classmethod
    def of(
        cls,
        facts: Facts,
        n: int = 50,
        scale: Scale = "linear",
        low: float | None = None,
        high: float | None = None,
        quantiles: npt.NDArray[np.float64] | None = None,
    ) -> Bins:
        """
        Choose the bins of an axis from what is known of the column.

        Parameters
        ----------
        facts : Facts
            Of the column.
        n : int
            Bins wanted; ``whole`` has one per number where they are at most 250.
        scale : str
        low, high : float, optional
            Ends of the axis, in the column's unit; those of the data by default.
        quantiles : ndarray, shape (k,), optional
            Sorted values of a sample, for ``quantile``.

        Returns
        -------
        Bins

        Raises
        ------
        UsageError
            If the range is empty or does not fit the scale.
        """
        if not 1 <= n <= MOST_BINS:
            raise UsageError(f"bins: found {n}, allowed 1 to {MOST_BINS}")
        start = facts.low if low is None else low
        if scale == "log" and low is None:
            start = facts.low_positive
        end = facts.high if high is None else high
        if start is None or end is None:
            raise UsageError(
                "bins: the column has no value that this axis can show; choose another column or "
                "a linear axis"
            )
        if scale == "whole" and round(end) - round(start) < MOST_BINS:
            first, last = round(start), round(end)
            return cls("whole", tuple(value - 0.5 for value in range(first, last + 2)))
        if scale == "quantile" and quantiles is not None and quantiles.size:
            inside = quantiles[(quantiles >= start) & (quantiles <= end)]
            if inside.size:
                cuts = np.quantile(inside, np.linspace(0, 1, n + 1))
                cuts[0], cuts[-1] = start, end
                return cls("quantile", _widened(np.unique(cuts)))
        if end < start:
            raise UsageError(f"bins: found an axis from {start:g} to {end:g}; exchange the ends")
        if scale == "log":
            if start <= 0:
                raise UsageError(
                    f"bins: found a logarithmic axis from {start:g}, allowed positive values; "
                    "choose a linear axis or a positive lower end"
                )
            edges = np.geomspace(start, end, n + 1)
        elif scale == "symlog" and end > start:
            unit = symlog_unit(start, end)
            first, last = np.sign([start, end]) * np.log1p(np.abs([start, end]) / unit)
            even = np.linspace(first, last, n + 1)
            edges = np.sign(even) * unit * np.expm1(np.abs(even))
        else:
            scale, edges = "linear", np.linspace(start, end, n + 1)
        # Edges are read and typed by people: no tail of sixteen digits.
        short = np.array([float(f"{edge:.12g}") for edge in edges])
        short[0], short[-1] = start, end
        edges[0], edges[-1] = start, end
        if (np.diff(short) > 0).all():
            edges = short
        unique = np.unique(edges)
        if unique.size < edges.size:
            return cls("linear", _widened(unique[[0, -1]] if unique.size > 1 else unique))
        return cls(scale, tuple(edges.tolist()))


def symlog_unit(low: float, high: float) -> float:
    """
    Give the value below which a symmetric logarithm is about linear, in the column's unit.

    >>> symlog_unit(-2000.0, 500.0)
    2.0
    """
    return _SYMLOG * max(abs(low), abs(high))


def _widened(edges: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Give a constant a bin around it."""
    if edges.size == 1:
        width = max(abs(float(edges[0])) * 0.5, 0.5)
        return float(edges[0]) - width, float(edges[0]) + width
    return tuple(edges.tolist())


def names_of(categories: Mapping[str, str] | None, bins: Bins) -> list[str] | None:
    """Give the meaning of each bin of a category, its number where it has none."""
    if not categories or bins.scale != "whole":
        return None
    codes = [str(round(edge + 0.5)) for edge in bins.edges[:-1]]
    return [categories.get(code, code) for code in codes]
