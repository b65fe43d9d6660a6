"""What the values of each column look like, gathered in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limen.readers.options import MAX_CATEGORIES
from limen.readers.sentinels import SentinelWatch
from limen.readers.sources import BLOCK_ROWS
from limen.readers.tables import TEXT, Array, Table

__all__ = ["Profile", "profile_tables"]

# How much nearer to the middle the mean must lie by logarithm than as it is.
_EVENER = 0.5


@dataclass(slots=True)
class Profile:
    """
    What one column holds.

    Parameters
    ----------
    dtype : dtype
        Of the first file; `TEXT` for text.

    Examples
    --------
    >>> profile = Profile(np.dtype(float))
    >>> profile.see(np.array([1.0, np.nan, 0.0]))
    >>> profile.binary, profile.missing, profile.low, profile.high
    (True, 1, 0.0, 1.0)
    """

    dtype: np.dtype[Any]
    rows: int = 0
    missing: int = 0
    infinite: int = 0
    low: float = np.inf
    high: float = -np.inf
    binary: bool = True
    increasing: bool = True
    texts: Counter[str] = field(default_factory=Counter)
    last: Any = None
    given_codes: dict[str, int] = field(default_factory=dict)
    sentinels: SentinelWatch = field(default_factory=SentinelWatch)
    total: float = 0.0
    total_log: float = 0.0

    @property
    def empty(self) -> bool:
        """Tell whether there is no value at all."""
        return self.missing == self.rows

    @property
    def consecutive(self) -> bool:
        """Tell whether the values count the rows, each once."""
        whole = self.dtype.kind in "iu" and self.increasing and self.rows > 1
        return whole and self.high - self.low == self.rows - 1

    @property
    def many_texts(self) -> bool:
        """Tell whether there are more texts than categories may be."""
        return len(self.texts) > MAX_CATEGORIES

    @property
    def codes(self) -> dict[str, int]:
        """Give the code of each text: the one given, else by alphabet."""
        return self.given_codes or {text: code for code, text in enumerate(sorted(self.texts))}

    @property
    def logarithmic(self) -> bool:
        """Tell whether the values fill three decades or more, much more evenly by logarithm."""
        count = self.rows - self.missing - self.infinite
        if not (self.dtype.kind == "f" and count and 0 < 1000 * self.low < self.high < np.inf):
            return False
        low, high = np.log(self.low), np.log(self.high)
        linear = abs((self.total / count - self.low) / (self.high - self.low) - 0.5)
        by_logarithm = abs((self.total_log / count - low) / (high - low) - 0.5)
        return bool(by_logarithm < _EVENER * linear)

    def _sum(self, finite: Array) -> None:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self.total += float(finite.sum(dtype=float))
            if finite.dtype.kind == "f" and self.low > 0:
                self.total_log += float(np.log(finite, dtype=float).sum())

    def see(self, values: Array) -> None:
        """Take in a block of the column, shape (n,)."""
        self.rows += len(values)
        if self.dtype == TEXT:
            self.missing += int(np.count_nonzero(values == ""))
            if not self.many_texts:
                self.texts.update(values.tolist())
            return
        finite = values
        if values.dtype.kind == "f":
            missing = np.isnan(values)
            infinite = np.isinf(values)
            self.missing += int(missing.sum())
            self.infinite += int(infinite.sum())
            finite = values[~(missing | infinite)]
            self.binary &= not infinite.any()
        if not finite.size:
            return
        self.sentinels.see(finite)
        self._sum(finite)
        self.low = min(self.low, finite.min().item())
        self.high = max(self.high, finite.max().item())
        self.binary &= bool(np.all((finite == 0) | (finite == 1)))
        if values.dtype.kind in "iu" and self.increasing:
            first = self.last is None or values[0] > self.last
            self.increasing = bool(first and np.all(values[1:] > values[:-1]))
            self.last = values[-1]


def profile_tables(tables: Sequence[Table]) -> dict[str, Profile]:
    """
    Stream files once and profile their columns.

    Parameters
    ----------
    tables : sequence of Table
        Files with the same columns.

    Returns
    -------
    dict of str to Profile
        By name in the files.

    Raises
    ------
    ReadError
        If a file is damaged.
    """
    filled: Iterable[Table] = [table for table in tables if table.n_rows] or tables
    first = next(iter(filled))
    profiles = {name: Profile(dtype) for name, dtype in first.dtypes.items()}
    for table in filled:
        for block in (table.preview or table.stream)(BLOCK_ROWS):
            for name, profile in profiles.items():
                profile.see(block[name])
    return profiles
