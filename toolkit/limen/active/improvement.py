"""
Acquisitions for optimisation: what a point may improve on the best one, as logarithms.

Far from the optimum an expected improvement underflows and all points look alike; its logarithm
does not. All functions maximise: for a minimum, turn the sign of ``mean`` and ``best``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from limen.errors import MissingExtraError, ShapeError, UsageError

__all__ = [
    "ACQUISITIONS",
    "acquire",
    "log_expected_improvement",
    "log_probability_of_improvement",
    "upper_confidence_bound",
]

Floats = NDArray[np.float64]

ACQUISITIONS = ("ei", "pi", "ucb")

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)
_ROOT_HALF_PI = math.sqrt(math.pi / 2)
# Below this many standard deviations the direct formula loses digits; from the second on, all.
_NEAR, _FAR = -1.0, -1e6
# Its square root and square are still numbers.
_LEAST = 1e-100


def _deviation(mean: Floats, std: Floats, best: float) -> Floats:
    if mean.shape != std.shape:
        raise ShapeError(f"improvement: found mean {mean.shape} and std {std.shape}, allowed equal")
    return (mean - best) / np.maximum(std, _LEAST)


def log_probability_of_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """
    Logarithm of the probability that a value exceeds the best one.

    Parameters
    ----------
    mean : ndarray, shape (n,)
        Posterior mean of the objective, in its unit.
    std : ndarray, shape (n,)
        Posterior standard deviation, in the same unit.
    best : float
        What is to be exceeded, in the same unit.

    Returns
    -------
    ndarray, shape (n,)
        log Φ((mean - best) / std) [1].

    Raises
    ------
    ShapeError
        If ``mean`` and ``std`` differ in shape.
    MissingExtraError
        If scipy is not installed.

    Notes
    -----
    Source: H. J. Kushner, J. Basic Eng. 86 (1964) 97. In the search for a minimum this is the
    usual P(f < f*) = Φ((f* - μ) / σ).

    Examples
    --------
    >>> log_probability_of_improvement(np.array([0.0]), np.array([1.0]), 0.0).round(4)
    array([-0.6931])
    """
    try:
        from scipy.special import log_ndtr
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    logarithm: Floats = log_ndtr(_deviation(mean, std, best))
    return logarithm


def log_expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """
    Logarithm of the expected excess over the best value.

    Parameters
    ----------
    mean, std : ndarray, shape (n,)
        Posterior mean and standard deviation of the objective, in its unit.
    best : float
        What is to be exceeded, in the same unit.

    Returns
    -------
    ndarray, shape (n,)
        log E[max(y - best, 0)], the logarithm of a number in the unit of the objective.

    Raises
    ------
    ShapeError
        If ``mean`` and ``std`` differ in shape.
    MissingExtraError
        If scipy is not installed.

    Notes
    -----
    Source: S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, Unexpected Improvements to
    Expected Improvement for Bayesian Optimization, NeurIPS 2023, arXiv:2310.20708, section 4.

    Examples
    --------
    >>> near, far = log_expected_improvement(np.array([0.0, -60.0]), np.array([1.0, 1.0]), 0.0)
    >>> bool(round(near, 4) == -0.9189 and -1820 < far < -1800)
    True
    """
    try:
        from scipy.special import erfcx, ndtr
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    z = _deviation(mean, std, best)
    log_density = -0.5 * z**2 - _LOG_ROOT_TWO_PI
    near, far = z > _NEAR, z <= _FAR
    logarithm = np.empty_like(z)
    logarithm[near] = np.log(np.exp(log_density[near]) + z[near] * ndtr(z[near]))
    between = ~near & ~far
    # φ + z Φ = φ (1 + z √(π/2) erfcx(-z/√2)): the density is taken out before it underflows
    mills = z[between] * erfcx(-z[between] / math.sqrt(2)) * _ROOT_HALF_PI
    logarithm[between] = log_density[between] + np.log1p(np.maximum(mills, -1 + 1e-15))
    logarithm[far] = log_density[far] - 2 * np.log(-z[far])
    return logarithm + np.log(np.maximum(std, _LEAST))


def upper_confidence_bound(mean: Floats, std: Floats, beta: float) -> Floats:
    """
    Mean plus so many standard deviations.

    Parameters
    ----------
    mean, std : ndarray, shape (n,)
        Posterior mean and standard deviation of the objective, in its unit.
    beta : float
        Weight of the standard deviation [1], not below 0.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of the objective.

    Raises
    ------
    ShapeError
        If ``mean`` and ``std`` differ in shape.

    Notes
    -----
    Source: N. Srinivas, A. Krause, S. Kakade, M. Seeger, arXiv:0912.3995, equation 6, where
    ``beta`` is the root of theirs.

    Examples
    --------
    >>> upper_confidence_bound(np.array([1.0]), np.array([0.5]), 2.0)
    array([2.])
    """
    if mean.shape != std.shape:
        raise ShapeError(f"improvement: found mean {mean.shape} and std {std.shape}, allowed equal")
    return mean + beta * std


def acquire(name: str, mean: Floats, std: Floats, best: float, beta: float) -> Floats:
    """
    Value of a named acquisition; the larger, the rather is the point evaluated.

    Parameters
    ----------
    name : str
        One of ``ACQUISITIONS``.
    mean, std : ndarray, shape (n,)
        Posterior mean and standard deviation of the objective, in its unit.
    best : float
        Best value so far; not used by ``ucb``.
    beta : float
        Weight of the standard deviation in ``ucb`` [1].

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    UsageError
        If there is no such acquisition.
    """
    if name == "ei":
        return log_expected_improvement(mean, std, best)
    if name == "pi":
        return log_probability_of_improvement(mean, std, best)
    if name == "ucb":
        return upper_confidence_bound(mean, std, beta)
    raise UsageError(f"acquisition: found {name!r}, allowed {', '.join(ACQUISITIONS)}")
