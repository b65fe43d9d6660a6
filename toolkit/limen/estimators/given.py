"""A Gaussian process whose hyper-parameters are known: the surrogate of a campaign as a model."""

from __future__ import annotations

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

__all__ = ["MOST_POINTS", "GivenProcess", "given_process"]

MOST_POINTS = 4000
"""Above it the inverse Cholesky factor would take more than 128 MB of the graph."""

_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class GivenProcess:
    """
    Numbers of a process over standardised inputs z.

    Attributes
    ----------
    kernel : {"matern", "rbf"}
        Matern 5/2 or squared exponential.
    amplitude : float
        Variance of the process [unit of values squared].
    lengths : ndarray, shape (d,)
        In z.
    constant : float
        Constant part of the mean.
    slope : ndarray, shape (d,)
        Linear part of the mean, per z; zeros for none.
    points : ndarray, shape (n, d)
        In z.
    values : ndarray, shape (n,)
    noise : ndarray, shape (n,)
        Variance of each value.
    new_noise : float
        Variance of a new evaluation.
    """

    kernel: Literal["matern", "rbf"]
    amplitude: float
    lengths: Floats
    constant: float
    slope: Floats
    points: Floats
    values: Floats
    noise: Floats
    new_noise: float = 0.0

    def mean(self, z: Floats) -> Floats:
        """Mean before any value is known, shape (n,)."""
        return np.asarray(self.constant + z @ self.slope)

    def covariance(self, a: Floats, b: Floats) -> Floats:
        """Covariance of the process between points, shape (n_a, n_b)."""
        first, second = a / self.lengths, b / self.lengths
        square = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2.0 * first @ second.T
        square = np.maximum(square, 0.0)
        if self.kernel == "rbf":
            return np.asarray(self.amplitude * np.exp(-0.5 * square))
        t = math.sqrt(5.0) * np.sqrt(square)
        shape = 1.0 + t + 5.0 / 3.0 * square
        return np.asarray(self.amplitude * shape * np.exp(-t))


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
        Its standard deviation is that of a new evaluation.

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
    gram = process.covariance(process.points, process.points) + np.diag(process.noise)
    factor = linalg.cholesky(gram, lower=True)
    rest = process.values - process.mean(process.points)
    weights = np.asarray(linalg.cho_solve((factor, True), rest))
    inverse = np.asarray(linalg.solve_triangular(factor, np.eye(n), lower=True))

    def answer(points: NDArray[Any]) -> Floats:
        z = inputs.apply(np.asarray(points, np.float64))
        parts = [process.covariance(part, process.points) @ weights for part in _parts(z)]
        return np.asarray(np.concatenate(parts) + process.mean(z))

    def spread(points: NDArray[Any]) -> Floats:
        z = inputs.apply(np.asarray(points, np.float64))
        known = [
            ((process.covariance(part, process.points) @ inverse.T) ** 2).sum(axis=1)
            for part in _parts(z)
        ]
        left = process.amplitude + process.new_noise - np.concatenate(known)
        return np.asarray(np.sqrt(np.maximum(left, 0.0)))

    return FittedModel(
        name="campaign",
        task="regression",
        dtype="float64",
        n_inputs=process.points.shape[1],
        answer=answer,
        graph=lambda: _graph(process, inputs, weights, inverse),
        spread=spread,
        hyperparameters=dict(hyperparameters),
        software=dict(software),
    )


def _parts(z: Floats) -> Sequence[Floats]:
    return np.array_split(z, max(1, math.ceil(len(z) / _BLOCK)))


def _graph(
    process: GivenProcess, inputs: Standardiser, weights: Floats, inverse: Floats
) -> ModelProto:
    builder = GraphBuilder(process.points.shape[1], "float64")
    z = inputs.write(builder)
    kernel = write_kernel(
        builder,
        z,
        kernel=process.kernel,
        amplitude=process.amplitude,
        lengths=process.lengths,
        rows=process.points,
    )
    sums = builder.flat(builder.op("MatMul", kernel, builder.constant(weights[:, None])))
    mean = builder.constant([process.constant])
    if process.slope.any():
        rise = builder.flat(builder.op("MatMul", z, builder.constant(process.slope[:, None])))
        mean = builder.op("Add", rise, mean)
    builder.output(builder.op("Add", sums, mean), "raw", "float64")
    half = builder.op("MatMul", kernel, builder.constant(inverse.T))
    known = builder.total(builder.op("Mul", half, half))
    prior = builder.constant(process.amplitude + process.new_noise)
    left = builder.op("Max", builder.op("Sub", prior, known), builder.constant(0.0))
    builder.output(builder.op("Sqrt", left), "raw_std", "float64")
    return builder.model()
