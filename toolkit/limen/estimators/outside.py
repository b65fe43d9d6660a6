"""
Forests and boosters that were fitted outside, also behind scalers.

They are written by our own exporters, because those of the libraries round thresholds, scale in
another precision, or drop targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import ExportError
from limen.estimators.boosters import booster_graph
from limen.estimators.building import Steps
from limen.estimators.fitted import FittedModel, Floats, require, versions
from limen.estimators.forest import forest_graph

__all__ = [
    "FORESTS",
    "Answer",
    "adopt_booster",
    "adopt_forest",
    "estimator_answer",
    "scaling_steps",
]

FORESTS = frozenset(
    {
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    }
)
_SCALERS = {
    "StandardScaler": (("Sub", "mean_"), ("Div", "scale_")),
    "RobustScaler": (("Sub", "center_"), ("Div", "scale_")),
    "MinMaxScaler": (("Mul", "scale_"), ("Add", "min_")),
    "MaxAbsScaler": (("Div", "scale_"),),
}

Answer = Callable[[NDArray[Any]], Floats]


def scaling_steps(estimator: Any) -> Steps:
    """
    Read the scalers of a pipeline as float64 operations, just as scikit-learn does them.

    Parameters
    ----------
    estimator : object

    Returns
    -------
    sequence of (str, ndarray of shape (d,))
        Operators and constants; empty if this is not a pipeline of scalers and an estimator of
        trees.
    """
    steps = [step for _, step in getattr(estimator, "steps", ())]
    if len(steps) < 2:
        return ()
    last = steps[-1]
    if type(last).__name__ not in FORESTS and not type(last).__module__.startswith("xgboost"):
        return ()
    found: list[tuple[str, Floats]] = []
    for step in steps[:-1]:
        operations = _SCALERS.get(type(step).__name__)
        if operations is None or getattr(step, "clip", False):
            return ()
        for operator, name in operations:
            constant = getattr(step, name, None)
            if constant is not None:
                found.append((operator, np.asarray(constant, dtype=np.float64)))
    return tuple(found)


def _scale(points: NDArray[Any], before: Steps) -> NDArray[Any]:
    operations = {"Sub": np.subtract, "Div": np.divide, "Mul": np.multiply, "Add": np.add}
    for operator, constant in before:
        points = operations[operator](points, constant)
    return points.astype(np.float32)


def estimator_answer(estimator: Any, task: str) -> Answer:
    """
    Ask a scikit-learn estimator as `FittedModel` wants it.

    Parameters
    ----------
    estimator : object
        With ``predict_proba`` for a classification, else ``predict``.
    task : {"classification", "regression"}

    Returns
    -------
    callable
        (n, d) to (n,), or (n, classes) for more than two classes.
    """

    def answer(points: NDArray[Any]) -> Floats:
        # In float64, as its user calls it: the same numbers, not rounded on the way.
        rows = points.astype(np.float64)
        if task == "regression":
            return np.asarray(estimator.predict(rows), dtype=np.float64).reshape(len(rows))
        shares = np.asarray(estimator.predict_proba(rows), dtype=np.float64)
        return shares[:, 1] if shares.shape[1] == 2 else shares

    return answer


def adopt_forest(forest: Any, task: str, n_inputs: int, before: Steps = ()) -> FittedModel:
    """
    Take over a forest.

    Parameters
    ----------
    forest : RandomForestClassifier, ExtraTreesRegressor or their like
    task : {"classification", "regression"}
    n_inputs : int
    before : sequence of (str, ndarray)
        See `scaling_steps`.

    Returns
    -------
    FittedModel
    """
    classifies = task == "classification"
    inner = estimator_answer(forest, task)
    return FittedModel(
        name="adopted",
        task="classification" if classifies else "regression",
        dtype="float64" if before else "float32",
        n_inputs=n_inputs,
        answer=lambda points: inner(_scale(points, before)),
        graph=lambda: forest_graph(forest, n_inputs, before=before),
        classes=tuple(range(len(forest.classes_))) if classifies else (),
        hyperparameters={"converter": "limen", "estimator": type(forest).__name__},
        software=versions("sklearn"),
    )


def _booster(model: Any) -> Any:
    """Take the rounds that the model answers with, without names of columns."""
    xgboost = require("xgboost")
    booster = model
    if not isinstance(model, xgboost.Booster):
        booster = model.get_booster()
        if getattr(model, "early_stopping_rounds", None) is not None:
            # The estimator answers with its best round, the booster with all of them.
            booster = booster[: model.best_iteration + 1]
    booster = booster.copy()
    booster.feature_names, booster.feature_types = None, None
    return booster


def adopt_booster(model: Any, task: str, n_inputs: int, before: Steps = ()) -> FittedModel:
    """
    Take over an xgboost model.

    Parameters
    ----------
    model : xgboost.XGBModel or xgboost.Booster
        An estimator that stopped early counts up to its best round.
    task : {"classification", "regression"}
    n_inputs : int
    before : sequence of (str, ndarray)
        See `scaling_steps`.

    Returns
    -------
    FittedModel

    Raises
    ------
    ExportError
        If its kind or objective has no graph, or does not fit the task.
    """
    booster = _booster(model)
    graph = booster_graph(booster, n_inputs, before=before)
    shape = graph.graph.output[0].type.tensor_type.shape
    columns = shape.dim[1].dim_value if len(shape.dim) == 2 else 1
    logistic = any(node.op_type == "Sigmoid" for node in graph.graph.node)
    classifies = task == "classification"
    if classifies != (logistic or columns > 1):
        raise ExportError(
            f"xgboost: found an objective that does not fit a {task}; "
            "fit XGBClassifier for a label, XGBRegressor for a number"
        )

    def answer(points: NDArray[Any]) -> Floats:
        sums = booster.inplace_predict(
            _scale(points, before), predict_type="margin", validate_features=False
        )
        sums = np.asarray(sums, dtype=np.float64)
        if columns > 1:
            powers = np.exp(sums - sums.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        return 1.0 / (1.0 + np.exp(-sums)) if logistic else sums

    return FittedModel(
        name="adopted",
        task="classification" if classifies else "regression",
        dtype="float64" if before else "float32",
        n_inputs=n_inputs,
        answer=answer,
        graph=lambda: graph,
        classes=tuple(range(max(2, columns))) if classifies else (),
        hyperparameters={"converter": "limen", "estimator": type(model).__name__},
        software=versions("xgboost"),
    )
