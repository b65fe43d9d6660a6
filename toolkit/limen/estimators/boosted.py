"""
Boosted trees by xgboost, stopped on rows set aside and then fitted again on all of them.

Where a polynomial explains most of the target, and more than trees would, the trees learn what it
leaves; so do the log-odds of a label, if the quantity that it is cut on is known. Leaves are rounded to a grid on which float32 sums are exact, as for forests.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import ExportError
from limen.estimators.building import GraphBuilder, Steps, Trees
from limen.estimators.fitted import FittedModel, Floats, require, versions

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["DEFAULTS", "LINKS", "booster_graph", "fit_boosted"]

DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.1,
    "max_depth": 7,
    "min_child_weight": 2.0,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "reg_lambda": 1.0,
    "max_bin": 256,
    "max_rounds": 1000,
    "patience": 30,
    "held_out": 0.1,
    "trend": "auto",
    "log_inputs": (),
}
"""``trend``: auto or none. ``log_inputs``: inputs whose logarithm the trend takes first."""

LINKS = {
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:logistic": "logistic",
}
"""Objectives that have a graph, and how the sum of trees becomes the answer."""


def _document(booster: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(booster.save_raw("json"))
    return document


def _learner(document: dict[str, Any]) -> tuple[dict[str, Any], str, list[float]]:
    """Check that a booster is of the kind exported: its trees, link and offsets."""
    learner = document["learner"]
    kind = learner["gradient_booster"]["name"]
    objective = learner["objective"]["name"]
    parameters = learner["learner_model_param"]
    if kind != "gbtree":
        raise ExportError(f"xgboost: found booster '{kind}', allowed 'gbtree'; fit it with gbtree")
    if objective not in LINKS:
        raise ExportError(
            f"xgboost: found objective '{objective}', allowed {', '.join(sorted(LINKS))}; "
            "fit with one of them, or give your own ONNX file"
        )
    if int(parameters.get("num_target", "1")) > 1:
        raise ExportError(
            "xgboost: found a model of several targets, allowed one; fit one model per target"
        )
    text = str(parameters["base_score"]).strip("[]")
    base = [float(item) for item in text.split(",")]
    trees = learner["gradient_booster"]["model"]
    if any(any(tree.get("split_type", ())) for tree in trees["trees"]):
        raise ExportError(
            "xgboost: found splits on categories, allowed numbers; encode them as numbers"
        )
    return trees, LINKS[objective], base


def booster_graph(
    booster: Any, n_inputs: int, scale: tuple[float, float] = (1.0, 0.0), before: Steps = ()
) -> ModelProto:
    """
    Write a booster as a raw graph.

    Parameters
    ----------
    booster : xgboost.Booster
        Names of columns do not matter; they go by position.
    n_inputs : int
    scale : pair of float
        Factor and offset that lead from the sum of trees to the target (regression).
    before : sequence of (str, ndarray)
        Steps in float64 before the points are rounded; the graph then takes float64.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ExportError
        If it is dart or linear, has several targets, an objective without a link of ours, or
        splits on categories.
    """
    model, link, base = _learner(_document(booster))
    groups = max(model["tree_info"], default=0) + 1
    builder = GraphBuilder(n_inputs, "float64" if before else "float32")
    trees = Trees(groups, "BRANCH_LT")
    for tree, group in zip(model["trees"], model["tree_info"], strict=True):
        values = np.asarray(tree["split_conditions"], dtype=np.float64)
        trees.add(
            np.asarray(tree["split_indices"]),
            values,
            (np.asarray(tree["left_children"]), np.asarray(tree["right_children"])),
            values[:, None],
            [group],
        )
    total = builder.trees(trees, before)
    if link == "logistic":
        base = [math.log(item / (1.0 - item)) for item in base]
    if any(base):
        total = builder.op("Add", total, builder.constant(base))
    if link == "softmax":
        builder.output(builder.op("Softmax", total, axis=1), "raw", "float64", groups)
        return builder.model()
    total = builder.flat(total)
    if link == "logistic":
        total = builder.op("Sigmoid", total)
    elif scale != (1.0, 0.0):
        total = builder.affine(total, *scale)
    builder.output(total, "raw", "float64")
    return builder.model()


def _round_leaves(booster: Any) -> Any:
    """Round leaves to a grid so coarse that float32 adds up all trees exactly."""
    document = _document(booster)
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    sizes = [
        max(
            abs(value)
            for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
            if left < 0
        )
        for tree in trees
    ]
    step = 2.0 ** (math.ceil(math.log2(max(sum(sizes), 1e-30))) - 23)
    for tree in trees:
        for place, left in enumerate(tree["left_children"]):
            if left < 0:
                rounded = round(tree["split_conditions"][place] / step) * step
                tree["split_conditions"][place] = rounded
                tree["base_weights"][place] = rounded
    fresh = type(booster)()
    fresh.load_model(bytearray(json.dumps(document), "ascii"))
    return fresh


def _settings(chosen: dict[str, Any], n_classes: int, seed: int, n_jobs: int) -> dict[str, Any]:
    names = ("learning_rate", "max_depth", "min_child_weight", "subsample", "colsample_bytree")
    settings = {name: chosen[name] for name in (*names, "reg_lambda", "max_bin")}
    if n_classes == 0:
        settings |= {"objective": "reg:squarederror", "eval_metric": "rmse", "base_score": 0.0}
    elif n_classes == 2:
        settings |= {"objective": "binary:logistic", "eval_metric": "logloss", "base_score": 0.5}
    else:
        settings |= {"objective": "multi:softprob", "eval_metric": "mlogloss"}
        settings |= {"num_class": n_classes, "base_score": 0.0}
    return {**settings, "tree_method": "hist", "seed": seed, "nthread": n_jobs, "verbosity": 0}


def _rounds(
    xgboost: Any,
    X: NDArray[np.float32],
    y: NDArray[Any],
    settings: dict[str, Any],
    chosen: dict[str, Any],
) -> int:
    """Find how many rounds to go, on rows set aside."""
    order = np.random.default_rng(settings["seed"]).permutation(len(X))
    aside = max(1, round(chosen["held_out"] * len(X)))
    held, kept = order[:aside], order[aside:]
    trained = xgboost.train(
        settings,
        xgboost.DMatrix(X[kept], y[kept], nthread=settings["nthread"]),
        chosen["max_rounds"],
        evals=[(xgboost.DMatrix(X[held], y[held], nthread=settings["nthread"]), "held")],
        early_stopping_rounds=chosen["patience"],
        verbose_eval=False,
    )
    return int(trained.best_iteration) + 1


def fit_boosted(
    X: Floats, y: NDArray[Any], task: str, *, seed: int, n_jobs: int, options: dict[str, Any]
) -> FittedModel:
    """
    Fit boosted trees.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    task : {"classification", "regression"}
    seed, n_jobs : int
        Keep both to get the same trees again.
    options : dict
        See `DEFAULTS`.

    Returns
    -------
    FittedModel
    """
    xgboost = require("xgboost")
    chosen = {**DEFAULTS, **options}
    points = X.astype(np.float32)
    classes = np.unique(y) if task == "classification" else np.array([])
    scale = (1.0, 0.0) if len(classes) else (float(np.std(y)), float(np.mean(y)))
    target = np.searchsorted(classes, y) if len(classes) else (y - scale[1]) / scale[0]
    settings = _settings(chosen, len(classes), seed, n_jobs)
    rounds = _rounds(xgboost, points, target, settings, chosen)
    matrix = xgboost.DMatrix(points, target, nthread=n_jobs)
    booster = _round_leaves(xgboost.train(settings, matrix, rounds))
    booster.set_param({"nthread": 1})

    def answer(rows: NDArray[Any]) -> Floats:
        sums = booster.inplace_predict(rows, predict_type="margin").astype(np.float64)
        if len(classes) == 2:
            return np.asarray(1.0 / (1.0 + np.exp(-sums)))
        if len(classes) > 2:
            powers = np.exp(sums - sums.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        return np.asarray(sums * scale[0] + scale[1])

    return FittedModel(
        name="boosted",
        task="classification" if len(classes) else "regression",
        dtype="float32",
        n_inputs=X.shape[1],
        answer=answer,
        graph=lambda: booster_graph(booster, X.shape[1], scale),
        classes=tuple(int(code) for code in classes),
        hyperparameters={**chosen, "rounds": rounds, "seed": seed, "n_jobs": n_jobs},
        software=versions("xgboost"),
    )
