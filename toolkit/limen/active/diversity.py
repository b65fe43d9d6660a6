"""Diverse batches: points far from one another and from what is known, by greedy choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.errors import MissingExtraError

__all__ = ["farthest_first", "nearest_distances"]

Floats = NDArray[np.float64]

# Distances of a block of candidates to all known points are held at once.
_CELLS = 4_000_000
_TREE_INPUTS = 8


def nearest_distances(points: Floats, others: Floats) -> Floats:
    """
    Give the distance of each point to the nearest of some others.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    others : ndarray, shape (k, d)

    Returns
    -------
    ndarray, shape (n,)
        Infinite if there are no others.

    Examples
    --------
    >>> nearest_distances(np.array([[0.0], [0.5]]), np.array([[0.1], [1.0]])).round(6)
    array([0.1, 0.4])
    """
    if not len(others) or not len(points):
        return np.full(len(points), np.inf)
    try:
        from scipy.spatial import KDTree
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    if points.shape[1] <= _TREE_INPUTS:
        return np.asarray(KDTree(others).query(points)[0])
    # In many dimensions a tree visits nearly all of its points, and a product of matrices wins.
    square = (others**2).sum(axis=1)
    size = max(1, _CELLS // len(others))
    starts = range(0, len(points), size)
    nearest = [
        (square - 2 * points[start : start + size] @ others.T).min(axis=1) for start in starts
    ]
    squares = np.concatenate(nearest) + (points**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def farthest_first(
    points: Floats, n: int, known: Floats, weight: Floats | None = None
) -> list[int]:
    """
    Choose points one by one, each the farthest from those known and chosen before.

    Parameters
    ----------
    points : ndarray, shape (p, d)
        Candidates.
    n : int
    known : ndarray, shape (k, d)
        Points from which the first choice keeps its distance.
    weight : ndarray, shape (p,), optional
        By which a candidate's distance is multiplied.

    Returns
    -------
    list of int
        Rows of ``points``, at most ``n``, in the order of choice.

    Notes
    -----
    Gonzalez, Theor. Comput. Sci. 38 (1985) 293: within a factor of two of the best covering
    radius.

    Examples
    --------
    >>> farthest_first(np.array([[0.0], [0.1], [0.6], [1.0]]), 2, np.array([[0.0]]))
    [3, 2]
    """
    factor = np.ones(len(points)) if weight is None else np.maximum(weight, 1e-150) ** 2
    apart = nearest_distances(points, known) ** 2
    square = (points**2).sum(axis=1)
    chosen: list[int] = []
    for _ in range(min(n, len(points))):
        # Without known points all are infinitely far: the weight decides, then the order.
        at = int((factor if apart[0] == np.inf else apart * factor).argmax())
        chosen.append(at)
        np.minimum(apart, square - 2 * points @ points[at] + square[at], out=apart)
        # Below all others, also where those are zero.
        apart[at] = -np.inf
    return chosen
