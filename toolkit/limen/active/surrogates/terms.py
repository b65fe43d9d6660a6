"""Terms of a covariance, and how well values fit their sum: numbers and written-out derivatives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import MissingExtraError

__all__ = ["Term", "evidence", "minimised"]

Floats = NDArray[np.float64]


class Term:
    """Matern 5/2, or 3/2, of distances between mixtures of the parameters, with derivatives.

    Parameters
    ----------
    part : ndarray, shape (d + 1 + d * d,)
        Logarithms of the lengths, logarithm of the amplitude (a standard deviation), and the
        mixtures, row by row: of these what lies off the diagonal, which is one.
    x : ndarray, shape (n, d)
        Unit coordinates.
    rough : bool
        Matern 3/2.

    Attributes
    ----------
    covariance : ndarray, shape (n, n)
    """

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


def evidence(covariance: Floats, rest: Floats) -> tuple[float, Floats, Floats]:
    """
    Negative logarithm of a normal density, up to a constant, and its derivatives.

    Parameters
    ----------
    covariance : ndarray, shape (n, n)
        Overwritten.
    rest : ndarray, shape (n,)
        Values less their means.

    Returns
    -------
    loss : float
    weights : ndarray, shape (n,)
        Derivative by each value.
    slope : ndarray, shape (n, n)
        Derivative by each entry of the covariance.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the covariance is singular.

    Examples
    --------
    >>> evidence(np.array([[4.0]]), np.array([2.0]))[1]
    array([0.5])
    """
    from scipy.linalg.lapack import dpotrf, dpotri

    factor, fault = dpotrf(covariance, lower=1)
    if fault:
        raise np.linalg.LinAlgError
    lower, _ = dpotri(factor, lower=1)
    inverse = np.tril(lower) + np.tril(lower, -1).T
    weights = inverse @ rest
    loss = 0.5 * float(rest @ weights) + float(np.log(factor.diagonal()).sum())
    return loss, weights, 0.5 * (inverse - np.outer(weights, weights))


def minimised(
    loss: Callable[[Floats], tuple[float, Floats]],
    first: Floats,
    free: NDArray[np.bool_],
    bounds: Sequence[Any],
    iterations: int,
) -> tuple[Floats, float]:
    """
    Find where a loss is least.

    Parameters
    ----------
    loss : callable
        Value and derivatives; raises LinAlgError where there is none.
    first : ndarray, shape (k,)
        Where to start.
    free : ndarray of bool, shape (k,)
        What may move.
    bounds : sequence of pair of float
    iterations : int
        At most.

    Returns
    -------
    place : ndarray, shape (k,)
    loss : float
        1e10 if there is none even where it started.

    Raises
    ------
    MissingExtraError
        If scipy is not installed.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error

    def objective(raw: Floats) -> tuple[float, Floats]:
        try:
            value, gradient = loss(raw)
        except np.linalg.LinAlgError:
            # Singular after a step that went too far: the line search takes a shorter one.
            return 1e10, np.zeros_like(raw)
        return value, np.where(free, gradient, 0.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"maxiter": iterations}
        found = minimize(
            objective, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
    return found.x, float(found.fun)
