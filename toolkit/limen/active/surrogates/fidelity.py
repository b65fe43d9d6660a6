"""
Warm starts: a cheap approximation as the first word on an expensive function.

Two ways: AR(1), y = ρ f + b + δ with a process for f and one for δ, and one process over both
(multitask). A guard weighs the approximation against the expensive values alone by how well each
predicts every expensive value from all others: a wrong approximation loses its say.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.averaging import Averaged, Surrogate, guard_weight
from limen.active.surrogates.coregional import CoregionalPosterior, posterior_of
from limen.active.surrogates.difference import fit_difference
from limen.active.surrogates.multitask import fit_multitask
from limen.active.surrogates.processes import fit_process
from limen.errors import UsageError

__all__ = ["METHODS", "Fit", "fit_with_approximation"]

Floats = NDArray[np.float64]

METHODS = ("auto", "none", "ar1", "multitask")
"""``auto``: AR(1), guarded. ``ar1`` and ``multitask``: the approximation is trusted."""

MOST_SOURCE_ROWS = 600
"""Values of an approximation that a process takes; of more, an even share is taken."""

MOST_EXPENSIVE = 500
"""With more expensive values an approximation has nothing left to say, and is left out."""

LEAST_ROWS = 4
"""With fewer expensive values nothing can be compared: the approximation is believed."""

# A say below this costs more time than it is worth.
_LEAST_WEIGHT = 0.01


class Fit(Protocol):
    """How the expensive values alone are fitted."""

    def __call__(
        self, points: Floats, values: Floats, errors: Floats, *, previous: Any = None
    ) -> Surrogate:
        """Fit values, shape (n, m), at points of shape (n, d)."""
        ...


def fit_with_approximation(
    points: Floats,
    values: Floats,
    errors: Floats,
    fidelity: NDArray[np.int8],
    fit: Fit,
    *,
    method: str = "auto",
    previous: Mapping[str, Any] | None = None,
) -> Surrogate:
    """
    Fit the expensive values with the help of approximations.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.
    values, errors : ndarray, shape (n, m)
        In the modelled scale; NaN where there is none.
    fidelity : ndarray of int, shape (n,)
        0 for the real thing, 1 and above for approximations. Of several, the one that predicts
        the expensive values best is taken, output by output.
    fit : callable
        How the expensive values alone are fitted.
    method : str
        One of ``METHODS``.
    previous : mapping, optional
        Hyper-parameters of an earlier fit.

    Returns
    -------
    Surrogate
        For the real thing.

    Raises
    ------
    UsageError
        If there is no such method.
    MissingExtraError
        If torch, gpytorch or botorch is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"fidelity: found {method!r}, allowed {', '.join(METHODS)}")
    real = fidelity == 0
    plain = fit(points[real], values[real], errors[real], previous=previous)
    if method == "none" or real.all():
        return plain
    known = dict((previous or {}).get("fidelity", {}).get("sources", {}))
    informed, weights, sources = [], [], {}
    for output in range(values.shape[1]):
        best, say = None, 0.0
        told = _Column(points, values[:, output], errors[:, output], fidelity)
        enough = len(told.at(0)[0]) > MOST_EXPENSIVE
        for level in [] if enough else sorted(set(fidelity[~real].tolist())):
            key = f"{output}/{level}"
            found = _informed(told, level, method, known.get(key))
            if found is None:
                continue
            candidate, sources[key] = found
            weight = _say(candidate, plain, output, told) if method == "auto" else 1.0
            if weight > max(say, _LEAST_WEIGHT):
                best, say = candidate, weight
        informed.append(best)
        weights.append(say if best is not None else 0.0)
    memory = {"weights": weights, "sources": sources}
    return Averaged(plain, tuple(informed), tuple(weights), memory)


@dataclass(frozen=True, slots=True)
class _Column:
    """One output: points (n, d), values, errors and fidelities (n,)."""

    points: Floats
    values: Floats
    errors: Floats
    fidelity: NDArray[np.int8]

    def at(self, level: int) -> tuple[Floats, Floats, Floats]:
        """Points, values and errors that were told at a level."""
        here = (self.fidelity == level) & np.isfinite(self.values)
        return self.points[here], self.values[here], self.errors[here]


def _say(candidate: CoregionalPosterior, plain: Surrogate, output: int, told: _Column) -> float:
    """Weigh a candidate against the plain fit."""
    if len(told.at(0)[0]) < LEAST_ROWS:
        return 1.0
    return guard_weight(candidate.leave_one_out(0), plain.leave_one_out(output))


def _informed(
    told: _Column, level: int, method: str, known: Mapping[str, Any] | None
) -> tuple[CoregionalPosterior, dict[str, Any]] | None:
    """Posterior of the real thing with an approximation, and what is worth remembering."""
    x, y, e = told.at(0)
    x_low, y_low, e_low = (array[:: _step(told, level)] for array in told.at(level))
    if len(x) < 2 or len(x_low) < LEAST_ROWS:
        return None
    if method == "multitask":
        rows, nothing = np.vstack([x, x_low]), np.full(len(x), np.nan)
        both = np.column_stack(
            [np.concatenate([y, np.full(len(x_low), np.nan)]), np.concatenate([nothing, y_low])]
        )
        error = np.column_stack([np.concatenate([e, e_low])] * 2)
        fitted = fit_multitask(rows, both, error, previous=known)
        return replace(fitted, outputs=(0,)), dict(fitted.hyperparameters)
    digest = zlib.crc32(np.concatenate([x_low.ravel(), y_low, e_low]).tobytes())
    numbers = dict(known or {})
    if numbers.get("digest") != digest:
        (found,) = fit_process(x_low, y_low[:, None], e_low[:, None]).fits
        numbers = dict(found) | {"digest": digest}
    first = np.zeros(len(x_low), np.intp)
    source = posterior_of(numbers, x_low, first, y_low, e_low, (0,))
    return _joined(source, (x_low, y_low, e_low), (x, y, e)), numbers


def _step(told: _Column, level: int) -> int:
    return max(1, math.ceil(len(told.at(level)[0]) / MOST_SOURCE_ROWS))


def _joined(
    source: CoregionalPosterior,
    cheap: tuple[Floats, Floats, Floats],
    dear: tuple[Floats, Floats, Floats],
) -> CoregionalPosterior:
    """Condition y = ρ f + b + δ on the values of both."""
    low = source.hyperparameters
    x, y, e = dear
    few = len(x) < LEAST_ROWS or float(y.std()) == 0
    centre, scale = (low["centre"][0], low["scale"][0]) if few else (y.mean(), y.std())
    found = fit_difference(x, (y - centre) / scale, e / scale, source)
    factor, constant = found["factor"], low["constants"][0]
    both = np.array([[1.0, factor], [factor, factor**2]])
    shared = [
        dict(term) | {"tasks": (term["tasks"][0][0] * both).tolist()} for term in low["terms"]
    ]
    left = [term | {"tasks": [[0.0, 0.0], [0.0, term["amplitude"]]]} for term in found["terms"]]
    numbers = {
        "terms": [*shared, *left],
        "noise": [low["noise"][0], found["noise"]],
        "slopes": [[0.0] * x.shape[1]] * 2,
        "constants": [constant, found["constant"] + factor * constant],
        "centre": [low["centre"][0], float(centre)],
        "scale": [low["scale"][0], float(scale)],
    }
    rows, values, errors = (np.concatenate(pair) for pair in zip(cheap, dear, strict=True))
    task = np.repeat(np.array([0, 1], np.intp), [len(cheap[0]), len(x)])
    return posterior_of(numbers, rows, task, values, errors, (1,))
