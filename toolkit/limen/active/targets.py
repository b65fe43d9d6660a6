"""Target regions: intervals of outputs in which points are sought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.outputs import Output
from limen.active.problem import CENSORED, OK, History, Problem
from limen.errors import UsageError

__all__ = ["Target", "below", "in_all"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """
    Intervals of some outputs; a point is in the target if all hold.

    Attributes
    ----------
    outputs : tuple of Output
        All outputs of the problem.
    intervals : tuple of (int, float, float)
        Which output, from where to where in the modelled scale; an end may be infinite.
    """

    outputs: tuple[Output, ...]
    intervals: tuple[tuple[int, float, float], ...]

    @classmethod
    def of(cls, problem: Problem, told: Any) -> Target:
        """
        Read a target.

        Parameters
        ----------
        problem : Problem
        told : None, sequence or mapping
            ``[low, high]`` in the unit of the only output, or name of output to ``[low, high]``;
            an end may be None. None: between the thresholds of the outputs that declare two.

        Raises
        ------
        UsageError
            If an output is unknown, an interval is none, or there is none.
        """
        names = [output.name for output in problem.outputs]
        if told is None:
            told = {o.name: o.thresholds for o in problem.outputs if len(o.thresholds) == 2}
        elif not isinstance(told, Mapping):
            told = {names[0] if len(names) == 1 else "": told}
        found = []
        for name, ends in told.items():
            if name not in names:
                raise UsageError(
                    f"target: found output {name!r}, allowed {', '.join(names)}; name it as in "
                    "{output: [low, high]}"
                )
            found.append((names.index(name), *_interval(problem.outputs[names.index(name)], ends)))
        if not found:
            raise UsageError(
                "target: found none, allowed [low, high]; give the option target, or two "
                "thresholds of an output"
            )
        return cls(problem.outputs, tuple(found))

    def labels(self, told: History) -> Floats:
        """
        Label rows by whether they lie in each interval.

        Parameters
        ----------
        told : History

        Returns
        -------
        ndarray, shape (n, intervals)
            1 inside, 0 outside, NaN unknown: no value, or a bound that does not tell.
        """
        columns = []
        for i, low, high in self.intervals:
            under = below(told, i, self.outputs[i], low)
            over = 1 - below(told, i, self.outputs[i], np.nextafter(high, np.inf))
            outside, unknown = (under == 1) | (over == 1), np.isnan(under) | np.isnan(over)
            columns.append(np.where(outside, 0.0, np.where(unknown, np.nan, 1.0)))
        return np.column_stack(columns)

    def depth(self, values: Floats, scale: Floats) -> Floats:
        """
        Say how deep inside values lie; 0 on the edge, negative outside.

        Parameters
        ----------
        values : ndarray, shape (n, m)
            In the modelled scale.
        scale : ndarray, shape (m,)
            What counts as a distance of 1 for an interval with an open end; else its width does.

        Returns
        -------
        ndarray, shape (n,)
            The least over the intervals.
        """
        depths = []
        for i, low, high in self.intervals:
            width = high - low if math.isfinite(high - low) else scale[i]
            depths.append(np.minimum(values[:, i] - low, high - values[:, i]) / width)
        return np.asarray(np.min(depths, axis=0))


def below(told: History, index: int, output: Output, level: float) -> Floats:
    """
    Label rows by whether an output lies below a level.

    Parameters
    ----------
    told : History
    index : int
        Which output.
    output : Output
        Says on which side of its bound a censored value lies.
    level : float
        In the modelled scale.

    Returns
    -------
    ndarray, shape (n,)
        1 below, 0 not, NaN unknown: no value, or a bound that does not tell.
    """
    values = told.values[:, index]
    known = np.isfinite(values) & np.isin(told.status, (OK, CENSORED))
    labels = np.where(known, (values < level).astype(np.float64), np.nan)
    bound = told.status == CENSORED
    if output.censored == "above":
        labels[bound & (values < level)] = np.nan
        return labels
    labels[bound & (values > level)] = np.nan
    labels[bound & (values <= level)] = 1.0
    return labels


def in_all(labels: Floats) -> Floats:
    """Say which rows, labels of shape (n, intervals), lie in all: 1, 0 or NaN, shape (n,)."""
    outside, unknown = (labels == 0).any(axis=1), np.isnan(labels).any(axis=1)
    return np.where(outside, 0.0, np.where(unknown, np.nan, 1.0))


def _interval(output: Output, ends: Any) -> tuple[float, float]:
    """Read one interval into the modelled scale."""
    kinds = (int, float, type(None))
    if isinstance(ends, Sequence) and [isinstance(end, kinds) for end in ends] == [True, True]:
        low = -math.inf if ends[0] is None else float(output.to_model(ends[0]))
        high = math.inf if ends[1] is None else float(output.to_model(ends[1]))
        # An end that has no logarithm is NaN, and not below the other.
        if low < high and (math.isfinite(low) or math.isfinite(high)):
            return low, high
    raise UsageError(
        f"target of {output.name}: found {ends!r}, allowed [low, high] with low below high; one of "
        "them may be None; both are above 0 for an output with scale log"
    )
