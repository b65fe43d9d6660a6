"""A scan that is browsed: charts, filters, cubes and rows, each answer exact or from the sample."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins
from limen.browsing.charts import Axis, Chart
from limen.browsing.cubes import Grid, Job, compact, fill
from limen.browsing.index import Index
from limen.browsing.measures import Measures, Tables, settle
from limen.browsing.passing import Filters, Passing
from limen.remembering import Lately

__all__ = ["PREVIEW_ABOVE", "Browser", "Tables"]

# Above this a preview from the sample comes before the exact answer.
PREVIEW_ABOVE = 5_000_000
# Cells along an axis of a map while something is dragged: by number of columns dragged.
DRAGGED_CELLS = {0: 250, 1: 25, 2: 20}
_ACTIVE_CELLS = 32

Tick = Callable[[float], None]


class Browser:
    """
    Counts over a scan under filters.

    A chart is filtered by the filters on all columns that it does not show. May be used from
    several threads.

    Parameters
    ----------
    index : Index

    Attributes
    ----------
    index : Index
    n_points : int
        Rows of the scan.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.n_points = index.n_points
        self._bins: dict[Axis, Bins] = {}
        self._known: dict[str, list[Bins]] = {}
        self._passing = Passing(index, self._binned)
        self._measures = Measures(index, self._passing)
        # Asked for anew each time that a page is drawn.
        self._weights = Lately(64)
        self._lock = Lock()

    def bins(self, axis: Axis) -> Bins:
        """Give the bins that are drawn along an axis."""
        fine, factor = self.fine(axis)
        return fine.coarser(factor)

    def fine(self, axis: Axis) -> tuple[Bins, int]:
        """Give the fine bins along an axis, and how many of them make one that is drawn."""
        fine = self._bins.get(axis)
        if fine is None:
            factor = 1 if axis.scale == "quantile" else max(1, 250 // axis.n)
            fine = self.index.bins(axis.column, axis.n * factor, axis.scale, axis.low, axis.high)
            with self._lock:
                self._bins[axis] = fine
                known = self._known.setdefault(axis.column, [])
                if fine not in known:
                    known.append(fine)
        return fine, fine.n // axis.n if fine.n % axis.n == 0 and fine.scale != "whole" else 1

    def count(self, filters: Filters, *, sampled: bool = False) -> int:
        """
        Count the rows that pass all filters.

        Parameters
        ----------
        filters : mapping of str to Filter
            By column.
        sampled : bool
            Only rows of the sample.

        Returns
        -------
        int
            Exact; with ``sampled`` the rows among the sample, not scaled up.
        """
        return self._passing.count(filters, sampled)

    def weight(self, name: str, filters: Filters) -> float:
        """Give the sum of a declared weight over the rows that pass all filters."""

        def work() -> float:
            figures = self._measures.figures(name, "weighted", sampled=False)
            job = Job(Grid.single(), tuple(sorted(filters)), figures)
            fill([job], self.n_points, self._passing.mask_of(filters, sampled=False))
            return float(job.whole)

        return self._weights.get((name, frozenset(filters.items())), work)

    def sample_rows(self) -> npt.NDArray[np.int64]:
        """Give the rows of the fixed sample."""
        return self._passing.sample()

    def view(
        self,
        charts: Sequence[Chart],
        filters: Filters,
        *,
        sampled: bool = False,
        tick: Tick | None = None,
    ) -> list[Tables]:
        """
        Give the tables of charts, each under the filters on columns that it does not show.

        Parameters
        ----------
        charts : sequence of Chart
        filters : mapping of str to Filter
        sampled : bool
            From the sample, not scaled up.
        tick : callable, optional
            Told the share of rows that is done; may raise to stop the work.

        Returns
        -------
        list of dict of str to ndarray
            ``count``; ``sum`` (weighted), ``best`` (-2 delta ln L, infinity without samples),
            ``hits`` and ``labelled`` (labels, excluded), ``sum`` and ``valued``, the rows with a
            finite value (mean), ``least`` (infinity without samples), ``largest`` (minus infinity).
            A histogram has n + 4 cells: not positive, below, the bins, above, not valid. A map has
            its n x m bins.
        """
        return self._filled(charts, filters, (), sampled, tick)

    def cubes(
        self,
        charts: Sequence[Chart],
        active: Sequence[Axis],
        filters: Filters,
        *,
        sampled: bool = False,
        tick: Tick | None = None,
    ) -> list[Tables]:
        """
        Give for each chart its tables by bins of what is about to be dragged.

        Parameters
        ----------
        charts : sequence of Chart
        active : sequence of Axis
            The one or two columns; filters on them are left out.
        filters : mapping of str to Filter
        sampled : bool
            From the sample, not scaled up.
        tick : callable, optional
            Told the share of rows that is done.

        Returns
        -------
        list of dict of str to ndarray
            As `view`, each table with further axes: n + 4 codes of the fine bins of one active
            column; or the bins of two, each joined to at most 32. Maps are coarser. At the end one
            more, ``count`` alone: all rows.
        """
        left = {n: f for n, f in filters.items() if n not in {a.column for a in active}}
        return self._filled(charts, left, active, sampled, tick)

    def active_factors(self, active: Sequence[Axis]) -> tuple[int, ...]:
        """Give how many fine bins are joined along each active column."""
        fine = [self.fine(axis)[0] for axis in active]
        most = [_ACTIVE_CELLS if len(active) == 2 else bins.n for bins in fine]
        return tuple(-(-bins.n // m) for bins, m in zip(fine, most, strict=True))

    def map_factor(self, axis: Axis, dragged: int) -> int:
        """Give how many fine bins make a cell of a map while so many columns are dragged."""
        bins, factor = self.fine(axis)
        if not dragged:
            return factor
        return max(factor, -(-bins.n // DRAGGED_CELLS[dragged]))

    def rows(self, filters: Filters, most: int) -> npt.NDArray[np.int64]:
        """Give the first rows that pass all filters."""
        return self._passing.first(filters, most)

    def spread_rows(self, filters: Filters, most: int) -> npt.NDArray[np.int64]:
        """Give rows that pass, drawn from the sample and spread over the scan."""
        return self._passing.spread(filters, most)

    def places(self, axis: Axis, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """
        Give the places of rows along an axis, by its fine bins: no value is read.

        Parameters
        ----------
        axis : Axis
        rows : ndarray of int, shape (k,)

        Returns
        -------
        ndarray, shape (k,)
            Share of the bins below [1], 0 to 1; NaN where a row lies outside or is not valid.
        """
        fine, _ = self.fine(axis)
        codes = self.index.codes(axis.column, fine)[rows]
        inside = (codes >= fine.first) & (codes < fine.above)
        share = (codes.astype(np.float64) - fine.first + 0.5) / fine.n
        return np.where(inside, share, np.nan)

    def selected_blocks(
        self, names: Sequence[str], filters: Filters
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Read block by block the rows that pass, NaN or masked where they are not valid."""
        return self._passing.blocks(names, filters)

    def _binned(self, name: str) -> list[Bins]:
        """Give the bins of a column whose codes are there; if there are none, make some."""
        if name not in self._known:
            self.fine(Axis(name))
        with self._lock:
            return list(self._known[name])

    def _filled(
        self,
        charts: Sequence[Chart],
        filters: Filters,
        active: Sequence[Axis],
        sampled: bool,
        tick: Tick | None,
    ) -> list[Tables]:
        dragged = frozenset(axis.column for axis in active)
        plans = [
            self._measures.jobs(
                chart,
                self._grid(chart, len(dragged), sampled),
                tuple(sorted(set(filters) - chart.columns)),
                sampled,
            )
            for chart in charts
        ]
        grid = None
        if active:
            grid = self._active_grid(active, sampled)
            total = Job(Grid.single(), tuple(sorted(filters)))
            plans.append({"count": total})
        jobs = [job for plan in plans for job in plan.values()]
        names = {} if sampled else self._kept_names(charts, plans, active, grid)
        for job, name in names.items():
            job.table = self.index.shelf.table(name)
        missing = [job for job in jobs if job.table is None]
        fill(
            missing,
            self._passing.size(sampled),
            self._passing.mask_of(filters, sampled),
            grid,
            tick,
        )
        for job in missing:
            if job in names:
                self.index.shelf.keep(names[job], compact(job.whole))
        answer = [{name: job.whole for name, job in plan.items()} for plan in plans]
        for tables in answer:
            settle(tables, len(grid.shape) if grid else 0)
        return answer

    def _kept_names(
        self,
        charts: Sequence[Chart],
        plans: Sequence[dict[str, Job]],
        active: Sequence[Axis],
        grid: Grid | None,
    ) -> dict[Job, str]:
        """Name the tables that are kept with the index: counts under no filter."""
        names = {}
        shown = [chart.axes for chart in charts] + [()] * (len(plans) - len(charts))
        for axes, plan in zip(shown, plans, strict=True):
            job = plan["count"]
            if job.filters:
                continue
            what = hashlib.sha256(job.passive.key + b"|" + (grid.key if grid else b""))
            for axis in (*axes, *active):
                what.update(f"|{axis.column}|{self.fine(axis)[0].key}".encode())
            names[job] = f"{what.hexdigest()[:32]}.npy"
        return names

    def _active_grid(self, active: Sequence[Axis], sampled: bool) -> Grid:
        fine = tuple(self.fine(axis)[0] for axis in active)
        codes = tuple(
            self._measures.codes(axis.column, bins, sampled)
            for axis, bins in zip(active, fine, strict=True)
        )
        if len(active) == 1:
            return Grid.every_code(codes[0], fine[0])
        return Grid.bins_only(codes, fine, self.active_factors(active))

    def _grid(self, chart: Chart, dragged: int, sampled: bool) -> Grid:
        fine = tuple(self.fine(axis) for axis in chart.axes)
        codes = tuple(
            self._measures.codes(axis.column, bins, sampled)
            for axis, (bins, _) in zip(chart.axes, fine, strict=True)
        )
        if chart.y is None:
            return Grid.every_code(codes[0], *fine[0])
        factors = tuple(self.map_factor(axis, dragged) for axis in chart.axes)
        return Grid.bins_only(codes, tuple(bins for bins, _ in fine), factors)
