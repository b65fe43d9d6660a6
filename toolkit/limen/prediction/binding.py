"""A predictor as a plain function of numbers, for samplers and optimisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.errors import ColumnError, ShapeError

if TYPE_CHECKING:
    from limen.prediction.predictor import Predictor

__all__ = ["bind"]


def bind(
    predictor: Predictor, names: Sequence[str], held: Mapping[str, float]
) -> Callable[[Any], Any]:
    """
    Bind the names of a predictor's inputs once; see `Predictor.function`.

    Parameters
    ----------
    predictor : Predictor
    names : sequence of str
        The order in which the values will come.
    held : mapping of str to float
        Inputs held at a value, in their units.

    Returns
    -------
    callable

    Raises
    ------
    ColumnError
        If the names are not exactly the inputs of the model.
    """
    wanted = [column.name for column in predictor.inputs]
    if sorted([*names, *held]) != sorted(wanted):
        raise ColumnError(
            f"names: found {', '.join([*names, *held])}, allowed exactly {', '.join(wanted)}, "
            "each once"
        )
    order = np.array([wanted.index(name) for name in names], dtype=int)
    template = np.array([held.get(name, np.nan) for name in wanted], dtype=np.float64)
    nothing = -np.inf if predictor.target.quantity == "log_likelihood" else np.nan

    def evaluate(x: Any) -> Any:
        given = np.asarray(x, dtype=np.float64)
        rows = np.atleast_2d(given)
        if rows.ndim != 2 or rows.shape[1] != len(order):
            raise ShapeError(
                f"x: found shape {given.shape}, allowed ({len(order)},) or (n, {len(order)})"
            )
        X = np.tile(template, (len(rows), 1))
        X[:, order] = rows
        value = predictor.values(X, nothing)
        return float(value[0]) if given.ndim == 1 else value

    return evaluate
