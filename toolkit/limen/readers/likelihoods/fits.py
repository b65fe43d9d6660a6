"""Fits of one likelihood, each checked, with a second minimiser where the first has not arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.readers.likelihoods.gradients import Array, Objective
from limen.readers.tables import library

__all__ = ["MINIMISERS", "SETTINGS", "TOLERANCE", "Array", "Fit", "Likelihood"]

Height = Callable[[Array], float]
Slopes = Callable[[Array], Array]

MINIMISERS = ("SLSQP", "SLSQP restarted", "Minuit")
"""Minimisers in the order in which they are tried."""

TOLERANCE = 0.01
"""How far from its minimum -2 ln L may be [1]."""

SETTINGS = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
"""How pyhf interpolates between the variations of a systematic uncertainty."""

# Of SLSQP, on -2 ln L: a first try, and the restarts.
_FTOL = (1e-8, 1e-11)
_ITERATIONS = 2_000
_CALLS = 100_000
# Step that curvatures are measured with, in widths of the constraints.
_PROBE = 1e-4


@dataclass(frozen=True, slots=True)
class Fit:
    """
    Outcome of one fit.

    Parameters
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
    One statistical model with its data, fitted in parameters of unit width.

    Widths of constraints differ by six orders of magnitude in published likelihoods, and a
    minimiser that does not know them stops early.

    Parameters
    ----------
    specification : dict
        A HistFactory workspace of pyhf with signal.
    mu_max : float, optional
        Upper bound of the signal strength [1]; if None, as the workspace has it.
    """

    def __init__(self, specification: dict[str, Any], mu_max: float | None = None) -> None:
        pyhf = library("pyhf", "io")
        pyhf.set_backend("numpy")
        workspace = pyhf.Workspace(specification)
        self.model = workspace.model(modifier_settings=SETTINGS)
        config = self.model.config
        self.data = np.asarray(workspace.data(self.model), dtype=float)
        if config.poi_index is None:
            raise pyhf.exceptions.InvalidModel("no parameter of interest")
        self.poi = int(config.poi_index)
        bounds = np.array(config.suggested_bounds(), dtype=float)
        bounds[self.poi] = max(0.0, bounds[self.poi, 0]), mu_max or bounds[self.poi, 1]
        self.low, self.high = bounds.T
        self.fixed = np.array(config.suggested_fixed(), dtype=bool)
        self.start = np.array(config.suggested_init(), dtype=float)
        self.objective = Objective(self.model)

    def value(self, pars: Array, data: Array) -> float:
        """Give -2 ln L [1]."""
        return self.objective.value(pars, data)

    def expected(self, pars: Array) -> Array:
        """Give the Asimov data of a point, shape (b,)."""
        return np.asarray(self.model.expected_data(pars), dtype=float)

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
            Where to start; all of them by each minimiser, until one has arrived.

        Returns
        -------
        Fit
            The first that arrived at a minimum, else the best there is, not ``converged``.
        """
        best = Fit(math.inf, self._placed(starts[0], mu), math.inf, 0)
        for minimiser in range(len(MINIMISERS)):
            begin = [best.pars] if minimiser == 1 else [best.pars, *starts]
            for start in begin[minimiser == 0 :]:
                found = self._minimised(data, mu, self._placed(start, mu), minimiser)
                if found.value < best.value - (0.0 if found.converged else TOLERANCE):
                    best = found
            if best.converged:
                return best
        return best

    def _placed(self, pars: Array, mu: float | None) -> Array:
        """Put a start inside the bounds, at the signal strength."""
        placed = np.clip(pars, self.low, self.high)
        if mu is not None:
            placed[self.poi] = mu
        return placed

    def _minimised(self, data: Array, mu: float | None, start: Array, minimiser: int) -> Fit:
        """Run one minimiser; infinitely far away where it gives up."""
        free = ~self.fixed
        free[self.poi] &= mu is None
        widths, origin = self.objective.widths[free], start[free]
        pars = start.copy()

        def height(moved: Array) -> float:
            pars[free] = origin + widths * moved
            return self.value(pars, data)

        def slopes(moved: Array) -> Array:
            pars[free] = origin + widths * moved
            slope: Array = self.objective.gradient(pars, data)[free] * widths
            return slope

        bounds = np.stack([self.low[free] - origin, self.high[free] - origin], axis=1)
        bounds /= widths[:, None]
        with np.errstate(all="ignore"):
            run = _minuit if minimiser == 2 else _slsqp
            found = run(height, slopes, bounds, _FTOL[min(minimiser, 1)])
            moved = np.clip(found, *bounds.T)
            value = height(moved)
            arrived = pars.copy()
            if not math.isfinite(value):
                return Fit(math.inf, start, math.inf, minimiser)
            return Fit(value, arrived, _distance(slopes, moved, bounds), minimiser)


def _slsqp(height: Height, slopes: Slopes, bounds: Array, ftol: float) -> Array:
    minimize = library("scipy.optimize", "io").minimize
    found = minimize(
        height,
        np.zeros(len(bounds)),
        jac=slopes,
        method="SLSQP",
        bounds=bounds,
        options={"ftol": ftol, "maxiter": _ITERATIONS},
    )
    return np.asarray(found.x, dtype=float)


def _minuit(height: Height, slopes: Slopes, bounds: Array, ftol: float) -> Array:
    minuit = library("iminuit", "io").Minuit(height, np.zeros(len(bounds)), grad=slopes)
    minuit.limits = bounds.tolist()
    minuit.errors = 0.1
    minuit.errordef = 1.0
    minuit.strategy = 1
    minuit.migrad(ncall=_CALLS)
    return np.asarray(minuit.values, dtype=float)


def _distance(slopes: Slopes, moved: Array, bounds: Array) -> float:
    """Estimate how far -2 ln L is from its minimum, by a Newton step in each direction."""
    slope = slopes(moved)
    if not np.isfinite(slope).all():
        return math.inf
    inward = np.where(slope > 0, -_PROBE, _PROBE)
    room = np.where(slope > 0, moved - bounds[:, 0], bounds[:, 1] - moved)
    distance = 0.0
    for number in np.flatnonzero((room > 0) & (slope != 0)):
        tried = moved.copy()
        tried[number] += inward[number]
        curvature = (slopes(tried)[number] - slope[number]) / inward[number]
        step = abs(slope[number]) / curvature if curvature > 0 else math.inf
        distance += 0.5 * abs(slope[number]) * min(step, room[number])
    return float(distance)
