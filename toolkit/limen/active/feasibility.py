"""Where evaluations give a value: failed regions must not eat the budget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from limen.active.problem import FAILED, INVALID, History
from limen.active.surrogates.processes import fit_process
from limen.errors import MissingExtraError

__all__ = ["chance_of_value"]

Floats = NDArray[np.float64]

_LEAST = 1e-3


def chance_of_value(history: History) -> Callable[[Floats], Floats] | None:
    """
    Learn where evaluations give a value: a Gaussian process of the labels ±1.

    Parameters
    ----------
    history : History

    Returns
    -------
    callable or None
        Probability, shape (n,), at unit coordinates of shape (n, d); None if all or none failed.
    """
    real = history.fidelity == 0
    failed = np.isin(history.status, (FAILED, INVALID)) & real
    rows = failed | (history.known & real)
    if not failed.any() or failed[rows].all():
        return None
    label = np.where(failed[rows], -1.0, 1.0)[:, None]
    posterior = fit_process(history.points[rows], label, 0 * label, structure="plain")

    def chance(points: Floats) -> Floats:
        try:
            from scipy.special import ndtr
        except ImportError as error:
            raise MissingExtraError.of("scipy", "active") from error
        mean, std = (array[:, 0] for array in posterior.mean_std(points))
        return np.asarray(np.clip(ndtr(mean / std), _LEAST, 1.0))

    return chance
