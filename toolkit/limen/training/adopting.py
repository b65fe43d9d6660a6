"""Look at a model that was trained elsewhere with distrust."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from limen.estimators import FittedModel
from limen.training.rows import TrainingRows

__all__ = ["suspicious_order"]

Array = np.ndarray[Any, Any]

_ROWS = 2_000
_CLEARLY = 0.8


def suspicious_order(rows: TrainingRows, fitted: FittedModel) -> Iterator[str]:
    """
    Try whether the model is better with two inputs of one unit exchanged.

    A graph knows no names: inputs in the wrong order give numbers all the same.

    Parameters
    ----------
    rows : TrainingRows
    fitted : FittedModel

    Yields
    ------
    str
        A warning for each pair with which the error is clearly smaller.
    """
    X, y = rows.X[:_ROWS], rows.y[:_ROWS]
    present = _error(fitted, X, y)
    for first, second in combinations(range(X.shape[1]), 2):
        a, b = rows.inputs[first], rows.inputs[second]
        if a.unit != b.unit:
            continue
        exchanged = X.copy()
        exchanged[:, [first, second]] = X[:, [second, first]]
        found = _error(fitted, exchanged, y)
        if found < _CLEARLY * present:
            yield (
                f"with {a.name} and {b.name} exchanged the model errs by {found:.3g} instead of "
                f"{present:.3g}: check the order of --inputs"
            )


def _error(fitted: FittedModel, X: Array, y: Array) -> float:
    """Share of wrong labels, or mean absolute error."""
    said = fitted.predict(X)
    if fitted.task == "regression":
        return float(np.abs(said - y).mean())
    answer = (said >= 0.5).astype(int) if said.ndim == 1 else said.argmax(axis=1)
    return float((answer != y).mean())
