"""
Slices: what a model says along one or two parameters, all others held.

A slice is not a profile: nothing is maximised over the other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import ColumnError
from limen.prediction import VERDICTS

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = [
    "Line",
    "Plane",
    "boundary",
    "clipped",
    "ends",
    "line",
    "places",
    "plane",
    "position",
]

# Models round their inputs to 32 bits: over a narrower range they could not tell all places apart.
_NARROWEST = 1e-5

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Line:
    """
    What a model says along one parameter.

    Attributes
    ----------
    name : str
    x : ndarray, shape (n,)
        Values of the parameter, in its unit.
    value, lower, upper : ndarray, shape (n,)
        The model's number and its interval where it has one; NaN outside the domain.
    verdict : ndarray of int8, shape (n,)
        Positions in ``VERDICTS``.
    """

    name: str
    x: Floats
    value: Floats
    lower: Floats
    upper: Floats
    verdict: Codes

    def reach(self) -> tuple[float, float]:
        """Give the ends of an axis on which the model's number fills all but a tenth at each."""
        inside = self.value[np.isfinite(self.value)]
        if not inside.size:
            return 0.0, 1.0
        low, high = float(inside.min()), float(inside.max())
        room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
        return low - room, high + room

    def beyond(self, values: Floats) -> int:
        """Count the values that lie beyond these ends."""
        low, high = self.reach()
        return int(np.count_nonzero((values < low) | (values > high)))


@dataclass(frozen=True, slots=True)
class Plane:
    """
    What a model says over two parameters.

    Attributes
    ----------
    names : tuple of str
    x, y : ndarray, shape (n,)
        Values of the parameters, in their units.
    value, lower, upper : ndarray, shape (n, n)
        The model's number and its interval where it has one, y along the first axis; NaN outside
        the domain.
    verdict : ndarray of int8, shape (n, n)
        Positions in ``VERDICTS``.
    """

    names: tuple[str, str]
    x: Floats
    y: Floats
    value: Floats
    lower: Floats
    upper: Floats
    verdict: Codes

    def holds(self, point: Mapping[str, float]) -> bool:
        """Tell whether a point lies between the ends of both axes."""
        ends = zip(self.names, (self.x, self.y), strict=True)
        return all(values[0] <= point[name] <= values[-1] for name, values in ends)

    def shares(self) -> dict[str, float]:
        """Give the share of the cells by verdict, those that occur."""
        counts = np.bincount(self.verdict.ravel(), minlength=len(VERDICTS))
        total = max(1, self.verdict.size)
        return {name: n / total for name, n in zip(VERDICTS, counts.tolist(), strict=True) if n}


def boundary(predictor: Predictor) -> float | None:
    """
    Give the model's number at which its answer changes: 0.5, or a label's threshold.

    Returns
    -------
    float or None
        None where the model decides nothing.
    """
    label = predictor.answering_label
    if predictor.card.task == "classification":
        return None if label is None or label.quantity == "category" else 0.5
    return None if label is None else float((label.definition or {})["threshold"])


def position(predictor: Predictor, name: str) -> int:
    """
    Give the place of an input.

    Raises
    ------
    ColumnError
        If the model has no such input.
    """
    names = predictor.card.input_names
    if name not in names:
        raise ColumnError(
            f"axis: found {name!r}, which is no input of {predictor.card.name}; allowed are "
            f"{', '.join(names)}"
        )
    return names.index(name)


def ends(predictor: Predictor, name: str) -> tuple[float, float]:
    """Give the lowest and highest trained value of an input, in its unit."""
    at = position(predictor, name)
    return float(predictor.domain.low[at]), float(predictor.domain.high[at])


def clipped(predictor: Predictor, name: str, low: float, high: float) -> tuple[float, float]:
    """
    Give the part of a range that lies within the trained one.

    Raises
    ------
    ColumnError
        If there is none, or hardly any.
    """
    first, last = ends(predictor, name)
    kept = max(low, first), min(high, last)
    if not kept[1] - kept[0] > _NARROWEST * max(abs(kept[0]), abs(kept[1])):
        raise ColumnError(
            f"found {low:g} to {high:g}, allowed a part of {first:g} to {last:g}, which the model "
            "was trained on, the lower end first"
        )
    return kept


def places(
    predictor: Predictor, name: str, n: int, span: tuple[float, float] | None = None
) -> Floats:
    """
    Give values over a range of an input: as it is scaled, or its categories.

    Parameters
    ----------
    predictor : Predictor
    name : str
    n : int
    span : (float, float), optional
        The range, the trained one by default.

    Returns
    -------
    ndarray, shape (n,) or (categories,)
    """
    column = predictor.inputs[position(predictor, name)]
    low, high = ends(predictor, name) if span is None else span
    if column.categories:
        codes = sorted(map(float, column.categories))
        return np.array([code for code in codes if low <= code <= high] or codes)
    if column.scale == "log" and low > 0:
        return np.asarray(np.geomspace(low, high, n), dtype=np.float64)
    return np.linspace(low, high, n)


def _row(predictor: Predictor, point: Mapping[str, float]) -> Floats:
    missing = [name for name in predictor.card.input_names if name not in point]
    if missing:
        raise ColumnError(f"point: missing {', '.join(missing)}; give a value for each")
    return np.array([point[name] for name in predictor.card.input_names], dtype=np.float64)


def _number(numbers: Mapping[str, Any]) -> Floats:
    value: Floats = numbers["value"]
    return np.where(np.isfinite(value), value, numbers["probability"])


def line(predictor: Predictor, point: Mapping[str, float], name: str, n: int = 201) -> Line:
    """
    Ask a model along one parameter.

    Parameters
    ----------
    predictor : Predictor
    point : mapping of str to float
        A value for every input, in its unit; that of ``name`` does not matter.
    name : str
    n : int
        Number of values over the trained range.

    Returns
    -------
    Line

    Raises
    ------
    ColumnError
        If an input has no value, or ``name`` is none.
    """
    x = places(predictor, name, n)
    X = np.tile(_row(predictor, point), (len(x), 1))
    X[:, position(predictor, name)] = x
    verdict, numbers = predictor.outline(X)
    return Line(name, x, _number(numbers), numbers["lower"], numbers["upper"], verdict)


def plane(
    predictor: Predictor,
    point: Mapping[str, float],
    names: tuple[str, str],
    n: int = 100,
    *,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> Plane:
    """
    Ask a model over two parameters.

    Parameters
    ----------
    predictor : Predictor
    point : mapping of str to float
        A value for every input, in its unit; those of ``names`` do not matter.
    names : (str, str)
        Along x and y.
    n : int
        Number of values over each range.
    ranges : mapping of str to (float, float), optional
        Ends of an axis, in its unit; the trained range by default.

    Returns
    -------
    Plane

    Raises
    ------
    ColumnError
        If an input has no value, a name is none, or both are the same.
    """
    first, second = (position(predictor, name) for name in names)
    if first == second:
        raise ColumnError(f"axes: found {names[0]} twice, allowed two different ones; change one")
    asked = {name: (float(low), float(high)) for name, (low, high) in (ranges or {}).items()}
    x, y = (places(predictor, name, n, asked.get(name)) for name in names)
    X = np.tile(_row(predictor, point), (len(x) * len(y), 1))
    X[:, first], X[:, second] = np.tile(x, len(y)), np.repeat(y, len(x))
    verdict, numbers = predictor.outline(X)
    shape = (len(y), len(x))
    value, lower, upper = (
        values.reshape(shape) for values in (_number(numbers), numbers["lower"], numbers["upper"])
    )
    return Plane(names, x, y, value, lower, upper, verdict.reshape(shape))
