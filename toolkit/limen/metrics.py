"""
Figures of merit with bootstrap intervals.

Every figure belongs to the population that its rows were drawn from; naming it is the caller's.
Rows are first gathered into cells, single rows up to 50,000, so that a bootstrap replicate is one
weighting of sorted cells and large tables stay fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError

__all__ = [
    "classification_metrics",
    "expected_calibration_error",
    "near_boundary",
    "regression_metrics",
]

Floats = NDArray[np.float64]
Figures = dict[str, float | None]
Cells = dict[str, Floats]

MOST_SINGLE_ROWS = 50_000
CELLS = 16_384
ERROR_BINS = 15
# The resolution of a probability in float32: log loss must not hang on what a graph rounds away.
SMALLEST_PROBABILITY = 1e-7


def near_boundary(y: ArrayLike, threshold: float, *, share: float = 0.2) -> NDArray[np.bool_]:
    """
    Mark the rows nearest to a threshold.

    Parameters
    ----------
    y : array_like, shape (n,)
        Values, in the threshold's unit; NaN is never near.
    threshold : float
        The boundary.
    share : float
        Share of the rows to mark [1]; rows as near as the last one are marked with it.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> near_boundary([0.0, 1.0, 2.0, 3.0, 4.0], 2.9)
    array([False, False, False,  True, False])
    """
    distance = np.abs(np.asarray(y, dtype=np.float64) - threshold)
    finite = np.sort(distance[np.isfinite(distance)])
    count = math.ceil(share * finite.size - 1e-9)
    if count == 0:
        return np.zeros(distance.shape, dtype=bool)
    return np.asarray(distance <= finite[count - 1])


def expected_calibration_error(p: ArrayLike, y: ArrayLike, *, n_bins: int = ERROR_BINS) -> float:
    """
    Mean difference between probability and frequency over equal bins of p, weighted by rows.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probability of the label being 1 [1].
    y : array_like, shape (n,)
        Labels, 0 or 1.
    n_bins : int
        Number of equal bins from 0 to 1.

    Returns
    -------
    float
        Error [1]; NaN without rows.

    Examples
    --------
    >>> round(expected_calibration_error([0.2, 0.2, 0.9], [0, 0, 1]), 6)
    0.166667
    """
    raw, labels = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    index = np.clip((raw * n_bins).astype(np.int64), 0, n_bins - 1)
    gap = np.bincount(index, weights=raw - labels, minlength=n_bins)
    return float(np.abs(gap).sum() / raw.size) if raw.size else math.nan


def classification_metrics(
    p: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, n_boot: int = 200
) -> list[dict[str, Any]]:
    """
    Judge a classifier.

    Parameters
    ----------
    p : array_like, shape (n,) or (n, classes)
        Probability of the label being 1, or of each class.
    y : array_like, shape (n,)
        Labels, counted from 0.
    rng : numpy.random.Generator
        Draws the bootstrap replicates.
    n_boot : int
        Number of replicates.

    Returns
    -------
    list of dict
        ``name``, ``value`` and ``interval`` (95 %, percentiles); None where a figure is undefined,
        as the area under the curve with one class. For several classes: accuracy and log_loss.

    Raises
    ------
    ShapeError
        If p and y differ in their number of rows.

    Examples
    --------
    >>> found = classification_metrics([0.1, 0.9], [0, 1], rng=np.random.default_rng(0))
    >>> found[0]["name"], found[0]["value"]
    ('accuracy', 1.0)
    """
    raw, labels = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.int64)
    if labels.ndim != 1 or raw.ndim not in (1, 2) or len(raw) != len(labels):
        raise ShapeError(
            f"metrics: found shapes {raw.shape} and {labels.shape}, allowed (n,) or (n, classes) "
            "and (n,); give one row of probabilities per label"
        )
    if raw.ndim == 2:
        rows = _class_rows(raw, labels)
        return _bootstrap(_class_figures, rows, rows, rng, n_boot)
    rows = _binary_rows(raw, labels)
    return _bootstrap(_binary_figures, rows, _binary_cells(rows), rng, n_boot)


def _class_rows(p: Floats, y: NDArray[np.int64]) -> Cells:
    own = np.clip(p[np.arange(len(y)), y], SMALLEST_PROBABILITY, 1.0)
    right = (p.argmax(axis=1) == y).astype(np.float64)
    return {"weight": np.ones(len(y)), "right": right, "loss": -np.log(own)}


def _class_figures(cells: Cells, w: Floats) -> Figures:
    total = float(w.sum())
    return {
        "accuracy": _share(float(w @ cells["right"]), total),
        "log_loss": _share(float(w @ cells["loss"]), total),
    }


def _binary_rows(p: Floats, y: NDArray[np.int64]) -> Cells:
    """Rows in descending order of p; those of one ``tie`` have no order among them."""
    order = np.argsort(-p, kind="stable")
    p, label = p[order], (y[order] == 1).astype(np.float64)
    held = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return {
        "weight": np.ones(len(p)),
        "p": p,
        "tie": p,
        "label": label,
        "loss": -np.where(label > 0, np.log(held), np.log1p(-held)),
        "brier": np.square(p - label),
    }


def _binary_cells(rows: Cells) -> Cells:
    """Cells of rows of one label, one bin and one side of 1/2, in descending order of p."""
    p, n = rows["p"], len(rows["p"])
    if n <= MOST_SINGLE_ROWS:
        return rows
    first = np.r_[0, np.flatnonzero(np.diff(p) != 0) + 1]
    rank = np.repeat(first, np.diff(np.r_[first, n]))
    block = (rank * (CELLS // 2)) // n
    last_bin = ERROR_BINS - np.clip((p * ERROR_BINS).astype(np.int64), 0, ERROR_BINS - 1)
    tie = (block * 2 + (p < 0.5)) * (ERROR_BINS + 1) + last_bin
    return _gather(tie * 2 + rows["label"].astype(np.int64), {**rows, "tie": tie.astype(float)})


def _gather(key: NDArray[np.int64], rows: Cells) -> Cells:
    _, index = np.unique(key, return_inverse=True)
    weight = np.bincount(index).astype(np.float64)
    means = {name: np.bincount(index, weights=column) / weight for name, column in rows.items()}
    return {**means, "weight": weight}


def _binary_figures(cells: Cells, w: Floats) -> Figures:
    p, label = cells["p"], cells["label"]
    total = float(w.sum())
    positive, negative = w * label, w * (1 - label)
    n_positive, n_negative = float(positive.sum()), float(negative.sum())
    said = p >= 0.5
    hits, alarms = float(positive[said].sum()), float(negative[said].sum())
    area, precision = _curves(cells["tie"], positive, negative)
    bins = np.clip((p * ERROR_BINS).astype(np.int64), 0, ERROR_BINS - 1)
    gap = np.bincount(bins, weights=w * (p - label), minlength=ERROR_BINS)
    return {
        "accuracy": _share(hits + n_negative - alarms, total),
        "precision": _share(hits, hits + alarms),
        "recall": _share(hits, n_positive),
        "average_precision": precision if n_positive > 0 and n_negative > 0 else None,
        "roc_auc": area if n_positive > 0 and n_negative > 0 else None,
        "log_loss": _share(float(w @ cells["loss"]), total),
        "brier": _share(float(w @ cells["brier"]), total),
        "expected_calibration_error": _share(float(np.abs(gap).sum()), total),
        "base_rate": _share(n_positive, total),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _curves(tie: Floats, positive: Floats, negative: Floats) -> tuple[float, float]:
    """Areas under the ROC curve and the steps of precision against recall; ties count as one."""
    last = np.flatnonzero(np.diff(tie, append=np.nan) != 0)
    hits, alarms = np.cumsum(positive)[last], np.cumsum(negative)[last]
    if not len(last) or hits[-1] == 0 or alarms[-1] == 0:
        return math.nan, math.nan
    new_hits, new_alarms = np.diff(hits, prepend=0.0), np.diff(alarms, prepend=0.0)
    area = float((new_alarms * (hits - 0.5 * new_hits)).sum() / (hits[-1] * alarms[-1]))
    seen = hits + alarms
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return area, float((new_hits * precision).sum() / hits[-1])


def regression_metrics(
    mean: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, n_boot: int = 200
) -> list[dict[str, Any]]:
    """
    Judge a regressor.

    Parameters
    ----------
    mean : array_like, shape (n,)
        Answers, in the target's unit.
    y : array_like, shape (n,)
        Truth, in the target's unit.
    rng : numpy.random.Generator
        Draws the bootstrap replicates.
    n_boot : int
        Number of replicates.

    Returns
    -------
    list of dict
        ``name``, ``value`` and ``interval`` (95 %, percentiles). ``max_error`` has no interval: the
        bootstrap says nothing about an extreme. ``median_relative_error`` is there only if y has
        one sign and no zero; ``r2`` of a constant is None.

    Raises
    ------
    ShapeError
        If mean and y are not of one shape (n,).

    Examples
    --------
    >>> found = regression_metrics([1.0, 2.0], [1.0, 4.0], rng=np.random.default_rng(0))
    >>> {one["name"]: one["value"] for one in found}["mean_absolute_error"]
    1.0
    """
    answer, truth = np.asarray(mean, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if truth.ndim != 1 or answer.shape != truth.shape:
        raise ShapeError(
            f"metrics: found shapes {answer.shape} and {truth.shape}, allowed (n,) for both; give "
            "one answer per row"
        )
    error = np.abs(answer - truth)
    centred = truth - (truth.mean() if truth.size else 0.0)
    rows = {"error": error, "square": error**2, "y": centred, "y_square": centred**2}
    rows = _by_error(rows)
    found = _bootstrap(_error_figures, rows, _error_cells(rows), rng, n_boot)
    worst = float(error.max()) if truth.size else None
    found.append({"name": "max_error", "value": worst, "interval": None})
    if truth.size and (np.all(truth > 0) or np.all(truth < 0)):
        relative = error / np.abs(truth)
        rows = _by_error({"error": relative})
        found += _bootstrap(_relative_figures, rows, _error_cells(rows), rng, n_boot)
    return found


def _by_error(rows: Cells) -> Cells:
    order = np.argsort(rows["error"], kind="stable")
    return {"weight": np.ones(len(order)), **{name: rows[name][order] for name in rows}}


def _error_cells(rows: Cells) -> Cells:
    """Cells in ascending order of the error."""
    n = len(rows["error"])
    return rows if n <= MOST_SINGLE_ROWS else _gather((np.arange(n) * CELLS) // n, rows)


def _error_figures(cells: Cells, w: Floats) -> Figures:
    total = float(w.sum())
    if total == 0:
        names = ("root_mean_square_error", "mean_absolute_error", "median_absolute_error", "r2")
        return dict.fromkeys(names)
    square = float(w @ cells["square"])
    spread = float(w @ cells["y_square"]) - float(w @ cells["y"]) ** 2 / total
    # What remains of a constant after centring is rounding.
    varies = spread > 1e-24 * max(float(w @ cells["y_square"]), square)
    return {
        "root_mean_square_error": math.sqrt(square / total),
        "mean_absolute_error": float(w @ cells["error"]) / total,
        "median_absolute_error": _median(cells["error"], w),
        "r2": 1.0 - square / spread if varies else None,
    }


def _relative_figures(cells: Cells, w: Floats) -> Figures:
    return {"median_relative_error": _median(cells["error"], w)}


def _median(ascending: Floats, w: Floats) -> float:
    """Weighted median: the mean of the lower and the upper one."""
    total = np.cumsum(w)
    half = 0.5 * total[-1]
    lower = np.searchsorted(total, half, side="left")
    upper = min(int(np.searchsorted(total, half, side="right")), len(w) - 1)
    return 0.5 * float(ascending[lower]) + 0.5 * float(ascending[upper])


def _bootstrap(
    figures: Callable[[Cells, Floats], Figures],
    rows: Cells,
    cells: Cells,
    rng: np.random.Generator,
    n_boot: int,
) -> list[dict[str, Any]]:
    """Figures of all rows, with the 2.5 % and 97.5 % quantiles over resampled rows."""
    n = len(rows["weight"])
    values = figures(rows, rows["weight"])
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(n_boot if n > 1 else 0):
        for name, value in figures(cells, _resample(cells["weight"], n, rng)).items():
            if value is not None:
                drawn[name].append(value)
    found = []
    for name, value in values.items():
        # A figure that is often undefined has no honest interval.
        enough = value is not None and len(drawn[name]) > 0.5 * n_boot
        ends = np.quantile(drawn[name], [0.025, 0.975]) if enough and drawn[name] else None
        interval = None if ends is None else [float(end) for end in ends]
        found.append({"name": name, "value": value, "interval": interval})
    return found


def _resample(weight: Floats, n: int, rng: np.random.Generator) -> Floats:
    if len(weight) == n:
        return np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
    return rng.multinomial(n, weight / n).astype(np.float64)
