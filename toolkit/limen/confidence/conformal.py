"""Split-conformal sets and intervals: what holds the truth as often as calibrated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "class_scores",
    "conformal_interval",
    "conformal_quantile",
    "conformal_sets",
    "interval_scores",
    "stated_quantile",
]

Floats = NDArray[np.float64]


def class_scores(p: ArrayLike, y: ArrayLike) -> Floats:
    """
    Conformal score of each row: one minus the probability of its true class.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Probability of the label being 1, or of each class.
    y : array_like, shape (n,)
        Labels, counted from 0.

    Returns
    -------
    ndarray, shape (n,)
        Score [1], from 0 to 1.
    """
    table, labels = _by_class(p), np.asarray(y, dtype=np.int64)
    return 1.0 - table[np.arange(len(table)), labels]


def _by_class(p: ArrayLike) -> Floats:
    raw = np.asarray(p, dtype=np.float64)
    return np.column_stack([1.0 - raw, raw]) if raw.ndim == 1 else raw


def conformal_quantile(scores: ArrayLike, level: float) -> float:
    """
    Quantile of calibration scores with the finite-sample guarantee of coverage.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of calibration rows.
    level : float
        Wanted coverage [1], below 1.

    Returns
    -------
    float
        The ceil((n + 1) level)-th smallest score; infinite if there are too few rows.

    Notes
    -----
    Source: V. Vovk et al., Algorithmic Learning in a Random World, 2005; A. Angelopoulos and
    S. Bates, arXiv:2107.07511, section 1.

    Examples
    --------
    >>> conformal_quantile(range(1, 20), 0.95), conformal_quantile(range(1, 19), 0.95)
    (19.0, inf)
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    # Without the allowance 20 * 0.95 rounds up to the 20th of 19 rows.
    rank = math.ceil((ordered.size + 1) * level - 1e-9)
    return math.inf if rank > ordered.size else float(ordered[max(rank, 1) - 1])


def stated_quantile(entry: Mapping[str, Any]) -> float:
    """
    Read the quantile of a card's conformal entry.

    Parameters
    ----------
    entry : mapping
        Of kind ``conformal``.

    Returns
    -------
    float
        Infinite where the entry says null: too few rows to rule anything out.

    Examples
    --------
    >>> stated_quantile({"quantile": 0.25}), stated_quantile({"quantile": None})
    (0.25, inf)
    """
    quantile = entry["quantile"]
    return math.inf if quantile is None else float(quantile)


def conformal_sets(p: ArrayLike, quantile: float) -> NDArray[np.bool_]:
    """
    Classes that cannot be ruled out.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Probability of the label being 1, or of each class.
    quantile : float
        From `conformal_quantile` of `class_scores`.

    Returns
    -------
    ndarray of bool, shape (n, classes)
        Two columns for a binary label. All or none of a row says: uncertain.

    Examples
    --------
    >>> conformal_sets([0.5, 0.99], 0.6).tolist()
    [[True, True], [False, True]]
    """
    return np.asarray(1.0 - _by_class(p) <= quantile)


def interval_scores(y_u: ArrayLike, mean_u: ArrayLike, std_u: ArrayLike | None = None) -> Floats:
    """
    Conformal score of a regression: the distance from the mean, in standard deviations if given.

    Parameters
    ----------
    y_u, mean_u : array_like, shape (n,)
        Truth and answer, both on the scale that the model learnt (u).
    std_u : array_like, shape (n,), optional
        Standard deviation of the answer, on the same scale, positive.

    Returns
    -------
    ndarray, shape (n,)
        Score.
    """
    distance = np.abs(np.asarray(y_u, dtype=np.float64) - np.asarray(mean_u, dtype=np.float64))
    return distance if std_u is None else distance / np.asarray(std_u, dtype=np.float64)


def conformal_interval(
    mean_u: ArrayLike, quantile: float, std_u: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """
    Interval around each answer that holds the truth as often as calibrated.

    Parameters
    ----------
    mean_u, std_u : array_like, shape (n,)
        As given to `interval_scores`.
    quantile : float
        From `conformal_quantile` of `interval_scores`.

    Returns
    -------
    lower, upper : ndarray, shape (n,)
        Ends of the interval on the same scale.
    """
    mean = np.asarray(mean_u, dtype=np.float64)
    half = quantile * (np.ones_like(mean) if std_u is None else np.asarray(std_u, dtype=np.float64))
    return mean - half, mean + half
