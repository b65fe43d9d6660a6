"""Reading a scan by column and by range of rows, and nothing else of its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from limen.errors import ColumnError, IntegrityError, LimenError, ShapeError, UsageError
from limen.scan.guards import guarded
from limen.scan.layout import read_layout
from limen.scan.planning import prefetch
from limen.zipstore import PlannedRead, Read, file_reader, range_store, read_directory

if TYPE_CHECKING:
    import xarray
    from zarr import Array, Group

__all__ = ["Scan", "open_scan"]

BLOCK_ROWS = 65_536

# What zarr, its codecs and numpy raise on broken bytes.
_DECODING_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def open_scan(path: str | os.PathLike[str]) -> Scan:
    """
    Open a scan file; only its directory and metadata are read.

    Parameters
    ----------
    path : path
        A ``scan.zarr.zip``.

    Returns
    -------
    Scan
        To be closed, or used as a context manager.

    Raises
    ------
    StorageError
        If the file cannot be read.
    IntegrityError
        If it is not a whole scan.
    """
    read, size = file_reader(path)
    try:
        return Scan(read, size, where=str(path))
    except IntegrityError:
        read.close()
        raise


class Scan:
    """
    The columns of a scan, read by name and by range of rows.

    Only the chunks that hold the rows asked for are read. May be used from several threads.

    Parameters
    ----------
    read : callable
        ``read(offset, length) -> bytes``; closed with the scan if it can be.
    size : int
        Size of the file [byte].
    where : str
        Name of the file in messages.

    Attributes
    ----------
    n_points : int
    names : tuple of str
        Sorted.
    dtypes : dict of str to numpy.dtype
    attrs : dict
        Attributes of the scan as a whole.

    Raises
    ------
    IntegrityError
        If the file is not a whole scan of the format.
    """

    def __init__(self, read: Read, size: int, *, where: str = "scan.zarr.zip") -> None:
        self._read = read
        self._where = where
        self._members = read_directory(read, size, where=where)
        self._columns, self.attrs = read_layout(read, self._members, where)
        self._group: Group | None = None
        self._arrays: dict[str, Array[Any]] = {}
        self.names = tuple(sorted(self._columns))
        self.dtypes = {name: np.dtype(self._columns[name].dtype) for name in self.names}
        self.n_points = self._columns[self.names[0]].n_points

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Scan({self._where!r}, {self.n_points} points, {len(self.names)} columns)"

    def close(self) -> None:
        """Close the file; reading afterwards is refused."""
        close = getattr(self._read, "close", None)
        if close is not None:
            close()

    def column_attrs(self, name: str) -> dict[str, Any]:
        """Stored attributes of a column: ``units``, ``long_name``, ``role``."""
        self._check_names([name])
        return dict(self._columns[name].attrs)

    def read(
        self, names: Iterable[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """
        Read a range of rows of some columns.

        Parameters
        ----------
        names : iterable of str, optional
            Columns; all by default.
        start, stop : int
            First row, and the row after the last; to the end by default.

        Returns
        -------
        dict of str to ndarray, shape (stop - start,)
            In the order asked for.

        Raises
        ------
        ColumnError
            If a column is unknown.
        UsageError
            If the range is negative.
        IntegrityError
            If the bytes are broken.
        """
        listed = list(self.names if names is None else names)
        self._check_names(listed)
        if start < 0 or (stop is not None and stop < 0):
            raise UsageError(f"rows {start} to {stop}: allowed 0 to {self.n_points}; count from 0")
        stop = self.n_points if stop is None else min(stop, self.n_points)
        rows = slice(min(start, stop), stop)
        self.prefetch(listed, rows)
        return {name: self._values(name, rows) for name in listed}

    def take(self, name: str, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """
        Read single rows of one column, in the order asked for, repeated where repeated.

        Parameters
        ----------
        name : str
        rows : array_like of int, shape (k,)

        Returns
        -------
        ndarray, shape (k,)

        Raises
        ------
        ColumnError
            If the column is unknown.
        ShapeError
            If the rows are not whole numbers in one dimension.
        UsageError
            If a row does not exist.
        """
        self._check_names([name])
        asked = np.asarray(rows)
        if asked.size == 0:
            return np.empty(0, dtype=self.dtypes[name])
        if asked.ndim != 1 or asked.dtype.kind not in "iu":
            raise ShapeError(
                f"rows: {asked.dtype} of shape {asked.shape}, allowed whole numbers of shape (k,)"
            )
        distinct, inverse = np.unique(asked, return_inverse=True)
        if int(distinct[0]) < 0 or int(distinct[-1]) >= self.n_points:
            raise UsageError(
                f"rows {distinct[0]} to {distinct[-1]}: allowed 0 to {self.n_points - 1}"
            )
        self.prefetch([name], distinct)
        return self._values(name, distinct.astype(np.int64))[inverse]

    def prefetch(self, names: Iterable[str], rows: slice | npt.NDArray[np.integer[Any]]) -> None:
        """
        Say which rows of which columns will be read, so that a remote file gives them together.

        Reading says so itself; before several readings, this saves their separate requests. It
        does nothing for a local file.

        Parameters
        ----------
        names : iterable of str
        rows : slice or ndarray of int
            A slice with start and stop, or existing rows.

        Raises
        ------
        ColumnError
            If a column is unknown.
        """
        listed = list(names)
        self._check_names(listed)
        if isinstance(self._read, PlannedRead):
            columns = {name: self._columns[name] for name in listed}
            prefetch(self._read, self._members, columns, rows)

    def blocks(
        self, names: Iterable[str] | None = None, rows: int = BLOCK_ROWS
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """
        Read some columns block by block, in order, in bounded memory.

        Parameters
        ----------
        names : iterable of str, optional
            Columns; all by default.
        rows : int
            Rows in a block; the last may be shorter.

        Yields
        ------
        dict of str to ndarray, shape (rows,)

        Raises
        ------
        UsageError
            If ``rows`` is not positive.
        """
        if rows < 1:
            raise UsageError(f"blocks of {rows} rows: allowed 1 or more")
        listed = list(self.names if names is None else names)
        self._check_names(listed)
        for start in range(0, self.n_points, rows):
            yield self.read(listed, start, start + rows)

    def dataset(self, columns: Mapping[str, Mapping[str, Any]] | None = None) -> xarray.Dataset:
        """
        Open the scan as a lazy `xarray.Dataset`; a variable is read when its values are used.

        Parameters
        ----------
        columns : mapping of str to mapping, optional
            The manifest's columns by name: ``unit``, ``label`` and ``role`` replace the stored
            attributes; ``valid`` names the mask. Masked rows of a float column are NaN already;
            an integer or bool column with a mask becomes float (float32 up to 16 bits, else
            float64, exact up to 2**53), NaN where masked.

        Returns
        -------
        xarray.Dataset

        Raises
        ------
        IntegrityError
            If a column or a mask named by ``columns`` is not in the file.
        """
        from limen.scan.lazy import lazy_dataset

        return lazy_dataset(self, dict(columns or {}))

    def _check_names(self, names: Iterable[str]) -> None:
        unknown = sorted({name for name in names if name not in self._columns})
        if unknown:
            raise ColumnError(
                f"{self._where}: no column {', '.join(map(repr, unknown))}, allowed "
                f"{', '.join(self.names)}; correct the name"
            )

    def _values(self, name: str, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        with self._decoding(name):
            return np.asarray(self._array(name).oindex[rows])

    def _array(self, name: str) -> Array[Any]:
        import zarr

        if self._group is None:
            store = range_store(self._read, self._members, where=self._where)
            self._group = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=True)
        if name not in self._arrays:
            array = self._group[name]
            if not isinstance(array, zarr.Array):
                raise IntegrityError(f"{self._where} {name}: not an array; pack it again")
            self._arrays[name] = guarded(array)
        return self._arrays[name]

    @contextmanager
    def _decoding(self, name: str) -> Iterator[None]:
        """Translate what zarr and its codecs raise on broken bytes."""
        try:
            yield
        except LimenError:
            raise
        except _DECODING_ERRORS as error:
            raise IntegrityError(
                f"{self._where} {name}: cannot be decoded ({error}); get the file again"
            ) from error
