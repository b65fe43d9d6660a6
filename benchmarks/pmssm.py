"""A cross section over ten decades of the pMSSM, process unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data
import measuring
import numpy as np
from measuring import Array, Table


def measure(folder: Path) -> list[Table]:
    """Compare regressors by the error of the logarithm and the median relative error."""
    bundle = data.pmssm(folder)
    found = measuring.rows(bundle, "xsec_pb")
    (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
    table = Table(
        "pmssm_xsec19: a cross section over ten decades, process unknown",
        f"{len(X)} training and {len(X_test)} test rows. R2 and root mean square are those of "
        "log10 of the cross section; answers that are not positive count as the least cross "
        "section of the training rows.",
    )
    least = float(y.min())

    def figures(mean: Array, seconds: float) -> dict[str, Any]:
        error = np.log10(np.maximum(mean, least)) - np.log10(y_test)
        return {
            "R2 of log10": round(1 - float(np.mean(error**2) / np.var(np.log10(y_test))), 4),
            "root mean square of log10": measuring.digits(float(np.sqrt(np.mean(error**2)))),
            "median relative error": measuring.digits(float(np.median(np.abs(mean / y_test - 1)))),
            "training [s]": measuring.digits(seconds, 2),
        }

    for estimator in ("mlp", "boosted", "forest"):
        model = measuring.train(bundle, "xsec_pb", estimator)
        table.add(f"limen {estimator}", figures(model.answer(X_test), model.seconds))
    transform = measuring.transform_of(found)
    for name, default in measuring.default_regressors().items():
        for text, used in (("", None), (", on the logarithm", transform)):
            answer, seconds = measuring.fit_regressor(default, X, y, used)
            table.add(name + text, figures(answer(X_test), seconds))
    return [table]
