"""What is believed by networks: values with an error, probabilities of labels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from limen.active.problem import OK, Estimate, History, Problem
from limen.active.surrogates.network_training import held_out
from limen.active.surrogates.networks import Network
from limen.active.targets import below

__all__ = ["all_below", "estimate_by_labels", "estimate_by_values", "temperature", "values_of"]

Floats = NDArray[np.float64]

_FEWEST = 8
_SMALLEST = 1e-12
_TEMPERATURES = np.geomspace(0.25, 8.0, 61)


def all_below(problem: Problem, told: History) -> Floats:
    """Label rows by whether each output lies below each of its thresholds, shape (n, labels)."""
    labels = [
        below(told, i, output, level)
        for i, output in enumerate(problem.outputs)
        for level in output.levels
    ]
    return np.column_stack(labels) if labels else np.empty((len(told.points), 0))


def values_of(told: History) -> Floats:
    """Give the values of rows that are neither bounds nor broken, NaN elsewhere, shape (n, m)."""
    return np.where((told.status == OK)[:, None], told.values, np.nan)


def temperature(p: Floats, labels: Floats) -> float:
    """
    Give the temperature by which log-odds are divided so that the labels are most likely.

    Parameters
    ----------
    p : ndarray, shape (n,)
        Probabilities of rows that did not train.
    labels : ndarray, shape (n,)
        0 or 1.

    Returns
    -------
    float
        From 0.25 to 8; 1 if there are fewer than 8 rows.

    Notes
    -----
    Guo et al., arXiv:1706.04599.
    """
    if len(p) < _FEWEST:
        return 1.0
    sign = 2 * labels - 1
    odds = _log_odds(p)
    losses = [np.logaddexp(0, -sign * odds / t).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def estimate_by_labels(
    problem: Problem, told: History, p_told: Floats, p_points: Floats, share: float
) -> Estimate:
    """
    Turn probabilities of labels into an estimate; there is no mean of a value.

    Parameters
    ----------
    problem : Problem
    told : History
        Rows that trained, and among them those held out.
    p_told, p_points : ndarray, shape (n, labels)
        Probabilities to lie below the thresholds, at told rows and where asked.
    share : float
        Share of the rows that was held out.

    Returns
    -------
    Estimate
        With probabilities at the temperature that fits the held-out rows.
    """
    labels = all_below(problem, told)
    usable = np.isfinite(labels).any(axis=1)
    held = np.zeros(len(labels), dtype=bool)
    held[usable] = held_out(told.points[usable], share)
    columns = []
    for j in range(labels.shape[1]):
        rows = held & np.isfinite(labels[:, j])
        warmth = temperature(p_told[rows, j], labels[rows, j])
        columns.append(1 / (1 + np.exp(-_log_odds(p_points[:, j]) / warmth)))
    nothing = np.full((len(p_points), problem.m), np.nan)
    notes = (
        "probabilities of a classifier, at the temperature that fits its held-out rows; a "
        "classifier has no mean of the values",
    )
    return Estimate(nothing, nothing.copy(), _by_output(problem, columns, len(p_points)), notes)


def estimate_by_values(
    problem: Problem, network: Network, told: History, points: Floats
) -> Estimate:
    """
    Turn predicted values into an estimate, with the spread of held-out residuals.

    Parameters
    ----------
    problem : Problem
    network : Network
        A regressor of all outputs.
    told : History
        Rows that trained, and among them those held out.
    points : ndarray, shape (n, d)

    Returns
    -------
    Estimate
    """
    values = values_of(told)
    usable = np.isfinite(values).any(axis=1)
    values, known = values[usable], told.points[usable]
    held = held_out(known, network.settings.held_out)
    mean = network.predict(points)
    at_held, residuals = network.predict(known[held]), values[held]
    std = np.empty_like(mean)
    columns = []
    for i, output in enumerate(problem.outputs):
        known_here = np.isfinite(residuals[:, i])
        predicted = at_held[known_here, i]
        least = 1.25 * float(network.loss * network.scale[i])
        std[:, i] = _spread(predicted, residuals[known_here, i] - predicted, mean[:, i], least)
        columns += [_normal_cdf((level - mean[:, i]) / std[:, i]) for level in output.levels]
    notes = (
        "errors are those of a network at held-out rows of the scan with a like prediction, which "
        "are not a sample of the prior",
    )
    return Estimate(mean, std, _by_output(problem, columns, len(points)), notes)


def _spread(predicted: Floats, residuals: Floats, asked: Floats, usual: float) -> Floats:
    """Give the 68 % quantile of the residuals whose prediction is next to the one asked."""
    n = len(predicted)
    if n < _FEWEST:
        return np.full(len(asked), max(usual, _SMALLEST))
    order = np.argsort(predicted, kind="stable")
    predicted, size = predicted[order], np.abs(residuals[order])
    width = min(n, max(30, n // 20))
    starts = np.unique(np.linspace(0, n - width, 40).astype(int))
    centres = np.array([np.median(predicted[s : s + width]) for s in starts])
    spreads = np.array([np.quantile(size[s : s + width], 0.683) for s in starts])
    return np.asarray(np.maximum(np.interp(asked, centres, spreads), _SMALLEST))


def _by_output(problem: Problem, columns: list[Floats], n: int) -> tuple[Floats, ...]:
    """Group probabilities by output; of a higher threshold none is lower."""
    found, start = [], 0
    for output in problem.outputs:
        number = len(output.thresholds)
        here = columns[start : start + number]
        start += number
        table = np.column_stack(here) if here else np.empty((n, 0))
        found.append(np.maximum.accumulate(table, axis=1) if number else table)
    return tuple(found)


def _log_odds(p: Floats) -> Floats:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(p) - np.log1p(-p))


def _normal_cdf(z: Floats) -> Floats:
    """Give the normal distribution function, shape as ``z``."""
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    return np.asarray(0.5 * erfc(-z / math.sqrt(2)))
