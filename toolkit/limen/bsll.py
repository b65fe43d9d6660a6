"""
The likelihood of b -> s transitions behind the example bundle ``bsll10``.

Twenty measured observables (branching fractions of B -> K(*) mu mu, Bs -> phi mu mu, Bs -> mu mu,
B -> Xs gamma and its exclusive modes, the CP asymmetry S_K*gamma, the ratios R_K and R_K*) as
functions of ten real Wilson coefficients. Each rate is exactly quadratic in the coefficients; the
ratios are ratios of two quadratics. It is a *reduced* likelihood: no angular observables. The
theory uncertainties are those at the Standard Model, in a fixed covariance.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from limen import resources

__all__ = ["BOX", "COLUMNS", "BsllLikelihood", "likelihood"]

Array = np.ndarray[Any, np.dtype[np.float64]]

# The published scan's box cut the profile of C9 and C9', and the best fit's CP lies outside it.
BOX: dict[str, tuple[float, float]] = {
    "C7_bs": (-0.06, 0.06),
    "C7p_bs": (-0.08, 0.08),
    "C9_bsmumu": (-6.0, 6.0),
    "C9p_bsmumu": (-4.5, 4.5),
    "C10_bsmumu": (-1.5, 1.5),
    "C10p_bsmumu": (-1.5, 1.5),
    "CS_bsmumu": (-0.1, 0.1),
    "CSp_bsmumu": (-0.1, 0.1),
    "CP_bsmumu": (-0.1, 0.1),
    "CPp_bsmumu": (-0.1, 0.1),
}
COLUMNS: tuple[str, ...] = tuple(BOX)


class BsllLikelihood:
    """
    Evaluator of the stored likelihood.

    Parameters
    ----------
    document : dict
        Quadratic coefficients per rate, measured values and covariance.

    Attributes
    ----------
    names : tuple of str
        The ten Wilson coefficients, WET basis ``flavio`` at 4.8 GeV, new-physics parts [1; those
        of CS, CSp, CP and CPp 1/GeV].
    observables : tuple of str
        The twenty observables.
    low, high : ndarray, shape (10,)
        The box of the scan [1].
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.names = tuple(document["wc"])
        self.observables = tuple(document["observables"])
        self.low = np.array([BOX[name][0] for name in self.names])
        self.high = np.array([BOX[name][1] for name in self.names])
        self._step = np.array(document["step"])
        self._rates = tuple(document["coef"])
        self._coefficients = np.array([document["coef"][rate] for rate in self._rates])
        self._numerator, self._denominator = self._ratios(document)
        self.measured = np.array(document["central"])
        covariance = np.array(document["cov"])
        self._spread = np.sqrt(np.diag(covariance))
        scaled = covariance / np.outer(self._spread, self._spread)
        self._whiten = np.linalg.inv(np.linalg.cholesky(scaled))

    def _ratios(self, document: dict[str, Any]) -> tuple[Array, Array]:
        rate = {name: position for position, name in enumerate(self._rates)}
        numerator = [rate[name] for name in self.observables[:-2]]
        numerator += [rate[name] for name in document["rk_num"]]
        denominator = [-1] * len(numerator)
        denominator[self.observables.index("S_K*gamma")] = rate["BR(B0->K*gamma)"]
        denominator[-2:] = [rate[name] for name in document["rk_den"]]
        return np.array(numerator), np.array(denominator)

    def _features(self, points: Array) -> tuple[Array, Array]:
        z = points / self._step
        d = z.shape[1]
        pairs = [(i, j) for i in range(d) for j in range(i + 1)]
        first, second = np.array(pairs).T
        features = np.concatenate([np.ones((len(z), 1)), z, z[:, first] * z[:, second]], axis=1)
        return features, z

    def predict(self, points: Array) -> Array:
        """
        Predict the observables.

        Parameters
        ----------
        points : ndarray, shape (n, 10)
            Wilson coefficients [1] in the order of ``names``.

        Returns
        -------
        ndarray, shape (n, 20)
            Branching fractions [1, or 1/GeV^2 for differential ones], asymmetry and ratios [1].
        """
        rates = self._features(np.atleast_2d(points))[0] @ self._coefficients.T
        below = np.where(self._denominator < 0, 1.0, rates[:, self._denominator])
        return np.asarray(rates[:, self._numerator] / below)

    def residuals(self, points: Array, measured: Array | None = None) -> Array:
        """
        Give whitened residuals, whose squares sum to chi2.

        Parameters
        ----------
        points : ndarray, shape (n, 10)
        measured : ndarray, shape (20,) or (n, 20), optional
            Other data than the measured ones (pseudo-experiments).
        """
        data = self.measured if measured is None else measured
        return np.asarray((self.predict(points) - data) / self._spread @ self._whiten.T)

    def log_likelihood(self, points: Array) -> Array:
        """
        Evaluate ln L = -chi2/2, constants dropped.

        Parameters
        ----------
        points : ndarray, shape (n, 10)
            Wilson coefficients [1].

        Returns
        -------
        ndarray, shape (n,)
        """
        return np.asarray(-0.5 * (self.residuals(points) ** 2).sum(axis=1))

    def _jacobian(self, points: Array) -> Array:
        features, z = self._features(points)
        n, d = z.shape
        slopes = np.zeros((n, features.shape[1], d))
        slopes[:, 1 : d + 1] = np.eye(d)
        column = d + 1
        for i in range(d):
            for j in range(i + 1):
                slopes[:, column, i] += z[:, j]
                slopes[:, column, j] += z[:, i]
                column += 1
        rates = features @ self._coefficients.T
        gradients = np.einsum("rf,nfd->nrd", self._coefficients, slopes, optimize=True)
        ratio = self._denominator >= 0
        top, bottom = gradients[:, self._numerator], gradients[:, self._denominator]
        below = np.where(ratio, rates[:, self._denominator], 1.0)
        value = rates[:, self._numerator] / below
        inner = np.where(ratio[:, None], top - value[:, :, None] * bottom, top)
        scaled = inner / below[:, :, None] / self._spread[:, None] / self._step
        return np.asarray(np.einsum("ij,njd->nid", self._whiten, scaled, optimize=True))

    def minimise(
        self, starts: Array, measured: Array | None = None, iterations: int = 80
    ) -> tuple[Array, Array]:
        """
        Minimise chi2 inside the box by projected Levenberg-Marquardt steps, all starts at once.

        Parameters
        ----------
        starts : ndarray, shape (n, 10)
            Starting points [1].
        measured : ndarray, shape (n, 20), optional
            Data per start.
        iterations : int
            Steps; each is taken only where it lowers chi2.

        Returns
        -------
        points : ndarray, shape (n, 10)
        chi2 : ndarray, shape (n,)
        """
        width = self.high - self.low
        points = np.clip(starts, self.low, self.high)
        damping = np.full(len(points), 1e-2)
        residual = self.residuals(points, measured)
        chi2 = (residual**2).sum(axis=1)
        for _ in range(iterations):
            jacobian = self._jacobian(points) * width
            gradient = np.einsum("nid,ni->nd", jacobian, residual)
            held = ((points <= self.low) & (gradient > 0)) | (
                (points >= self.high) & (gradient < 0)
            )
            jacobian = np.where(held[:, None, :], 0.0, jacobian)
            gradient = np.where(held, 0.0, gradient)
            normal = np.einsum("nid,nie->nde", jacobian, jacobian)
            normal += damping[:, None, None] * np.eye(len(width))
            step = np.linalg.solve(normal, gradient[:, :, None])[:, :, 0] * width
            trial = np.clip(points - step, self.low, self.high)
            trial_residual = self.residuals(trial, measured)
            trial_chi2 = (trial_residual**2).sum(axis=1)
            better = trial_chi2 < chi2
            points = np.where(better[:, None], trial, points)
            residual = np.where(better[:, None], trial_residual, residual)
            chi2 = np.where(better, trial_chi2, chi2)
            damping = np.clip(np.where(better, damping * 0.3, damping * 4.0), 1e-9, 1e6)
        return points, chi2

    def best_fit(self, rng: np.random.Generator, starts: int = 64) -> tuple[Array, float]:
        """
        Find the best fit inside the box.

        Parameters
        ----------
        rng : numpy.random.Generator
        starts : int
            Random starting points beside the Standard Model.

        Returns
        -------
        point : ndarray, shape (10,)
        log_likelihood : float
        """
        random = rng.uniform(self.low, self.high, (starts, len(self.names)))
        points, chi2 = self.minimise(np.vstack([np.zeros(len(self.names)), random]), iterations=300)
        best = int(np.argmin(chi2))
        return points[best], float(-0.5 * chi2[best])

    def toys(self, point: Array, n: int, rng: np.random.Generator, starts: int = 6) -> Array:
        """
        Draw pseudo-experiments at a point and give its delta chi2 to their best fits.

        Parameters
        ----------
        point : ndarray, shape (10,)
            Truth of the pseudo-experiments [1].
        n : int
            Number of pseudo-experiments.
        rng : numpy.random.Generator
        starts : int
            Starts of each fit, the truth among them.

        Returns
        -------
        ndarray, shape (n,)
            chi2(point) - min chi2 over the box, never negative.
        """
        d = len(self.names)
        truth = self.predict(point[None])[0]
        noise = rng.standard_normal((n, len(truth)))
        data = truth + np.linalg.solve(self._whiten, noise.T).T * self._spread
        every = np.repeat(data, starts, axis=0)
        begin = rng.uniform(self.low, self.high, (n, starts, d)) * 0.5
        begin[:, 0] = point
        _, chi2 = self.minimise(begin.reshape(-1, d), every)
        lowest = chi2.reshape(n, starts).min(axis=1)
        at_truth = (self.residuals(np.repeat(point[None], n, axis=0), data) ** 2).sum(axis=1)
        return np.asarray(np.maximum(at_truth - lowest, 0.0))


@cache
def likelihood() -> BsllLikelihood:
    """
    Load the likelihood that ships with Limen.

    Examples
    --------
    >>> float(-2 * likelihood().log_likelihood(np.zeros((1, 10)))[0].round(2))
    48.6
    """
    text = resources.data_path("bsll10.json").read_text(encoding="utf-8")
    return BsllLikelihood(json.loads(text))
