"""Batches: points that are worth evaluating together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BATCHES", "greedy", "poisson_disc"]

Floats = NDArray[np.float64]

BATCHES = ("greedy", "poisson", "top")
"""Joint conditioning, Poisson disc inside the uncertain band, and the highest values alone."""

_SHRINK = 0.8


def greedy(
    score: Callable[[Sequence[Floats]], Floats], covariances: Sequence[Floats], n: int
) -> tuple[list[int], list[float]]:
    """
    Choose one by one, each as if those before it had been told at their means.

    Parameters
    ----------
    score : callable
        Values, shape (k,), of candidates with these covariances.
    covariances : sequence of ndarray, shape (k, k)
        Of the candidates, one for each output.
    n : int

    Returns
    -------
    chosen : list of int
    values : list of float
        Score of each when it was chosen.
    """
    left = [np.array(covariance) for covariance in covariances]
    chosen: list[int] = []
    values: list[float] = []
    for _ in range(min(n, len(left[0]))):
        found = np.array(score(left))
        found[chosen] = -np.inf
        i = int(np.argmax(found))
        chosen.append(i)
        values.append(float(found[i]))
        for covariance in left:
            size = covariance[i, i]
            if size > 0:
                column = covariance[:, i] / np.sqrt(size)
                covariance -= np.outer(column, column)
                np.fill_diagonal(covariance, np.maximum(covariance.diagonal(), 0.0))
    return chosen, values


def poisson_disc(points: Floats, score: Floats, n: int, others: Floats) -> list[int]:
    """
    Choose by score, none nearer than a radius to another; the radius is as large as allows ``n``.

    Parameters
    ----------
    points : ndarray, shape (k, d)
        Candidates inside the uncertain band.
    score : ndarray, shape (k,)
    n : int
    others : ndarray, shape (p, d)
        Pending points, which are kept away from as well.

    Returns
    -------
    list of int

    Examples
    --------
    >>> x = np.array([[0.0], [0.01], [1.0]])
    >>> poisson_disc(x, np.array([3.0, 2.0, 1.0]), 2, np.empty((0, 1)))
    [0, 2]
    """
    order = np.argsort(-score, kind="stable")
    radius = float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0
    chosen: list[int] = []
    while len(chosen) < min(n, len(points)):
        chosen = []
        free = np.ones(len(points), dtype=bool)
        for other in others:
            free &= ((points - other) ** 2).sum(axis=1) >= radius**2
        for i in order:
            if free[i]:
                chosen.append(int(i))
                if len(chosen) == n:
                    break
                free &= ((points - points[i]) ** 2).sum(axis=1) >= radius**2
                free[i] = False
        radius = radius * _SHRINK if radius > 1e-9 else 0.0
        if radius == 0.0 and len(chosen) < n:
            return [int(i) for i in order[:n]]
    return chosen
