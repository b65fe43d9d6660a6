"""The 19-D network from 300,000 fresh points, judged on other fresh points."""

from __future__ import annotations

from pathlib import Path

import data
import measuring
import oracle
from measuring import Table

OPTIONS = {
    "hidden": [256, 128, 64],
    "activation": "tanh",
    "alpha": 0.01,
    "batch": 256,
    "epochs": 40,
    "learning_rate": 3e-3,
    "members": 3,
}


def measure(folder: Path) -> list[Table]:
    """Train a larger network, and boosted trees for comparison."""
    bundle = data.oracle_fresh(folder)
    X, y = measuring.train_rows(measuring.rows(bundle, "excluded"))
    fresh = data.oracle_points(oracle.FRESH, seed=11)
    table = Table(
        "susyai_oracle19: excluded or not, from 300,000 fresh points",
        f"{len(X)} training rows; figures on {oracle.FRESH} other fresh uniform points, all "
        f"labelled by the network. Options of mlp: {OPTIONS}.",
    )
    model = measuring.train(bundle, "excluded", "mlp", **OPTIONS)
    table.add("limen mlp", oracle.figures(model, *fresh))
    model = measuring.train(bundle, "excluded", "boosted")
    table.add("limen boosted", oracle.figures(model, *fresh))
    wanted = ("HistGradientBoostingClassifier", "StandardScaler")
    for name, default in measuring.default_classifiers().items():
        if any(item in name for item in wanted):
            answer, seconds = measuring.fit_classifier(default, X, y)
            table.add(name, oracle.judge(answer(fresh[0]), fresh[1], seconds))
    return [table]
