"""
Pictures of a campaign: contours in two-dimensional slices, and progress.

The other parameters are fixed where the user says; the points shown are those near the slice.
Colours are those of Okabe and Ito, told apart by the colour-blind, and lines differ in style as
well. The same campaign gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from limen.active.canvas import COLOURS, LINES, drawing, entries, new_figure, set_axis, value_text
from limen.active.markers import draw_points
from limen.active.outputs import Output
from limen.active.problem import Estimate
from limen.active.spaces import Space
from limen.errors import ColumnError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from limen.active.campaign import Campaign

__all__ = ["draw_slice", "draw_slices", "slice_values"]

Floats = NDArray[np.float64]

_NEAR = 0.1
_CELLS = 90
_BAND = (0.16, 0.84)
_MOST_SLICES = 45


def slice_values(campaign: Campaign, fixed: Mapping[str, float] | None = None) -> dict[str, float]:
    """
    Where a slice lies: the user's values, and the middle of the range for the others.

    Parameters
    ----------
    campaign : Campaign
    fixed : mapping of str to float, optional
        In the parameters' units.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ColumnError
        If a name is no parameter.
    UsageError
        If a value lies outside its range.
    """
    space = campaign.problem.space
    chosen = dict(fixed or {})
    unknown = sorted(set(chosen) - set(space.names))
    if unknown:
        raise ColumnError(
            f"slice: found {', '.join(unknown)}, allowed the parameters {', '.join(space.names)}"
        )
    middle = space.to_physical(np.full((1, space.d), 0.5))[0]
    found = {}
    for item, value in zip(space.parameters, middle, strict=True):
        found[item.name] = float(chosen.get(item.name, value))
        if not item.low <= found[item.name] <= item.high:
            raise UsageError(
                f"slice {item.name}: found {found[item.name]:g}, allowed {item.low:g} to "
                f"{item.high:g}"
            )
    return found


def draw_slice(
    campaign: Campaign,
    x: str,
    y: str,
    *,
    fixed: Mapping[str, float] | None = None,
    outputs: Sequence[str] | None = None,
    near: float = _NEAR,
    cells: int = _CELLS,
) -> Figure:
    """
    Draw the contours of one slice, with their band, the points near it and the pending ones.

    Parameters
    ----------
    campaign : Campaign
    x, y : str
        The two parameters along the axes.
    fixed : mapping of str to float, optional
        Values of the others; the middle of their ranges by default.
    outputs : sequence of str, optional
        Those whose contours are drawn; all by default.
    near : float
        How far, in shares of the range along each other parameter, a point may lie off the slice.
    cells : int
        Resolution along each axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    figure, place = new_figure((6.6, 5.4)), slice_values(campaign, fixed)
    with drawing():
        axes = figure.add_subplot()
        _slice(axes, campaign, (x, y), place, outputs, near, cells)
        shown = entries([axes])
        figure.legend(
            list(shown.values()), list(shown), loc="outside upper center", ncols=3, frameon=False
        )
        others = [name for name in place if name not in (x, y)]
        axes.set_title(_where(campaign.problem.space, place, others, near), fontsize=8, loc="left")
    return figure


def draw_slices(
    campaign: Campaign,
    *,
    names: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    outputs: Sequence[str] | None = None,
    near: float = _NEAR,
    cells: int = 60,
) -> Figure:
    """
    Draw the slice of every pair of parameters, in a triangle.

    Parameters
    ----------
    names : sequence of str, optional
        The parameters whose pairs are drawn; all by default.
    campaign, fixed, outputs, near, cells
        As for :func:`draw_slice`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        If there is one parameter only, or more pairs than a page holds.
    """
    names = list(campaign.problem.space.names if names is None else names)
    pairs = list(combinations(range(len(names)), 2))
    if not 0 < len(pairs) <= _MOST_SLICES:
        raise UsageError(
            f"slices: found {len(names)} parameters, allowed 2 to 10; name those that are wanted"
        )
    if len(names) == 2:
        return draw_slice(campaign, *names, fixed=fixed, outputs=outputs, near=near, cells=_CELLS)
    place, size = slice_values(campaign, fixed), len(names) - 1
    width = max(2.6 * size, 6.0)
    figure = new_figure((width, 0.9 * width + 0.4))
    with drawing():
        grid = figure.subplots(size, size, squeeze=False)
        for row in range(size):
            for column in range(size):
                axes = grid[row][column]
                if column > row:
                    axes.set_axis_off()
                    continue
                pair = (names[column], names[row + 1])
                _slice(axes, campaign, pair, place, outputs, near, cells)
                axes.label_outer()
        shown = entries(grid)
        told_where = _where(campaign.problem.space, place, list(place), near, "\n")
        title = f"parameters that are not on the axes\n{told_where}"
        legend = figure.legend(
            list(shown.values()), list(shown), loc="upper right", frameon=False, title=title
        )
        legend.set_alignment("left")
        legend.get_title().set_fontsize(8)
    return figure


