"""Numbers that stand for 'no value': -999 and the like, far from everything else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from limen.readers.tables import Array

__all__ = ["SentinelWatch"]

_NINES = [float(10**power - 1) for power in range(3, 8)]
_SENTINELS = np.array(sorted(s * v for s in (-1, 1) for v in (*_NINES, 1e10, 1e20, 1e30, 1e35)))
# How far beyond the other values, in units of their span.
_FAR = 0.25


@dataclass(slots=True)
class SentinelWatch:
    """
    Watch blocks of a column for a repeated sentinel at its minimum or maximum.

    Examples
    --------
    >>> watch = SentinelWatch()
    >>> watch.see(np.array([1.0, -999.0, 2.5, -999.0, 4.0]))
    >>> watch.found
    [(-999.0, 2)]
    """

    counts: Counter[float] = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf

    def see(self, values: Array) -> None:
        """Take in a block of finite numbers, shape (n,)."""
        real = values.astype(np.float64)
        if real.size and np.abs(real).max() < _NINES[0]:
            self.low, self.high = min(self.low, real.min()), max(self.high, real.max())
            return
        # In float32 the sentinel -1e30 is the float32 nearest to it.
        known = np.isin(real, _SENTINELS) | np.isin(real, _SENTINELS.astype(np.float32))
        self.counts.update(real[known].tolist())
        rest = real[~known]
        if rest.size:
            self.low = min(self.low, float(rest.min()))
            self.high = max(self.high, float(rest.max()))

    @property
    def found(self) -> list[tuple[float, int]]:
        """Give each sentinel and how often it is there; empty if none is certain enough."""
        if not self.low < self.high:
            return []
        far = _FAR * (self.high - self.low)
        return [
            (value, count)
            for value, count in sorted(self.counts.items())
            if count > 1 and not self.low - far <= value <= self.high + far
        ]
