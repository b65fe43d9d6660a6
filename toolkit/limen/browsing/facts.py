"""What must be known of a column before it can be binned: its ends, and how much of it is valid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Facts"]

Block = tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Facts of a column over all rows.

    Attributes
    ----------
    rows : int
        All of them.
    valid : int
        Those with a value: neither NaN nor masked.
    low, high : float or None
        Least and largest finite value, in the column's unit.
    low_positive : float or None
        Least finite value above zero, in the column's unit.
    not_positive : int
        Values at or below zero, which a logarithmic axis cannot show.
    """

    rows: int
    valid: int
    low: float | None
    high: float | None
    low_positive: float | None
    not_positive: int

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Self:
        """
        Gather the facts block by block.

        Parameters
        ----------
        blocks : iterable of (ndarray, ndarray of bool or None)
            Values and which of them are valid.

        Returns
        -------
        Facts

        Examples
        --------
        >>> Facts.of([(np.array([1.0, -2.0, np.nan]), None)]).low
        -2.0
        """
        whole = cls(0, 0, None, None, None, 0)
        for values, valid in blocks:
            whole = whole.joined(cls.of_block(values, valid))
        return whole

    @classmethod
    def of_block(cls, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> Self:
        """Gather the facts of one block of values and which of them are valid."""
        numbers = values.astype(np.float64, copy=False)
        there = ~np.isnan(numbers)
        if valid is not None:
            there &= valid
        kept = numbers if there.all() else numbers[there]
        finite = kept if np.isfinite(kept).all() else kept[np.isfinite(kept)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
        positive = low
        not_positive = 0
        if kept.size and (low is None or low <= 0 or finite.size < kept.size):
            not_positive = int((kept <= 0).sum())
            above = finite[finite > 0]
            positive = float(above.min()) if above.size else None
        return cls(len(values), len(kept), low, high, positive, not_positive)

    def joined(self, other: Self) -> Self:
        """Give the facts of both parts together."""
        return type(self)(
            self.rows + other.rows,
            self.valid + other.valid,
            _least(self.low, other.low),
            None if (top := _least(_minus(self.high), _minus(other.high))) is None else -top,
            _least(self.low_positive, other.low_positive),
            self.not_positive + other.not_positive,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the facts for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make the facts from what `to_dict` gave."""
        return cls(**document)


def _least(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value
