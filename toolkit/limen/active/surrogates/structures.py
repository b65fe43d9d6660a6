"""
Hyper-parameters of a process with oblique and additive terms, by marginal likelihood.

Where a search loses its sensitivity, it is often along a difference of masses, not along a mass:
``oblique`` distances are taken between mixtures of the parameters. The logarithm of a product of
cross section, branching ratio and efficiency is a sum: ``additive`` processes have two terms.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.tasks import LEAST_NOISE
from limen.errors import MissingExtraError

__all__ = ["STRUCTURES", "fit_structure"]

Floats = NDArray[np.float64]

STRUCTURES: Mapping[str, tuple[str, ...]] = {
    "plain": ("straight",),
    "rough": ("rough",),
    "oblique": ("oblique",),
    "additive": ("straight", "oblique"),
}
"""
Terms of a covariance: distances of a straight term are taken between the parameters; so are those
of a rough one, Matern 3/2, whose functions have kinks.
"""

_ITERATIONS, _FEWER, _MANY = 200, 80, 200
# Normal priors (centre, width) of what is fitted to standardised values. The lengths have that of
# C. Hvarfner, E. Hellsten, L. Nardi, arXiv:2402.02229; those of a second term start shorter.
_NOISE, _SCATTER, _MIXING, _STEP = (-10.0, 2.5), -6.0, 0.3, 1.0
_LENGTHS, _NOISES = (math.log(0.02), math.log(100.0)), (-14.0, 2.0)


def fit_structure(
    points: Floats,
    values: Floats,
    errors: Floats,
    structure: str,
    start: Sequence[float] | None = None,
) -> dict[str, Any]:
    """
    Find the hyper-parameters of the largest marginal likelihood, times weak priors.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.
    values, errors : ndarray, shape (n,)
        In the modelled scale.
    structure : str
        A key of ``STRUCTURES``.
    start : sequence of float, optional
        ``raw`` of an earlier fit.

    Returns
    -------
    dict
        As :class:`limen.active.surrogates.coregional.CoregionalPosterior` has them, and
        ``structure`` and ``raw``.

    Raises
    ------
    MissingExtraError
        If scipy is not installed.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    kinds, d = STRUCTURES[structure], points.shape[1]
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    told = points, (values - centre) / scale, errors / scale
    first, free, bounds = _layout(kinds, d)
    if start is not None and len(start) == len(first):
        first = np.asarray(start, dtype=np.float64)

    def objective(raw: Floats) -> tuple[float, Floats]:
        try:
            loss, gradient = _loss(raw, told, kinds)
        except np.linalg.LinAlgError:
            # Singular after a step that went too far: the line search takes a shorter one.
            return 1e10, np.zeros_like(raw)
        return loss, np.where(free, gradient, 0.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Many values say at once what few say in the end.
        fewer = max(_FEWER, int(free.sum()))
        options = {"maxiter": fewer if len(values) >= _MANY else max(_ITERATIONS, fewer)}
        found = minimize(
            objective, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
    return _told(found.x, kinds, d) | {
        "structure": structure,
        "centre": [centre],
        "scale": [scale],
        "raw": found.x.tolist(),
    }


def _size(d: int) -> int:
    return d + 1 + d * d


def _layout(kinds: Sequence[str], d: int) -> tuple[Floats, NDArray[np.bool_], list[Any]]:
    """Start, what is free, and bounds: for each term lengths, amplitude, mixing; noise, mean."""
    starts, free, bounds = [], [], []
    for i, kind in enumerate(kinds):
        lengths = np.full(d, math.log(0.5 * math.sqrt(d)) - i * _STEP)
        starts += [lengths, np.array([-i * _STEP]), np.zeros(d * d)]
        oblique = (~np.eye(d, dtype=bool)).ravel() & (kind == "oblique")
        free += [np.ones(d + 1, dtype=bool), oblique]
        bounds += [_LENGTHS] * d + [(-5.0, 4.0)] + [(-3.0, 3.0)] * (d * d)
    starts.append(np.array([math.log(1e-3), 0.0]))
    free.append(np.ones(2, dtype=bool))
    return np.concatenate(starts), np.concatenate(free), [*bounds, _NOISES, (-5.0, 5.0)]


def _loss(
    p: Floats, told: tuple[Floats, Floats, Floats], kinds: Sequence[str]
) -> tuple[float, Floats]:
    """Negative logarithm of the marginal likelihood times the priors, up to a constant."""
    from scipy.linalg.lapack import dpotrf, dpotri

    x, y, e = told
    d = x.shape[1]
    noise = math.exp(p[-2])
    covariance = np.diag(noise + LEAST_NOISE + e**2)
    terms = []
    for i in range(len(kinds)):
        term = _Term(p[i * _size(d) : (i + 1) * _size(d)], x, kinds[i] == "rough")
        covariance += term.covariance
        terms.append(term)
    factor, fault = dpotrf(covariance, lower=1)
    if fault:
        raise np.linalg.LinAlgError
    lower, _ = dpotri(factor, lower=1)
    inverse = np.tril(lower) + np.tril(lower, -1).T
    rest = y - p[-1]
    weights = inverse @ rest
    loss = 0.5 * float(rest @ weights) + float(np.log(factor.diagonal()).sum())
    # Derivative by each entry of the covariance.
    slope = 0.5 * (inverse - np.outer(weights, weights))
    gradient = [term.gradient(slope) for term in terms]
    gradient.append(np.array([noise * np.trace(slope), -weights.sum()]))
    penalty, steepness = _penalty(p, kinds, d)
    return loss + penalty, np.concatenate(gradient) + steepness


class _Term:
    """Matern 5/2, or 3/2, of distances between mixtures of the parameters, with derivatives."""

    def __init__(self, part: Floats, x: Floats, rough: bool) -> None:
        d = x.shape[1]
        self._x, self._lengths = x, np.exp(part[:d])
        mixing = part[d + 1 :].reshape(d, d) * (1 - np.eye(d)) + np.eye(d)
        self._mixing = mixing / self._lengths[:, None]
        self._mixed = x @ self._mixing.T
        norm = (self._mixed**2).sum(axis=1)
        squared = norm[:, None] + norm[None, :] - 2 * self._mixed @ self._mixed.T
        distance = np.sqrt((3 if rough else 5) * np.maximum(squared, 1e-12))
        decay = math.exp(2 * part[d]) * np.exp(-distance)
        if rough:
            self.covariance = (1 + distance) * decay
            self._by_squared = -3 / 2 * decay
        else:
            self.covariance = (1 + distance + distance**2 / 3) * decay
            self._by_squared = -5 / 6 * (1 + distance) * decay

    def gradient(self, slope: Floats) -> Floats:
        """Derivatives by log lengths, log amplitude and mixing, given those by the covariance."""
        d = self._x.shape[1]
        by_squared = slope * self._by_squared
        by_mixed = 4 * (by_squared.sum(axis=1)[:, None] * self._mixed - by_squared @ self._mixed)
        by_scaled = by_mixed.T @ self._x
        by_mixing = by_scaled / self._lengths[:, None] * (1 - np.eye(d))
        return np.concatenate(
            [
                -(by_scaled * self._mixing).sum(axis=1),
                [2 * (slope * self.covariance).sum()],
                by_mixing.ravel(),
            ]
        )


def _penalty(p: Floats, kinds: Sequence[str], d: int) -> tuple[float, Floats]:
    """Negative logarithm of the priors, and its derivatives."""
    middle, width = [], []
    for i in range(len(kinds)):
        middle += [math.sqrt(2) + math.log(d) / 2 - i * _STEP] * d + [-i * _STEP] + [0.0] * (d * d)
        width += [math.sqrt(3)] * d + [1.0] + [_MIXING] * (d * d)
    # Values with kinks scatter.
    noise = _SCATTER if "rough" in kinds else _NOISE[0]
    away = (p - np.array([*middle, noise, 0.0])) / np.array([*width, _NOISE[1], 1.0])
    return 0.5 * float(away @ away), away / np.array([*width, _NOISE[1], 1.0])


def _told(raw: Floats, kinds: Sequence[str], d: int) -> dict[str, Any]:
    terms: list[dict[str, Any]] = []
    for i, kind in enumerate(kinds):
        part = raw[i * _size(d) : (i + 1) * _size(d)]
        term = {
            "kernel": "rough" if kind == "rough" else "matern",
            "lengths": np.exp(part[:d]).tolist(),
            "tasks": [[math.exp(2 * part[d])]],
        }
        if kind == "oblique":
            mixing = part[d + 1 :].reshape(d, d) * (1 - np.eye(d)) + np.eye(d)
            term["mixing"] = mixing.tolist()
        terms.append(term)
    return {
        "terms": terms,
        "noise": [math.exp(raw[-2]) + LEAST_NOISE],
        "slopes": [[0.0] * d],
        "constants": [float(raw[-1])],
    }
