"""The shipped example: the region near its boundary, log L near the best fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data
import measuring
import numpy as np
from measuring import Array, Table

from limen.metrics import near_boundary
from limen.training.rows import TEST

INSIDE = 30.0


def measure(folder: Path) -> list[Table]:
    """Compare region classifiers and log-likelihood regressors."""
    bundle = data.bsll10(folder)
    return [_region(bundle), _likelihood(bundle)]


def _region(bundle: Any) -> Table:
    found = measuring.rows(bundle, "outside_95cr")
    (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
    delta = found.boundary[found.part(TEST)]
    near = near_boundary(delta, found.threshold)
    table = Table(
        "bsll10: which points lie outside the joint 95 % region",
        f"{len(X)} training and {len(X_test)} test rows; near: the {near.sum()} test rows (20 %) "
        "whose delta chi2 is nearest to the threshold. Ours learn the label through delta chi2, "
        "the column it is cut on, which is no input; 'labels alone' do without.",
    )

    def figures(p: Array, seconds: float) -> dict[str, Any]:
        right = (p >= 0.5) == y_test
        return {
            "accuracy": measuring.share(right),
            "accuracy near": measuring.share(right[near]),
            "training [s]": measuring.digits(seconds, 2),
        }

    for estimator, options in (
        ("boosted", {}),
        ("mlp", {}),
        ("forest", {}),
        ("boosted", {"trend": "none"}),
        ("mlp", {"trend": "none"}),
    ):
        name = "region2" if options else "region"
        model = measuring.train(bundle, "outside_95cr", estimator, name=name, **options)
        alone = ", labels alone" if options or estimator == "forest" else ""
        table.add(f"limen {estimator}{alone}", figures(model.answer(X_test), model.seconds))
    for name, model in measuring.default_classifiers().items():
        answer, seconds = measuring.fit_classifier(model, X, y)
        table.add(name, figures(answer(X_test), seconds))
    return table


def _likelihood(bundle: Any) -> Table:
    found = measuring.rows(bundle, "loglike")
    (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
    delta = found.boundary[found.part(TEST)] if found.boundary is not None else None
    if delta is None:
        delta = 2.0 * (found.y.max() - y_test)
    inside = delta < INSIDE
    near = near_boundary(delta, _threshold(bundle))
    table = Table(
        "bsll10: the log-likelihood",
        f"{len(X)} training and {len(X_test)} test rows; errors on the {inside.sum()} test rows "
        f"with delta chi2 < {INSIDE:g}. As a label: the answer to 'outside the region?' by the "
        "predicted log-likelihood, on the 20 % nearest to the threshold.",
    )

    def figures(mean: Array, seconds: float) -> dict[str, Any]:
        error = np.abs(mean - y_test)[inside]
        shift = 2.0 * (y_test - mean)
        label = (delta + shift > _threshold(bundle)) == (delta > _threshold(bundle))
        return {
            "median error": measuring.digits(float(np.median(error))),
            "root mean square": measuring.digits(float(np.sqrt(np.mean(error**2)))),
            "as a label, near": measuring.share(label[near]),
            "training [s]": measuring.digits(seconds, 2),
        }

    for estimator in ("mlp", "boosted", "forest"):
        model = measuring.train(bundle, "loglike", estimator)
        table.add(f"limen {estimator}", figures(model.answer(X_test), model.seconds))
    transform = measuring.transform_of(found)
    for name, model in measuring.default_regressors().items():
        for text, used in (("", None), (", on our target scale", transform)):
            answer, seconds = measuring.fit_regressor(model, X, y, used)
            table.add(name + text, figures(answer(X_test), seconds))
    return table


def _threshold(bundle: Any) -> float:
    return float(bundle.columns["outside_95cr"].definition["threshold"])
