"""One way to fit any of the estimators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError, TrainingError, UsageError
from limen.estimators import boosted, forest, gaussian, network
from limen.estimators.fitted import FittedModel, Floats

__all__ = ["KINDS", "fit"]

KINDS = ("boosted", "forest", "gp", "mlp")
"""Kinds of estimator that `fit` knows."""

MIN_ROWS = 10

_FITS: dict[str, tuple[Callable[..., FittedModel], Mapping[str, Any]]] = {
    "boosted": (boosted.fit_boosted, boosted.DEFAULTS),
    "forest": (forest.fit_forest, forest.DEFAULTS),
    "gp": (gaussian.fit_process, gaussian.DEFAULTS),
    "mlp": (network.fit_network, network.DEFAULTS),
}

_GUIDED = ("boosted", "mlp")


def fit(
    kind: str,
    X: ArrayLike,
    y: ArrayLike,
    task: str,
    *,
    seed: int,
    n_jobs: int = 2,
    options: Mapping[str, Any] | None = None,
    guide: ArrayLike | None = None,
) -> FittedModel:
    """
    Fit an estimator.

    Parameters
    ----------
    kind : {"boosted", "forest", "gp", "mlp"}
    X : array_like, shape (n, d)
        Points, in the units of their columns; all finite.
    y : array_like, shape (n,)
        Labels as integer codes, or the transformed target [1].
    task : {"classification", "regression"}
    seed : int
        Same data, seed, options and versions: same model.
    n_jobs : int
        Threads. For ``boosted`` it is part of what must be kept to get the same bytes.
    options : mapping, optional
        Hyper-parameters; the others have the defaults of their module.
    guide : array_like, shape (n,), optional
        The quantity that a label is cut on, on the scale that a regressor would learn [1].
        ``boosted`` and ``mlp`` learn the label through it; it is no input.

    Returns
    -------
    FittedModel

    Raises
    ------
    UsageError
        If kind, task or an option is unknown.
    ShapeError
        If X and y do not fit each other.
    TrainingError
        If there are too few rows, numbers that are not finite, one class, or a constant target.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((200, 2))
    >>> model = fit("forest", X, X[:, 0] > 0.5, "classification", seed=0, n_jobs=1)
    >>> bool(model.predict([[0.9, 0.5]])[0] > 0.9)
    True
    """
    if kind not in _FITS:
        raise UsageError(
            f"estimator: found {kind!r}, allowed {', '.join(KINDS)}; choose one of them"
        )
    if task not in ("classification", "regression"):
        raise UsageError(
            f"task: found {task!r}, allowed 'classification' or 'regression'; choose one"
        )
    function, defaults = _FITS[kind]
    unknown = sorted(set(options or {}) - set(defaults))
    if unknown:
        raise UsageError(
            f"{kind}: found option {', '.join(map(repr, unknown))}, allowed "
            f"{', '.join(sorted(defaults))}; correct the name"
        )
    points, target = _checked(X, y, task)
    more: dict[str, Any] = {"options": dict(options or {})}
    if kind in _GUIDED and guide is not None and task == "classification":
        more["guide"] = _checked(X, guide, "regression")[1]
    return function(points, target, task, seed=seed, n_jobs=n_jobs, **more)


def _checked(X: ArrayLike, y: ArrayLike, task: str) -> tuple[Floats, NDArray[Any]]:
    points = np.ascontiguousarray(X, dtype=np.float64)
    target = np.asarray(y)
    if points.ndim != 2 or target.shape != points.shape[:1] or points.shape[1] == 0:
        raise ShapeError(
            f"training data: found X of shape {points.shape} and y of shape {target.shape}, "
            "allowed (n, d) and (n,); give one target per row"
        )
    if len(points) < MIN_ROWS:
        raise TrainingError(
            f"training data: found {len(points)} rows, allowed {MIN_ROWS} or more; "
            "add valid rows to the scan"
        )
    values = target.astype(np.float64)
    if not np.isfinite(points).all() or not np.isfinite(values).all():
        raise TrainingError(
            "training data: found NaN or infinity, allowed finite numbers; mask these rows"
        )
    kinds = len(np.unique(values))
    if task == "regression":
        if kinds == 1 or np.std(values) == 0:
            raise TrainingError(
                f"training data: found the target {values[0]:g} in every row, allowed different "
                "ones; there is nothing to learn"
            )
        return points, values
    if kinds == 1:
        raise TrainingError(
            f"training data: found only label {values[0]:g}, allowed two or more labels; "
            "add points of the other kind"
        )
    if (values != np.round(values)).any():
        raise TrainingError(
            "training data: found labels that are not whole numbers, allowed integer codes; "
            "train a regression, or derive a label"
        )
    return points, values.astype(np.int64)
