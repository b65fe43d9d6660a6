"""Which rows of a scan, or of its sample, pass filters; what was decided lately is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins
from limen.browsing.cubes import count_rows, passing_blocks
from limen.browsing.filters import Filter
from limen.browsing.index import Index
from limen.browsing.selecting import Decided, decide
from limen.remembering import Lately

__all__ = ["SAMPLE", "Filters", "Passing"]

SAMPLE = 1_000_000
_REMEMBERED = 64

Filters = Mapping[str, Filter]


class Passing:
    """
    Rows that pass filters.

    Parameters
    ----------
    index : Index
    binned : callable
        Bins of a column whose codes are there.
    """

    def __init__(self, index: Index, binned: Callable[[str], list[Bins]]) -> None:
        self._index, self._binned = index, binned
        self._decided, self._sampled = Lately(_REMEMBERED), Lately(_REMEMBERED)

    def sample(self) -> npt.NDArray[np.int64]:
        """Give the rows of the fixed sample."""
        return self._index.sample(SAMPLE)

    def size(self, sampled: bool) -> int:
        """Number of rows of the scan, or of the sample."""
        return len(self.sample()) if sampled else self._index.n_points

    def count(self, filters: Filters, sampled: bool) -> int:
        """Count the rows that pass all filters."""
        if not filters:
            return self.size(sampled)
        return count_rows(tuple(filters), self.size(sampled), self.mask_of(filters, sampled))

    def masks(self, filters: Filters, sampled: bool) -> Iterator[tuple[slice, Any]]:
        """Give block by block which rows pass all filters."""
        return passing_blocks(tuple(filters), self.size(sampled), self.mask_of(filters, sampled))

    def mask_of(self, filters: Filters, sampled: bool) -> Callable[[str, slice], Any]:
        """Give which rows of a block pass the filter on a column."""
        decided = {name: self._decide(name, one, sampled) for name, one in filters.items()}
        return lambda name, rows: decided[name].mask(rows)

    def first(self, filters: Filters, most: int) -> npt.NDArray[np.int64]:
        """Give the first rows that pass all filters."""
        found: list[npt.NDArray[np.int64]] = []
        n = 0
        for rows, mask in self.masks(filters, False):
            found.append(np.flatnonzero(mask) + rows.start)
            n += len(found[-1])
            if n >= most:
                break
        return np.concatenate(found)[:most] if found else np.empty(0, dtype=np.int64)

    def spread(self, filters: Filters, most: int) -> npt.NDArray[np.int64]:
        """Give rows that pass, drawn from the sample and spread over the scan."""
        sample = self.sample()
        sampled = len(sample) < self._index.n_points
        parts = [np.flatnonzero(m) + r.start for r, m in self.masks(filters, sampled)]
        places = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        if len(places) > most:
            places = places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
        return sample[places]

    def blocks(
        self, names: Sequence[str], filters: Filters
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Read block by block the rows that pass, NaN or masked where they are not valid."""
        mask_of = self.mask_of(filters, False)
        for rows, table in self._index.blocks(list(names)):
            mask = np.ones(rows.stop - rows.start, dtype=bool)
            for name in filters:
                mask &= mask_of(name, rows)
            if mask.any():
                yield {name: values[mask] for name, values in table.items()}

    def at_sample(self, key: Any, whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give the part of a column at the rows of the sample; ``key`` says which column."""
        return np.asarray(self._sampled.get(key, lambda: whole[self.sample()]))

    def _decide(self, name: str, one: Filter, sampled: bool) -> Decided:
        def work() -> Decided:
            if sampled:
                return self._decide(name, one, False).at(self.sample())
            return decide(self._index, name, one, self._binned(name))

        return self._decided.get((name, one, sampled), work)
