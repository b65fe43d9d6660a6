"""The browse index: columns of a scan as codes and figures, built once, streamed by blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limen.browsing.bins import Bins, Codes, Scale
from limen.browsing.facts import Facts
from limen.browsing.filters import Filter
from limen.browsing.sampling import stratified_rows
from limen.browsing.shelf import Shelf
from limen.errors import ColumnError
from limen.manifest import Column

if TYPE_CHECKING:
    from limen.scan import Scan

__all__ = ["Index", "Progress"]

# Four chunks of the format; a multiple of eight rows, so that bits of blocks are whole bytes.
ROWS = 262_144
_WORKERS = 2

Progress = Callable[[str, float], None]
Work = Callable[[slice, npt.NDArray[Any], npt.NDArray[np.bool_] | None], Any]


class Index:
    """
    What browsing knows of a scan, column by column.

    Nothing is read before it is asked for; then one column is streamed, with its mask, and its
    codes are kept in the cache folder by the manifest's SHA-256, the column and the bins. May be
    used from several threads.

    Parameters
    ----------
    open_scan : callable
        Opens the scan, local or remote; called once.
    columns : mapping of str to Column
        The columns of the bundle.
    digest : str
        SHA-256 of the manifest.
    folder : Path, optional
        In place of ``browse`` in the cache folder.
    progress : callable, optional
        Called with what is done and the share of it that is done, 0 to 1.

    Attributes
    ----------
    columns : dict of str to Column
    n_points : int
        Rows of the scan.
    shelf : Shelf
        Where it is kept.
    """

    def __init__(
        self,
        open_scan: Callable[[], Scan],
        columns: dict[str, Column],
        digest: str,
        *,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._scan = open_scan()
        self.columns = columns
        self.n_points = self._scan.n_points
        self.shelf = Shelf(digest, folder)
        self._digest = digest
        self._progress = progress
        self._samples: dict[int, npt.NDArray[np.int64]] = {}

    def column(self, name: str) -> Column:
        """
        Give a column.

        Raises
        ------
        ColumnError
            If there is none of this name.
        """
        if name not in self.columns:
            raise ColumnError(
                f"browse: found no column {name!r}, allowed {', '.join(self.columns)}"
            )
        return self.columns[name]

    def dtype(self, name: str) -> np.dtype[Any]:
        """Give the type that a column is stored in."""
        self.column(name)
        return self._scan.dtypes[name]

    def facts(self, name: str) -> Facts:
        """Give the ends of a column and how much of it is valid."""
        self.column(name)

        def make() -> dict[str, Any]:
            def work(
                _: slice, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
            ) -> Facts:
                return Facts.of_block(values, valid)

            whole = Facts(0, 0, None, None, None, 0)
            for part in self._streamed(name, f"Reading {name}", work):
                whole = whole.joined(part)
            return whole.to_dict()

        return Facts.from_dict(self.shelf.document(f"{_file(name)}.json", make))

    def bins(
        self,
        name: str,
        n: int = 50,
        scale: Scale | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> Bins:
        """
        Choose the bins of a column.

        Parameters
        ----------
        name : str
        n : int
            Bins wanted.
        scale : str, optional
            By default ``whole`` for integers, categories and yes/no, else as the column states.
        low, high : float, optional
            Ends of the axis, in the column's unit; by default those of the data.

        Returns
        -------
        Bins

        Raises
        ------
        UsageError
            If the column has no such axis.
        """
        column, facts = self.column(name), self.facts(name)
        whole = self.dtype(name).kind in "biu"
        chosen: Scale = scale or ("log" if column.scale == "log" else "linear")
        if chosen == "log" and scale is None and facts.low_positive is None:
            chosen = "linear"
        if whole and chosen not in ("log", "symlog"):
            chosen = "whole"
        sample = self._values_of_sample(name) if chosen == "quantile" else None
        return Bins.of(facts, n, chosen, low, high, sample)

    def codes(self, name: str, bins: Bins) -> Codes:
        """Give the code of every row, shape (n_points,); not to be written to."""
        self.column(name)

        def work(_: slice, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> Codes:
            return bins.encode(values, valid)

        def make() -> Iterator[Codes]:
            return self._streamed(name, f"Indexing {name}", work)

        return self.shelf.array(f"{_file(name)}-{bins.key}.codes", self.n_points, np.uint8, make)

    def figures(
        self, name: str, kind: str, change: Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]]
    ) -> npt.NDArray[np.float32]:
        """
        Give a figure of every row, computed from one column.

        Parameters
        ----------
        name : str
            The column.
        kind : str
            Name of the change, for the file.
        change : callable
            From values (NaN where not valid) to the figure.

        Returns
        -------
        ndarray of float32, shape (n_points,)
        """
        self.column(name)

        def work(
            _: slice, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
        ) -> npt.NDArray[Any]:
            return change(_numbers(values, valid))

        def make() -> Iterator[npt.NDArray[Any]]:
            return self._streamed(name, f"Reading {name}", work)

        return self.shelf.array(f"{_file(name)}-{kind}.f4", self.n_points, np.float32, make)

    def passing(
        self, name: str, one: Filter, codes: Codes, undecided: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.uint8]:
        """
        Decide by their values the rows whose codes do not.

        Parameters
        ----------
        name : str
        one : Filter
        codes : ndarray of uint8, shape (n_points,)
        undecided : ndarray of bool, shape (256,)
            Codes to be decided.

        Returns
        -------
        ndarray of uint8, shape (ceil(n_points / 8),)
            One bit a row: those rows that pass. Blocks without such rows are not read.
        """
        bits = np.zeros(-(-self.n_points // 8), dtype=np.uint8)

        def work(
            rows: slice, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
        ) -> None:
            found = undecided[codes[rows]] & one.accepts(_numbers(values, valid))
            bits[rows.start // 8 : -(-rows.stop // 8)] = np.packbits(found)

        def needed(rows: slice) -> bool:
            return bool(undecided[codes[rows]].any())

        for _ in self._streamed(name, f"Deciding {name}", work, needed):
            pass
        return bits

    def read(self, names: list[str], rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """
        Read single rows of some columns.

        Returns
        -------
        dict of str to ndarray, shape (k,)
            NaN where a value is not valid; integers with such rows become float64.
        """
        found: dict[str, npt.NDArray[Any]] = {}
        for name in names:
            mask = self.column(name).valid
            values = self._scan.take(name, rows)
            if mask is not None:
                valid = self._scan.take(mask, rows)
                values = values if valid.all() else _numbers(values, valid)
            found[name] = values
        return found

    def blocks(self, names: list[str]) -> Iterator[tuple[slice, dict[str, npt.NDArray[Any]]]]:
        """Read columns block by block, NaN where a float is not valid, masked arrays else."""
        masks = [mask for name in names if (mask := self.column(name).valid)]
        wanted = list(dict.fromkeys([*names, *masks]))
        for rows in _ranges(self.n_points):
            table = self._scan.read(wanted, rows.start, rows.stop)
            yield rows, {name: self._masked(name, table) for name in names}

    def _masked(self, name: str, table: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        mask = self.columns[name].valid
        if mask is None or table[name].dtype.kind == "f":
            return table[name]
        return np.ma.array(table[name], mask=~table[mask])

    def sample(self, most: int) -> npt.NDArray[np.int64]:
        """Give the rows of the fixed stratified sample, ascending; the same on every server."""
        if most not in self._samples:
            seed = int(self._digest[:8], 16)
            self._samples[most] = stratified_rows(self.n_points, most, seed)
        return self._samples[most]

    def _values_of_sample(self, name: str) -> npt.NDArray[np.float64]:
        values = self.read([name], self.sample(100_000))[name].astype(np.float64)
        return np.sort(values[np.isfinite(values)])

    def _streamed(
        self, name: str, what: str, work: Work, needed: Callable[[slice], bool] | None = None
    ) -> Iterator[Any]:
        """Work on a column block by block, on both processors, in order."""
        mask = self.columns[name].valid
        names = [name] if mask is None else [name, mask]

        def one(rows: slice) -> Any:
            if needed is not None and not needed(rows):
                return None
            table = self._scan.read(names, rows.start, rows.stop)
            return work(rows, table[name], None if mask is None else table[mask])

        ranges = list(_ranges(self.n_points))
        with ThreadPoolExecutor(_WORKERS) as pool:
            for done, result in enumerate(pool.map(one, ranges), start=1):
                if self._progress is not None:
                    self._progress(what, done / len(ranges))
                yield result


def _ranges(n: int) -> Iterator[slice]:
    for start in range(0, n, ROWS):
        yield slice(start, min(start + ROWS, n))


def _numbers(
    values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float64]:
    numbers = values.astype(np.float64)
    if valid is not None:
        numbers[~valid] = np.nan
    return numbers


def _file(name: str) -> str:
    """Name a column's files; a stranger's column name is no file name."""
    return hashlib.sha256(name.encode()).hexdigest()[:20]