def _where(
    space: Space, place: Mapping[str, float], names: Sequence[str], near: float, between: str = " "
) -> str:
    """Say where a slice lies, and which points stand out."""
    if not names:
        return ""
    items = {item.name: item for item in space.parameters}
    most = 6 if between == " " else 12
    texts = [value_text(items[name], place[name]) for name in names[:most]]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    listed = f",{between}".join(texts)
    shown = f"grey: farther off than {100 * near:g} % of a range"
    return f"at {listed}{more};{between}{shown}"


def _slice(
    axes: Axes,
    campaign: Campaign,
    pair: tuple[str, str],
    place: Mapping[str, float],
    outputs: Sequence[str] | None,
    near: float,
    cells: int,
) -> None:
    """Draw one slice on given axes."""
    problem = campaign.problem
    space, history = problem.space, campaign.history()
    if len(set(pair)) != 2 or set(pair) - set(space.names):
        raise ColumnError(
            f"slice: found {pair[0]!r} and {pair[1]!r}, allowed two of {', '.join(space.names)}"
        )
    shown = [j for j, o in enumerate(problem.outputs) if outputs is None or o.name in outputs]
    centre = space.to_unit(np.array([[place[name] for name in space.names]]))[0]
    first, second = (space.names.index(name) for name in pair)
    u, xs, ys = _grid(space, centre, first, second, cells)
    kept = space.admissible(u)
    if history.known.any():
        estimate = campaign.strategy.estimate(history, u, campaign.memory)
        for number, j in enumerate(shown):
            _contours(axes, problem.outputs[j], estimate, j, number, kept, (xs, ys), cells)
    if not kept.all():
        outside = np.where(kept, np.nan, 1.0).reshape(cells, cells)
        axes.pcolormesh(xs, ys, outside, cmap="Greys", vmin=0, vmax=4, rasterized=True, zorder=0)
    draw_points(
        axes, history, space, centre, (first, second), near, shown[0] if shown else 0, problem
    )
    for axis, position in zip("xy", (first, second), strict=True):
        set_axis(axes, axis, space.parameters[position])


def _grid(
    space: Space, centre: Floats, first: int, second: int, cells: int
) -> tuple[Floats, Floats, Floats]:
    """Give the unit coordinates of a slice's cells, and their places along the axes."""
    along = np.linspace(0.0, 1.0, cells)
    u = np.tile(centre, (cells * cells, 1))
    u[:, first], u[:, second] = np.tile(along, cells), np.repeat(along, cells)
    physical = np.column_stack([item.to_physical(along) for item in space.parameters])
    return u, physical[:, first], physical[:, second]


def _contours(
    axes: Axes,
    output: Output,
    estimate: Estimate,
    j: int,
    number: int,
    kept: NDArray[np.bool_],
    ends: tuple[Floats, Floats],
    cells: int,
) -> None:
    """Draw the contours of one output, each where it is as likely below as above."""
    for k, threshold in enumerate(output.thresholds):
        p = np.where(kept, estimate.below[j][:, k], np.nan).reshape(cells, cells)
        colour, line = COLOURS[number % 7], LINES[(number + k) % 4]
        if not (np.nanmin(p) < _BAND[1] and np.nanmax(p) > _BAND[0]):
            continue
        if number == k == 0:
            axes.contourf(*ends, p, levels=[_BAND[1], 1.1], colors=[colour], alpha=0.07, zorder=0)
            below = value_text(output, threshold, "<")
            axes.fill_between([], [], color=colour, alpha=0.07, lw=0, label=f"{below}, predicted")
        axes.contourf(*ends, p, levels=list(_BAND), colors=[colour], alpha=0.25, zorder=1)
        axes.contour(
            *ends, p, levels=[0.5], colors=[colour], linestyles=[line], linewidths=1.6, zorder=3
        )
        name = value_text(output, threshold)
        axes.plot([], [], color=colour, ls=line, lw=1.6, label=name)
        axes.fill_between([], [], color=colour, alpha=0.25, lw=0, label=f"68 % band of {name}")
