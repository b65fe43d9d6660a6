"""The rare points of the 2HDM that pass every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data
import measuring
from measuring import Array, Table


def measure(folder: Path) -> list[Table]:
    """Compare precision, recall and average precision; accuracy would say nothing."""
    bundle = data.thdm(folder)
    found = measuring.rows(bundle, "passes")
    (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
    table = Table(
        "thdm_scan: 0.56 % of the points pass",
        f"{len(X)} training rows with {int(y.sum())} that pass, {len(X_test)} test rows with "
        f"{int(y_test.sum())}. Precision and recall at a probability of 0.5.",
    )
    for estimator in ("mlp", "boosted", "forest"):
        model = measuring.train(bundle, "passes", estimator)
        table.add(f"limen {estimator}", _figures(model.answer(X_test), y_test, model.seconds))
    for name, default in measuring.default_classifiers().items():
        answer, seconds = measuring.fit_classifier(default, X, y)
        table.add(name, _figures(answer(X_test), y_test, seconds))
    return [table]


def _figures(p: Array, y: Array, seconds: float) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, precision_score, recall_score

    said = p >= 0.5
    return {
        "precision": round(float(precision_score(y, said, zero_division=0)), 3),
        "recall": round(float(recall_score(y, said)), 3),
        "average precision": round(float(average_precision_score(y, p)), 3),
        "training [s]": measuring.digits(seconds, 2),
    }
