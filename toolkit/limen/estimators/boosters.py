"""
Boosters of xgboost as graphs.

Leaves are rounded to a grid on which float32 sums are exact, as for forests.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.errors import ExportError
from limen.estimators.building import GraphBuilder, Steps, Trees

if TYPE_CHECKING:
    from onnx import ModelProto

    from limen.estimators.trend import Trend

__all__ = ["LINKS", "booster_graph", "round_leaves"]

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
    booster: Any,
    n_inputs: int,
    scale: tuple[float, float] = (1.0, 0.0),
    before: Steps = (),
    trend: Trend | None = None,
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
    trend : Trend, optional
        What is added to the sum of trees, after factor and offset and before a logistic link.

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
    if scale != (1.0, 0.0):
        total = builder.affine(total, *scale)
    if trend is not None:
        total = builder.op("Add", total, trend.write(builder))
    if link == "logistic":
        total = builder.op("Sigmoid", total)
    builder.output(total, "raw", "float64")
    return builder.model()


def round_leaves(booster: Any) -> Any:
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
