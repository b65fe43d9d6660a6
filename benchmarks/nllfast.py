"""Cross sections of NLL-fast: a Gaussian process on grids of known processes."""

from __future__ import annotations

from pathlib import Path

import data
import measuring
import numpy as np
from measuring import Array, Table
from scipy.interpolate import LinearNDInterpolator

from limen.transforms import TargetTransform


def measure(folder: Path) -> list[Table]:
    """Compare relative errors on the held-out points of each grid."""
    table = Table(
        "NLL-fast 8 TeV: median relative error of the cross section, in percent",
        "Held-out points of each grid, drawn at random (15 %), so that many lie between points "
        "one or two steps away. Defaults of scikit-learn on the logarithm of the cross section; "
        "linear: scipy's LinearNDInterpolator of the logarithm, where it has an answer.",
    )
    for process in data.NLLFAST:
        bundle = data.nllfast(process, folder)
        found = measuring.rows(bundle, "xsec")
        (X, y), (X_test, y_test) = measuring.train_rows(found), measuring.test_rows(found)
        model = measuring.train(bundle, "xsec", "gp")
        answer = model.answer(X_test)
        row = {
            "training rows": len(X),
            "test rows": len(X_test),
            "limen gp": _median(answer, y_test),
            "limen gp, 95 %": measuring.digits(
                100 * float(np.quantile(np.abs(answer / y_test - 1), 0.95))
            ),
            "linear": _linear(X, y, X_test, y_test),
        }
        for name, default in measuring.default_regressors().items():
            said, _ = measuring.fit_regressor(default, X, y, TargetTransform("log"))
            row[name.removeprefix("scikit-learn ")] = _median(said(X_test), y_test)
        table.add(process, row)
    return [table]


def _median(said: Array, y: Array) -> float:
    """Median relative error in percent, of the finite answers."""
    error = np.abs(said / y - 1)
    return measuring.digits(100 * float(np.median(error[np.isfinite(error)])))


def _linear(X: Array, y: Array, X_test: Array, y_test: Array) -> float:
    if X.shape[1] == 1:
        order = np.argsort(X[:, 0])
        said = np.interp(X_test[:, 0], X[order, 0], np.log(y)[order], np.nan, np.nan)
    else:
        said = LinearNDInterpolator(X, np.log(y))(X_test)
    return _median(np.exp(said), y_test)
