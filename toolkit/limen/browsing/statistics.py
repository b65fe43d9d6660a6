"""From tables of counts, sums and extremes to what is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.charts import Statistic

__all__ = ["LEVELS", "boundaries", "highest_density", "measured", "wilson"]

# Delta of -2 ln L for 68.27 % and 95.45 % of confidence, asymptotically, by number of axes.
LEVELS = {1: (1.0, 4.0), 2: (2.30, 6.18)}

Floats = npt.NDArray[np.float64]


def measured(statistic: Statistic, tables: Mapping[str, npt.NDArray[Any]]) -> Floats:
    """
    Give the number of each bin that a chart shows.

    Parameters
    ----------
    statistic : str
    tables : mapping of str to ndarray
        Of one chart, as `Browser.view` gives them.

    Returns
    -------
    ndarray
        NaN where there are no samples.

    Examples
    --------
    >>> tables = {"count": np.array([2, 1, 0]), "sum": np.array([3.0, 0.0, 0.0])}
    >>> measured("mean", tables | {"valued": np.array([2, 0, 0])}).tolist()
    [1.5, nan, nan]
    """
    if statistic == "excluded":
        return wilson(tables["hits"], tables["labelled"])[0]
    if statistic in ("best", "least", "largest"):
        extreme = np.asarray(tables[statistic], dtype=np.float64)
        return np.where(np.isfinite(extreme), extreme, np.nan)
    if statistic == "mean":
        with np.errstate(all="ignore"):
            return np.where(tables["valued"] > 0, tables["sum"] / tables["valued"], np.nan)
    rows = tables["count"]
    return np.where(rows > 0, tables["sum"] if statistic == "weighted" else rows, np.nan)


def wilson(k: npt.ArrayLike, n: npt.ArrayLike, z: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """
    Give a fraction and its Wilson interval; NaN where there are no samples.

    Parameters
    ----------
    k, n : array_like, shape (m,)
        Hits among rows.
    z : float
        Half width in standard deviations; 1 for 68.27 %.

    Returns
    -------
    (ndarray, ndarray, ndarray), shape (m,) each
        Fraction, lower and upper end [1].

    Notes
    -----
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Examples
    --------
    >>> fraction, low, high = wilson([0], [4])
    >>> float(fraction[0]), float(low[0]), float(high[0])
    (0.0, 0.0, 0.2)
    """
    hits, rows = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(all="ignore"):
        share = np.where(rows > 0, hits / rows, np.nan)
        centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
        half = z / (1 + z * z / rows) * np.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2)
        # Rounding must not put the fraction outside.
        low = np.clip(np.minimum(centre - half, share), 0.0, 1.0)
        high = np.clip(np.maximum(centre + half, share), 0.0, 1.0)
    return share, low, high


def highest_density(weights: npt.ArrayLike, contents: tuple[float, ...]) -> tuple[float, ...]:
    """
    Give the weight of the lightest bin in each highest-density region.

    Parameters
    ----------
    weights : array_like
        Summed weights of bins of equal size.
    contents : tuple of float
        Shares of the whole [1], as 0.6827.

    Returns
    -------
    tuple of float
        NaN without weights.

    Examples
    --------
    >>> highest_density([1.0, 2.0, 7.0], (0.5, 0.95))
    (7.0, 1.0)
    """
    heavy = np.sort(np.asarray(weights, dtype=np.float64).ravel())[::-1]
    total = np.cumsum(heavy)
    if not total.size or total[-1] <= 0:
        return tuple(float("nan") for _ in contents)
    places = np.searchsorted(total, np.asarray(contents) * total[-1] * (1 - 1e-12))
    return tuple(float(heavy[min(place, heavy.size - 1)]) for place in places)


def boundaries(inside: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """
    Give the edges between bins inside and outside a region.

    Parameters
    ----------
    inside : ndarray of bool, shape (nx, ny)

    Returns
    -------
    list of (x0, y0, x1, y1)
        Segments, in numbers of edges.

    Examples
    --------
    >>> boundaries(np.array([[True, False]]))
    [(0, 0, 0, 1), (1, 0, 1, 1), (0, 0, 1, 0), (0, 1, 1, 1)]
    """
    framed = np.pad(inside, 1).astype(np.int8)
    found: list[Any] = []
    for x, y in np.argwhere(np.diff(framed[:, 1:-1], axis=0)).tolist():
        found.append((x, y, x, y + 1))
    for x, y in np.argwhere(np.diff(framed[1:-1, :], axis=1)).tolist():
        found.append((x, y, x + 1, y))
    return found
