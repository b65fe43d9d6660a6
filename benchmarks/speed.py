"""How fast, beside what one would take instead: each ratio from one run on the same data."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from measuring import Array, Table

import limen
from limen.demonstration import make_example

POINTS = 20_000


def measure(folder: Path) -> list[Table]:
    """Time single points, batches, imports and cold starts."""
    bundle = make_example(folder / "bsll10", n=20_000, seed=0)
    X, y = measuring.train_rows(measuring.rows(bundle, "outside_95cr"))
    points = X[np.random.default_rng(0).integers(len(X), size=POINTS)]
    theirs = _defaults(X, y)
    table = Table(
        "Prediction, import and start",
        "Seconds: the least of several tries, one thread each; ratio: theirs to ours. Ours "
        "includes checks of the input, domain, calibration and confidence; theirs is "
        "predict_proba alone. Same training rows.",
    )
    for kind, rival in theirs.items():
        measuring.train(bundle, "outside_95cr", kind, name="region")
        predict = bundle.predictor(f"region-{kind}")
        names = [column.name for column in predict.inputs]
        single = dict(zip(names, points[0].tolist(), strict=True))
        batch = {name: points[:, place] for place, name in enumerate(names)}
        _row(
            table,
            f"{kind}: one point",
            _least(lambda p=predict, s=single: p.one(s), 300),
            _least(lambda r=rival: r.predict_proba(points[:1]), 50),
        )
        _row(
            table,
            f"{kind}: {POINTS} points",
            _least(lambda p=predict, b=batch: p.verdicts(b), 3),
            _least(lambda r=rival: r.predict_proba(points), 3),
        )
    _starts(table, bundle, theirs, folder)
    return [table]


def _defaults(X: Array, y: Array) -> dict[str, Any]:
    """Fit scikit-learn's counterparts of our estimators, by their defaults."""
    found = measuring.default_classifiers()
    pairs = {
        "forest": found["scikit-learn RandomForestClassifier()"].set_params(n_jobs=1),
        "boosted": found["scikit-learn HistGradientBoostingClassifier()"],
        "mlp": found["scikit-learn StandardScaler, MLPClassifier()"],
    }
    for model in pairs.values():
        measuring.fit_classifier(model, X, y)
    return pairs


def _least(work: Callable[[], Any], tries: int) -> float:
    work()
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _row(table: Table, what: str, ours: float, theirs: float) -> None:
    table.add(
        what,
        {
            "ours [s]": measuring.digits(ours),
            "theirs [s]": measuring.digits(theirs),
            "ratio": measuring.digits(theirs / ours, 2),
        },
    )


def _process(*command: str) -> float:
    return _least(lambda: subprocess.run(command, check=True, capture_output=True), 5)


_PREDICT = """
import sys, joblib
import numpy as np
model = joblib.load(sys.argv[1])
print(model.predict_proba(np.array([[float(x) for x in sys.argv[2:]]])))
"""


def _starts(table: Table, bundle: limen.Bundle, theirs: dict[str, Any], folder: Path) -> None:
    """Time processes: imports, and a prediction from nothing."""
    import joblib

    numpy = _process(sys.executable, "-c", "import numpy")
    _row(table, "import limen, import numpy", _process(sys.executable, "-c", "import limen"), numpy)
    point = bundle.manifest["benchmarks"][0]["point"]
    numbers = [str(value) for value in point.values()]
    settings = [item for key, value in point.items() for item in ("--set", f"{key}={value}")]
    for kind, model in theirs.items():
        path = folder / f"{kind}.joblib"
        joblib.dump(model, path)
        command = [
            str(Path(sys.executable).parent / "limen"),
            "predict",
            str(bundle.path),
            *settings,
        ]
        ours = _process(*command, "--model", f"region-{kind}")
        rival = _process(sys.executable, "-c", _PREDICT, str(path), *numbers)
        _row(table, f"{kind}: from start to first answer", ours, rival)
