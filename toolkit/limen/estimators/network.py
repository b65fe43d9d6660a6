"""
Networks by scikit-learn: a few members on standardised inputs, averaged, in float64 as a graph.

Each member's learning rate falls along a cosine, and its best epoch on rows set aside is kept.
Where a polynomial explains most of the target, the networks learn what it leaves; a label whose
defining quantity is known is learnt with the log-odds of such a polynomial as one more input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import TrainingError, UsageError
from limen.estimators.building import GraphBuilder
from limen.estimators.fitted import FittedModel, Floats, require, versions
from limen.estimators.standardiser import Standardiser
from limen.estimators.trend import Trend, find_margin, find_trend

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["DEFAULTS", "fit_network"]

DEFAULTS: dict[str, Any] = {
    "hidden": (128, 128),
    "activation": "relu",
    "members": 3,
    "epochs": 60,
    "patience": 20,
    "batch": 128,
    "learning_rate": 4e-3,
    "alpha": None,
    "held_out": 0.1,
    "trend": "auto",
    "log_inputs": (),
}
"""
``trend``: auto or none. ``log_inputs``: positions of inputs whose logarithm is taken first.
``alpha`` None: 0.03 for classification, which over-fits sooner, much less where one class is rare,
and 1e-5 for regression.
"""

MOST_ALPHA, LEAST_ALPHA = 0.03, 1e-5
# Networks do better without a trend that explains less than about what they would.
ENOUGH = 0.99
# Log-odds by a trend are clipped, and divided to be of the size of the other inputs.
MOST_ODDS = 16.0
ODDS_UNIT = 4.0

_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def _loss(said: Floats, y: NDArray[Any], classifies: bool) -> float:
    if not classifies:
        return float(np.mean((said - y) ** 2))
    return -float(np.mean(np.log(np.clip(said[np.arange(len(y)), y], 1e-12, 1.0))))


def _train_member(
    Z: NDArray[np.float32], y: NDArray[Any], classes: int, seed: int, chosen: dict[str, Any]
) -> Any:
    """Train one network; its weights are those of its best epoch on the rows set aside."""
    sklearn = require("sklearn.neural_network")
    limits = require("threadpoolctl").threadpool_limits
    order = np.random.default_rng(seed).permutation(len(Z))
    aside = max(2, round(chosen["held_out"] * len(Z)))
    held, kept = order[:aside], order[aside:]
    model = (sklearn.MLPClassifier if classes else sklearn.MLPRegressor)(
        hidden_layer_sizes=tuple(chosen["hidden"]),
        activation=chosen["activation"],
        alpha=chosen["alpha"],
        batch_size=min(chosen["batch"], len(kept)),
        learning_rate_init=chosen["learning_rate"],
        random_state=seed,
    )
    more = {"classes": np.arange(classes)} if classes else {}
    best, waited, weights = math.inf, 0, None
    with limits(1):
        for epoch in range(chosen["epochs"]):
            if epoch:
                fall = 0.5 * (1 + math.cos(math.pi * epoch / chosen["epochs"]))
                model._optimizer.learning_rate_init = chosen["learning_rate"] * max(fall, 0.01)
            model.partial_fit(Z[kept], y[kept], **more)
            said = model.predict_proba(Z[held]) if classes else model.predict(Z[held])
            loss = _loss(np.asarray(said, dtype=np.float64), y[held], bool(classes))
            waited += 1
            if loss < best:
                best, waited = loss, 0
                weights = [array.copy() for array in (*model.coefs_, *model.intercepts_)]
            if waited >= chosen["patience"]:
                break
    if weights is None:
        raise TrainingError(
            "mlp: the loss is not finite, allowed is a finite one; set a smaller learning_rate"
        )
    layers = len(model.coefs_)
    model.coefs_ = [array.astype(np.float64) for array in weights[:layers]]
    model.intercepts_ = [array.astype(np.float64) for array in weights[layers:]]
    return model


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the networks are given: standardised inputs, and a label's log-odds by a trend."""

    inputs: Standardiser
    margin: Trend | None = None

    def apply(self, X: NDArray[Any]) -> Floats:
        z = self.inputs.apply(X)
        if self.margin is None:
            return z
        odds = np.clip(self.margin(X), -MOST_ODDS, MOST_ODDS) / ODDS_UNIT
        return np.column_stack([z, odds])

    def write(self, builder: GraphBuilder) -> str:
        z = self.inputs.write(builder)
        if self.margin is None:
            return z
        odds = builder.clip(self.margin.write(builder), -MOST_ODDS, MOST_ODDS)
        odds = builder.op("Reshape", odds, builder.constant([-1, 1], "int64"))
        odds = builder.op("Div", odds, builder.constant(ODDS_UNIT))
        return builder.op("Concat", z, odds, axis=1)


def _network_graph(
    members: list[Any],
    entry: _Entry,
    n_classes: int,
    scale: tuple[float, float],
    trend: Trend | None,
) -> ModelProto:
    builder = GraphBuilder(len(entry.inputs.centre), "float64")
    z = entry.write(builder)
    total = ""
    for member in members:
        layer = z
        last = len(member.coefs_) - 1
        for place, (weights, offsets) in enumerate(
            zip(member.coefs_, member.intercepts_, strict=True)
        ):
            product = builder.op("MatMul", layer, builder.constant(weights))
            layer = builder.op("Add", product, builder.constant(offsets))
            if place < last and member.activation != "identity":
                layer = builder.op(_OPERATORS[member.activation], layer)
        if n_classes == 2:
            layer = builder.op("Sigmoid", layer)
        elif n_classes > 2:
            layer = builder.op("Softmax", layer, axis=1)
        total = builder.op("Add", total, layer) if total else layer
    mean = builder.op("Div", total, builder.constant(float(len(members))))
    if n_classes > 2:
        builder.output(mean, "raw", "float64", n_classes)
    else:
        mean = builder.flat(mean)
        mean = mean if n_classes else builder.affine(mean, *scale)
        mean = mean if trend is None else builder.op("Add", mean, trend.write(builder))
        builder.output(mean, "raw", "float64")
    return builder.model()


