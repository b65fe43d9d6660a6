"""How a campaign came along: stated error, changed labels and best value by points asked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from limen.active.assessing import changed_share, label_places, labels_after, misclassified_mass
from limen.active.canvas import (
    COLOURS,
    LINES,
    axis_label,
    drawing,
    new_figure,
    plain_ticks,
    value_text,
)
from limen.active.problem import OK, STATUSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from limen.active.assessments import Assessment
    from limen.active.campaign import Campaign

__all__ = ["Progress", "draw_progress", "progress"]

_SAMPLE = 4_000
_MOST = 12


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Figures after some of the rounds.

    Attributes
    ----------
    rounds : tuple of int
    asked : tuple of int
        Points asked until then, failed ones included.
    mass : ndarray, shape (rounds, labels)
        Expected misclassified prior mass.
    changed : ndarray, shape (rounds, labels)
        Share of labels changed since the entry before; NaN for the first.
    """

    rounds: tuple[int, ...]
    asked: tuple[int, ...]
    mass: NDArray[np.float64]
    changed: NDArray[np.float64]


def progress(campaign: Campaign, *, most: int = _MOST, sample: int = _SAMPLE) -> Progress:
    """
    Look back over the rounds: each figure by what is told now of the points asked until then.

    Parameters
    ----------
    campaign : Campaign
    most : int
        Number of rounds that are looked at, spread evenly; each costs a fit.
    sample : int
        Points of the prior.

    Returns
    -------
    Progress
    """
    table, places = campaign.queries, label_places(campaign)
    last = int(table["round"].max()) if len(table) else 0
    rounds = np.unique(np.linspace(1, last, min(most, last)).round())
    chosen = tuple(int(number) for number in rounds)
    estimates = [labels_after(campaign, number, sample)[1] for number in chosen] if places else []
    mass = [[misclassified_mass(e, j, k) for j, k, _ in places] for e in estimates]
    changed = [[np.nan] * len(places)] if estimates else []
    changed += [[changed_share(a, b, j, k) for j, k, _ in places] for a, b in pairwise(estimates)]
    shape = (len(estimates), len(places))
    return Progress(
        chosen,
        tuple(int((table["round"] <= number).sum()) for number in chosen),
        np.array(mass, dtype=np.float64).reshape(shape),
        np.array(changed, dtype=np.float64).reshape(shape),
    )


def draw_progress(
    campaign: Campaign, found: Progress | None = None, *, assessment: Assessment | None = None
) -> Figure:
    """
    Draw the progress: of the contours where there are thresholds, else of the best value.

    Parameters
    ----------
    campaign : Campaign
    found : Progress, optional
        If it was computed already.
    assessment : Assessment, optional
        Adds what was seen wrong on the reserved points, with its interval.

    Returns
    -------
    matplotlib.figure.Figure
    """
    outputs = campaign.problem.outputs
    if not label_places(campaign):
        figure = new_figure((6.6, 3.0 * len(outputs)))
        with drawing():
            for j, axes in enumerate(np.ravel(figure.subplots(len(outputs), 1, squeeze=False))):
                _best(axes, campaign, j)
        return figure
    made = progress(campaign) if found is None else found
    figure = new_figure((6.6, 5.2))
    with drawing():
        first, second = figure.subplots(2, 1, sharex=True)
        for number, (j, k, _) in enumerate(label_places(campaign)):
            style = {"color": COLOURS[number % 7], "ls": LINES[number % 4], "marker": "o", "ms": 3}
            name = value_text(outputs[j], outputs[j].thresholds[k])
            first.plot(made.asked, 100 * made.mass[:, number], label=name, **style)
            second.plot(made.asked, 100 * made.changed[:, number], label=name, **style)
        if assessment is not None:
            _reserved(first, assessment, made.asked[-1])
        first.set_ylabel("expected misclassified\nprior mass [%]")
        second.set_ylabel("labels changed since\nthe point before [%]")
        second.set_xlabel("points asked, failed ones included")
        first.set_yscale("log")
        plain_ticks(first.yaxis)
        first.grid(alpha=0.3, which="both", lw=0.5)
        second.grid(alpha=0.3, lw=0.5)
        first.legend(frameon=False)
    return figure


def _reserved(axes: Axes, assessment: Assessment, asked: int) -> None:
    """Draw what was seen wrong on the reserved points beside what is expected."""
    for number, label in enumerate(assessment.labels):
        if not label.reserved.n:
            continue
        low, high = (100 * end for end in label.reserved.interval)
        colour = COLOURS[number % 7]
        # A lower end of nothing wrong has no place on this axis.
        start = max(low, 100 * label.mass / 3)
        axes.plot([asked, asked], [start, high], lw=1.2, alpha=0.6, color=colour, zorder=1)
        text = f"seen wrong on {label.reserved.n} reserved points, 95 %"
        axes.plot(asked, high, "_", ms=9, color=colour, label=text if not number else None)
        if low > 0:
            axes.plot(asked, 100 * label.reserved.seen, "s", ms=4, color=colour)


def _best(axes: Axes, campaign: Campaign, j: int) -> None:
    """Draw the values of an output by points asked, with the best so far."""
    table, output = campaign.queries, campaign.problem.outputs[j]
    told_ones = (table["status"] == STATUSES[OK]).to_numpy(bool)
    number = np.arange(1, len(table) + 1)[told_ones]
    values = table[output.name].to_numpy(np.float64)[told_ones]
    axes.plot(number, values, "o", ms=3, color=COLOURS[0], label="evaluated")
    if len(values):
        best = np.maximum.accumulate(values)
        axes.step(number, best, where="post", color=COLOURS[1], label="largest so far")
        axes.legend(frameon=False)
    axes.set_xlabel("points asked, failed ones included")
    axes.set_ylabel(axis_label(output))
    axes.grid(alpha=0.3, lw=0.5)
