"""
Boosted trees by xgboost, stopped on rows set aside and then fitted again on all of them.

Where a polynomial explains most of the target, the trees learn what it leaves, if they do better
so; the same holds for the log-odds of a label whose defining quantity is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.estimators.boosters import booster_graph, round_leaves
from limen.estimators.fitted import FittedModel, Floats, require, versions
from limen.estimators.trend import Trend, find_margin, find_trend

__all__ = ["DEFAULTS", "fit_boosted"]

DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_depth": 7,
    "min_child_weight": 2.0,
    "subsample": 0.8,
    "colsample_bytree": None,
    "reg_lambda": 1.0,
    "max_bin": 256,
    "max_rounds": 2000,
    "patience": 40,
    "held_out": 0.1,
    "trend": "auto",
    "log_inputs": (),
}
"""
``colsample_bytree`` None: 0.7 for classification, 1 for regression. ``trend``: auto or none.
``log_inputs``: inputs whose logarithm the trend takes first.
"""

# A short run at a high rate tells whether a trend helps, unless it explains this share.
SURE = 0.999
# After a trend the trees stop when `patience` rounds gain less than this share of its loss.
LEAST_GAIN = 5e-3
PILOT = {"learning_rate": 0.2, "max_rounds": 100, "patience": 10}


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


@dataclass(frozen=True, slots=True)
class _Rows:
    """What trees learn from; they start at the margin, in their own unit."""

    points: NDArray[np.float32]
    target: NDArray[Any]
    margin: Floats | None = None

    def matrix(self, xgboost: Any, part: NDArray[np.bool_] | slice, n_jobs: int) -> Any:
        margin = None if self.margin is None else self.margin[part]
        points, target = self.points[part], self.target[part]
        return xgboost.DMatrix(points, target, base_margin=margin, nthread=n_jobs)

    def start_loss(self, part: NDArray[np.bool_]) -> float:
        """Loss of the margin alone; 0 if there is none."""
        if self.margin is None:
            return 0.0
        margin, target = self.margin[part], self.target[part]
        if target.dtype.kind == "i":
            return float(np.mean(np.logaddexp(0.0, margin) - target * margin))
        return float(np.sqrt(np.mean((target - margin) ** 2)))

    def after(self, trend: Trend | None, scale: tuple[float, float]) -> _Rows:
        """Start at a trend in the target's unit, which is ``scale`` away from the trees'."""
        if trend is None:
            return self
        return replace(self, margin=(trend(self.points) - scale[1]) / scale[0])


def _rounds(
    xgboost: Any,
    rows: _Rows,
    held: NDArray[np.bool_],
    settings: dict[str, Any],
    chosen: dict[str, Any],
) -> tuple[int, float]:
    """Find how many rounds to go, and the loss then, on rows set aside."""
    told = rows.matrix(xgboost, held, settings["nthread"])
    patience = xgboost.callback.EarlyStopping(
        rounds=chosen["patience"], min_delta=LEAST_GAIN * rows.start_loss(held)
    )
    trained = xgboost.train(
        settings | {"learning_rate": chosen["learning_rate"]},
        rows.matrix(xgboost, ~held, settings["nthread"]),
        chosen["max_rounds"],
        evals=[(told, "held")],
        callbacks=[patience],
        verbose_eval=False,
    )
    return int(trained.best_iteration) + 1, float(trained.best_score)


def _trend(rows: _Rows, y: Floats, guide: Floats | None, held: Any, log: Any) -> Trend | None:
    """Find a trend of the target or of the label's log-odds, on rows not set aside."""
    X = rows.points.astype(np.float64)
    if rows.target.dtype.kind != "i":
        return find_trend(X, y, held, log)
    if guide is None or rows.target.max() > 1:
        return None
    return find_margin(X, guide, rows.target, held, log)


def _set_aside(y: NDArray[Any], share: float, seed: int) -> NDArray[np.bool_]:
    held = np.zeros(len(y), dtype=bool)
    held[np.random.default_rng(seed).permutation(len(y))[: max(1, round(share * len(y)))]] = True
    return held


def fit_boosted(
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
    guide : ndarray, shape (n,), optional
        The quantity that a label is cut on, transformed [1].

    Returns
    -------
    FittedModel
    """
    xgboost = require("xgboost")
    chosen = {**DEFAULTS, **options}
    if chosen["colsample_bytree"] is None:
        chosen["colsample_bytree"] = 0.7 if task == "classification" else 1.0
    classes = np.unique(y) if task == "classification" else np.array([])
    scale = (1.0, 0.0) if len(classes) else (float(np.std(y)), float(np.mean(y)))
    target = np.searchsorted(classes, y) if len(classes) else (y - scale[1]) / scale[0]
    rows = _Rows(X.astype(np.float32), target)
    settings = _settings(chosen, len(classes), seed, n_jobs)
    held = _set_aside(y, chosen["held_out"], seed)
    trend = None
    if chosen["trend"] == "auto":
        trend = _trend(rows, y, guide, held, chosen["log_inputs"])
    if trend is not None and trend.explained < SURE:
        pilot = [
            _rounds(xgboost, rows.after(item, scale), held, settings, {**chosen, **PILOT})[1]
            for item in (None, trend)
        ]
        trend = trend if pilot[1] < pilot[0] else None
    rounds, _ = _rounds(xgboost, rows.after(trend, scale), held, settings, chosen)
    if trend is not None:
        trend = trend.refitted(rows.points.astype(np.float64), y if guide is None else guide)
    matrix = rows.after(trend, scale).matrix(xgboost, slice(None), n_jobs)
    booster = round_leaves(xgboost.train(settings, matrix, rounds))
    booster.set_param({"nthread": 1})
    factor = (scale[0], 0.0 if trend is not None else scale[1])
    return FittedModel(
        name="boosted",
        task="classification" if len(classes) else "regression",
        dtype="float32",
        n_inputs=X.shape[1],
        answer=_answer(booster, len(classes), factor, trend),
        graph=lambda: booster_graph(booster, X.shape[1], factor, trend=trend),
        classes=tuple(int(code) for code in classes),
        hyperparameters={
            **chosen,
            "trend": trend.to_card() if trend is not None else "none",
            "log_inputs": list(chosen["log_inputs"]),
            "rounds": rounds,
            "seed": seed,
            "n_jobs": n_jobs,
        },
        software=versions("xgboost"),
    )


def _answer(
    booster: Any, n_classes: int, factor: tuple[float, float], trend: Trend | None
) -> Callable[[NDArray[Any]], Floats]:
    def answer(rows: NDArray[Any]) -> Floats:
        sums = booster.inplace_predict(rows, predict_type="margin").astype(np.float64)
        if n_classes > 2:
            powers = np.exp(sums - sums.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        sums = sums * factor[0] + factor[1]
        if trend is not None:
            sums = sums + trend(rows)
        return np.asarray(1.0 / (1.0 + np.exp(-sums)) if n_classes else sums)

    return answer
