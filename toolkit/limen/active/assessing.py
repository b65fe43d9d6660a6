"""
State the error of a campaign's contours.

The error of a contour is the *expected misclassified prior mass*: the mean, over a fixed sample of
the prior, of the smaller of P(below) and P(above). It is a statement of the surrogate about
itself; so it comes with its calibration: what the same surrogate foretells, and what is seen, on
points that it has not learnt from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.active.assessments import Assessment, Foretold, LabelError
from limen.active.outputs import Output
from limen.active.populations import reserved_text
from limen.active.problem import OK, STATUSES, Estimate, History
from limen.confidence import wilson_interval
from limen.errors import UsageError

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = [
    "SAMPLE",
    "assess",
    "changed_share",
    "history_after",
    "is_crossed",
    "label_places",
    "labels_after",
    "misclassified_mass",
]

Floats = NDArray[np.float64]

SAMPLE = 20_000
_FOLDS = 10
# Apart from the streams of the reserved points and of the strategies.
_STREAM = 71_003
_FOLDED = "each tenth left out in turn; chosen to learn from, no sample of the prior"


def history_after(campaign: Campaign, rounds: int | None = None) -> History:
    """
    What was told of the points of the first rounds, in the order of asking; none reserved.

    Parameters
    ----------
    campaign : Campaign
    rounds : int, optional
        All of them by default.

    Returns
    -------
    History
        Without the reserved points, so that they may judge.
    """
    return _told(campaign, rounds).without_reserved()


def _told(campaign: Campaign, rounds: int | None = None) -> History:
    """Give what was told; what is pending says nothing about an error."""
    history = campaign.history(rounds)
    return replace(history, pending=np.empty((0, history.d)))


def labels_after(
    campaign: Campaign, rounds: int | None = None, n: int = SAMPLE
) -> tuple[Floats, Estimate | None]:
    """
    Estimate the fixed sample of the prior after some rounds.

    Returns
    -------
    points : ndarray, shape (at most n, d)
        Unit coordinates; of a pool its members, all or a random choice.
    estimate : Estimate or None
        None where nothing is known yet.
    """
    points = _asked_about(campaign, n)
    history = history_after(campaign, rounds)
    if not history.known.any():
        return points, None
    return points, campaign.strategy.estimate(history, points, campaign.memory)


def _asked_about(campaign: Campaign, n: int) -> Floats:
    """Give the fixed points that a stated error is a mean over."""
    pool = campaign.problem.pool
    if pool is None:
        return campaign.problem.space.sobol(n, [campaign.seed, _STREAM])
    if len(pool) <= n:
        return pool
    rng = np.random.default_rng([campaign.seed, _STREAM])
    return pool[np.sort(rng.choice(len(pool), n, replace=False))]


def assess(
    campaign: Campaign, *, sample: int = SAMPLE, rounds: int = 3, left_out: bool = True
) -> Assessment:
    """
    State the error of a campaign's contours.

    Everything rests on a surrogate that never saw the reserved points.

    Parameters
    ----------
    campaign : Campaign
    sample : int
        Size of the fixed Sobol sample of the prior, or of the pool if that is larger.
    rounds : int
        For how many of the last rounds to count changed labels.
    left_out : bool
        Also foretell the campaign's own points, each part left out in turn (ten more fits).

    Returns
    -------
    Assessment
    """
    if sample < 1 or rounds < 0:
        raise UsageError(f"assess: found sample {sample}, rounds {rounds}, allowed 1, 0 and above")
    whole = _told(campaign)
    mine = whole.without_reserved()
    reserved = whole.rows(whole.known & whole.reserved)
    now = whole.asks
    first = max(now - rounds, 1)
    estimates = [labels_after(campaign, r, sample)[1] for r in range(first, now)]
    estimates.append(labels_after(campaign, None, sample)[1])
    judged = _estimate(campaign, mine, reserved.points)
    own, folded = (
        _left_out(campaign, mine)
        if left_out
        else (mine.rows(_marked(mine, np.zeros(0, int))), None)
    )
    labels = [
        LabelError(
            output=output.name,
            threshold=threshold,
            mass=misclassified_mass(estimates[-1], j, k),
            below=_mean(estimates[-1], j, k),
            crossed=is_crossed(mine, j, level),
            changed=tuple(changed_share(a, b, j, k) for a, b in pairwise(estimates)),
            reserved=_foretold(judged, reserved, output, j, k, "never learnt from"),
            left_out=_foretold(folded, own, output, j, k, _FOLDED),
        )
        for j, output in enumerate(campaign.problem.outputs)
        for k, (threshold, level) in enumerate(zip(output.thresholds, output.levels, strict=True))
    ]
    status, pool = list(campaign.queries["status"]), campaign.problem.pool
    return Assessment(
        labels=tuple(labels),
        sample=sample if pool is None else min(sample, len(pool)),
        population=reserved_text(campaign.id, campaign.problem, len(reserved.points)),
        rounds=now,
        asked=len(status),
        counts={name: status.count(name) for name in (*STATUSES, "pending")},
        notes=tuple(_notes(labels, estimates[-1])),
    )


def _estimate(campaign: Campaign, history: History, points: Floats) -> Estimate | None:
    if not history.known.any() or not len(points):
        return None
    return campaign.strategy.estimate(history, points, campaign.memory)


def _left_out(campaign: Campaign, history: History) -> tuple[History, Estimate | None]:
    """Estimate the campaign's own known points, each tenth of them left out in turn."""
    places = np.flatnonzero(history.known & (np.arange(len(history.points)) >= history.warm))
    order = np.random.default_rng([campaign.seed, _STREAM]).permutation(places)
    if len(order) < 2:
        return history.rows(_marked(history, order[:0])), None
    found, parts = [], []
    for part in np.array_split(order, min(_FOLDS, len(order))):
        kept = ~_marked(history, part)
        if history.rows(kept).known.any():
            points = history.points[np.sort(part)]
            found.append(_estimate(campaign, history.rows(kept), points))
            parts.append(np.sort(part))
    rows = np.concatenate(parts)
    made = [estimate for estimate in found if estimate is not None]
    below = tuple(np.vstack(columns) for columns in zip(*(e.below for e in made), strict=True))
    mean = np.vstack([estimate.mean for estimate in made])
    std = np.vstack([estimate.std for estimate in made])
    back = np.argsort(rows)
    joined = Estimate(mean[back], std[back], tuple(column[back] for column in below))
    return history.rows(_marked(history, rows)), joined


