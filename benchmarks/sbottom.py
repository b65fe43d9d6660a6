"""CLs of 217 mass points on two planes, and what happens beside the planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data
import measuring
import numpy as np
from measuring import Array, Table

from limen.transforms import normal_quantile

LEVEL = 0.05


def measure(folder: Path) -> list[Table]:
    """Judge CLs in standard deviations, the label by it, and refusals off the planes."""
    bundle = data.sbottom(folder)
    found = measuring.rows(bundle, "CLs_obs")
    (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
    table = Table(
        "pyhf_sbottom, region A: observed CLs",
        f"{len(X)} training and {len(X_test)} test rows. The error in sigma is that of the "
        "quantile of CLs, on test rows with CLs between 1e-6 and 1 - 1e-6; label: CLs < 0.05.",
    )

    def figures(cls: Array, seconds: float) -> dict[str, Any]:
        cls = np.clip(cls, 0.0, 1.0)
        inside = (y_test > 1e-6) & (y_test < 1 - 1e-6)
        error = np.abs(normal_quantile(cls) - normal_quantile(y_test))[inside]
        return {
            "median error [sigma]": measuring.digits(float(np.median(error))),
            "median error of CLs": measuring.digits(float(np.median(np.abs(cls - y_test)))),
            "label right": measuring.share((cls < LEVEL) == (y_test < LEVEL)),
            "training [s]": measuring.digits(seconds, 2),
        }

    model = measuring.train(bundle, "CLs_obs", "gp")
    table.add("limen gp", figures(model.answer(X_test), model.seconds))
    transform = measuring.transform_of(found)
    for name, default in measuring.default_regressors().items():
        for text, used in (("", None), (", on quantiles", transform)):
            answer, seconds = measuring.fit_regressor(default, X, y, used)
            table.add(name + text, figures(answer(X_test), seconds))
    return [table, _off_planes(bundle, X_test)]


def _off_planes(bundle: Any, X: Array) -> Table:
    """Count verdicts of test points, and of the same points moved off their plane."""
    table = Table(
        "pyhf_sbottom: points off the two mass planes",
        "Test rows, and the same with m_N1 moved; those that moved onto the other plane or to a "
        "negative mass are left out.",
    )
    predict = bundle.predictor("cls_obs-gp")
    for step in (0.0, -35.0, 35.0, 150.0):
        moved = X + np.array([0.0, 0.0, step])
        gap = moved[:, 1] - moved[:, 2]
        other = (np.abs(moved[:, 2] - 60) < 2) | (np.abs(gap - 130) < 2) | (moved[:, 2] < 0)
        moved = moved[~other] if step else moved
        verdicts = predict.verdicts({c.name: moved[:, i] for i, c in enumerate(predict.inputs)})
        table.add(f"m_N1 {step:+g} GeV", {"points": len(moved)} | verdicts.counts())
    return table
