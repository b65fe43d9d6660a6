"""What is drawn: one or two axes, and the statistic over their bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from limen.browsing.bins import Scale
from limen.errors import UsageError
from limen.manifest import Column

__all__ = ["STATISTICS", "Axis", "Chart", "Statistic", "columns_for"]

Statistic = Literal["count", "labels", "weighted", "best", "excluded", "mean", "least", "largest"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

# By quantity of a likelihood: what turns its values into -2 ln L, up to a constant.
TO_MINUS_2_LOG = {
    "log_likelihood": -2.0,
    "log_likelihood_ratio": -2.0,
    "minus_2_log_likelihood": 1.0,
    "chi2": 1.0,
    "delta_chi2": 1.0,
}
_LABELS = ("excluded", "outside_region")
# Of these neither a mean nor an extreme says anything.
_NO_FIGURES = ("mask", "id", "split", "fidelity", "origin", "label")


@dataclass(frozen=True, slots=True)
class Axis:
    """
    An axis and its bins.

    Attributes
    ----------
    column : str
    n : int
        Bins that are drawn, up to 250; whole numbers have one bin each.
    scale : {"linear", "log", "symlog", "quantile"}, optional
        As the column states by default.
    low, high : float, optional
        Ends, in the column's unit; those of the data by default.
    """

    column: str
    n: int = 50
    scale: Scale | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """
    A histogram of one column, or a map of two.

    Attributes
    ----------
    x : Axis
    y : Axis or None
    statistic : str
        ``count``: rows. ``labels``: the same, of a histogram, split by a label. ``weighted``: sum
        of the declared weights. ``best``: best sampled -2 delta ln L, which bounds the profile
        likelihood from one side only. ``excluded``: share of the rows with a label whose label is
        1. ``mean``, ``least`` and ``largest``: of the finite values of another column.
    column : str or None
        The weight, likelihood, label or other column that the statistic is of.
    """

    x: Axis
    y: Axis | None = None
    statistic: Statistic = "count"
    column: str | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The one or two axes."""
        return (self.x,) if self.y is None else (self.x, self.y)

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the axes; filters on them do not filter the chart."""
        return frozenset(axis.column for axis in self.axes)


def columns_for(statistic: Statistic, columns: Mapping[str, Column]) -> list[str]:
    """
    Give the columns that a statistic can be of, the most telling first.

    Parameters
    ----------
    statistic : str
    columns : mapping of str to Column

    Returns
    -------
    list of str
        Empty if the bundle declares none: a posterior needs declared weights.

    Raises
    ------
    UsageError
        If there is no such statistic.
    """
    if statistic == "count":
        return []
    if statistic == "weighted":
        return [name for name, column in columns.items() if column.role == "weight"]
    if statistic == "best":
        fitting = [n for n, c in columns.items() if c.quantity in TO_MINUS_2_LOG]
        order = list(TO_MINUS_2_LOG)
        return sorted(fitting, key=lambda name: order.index(str(columns[name].quantity)))
    if statistic in ("labels", "excluded"):
        return [name for name, column in columns.items() if column.quantity in _LABELS]
    if statistic in ("mean", "least", "largest"):
        return [n for n, c in columns.items() if c.role not in _NO_FIGURES and not c.categories]
    raise UsageError(f"statistic: found {statistic!r}, allowed {', '.join(STATISTICS)}")
