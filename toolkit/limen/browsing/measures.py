"""What is measured in the bins of a chart: rows, sums, extremes, labels, and the work to do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins, Codes
from limen.browsing.charts import TO_MINUS_2_LOG, Chart, Statistic
from limen.browsing.cubes import Grid, Job
from limen.browsing.index import Index
from limen.browsing.passing import Passing
from limen.errors import UsageError

__all__ = ["Measures", "Tables", "settle"]

Tables = dict[str, npt.NDArray[Any]]
Figures = npt.NDArray[np.float32]
Change = Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]]

_FLAGS = Bins("whole", (-0.5, 0.5, 1.5))


class Measures:
    """
    The statistics of charts, as jobs over the rows of a scan or of its sample.

    Parameters
    ----------
    index : Index
    passing : Passing
    """

    def __init__(self, index: Index, passing: Passing) -> None:
        self._index, self._passing = index, passing
        self._best: dict[str, float] = {}

    def jobs(
        self, chart: Chart, grid: Grid, filters: tuple[str, ...], sampled: bool
    ) -> dict[str, Job]:
        """
        Give the tables to fill for a chart, by name.

        Parameters
        ----------
        chart : Chart
        grid : Grid
            Its cells.
        filters : tuple of str
            Columns whose filters count for it, ascending.
        sampled : bool

        Returns
        -------
        dict of str to Job
            To be told after `settle`.

        Raises
        ------
        UsageError, ColumnError
            If the statistic cannot be of its column.
        """
        jobs = {"count": Job(grid, filters)}
        kind = chart.statistic
        if kind == "count":
            return jobs
        if chart.column is None:
            raise UsageError(f"statistic {kind!r}: no column named; choose one")
        name = self._index.column(chart.column).name
        if kind in ("labels", "excluded"):
            jobs["labels"] = Job(self._split(grid, name, _FLAGS, sampled), filters)
            return jobs
        figures = self.figures(name, kind, sampled=sampled)
        if kind in ("best", "least", "largest"):
            jobs[kind] = Job(grid, filters, figures, least=True)
            return jobs
        jobs["sum"] = Job(grid, filters, figures)
        if kind == "mean":
            bins = Bins.of(self._index.facts(name), 1)
            jobs["valued"] = Job(self._split(grid, name, bins, sampled), filters)
        return jobs

    def codes(self, name: str, bins: Bins, sampled: bool) -> Codes:
        """Give the code of every row, or of those of the sample."""
        whole = self._index.codes(name, bins)
        return self._passing.at_sample(("codes", name, bins.key), whole) if sampled else whole

    def figures(self, name: str, statistic: Statistic, *, sampled: bool) -> Figures:
        """
        Give what is summed, or the least of which is looked for, row by row.

        Raises
        ------
        UsageError
            If the statistic cannot be of this column.
        """
        kind, change = self._change(name, statistic)
        whole = self._index.figures(name, kind, change)
        return self._passing.at_sample((kind, name), whole) if sampled else whole

    def _change(self, name: str, statistic: Statistic) -> tuple[str, Change]:
        """Give how figures come from values, and the name that they are kept under."""
        if statistic == "best":
            sign, best = self._sign(name), self.best(name)
            return "best", lambda v: np.nan_to_num(sign * v - best, nan=np.inf, posinf=np.inf)
        if statistic == "least":
            return "least", lambda v: np.where(np.isfinite(v), v, np.inf)
        if statistic == "largest":
            return "largest", lambda v: np.where(np.isfinite(v), -v, np.inf)
        return "weight", lambda v: np.where(np.isfinite(v), v, 0.0)

    def best(self, name: str) -> float:
        """
        Give the least -2 ln L of the whole scan, the reference of -2 delta ln L.

        Raises
        ------
        UsageError
            If the column is no likelihood, or has no valid value.
        """
        if name not in self._best:
            facts, sign = self._index.facts(name), self._sign(name)
            value = facts.high if sign < 0 else facts.low
            if value is None:
                raise UsageError(f"best sampled: {name} has no valid value; choose another column")
            self._best[name] = sign * value
        return self._best[name]

    def _sign(self, name: str) -> float:
        quantity = str(self._index.column(name).quantity)
        if quantity not in TO_MINUS_2_LOG:
            raise UsageError(
                f"best sampled: {name} is no likelihood (quantity {quantity!r}), allowed "
                f"{', '.join(TO_MINUS_2_LOG)}; choose a likelihood column"
            )
        return TO_MINUS_2_LOG[quantity]

    def _split(self, grid: Grid, name: str, bins: Bins, sampled: bool) -> Grid:
        """Give the grid one axis more, the last: bins of the column that the statistic is of."""
        more = Grid.bins_only((self.codes(name, bins, sampled),), (bins,), (1,))
        return Grid(grid.codes + more.codes, grid.cells + more.cells, grid.shape + more.shape)


def settle(tables: Tables, active: int) -> None:
    """
    Turn tables as they were counted into those that are told, in place.

    Parameters
    ----------
    tables : dict of str to ndarray
        By the names that `Measures.jobs` gave.
    active : int
        Axes at the end that are of active columns.
    """
    if "largest" in tables:
        tables["largest"] = -tables["largest"]
    # The axis that was added follows those of the chart.
    for name in ("valued", "labels"):
        if name not in tables:
            continue
        whole = tables.pop(name)
        axis = whole.ndim - 1 - active
        if name == "valued":
            tables[name] = np.take(whole, 0, axis=axis)
        else:
            tables["hits"] = np.take(whole, 1, axis=axis)
            tables["labelled"] = whole.sum(axis=axis)
