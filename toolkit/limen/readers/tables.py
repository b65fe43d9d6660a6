"""One file as a table of columns: what a format has to deliver, and how its values are typed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import Fault, MissingExtraError, ReadError

__all__ = ["TEXT", "Array", "Block", "Table", "cast", "library", "storable"]

Array = NDArray[Any]
Block = dict[str, Array]

TEXT = np.dtype(object)
"""The dtype that stands for text, which a scan does not store."""

_WIDER = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "float16": "float32"}
_STORED = {"bool", "int8", "int16", "int32", "int64", "uint64", "float32", "float64"}
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Table:
    """
    What a format opened, one file or all files together: what it holds, and a way to stream it.

    Parameters
    ----------
    path : Path
        The file, or the first of them.
    names : tuple of str
        All its columns in their order, those to be dropped included.
    dtypes : mapping of str to dtype
        The columns to be read, `TEXT` for text. A format knows them before it yields a block.
    n_rows : int
        Number of rows.
    stream : callable
        ``stream(rows)`` yields blocks of about ``rows`` rows, text as arrays of `str`.
    units : mapping of str to str
        Units that the file itself states.
    labels : mapping of str to str
        Descriptions that the file itself states.
    files : tuple of Path
        All files it was made of; empty if ``path`` is the only one.
    hints : mapping of str to mapping
        Per column, fields of its declaration in a scan document that the file itself states.
        Other columns in them (``valid``, ``of``) go by their names in the file.
    document : mapping
        Fields of a scan document that the file itself states; ``sampling`` is the table's.
    refused : tuple of Fault
        Rows that could not be read and were left out.
    preview : callable, optional
        ``preview(rows)`` yields what a draft looks at, where ``stream`` would compute for long.
    """

    path: Path
    names: tuple[str, ...]
    dtypes: Mapping[str, np.dtype[Any]]
    n_rows: int
    stream: Callable[[int], Iterator[Block]]
    units: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[Fault, ...] = ()
    preview: Callable[[int], Iterator[Block]] | None = None

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The files that the table was made of, at least one."""
        return self.files or (self.path,)


def library(name: str, extra: str) -> ModuleType:
    """
    Import an optional library, or say how to install it.

    Parameters
    ----------
    name : str
        The module.
    extra : str
        The extra of the ``limen`` distribution that brings it.

    Raises
    ------
    MissingExtraError
        If it is not installed.

    Examples
    --------
    >>> library("json", "io").__name__
    'json'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError.of(name.partition(".")[0], extra) from error


def storable(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """
    Give the dtype in which a column is handed on without loss, or None where there is none.

    Unsigned and half-precision columns are widened, since a scan stores neither; byte order
    becomes the machine's.

    Examples
    --------
    >>> storable(np.dtype("uint16")), storable(np.dtype(">f4")), storable(np.dtype("complex64"))
    (dtype('int32'), dtype('float32'), None)
    """
    if dtype.kind in "USO":
        return TEXT
    native = dtype.newbyteorder("=")
    wider = _WIDER.get(native.name, native.name)
    return np.dtype(wider) if wider in _STORED else None


def cast(values: Array, dtype: np.dtype[Any], where: str) -> Array:
    """
    Convert a column to ``dtype``, refusing integers that would lose digits.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Any dtype that `storable` accepts.
    dtype : dtype
        As wide as ``values`` or wider.
    where : str
        File and column, for the error.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ReadError
        If an integer has no exact value in ``dtype``.
    """
    if values.dtype == dtype:
        return values
    if values.dtype.kind in "iu" and dtype.kind == "f":
        large = values[(values > _EXACT) | (values < -_EXACT)]
        for value in large.tolist():
            if int(float(value)) != value:
                raise ReadError(
                    f"{where}: found the integer {value} in a column that must hold floats, "
                    f"allowed integers up to {_EXACT}; drop it, or complete its missing values"
                )
    return values.astype(dtype)
