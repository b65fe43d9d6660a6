"""The 19-D network from its 60,000 stored points, judged on fresh points of the same density."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data
import measuring
from measuring import Array, Table, Trained

from limen import estimators
from limen.confidence import classification_confidence
from limen.metrics import expected_calibration_error

FRESH = 100_000
SURE = 0.95
CURVE = (2_000, 5_000, 10_000, 20_000, 50_400)


def measure(folder: Path) -> list[Table]:
    """Compare classifiers, then show how the network's accuracy grows with the rows."""
    bundle = data.oracle60k(folder)
    found = measuring.rows(bundle, "excluded")
    X, y = measuring.train_rows(found)
    fresh = data.oracle_points(FRESH, seed=11)
    table = Table(
        "susyai_oracle19: excluded or not, from 60,000 points",
        f"{len(X)} training rows (84 % of the 60,000; the rest calibrates and tests); figures on "
        f"{FRESH} fresh uniform points labelled by the network. Sure: points whose classification "
        f"confidence is at least {SURE:g}.",
    )
    for estimator in ("mlp", "boosted", "forest"):
        model = measuring.train(bundle, "excluded", estimator)
        table.add(f"limen {estimator}", figures(model, *fresh))
    for name, model in measuring.default_classifiers().items():
        answer, seconds = measuring.fit_classifier(model, X, y)
        table.add(name, judge(answer(fresh[0]), fresh[1], seconds))
    return [table, _curve(X, y, fresh)]


def judge(p: Array, y: Array, seconds: float) -> dict[str, Any]:
    """Figures of any classifier."""
    return {
        "accuracy": measuring.share((p >= 0.5) == y),
        "calibration error": measuring.digits(expected_calibration_error(p, y), 2),
        "training [s]": measuring.digits(seconds, 2),
    }


def figures(model: Trained, X: Array, y: Array) -> dict[str, Any]:
    """Figures of a model of ours, with those of its sure answers."""
    p = model.answer(X)
    binned = next(item for item in model.card.confidence if item["kind"] == "binned_accuracy")
    sure = classification_confidence(p, binned["table"]) >= SURE
    return judge(p, y, model.seconds) | {
        "accuracy if sure": measuring.share(((p >= 0.5) == y)[sure]),
        "share sure": measuring.share(sure),
        "size [MB]": measuring.digits(model.megabytes, 2),
    }


def _curve(X: Array, y: Array, fresh: tuple[Array, Array]) -> Table:
    table = Table(
        "susyai_oracle19: learning curve",
        f"The first rows of the training split; accuracy on the {FRESH} fresh points.",
    )
    for rows in CURVE:
        found = {}
        for kind in ("mlp", "boosted", "forest"):
            model = estimators.fit(kind, X[:rows], y[:rows], "classification", seed=0)
            found[kind] = measuring.share((model.predict(fresh[0]) >= 0.5) == fresh[1])
        table.add(f"{rows} rows", found)
    return table
