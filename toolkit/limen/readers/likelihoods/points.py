"""CLs and upper limits of one point of one likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from limen.readers.likelihoods.fits import TOLERANCE, Array, Fit, Likelihood
from limen.readers.likelihoods.statistics import BANDS, cls_expected, cls_observed
from limen.readers.tables import library

__all__ = ["LEVEL", "MU_MAX", "evaluate"]

LEVEL = 0.05
MU_MAX = 1_000.0
"""Largest signal strength that a limit is looked for [1]; beyond it there is no sensitivity."""

_PRECISION = 1e-4


def evaluate(specification: dict[str, Any], *, limits: bool = False) -> dict[str, Any]:
    """
    Fit one point.

    Parameters
    ----------
    specification : dict
        The workspace with the point's signal.
    limits : bool
        Also find the signal strengths that are excluded at 95 % confidence level.

    Returns
    -------
    dict
        ``ok``, ``why`` (in words where not ok), ``minimiser``, ``distance``, ``mu_hat``, and if ok
        ``cls_obs``, ``clsb_obs``, ``clb_obs``, ``cls_exp`` (five bands); with ``limits``
        ``mu95_obs`` and ``mu95_exp`` (five bands), inf where there is no sensitivity.
    """
    point = _Point(Likelihood(specification, MU_MAX if limits else None))
    q, q_asimov = point.test(1.0)
    answer = point.report()
    if not point.ok:
        return answer
    cls, clsb, clb = cls_observed(q, q_asimov)
    answer |= {"cls_obs": cls, "clsb_obs": clsb, "clb_obs": clb}
    answer["cls_exp"] = [cls_expected(q_asimov, band) for band in BANDS]
    if limits:
        answer["mu95_obs"] = point.limit(None)
        answer["mu95_exp"] = [point.limit(band) for band in BANDS]
        answer |= point.report()
    return answer


class _Point:
    """The fits of one point, each made once."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood
        self.faults: list[str] = []
        self.minimiser = 0
        self.distance = 0.0
        data, start = likelihood.data, likelihood.start
        self.background = self._fit(data, 0.0, [start], "background-only fit")
        self.free = self._fit(data, None, [start, self.background.pars], "free fit")
        self.asimov = np.asarray(likelihood.model.expected_data(self.background.pars), dtype=float)
        # The Asimov data are what these parameters predict: they are the minimum.
        self.asimov_value = likelihood.value(self.background.pars, self.asimov)
        self._ordered(self.background.value, self.free.value, "background-only")
        self._tests: dict[float, tuple[float, float]] = {}

    @property
    def ok(self) -> bool:
        """Tell whether every fit so far can be believed."""
        return not self.faults

    def report(self) -> dict[str, Any]:
        """Say how good the fits are."""
        return {
            "ok": self.ok,
            "why": "; ".join(dict.fromkeys(self.faults)),
            "minimiser": self.minimiser,
            "distance": self.distance if math.isfinite(self.distance) else None,
            "mu_hat": float(self.free.pars[self.likelihood.poi]),
        }

    def _fit(self, data: Array, mu: float | None, starts: list[Array], name: str) -> Fit:
        found = self.likelihood.fit(data, mu, starts)
        self.minimiser = max(self.minimiser, found.minimiser)
        self.distance = max(self.distance, found.distance)
        if not found.converged:
            self.faults.append(
                f"the {name} has not arrived at a minimum with any minimiser "
                f"(-2 ln L = {found.value:.2f}, about {found.distance:.2g} above)"
            )
        return found

    def _ordered(self, fixed: float, free: float, name: str) -> None:
        """A fit with one parameter more cannot be worse."""
        if free > fixed + TOLERANCE:
            self.faults.append(
                f"the free fit (-2 ln L = {free:.3f}) is worse than the {name} fit ({fixed:.3f})"
            )

    def test(self, mu: float) -> tuple[float, float]:
        """Give qtilde_mu on the data and on the background-only Asimov data."""
        if mu not in self._tests:
            data, pars = self.likelihood.data, self.background.pars
            name = f"fit at mu = {mu:g}"
            fixed = self._fit(data, mu, [self.free.pars], name)
            self._ordered(fixed.value, self.free.value, f"mu = {mu:g}")
            q = max(0.0, fixed.value - self.free.value)
            q = 0.0 if self.free.pars[self.likelihood.poi] > mu else q
            asimov = self._fit(self.asimov, mu, [pars], f"{name} of the Asimov data")
            self._ordered(asimov.value, self.asimov_value, f"mu = {mu:g} (Asimov)")
            self._tests[mu] = q, max(0.0, asimov.value - self.asimov_value)
        return self._tests[mu]

    def _cls(self, mu: float, band: int | None) -> float:
        q, q_asimov = self.test(mu)
        return cls_observed(q, q_asimov)[0] if band is None else cls_expected(q_asimov, band)

    def limit(self, band: int | None) -> float:
        """Find the signal strength of CLs = 0.05; inf where none up to `MU_MAX` is excluded."""
        low, high = 0.0, 1.0
        while self._cls(high, band) > LEVEL:
            if high >= MU_MAX:
                return math.inf
            low, high = high, min(2.0 * high, MU_MAX)
        while low == 0.0 and self._cls(high / 2.0, band) < LEVEL and high > 1e-6:
            high /= 2.0
        low = low or high / 2.0
        return self._root(low, high, band)

    def _root(self, low: float, high: float, band: int | None) -> float:
        """Find the root of log CLs - log 0.05 between two signal strengths."""

        def height(mu: float) -> float:
            return math.log(max(self._cls(mu, band), 1e-300) / LEVEL)

        brentq = library("scipy.optimize", "io").brentq
        return float(brentq(height, low, high, xtol=_PRECISION * low, rtol=_PRECISION))
