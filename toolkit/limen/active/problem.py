"""
What a strategy is asked and what it answers, as plain arrays.

A strategy sees unit coordinates and values in the modelled scale (log10 where an output is
declared ``log``); the campaign translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.active.outputs import Output
from limen.active.spaces import Space
from limen.errors import ShapeError

__all__ = [
    "CENSORED",
    "FAILED",
    "INVALID",
    "OK",
    "STATUSES",
    "Estimate",
    "History",
    "Problem",
    "Proposal",
    "Strategy",
]

Floats = NDArray[np.float64]

OK, FAILED, INVALID, CENSORED = range(4)
STATUSES = ("ok", "failed", "invalid", "censored")
"""
Names of the codes. ``failed``: the evaluation broke. ``invalid``: the point is unphysical.
``censored``: no sensitivity; the value is a bound.
"""


@dataclass(frozen=True)
class Problem:
    """
    The question of a campaign: a space and the outputs that are sought in it.

    Attributes
    ----------
    space : Space
    outputs : tuple of Output
    pool : ndarray, shape (p, d), or None
        Unit coordinates of the only points that can be evaluated; None if all of the space can.
    """

    space: Space
    outputs: tuple[Output, ...]
    pool: Floats | None = None

    @property
    def d(self) -> int:
        """Number of parameters."""
        return self.space.d

    @property
    def m(self) -> int:
        """Number of outputs."""
        return len(self.outputs)


@dataclass(frozen=True)
class History:
    """
    What is known when points are asked: told and pending points.

    Attributes
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates; rows known before first, then in the order of asking.
    values : ndarray, shape (n, m)
        Modelled values; NaN where there is none.
    errors : ndarray, shape (n, m)
        Standard errors in the modelled scale; 0 where none was stated.
    status : ndarray of int8, shape (n,)
        Code, an index of ``STATUSES``.
    reserved : ndarray of bool, shape (n,)
        Points set aside as a sample of the prior: they never train what they judge.
    fidelity : ndarray of int8, shape (n,)
        0 for the real thing, 1 and above for cheap approximations.
    pending : ndarray, shape (p, d)
        Asked and not yet told.
    asks : int
        Number of asks so far.
    asked : int
        Number of points asked so far, told or pending; rows of a bundle do not count.
    warm : int
        Number of rows, at the beginning, that came from a bundle or an approximation.
    """

    points: Floats
    values: Floats
    errors: Floats
    status: NDArray[np.int8]
    reserved: NDArray[np.bool_]
    fidelity: NDArray[np.int8]
    pending: Floats
    asks: int = 0
    asked: int = 0
    warm: int = 0

    def __post_init__(self) -> None:
        n = len(self.points)
        columns = (self.values, self.errors, self.status, self.reserved, self.fidelity)
        if any(len(column) != n for column in columns) or self.values.shape != self.errors.shape:
            raise ShapeError(f"history: columns of different length beside {n} points")

    @classmethod
    def of(
        cls,
        points: ArrayLike,
        values: ArrayLike,
        *,
        pending: ArrayLike | None = None,
        **columns: Any,
    ) -> History:
        """
        Make a history from arrays; what is not given is taken as usual (ok, exact, real).

        Examples
        --------
        >>> History.of([[0.1], [0.9]], [1.0, 2.0]).values.shape
        (2, 1)
        """
        x = np.asarray(points, dtype=np.float64)
        y = np.asarray(values, dtype=np.float64)
        y = y[:, None] if y.ndim < 2 else y
        left = np.empty((0, x.shape[1])) if pending is None else np.asarray(pending, np.float64)
        usual: dict[str, Any] = {
            "errors": np.zeros_like(y),
            "status": np.zeros(len(x), np.int8),
            "reserved": np.zeros(len(x), bool),
            "fidelity": np.zeros(len(x), np.int8),
            "asked": len(x) + len(left),
        }
        return cls(points=x, values=y, pending=left, **(usual | columns))

    @property
    def d(self) -> int:
        """Number of parameters."""
        return int(self.points.shape[1])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows of the real thing with at least one value or bound, shape (n,)."""
        told = (self.status == OK) | (self.status == CENSORED)
        there = np.isfinite(self.values).any(axis=1)
        return np.asarray(told & (self.fidelity == 0) & there, dtype=np.bool_)

    def rows(self, kept: NDArray[np.bool_]) -> History:
        """Keep some rows; pending points and counts stay."""
        names = ("points", "values", "errors", "status", "reserved", "fidelity")
        warm = int(np.count_nonzero(kept[: self.warm]))
        return replace(self, warm=warm, **{name: getattr(self, name)[kept] for name in names})

    def without_reserved(self) -> History:
        """Leave out the reserved rows: for whatever they are to judge."""
        return self.rows(~self.reserved)


@dataclass(frozen=True)
class Proposal:
    """
    Points that a strategy proposes.

    Attributes
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates, admissible and snapped.
    acquisition : ndarray, shape (n,)
        Value of the acquisition by which each was chosen; NaN where there is none.
    origin : tuple of str
        ``initial`` (a sample of the prior), ``acquired``, or ``random`` (a sample of the prior or
        of the pool).
    memory : mapping
        Plain data that the strategy gets back at the next ask, such as hyper-parameters.
    """

    points: Floats
    acquisition: Floats
    origin: tuple[str, ...]
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """
    What a strategy believes at points.

    Attributes
    ----------
    mean, std : ndarray, shape (n, m)
        In the modelled scale.
    below : tuple of ndarray, each of shape (n, t)
        For each output the probability that its value lies below each of its thresholds.
    notes : tuple of str
        Approximations that were made, in words.
    """

    mean: Floats
    std: Floats
    below: tuple[Floats, ...]
    notes: tuple[str, ...] = ()


class Strategy(Protocol):
    """
    How points are chosen. Pure: the same arguments give the same bits.

    Whatever a strategy wants to remember goes through ``memory``, which the campaign keeps.
    """

    name: str

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose ``n`` points that are neither told nor pending."""
        ...

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """Say what is believed at ``points``, unit coordinates of shape (n, d)."""
        ...
