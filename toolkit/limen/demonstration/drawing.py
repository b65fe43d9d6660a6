"""Draw the example: best fit, toy threshold, and points from three densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.bsll import BsllLikelihood, likelihood
from limen.errors import UsageError

__all__ = ["LEVEL", "Facts", "draw", "find_facts"]

Array = np.ndarray[Any, Any]

LEVEL = 0.95
# ln L divided by this in the broad sample: it fills the band around the 95 % boundary.
TEMPERATURE = 4.0
_FEWEST_ROWS = 400


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What was computed once: best fit and threshold.

    Attributes
    ----------
    best_fit : ndarray, shape (10,)
    best_log_likelihood : float
    threshold : float
        Delta chi2 that 95 % of the toys at the best fit stay below.
    toys : int
        Pseudo-experiments at each of the two points.
    coverage : float
        Share of the toys at the Standard Model within the threshold.
    """

    best_fit: Array
    best_log_likelihood: float
    threshold: float
    toys: int
    coverage: float


def find_facts(rng: np.random.Generator, toys: int = 1000) -> Facts:
    """Find the best fit, and the toy threshold of the joint 95 % likelihood-ratio region."""
    model = likelihood()
    point, value = model.best_fit(rng)
    at_best = model.toys(point, toys, rng, starts=3)
    at_standard = model.toys(np.zeros(len(point)), toys, rng, starts=3)
    threshold = float(np.quantile(at_best, LEVEL))
    return Facts(point, value, threshold, toys, float((at_standard <= threshold).mean()))


def draw(n: int, rng: np.random.Generator, best_fit: Array) -> tuple[Array, Array, Array]:
    """
    Draw the scan: 40 % uniform in the box, 30 % tempered posterior, 30 % posterior.

    Parameters
    ----------
    n : int
        Rows, about; two benchmark rows (Standard Model, best fit) come on top.
    rng : numpy.random.Generator
    best_fit : ndarray, shape (10,)

    Returns
    -------
    points : ndarray, shape (m, 10)
    origin : ndarray of int8, shape (m,)
    walker : ndarray of int32, shape (m,)
        The chain a row is from; its own number for rows that are from none.

    Raises
    ------
    UsageError
        If the rows are too few for three parts.
    """
    if n < _FEWEST_ROWS:
        raise UsageError(f"rows: found {n}, allowed {_FEWEST_ROWS} or more")
    model = likelihood()
    each = max(n // 10 * 3 // 10, 10) * 10
    uniform = rng.uniform(model.low, model.high, (n - 2 * each, len(best_fit)))
    parts, origins, walkers = [uniform], [0] * len(uniform), list(range(len(uniform)))
    for origin, temperature in ((1, TEMPERATURE), (2, 1.0)):
        points, walker = _sample(model, each, temperature, best_fit, rng)
        parts.append(points)
        origins += [origin] * len(points)
        walkers += (walker + max(walkers) + 1).tolist()
    parts.append(np.vstack([np.zeros(len(best_fit)), best_fit]))
    origins += [3, 3]
    walkers += [max(walkers) + 1, max(walkers) + 2]
    return np.vstack(parts), np.array(origins, dtype=np.int8), np.array(walkers, dtype=np.int32)


def _sample(
    model: BsllLikelihood, n: int, temperature: float, best_fit: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """
    Sample L^(1/temperature) in the box by affine-invariant stretch moves.

    Source: Goodman and Weare 2010, doi:10.2140/camcos.2010.5.65, in two half-ensembles. The
    walkers start from minimisations with random starts, so that they know every valley.
    """
    keep, spacing, burn_in = 10, 40, 160
    size = -(-n // (2 * keep)) * 2
    starts = rng.uniform(model.low, model.high, (size, len(best_fit)))
    points, _ = model.minimise(starts, iterations=12)
    points += 1e-3 * (model.high - model.low) * rng.standard_normal(points.shape)
    points = np.clip(points, model.low, model.high)
    value = model.log_likelihood(points) / temperature
    half = size // 2
    kept: list[Array] = []
    for step in range(burn_in + keep * spacing):
        for first in (0, half):
            own = np.arange(first, first + half)
            other = points[rng.integers(half, size=half) + (half - first)]
            stretch = (1.0 + rng.random(half)) ** 2 / 2.0
            trial = other + stretch[:, None] * (points[own] - other)
            inside = ((trial >= model.low) & (trial <= model.high)).all(axis=1)
            new = np.full(half, -np.inf)
            new[inside] = model.log_likelihood(trial[inside]) / temperature
            gain = (trial.shape[1] - 1) * np.log(stretch) + new - value[own]
            taken = np.log(rng.random(half)) < gain
            points[own[taken]], value[own[taken]] = trial[taken], new[taken]
        if step >= burn_in and (step - burn_in) % spacing == spacing - 1:
            kept.append(points.copy())
    walker = np.tile(np.arange(size), len(kept))
    return np.vstack(kept)[:n], walker[:n]
