"""Which change of one parameter flips the answer, and how far away that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from limen_app.slicing import boundary, ends

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Flip", "flips"]

Floats = NDArray[np.float64]
_STEPS = 48
_HALVINGS = 16


@dataclass(frozen=True, slots=True)
class Flip:
    """
    The nearest change of one parameter that flips the answer.

    Attributes
    ----------
    name : str
    value : float
        Where the answer changes, in the parameter's unit; NaN if it does not, inside the domain.
    change : float
        From the point's value, in the parameter's unit.
    distance : float
        Size of the change as a share of the trained range [1].
    """

    name: str
    value: float
    change: float
    distance: float


def flips(predictor: Predictor, point: Mapping[str, float]) -> list[Flip]:
    """
    Find, along each parameter, where the model's answer changes.

    From the point outwards to either side, as far as the domain goes without a gap; finer
    structure than 1/48 of the way is not seen.

    Parameters
    ----------
    predictor : Predictor
    point : mapping of str to float
        A value for every input, in its unit, inside the domain.

    Returns
    -------
    list of Flip
        The nearest first, those without a change last; empty if the model decides nothing, or
        nothing at this point.
    """
    threshold = boundary(predictor)
    names = predictor.card.input_names
    here = np.array([point[name] for name in names], dtype=np.float64)
    if threshold is None:
        return []
    start = _side(predictor, here[None], threshold)[0]
    if not start:
        return []
    rays = [(at, end) for at, name in enumerate(names) for end in ends(predictor, name)]
    crossed = _crossings(predictor, here, rays, threshold, start)
    found = []
    for at, name in enumerate(names):
        low, high = ends(predictor, name)
        changes = [value - here[at] for (place, _), value in zip(rays, crossed, strict=True)
                   if place == at and np.isfinite(value)]  # fmt: skip
        change = float(min(changes, key=abs)) if changes else np.nan
        width = high - low if high > low else 1.0
        found.append(Flip(name, float(here[at] + change), change, abs(change) / width))
    return sorted(found, key=lambda flip: (not np.isfinite(flip.distance), flip.distance))


def _side(predictor: Predictor, X: Floats, threshold: float) -> NDArray[np.int8]:
    """Give 1 at or above the threshold, -1 below, 0 where nothing is said."""
    value = predictor.values(X, np.nan)
    side = np.where(value >= threshold, 1, -1)
    return np.where(np.isfinite(value), side, 0).astype(np.int8)


def _crossings(
    predictor: Predictor,
    here: Floats,
    rays: list[tuple[int, float]],
    threshold: float,
    start: np.int8,
) -> Floats:
    """Give the value at which each ray first changes its side, NaN where it does not."""
    places = np.array([at for at, _ in rays])
    far = np.array([end for _, end in rays])
    steps = np.linspace(0.0, 1.0, _STEPS + 1)[1:]
    values = here[places][:, None] + (far - here[places])[:, None] * steps
    sides = _side(predictor, _moved(here, places, values), threshold).reshape(values.shape)
    changed = sides != start
    first = changed.argmax(axis=1)
    rows = np.arange(len(rays))
    real = changed.any(axis=1) & (sides[rows, first] == -start) & (far != here[places])
    after = values[rows, first]
    before = np.where(first > 0, values[rows, np.maximum(first - 1, 0)], here[places])
    for _ in range(_HALVINGS):
        middle = 0.5 * (before + after)
        same = _side(predictor, _moved(here, places, middle[:, None]), threshold) == start
        before, after = np.where(same, middle, before), np.where(same, after, middle)
    return np.where(real, after, np.nan)


def _moved(here: Floats, places: NDArray[np.int64], values: Floats) -> Floats:
    """Give the point, moved along each ray to each value: shape (rays * values, d)."""
    X = np.tile(here, (values.size, 1))
    X[np.arange(values.size), np.repeat(places, values.shape[1])] = values.ravel()
    return X
