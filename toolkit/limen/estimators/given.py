"""A Gaussian process whose numbers are known: the surrogate of a campaign as a model."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import UsageError
from limen.estimators.building import GraphBuilder
from limen.estimators.fitted import FittedModel, Floats, require
from limen.estimators.gaussian import write_kernel
from limen.estimators.standardiser import Standardiser

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["MOST_POINTS", "GivenProcess", "Term", "given_process"]

MOST_POINTS = 4000
"""Above it the inverse Cholesky factor would take more than 128 MB of the graph."""

_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Term:
    """
    One term of a covariance.

    Attributes
    ----------
    kernel : {"matern", "rough", "rbf"}
        Matern 5/2, Matern 3/2 or squared exponential.
    lengths : ndarray, shape (d,)
        In z.
    gains : ndarray, shape (n,)
        Covariance of the process with what is known at each point, at no distance: the variance,
        or less where it is another quantity that is known there.
    mixing : ndarray, shape (d, d), or None
        Distances are taken between ``mixing @ z``.
    """

    kernel: Literal["matern", "rough", "rbf"]
    lengths: Floats
    gains: Floats
    mixing: Floats | None = None

    def mixed(self, z: Floats) -> Floats:
        """Give the mixtures of z, shape (n, d), between which distances are taken."""
        return z if self.mixing is None else np.asarray(z @ self.mixing.T)

    def covariance(self, z: Floats, points: Floats) -> Floats:
        """Covariance at z with what is known at points, shape (len(z), len(points))."""
        first, second = self.mixed(z) / self.lengths, self.mixed(points) / self.lengths
        square = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2.0 * first @ second.T
        square = np.maximum(square, 0.0)
        if self.kernel == "rbf":
            return np.asarray(self.gains * np.exp(-0.5 * square))
        if self.kernel == "rough":
            t = math.sqrt(3.0) * np.sqrt(square)
            return np.asarray(self.gains * (1.0 + t) * np.exp(-t))
        t = math.sqrt(5.0) * np.sqrt(square)
        shape = 1.0 + t + 5.0 / 3.0 * square
        return np.asarray(self.gains * shape * np.exp(-t))


@dataclass(frozen=True, slots=True)
class GivenProcess:
    """
    Numbers of a process over standardised inputs z.

    Attributes
    ----------
    terms : tuple of Term
        Their sum is the covariance.
    variance : float
        Variance of the process before any value is known [unit of values squared].
    constant : float
        Constant part of the mean.
    slope : ndarray, shape (d,)
        Linear part of the mean, per z; zeros for none.
    points : ndarray, shape (n, d)
        Where values are known, in z.
    weights : ndarray, shape (n,)
        Inverse covariance of the known values times their residuals.
    factor : ndarray, shape (n, n)
        Lower Cholesky factor of that covariance, noise included.
    least : float
        Smallest variance that is stated: rounding leaves no less.
    """

    terms: tuple[Term, ...]
    variance: float
    constant: float
    slope: Floats
    points: Floats
    weights: Floats
    factor: Floats
    least: float = 0.0

    def mean(self, z: Floats) -> Floats:
        """Mean before any value is known, shape (n,)."""
        return np.asarray(self.constant + z @ self.slope)

    def covariance(self, z: Floats) -> Floats:
        """Covariance of the process at z with what is known, shape (len(z), n)."""
        total = np.zeros((len(z), len(self.points)))
        for term in self.terms:
            total += term.covariance(z, self.points)
        return total


def given_process(
    process: GivenProcess,
    inputs: Standardiser,
    *,
    hyperparameters: Mapping[str, Any],
    software: Mapping[str, str],
) -> FittedModel:
    """
    Make a model of a process without fitting anything.

    Parameters
    ----------
    process : GivenProcess
    inputs : Standardiser
        From the model's inputs to z.
    hyperparameters, software : mapping
        For the card.

    Returns
    -------
    FittedModel
        Its standard deviation is that of the process, without the noise of an evaluation.

    Raises
    ------
    UsageError
        If there are more than ``MOST_POINTS`` points.
    """
    n = len(process.points)
    if not 0 < n <= MOST_POINTS:
        raise UsageError(
            f"process: found {n} points, allowed 1 to {MOST_POINTS} in a graph; train a model of "
            "another kind on the rows"
        )
    linalg = require("scipy.linalg")
    inverse = np.asarray(linalg.solve_triangular(process.factor, np.eye(n), lower=True))

    def answer(points: NDArray[Any]) -> Floats:
        z = inputs.apply(np.asarray(points, np.float64))
        parts = [process.covariance(part) @ process.weights for part in _parts(z)]
        return np.asarray(np.concatenate(parts) + process.mean(z))

    def spread(points: NDArray[Any]) -> Floats:
        z = inputs.apply(np.asarray(points, np.float64))
        known = [((process.covariance(part) @ inverse.T) ** 2).sum(axis=1) for part in _parts(z)]
        return np.sqrt(np.maximum(process.variance - np.concatenate(known), process.least))

    return FittedModel(
        name="campaign",
        task="regression",
        dtype="float64",
        n_inputs=process.points.shape[1],
        answer=answer,
        graph=lambda: _graph(process, inputs, inverse),
        spread=spread,
        spread_meaning="posterior standard deviation (without the noise of an evaluation)",
        hyperparameters=dict(hyperparameters),
        software=dict(software),
    )


def _parts(z: Floats) -> Sequence[Floats]:
    return np.array_split(z, max(1, math.ceil(len(z) / _BLOCK)))


def _write_term(builder: GraphBuilder, z: str, term: Term, points: Floats) -> str:
    if term.mixing is not None:
        z = builder.op("MatMul", z, builder.constant(term.mixing.T))
    shape = write_kernel(
        builder, z, kernel=term.kernel, amplitude=1.0, lengths=term.lengths, rows=term.mixed(points)
    )
    return builder.op("Mul", shape, builder.constant(term.gains))


def _graph(process: GivenProcess, inputs: Standardiser, inverse: Floats) -> ModelProto:
    builder = GraphBuilder(process.points.shape[1], "float64")
    z = inputs.write(builder)
    written = [_write_term(builder, z, term, process.points) for term in process.terms]
    kernel = functools.reduce(lambda a, b: builder.op("Add", a, b), written)
    weights = builder.constant(process.weights[:, None])
    sums = builder.flat(builder.op("MatMul", kernel, weights))
    mean = builder.constant([process.constant])
    if process.slope.any():
        rise = builder.flat(builder.op("MatMul", z, builder.constant(process.slope[:, None])))
        mean = builder.op("Add", rise, mean)
    builder.output(builder.op("Add", sums, mean), "raw", "float64")
    half = builder.op("MatMul", kernel, builder.constant(inverse.T))
    known = builder.total(builder.op("Mul", half, half))
    left = builder.op("Sub", builder.constant(process.variance), known)
    left = builder.op("Max", left, builder.constant(process.least))
    builder.output(builder.op("Sqrt", left), "raw_std", "float64")
    return builder.model()
