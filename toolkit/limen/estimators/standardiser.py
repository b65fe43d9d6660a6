"""Inputs on a common scale, in numpy and in a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limen.errors import TrainingError
from limen.estimators.building import GraphBuilder
from limen.estimators.fitted import Floats

__all__ = ["Standardiser"]


@dataclass(frozen=True, slots=True)
class Standardiser:
    """
    Inputs on a common scale, after the logarithm of some.

    Parameters
    ----------
    log : ndarray of bool, shape (d,)
        Inputs whose logarithm is taken.
    floor : ndarray, shape (d,)
        Smaller values of such an input count as this, in its unit.
    centre, scale : ndarray, shape (d,)
    """

    log: NDArray[np.bool_]
    floor: Floats
    centre: Floats
    scale: Floats

    @classmethod
    def fit(cls, X: Floats, log_inputs: Sequence[int]) -> Standardiser:
        """Learn the scale from rows X, shape (n, d)."""
        log = np.zeros(X.shape[1], dtype=bool)
        log[list(log_inputs)] = True
        low = X.min(axis=0)
        if (low[log] <= 0).any():
            raise TrainingError(
                "training data: found zero or negative values in an input of scale 'log', allowed "
                "positive ones; declare its scale as linear"
            )
        floor = np.where(log, low * 1e-3, 1.0)
        z = np.where(log, np.log(np.where(log, X, 1.0)), X)
        spread = z.std(axis=0)
        return cls(log, floor, z.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def apply(self, X: Floats) -> Floats:
        """Standardise rows X, shape (n, d)."""
        if self.log.any():
            X = np.where(self.log, np.log(np.maximum(X, self.floor)), X)
        return np.asarray((X - self.centre) / self.scale)

    def write(self, builder: GraphBuilder) -> str:
        """Do the same in a graph, on its points."""
        x = builder.double("points")
        if self.log.any():
            logarithm = builder.op("Log", builder.op("Max", x, builder.constant(self.floor)))
            x = builder.op("Where", builder.constant(self.log, "bool"), logarithm, x)
        shifted = builder.op("Sub", x, builder.constant(self.centre))
        return builder.op("Div", shifted, builder.constant(self.scale))
