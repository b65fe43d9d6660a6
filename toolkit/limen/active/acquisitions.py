"""
Acquisitions for level sets: how much is learnt about a contour by evaluating a point.

Sources: B. Bryan et al., Active learning for identifying function threshold boundaries, NIPS 2005
(straddle); V. Picheny et al., J. Mech. Des. 132 (2010) 071008, equations 9 to 12 (targeted IMSE);
J. Bect et al., Stat. Comput. 22 (2012) 773, section 3 (expected misclassification one step ahead);
ATLAS, ATL-PHYS-PUB-2022-045 (exclusion entropy).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from limen.errors import MissingExtraError

__all__ = ["ACQUISITIONS", "entropy", "misclassification", "straddle", "targeted_variance"]

Floats = NDArray[np.float64]

ACQUISITIONS = ("misclassification", "straddle", "entropy", "timse")


def straddle(mean: Floats, variance: Floats, level: float) -> Floats:
    """
    Half width of the 95 % interval less the distance from the level.

    Parameters
    ----------
    mean, variance : ndarray, shape (n,)
    level : float

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> straddle(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.0)
    array([1.96, 0.96])
    """
    return np.asarray(1.96 * np.sqrt(np.maximum(variance, 0.0)) - np.abs(mean - level))


def entropy(mean: Floats, variance: Floats, level: float) -> Floats:
    """
    Entropy of the label, −p ln p − (1 − p) ln(1 − p).

    Examples
    --------
    >>> entropy(np.zeros(1), np.ones(1), 0.0).round(4)
    array([0.6931])
    """
    try:
        from scipy.special import entr, ndtr
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    p = ndtr((level - mean) / np.sqrt(np.maximum(variance, 1e-300)))
    return np.asarray(entr(p) + entr(1 - p))


def targeted_variance(
    mean: Floats, variance: Floats, covariance: Floats, level: float, noise: float
) -> Floats:
    """
    By how much the variance falls, summed with the density of the level as weight.

    Parameters
    ----------
    mean, variance : ndarray, shape (n,)
    covariance : ndarray, shape (n, n)
    level, noise : float
        ``noise`` is a variance.

    Returns
    -------
    ndarray, shape (n,)
    """
    spread = np.maximum(variance, 1e-300)
    weight = np.exp(-0.5 * (mean - level) ** 2 / spread) / np.sqrt(2 * math.pi * spread)
    return np.asarray((covariance**2 @ weight) / (spread + noise))


def misclassification(
    mean: Floats,
    variance: Floats,
    covariance: Floats,
    level: float,
    noise: float,
    rows: NDArray[np.intp],
) -> Floats:
    """
    By how much the expected number of wrong labels falls, averaged over what is found.

    Parameters
    ----------
    mean, variance : ndarray, shape (n,)
        Of the points whose labels count.
    covariance : ndarray, shape (n, n)
    level, noise : float
        ``noise`` is a variance.
    rows : ndarray, shape (k,)
        Which of the points might be evaluated.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    MissingExtraError
        If scipy is not installed.

    Notes
    -----
    Of the variance s² of a point at a distance d from the level, an evaluation elsewhere takes the
    share ρ². The later mean and the value are jointly normal with correlation ρ, and their signs
    differ with probability 2 T(d/s, √(1 − ρ²)/ρ), where T is Owen's function (D. B. Owen, Ann.
    Math. Stat. 27 (1956) 1075).

    Examples
    --------
    A value far from the level tells nothing about its label, which is known.

    >>> mean, rows = np.array([0.0, 9.0]), np.arange(2)
    >>> misclassification(mean, np.ones(2), np.eye(2), 0.0, 0.0, rows).round(2)
    array([0.5, 0. ])
    """
    try:
        from scipy.special import ndtr, owens_t
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    spread = np.maximum(variance, 1e-300)
    away = np.abs(mean - level) / np.sqrt(spread)
    told = covariance[rows] ** 2 / ((spread[rows] + noise)[:, None] * spread)
    told = np.clip(told, 1e-12, 1 - 1e-12)
    wrong = 2 * owens_t(away, np.sqrt((1 - told) / told)).sum(axis=1)
    return np.asarray(ndtr(-away).sum() - wrong)
