"""Judge a fitted model: calibration, confidence with a meaning, metrics with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from limen import confidence, metrics
from limen.confidence import Calibration
from limen.training.rows import CALIBRATION, TEST, TRAIN, TrainingRows
from limen.transforms import TargetTransform

__all__ = ["LEVEL", "Judgement", "calibrate", "judge"]

LEVEL = 0.95
_ENOUGH = 50
_SURE = 0.95
# Log-likelihood errors matter near the best fit: Δχ² < 30 there.
_NEAR_BEST = 30.0

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Entries of a model card: ``confidence`` and ``metrics``, and remarks on what is missing."""

    confidence: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    remarks: list[str]


def calibrate(
    rows: TrainingRows, raw: Array, out_of_bag: Array | None, rng: np.random.Generator
) -> Calibration:
    """
    Calibrate a binary classifier's raw probability.

    From the calibration rows; where they are too few and the estimator has out-of-bag estimates,
    from those of the training rows that are of the population.

    Parameters
    ----------
    rows : TrainingRows
    raw : ndarray, shape (n,)
        Raw probability of every row.
    out_of_bag : ndarray, shape (n_train,), or None
    rng : numpy.random.Generator
    """
    part = rows.part(CALIBRATION)
    if len(part) < _ENOUGH and out_of_bag is not None:
        return confidence.fit_calibration(*_out_of_bag(rows, out_of_bag), rng)
    return confidence.fit_calibration(raw[part], rows.y[part], rng)


def _out_of_bag(rows: TrainingRows, estimates: Array) -> tuple[Array, Array]:
    """Give the estimates that there are for training rows of the population, and their labels."""
    part = rows.part(TRAIN)
    known = np.isfinite(estimates.reshape(len(part), -1)).all(axis=1) & rows.drawn[part]
    return estimates[known], rows.y[part][known]


def judge(
    rows: TrainingRows,
    answer: dict[str, Array],
    out_of_bag: Array | None,
    transform: TargetTransform,
    rng: np.random.Generator,
) -> Judgement:
    """
    Judge the exported model on the calibration and test rows.

    Parameters
    ----------
    rows : TrainingRows
    answer : dict of str to ndarray
        The graph's outputs on all rows: ``probability`` (n, classes), or ``mean`` and ``std``.
    out_of_bag : ndarray, shape (n_train,), or None
        Calibrated out-of-bag probabilities of the training rows.
    transform : TargetTransform
        Of a regressor.
    rng : numpy.random.Generator
        Draws the bootstrap replicates.
    """
    if rows.task == "classification":
        return _judge_classifier(rows, answer["probability"].astype(float), out_of_bag, rng)
    return _judge_regressor(rows, answer, transform, rng)


def _judge_classifier(
    rows: TrainingRows, probability: Array, out_of_bag: Array | None, rng: np.random.Generator
) -> Judgement:
    p = probability[:, 1] if probability.shape[1] == 2 else probability
    calibration, test = rows.part(CALIBRATION), rows.part(TEST)
    remarks: list[str] = []
    entries: list[dict[str, Any]] = []
    source, truth, where = p[calibration], rows.y[calibration], "calibration rows"
    if len(calibration) < _ENOUGH and out_of_bag is not None:
        source, truth = _out_of_bag(rows, out_of_bag)
        where = "out-of-bag estimates of the training rows"
    table = confidence.accuracy_bins(source, truth, confidence.populated_edges(source))
    entries.append(_binned(rows, table, where, p[test], rows.y[test]))
    if p.ndim == 1:
        scores = confidence.class_scores(p[calibration], rows.y[calibration])
        quantile = confidence.conformal_quantile(scores, LEVEL)
        held = confidence.conformal_sets(p[test], quantile)[np.arange(len(test)), rows.y[test]]
        text = (
            "The set of answers that are not ruled out holds the true one for "
            f"{100 * LEVEL:g} % of points of the population; with both or none in it the verdict "
            "is 'uncertain'."
        )
        entries.append(_conformal(rows, quantile, len(scores), "probability", text, held, remarks))
    figures = _on_test(rows, metrics.classification_metrics(p[test], rows.y[test], rng=rng), test)
    figures += _sure(rows, p[test], rows.y[test], table)
    near = _near(rows, test)
    if near is not None:
        region = "near_boundary"
        found = metrics.classification_metrics(p[near], rows.y[near], rng=rng)
        kept = [
            m for m in found if m["name"] in ("accuracy", "log_loss", "expected_calibration_error")
        ]
        figures += _on_test(rows, kept, near, region)
    if out_of_bag is not None:
        own, labels = _out_of_bag(rows, out_of_bag)
        found = metrics.classification_metrics(own, labels, rng=rng)
        figures += _on_test(rows, found[:1], labels, split="out_of_bag")
    return Judgement(entries, figures, remarks)


def _binned(
    rows: TrainingRows, table: list[dict[str, Any]], where: str, p: Array, y: Array
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": "binned_accuracy",
        "meaning": (
            "Share of points of the population with a similar probability whose classification is "
            f"right, measured on the {where} in bins of the probability; an empty bin says nothing."
        ),
        "population": rows.population,
        "table": table,
    }
    said = confidence.classification_confidence(p, table)
    known = np.isfinite(said)
    if known.any():
        answer = (p >= 0.5) if p.ndim == 1 else p.argmax(axis=1)
        entry["coverage"] = confidence.coverage((answer == y)[known])
    return entry


