"""Keys of points: whole numbers that are equal for equal points, and as good as random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["keys", "shares"]

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

# A step of unit coordinates below which two points are the same one. No simple fraction of the
# range is half a step: values that went through physical units and back still round alike.
_STEP = 1 / 1.6180339887498949e9


def keys(points: Floats) -> Keys:
    """
    Give numbers that are equal for equal points, whatever their last bits are.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.

    Returns
    -------
    ndarray of uint64, shape (n,)

    Examples
    --------
    >>> bool(keys(np.array([[0.3]]))[0] == keys(np.array([[0.1 + 0.2]]))[0])
    True
    """
    rounded = np.rint(np.asarray(points) / _STEP).astype(np.int64).view(np.uint64)
    found = np.full(len(rounded), 0xCBF29CE484222325, dtype=np.uint64)
    # The constants and shifts are those of the finaliser of splitmix64.
    for column in rounded.T:
        found = (found ^ column) * np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found ^= found >> np.uint64(27)
    return found


def shares(points: Floats) -> Floats:
    """
    Give each point a number from 0 to 1 that is its own, shape (n,).

    Points below a share are the same ones whatever else is known, so that rows held out of one
    training are held out of the next.
    """
    return (keys(points) >> np.uint64(11)).astype(np.float64) / 2.0**53
