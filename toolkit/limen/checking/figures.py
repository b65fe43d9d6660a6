"""Recompute what a model card publishes: metrics on the test rows and measured coverages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from limen import confidence, metrics
from limen.bundle import Bundle
from limen.manifest import ModelCard
from limen.prediction import Predictor
from limen.transforms import TargetTransform

__all__ = ["Figures", "recompute"]

Array = np.ndarray[Any, Any]
Values = dict[str, float | None]

_TEST = 2
_NEAR, _SURE, _BEST, _ORIGIN = (
    "near_boundary",
    "classification confidence >= ",
    "delta chi2 to the best row < ",
    "origin: ",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Figures found anew.

    Attributes
    ----------
    metrics : dict of str to dict
        By region (the empty text for all test rows): values by name.
    coverage : dict of str to float
        By kind of confidence.
    """

    metrics: dict[str, Values]
    coverage: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Tested:
    """Test rows: truth (classes from 0), the graph's answers, distance to the boundary."""

    y: Array
    answer: dict[str, Array]
    boundary: Array | None
    threshold: float
    best: float
    origin: Array
    origins: dict[str, int]

    def part(self, rows: Array) -> _Tested:
        answer = {name: values[rows] for name, values in self.answer.items()}
        boundary = None if self.boundary is None else self.boundary[rows]
        origin = self.origin[rows]
        return _Tested(
            self.y[rows], answer, boundary, self.threshold, self.best, origin, self.origins
        )

    def region(self, name: str) -> _Tested | None:
        """Take the rows of an origin, as ``origin: MEANING``; None if there is none of it."""
        code = self.origins.get(name.removeprefix(_ORIGIN))
        return None if code is None else self.part(self.origin == code)

    @property
    def p(self) -> Array:
        probability = self.answer["probability"].astype(float)
        return probability[:, 1] if probability.shape[1] == 2 else probability


def recompute(bundle: Bundle, predictor: Predictor, card: ModelCard) -> Figures | None:
    """
    Recompute the figures of a model on the test rows of its bundle.

    Returns
    -------
    Figures or None
        None if there are no test rows.
    """
    tested = _load(bundle, predictor, card)
    if not len(tested.y):
        return None
    regions = {m.get("region", "") for m in card.metrics if m["split"] == "test"}
    found = {region: _metrics(tested, card, region) for region in regions}
    kinds = {entry["kind"]: entry for entry in card.confidence if "coverage" in entry}
    known = {kind: _held(_measured_at(tested, entry), card, entry) for kind, entry in kinds.items()}
    coverage = {kind: float(held.mean()) for kind, held in known.items() if held.size}
    return Figures(found, coverage)


def _measured_at(tested: _Tested, entry: dict[str, Any]) -> _Tested:
    at = str(entry["coverage"].get("at", ""))
    return (tested.region(at) or tested) if at.startswith(_ORIGIN) else tested


def _load(bundle: Bundle, predictor: Predictor, card: ModelCard) -> _Tested:
    columns, names = bundle.columns, [entry["column"] for entry in card.inputs]
    target = columns[card.target]
    split = next(column.name for column in columns.values() if column.role == "split")
    masks = sorted({c.valid for c in (target, *(columns[n] for n in names)) if c.valid})
    labels = [target] if target.role == "label" else columns.values()
    definitions = [dict(c.definition or {}) for c in labels if c.role == "label"]
    named = [d for d in definitions if d.get("column") and target.role == "label"]
    cut = next(iter(named or [d for d in definitions if d.get("column") == target.name]), {})
    source = cut.get("column")
    told = next((c for c in columns.values() if c.role == "origin"), None)
    also = [name for name in (source, told.name if told else None) if name]
    with bundle.open_scan() as scan:
        table = scan.read({*names, target.name, split, *masks, *also})
    X = np.stack([table[name].astype(float) for name in names], axis=1)
    y = table[target.name].astype(float)
    valid = np.isfinite(X).all(axis=1) & np.isfinite(y)
    for mask in masks:
        valid &= table[mask]
    keep = valid & (table[split] == _TEST)
    best = float(y[valid].max(initial=-np.inf))
    if card.task == "classification":
        codes = next(o["classes"] for o in card.outputs if o["name"] == "probability")
        y = np.where(valid, np.searchsorted(codes, y), -1)
    answer = predictor.run(X[keep]) if keep.any() else {}
    boundary = table[source][keep].astype(float) if source else None
    origin = table[told.name][keep] if told else np.zeros(int(keep.sum()), dtype=np.int8)
    origins = {meaning: int(code) for code, meaning in ((told and told.categories) or {}).items()}
    return _Tested(y[keep], answer, boundary, cut.get("threshold", np.nan), best, origin, origins)


