"""
Gaussian processes: exact, on at most a few thousand rows, with a trend, as a float64 graph.

A process on the residuals of a polynomial trend; the kernel is the Matern 5/2 or the squared
exponential with one length per input, whichever has the larger marginal likelihood. The graph is
written in closed form from the kernel, the weights and the inverse Cholesky factor.

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, MIT Press
2006, algorithm 2.1, equations 4.17 and 5.12 (leave-one-out).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import UsageError
from limen.estimators.building import GraphBuilder
from limen.estimators.fitted import FittedModel, Floats, require, versions
from limen.estimators.standardiser import Standardiser

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["DEFAULTS", "fit_process", "write_kernel"]

DEFAULTS: dict[str, Any] = {
    "max_rows": 2000,
    "tuning_rows": 400,
    "restarts": 2,
    "kernel": "auto",
    "trend": "auto",
    "noise": "fit",
    "log_inputs": (),
}
"""
``max_rows``: of more rows a seeded sample is taken. ``tuning_rows``: rows on which lengths are
fitted. ``kernel``: auto, matern or rbf. ``trend``: auto, constant, linear or quadratic.
``noise``: fit, or a variance as a share of the residuals'.
"""

# With less noise the standard deviation is lost in rounding before it is that small.
LEAST_NOISE = 3e-6
_KERNELS = ("matern", "rbf")
_TRENDS = ("constant", "linear", "quadratic")
MOST_ROWS = 4000


def _design(z: Floats, trend: str) -> Floats:
    """Columns of the trend: 1, the inputs, their products."""
    columns = [np.ones((len(z), 1))]
    if trend != "constant":
        columns.append(z)
    if trend == "quadratic":
        first, second = np.triu_indices(z.shape[1])
        columns.append(z[:, first] * z[:, second])
    return np.hstack(columns)


@dataclass(frozen=True, slots=True)
class _Process:
    """A fitted process in numbers: everything that the graph needs."""

    inputs: Standardiser
    trend: str
    coefficients: Floats
    scale: float
    kernel: str
    amplitude: float
    lengths: Floats
    noise: float
    rows: Floats
    weights: Floats
    inverse: Floats
    """Inverse of the lower Cholesky factor, shape (n, n)."""


def _kernel(name: str, d: int, noise: float | str) -> Any:
    kernels = require("sklearn.gaussian_process.kernels")
    lengths = np.full(d, math.sqrt(d))
    bounds = (3e-2, 1e3)
    shape = (
        kernels.Matern(lengths, bounds, nu=2.5)
        if name == "matern"
        else kernels.RBF(lengths, bounds)
    )
    white = (
        kernels.WhiteKernel(1e-3, (1e-8, 1.0))
        if noise == "fit"
        else kernels.WhiteKernel(float(noise), "fixed")
    )
    return kernels.ConstantKernel(1.0, (1e-2, 1e3)) * shape + white


def _fit_kernel(z: Floats, residual: Floats, name: str, seed: int, chosen: dict[str, Any]) -> Any:
    process = require("sklearn.gaussian_process")
    model = process.GaussianProcessRegressor(
        _kernel(name, z.shape[1], chosen["noise"]),
        n_restarts_optimizer=chosen["restarts"],
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A length at its bound says that the input does not matter: no news for the user.
        warnings.simplefilter("ignore")
        return model.fit(z, residual)


def _leave_one_out(model: Any, scale: float) -> float:
    """Root mean square of leave-one-out residuals, in the target's unit."""
    linalg = require("scipy.linalg")
    inverse = linalg.solve_triangular(model.L_, np.eye(len(model.L_)), lower=True)
    return scale * float(np.sqrt(np.mean((model.alpha_.ravel() / (inverse**2).sum(axis=0)) ** 2)))


def _trend(z: Floats, y: Floats, trend: str) -> tuple[Floats, Floats, float]:
    """Least-squares trend: coefficients, scaled residuals, their scale."""
    design = _design(z, trend)
    coefficients = np.asarray(np.linalg.lstsq(design, y, rcond=1e-10)[0], dtype=np.float64)
    residual = y - design @ coefficients
    # A trend that explains all but rounding leaves nothing for the process.
    scale = max(float(np.std(residual)), 1e-9 * float(np.std(y)), 1e-300)
    return coefficients, residual / scale, scale


