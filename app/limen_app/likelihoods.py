"""
Slices of a likelihood: how far below the best of the slice, and where the usual levels are.

Relative to the best of the slice, not to the best of all parameters: this is no profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from limen.browsing import LEVELS
from limen.browsing.charts import TO_MINUS_2_LOG
from limen_app.showing import number, quantity
from limen_app.slicing import Plane, boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["DEEPEST", "REGIONS", "below_best", "region_words"]

DEEPEST = 12.0
"""Where pictures of -2 delta ln L end."""

REGIONS = dict(zip(("68.27 %", "95.45 %"), LEVELS[2], strict=True))
"""-2 delta ln L of two parameters at asymptotic confidence levels."""


def below_best(predictor: Predictor, plane: Plane) -> NDArray[np.float64] | None:
    """
    Give -2 delta ln L to the best of a slice, of a model that decides nothing on a likelihood.

    Parameters
    ----------
    predictor : Predictor
    plane : Plane

    Returns
    -------
    ndarray, shape (n, n), or None
        NaN outside the domain. None where the model is of something else, or decides.
    """
    factor = TO_MINUS_2_LOG.get(str(predictor.target.quantity))
    if factor is None or boundary(predictor) is not None or not np.isfinite(plane.value).any():
        return None
    value = factor * plane.value
    return np.asarray(value - np.nanmin(value), dtype=np.float64)


def region_words(predictor: Predictor, plane: Plane) -> str:
    """Say where the best of a slice is, and how much of it lies near; empty where it has none."""
    value = below_best(predictor, plane)
    if value is None:
        return ""
    row, column = np.unravel_index(int(np.nanargmin(value)), value.shape)
    best = ", ".join(
        f"{name} = {quantity(values[at], predictor.columns[name].unit)}"
        for name, values, at in zip(plane.names, (plane.x, plane.y), (column, row), strict=True)
    )
    shares = " and ".join(
        f"{number(100 * float(np.mean(value <= level)), 3)} % of it within {level:.2f} ({name})"
        for name, level in REGIONS.items()
    )
    return f"Best of this slice: {best}; {shares}."
