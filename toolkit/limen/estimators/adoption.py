"""
Taking over a model that was fitted elsewhere: an estimator, a booster, or an ONNX file.

Forests and boosters are written by our own exporters (`limen.estimators.outside`); all others go
through skl2onnx in both precisions, and the one that is faithful is kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from limen.errors import ExportError, LimenError, ShapeError
from limen.estimators.building import ML_OPSET, OPSET
from limen.estimators.fitted import FittedModel, Floats, require, versions
from limen.estimators.foreign import ForeignGraph, open_graph
from limen.estimators.outside import (
    FORESTS,
    Answer,
    adopt_booster,
    adopt_forest,
    estimator_answer,
    scaling_steps,
)

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["adopt"]

TOLERANCE = {"float32": 1e-5, "float64": 1e-6}
TRIAL_ROWS = 4096
_HINTS = {
    "HistGradientBoosting": "it compares in float64 and its converter does not; use xgboost",
    "GaussianProcess": "train with estimator 'gp', which writes its own graph",
    "QuantileTransformer": "its converter is not usable; use StandardScaler, or your own ONNX file",
    "PowerTransformer": "its converter mixes precisions; use StandardScaler, or your own ONNX file",
}
# skl2onnx raises whatever its converters stumble on.
_CONVERSION_ERRORS = (
    ArithmeticError, AttributeError, ImportError, LookupError, NameError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


def adopt(
    source: object,
    task: str,
    X: ArrayLike,
    *,
    classes: Sequence[int] | None = None,
    output: str | None = None,
    seed: int = 0,
) -> FittedModel:
    """
    Take over a fitted model.

    Parameters
    ----------
    source : path, bytes or object
        An ONNX file; or a fitted scikit-learn estimator or pipeline, or an xgboost model.
    task : {"classification", "regression"}
    X : array_like, shape (n, d)
        Training rows, in the units and order of the model's inputs: conversion is tried on them.
    classes : sequence of int, optional
        The label's codes, in the order of the probabilities.
    output : str, optional
        For an ONNX file of several outputs, the one that is the answer.
    seed : int
        Draws the other rows that it is tried on.

    Returns
    -------
    FittedModel
        ``hyperparameters`` say how it was converted and how faithfully.

    Raises
    ------
    GraphError
        If an ONNX file may not be run.
    ExportError
        If the model has no faithful graph; with the reason and what to do.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X = np.arange(20.0).reshape(-1, 1)
    >>> adopt(DecisionTreeRegressor().fit(X, X[:, 0]), "regression", X).predict([[3.0]])
    array([3.])
    """
    points = np.asarray(X, dtype=np.float64)
    if points.ndim != 2 or not len(points):
        raise ShapeError(
            f"training data: found X of shape {points.shape}, allowed (n, d); give rows to try on"
        )
    found = _adopt(source, task, points, _trial_rows(points, seed), output)
    if classes is None or task == "regression":
        return found
    codes = tuple(int(code) for code in classes)
    if len(codes) != len(found.classes):
        raise ExportError(
            f"model: found {len(found.classes)} classes, allowed {len(codes)} as the label has: "
            f"{', '.join(map(str, codes))}; fit it on this label"
        )
    return replace(found, classes=codes)


def _adopt(
    source: object, task: str, points: Floats, trial: Floats, output: str | None
) -> FittedModel:
    """Take the way that fits the kind of source."""
    if isinstance(source, str | Path | bytes):
        graph = ForeignGraph(open_graph(source, points.shape[1]), trial, task, output)
        return _model(graph, graph.answer, {"converter": "none"}, {}, graph.std)
    estimator: Any = getattr(source, "best_estimator_", source)
    before = scaling_steps(estimator)
    inner = estimator.steps[-1][1] if before else estimator
    module = type(inner).__module__.partition(".")[0]
    if module == "xgboost":
        return adopt_booster(inner, task, points.shape[1], before)
    _check_estimator(estimator, task, trial)
    if type(inner).__name__ in FORESTS and module == "sklearn":
        return adopt_forest(inner, task, points.shape[1], before)
    return _convert(estimator, task, trial)


def _trial_rows(points: Floats, seed: int) -> Floats:
    """Training rows, and random ones in their box."""
    rng = np.random.default_rng(seed)
    few = points[rng.permutation(len(points))[:TRIAL_ROWS]]
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([few, low + (high - low) * rng.random((TRIAL_ROWS, points.shape[1]))])


def _model(
    graph: ForeignGraph,
    answer: Answer,
    found: dict[str, Any],
    software: dict[str, str],
    spread: Answer | None = None,
) -> FittedModel:
    classes = range(max(2, graph.columns)) if graph.task == "classification" else ()
    return FittedModel(
        name="adopted",
        task="classification" if classes else "regression",
        dtype=graph.dtype,
        n_inputs=graph.n_inputs,
        answer=answer,
        graph=graph.raw_graph,
        spread=spread if graph.spread is not None else None,
        classes=tuple(classes),
        hyperparameters=found,
        software=software,
    )


def _check_estimator(estimator: Any, task: str, trial: Floats) -> None:
    """Refuse what gives no single answer of the wanted kind."""
    name = type(estimator).__name__
    if task == "classification" and not hasattr(estimator, "predict_proba"):
        raise ExportError(
            f"{name}: found no probabilities, allowed a classifier with predict_proba; wrap it in "
            "CalibratedClassifierCV and fit again"
        )
    if task == "regression" and not hasattr(estimator, "predict"):
        raise ExportError(f"{name}: found no predict method, allowed a fitted estimator")
    try:
        classifies = task == "classification"
        said = estimator.predict_proba(trial[:2]) if classifies else estimator.predict(trial[:2])
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ExportError(
            f"{name}: cannot answer points ({reason}), allowed a fitted "
            f"estimator of {trial.shape[1]} inputs; fit it on the same inputs"
        ) from error
    if isinstance(said, list) or (not classifies and np.ndim(said) > 1 and np.shape(said)[1] > 1):
        raise ExportError(f"{name}: found several targets, allowed one; fit one model per target")
    if classifies and np.asarray(estimator.classes_).dtype.kind not in "biuf":
        raise ExportError(
            f"{name}: found classes {list(estimator.classes_)}, allowed the label's codes, whole "
            "numbers; fit on them"
        )


def _parts(estimator: Any) -> list[Any]:
    """An estimator and what it is made of."""
    inner = [step for _, step in getattr(estimator, "steps", ())]
    inner += [item for _, item in getattr(estimator, "estimators", ()) or ()]
    if getattr(estimator, "estimator", None) is not None:
        inner.append(estimator.estimator)
    return [estimator, *(part for item in inner for part in _parts(item))]


def _advice(estimator: Any) -> str:
    names = [type(part).__name__ for part in _parts(estimator)]
    for start, hint in _HINTS.items():
        if any(name.startswith(start) for name in names):
            return hint
    return "give your own ONNX file, or train one of Limen's estimators"


def _onnx(estimator: Any, task: str, dtype: str, d: int) -> ModelProto:
    skl2onnx = require("skl2onnx")
    types = require("skl2onnx.common.data_types")
    last = _parts(estimator)[0]
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    kind = types.FloatTensorType if dtype == "float32" else types.DoubleTensorType
    # By class: an option by id travels to estimators inside that do not know it.
    options = {type(last): {"zipmap": False}} if task == "classification" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: ModelProto = skl2onnx.convert_sklearn(
            estimator,
            initial_types=[("points", kind([None, d]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
    return model


def _convert(estimator: Any, task: str, trial: Floats) -> FittedModel:
    """Convert in both precisions and keep the faithful one."""
    answer = estimator_answer(estimator, task)
    found: list[tuple[float, float, ForeignGraph]] = []
    reasons: list[str] = []
    dtypes: tuple[Literal["float32", "float64"], ...] = ("float32", "float64")
    for dtype in dtypes:
        rows = trial.astype(dtype)
        try:
            model = _onnx(estimator, task, dtype, trial.shape[1])
            graph = ForeignGraph(
                open_graph(model.SerializeToString(), trial.shape[1]),
                rows,
                task,
                _answer_name(model, task),
            )
            ppm, largest = _mismatch(graph.answer(rows), answer(rows), task, dtype)
            found.append((ppm, largest, graph))
        except (LimenError, *_CONVERSION_ERRORS) as error:
            reasons.append(f"{dtype}: {' '.join(str(error).split())[:160]}")
    name = type(estimator).__name__
    if not found:
        raise ExportError(
            f"{name}: cannot be converted ({'; '.join(reasons)}), allowed an estimator that "
            f"skl2onnx converts; {_advice(estimator)}"
        )
    ppm, largest, graph = min(found, key=lambda item: item[:2])
    if ppm > 0:
        reasons += [
            f"{item[2].dtype}: {item[0]:.0f} ppm of rows, by {item[1]:.2g}" for item in found
        ]
        raise ExportError(
            f"{name}: the converted graph gives other answers ({'; '.join(reasons)}), allowed 0 "
            f"ppm beyond {TOLERANCE[graph.dtype]:g}; {_advice(estimator)}"
        )
    how = {"converter": "skl2onnx", "estimator": name, "max_difference": largest}
    return _model(graph, answer, how, versions("sklearn", "skl2onnx"))


def _answer_name(model: ModelProto, task: str) -> str:
    """skl2onnx puts the label first and the probabilities second; a regressor has one output."""
    return str(model.graph.output[1 if task == "classification" else 0].name)


def _mismatch(said: Floats, wanted: Floats, task: str, dtype: str) -> tuple[float, float]:
    """Rows beyond the tolerance, per million, and the largest difference."""
    size = np.abs(wanted) + np.median(np.abs(wanted)) if task == "regression" else 1.0
    apart = np.abs(said - wanted) / np.where(np.asarray(size) > 0, size, 1.0)
    apart = apart.reshape(len(said), -1).max(axis=1)
    return 1e6 * float(np.mean(apart > TOLERANCE[dtype])), float(apart.max())