def _choose(z: Floats, y: Floats, seed: int, chosen: dict[str, Any]) -> tuple[str, str, Any]:
    """Choose the kernel by marginal likelihood, then the trend by leaving one out."""
    first = "linear" if chosen["trend"] == "auto" else chosen["trend"]
    if len(z) < 3 * (z.shape[1] + 1) and chosen["trend"] == "auto":
        first = "constant"
    names = _KERNELS if chosen["kernel"] == "auto" else (chosen["kernel"],)
    _, residual, scale = _trend(z, y, first)
    fits = {name: _fit_kernel(z, residual, name, seed, chosen) for name in names}
    name = max(fits, key=lambda item: float(fits[item].log_marginal_likelihood_value_))
    best = (first, fits[name], _leave_one_out(fits[name], scale))
    terms = (z.shape[1] + 1) * (z.shape[1] + 2) // 2
    if chosen["trend"] == "auto" and first == "linear" and len(z) > 3 * terms:
        _, residual, scale = _trend(z, y, "quadratic")
        model = _fit_kernel(z, residual, name, seed, chosen)
        if _leave_one_out(model, scale) < best[2]:
            best = ("quadratic", model, 0.0)
    kernel = best[1].kernel_
    noise = max(kernel.k2.noise_level, LEAST_NOISE * kernel.k1.k1.constant_value)
    kernel.k2.noise_level = noise
    return best[0], name, kernel


def _fit(X: Floats, y: Floats, seed: int, chosen: dict[str, Any]) -> tuple[_Process, Any]:
    linalg = require("scipy.linalg")
    process = require("sklearn.gaussian_process")
    inputs = Standardiser.fit(X, chosen["log_inputs"])
    z = inputs.apply(X)
    rng = np.random.default_rng(seed)
    few = np.sort(rng.permutation(len(z))[: chosen["tuning_rows"]])
    trend, name, kernel = _choose(z[few], y[few], seed, chosen)
    coefficients, residual, scale = _trend(z, y, trend)
    model = process.GaussianProcessRegressor(kernel, optimizer=None).fit(z, residual)
    shape = model.kernel_.k1
    return _Process(
        inputs=inputs,
        trend=trend,
        coefficients=coefficients,
        scale=scale,
        kernel=name,
        amplitude=float(shape.k1.constant_value),
        lengths=np.broadcast_to(shape.k2.length_scale, z.shape[1]).astype(np.float64),
        noise=float(model.kernel_.k2.noise_level),
        rows=z,
        weights=model.alpha_.ravel(),
        inverse=linalg.solve_triangular(model.L_, np.eye(len(z)), lower=True),
    ), model


def _write_trend(builder: GraphBuilder, z: str, fitted: _Process) -> str:
    d = fitted.rows.shape[1]
    constant = builder.constant(fitted.coefficients[:1])
    if fitted.trend == "constant":
        return constant
    linear = builder.constant(fitted.coefficients[1 : d + 1, None])
    trend = builder.op("Add", builder.flat(builder.op("MatMul", z, linear)), constant)
    if fitted.trend == "quadratic":
        matrix = np.zeros((d, d))
        matrix[np.triu_indices(d)] = fitted.coefficients[d + 1 :]
        product = builder.op("MatMul", z, builder.constant(matrix))
        trend = builder.op("Add", trend, builder.total(builder.op("Mul", product, z)))
    return trend


def write_kernel(
    builder: GraphBuilder, z: str, *, kernel: str, amplitude: float, lengths: Floats, rows: Floats
) -> str:
    """
    Write the covariance with known rows.

    Parameters
    ----------
    builder : GraphBuilder
    z : str
        Name of the standardised points, [N, d].
    kernel : {"matern", "rough", "rbf"}
    amplitude : float
    lengths : ndarray, shape (d,)
    rows : ndarray, shape (n, d)

    Returns
    -------
    str
        Name of the covariance, float64 [N, n].
    """
    near = rows / lengths
    scaled = builder.op("Div", z, builder.constant(lengths))
    # Far away only the trend is left; the clip keeps squares finite there.
    scaled = builder.clip(scaled, -1e6, 1e6)
    own = builder.op(
        "ReduceSum", builder.op("Mul", scaled, scaled), builder.constant([1], "int64"), keepdims=1
    )
    cross = builder.op("MatMul", scaled, builder.constant(-2.0 * near.T))
    square = builder.op("Add", builder.op("Add", own, cross), builder.constant((near**2).sum(1)))
    square = builder.op("Max", square, builder.constant(0.0))
    if kernel == "rbf":
        shape = builder.op("Exp", builder.op("Mul", square, builder.constant(-0.5)))
    elif kernel == "rough":
        t = builder.op("Mul", builder.op("Sqrt", square), builder.constant(math.sqrt(3.0)))
        polynomial = builder.op("Add", t, builder.constant(1.0))
        shape = builder.op("Mul", polynomial, builder.op("Exp", builder.op("Neg", t)))
    else:
        t = builder.op("Mul", builder.op("Sqrt", square), builder.constant(math.sqrt(5.0)))
        third = builder.op("Mul", square, builder.constant(5.0 / 3.0))
        polynomial = builder.op("Add", builder.op("Add", third, t), builder.constant(1.0))
        shape = builder.op("Mul", polynomial, builder.op("Exp", builder.op("Neg", t)))
    return builder.op("Mul", shape, builder.constant(amplitude))