def _metrics(tested: _Tested, card: ModelCard, region: str) -> Values:
    rng = np.random.default_rng(0)
    if region.startswith(_SURE):
        return _sure(tested, card, float(region.removeprefix(_SURE)))
    if region == _NEAR and tested.boundary is not None:
        tested = tested.part(metrics.near_boundary(tested.boundary, tested.threshold))
    elif region.startswith(_BEST):
        near = 2.0 * (tested.best - tested.y) < float(region.removeprefix(_BEST))
        tested = tested.part(near)
    elif region.startswith(_ORIGIN):
        rows = tested.region(region)
        if rows is None or not len(rows.y):
            return {}
        tested = rows
    elif region:
        return {}
    if card.task == "classification":
        found = metrics.classification_metrics(tested.p, tested.y, rng=rng, n_boot=1)
    else:
        mean = tested.answer["mean"].astype(float)
        found = metrics.regression_metrics(mean, tested.y, rng=rng, n_boot=1)
    figures = {metric["name"]: metric["value"] for metric in found}
    if card.task == "regression" and tested.boundary is not None:
        same = (tested.answer["mean"] > tested.threshold) == (tested.boundary > tested.threshold)
        figures["accuracy"] = float(same.mean())
    return figures


def _sure(tested: _Tested, card: ModelCard, level: float) -> Values:
    table = next((e["table"] for e in card.confidence if e["kind"] == "binned_accuracy"), None)
    if table is None:
        return {}
    with np.errstate(invalid="ignore"):
        sure = confidence.classification_confidence(tested.p, table) >= level
    right = _right(tested)[sure]
    return {
        "accuracy": float(right.mean()) if right.size else None,
        "share_of_points": float(sure.mean()),
    }


def _right(tested: _Tested) -> Array:
    p = tested.p
    return np.asarray(((p >= 0.5) if p.ndim == 1 else p.argmax(axis=1)) == tested.y)


def _held(tested: _Tested, card: ModelCard, entry: dict[str, Any]) -> Array:
    """Tell, for the test rows, whether what a confidence promises is so."""
    if entry["kind"] == "binned_accuracy":
        said = confidence.classification_confidence(tested.p, entry["table"])
        return _right(tested)[np.isfinite(said)]
    if entry["kind"] == "conformal" and card.task == "classification":
        sets = confidence.conformal_sets(tested.p, confidence.stated_quantile(entry))
        return np.asarray(sets[np.arange(len(tested.y)), tested.y])
    if entry["kind"] not in ("conformal", "gp_posterior"):
        return np.empty(0, dtype=bool)
    transform = TargetTransform.from_dict(card.target_transform or {"kind": "identity"})
    u, said = transform.forward(tested.y), transform.forward(tested.answer["mean"].astype(float))
    scaled = entry.get("scale", "standard deviations") == "standard deviations"
    std = tested.answer["std"].astype(float) / transform.slope(said) if scaled else None
    quantile = confidence.stated_quantile(entry) if entry["kind"] == "conformal" else 1.96
    low, high = confidence.conformal_interval(said, quantile, std)
    return np.asarray((low <= u) & (u <= high))