def _marked(history: History, places: NDArray[Any]) -> NDArray[np.bool_]:
    marked = np.zeros(len(history.points), dtype=bool)
    marked[places] = True
    return marked


def misclassified_mass(estimate: Estimate | None, j: int, k: int) -> float:
    """Mean of the smaller of P(below) and P(above) for threshold ``k`` of output ``j``."""
    if estimate is None:
        # Nothing is known: a coin.
        return 0.5
    p = estimate.below[j][:, k]
    return float(np.minimum(p, 1.0 - p).mean())


def _mean(estimate: Estimate | None, j: int, k: int) -> float:
    return 0.5 if estimate is None else float((estimate.below[j][:, k] > 0.5).mean())


def changed_share(before: Estimate | None, after: Estimate | None, j: int, k: int) -> float:
    """Share of the same points whose label differs; all of them where one estimate is missing."""
    if before is None or after is None:
        return 1.0
    return float(((before.below[j][:, k] > 0.5) != (after.below[j][:, k] > 0.5)).mean())


def is_crossed(history: History, j: int, level: float) -> bool:
    """Whether known values or bounds of output ``j`` lie on both sides of a level."""
    values = history.values[history.known, j]
    return bool((values < level).any() and (values >= level).any())


def _foretold(
    estimate: Estimate | None, truth: History, output: Output, j: int, k: int, method: str
) -> Foretold:
    if estimate is None:
        return Foretold(float("nan"), float("nan"), (0.0, 1.0), 0, method)
    value, level = truth.values[:, j], output.levels[k]
    # A bound tells the side only if it lies beyond the level itself.
    bound = value >= level if output.censored == "above" else value < level
    sure = np.isfinite(value) & ((truth.status == OK) | bound)
    p = estimate.below[j][sure, k]
    wrong, n = (p > 0.5) != (value[sure] < level), int(sure.sum())
    if not n:
        return Foretold(float("nan"), float("nan"), (0.0, 1.0), 0, method)
    number = int(wrong.sum())
    predicted = float(np.minimum(p, 1.0 - p).mean())
    return Foretold(predicted, number / n, wilson_interval(number, n), n, method)


def _notes(labels: Sequence[LabelError], estimate: Estimate | None) -> Iterator[str]:
    if estimate is None:
        yield "No value is known yet: every label is a coin toss."
        return
    yield from estimate.notes
    for label in labels:
        where = f"{label.output} at {label.threshold:g}"
        if not label.crossed:
            yield (
                f"{where}: no value told lies on the other side of the threshold; the stated "
                "error is of little worth until one does."
            )
        elif label.reserved.n and not label.reserved.agrees:
            yield (
                f"{where}: {label.reserved.predicted:.3g} foretold and {label.reserved.seen:.3g} "
                f"seen wrong on {label.reserved.n} reserved points, beyond chance: believe the "
                "seen."
            )


def label_places(campaign: Campaign) -> list[tuple[int, int, float]]:
    """Give, for each label, positions of output and threshold, and the level as modelled."""
    return [
        (j, k, float(level))
        for j, output in enumerate(campaign.problem.outputs)
        for k, level in enumerate(output.levels)
    ]