def _process_graph(fitted: _Process) -> ModelProto:
    builder = GraphBuilder(fitted.rows.shape[1], "float64")
    z = fitted.inputs.write(builder)
    kernel = write_kernel(
        builder,
        z,
        kernel=fitted.kernel,
        amplitude=fitted.amplitude,
        lengths=fitted.lengths,
        rows=fitted.rows,
    )
    weights = builder.constant(fitted.weights[:, None] * fitted.scale)
    residual = builder.flat(builder.op("MatMul", kernel, weights))
    builder.output(builder.op("Add", residual, _write_trend(builder, z, fitted)), "raw", "float64")
    half = builder.op("MatMul", kernel, builder.constant(fitted.inverse.T))
    known = builder.total(builder.op("Mul", half, half))
    prior = builder.constant(fitted.amplitude + fitted.noise)
    left = builder.op("Max", builder.op("Sub", prior, known), builder.constant(0.0))
    std = builder.op("Mul", builder.op("Sqrt", left), builder.constant(fitted.scale))
    builder.output(std, "raw_std", "float64")
    return builder.model()


def fit_process(
    X: Floats, y: NDArray[Any], task: str, *, seed: int, n_jobs: int, options: dict[str, Any]
) -> FittedModel:
    """
    Fit a Gaussian process.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    task : {"regression"}
    seed : int
    n_jobs : int
        Not used: one thread, so that the same numbers come again.
    options : dict
        See `DEFAULTS`.

    Returns
    -------
    FittedModel
        Its standard deviation is that of a new evaluation, noise included; it leaves out the
        uncertainty of the trend and of the lengths.

    Raises
    ------
    UsageError
        If the task is a classification, or an option has a value that is not known.
    """
    chosen = {**DEFAULTS, **options}
    _check(task, chosen)
    n = len(X)
    if n > chosen["max_rows"]:
        kept = np.sort(np.random.default_rng(seed).permutation(n)[: chosen["max_rows"]])
        X, y = X[kept], y[kept]
    with require("threadpoolctl").threadpool_limits(1):
        fitted, model = _fit(X, y, seed, chosen)

    def answer(points: NDArray[Any]) -> Floats:
        z = fitted.inputs.apply(points)
        trend = _design(z, fitted.trend) @ fitted.coefficients
        return np.asarray(model.predict(z) * fitted.scale + trend)

    def spread(points: NDArray[Any]) -> Floats:
        _, std = model.predict(fitted.inputs.apply(points), return_std=True)
        return np.asarray(std * fitted.scale)

    found = {
        "kernel": fitted.kernel,
        "trend": fitted.trend,
        "rows": len(X),
        "log_inputs": list(chosen["log_inputs"]),
        "lengths": fitted.lengths.tolist(),
        "amplitude": fitted.amplitude,
        "noise_variance": fitted.noise,
    }
    return FittedModel(
        name="gp",
        task="regression",
        dtype="float64",
        n_inputs=X.shape[1],
        answer=answer,
        graph=lambda: _process_graph(fitted),
        spread=spread,
        hyperparameters={**chosen, **found, "seed": seed},
        software=versions("sklearn", "scipy"),
    )


def _check(task: str, chosen: dict[str, Any]) -> None:
    if task != "regression":
        raise UsageError(
            "gp: found a classification, allowed a regression; train on the quantity that the "
            "label is defined on, or take 'forest', 'boosted' or 'mlp'"
        )
    for name, allowed in (("kernel", _KERNELS), ("trend", _TRENDS)):
        if chosen[name] not in ("auto", *allowed):
            raise UsageError(
                f"gp: found {name} {chosen[name]!r}, allowed 'auto', "
                f"{', '.join(map(repr, allowed))}; choose one of them"
            )
    if not 10 <= chosen["max_rows"] <= MOST_ROWS:
        raise UsageError(
            f"gp: found max_rows {chosen['max_rows']}, allowed 10 to {MOST_ROWS}; "
            "take 'mlp' or 'boosted' for more rows"
        )
