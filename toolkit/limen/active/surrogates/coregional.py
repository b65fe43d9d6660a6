"""
A Gaussian process over parameters and tasks in numbers: predictions in numpy and scipy.

A task is an output, or an output at one fidelity. The covariance is a sum of terms
B_rr' k(θ, θ'), each with a kernel over the parameters and a matrix over the tasks: one term for
several outputs, two for an approximation and what it leaves over.

Source: M. Álvarez, L. Rosasco, N. Lawrence, Kernels for Vector-Valued Functions, Foundations and
Trends in Machine Learning 4 (2012) 195, arXiv:1106.6251, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import MissingExtraError, TrainingError

__all__ = ["CoregionalPosterior", "correlation", "posterior_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# Rounding in the Cholesky factor of a noiseless process, as a share of the variance.
_JITTER = 1e-10
_BLOCK = 2048


def _linalg() -> Any:
    try:
        from scipy import linalg
    except ImportError as error:
        raise MissingExtraError.of("scipy", "active") from error
    return linalg


def correlation(name: str, a: Floats, b: Floats, lengths: Floats) -> Floats:
    """
    Correlation: ``matern`` (5/2), ``rough`` (Matern 3/2) or ``rbf``, one length per parameter.

    Parameters
    ----------
    name : str
    a, b : ndarray, shapes (n_a, d) and (n_b, d)
        Unit coordinates.
    lengths : ndarray, shape (d,)
        In unit coordinates.

    Returns
    -------
    ndarray, shape (n_a, n_b)

    Examples
    --------
    >>> correlation("rbf", np.zeros((1, 1)), np.ones((1, 1)), np.ones(1)).round(4)
    array([[0.6065]])
    """
    x, z = a / lengths, b / lengths
    squared = (x**2).sum(1)[:, None] + (z**2).sum(1)[None, :] - 2 * x @ z.T
    squared = np.maximum(squared, 0.0)
    if name == "rbf":
        squared_exponential: Floats = np.exp(-0.5 * squared)
        return squared_exponential
    if name == "rough":
        distance = np.sqrt(3 * squared)
        return np.asarray((1 + distance) * np.exp(-distance))
    distance = np.sqrt(5 * squared)
    matern: Floats = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return matern


def _correlated(term: Mapping[str, Any], a: Floats, b: Floats) -> Floats:
    """Correlation of one term; its distances are taken between mixtures of the parameters."""
    if "mixing" in term:
        mixing = np.array(term["mixing"])
        a, b = a @ mixing.T, b @ mixing.T
    return correlation(term["kernel"], a, b, np.array(term["lengths"]))


@dataclass(frozen=True)
class CoregionalPosterior:
    """
    A process with known numbers, conditioned on values.

    Attributes
    ----------
    hyperparameters : mapping
        Plain data for JSON: ``terms``, each with ``kernel``, ``lengths`` (d,) and ``tasks``
        (t, t), and ``mixing`` (d, d) where distances are taken between mixtures of the
        parameters; ``noise`` (t,), a variance; ``slopes`` (t, d) and ``constants`` (t,) of the
        mean; all of values less ``centre`` (t,) over ``scale`` (t,).
    rows : ndarray, shape (N, d)
        Points of the values, one row for each value.
    task : ndarray of int, shape (N,)
        Which task each value is of.
    factor : ndarray, shape (N, N)
        Lower Cholesky factor of the covariance of the values.
    weights : ndarray, shape (N,)
        Inverse covariance times residuals.
    outputs : tuple of int
        The tasks that are answered for, in order.
    """

    hyperparameters: Mapping[str, Any]
    rows: Floats
    task: Integers
    factor: Floats
    weights: Floats
    outputs: tuple[int, ...]

    @property
    def m(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    def mean_std(self, u: Floats) -> tuple[Floats, Floats]:
        """
        Mean and standard deviation of all outputs, without the noise of an evaluation.

        Parameters
        ----------
        u : ndarray, shape (n, d)
            Unit coordinates.

        Returns
        -------
        mean, std : ndarray, shape (n, m)
            In the modelled scale.
        """
        mean, std = np.empty((len(u), self.m)), np.empty((len(u), self.m))
        for start in range(0, len(u), _BLOCK):
            block = slice(start, start + _BLOCK)
            kernels = self._kernels(u[block])
            for i, task in enumerate(self.outputs):
                mean[block, i], std[block, i] = self._one(u[block], kernels, task)
        return mean, std

    def covariance(self, a: Floats, b: Floats, output: int) -> Floats:
        """
        Posterior covariance of one output between points.

        Parameters
        ----------
        a, b : ndarray, shapes (n_a, d) and (n_b, d)
        output : int

        Returns
        -------
        ndarray, shape (n_a, n_b)
            In the square of the modelled scale.
        """
        return self.cross_covariance(a, b, output, output)

    def cross_covariance(self, a: Floats, b: Floats, first: int, second: int) -> Floats:
        """Posterior covariance of output ``first`` at ``a`` with output ``second`` at ``b``."""
        one, other = self.outputs[first], self.outputs[second]
        terms = self.hyperparameters["terms"]
        prior = sum(term["tasks"][one][other] * _correlated(term, a, b) for term in terms)
        left = self._whitened(self._kernels(a), one)
        right = self._whitened(self._kernels(b), other)
        scale = self.hyperparameters["scale"]
        covariance: Floats = (prior - left.T @ right) * scale[one] * scale[other]
        return covariance

    def conditioned(self, points: Floats) -> CoregionalPosterior:
        """Take points as if all their outputs were told, each at its mean: only variance falls."""
        p = len(points)
        rows = np.vstack([self.rows, np.tile(points, (self.m, 1))])
        task = np.concatenate([self.task, np.repeat(np.array(self.outputs, np.intp), p)])
        factor = _factor(self.hyperparameters, rows, task, np.zeros(len(rows)), self.factor)
        # A value at its mean has no weight.
        weights = np.concatenate([self.weights, np.zeros(p * self.m)])
        return replace(self, rows=rows, task=task, factor=factor, weights=weights)

    def noise(self, output: int) -> float:
        """Variance of what neighbours do not foretell, in the square of the modelled scale."""
        task, told = self.outputs[output], self.hyperparameters
        return float(told["noise"][task] * told["scale"][task] ** 2)

    def leave_one_out(self, output: int) -> Floats:
        """
        Log densities of the values of an output, each predicted from all other values.

        Parameters
        ----------
        output : int

        Returns
        -------
        ndarray, shape (n,)
            Of the values of this output, in the order of the rows, in the modelled scale.

        Notes
        -----
        Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning,
        MIT Press 2006, equations 5.10 to 5.12.
        """
        inverse = _linalg().solve_triangular(self.factor, np.eye(len(self.rows)), lower=True)
        precision = (inverse**2).sum(axis=0)
        task = self.outputs[output]
        here = self.task == task
        log_density = 0.5 * np.log(precision / (2 * math.pi)) - 0.5 * self.weights**2 / precision
        densities: Floats = log_density[here] - math.log(self.hyperparameters["scale"][task])
        return densities

    def _kernels(self, u: Floats) -> list[Floats]:
        terms = self.hyperparameters["terms"]
        return [_correlated(term, self.rows, u) for term in terms]

    def _crossed(self, kernels: list[Floats], task: int) -> Floats:
        parts = [
            kernel * np.array(term["tasks"])[task, self.task][:, None]
            for kernel, term in zip(kernels, self.hyperparameters["terms"], strict=True)
        ]
        total: Floats = np.add.reduce(parts)
        return total

    def _whitened(self, kernels: list[Floats], task: int) -> Floats:
        crossed = self._crossed(kernels, task)
        solved: Floats = _linalg().solve_triangular(
            self.factor, crossed, lower=True, check_finite=False
        )
        return solved

    def _one(self, u: Floats, kernels: list[Floats], task: int) -> tuple[Floats, Floats]:
        told = self.hyperparameters
        crossed = self._crossed(kernels, task)
        mean = _trend(told, u, np.full(len(u), task)) + crossed.T @ self.weights
        white = _linalg().solve_triangular(self.factor, crossed, lower=True, check_finite=False)
        prior = sum(term["tasks"][task][task] for term in told["terms"])
        variance = np.maximum(prior - (white**2).sum(axis=0), _JITTER * prior)
        scale, centre = told["scale"][task], told["centre"][task]
        return mean * scale + centre, np.sqrt(variance) * scale


def _trend(told: Mapping[str, Any], u: Floats, task: Integers) -> Floats:
    slopes, constants = np.array(told["slopes"]), np.array(told["constants"])
    trend: Floats = (u * slopes[task]).sum(axis=1) + constants[task]
    return trend


def _factor(
    told: Mapping[str, Any],
    rows: Floats,
    task: Integers,
    errors: Floats,
    known: Floats | None = None,
) -> Floats:
    """Lower Cholesky factor, shape (N, N); of the first rows it may be ``known``."""
    linalg = _linalg()
    n = 0 if known is None else len(known)
    crossed, size = np.zeros((len(rows), len(rows) - n)), np.zeros(len(told["noise"]))
    for term in told["terms"]:
        tasks = np.array(term["tasks"])
        kernel = _correlated(term, rows, rows[n:])
        crossed += kernel * tasks[np.ix_(task, task[n:])]
        size += np.diag(tasks)
    corner = crossed[n:]
    variance = np.array(told["noise"])[task[n:]] + errors[n:] ** 2 + _JITTER * size[task[n:]]
    corner[np.diag_indices_from(corner)] += variance
    try:
        if known is None:
            whole: Floats = linalg.cholesky(corner, lower=True)
            return whole
        side = linalg.solve_triangular(known, crossed[:n], lower=True)
        end = linalg.cholesky(corner - side.T @ side, lower=True)
    except linalg.LinAlgError as error:
        raise TrainingError(
            f"process: the covariance of {len(rows)} values is singular; leave out repeated points"
        ) from error
    return np.block([[known, np.zeros((n, len(end)))], [side.T, end]])


def posterior_of(
    hyperparameters: Mapping[str, Any],
    rows: Floats,
    task: Integers,
    values: Floats,
    errors: Floats,
    outputs: tuple[int, ...],
) -> CoregionalPosterior:
    """
    Condition a process with known numbers on values.

    Parameters
    ----------
    hyperparameters : mapping
        As :class:`CoregionalPosterior` has them.
    rows : ndarray, shape (N, d)
        Points of the values, unit coordinates.
    task : ndarray of int, shape (N,)
        Which task each value is of.
    values, errors : ndarray, shape (N,)
        Values and their standard errors, in the modelled scale.
    outputs : tuple of int
        The tasks that are answered for.

    Returns
    -------
    CoregionalPosterior

    Raises
    ------
    TrainingError
        If the covariance is singular.
    MissingExtraError
        If scipy is not installed.
    """
    scale, centre = np.array(hyperparameters["scale"]), np.array(hyperparameters["centre"])
    residual = (values - centre[task]) / scale[task] - _trend(hyperparameters, rows, task)
    factor = _factor(hyperparameters, rows, task, errors / scale[task])
    weights = _linalg().cho_solve((factor, True), residual)
    return CoregionalPosterior(hyperparameters, rows, task, factor, weights, outputs)
