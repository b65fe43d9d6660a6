"""How often a classification is right, by its probability (SUSY-AI's table), and shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "accuracy_bins",
    "classification_confidence",
    "coverage",
    "populated_edges",
    "wilson_interval",
]

Floats = NDArray[np.float64]


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """
    Wilson's interval of a share.

    Parameters
    ----------
    k, n : float
        Number of successes and of trials.
    level : float
        Confidence level [1].

    Returns
    -------
    tuple of float
        Lower and upper end [1]; (0, 1) without trials.

    Notes
    -----
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Examples
    --------
    >>> low, high = wilson_interval(95, 100)
    >>> round(low, 4), round(high, 4)
    (0.8882, 0.9785)
    """
    from statistics import NormalDist

    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, spread = k / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def coverage(covered: ArrayLike, *, level: float = 0.95) -> dict[str, Any]:
    """
    Measure how often sets or intervals held the truth.

    Parameters
    ----------
    covered : array_like of bool, shape (n,)
        Whether the truth of each row was held.
    level : float
        Confidence level of the interval [1].

    Returns
    -------
    dict
        ``value`` (None without rows), ``interval`` (Wilson) and ``n``.

    Examples
    --------
    >>> coverage([True, True, True, False])["value"]
    0.75
    """
    held = np.asarray(covered, dtype=bool)
    n, k = int(held.size), int(held.sum())
    interval = list(wilson_interval(k, n, level))
    return {"value": k / n if n else None, "interval": interval, "n": n}


def accuracy_bins(
    p: ArrayLike, y: ArrayLike, edges: ArrayLike | None = None, *, n_bins: int = 20
) -> list[dict[str, Any]]:
    """
    Measure how often the classification is right, by its probability.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Probability of the label being 1, or of each class (then bins are made in the largest).
    y : array_like, shape (n,)
        Labels.
    edges : array_like, shape (bins + 1,), optional
        Increasing edges of the bins [1]; else ``n_bins`` equal ones from 0 to 1.
    n_bins : int
        Number of equal bins.

    Returns
    -------
    list of dict
        For each bin ``low``, ``high``, ``n``, ``accuracy`` (None where empty) and ``interval``
        (Wilson, 95 %). A bin includes its lower edge, the last one both.

    Notes
    -----
    Source: S. Caron et al., SUSY-AI, arXiv:1605.02797, section 4 (there from out-of-bag rows).

    Examples
    --------
    >>> accuracy_bins([0.1, 0.2, 0.9], [0, 1, 1], n_bins=2)[0]["accuracy"]
    0.5
    """
    raw, labels = np.asarray(p, dtype=np.float64), np.asarray(y)
    ends = np.linspace(0, 1, n_bins + 1) if edges is None else np.asarray(edges, dtype=np.float64)
    value, answer = _winner(raw)
    index = _bin_of(value, ends)
    n = np.bincount(index[index >= 0], minlength=len(ends) - 1)
    right = np.bincount(index[(index >= 0) & (answer == labels)], minlength=len(ends) - 1)
    return [
        {
            "low": float(ends[i]),
            "high": float(ends[i + 1]),
            "n": int(n[i]),
            "accuracy": float(right[i] / n[i]) if n[i] else None,
            "interval": list(wilson_interval(int(right[i]), int(n[i]))),
        }
        for i in range(len(ends) - 1)
    ]


def populated_edges(p: ArrayLike, *, n_bins: int = 20, least: int = 30) -> Floats:
    """
    Edges of bins that hold enough rows to measure a share in.

    Equal bins from 0 to 1 are joined with their neighbours towards 0.5, never across it (the
    answer changes there), until each holds ``least`` rows or nothing is left to join.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Probabilities, as for `accuracy_bins`.
    n_bins : int
        Number of equal bins to begin with, even.
    least : int
        Rows that a bin must hold.

    Returns
    -------
    ndarray, shape (bins + 1,)

    Examples
    --------
    >>> populated_edges([0.1] * 50 + [0.3] + [0.9] * 50, n_bins=4)
    array([0. , 0.5, 1. ])
    """
    value, _ = _winner(np.asarray(p, dtype=np.float64))
    ends = np.linspace(0, 1, n_bins + 1)
    count = np.histogram(value, ends)[0]
    kept = {0.0, 0.5, 1.0}
    for positions in (range(n_bins // 2), range(n_bins - 1, n_bins // 2 - 1, -1)):
        held, rest = 0, int(count[list(positions)].sum())
        for position in positions:
            held += int(count[position])
            # What is left beyond this edge must make a bin of its own.
            if held >= least and rest - held >= least:
                upwards = position < n_bins // 2
                kept.add(float(ends[position + 1] if upwards else ends[position]))
                rest, held = rest - held, 0
    return np.array(sorted(kept))


def _winner(p: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return what bins are made in, and the class that is answered."""
    if p.ndim == 1:
        return p, (p >= 0.5).astype(np.int64)
    return p.max(axis=1), p.argmax(axis=1).astype(np.int64)


def _bin_of(value: Floats, edges: Floats) -> NDArray[np.int64]:
    """Bin of each value, -1 outside; the last bin includes its upper edge."""
    index = np.searchsorted(edges, value, side="right") - 1
    index[value == edges[-1]] = len(edges) - 2
    index[~((value >= edges[0]) & (value <= edges[-1]))] = -1
    return np.asarray(index, dtype=np.int64)


def classification_confidence(p: ArrayLike, table: Sequence[Mapping[str, Any]]) -> Floats:
    """
    Look up how often a classification like this one is right.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Calibrated probabilities, as given to `accuracy_bins`.
    table : sequence of mapping
        What `accuracy_bins` gave.

    Returns
    -------
    ndarray, shape (n,)
        Accuracy of the bin [1]; NaN where the bin is empty or p lies in none.
    """
    value, _ = _winner(np.asarray(p, dtype=np.float64))
    edges = np.array([row["low"] for row in table] + [table[-1]["high"]], dtype=np.float64)
    said = [math.nan if row["accuracy"] is None else row["accuracy"] for row in table]
    return np.array([*said, math.nan], dtype=np.float64)[_bin_of(value, edges)]
