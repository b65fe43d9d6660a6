"""
The graph of a bundle's model: the bare model, calibration, target transform and domain score.

All that surrounds the model runs in float64 whatever the precision of the points, so that the
graph and numpy agree to rounding of the input alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.confidence import Calibration
from limen.domain import MAX_SCALED, Domain
from limen.errors import ExportError
from limen.estimators.building import GraphBuilder
from limen.estimators.fitted import FittedModel, Floats
from limen.transforms import (
    CDF_DENOMINATOR,
    CDF_NUMERATOR,
    MAX_EXPONENT,
    MAX_PROBIT,
    TargetTransform,
)

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["assemble", "reference"]

_PREFIX = "model/"


def _write_calibration(builder: GraphBuilder, p: str, calibration: Calibration) -> str:
    if calibration.kind == "sigmoid":
        clipped = builder.clip(p, calibration.clip, 1.0 - calibration.clip)
        rest = builder.op("Sub", builder.constant(1.0), clipped)
        logit = builder.op("Sub", builder.op("Log", clipped), builder.op("Log", rest))
        return builder.op("Sigmoid", builder.affine(logit, calibration.a, calibration.b))
    if calibration.kind == "piecewise":
        return _write_knots(builder, p, np.array(calibration.x), np.array(calibration.y))
    return p


def _write_knots(builder: GraphBuilder, p: str, x: Floats, y: Floats) -> str:
    """Interpolate: the first value plus each segment's share of its rise."""
    column = builder.op("Reshape", p, builder.constant([-1, 1], "int64"))
    part = builder.op("Sub", column, builder.constant(x[:-1]))
    part = builder.op("Div", part, builder.constant(np.diff(x)))
    part = builder.clip(part, 0.0, 1.0)
    rise = builder.op("MatMul", part, builder.constant(np.diff(y)[:, None]))
    return builder.op("Add", builder.flat(rise), builder.constant(y[:1]))


def _write_normal_cdf(builder: GraphBuilder, u: str) -> str:
    """Normal distribution by the rational formula of `limen.transforms.normal_cdf`."""
    clipped = builder.clip(u, -MAX_PROBIT, MAX_PROBIT)
    size = builder.op("Abs", clipped)

    def polynomial(coefficients: tuple[float, ...]) -> str:
        total = builder.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            product = builder.op("Mul", total, size)
            total = builder.op("Add", product, builder.constant(coefficient))
        return total

    ratio = builder.op("Div", polynomial(CDF_NUMERATOR), polynomial(CDF_DENOMINATOR))
    square = builder.op("Mul", builder.op("Mul", size, size), builder.constant(-0.5))
    tail = builder.op("Mul", builder.op("Exp", square), ratio)
    rest = builder.op("Sub", builder.constant(1.0), tail)
    upper = builder.op("Greater", clipped, builder.constant(0.0))
    return builder.op("Where", upper, rest, tail)


def _write_transform(builder: GraphBuilder, u: str, transform: TargetTransform) -> tuple[str, str]:
    """Give the target, and how fast it changes with u ("" for 1)."""
    if transform.kind == "identity":
        return u, ""
    if transform.kind == "probit":
        square = builder.op("Mul", builder.op("Mul", u, u), builder.constant(-0.5))
        height = builder.constant(1.0 / math.sqrt(2.0 * math.pi))
        return _write_normal_cdf(builder, u), builder.op("Mul", builder.op("Exp", square), height)
    power = builder.op("Exp", builder.clip(u, -MAX_EXPONENT, MAX_EXPONENT))
    if transform.kind == "log":
        return power, power
    minus = builder.op("Sub", power, builder.constant(1.0))
    fall = builder.op("Mul", minus, builder.constant(transform.scale))
    value = builder.op("Sub", builder.constant(transform.top), fall)
    return value, builder.op("Mul", power, builder.constant(abs(transform.scale)))


def _largest(builder: GraphBuilder, values: str) -> str:
    """Largest of each row, [N]; TopK means the same in every operator set from 11 on."""
    return _extreme(builder, values, 1, largest=1)


def _extreme(builder: GraphBuilder, values: str, k: int, *, largest: int) -> str:
    top = builder.op(
        "TopK", values, builder.constant([k], "int64"), outputs=2, axis=1, largest=largest, sorted=0
    )
    return builder.flat(top) if k == 1 else top


def _write_domain(builder: GraphBuilder, domain: Domain) -> str:
    x = builder.double("points")
    away = builder.op("Abs", builder.op("Sub", x, builder.constant(domain.middle)))
    score = _largest(builder, builder.op("Div", away, builder.constant(domain.half)))
    shifted = builder.op("Sub", x, builder.constant(domain.centre))
    z = builder.op("Div", shifted, builder.constant(domain.scale))
    z = builder.clip(z, -MAX_SCALED, MAX_SCALED)
    score = builder.op("Max", score, _write_density(builder, z, domain))
    parts = []
    for subspace in domain.subspaces:
        value = builder.op("MatMul", z, builder.constant(subspace.normals.T))
        value = builder.op("Abs", builder.op("Sub", value, builder.constant(subspace.offsets)))
        worst = _largest(builder, value)
        parts.append(builder.op("Div", worst, builder.constant(subspace.tolerance)))
    if not parts:
        return score
    return builder.op("Max", score, parts[0] if len(parts) == 1 else builder.op("Min", *parts))


