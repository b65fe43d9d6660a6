"""
Random forests, used as SUSY-AI does: every row judged by the trees that have not seen it.

Leaves are rounded to a grid on which float32 sums are exact, so that any runtime that adds up the
trees, in any order, gives the fitted forest's answer to the last bit.

Source: S. Caron et al., The BSM-AI project: SUSY-AI, arXiv:1605.02797.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import ExportError
from limen.estimators.building import GraphBuilder, Steps, Trees
from limen.estimators.fitted import FittedModel, Floats, require, versions

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["DEFAULTS", "MAX_NODES", "fit_forest", "forest_graph", "round_down"]

DEFAULTS: dict[str, Any] = {
    "n_estimators": 150,
    "max_leaf_nodes": 4096,
    "min_samples_leaf": 1,
    "max_features": None,
}
"""``max_features`` None: all inputs for regression, the root of their number for classification."""

MAX_NODES = 2_500_000
"""Nodes of a forest that is exported, about 40 bytes each [1]."""


def round_down(thresholds: Floats) -> Floats:
    """
    Largest float32 not above each threshold.

    A float32 point is below a float64 threshold just if it is below this.

    Examples
    --------
    >>> float(round_down(np.array([1.0 + 1e-9]))[0])
    1.0
    """
    nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest).astype(np.float64)


def _round_leaves(forest: Any) -> None:
    """Round what leaves hold to a grid so coarse that float32 adds up all trees exactly."""
    bits = 23 - math.ceil(math.log2(len(forest.estimators_) + 1))
    largest = max(float(np.abs(tree.tree_.value).max()) for tree in forest.estimators_)
    step = 2.0 ** (math.ceil(math.log2(max(largest, 1e-300))) - bits)
    for tree in forest.estimators_:
        tree.tree_.value[...] = np.round(tree.tree_.value / step) * step


def forest_graph(
    forest: Any, n_inputs: int, scale: tuple[float, float] = (1.0, 0.0), before: Steps = ()
) -> ModelProto:
    """
    Write a scikit-learn forest as a raw graph.

    Parameters
    ----------
    forest : RandomForestClassifier, ExtraTreesRegressor or their like
    n_inputs : int
    scale : pair of float
        Factor and offset that lead from the forest's mean to the target (regression).
    before : sequence of (str, ndarray)
        Steps in float64 before the points are rounded; the graph then takes float64.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ExportError
        If there are more nodes than `MAX_NODES`.
    """
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    if nodes > MAX_NODES:
        raise ExportError(
            f"forest: found {nodes} nodes, allowed {MAX_NODES}; "
            "set a smaller max_leaf_nodes or n_estimators"
        )
    classifies = hasattr(forest, "classes_")
    kept = [0] if not classifies else [1] if len(forest.classes_) == 2 else None
    columns = kept if kept is not None else list(range(len(forest.classes_)))
    trees = Trees(len(columns), "BRANCH_LEQ")
    for estimator in forest.estimators_:
        tree = estimator.tree_
        trees.add(
            tree.feature,
            round_down(tree.threshold),
            (tree.children_left, tree.children_right),
            tree.value[:, 0, columns],
            range(len(columns)),
        )
    builder = GraphBuilder(n_inputs, "float64" if before else "float32")
    total = builder.trees(trees, before)
    mean = builder.op("Div", total, builder.constant(float(len(forest.estimators_))))
    if scale != (1.0, 0.0):
        mean = builder.affine(mean, *scale)
    if len(columns) == 1:
        builder.output(builder.flat(mean), "raw", "float64")
    else:
        builder.output(mean, "raw", "float64", len(columns))
    return builder.model()


def fit_forest(
    X: Floats, y: NDArray[Any], task: str, *, seed: int, n_jobs: int, options: dict[str, Any]
) -> FittedModel:
    """
    Fit a random forest with out-of-bag estimates.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    task : {"classification", "regression"}
    seed, n_jobs : int
        The number of jobs does not change the forest.
    options : dict
        See `DEFAULTS`.

    Returns
    -------
    FittedModel
    """
    ensemble = require("sklearn.ensemble")
    chosen = {**DEFAULTS, **options}
    features = chosen.pop("max_features")
    if features is None:
        features = "sqrt" if task == "classification" else 1.0
    settings = {**chosen, "max_features": features}
    classifies = task == "classification"
    cls = ensemble.RandomForestClassifier if classifies else ensemble.RandomForestRegressor
    offset, factor = (0.0, 1.0) if classifies else (float(np.mean(y)), float(np.std(y)))
    target = y if classifies else (y - offset) / factor
    forest = cls(random_state=seed, n_jobs=n_jobs, bootstrap=True, **settings)
    forest.fit(X.astype(np.float32), target)
    _round_leaves(forest)
    forest.n_jobs = 1
    single = classifies and len(forest.classes_) == 2

    def answer(points: NDArray[Any]) -> Floats:
        if not classifies:
            return np.asarray(forest.predict(points) * factor + offset, dtype=np.float64)
        shares = np.asarray(forest.predict_proba(points), dtype=np.float64)
        return shares[:, 1] if single else shares

    out_of_bag = _out_of_bag(forest, X.astype(np.float32), classifies, single)
    return FittedModel(
        name="forest",
        task="classification" if classifies else "regression",
        dtype="float32",
        n_inputs=X.shape[1],
        answer=answer,
        graph=lambda: forest_graph(forest, X.shape[1], (factor, offset)),
        classes=tuple(int(code) for code in forest.classes_) if classifies else (),
        hyperparameters={**settings, "seed": seed},
        software=versions("sklearn"),
        out_of_bag=out_of_bag if classifies else out_of_bag * factor + offset,
    )


def _out_of_bag(forest: Any, X: NDArray[np.float32], classifies: bool, single: bool) -> Floats:
    """Average over the trees that have not seen a row; NaN where all have."""
    n = len(X)
    width = len(forest.classes_) if classifies and not single else 1
    total, count = np.zeros((n, width)), np.zeros(n)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.ones(n, dtype=bool)
        unseen[drawn] = False
        leaves = tree.tree_.predict(X[unseen])
        leaves = leaves.reshape(len(leaves), -1)
        total[unseen] += leaves[:, 1:2] if single else leaves
        count += unseen
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count[:, None]
    return mean if width > 1 else mean[:, 0]
