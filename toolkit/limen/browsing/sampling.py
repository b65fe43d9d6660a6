"""A sample of rows for previews: one at random out of each stretch of the scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["stratified_rows"]


def stratified_rows(n: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    """
    Draw one row from each of ``most`` stretches of equal length.

    Stretches follow the order of the file, so that each part of a scan (its samplers, its chains)
    has its share.

    Parameters
    ----------
    n : int
        Rows of the scan.
    most : int
        Rows of the sample; all rows if there are not more.
    seed : int
        The same seed draws the same rows.

    Returns
    -------
    ndarray of int64, shape (min(n, most),)
        Ascending.

    Examples
    --------
    >>> stratified_rows(6, 3, seed=0).tolist()
    [1, 2, 4]
    """
    if n <= most:
        return np.arange(n, dtype=np.int64)
    edges = np.linspace(0, n, most + 1).astype(np.int64)
    drawn = np.random.default_rng(seed).random(most)
    return edges[:-1] + (drawn * np.diff(edges)).astype(np.int64)
