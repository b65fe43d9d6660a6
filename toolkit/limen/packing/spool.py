"""Columns on disk while a scan is being made: written in blocks, read in ranges, never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from limen.errors import DataError

__all__ = ["ROWS", "Spool"]

ROWS = 262_144

Array = np.ndarray[Any, Any]


class Spool:
    """
    Columns of equal length in raw files of a working folder.

    Parameters
    ----------
    folder : Path
        Working folder; the caller removes it.

    Attributes
    ----------
    n : int
        Rows of every column.
    dtypes : dict of str to numpy.dtype
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._numbers: dict[str, int] = {}
        self.n = 0
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def _path(self, name: str) -> Path:
        # A number, not the name: names may differ in case only, file systems may not.
        # One beyond the largest, not the count: after a drop the count is a living column's.
        number = self._numbers.setdefault(name, max(self._numbers.values(), default=-1) + 1)
        return self._folder / f"{number}.raw"

    def fill(
        self, dtypes: Mapping[str, np.dtype[Any]], blocks: Iterable[Mapping[str, Array]]
    ) -> None:
        """Append blocks of columns until they end."""
        streams: dict[str, BinaryIO] = {}
        try:
            for name, dtype in dtypes.items():
                self.dtypes[name] = np.dtype(dtype)
                streams[name] = self._path(name).open("wb")
            for block in blocks:
                rows = {len(block[name]) for name in streams}
                if len(rows) != 1:
                    raise DataError(f"scan: columns of a block differ in length: {sorted(rows)}")
                for name, stream in streams.items():
                    _write(stream, _lossless(name, block[name], self.dtypes[name]))
                self.n += rows.pop()
        finally:
            for stream in streams.values():
                stream.close()

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Read rows ``start`` to ``stop`` of a column."""
        dtype = self.dtypes[name]
        stop = self.n if stop is None else min(stop, self.n)
        with self._path(name).open("rb") as stream:
            return np.fromfile(
                stream, dtype, count=max(stop - start, 0), offset=start * dtype.itemsize
            )

    def put(self, name: str, dtype: Any, blocks: Iterable[Array]) -> None:
        """Write a whole new column, or a column anew, from blocks in row order."""
        working = self._folder / "working.raw"
        with working.open("wb") as stream:
            for block in blocks:
                _write(stream, np.asarray(block, dtype=dtype))
        working.replace(self._path(name))
        self.dtypes[name] = np.dtype(dtype)

    def drop(self, name: str) -> None:
        """Remove a column."""
        self._path(name).unlink()
        del self.dtypes[name], self._numbers[name]

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Give row ranges that cover all rows."""
        for start in range(0, self.n, ROWS):
            yield start, min(start + ROWS, self.n)

    def blocks(self, names: Iterable[str]) -> Iterator[dict[str, Array]]:
        """Read columns side by side in blocks."""
        wanted = list(names)
        for start, stop in self.ranges():
            yield {name: self.read(name, start, stop) for name in wanted}

    def __contains__(self, name: str) -> bool:
        return name in self.dtypes


def _write(stream: BinaryIO, values: Array) -> None:
    # Not tofile(): its error for a full disk has no number.
    stream.write(np.ascontiguousarray(values).data)


def _lossless(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    cast = values.astype(dtype)
    if values.dtype != dtype and not np.array_equal(
        cast.astype(values.dtype), values, equal_nan=values.dtype.kind == "f"
    ):
        raise DataError(
            f"scan /{name}: found values that {dtype} cannot hold exactly; declare a wider dtype"
        )
    return cast
