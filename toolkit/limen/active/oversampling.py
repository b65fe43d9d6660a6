"""Candidates made from known points of a rare class: they are proposals, never data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.active.spaces import Space
from limen.errors import MissingExtraError

__all__ = ["smote_points", "surroundings"]

Floats = NDArray[np.float64]

_FEWEST_INSIDE = 6


def surroundings(space: Space, inside: Floats, number: int, rng: np.random.Generator) -> Floats:
    """
    Draw points on lines between points of a region, and a little beside them.

    Parameters
    ----------
    space : Space
    inside : ndarray, shape (k, d)
        Unit coordinates of points of the region.
    number : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (at most number, d)
        Admissible and snapped; none if fewer than 6 points are known.
    """
    if len(inside) < _FEWEST_INSIDE or not number:
        return np.empty((0, space.d))
    a, b, c, e = inside[rng.integers(len(inside), size=(4, number))]
    along, beside = rng.random((number, 1)), 0.3 * rng.standard_normal((number, 1))
    step = along * (b - a) + beside * (c - e)
    # Half of them stay near: the region may be thin.
    step[: number // 2] *= 0.1
    points = space.snap(a + step)
    return points[space.admissible(points)]


def smote_points(
    space: Space, points: Floats, inside: Floats, n: int, rng: np.random.Generator
) -> Floats:
    """
    Make points of the rare class by SMOTE: between a point of it and one of its neighbours.

    Parameters
    ----------
    space : Space
    points : ndarray, shape (k, d)
        Unit coordinates.
    inside : ndarray, shape (k,)
        1 in the class, 0 outside, NaN unknown.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (at most n, d)
        Admissible and snapped; none if fewer than two points of the class or none outside are
        known.

    Raises
    ------
    MissingExtraError
        If imbalanced-learn is not installed.

    Notes
    -----
    Chawla et al., JAIR 16 (2002) 321.
    """
    known = np.isfinite(inside)
    labels = inside[known].astype(int)
    number = int(labels.sum())
    if n < 1 or number < 2 or number == len(labels):
        return np.empty((0, space.d))
    try:
        from imblearn.over_sampling import SMOTE
    except ImportError as error:
        raise MissingExtraError.of("imbalanced-learn", "active") from error
    smote = SMOTE(
        sampling_strategy={1: number + n},
        k_neighbors=min(5, number - 1),
        random_state=int(rng.integers(2**31)),
    )
    made, _ = smote.fit_resample(points[known], labels)
    made = space.snap(made[len(labels) :])
    return made[space.admissible(made)]
