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
    "oblique": ("oblique",),
    "additive": ("straight", "oblique"),
}
"""Terms of a covariance; distances of a straight term are taken between the parameters."""

_ITERATIONS, _FEWER, _MANY = 200, 80, 200
# Normal priors (centre, width) of what is fitted to standardised values. The lengths have that of
# C. Hvarfner, E. Hellsten, L. Nardi, arXiv:2402.02229; those of a second term start shorter.
_NOISE, _MIXING, _STEP = (-10.0, 2.5), 0.3, 1.0
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
        If torch or scipy is not installed.
    """
    try:
        import torch
        from scipy.optimize import minimize
    except ImportError as error:
        raise MissingExtraError.of("torch and scipy", "active") from error
    kinds, d = STRUCTURES[structure], points.shape[1]
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    x, y, e = (
        torch.tensor(array, dtype=torch.float64)
        for array in (points, (values - centre) / scale, errors / scale)
    )
    first, free, bounds = _layout(kinds, d)
    if start is not None and len(start) == len(first):
        first = np.asarray(start, dtype=np.float64)

    def objective(raw: Floats) -> tuple[float, Floats]:
        p = torch.tensor(raw, requires_grad=True)
        try:
            loss = _loss(torch, p, (x, y, e), kinds)
        except RuntimeError:
            # Singular after a step that went too far: the line search takes a shorter one.
            return 1e10, np.zeros_like(raw)
        loss.backward()
        return float(loss), np.where(free, _gradient(p), 0.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Many values say at once what few say in the end.
        options = {"maxiter": _FEWER if len(values) >= _MANY else _ITERATIONS}
        found = minimize(
            objective, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
    return _told(found.x, kinds, d) | {
        "structure": structure,
        "centre": [centre],
        "scale": [scale],
        "raw": found.x.tolist(),
    }


def _gradient(p: Any) -> Floats:
    return np.asarray(p.grad.numpy())


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


def _loss(torch: Any, p: Any, told: Any, kinds: Sequence[str]) -> Any:
    """Negative logarithm of the marginal likelihood times the priors, up to a constant."""
    x, y, e = told
    d = x.shape[1]
    apart = 1 - torch.eye(d, dtype=x.dtype)
    covariance, penalty = torch.diag(torch.exp(p[-2]) + LEAST_NOISE + e**2), 0.0
    for i in range(len(kinds)):
        part = p[i * _size(d) : (i + 1) * _size(d)]
        lengths, amplitude = part[:d], part[d]
        mixing = part[d + 1 :].reshape(d, d) * apart
        mixed = x @ ((torch.eye(d, dtype=x.dtype) + mixing) / torch.exp(lengths)[:, None]).T
        norm = (mixed**2).sum(1)
        squared = norm[:, None] + norm[None, :] - 2 * mixed @ mixed.T
        distance = torch.sqrt(5 * squared.clamp_min(1e-12))
        matern = (1 + distance + distance**2 / 3) * torch.exp(-distance)
        covariance = covariance + torch.exp(2 * amplitude) * matern
        middle = math.sqrt(2) + math.log(d) / 2 - i * _STEP
        penalty = penalty + 0.5 * ((lengths - middle) ** 2).sum() / 3
        penalty = penalty + 0.5 * (amplitude + i * _STEP) ** 2
        penalty = penalty + 0.5 * (mixing**2).sum() / _MIXING**2
    penalty = penalty + 0.5 * ((p[-2] - _NOISE[0]) / _NOISE[1]) ** 2 + 0.5 * p[-1] ** 2
    factor = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(factor, (y - p[-1])[:, None], upper=False)
    return 0.5 * (white**2).sum() + torch.log(torch.diag(factor)).sum() + penalty


def _told(raw: Floats, kinds: Sequence[str], d: int) -> dict[str, Any]:
    terms: list[dict[str, Any]] = []
    for i, kind in enumerate(kinds):
        part = raw[i * _size(d) : (i + 1) * _size(d)]
        term = {
            "kernel": "matern",
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
