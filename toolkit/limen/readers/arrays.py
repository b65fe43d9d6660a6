"""NumPy arrays (``.npy``), memory-mapped; pickles are never opened."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.options import Selection
from limen.readers.tables import TEXT, Array, Block, Table, cast, storable

__all__ = [
    "Column",
    "Header",
    "column_values",
    "kept_columns",
    "name_columns",
    "open_npy",
    "read_header",
    "typed_column",
]


@dataclass(frozen=True, slots=True)
class Header:
    """Shape and dtype of one stored array, and where its values begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def bytes(self) -> int:
        """Size of the values, in exact integers whatever the header claims."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the array (member of the zip) it lies in, and how to find it there."""

    member: str
    header: Header
    index: str | int | None
    dtype: np.dtype[Any]


def open_npy(path: Path, options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open a ``.npy`` file: a structured array, or a 2-D array with the option ``names``.

    Parameters
    ----------
    path : Path
        The file; it is memory-mapped.
    options : mapping
        ``names``, one per column of a plain array.
    selection : Selection
        Columns to drop, and columns to read as text.

    Returns
    -------
    Table

    Raises
    ------
    ReadError
        If the file is no NumPy file or is truncated, holds Python objects, or has no names.
    """
    with path.open("rb") as stream:
        header = read_header(stream, str(path))
    if header.offset + header.bytes != path.stat().st_size:
        raise ReadError(
            f"{path}: found {path.stat().st_size} bytes, allowed {header.offset + header.bytes} as "
            "its header says; the file is truncated, fetch or write it again"
        )
    names, fields = name_columns("", header, options.get("names"), str(path))
    used = kept_columns(names, fields, selection, str(path))
    n_rows = header.shape[0]

    def stream_rows(rows: int) -> Iterator[Block]:
        if not n_rows or not used:
            return
        order: Any = "F" if header.fortran else "C"
        array = np.memmap(path, header.dtype, "r", header.offset, header.shape, order)
        for start in range(0, n_rows, rows):
            part = array[start : start + rows]
            yield {
                name: column_values(part, field, f"{path} '{name}'") for name, field in used.items()
            }

    return Table(path, names, {name: f.dtype for name, f in used.items()}, n_rows, stream_rows)


def read_header(stream: IO[bytes], where: str) -> Header:
    """Read the header of one array, refusing Python objects."""
    form = np.lib.format
    try:
        version = form.read_magic(stream)
        reader = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version}")
        shape, fortran, dtype = reader(stream)
    except (ValueError, struct.error, UnicodeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        message = (
            f"{where}: found no NumPy header ({reason}), allowed .npy data; pickles are refused"
        )
        raise ReadError(message) from error
    if dtype.hasobject:
        raise ReadError(
            f"{where}: found Python objects (a pickle), allowed plain numbers; "
            "pickles can run code and are never opened: save the columns as numbers"
        )
    return Header(tuple(shape), fortran, dtype, stream.tell())


def name_columns(
    member: str, header: Header, names: list[str] | None, where: str
) -> tuple[tuple[str, ...], dict[str, Column]]:
    """Name the columns of one structured or plain 2-D array."""
    found = header.dtype.names
    if found is not None and len(header.shape) == 1:
        if names is not None:
            raise ReadError(f"{where}: option 'names' given, but the array has names; remove it")
        kinds = [header.dtype[name] for name in found]
        fields = {n: typed_column(member, header, n, k) for n, k in zip(found, kinds, strict=True)}
        return found, fields
    if found is not None or len(header.shape) != 2:
        raise ReadError(
            f"{where}: found an array of shape {header.shape}, allowed rows of named fields or a "
            "2-D array with the option 'names'; reshape it"
        )
    if names is None or len(names) != header.shape[1]:
        given = "none" if names is None else str(len(names))
        raise ReadError(
            f"{where}: found {header.shape[1]} columns without names and {given} in the option "
            "'names', allowed one name per column; give 'names'"
        )
    dtype = header.dtype
    return tuple(names), {n: typed_column(member, header, i, dtype) for i, n in enumerate(names)}


def typed_column(
    member: str, header: Header, index: str | int | None, kind: np.dtype[Any]
) -> Column:
    """Describe a column; a dtype that has no place in a scan stands as void until it is used."""
    dtype = storable(kind) if kind.subdtype is None else None
    return Column(member, header, index, dtype or np.dtype("V1"))


def kept_columns(
    names: tuple[str, ...], fields: Mapping[str, Column], selection: Selection, where: str
) -> dict[str, Column]:
    """Leave out what is dropped, and refuse what no scan can hold."""
    used, faults = {}, []
    for name in names:
        if name in selection.drop:
            continue
        field = fields[name]
        if field.dtype.kind == "V":
            text = (
                f"found values of type {_stored(field)}, allowed numbers, true/false or text; "
                "list it under the option 'drop'"
            )
            faults.append(Fault(f"column '{name}'", text))
        if name in selection.categories:
            field = Column(field.member, field.header, field.index, TEXT)
        used[name] = field
    if faults:
        raise ReadError.from_faults(where, faults)
    return used


def _stored(field: Column) -> np.dtype[Any]:
    whole = field.header.dtype
    return whole[field.index] if isinstance(field.index, str) else whole


def column_values(part: Array, field: Column, where: str) -> Array:
    """Take one column out of some rows of its array."""
    values = part
    if isinstance(field.index, str):
        values = part[field.index]
    elif field.index is not None:
        values = part[:, field.index]
    if field.dtype != TEXT:
        return cast(np.ascontiguousarray(values), field.dtype, where).copy()
    if values.dtype.kind != "S":
        return values.astype(str).astype(object)
    try:
        return np.char.decode(values, "utf-8").astype(object)
    except UnicodeDecodeError as error:
        message = f"{where}: found text that is not UTF-8 ({error.reason}); convert it to UTF-8"
        raise ReadError(message) from error
