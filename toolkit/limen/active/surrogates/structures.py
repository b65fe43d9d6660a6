"""
Hyper-parameters of a process with oblique and additive terms, by marginal likelihood.

Where a search loses its sensitivity, it is often along a difference of masses, not along a mass:
``oblique`` distances are taken between mixtures of the parameters. The logarithm of a product of
cross section, branching ratio and efficiency is a sum: ``additive`` processes have two terms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.tasks import LEAST_NOISE
from limen.active.surrogates.terms import Term, evidence, minimised

__all__ = ["SMOOTH", "STRUCTURES", "fit_structure"]

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

SMOOTH = ("plain", "oblique", "additive")
"""Those among which one is chosen by how well it predicts."""

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
    kinds, d = STRUCTURES[structure], points.shape[1]
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    told = points, (values - centre) / scale, errors / scale
    first, free, bounds = _layout(kinds, d)
    if start is not None and len(start) == len(first):
        first = np.asarray(start, dtype=np.float64)

    # Many values say at once what few say in the end.
    fewer = max(_FEWER, int(free.sum()))
    iterations = fewer if len(values) >= _MANY else max(_ITERATIONS, fewer)
    found, _ = minimised(lambda raw: _loss(raw, told, kinds), first, free, bounds, iterations)
    return _told(found, kinds, d) | {
        "structure": structure,
        "centre": [centre],
        "scale": [scale],
        "raw": found.tolist(),
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
    x, y, e = told
    d = x.shape[1]
    noise = math.exp(p[-2])
    covariance = np.diag(noise + LEAST_NOISE + e**2)
    terms = []
    for i in range(len(kinds)):
        term = Term(p[i * _size(d) : (i + 1) * _size(d)], x, kinds[i] == "rough")
        covariance += term.covariance
        terms.append(term)
    loss, weights, slope = evidence(covariance, y - p[-1])
    gradient = [term.gradient(slope) for term in terms]
    gradient.append(np.array([noise * np.trace(slope), -weights.sum()]))
    penalty, steepness = _penalty(p, kinds, d)
    return loss + penalty, np.concatenate(gradient) + steepness


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
