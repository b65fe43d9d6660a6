"""The numbers of a fitted posterior in the form that a graph is written from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.outputs import Output
from limen.active.spaces import Space
from limen.active.surrogates.coregional import CoregionalPosterior
from limen.active.surrogates.processes import Independent
from limen.estimators.given import GivenProcess, Term
from limen.estimators.standardiser import Standardiser
from limen.units import convert

__all__ = ["process_of", "rescaled", "to_column", "to_unit_cube"]

Floats = NDArray[np.float64]

# As the posterior itself, of the variance.
_LEAST = 1e-8


def process_of(posterior: Any, output: int) -> GivenProcess | None:
    """
    Give the numbers of one output's process, in unit coordinates and the modelled scale.

    Parameters
    ----------
    posterior : Posterior
    output : int

    Returns
    -------
    GivenProcess or None
        None for a posterior that is no single process: a local or averaged one.
    """
    if isinstance(posterior, Independent):
        return process_of(posterior.parts[output], 0)
    if isinstance(posterior, CoregionalPosterior):
        return _coregional(posterior, output)
    return None


def _coregional(posterior: CoregionalPosterior, output: int) -> GivenProcess:
    told, task = posterior.hyperparameters, posterior.outputs[output]
    terms, variance = [], 0.0
    for term in told["terms"]:
        tasks = np.array(term["tasks"])
        variance += float(tasks[task, task])
        gains = tasks[task, posterior.task]
        mixing = np.array(term["mixing"]) if "mixing" in term else None
        terms.append(Term(term["kernel"], np.array(term["lengths"]), gains, mixing))
    process = GivenProcess(
        terms=tuple(terms),
        variance=variance,
        constant=float(told["constants"][task]),
        slope=np.array(told["slopes"][task]),
        points=posterior.rows,
        weights=posterior.weights,
        factor=posterior.factor,
        least=_LEAST * variance,
    )
    return rescaled(process, float(told["scale"][task]), float(told["centre"][task]))


def rescaled(process: GivenProcess, scale: float, shift: float) -> GivenProcess:
    """Give the process of ``scale`` times the quantity plus ``shift``."""
    return replace(
        process,
        terms=tuple(replace(term, gains=scale * term.gains) for term in process.terms),
        variance=scale**2 * process.variance,
        constant=scale * process.constant + shift,
        slope=scale * process.slope,
        least=scale**2 * process.least,
    )


def to_column(output: Output, unit: str) -> tuple[float, float]:
    """
    Give the map from the modelled scale of an output to what a model of a column learns.

    Parameters
    ----------
    output : Output
    unit : str
        Of the column.

    Returns
    -------
    scale, shift : float
        Times ``scale`` plus ``shift``: the value in the column's unit, its ln if ``log``, what
        ``log_deficit`` of :class:`limen.transforms.TargetTransform` gives if that.

    Examples
    --------
    >>> to_column(Output("m", unit="TeV"), "GeV")
    (1000.0, 0.0)
    """
    factor = float(convert(1.0, output.unit, unit))
    if output.scale == "log_deficit":
        return -math.copysign(1.0, output.width), 0.0
    return (math.log(10.0), math.log(factor)) if output.scale == "log" else (factor, 0.0)


def to_unit_cube(space: Space, units: list[str]) -> Standardiser:
    """
    Give the map from inputs in their columns' units to unit coordinates.

    Parameters
    ----------
    space : Space
    units : list of str, length d

    Returns
    -------
    Standardiser
    """
    log = np.array([item.scale == "log" for item in space.parameters])
    low, high = _ends(space, units)
    start = np.where(log, np.log(np.where(log, low, 1.0)), low)
    end = np.where(log, np.log(np.where(log, high, 1.0)), high)
    # What is far below the range has no logarithm to speak of, and is outside the domain anyway.
    return Standardiser(log, np.where(log, 1e-3 * low, 1.0), start, end - start)


def _ends(space: Space, units: list[str]) -> tuple[Floats, Floats]:
    ends = [
        np.asarray(convert(np.array([item.low, item.high]), item.unit, unit), dtype=np.float64)
        for item, unit in zip(space.parameters, units, strict=True)
    ]
    both = np.array(ends)
    return both[:, 0], both[:, 1]
