"""
Tables over bins, and the cubes that make a drag cheap.

A cube counts the rows in each pair of a code of the active column and a bin of a chart. Summed
along the active column, any range of it is then a difference of two entries: nothing is counted
while a range is dragged, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import DUMPED, Bins, Codes
from limen.browsing.counting import Kept, blocks, keep, tally

__all__ = ["Grid", "Job", "compact", "count_rows", "fill"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
MaskOf = Callable[[str, slice], Mask]


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Cells over one or two columns, with their codes.

    Attributes
    ----------
    codes : tuple of ndarray of uint8, shape (n,)
        Codes of each axis.
    cells : tuple of ndarray of int, shape (256,)
        Number of the cell along each axis, by code; the last number is for what is left out.
    shape : tuple of int
        Cells along each axis, without the last.
    """

    codes: tuple[Codes, ...]
    cells: tuple[npt.NDArray[np.intp], ...]
    shape: tuple[int, ...]

    @classmethod
    def every_code(cls, codes: Codes, bins: Bins, factor: int = 1) -> Grid:
        """Make one cell of each bin and of each code that is no bin: n + 4 of them."""
        table = bins.joined(factor).astype(np.intp)
        n = -(-bins.n // factor) + 4
        table[table == DUMPED] = n
        return cls((codes,), (table,), (n,))

    @classmethod
    def bins_only(
        cls, codes: tuple[Codes, ...], bins: tuple[Bins, ...], factors: tuple[int, ...]
    ) -> Grid:
        """Make one cell of each bin, or pair of bins; what lies outside is left out."""
        cells, shape = [], []
        for axis, factor in zip(bins, factors, strict=True):
            n = -(-axis.n // factor)
            table = axis.joined(factor).astype(np.intp) - axis.first
            table[(table < 0) | (table > n)] = n
            cells.append(table)
            shape.append(n)
        return cls(codes, tuple(cells), tuple(shape))

    @classmethod
    def single(cls) -> Grid:
        """Make one cell of all rows."""
        return cls((), (), ())

    @property
    def key(self) -> bytes:
        """What the cells are, for tables that are kept; equal for equal cells."""
        return b"".join(table.astype("<i8").tobytes() for table in self.cells)

    @property
    def padded(self) -> tuple[int, ...]:
        """Cells along each axis, the one for what is left out included."""
        return tuple(n + 1 for n in self.shape)

    def scaled(self, stride: int) -> tuple[npt.NDArray[np.intp], ...]:
        """Give the tables of cells, multiplied so that their sum is a place in memory."""
        tables = []
        for table, n in zip(reversed(self.cells), reversed(self.padded), strict=True):
            tables.append(table * stride)
            stride *= n
        return tuple(reversed(tables))


@dataclass(slots=True, eq=False)
class Job:
    """
    One table to fill.

    Attributes
    ----------
    passive : Grid
    filters : tuple of str
        Columns whose filters count for it, ascending.
    weights : ndarray, shape (n,), optional
        Sums or least values of these in place of counts.
    least : bool
    table : ndarray or None
        The answer, shape passive + active; None while it is not there.
    """

    passive: Grid
    filters: tuple[str, ...]
    weights: Array | None = None
    least: bool = False
    table: Array | None = None

    @property
    def whole(self) -> Array:
        """The answer of a job that was filled."""
        if self.table is None:
            raise RuntimeError("the job was not filled")
        return self.table


def fill(
    jobs: Sequence[Job],
    n: int,
    mask_of: MaskOf,
    active: Grid | None = None,
    tick: Callable[[float], None] | None = None,
) -> None:
    """
    Fill the tables of jobs in one pass over the rows.

    Parameters
    ----------
    jobs : sequence of Job
    n : int
        Number of rows.
    mask_of : callable
        ``mask_of(column, rows)``: which rows pass the filter of a column.
    active : Grid, optional
        Of the active column or columns; one cell by default.
    tick : callable, optional
        Told the share of rows that is done.
    """
    if not jobs:
        return
    grid = active or Grid.single()
    size = int(np.prod(grid.padded, dtype=np.intp))
    own = grid.scaled(1)
    tables = [_empty(job, size) for job in jobs]
    scaled = [job.passive.scaled(size) for job in jobs]
    for rows in blocks(n):
        kept: dict[tuple[str, ...], tuple[Kept, Array | None]] = {}
        masks: dict[str, Mask] = {}
        for job, table, luts in zip(jobs, tables, scaled, strict=True):
            if job.filters not in kept:
                for name in job.filters:
                    if name not in masks:
                        masks[name] = mask_of(name, rows)
                passing = keep([masks[name] for name in job.filters], rows.stop - rows.start)
                base = None if active is None else _keys(grid.codes, own, rows, passing)
                kept[job.filters] = passing, base
            passing, base = kept[job.filters]
            if not passing.n:
                continue
            keys = _keys(job.passive.codes, luts, rows, passing, base)
            weights = None if job.weights is None else passing.picked(job.weights[rows])
            tally(table, keys, weights, least=job.least)
        if tick is not None:
            tick(rows.stop / n)
    for job, table in zip(jobs, tables, strict=True):
        whole = table.reshape((*job.passive.padded, *grid.padded))
        job.table = whole[tuple(slice(0, k) for k in (*job.passive.shape, *grid.shape))]


def _empty(job: Job, size: int) -> Array:
    cells = int(np.prod(job.passive.padded, dtype=np.intp)) * size
    if job.least:
        return np.full(cells, np.inf, dtype=np.float32)
    return np.zeros(cells, dtype=np.int64 if job.weights is None else np.float64)


def _keys(
    codes: tuple[Codes, ...],
    luts: tuple[npt.NDArray[np.intp], ...],
    rows: slice,
    passing: Kept,
    base: Array | None = None,
) -> Array:
    keys: Array | None = None
    for axis, lut in zip(codes, luts, strict=True):
        part = np.take(lut, passing.dumped(axis[rows]), mode="clip")
        keys = part if keys is None else np.add(keys, part, out=keys)
    if keys is None:
        keys = np.zeros(passing.counted, dtype=np.intp) if base is None else base.copy()
    elif base is not None:
        keys += base
    return keys


def count_rows(filters: Sequence[str], n: int, mask_of: MaskOf) -> int:
    """
    Count the rows that pass all filters.

    Parameters
    ----------
    filters : sequence of str
        Columns with a filter.
    n : int
        Number of rows.
    mask_of : callable
        As in `fill`.

    Returns
    -------
    int
    """
    return sum(int(np.count_nonzero(mask)) for _, mask in passing_blocks(filters, n, mask_of))


def passing_blocks(filters: Sequence[str], n: int, mask_of: MaskOf) -> Iterator[tuple[slice, Mask]]:
    """Give block by block which rows pass all filters."""
    for rows in blocks(n):
        mask = np.ones(rows.stop - rows.start, dtype=bool)
        for name in filters:
            mask &= mask_of(name, rows)
        yield rows, mask


def compact(table: Array) -> Array:
    """
    Give a table in the smallest type that holds it, for the way to the browser.

    Parameters
    ----------
    table : ndarray
        Counts (integers) or figures (floats).

    Returns
    -------
    ndarray
        uint8, uint16, uint32, float64 beyond; float32 for figures.

    Examples
    --------
    >>> compact(np.array([1, 300])).dtype
    dtype('uint16')
    """
    if table.dtype.kind == "f":
        return np.ascontiguousarray(table, dtype="<f4")
    largest = int(table.max(initial=0))
    for dtype in ("<u1", "<u2", "<u4"):
        if largest <= np.iinfo(dtype).max:
            return np.ascontiguousarray(table, dtype=dtype)
    return np.ascontiguousarray(table, dtype="<f8")