def _members(
    Z: NDArray[np.float32],
    y: NDArray[Any],
    classes: int,
    seed: int,
    n_jobs: int,
    chosen: dict[str, Any],
) -> list[Any]:
    """Train the members, in processes of their own where that pays."""
    seeds = np.random.SeedSequence(seed).generate_state(chosen["members"]).tolist()
    if n_jobs == 1 or len(Z) * len(seeds) * chosen["epochs"] < 2_000_000:
        return [_train_member(Z, y, classes, member, chosen) for member in seeds]
    joblib = require("joblib")
    run = joblib.Parallel(n_jobs=n_jobs, max_nbytes=None)
    return list(run(joblib.delayed(_train_member)(Z, y, classes, item, chosen) for item in seeds))


def _trends(
    X: Floats, y: NDArray[Any], guide: Floats | None, seed: int, chosen: dict[str, Any]
) -> tuple[Trend | None, Trend | None]:
    """Find a trend of the target, or of the log-odds of the label."""
    held = np.zeros(len(X), dtype=bool)
    aside = max(2, round(chosen["held_out"] * len(X)))
    held[np.random.default_rng(seed).permutation(len(X))[:aside]] = True
    log_inputs = chosen["log_inputs"]
    if chosen["trend"] != "auto":
        return None, None
    if y.dtype.kind != "i":
        found = find_trend(X, y, held, log_inputs)
        if found is None or found.explained < ENOUGH:
            return None, None
        return found.refitted(X, y), None
    if guide is None or y.max() > 1:
        return None, None
    found = find_margin(X, guide, y, held, log_inputs)
    return None, (None if found is None else found.refitted(X, guide))


def fit_network(
    X: Floats,
    y: NDArray[Any],
    task: str,
    *,
    seed: int,
    n_jobs: int,
    options: dict[str, Any],
    guide: Floats | None = None,
) -> FittedModel:
    """
    Fit an average of networks.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    task : {"classification", "regression"}
    seed, n_jobs : int
        The number of jobs does not change the networks.
    options : dict
        See `DEFAULTS`.
    guide : ndarray, shape (n,), optional
        The quantity that a label is cut on, transformed [1].

    Returns
    -------
    FittedModel
    """
    chosen = _chosen(task, y, options)
    classes = np.unique(y) if task == "classification" else np.array([])
    target = np.searchsorted(classes, y) if len(classes) else y
    trend, margin = _trends(X, target, guide, seed, chosen)
    entry = _Entry(Standardiser.fit(X, chosen["log_inputs"]), margin)
    scale = (1.0, 0.0)
    if not len(classes):
        rest = y if trend is None else y - trend(X)
        scale = (float(np.std(rest)) or 1.0, float(np.mean(rest)))
        target = ((rest - scale[1]) / scale[0]).astype(np.float32)
    Z = entry.apply(X).astype(np.float32)
    members = _members(Z, target, len(classes), seed, n_jobs, chosen)
    used = trend or margin
    return FittedModel(
        name="mlp",
        task="classification" if len(classes) else "regression",
        dtype="float64",
        n_inputs=X.shape[1],
        answer=_answer(members, entry, len(classes), scale, trend),
        graph=lambda: _network_graph(members, entry, len(classes), scale, trend),
        classes=tuple(int(code) for code in classes),
        hyperparameters={**chosen, "hidden": list(chosen["hidden"]), "seed": seed}
        | {"log_inputs": list(chosen["log_inputs"])}
        | {"trend": "none" if used is None else used.to_card()},
        software=versions("sklearn"),
    )


def _chosen(task: str, y: NDArray[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Fill up and check the options."""
    chosen = {**DEFAULTS, **options}
    if chosen["alpha"] is None:
        chosen["alpha"] = LEAST_ALPHA
        if task == "classification":
            chosen["alpha"] = max(LEAST_ALPHA, MOST_ALPHA * _balance(y) ** 2)
    if chosen["activation"] not in (*_OPERATORS, "identity"):
        raise UsageError(
            f"mlp: found activation {chosen['activation']!r}, allowed 'identity', 'logistic', "
            "'relu' or 'tanh'; choose one of them"
        )
    return chosen


def _balance(y: NDArray[Any]) -> float:
    """Entropy of the classes, as a share of the largest one possible [1]."""
    shares = np.unique(y, return_counts=True)[1] / len(y)
    return float(-(shares * np.log(shares)).sum() / math.log(len(shares)))


def _answer(
    members: list[Any],
    entry: _Entry,
    n_classes: int,
    scale: tuple[float, float],
    trend: Trend | None,
) -> Callable[[NDArray[Any]], Floats]:
    def answer(points: NDArray[Any]) -> Floats:
        z = entry.apply(points)
        if not n_classes:
            mean = np.asarray(sum(m.predict(z) for m in members) / len(members))
            mean = mean * scale[0] + scale[1]
            return mean if trend is None else mean + trend(points)
        shares = np.asarray(sum(m.predict_proba(z) for m in members) / len(members))
        return shares[:, 1] if n_classes == 2 else shares

    return answer
