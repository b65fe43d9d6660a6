"""The points of a campaign in a picture, each kind with a mark of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.active.canvas import value_text
from limen.active.problem import CENSORED, FAILED, INVALID, OK, History, Problem
from limen.active.spaces import Space
from limen.active.streaming import taken_keys, untaken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_points"]

Floats = NDArray[np.float64]


def draw_points(
    axes: Axes,
    history: History,
    space: Space,
    centre: Floats,
    plane: tuple[int, int],
    near: float,
    j: int,
    problem: Problem,
) -> None:
    """
    Draw what was asked near a slice, and in grey what lies elsewhere.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    history : History
    space : Space
    centre : ndarray, shape (d,)
        Unit coordinates of the slice.
    plane : tuple of int
        Positions of the two parameters along the axes.
    near : float
        How far off the slice a point may lie along each other parameter, in unit coordinates.
    j : int
        The output whose first threshold parts the points.
    problem : Problem
    """
    rest = [i for i in range(space.d) if i not in plane]
    far = np.abs(history.points[:, rest] - centre[rest]) > near
    off = far.any(axis=1) & (history.fidelity == 0)
    if off.any():
        at = space.to_physical(history.points[off])[:, plane]
        grey: dict[str, Any] = {"s": 3, "c": "0.75", "linewidths": 0, "zorder": 2}
        axes.scatter(at[:, 0], at[:, 1], label="off the slice, projected", **grey)
    for label, points, style in _groups(history, j, problem):
        close = (np.abs(points[:, rest] - centre[rest]) <= near).all(axis=1)
        if close.any():
            at = space.to_physical(points[close])
            axes.scatter(
                at[:, plane[0]], at[:, plane[1]], label=label, zorder=4, clip_on=False, **style
            )


def _groups(
    history: History, j: int, problem: Problem
) -> Iterator[tuple[str, Floats, dict[str, Any]]]:
    output = problem.outputs[j]
    real = history.fidelity == 0
    level = output.levels[0] if len(output.levels) else np.inf
    told = real & (history.status == OK)
    below = told & (history.values[:, j] < level)
    first = output.thresholds[0] if output.thresholds else np.inf
    low, high = value_text(output, first, "<"), value_text(output, first, r"$\geq$")
    if problem.pool is not None:
        left = problem.pool[untaken(problem.pool, taken_keys(history))]
        yield "not asked, of the pool", left, {"s": 7, "c": "0.45", "linewidths": 0}
    dark = {"s": 16, "edgecolors": "black", "linewidths": 0.7}
    yield low, history.points[below & ~history.reserved], dark | {"c": "black"}
    above = told & ~(history.values[:, j] < level) & ~history.reserved
    yield (high if output.thresholds else "evaluated"), history.points[above], dark | {"c": "white"}
    mine = told & history.reserved
    yield "reserved", history.points[mine], dark | {"c": "#F0E442", "marker": "s"}
    bound = real & (history.status == CENSORED)
    yield "bound", history.points[bound], {"s": 26, "c": "black", "marker": "2", "linewidths": 1}
    bad = real & ((history.status == FAILED) | (history.status == INVALID))
    cross = {"s": 22, "c": "black", "marker": "x", "linewidths": 1}
    yield "failed or unphysical", history.points[bad], cross
    waiting = {"s": 26, "facecolors": "none", "edgecolors": "black", "marker": "^"}
    yield "pending", history.pending, waiting | {"linewidths": 0.9}
