"""Lines and fillings of pictures over two parameters, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["edges", "hatching", "segments"]

Floats = NDArray[np.float64]


def segments(x: Floats, y: Floats, z: Floats, level: float) -> Floats:
    """
    Give the line along which a function over a grid has a value.

    Linear between the grid's points; nothing where one of them is NaN.

    Parameters
    ----------
    x : ndarray, shape (n,)
    y : ndarray, shape (m,)
    z : ndarray, shape (m, n)
    level : float

    Returns
    -------
    ndarray, shape (k, 4)
        Pieces of the line: x and y of one end, x and y of the other.

    Notes
    -----
    Marching squares; at a saddle the two pieces are drawn along one of the two possible ways.

    Examples
    --------
    >>> z = np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> segments(np.array([0.0, 2.0]), np.array([0.0, 1.0]), z, 0.5).tolist()
    [[1.0, 0.0, 1.0, 1.0]]
    """
    corners = np.stack([z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]], axis=-1) - level
    whole = np.isfinite(corners).all(axis=-1)
    above = corners >= 0
    rows, columns = np.nonzero(whole & above.any(axis=-1) & ~above.all(axis=-1))
    px = np.stack([x[columns], x[columns + 1], x[columns + 1], x[columns]], axis=-1)
    py = np.stack([y[rows], y[rows], y[rows + 1], y[rows + 1]], axis=-1)
    v = corners[rows, columns]
    crossed = (v >= 0) != (np.roll(v, -1, axis=-1) >= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(crossed, v / (v - np.roll(v, -1, axis=-1)), 0.0)
    cx = px + share * (np.roll(px, -1, axis=-1) - px)
    cy = py + share * (np.roll(py, -1, axis=-1) - py)
    found = []
    for pick in ((0, 1), (2, 3)):
        order = np.argsort(~crossed, axis=-1, kind="stable")
        enough = crossed.sum(axis=-1) > pick[1]
        at = np.flatnonzero(enough)
        first, second = order[at, pick[0]], order[at, pick[1]]
        ends = (cx[at, first], cy[at, first], cx[at, second], cy[at, second])
        found.append(np.stack(ends, axis=-1))
    return np.concatenate(found)


def edges(centres: Floats) -> Floats:
    """
    Give the edges of cells around centres; the outer ones end at the outer centres.

    >>> edges(np.array([0.0, 1.0, 3.0])).tolist()
    [0.0, 0.5, 2.0, 3.0]
    """
    inner = 0.5 * (centres[:-1] + centres[1:])
    return np.concatenate([centres[:1], inner, centres[-1:]])


def hatching(x: Floats, y: Floats, marked: NDArray[np.bool_], step: int = 4) -> Floats:
    """
    Give slanted lines over the marked cells of a grid.

    Parameters
    ----------
    x : ndarray, shape (n,)
    y : ndarray, shape (m,)
    marked : ndarray of bool, shape (m, n)
    step : int
        Cells between two lines.

    Returns
    -------
    ndarray, shape (k, 4)
        As :func:`segments`.
    """
    ex, ey = edges(x), edges(y)
    rows, columns = marked.shape
    found: list[Sequence[float]] = []
    for offset in range(-rows + 1, columns, step):
        cells = np.diagonal(marked, offset)
        changes = np.flatnonzero(np.diff(np.concatenate([[0], cells.astype(np.int8), [0]])))
        row, column = max(0, -offset), max(0, offset)
        for start, stop in changes.reshape(-1, 2).tolist():
            begin = (ex[column + start], ey[row + start])
            found.append((*begin, ex[column + stop], ey[row + stop]))
    return np.array(found, dtype=np.float64).reshape(-1, 4)
