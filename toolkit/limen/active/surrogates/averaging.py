"""Averages of two posteriors, and how much say each has by the values that it did not see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.coregional import CoregionalPosterior

__all__ = ["Averaged", "Surrogate", "guard_weight"]

Floats = NDArray[np.float64]

# Standard errors by which an approximation must be better before it has half of the say: its fit
# has more numbers, so left-out values flatter it.
_DOUBT = 1.0


class Surrogate(Protocol):
    """What is needed of a posterior."""

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """Plain data for JSON."""
        ...

    def mean_std(self, u: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation, each of shape (n, m)."""
        ...

    def covariance(self, a: Floats, b: Floats, output: int) -> Floats:
        """Posterior covariance of an output, shape (n_a, n_b)."""
        ...

    def conditioned(self, points: Floats) -> Surrogate:
        """Take points as if told, at their means."""
        ...

    def leave_one_out(self, output: int) -> Floats:
        """Log densities of the values of an output, each predicted from all others."""
        ...

    def noise(self, output: int) -> float:
        """Variance of what neighbours do not foretell, in the square of the modelled scale."""
        ...


@dataclass(frozen=True)
class Averaged:
    """
    Average of two posteriors, output by output.

    Attributes
    ----------
    plain : Surrogate
        Of the expensive values alone, for all outputs.
    informed : tuple of CoregionalPosterior or None
        Of each output with its approximation.
    weights : tuple of float
        Say of ``informed``, from 0 to 1.
    memory : mapping
        Plain data from which the next fit starts.
    """

    plain: Surrogate
    informed: tuple[CoregionalPosterior | None, ...]
    weights: tuple[float, ...]
    memory: Mapping[str, Any]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Plain data for JSON: those of ``plain``, and ``fidelity``."""
        return dict(self.plain.hyperparameters) | {"fidelity": dict(self.memory)}

    def mean_std(self, u: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the average, each of shape (n, m)."""
        mean, std = (np.array(array) for array in self.plain.mean_std(u))
        for i, (informed, w) in enumerate(zip(self.informed, self.weights, strict=True)):
            if informed is not None:
                other, spread = (array[:, 0] for array in informed.mean_std(u))
                between = w * (1 - w) * (other - mean[:, i]) ** 2
                std[:, i] = np.sqrt(w * spread**2 + (1 - w) * std[:, i] ** 2 + between)
                mean[:, i] += w * (other - mean[:, i])
        return mean, std

    def covariance(self, a: Floats, b: Floats, output: int) -> Floats:
        """Posterior covariance of an output of the average, shape (n_a, n_b)."""
        plain = self.plain.covariance(a, b, output)
        informed, w = self.informed[output], self.weights[output]
        if informed is None:
            return plain
        apart = [
            informed.mean_std(u)[0][:, 0] - self.plain.mean_std(u)[0][:, output] for u in (a, b)
        ]
        between = w * (1 - w) * np.outer(*apart)
        return w * informed.covariance(a, b, 0) + (1 - w) * plain + between

    def conditioned(self, points: Floats) -> Averaged:
        """Take points as if told, at their means: the spread of each posterior falls."""
        informed = tuple(item and item.conditioned(points) for item in self.informed)
        return replace(self, plain=self.plain.conditioned(points), informed=informed)

    def noise(self, output: int) -> float:
        """Variance of what neighbours do not foretell, of the mixture."""
        plain, informed = self.plain.noise(output), self.informed[output]
        if informed is None:
            return plain
        return plain + self.weights[output] * (informed.noise(0) - plain)

    def leave_one_out(self, output: int) -> Floats:
        """Log densities of the values of an output by the mixture, each predicted from others."""
        plain, informed = self.plain.leave_one_out(output), self.informed[output]
        if informed is None:
            return plain
        w = self.weights[output]
        with np.errstate(divide="ignore"):
            parts = np.log(w) + informed.leave_one_out(0), np.log(1 - w) + plain
        return np.asarray(np.logaddexp(*parts))


def guard_weight(informed: Floats, plain: Floats) -> float:
    """
    Say of an approximation, by log densities of the expensive values, each left out in turn.

    Parameters
    ----------
    informed, plain : ndarray, shape (n,)
        With and without the approximation, of the same values in the same order.

    Returns
    -------
    float
        Φ(z - 1), where z is the mean gain over its standard error: one half where the
        approximation is better by one standard error.

    Examples
    --------
    >>> gain = np.array([0.5, 0.7, 0.6, 0.4])
    >>> round(guard_weight(gain, 0 * gain), 2), round(guard_weight(-gain, 0 * gain), 2)
    (1.0, 0.0)
    """
    gain = informed - plain
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
    z = float(gain.mean()) / max(error, 1e-12)
    return 0.5 * math.erfc(-(z - _DOUBT) / math.sqrt(2))
