"""Fits of one likelihood, each checked, with a second minimiser where the first has not arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.readers.tables import library

__all__ = ["MINIMISERS", "TOLERANCE", "Fit", "Likelihood"]

Array = NDArray[np.float64]

MINIMISERS = ("SLSQP", "SLSQP restarted", "Minuit")
"""Minimisers in the order in which they are tried."""

TOLERANCE = 0.01
"""How far from its minimum -2 ln L may be [1]."""

# Step of numerical derivatives: parameters of HistFactory are of order one.
_STEP = 1e-3
_TIGHT = 1e-10
_ITERATIONS = 5_000


@dataclass(frozen=True, slots=True)
class Fit:
    """
    Outcome of one fit.

    Attributes
    ----------
    value : float
        -2 ln L at the minimum [1].
    pars : ndarray, shape (d,)
    distance : float
        Estimated distance of ``value`` to the minimum [1].
    minimiser : int
        Position in `MINIMISERS`.
    """

    value: float
    pars: Array
    distance: float
    minimiser: int

    @property
    def converged(self) -> bool:
        """Tell whether the minimum was reached."""
        return self.distance < TOLERANCE


class Likelihood:
    """
    One statistical model with its data.

    Parameters
    ----------
    specification : dict
        A HistFactory workspace of pyhf with signal.
    mu_max : float
        Upper bound of the signal strength [1].
    """

    def __init__(self, specification: dict[str, Any], mu_max: float | None = None) -> None:
        self.pyhf = library("pyhf", "io")
        workspace = self.pyhf.Workspace(specification)
        settings = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
        self.model = workspace.model(modifier_settings=settings)
        self.data = np.asarray(workspace.data(self.model), dtype=float)
        self.poi = int(self.model.config.poi_index)
        self.bounds = [tuple(map(float, pair)) for pair in self.model.config.suggested_bounds()]
        low, high = self.bounds[self.poi]
        self.bounds[self.poi] = (max(0.0, low), mu_max or high)
        self.fixed = list(self.model.config.suggested_fixed())
        self.start = np.asarray(self.model.config.suggested_init(), dtype=float)

    def value(self, pars: Array, data: Array) -> float:
        """Give -2 ln L [1]."""
        return float(np.ravel(self.pyhf.infer.mle.twice_nll(pars, data, self.model))[0])

    def fit(self, data: Array, mu: float | None, starts: Sequence[Array]) -> Fit:
        """
        Minimise -2 ln L, with the signal strength fixed or free.

        Parameters
        ----------
        data : ndarray, shape (b,)
            Main and auxiliary data.
        mu : float or None
            The fixed signal strength [1]; free if None.
        starts : sequence of ndarray, each of shape (d,)
            Where to start; the best outcome counts.

        Returns
        -------
        Fit
            The first that arrived at a minimum, else the best there is, not ``converged``.
        """
        best: Fit | None = None
        for minimiser in range(len(MINIMISERS)):
            begin = starts if best is None else [best.pars]
            for start in begin:
                found = self._minimised(data, mu, start, minimiser)
                if found is not None and (best is None or found.value < best.value):
                    best = found
            if best is not None and best.converged:
                return best
        if best is None:
            start = np.array(starts[0])
            return Fit(self.value(start, data), start, np.inf, len(MINIMISERS) - 1)
        return best

    def _minimised(
        self, data: Array, mu: float | None, start: Array, minimiser: int
    ) -> Fit | None:
        """Run one minimiser; None where it gives up."""
        init, fixed = np.array(start), list(self.fixed)
        if mu is not None:
            init[self.poi], fixed[self.poi] = mu, True
        low, high = np.array(self.bounds).T
        init = np.clip(init, low, high)
        self.pyhf.set_backend("numpy", self._optimizer(minimiser))
        try:
            pars = np.asarray(
                self.pyhf.infer.mle.fit(
                    data, self.model, init.tolist(), self.bounds, fixed
                ),
                dtype=float,
            )
        except (self.pyhf.exceptions.FailedMinimization, ValueError, FloatingPointError):
            return None
        if not np.isfinite(pars).all():
            return None
        value = self.value(pars, data)
        return Fit(value, pars, self._distance(pars, data, fixed, value), minimiser)

    def _optimizer(self, minimiser: int) -> Any:
        optimize = self.pyhf.optimize
        if minimiser == 2:
            library("iminuit", "io")
            return optimize.minuit_optimizer(strategy=1, maxiter=100_000, tolerance=0.1)
        if minimiser == 1:
            return optimize.scipy_optimizer(tolerance=_TIGHT, maxiter=_ITERATIONS)
        return optimize.scipy_optimizer(maxiter=_ITERATIONS)

    def _distance(self, pars: Array, data: Array, fixed: Sequence[bool], value: float) -> float:
        """Estimate how far -2 ln L is from its minimum, by a Newton step in each direction."""
        distance = 0.0
        for number, (low, high) in enumerate(self.bounds):
            if fixed[number] or high - low < 4 * _STEP:
                continue
            centre = min(max(pars[number], low + _STEP), high - _STEP)
            moved = np.array(pars)
            values = []
            for shift in (-_STEP, 0.0, _STEP):
                moved[number] = centre + shift
                values.append(self.value(moved, data) if centre != pars[number] or shift else value)
            slope = (values[2] - values[0]) / (2 * _STEP)
            curvature = (values[2] - 2 * values[1] + values[0]) / _STEP**2
            slope += curvature * (pars[number] - centre)
            outwards = (pars[number] <= low and slope > 0) or (pars[number] >= high and slope < 0)
            if outwards or not np.isfinite(slope):
                continue
            step = abs(slope) / curvature if curvature > 0 else np.inf
            room = (pars[number] - low) if slope > 0 else (high - pars[number])
            distance += 0.5 * abs(slope) * min(step, room)
        return distance
