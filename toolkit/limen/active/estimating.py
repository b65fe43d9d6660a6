"""What Gaussian processes believe at points: the estimate that most strategies give."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.problem import CENSORED, Estimate, History, Problem
from limen.active.surrogates.averaging import Surrogate
from limen.active.surrogates.fidelity import fit_with_approximation
from limen.active.surrogates.multitask import fit_multitask
from limen.active.surrogates.processes import MOST_ROWS, fit_process
from limen.errors import MissingExtraError, TrainingError
from limen.remembering import Lately

__all__ = ["SURROGATES", "estimate_by_process", "fit_history", "probabilities"]

Floats = NDArray[np.float64]

SURROGATES = ("process", "rough", "multitask", "espejo")
"""
A process for each output, of the structure that predicts best, or of one for values that scatter;
one over all outputs, and the form of ATL-PHYS-PUB-2022-045.
"""

# Fits whose covariances have so many entries together are remembered.
_fits = Lately(10_000_000)
# Rounds in which a bound is replaced by what is expected beyond it.
_BOUND_ROUNDS = 2


def probabilities(problem: Problem, mean: Floats, std: Floats) -> tuple[Floats, ...]:
    """
    Probability below each threshold of each output.

    Parameters
    ----------
    problem : Problem
    mean, std : ndarray, shape (n, m)
        In the modelled scale.

    Returns
    -------
    tuple of ndarray, each of shape (n, t)
    """
    try:
        from scipy.special import ndtr
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    return tuple(
        np.asarray(ndtr((output.levels - mean[:, [j]]) / np.maximum(std[:, [j]], 1e-300)))
        for j, output in enumerate(problem.outputs)
    )


def fit_history(
    problem: Problem,
    history: History,
    memory: Mapping[str, Any],
    surrogate: str = "process",
    fidelity: str = "auto",
) -> Surrogate:
    """
    Fit a surrogate to what is known.

    Parameters
    ----------
    problem : Problem
    history : History
    memory : mapping
        ``hyperparameters`` of an earlier fit, if there was one.
    surrogate : str
        One of ``SURROGATES``.
    fidelity : str
        What rows of an approximation are for; see
        :data:`limen.active.surrogates.fidelity.METHODS`.

    Returns
    -------
    Surrogate

    Raises
    ------
    TrainingError
        If an output has fewer than two values.

    Notes
    -----
    The last fits are remembered: pictures and stated errors ask for the same ones again.

    A censored value is a bound. The process is fitted without it, then with the mean and the
    spread of what it expects beyond the bound in its place, as in one step of expectation
    maximisation.
    """
    valued = np.isfinite(history.values).any(axis=1) & np.isin(history.status, (0, CENSORED))
    rows = history.rows(valued)
    key = _key(problem, rows, memory.get("hyperparameters"), surrogate, fidelity)
    size = len(problem.outputs) * len(rows.points) ** 2
    return _fits.get(
        key, lambda: _fitted(problem, rows, memory, surrogate, fidelity), lambda _: size
    )


def _key(problem: Problem, rows: History, previous: Any, *words: str) -> bytes:
    digest = sha256()
    told = [[output.name, output.censored, output.levels.tolist()] for output in problem.outputs]
    digest.update(json.dumps([told, previous, words], sort_keys=True).encode())
    for array in (rows.points, rows.values, rows.errors, rows.status, rows.fidelity):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _fitted(
    problem: Problem, rows: History, memory: Mapping[str, Any], surrogate: str, fidelity: str
) -> Surrogate:
    bound = rows.status == CENSORED
    levels = [output.levels for output in problem.outputs]
    previous = memory.get("hyperparameters")

    def fit(points: Floats, values: Floats, errors: Floats, *, previous: Any = None) -> Surrogate:
        if surrogate in ("process", "rough"):
            structure = "auto" if surrogate == "process" else "rough"
            return fit_process(
                points, values, errors, previous=previous, levels=levels, structure=structure
            )
        form = "espejo" if surrogate == "espejo" else "free"
        return fit_multitask(points, values, errors, form=form, previous=previous)

    def of(values: Floats, errors: Floats, kept: NDArray[np.bool_]) -> Surrogate:
        return fit_with_approximation(
            rows.points[kept],
            values[kept],
            errors[kept],
            rows.fidelity[kept],
            fit,
            method=fidelity,
            previous=previous,
        )

    values, errors = rows.values.copy(), rows.errors.copy()
    enough = (np.isfinite(values[~bound & (rows.fidelity == 0)]).sum(axis=0) >= 2).all()
    if not enough:
        # Bounds alone: they are taken at their word, or nothing could be said at all.
        return of(values, errors, np.ones(len(bound), dtype=bool))
    posterior = of(values, errors, ~bound)
    for _ in range(_BOUND_ROUNDS if bound.any() else 0):
        mean, std = posterior.mean_std(rows.points[bound])
        for j, output in enumerate(problem.outputs):
            side = 1.0 if output.censored == "above" else -1.0
            limit = rows.values[bound, j]
            expected, spread = _beyond(side * mean[:, j], std[:, j], side * limit)
            values[bound, j] = np.where(np.isfinite(limit), side * expected, np.nan)
            errors[bound, j] = np.where(np.isfinite(limit), spread, 0.0)
        posterior = of(values, errors, np.ones(len(bound), dtype=bool))
    return posterior


def _beyond(mean: Floats, std: Floats, limit: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of a normal variable given that it lies above a limit."""
    from scipy.special import log_ndtr

    z = (limit - mean) / std
    ratio = np.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(-z))
    variance = np.clip(1 + z * ratio - ratio**2, 1e-6, 1.0)
    return np.maximum(mean + std * ratio, limit), std * np.sqrt(variance)


def estimate_by_process(
    problem: Problem,
    history: History,
    points: Floats,
    memory: Mapping[str, Any],
    surrogate: str = "process",
    fidelity: str = "auto",
) -> Estimate:
    """
    Estimate by Gaussian processes.

    Parameters
    ----------
    problem, history, memory, surrogate, fidelity
        As for :func:`fit_history`.
    points : ndarray, shape (n, d)
        Unit coordinates.

    Returns
    -------
    Estimate
        Of an output with fewer than two values a coin toss.
    """
    try:
        posterior = fit_history(problem, history, memory, surrogate, fidelity)
    except TrainingError as error:
        shape = (len(points), problem.m)
        below = tuple(np.full((len(points), len(o.thresholds)), 0.5) for o in problem.outputs)
        return Estimate(np.full(shape, np.nan), np.full(shape, np.nan), below, (str(error),))
    mean, std = posterior.mean_std(points)
    notes = []
    if np.count_nonzero(history.known) > MOST_ROWS:
        notes.append(
            f"A process is conditioned on {MOST_ROWS} of {np.count_nonzero(history.known)} values: "
            "half of them nearest the thresholds, the others spread evenly."
        )
    return Estimate(mean, std, probabilities(problem, mean, std), tuple(notes))
