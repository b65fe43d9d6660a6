"""CLs and upper limits of one point of one likelihood."""

from __future__ import annotations

import math
from typing import Any

from limen.readers.likelihoods.fits import TOLERANCE, Fit, Likelihood
from limen.readers.likelihoods.gradients import Array
from limen.readers.likelihoods.statistics import BANDS, cls_expected, cls_observed
from limen.readers.tables import library

__all__ = ["LEVEL", "MU_MAX", "evaluate"]

LEVEL = 0.05
MU_MAX = 1_000.0
"""Largest signal strength that a limit is looked for [1]; beyond it there is no sensitivity."""

_PRECISION = 1e-4
_ROUNDS = 3


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
        ``ok``, ``why`` (in words where not ok), ``minimiser``, ``distance``, ``gap``, ``mu_hat``,
        and if ok ``cls_obs``, ``clsb_obs``, ``clb_obs``, ``cls_exp`` (five bands); with
        ``limits`` ``limits_ok`` and, if so, ``mu95_obs`` and ``mu95_exp`` (five bands), inf where
        no signal strength up to `MU_MAX` is excluded.
    """
    point = _Point(Likelihood(specification, MU_MAX if limits else None))
    q, q_asimov = point.test(1.0)
    answer = point.report()
    if point.faults:
        return answer | ({"limits_ok": False} if limits else {})
    cls, clsb, clb = cls_observed(q, q_asimov)
    answer |= {"cls_obs": cls, "clsb_obs": clsb, "clb_obs": clb}
    answer["cls_exp"] = [cls_expected(q_asimov, band) for band in BANDS]
    if limits:
        found = [point.limit(band) for band in (None, *BANDS)]
        answer |= {"mu95_obs": found[0], "mu95_exp": found[1:], "limits_ok": not point.faults}
        answer["why"] = point.report()["why"]
    return answer


class _Point:
    """The fits of one point, each made once."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood
        self.faults: list[str] = []
        self.minimiser = 0
        self.distance = 0.0
        self.gap = -math.inf
        self._tests: dict[float, tuple[float, float]] = {}
        self._pars: dict[float, tuple[Array, Array]] = {}
        self.background, self.free, self._first = self._settled()
        for fit, name in ((self.background, "background-only fit"), (self.free, "free fit")):
            self._take(fit, name)
        self._ordered(self.background.value, self.free.value, "background-only")
        self.asimov = likelihood.expected(self.background.pars)
        # The Asimov data are what these parameters predict: they are the minimum.
        self.asimov_value = likelihood.value(self.background.pars, self.asimov)

    def _settled(self) -> tuple[Fit, Fit, Fit]:
        """Fit the data at mu = 0, free and at mu = 1, each also from where the others arrived."""
        likelihood, data = self.likelihood, self.likelihood.data
        strengths = (0.0, None, 1.0)
        fits: list[Fit] = []
        for mu in strengths:
            fits.append(likelihood.fit(data, mu, [likelihood.start, *(f.pars for f in fits)]))
        for _ in range(_ROUNDS):
            better = False
            for number, mu in enumerate(strengths):
                others = [fit.pars for fit in fits if fit is not fits[number]]
                found = likelihood.fit(data, mu, others)
                if found.converged and found.value < fits[number].value - TOLERANCE:
                    fits[number], better = found, True
            if not better:
                break
        return fits[0], fits[1], fits[2]

    def report(self) -> dict[str, Any]:
        """Say how good the fits are."""
        return {
            "ok": not self.faults,
            "why": "; ".join(dict.fromkeys(self.faults)),
            "minimiser": self.minimiser,
            "distance": self.distance,
            "gap": self.gap,
            "mu_hat": float(self.free.pars[self.likelihood.poi]),
        }

    def _take(self, found: Fit, name: str) -> None:
        """Take note of how good a fit is."""
        self.minimiser = max(self.minimiser, found.minimiser)
        self.distance = max(self.distance, found.distance)
        if not found.converged:
            self.faults.append(
                f"the {name} has not arrived at a minimum with any minimiser "
                f"(-2 ln L = {found.value:.2f}, about {found.distance:.2g} above)"
            )

    def _ordered(self, fixed: float, free: float, name: str) -> None:
        """Check that the fit with one parameter more is not worse."""
        self.gap = max(self.gap, free - fixed)
        if free > fixed + TOLERANCE:
            self.faults.append(
                f"the free fit (-2 ln L = {free:.3f}) is worse than the {name} fit ({fixed:.3f})"
            )

    def test(self, mu: float) -> tuple[float, float]:
        """Give qtilde_mu on the data and on the background-only Asimov data."""
        if mu not in self._tests:
            fit = self.likelihood.fit
            near = self._nearest(mu)
            starts = [self.free.pars, self.background.pars, *near[:1]]
            fixed = self._first if mu == 1.0 else fit(self.likelihood.data, mu, starts)
            self._take(fixed, f"fit at mu = {mu:g}")
            self._ordered(fixed.value, self.free.value, f"mu = {mu:g}")
            q = max(0.0, fixed.value - self.free.value)
            q = 0.0 if self.free.pars[self.likelihood.poi] > mu else q
            asimov = fit(self.asimov, mu, [self.background.pars, fixed.pars, *near[1:]])
            self._take(asimov, f"fit at mu = {mu:g} of the Asimov data")
            self._ordered(asimov.value, self.asimov_value, f"mu = {mu:g} (Asimov)")
            self._tests[mu] = q, max(0.0, asimov.value - self.asimov_value)
            self._pars[mu] = fixed.pars, asimov.pars
        return self._tests[mu]

    def _nearest(self, mu: float) -> tuple[Array, ...]:
        if not self._pars:
            return ()
        return self._pars[min(self._pars, key=lambda known: abs(math.log(known / mu)))]

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
        return self._root(low or high / 2.0, high, band)

    def _root(self, low: float, high: float, band: int | None) -> float:
        """Find the root of log CLs - log 0.05 between two signal strengths."""

        def height(mu: float) -> float:
            return math.log(max(self._cls(mu, band), 1e-300) / LEVEL)

        if height(low) <= 0.0:
            return low
        brentq = library("scipy.optimize", "io").brentq
        return float(brentq(height, low, high, xtol=_PRECISION * low, rtol=_PRECISION))