def _write_density(builder: GraphBuilder, z: str, domain: Domain) -> str:
    rows = domain.reference
    if builder.dtype == "float32":
        rows = rows.astype(np.float32).astype(np.float64)
    stored = builder.double(builder.constant(-2.0 * rows.T, builder.dtype))
    gram = builder.op("MatMul", z, stored)
    gram = builder.op("Add", gram, builder.constant((rows**2).sum(axis=1)))
    near = _extreme(builder, gram, domain.k, largest=0)
    if domain.k > 1:
        near = builder.op("Div", builder.total(near), builder.constant(float(domain.k)))
    square = builder.op("Add", near, builder.total(builder.op("Mul", z, z)))
    square = builder.op("Max", square, builder.constant(0.0))
    return builder.op("Div", builder.op("Sqrt", square), builder.constant(domain.threshold))


def assemble(
    raw: ModelProto,
    *,
    task: str,
    n_inputs: int,
    dtype: str,
    domain: Domain,
    calibration: Calibration | None = None,
    target_transform: TargetTransform | None = None,
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """
    Make the graph that lies in a bundle.

    Parameters
    ----------
    raw : onnx.ModelProto
        From `FittedModel.raw_graph`.
    task : {"classification", "regression"}
    n_inputs : int
    dtype : {"float32", "float64"}
        Precision of the points and of the answers.
    domain : Domain
    calibration : Calibration, optional
        Of the probability of label 1; only for two classes.
    target_transform : TargetTransform, optional
        Its inverse leads from what the model says to the target.
    metadata : dict of str to str, optional
        Goes to ``metadata_props``.

    Returns
    -------
    onnx.ModelProto
        Input ``points`` [N, d]; outputs ``probability`` [N, classes], or ``mean`` [N] and maybe
        ``std`` [N] (in the target's unit: the model's times the transform's slope); always
        ``domain_score`` [N]. The same arguments give the same bytes.

    Raises
    ------
    ExportError
        If a calibration is asked for more than two classes.
    """
    opsets = {entry.domain: entry.version for entry in raw.opset_import}
    builder = GraphBuilder(n_inputs, dtype)
    answers = builder.append(raw, _PREFIX)
    values = builder.double(answers["raw"])
    shape = next(item for item in raw.graph.output if item.name == "raw").type.tensor_type.shape
    if task == "classification":
        _write_probability(builder, values, shape, calibration or Calibration())
    else:
        target, rise = _write_transform(builder, values, target_transform or TargetTransform())
        builder.output(target, "mean", dtype)
        if "raw_std" in answers:
            std = builder.double(answers["raw_std"])
            builder.output(builder.op("Mul", std, rise) if rise else std, "std", dtype)
    builder.output(_write_domain(builder, domain), "domain_score", dtype)
    return builder.model(metadata, opsets)


def _write_probability(
    builder: GraphBuilder, values: str, shape: Any, calibration: Calibration
) -> None:
    if len(shape.dim) == 2:
        if calibration.kind != "none":
            raise ExportError(
                f"calibration: found '{calibration.kind}' for {shape.dim[1].dim_value} classes, "
                "allowed for two; leave it out"
            )
        builder.output(values, "probability", builder.dtype, shape.dim[1].dim_value)
        return
    p = _write_calibration(builder, values, calibration)
    column = builder.op("Reshape", p, builder.constant([-1, 1], "int64"))
    other = builder.op("Sub", builder.constant(1.0), column)
    builder.output(builder.op("Concat", other, column, axis=1), "probability", builder.dtype, 2)


def reference(
    fitted: FittedModel,
    *,
    domain: Domain,
    calibration: Calibration | None = None,
    target_transform: TargetTransform | None = None,
) -> Callable[[NDArray[Any]], dict[str, Floats]]:
    """
    What the assembled graph ought to say, by the fitted model and numpy.

    Parameters
    ----------
    fitted : FittedModel
    domain, calibration, target_transform
        As given to `assemble`.

    Returns
    -------
    callable
        (n, d) to a dict of ``probability``, or ``mean`` and maybe ``std``; and ``domain_score``.
    """
    transform = target_transform or TargetTransform()

    def say(X: NDArray[Any]) -> dict[str, Floats]:
        raw = fitted.predict(X)
        answers = {"domain_score": domain.score(X)}
        if fitted.task == "classification":
            if raw.ndim == 1:
                p = (calibration or Calibration()).apply(raw)
                raw = np.column_stack([1.0 - p, p])
            return {"probability": raw, **answers}
        std = fitted.predict_std(X)
        if std is not None:
            answers["std"] = std * transform.slope(raw)
        return {"mean": transform.inverse(raw), **answers}

    return say