def _conformal(
    rows: TrainingRows,
    quantile: float,
    n: int,
    scale: str,
    text: str,
    held: Array,
    remarks: list[str],
) -> dict[str, Any]:
    finite = bool(np.isfinite(quantile))
    if not finite:
        remarks.append(f"too few calibration rows ({n}) for {100 * LEVEL:g} % conformal sets")
    entry = {
        "kind": "conformal",
        "meaning": text,
        "population": rows.population,
        "level": LEVEL,
        "quantile": float(quantile) if finite else None,
        "n": n,
        "scale": scale,
    }
    if finite and len(held):
        entry["coverage"] = confidence.coverage(held)
    return entry


def _sure(
    rows: TrainingRows, p: Array, y: Array, table: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    said = confidence.classification_confidence(p, table)
    with np.errstate(invalid="ignore"):
        sure = said >= _SURE
    if not sure.any():
        return []
    answer = (p >= 0.5) if p.ndim == 1 else p.argmax(axis=1)
    right = confidence.coverage((answer == y)[sure])
    share = confidence.coverage(sure)
    region = f"classification confidence >= {_SURE:g}"
    return [
        _metric(rows, "accuracy", right["value"], right["interval"], right["n"], region),
        _metric(rows, "share_of_points", share["value"], share["interval"], share["n"], region),
    ]


def _judge_regressor(
    rows: TrainingRows,
    answer: dict[str, Array],
    transform: TargetTransform,
    rng: np.random.Generator,
) -> Judgement:
    mean = answer["mean"].astype(float)
    calibration, test = rows.part(CALIBRATION), rows.part(TEST)
    u, said = transform.forward(rows.y), transform.forward(mean)
    std = answer["std"].astype(float) / transform.slope(said) if "std" in answer else None

    def part(values: Array | None, index: Array) -> Array | None:
        return None if values is None else values[index]

    scores = confidence.interval_scores(u[calibration], said[calibration], part(std, calibration))
    quantile = confidence.conformal_quantile(scores, LEVEL)
    ends = confidence.conformal_interval(said[test], quantile, part(std, test))
    held = (ends[0] <= u[test]) & (u[test] <= ends[1])
    remarks: list[str] = []
    text = (
        f"The interval from lower to upper holds the computed value for {100 * LEVEL:g} % of "
        "points of the population; it is the error of this model, not of the physics result."
    )
    scale = "target transform" if std is None else "standard deviations"
    entries = [_conformal(rows, quantile, len(scores), scale, text, held, remarks)]
    if std is not None:
        entries.append(_posterior(rows, u, said, std, test))
    figures = _on_test(rows, metrics.regression_metrics(mean[test], rows.y[test], rng=rng), test)
    for region, index in _regions(rows, test):
        found = metrics.regression_metrics(mean[index], rows.y[index], rng=rng)
        figures += _on_test(rows, found, index, region)
    return Judgement(entries, figures, remarks)


def _posterior(
    rows: TrainingRows, u: Array, mean: Array, std: Array, test: Array
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": "gp_posterior",
        "meaning": (
            "Standard deviation of the Gaussian process on the scale it learnt; the coverage is "
            "that of mean -/+ 1.96 standard deviations."
        ),
        "population": rows.population,
    }
    if len(test):
        entry["coverage"] = confidence.coverage(np.abs(u[test] - mean[test]) <= 1.96 * std[test])
    return entry


def _regions(rows: TrainingRows, test: Array) -> list[tuple[str, Array]]:
    regions = []
    near = _near(rows, test)
    if near is not None:
        regions.append(("near_boundary", near))
    if rows.target.quantity == "log_likelihood":
        inside = test[2.0 * (rows.y.max() - rows.y[test]) < _NEAR_BEST]
        if len(inside) > 1:
            regions.append((f"delta chi2 to the best row < {_NEAR_BEST:g}", inside))
    return regions


def _near(rows: TrainingRows, test: Array) -> Array | None:
    if rows.boundary is None or rows.threshold is None or len(test) < 2:
        return None
    return test[metrics.near_boundary(rows.boundary[test], rows.threshold)]


def _on_test(
    rows: TrainingRows,
    found: list[dict[str, Any]],
    index: Array,
    region: str | None = None,
    split: str = "test",
) -> list[dict[str, Any]]:
    return [
        _metric(rows, m["name"], m["value"], m["interval"], len(index), region, split)
        for m in found
    ]


_IN_UNIT = ("root_mean_square_error", "mean_absolute_error", "median_absolute_error", "max_error")


def _metric(
    rows: TrainingRows,
    name: str,
    value: Any,
    interval: Any,
    n: int,
    region: str | None = None,
    split: str = "test",
) -> dict[str, Any]:
    entry = {
        "name": name,
        "value": value,
        "interval": None if interval is None else list(interval),
        "split": split,
        "population": rows.population,
        "rows": int(n),
    }
    if region is not None:
        entry["region"] = region
    if name in _IN_UNIT and rows.target.unit != "1":
        entry["unit"] = rows.target.unit
    return entry
