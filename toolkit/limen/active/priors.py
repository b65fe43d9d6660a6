"""Priors of one parameter: their quantiles, within a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIORS", "from_quantiles", "prior_faults"]

PRIORS = ("uniform", "log-uniform", "normal")

Floats = NDArray[np.float64]


def from_quantiles(
    p: Floats, low: float, high: float, prior: Any, values: Sequence[float] = ()
) -> Floats:
    """
    Give the values below which shares of the prior lie.

    Parameters
    ----------
    p : ndarray, shape (n,)
        Shares, from 0 to 1.
    low, high : float
        Range, where the prior is cut.
    prior : str or tuple
        ``uniform``, ``log-uniform`` or ``("normal", mean, standard deviation)``.
    values : sequence of float
        Discrete values; each is as likely as the others.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> from_quantiles(np.array([0.0, 0.5, 1.0]), 0.01, 1.0, "log-uniform").round(6)
    array([0.01, 0.1 , 1.  ])
    """
    if values:
        which = np.minimum((p * len(values)).astype(int), len(values) - 1)
        return np.asarray(np.array(values)[which], dtype=np.float64)
    if prior == "uniform":
        x = low + p * (high - low)
    elif prior == "log-uniform":
        x = low * np.exp(p * math.log(high / low))
    else:
        from statistics import NormalDist

        _, mean, deviation = prior
        below = NormalDist(mean, deviation)
        first, last = below.cdf(low), below.cdf(high)
        # A share of exactly 0 or 1 has no quantile.
        shares = np.clip(first + p * (last - first), 1e-300, 1 - 1e-16)
        x = np.array([below.inv_cdf(share) for share in shares], dtype=np.float64)
    return np.clip(x, low, high)


def prior_faults(prior: Any, low: float, high: float) -> list[str]:
    """Say what is wrong with a prior on a range."""
    if isinstance(prior, tuple):
        numbers = [x for x in prior[1:] if isinstance(x, int | float) and math.isfinite(x)]
        if prior[:1] != ("normal",) or len(prior) != 3 or len(numbers) != 2 or prior[2] <= 0:
            return [f"found {list(prior)}, allowed [normal, mean, standard deviation above 0]"]
        if not low - 5 * prior[2] < prior[1] < high + 5 * prior[2]:
            return [
                f"found a mean of {prior[1]:g} more than 5 standard deviations outside the range "
                f"[{low:g}, {high:g}]; correct one of them"
            ]
        return []
    if prior not in PRIORS[:2]:
        return [f"found {prior!r}, allowed uniform, log-uniform or [normal, mean, sd]"]
    if prior == "log-uniform" and low <= 0:
        return [f"found log-uniform on [{low:g}, {high:g}], allowed above 0 only"]
    return []
