"""NumPy archives (``.npz``): arrays streamed out of the zip, side by side."""

from __future__ import annotations

import contextlib
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from limen.errors import ReadError
from limen.readers.arrays import (
    Column,
    Header,
    column_values,
    kept_columns,
    name_columns,
    read_header,
    typed_column,
)
from limen.readers.options import Selection
from limen.readers.tables import Array, Block, Table

__all__ = ["open_npz"]

_SKIP = 1 << 20


def open_npz(path: Path, options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open a ``.npz`` file: 1-D arrays of equal length, or one structured or 2-D array.

    Parameters
    ----------
    path : Path
        The file; its members are streamed, compressed or not.
    options : mapping
        ``names``, for one plain 2-D array.
    selection : Selection
        Columns to drop (members, for 1-D arrays), and columns to read as text.

    Returns
    -------
    Table

    Raises
    ------
    ReadError
        If the zip is truncated or damaged, an array holds Python objects, or lengths differ.
    """
    members, headers = _members(path, selection)
    names, fields = _lay_out(path, headers, options.get("names"))
    used = kept_columns(names, fields, selection, str(path))
    every = (*names, *(member for member in members if member in selection.drop))
    n_rows = next(iter(fields.values())).header.shape[0]

    def stream_rows(rows: int) -> Iterator[Block]:
        return _stream(path, used, n_rows, rows)

    return Table(path, every, {name: c.dtype for name, c in used.items()}, n_rows, stream_rows)


def _members(path: Path, selection: Selection) -> tuple[list[str], dict[str, Header]]:
    """List all arrays of a zip, and read the headers of those that are not dropped."""
    headers: dict[str, Header] = {}
    faults: list[tuple[str, str]] = []
    with _zip(path) as archive:
        infos = archive.infolist()
        members = [info.filename.removesuffix(".npy") for info in infos]
        for info, name in zip(infos, members, strict=True):
            if members.count(name) > 1:
                faults.append((f"array '{name}'", "found twice, allowed once; write it again"))
            elif name not in selection.drop:
                with archive.open(info) as stream:
                    header = read_header(stream, f"{path} array '{name}'")
                if header.offset + header.bytes != info.file_size:
                    text = "found a length other than its header says; write it again"
                    faults.append((f"array '{name}'", text))
                headers[info.filename] = header
    if faults:
        raise ReadError.from_faults(str(path), dict.fromkeys(faults))
    if not headers:
        raise ReadError(f"{path}: found no array, allowed at least one; check the file")
    return members, headers


def _lay_out(
    path: Path, headers: Mapping[str, Header], names: list[str] | None
) -> tuple[tuple[str, ...], dict[str, Column]]:
    """Make columns of 1-D arrays of equal length, or of the one array there is."""
    if len(headers) == 1:
        member, header = next(iter(headers.items()))
        if len(header.shape) != 1 or header.dtype.names is not None:
            return name_columns(
                member, header, names, f"{path} array '{member.removesuffix('.npy')}'"
            )
    if names is not None:
        raise ReadError(f"{path}: option 'names' given, but the arrays have names; remove it")
    shapes = {member.removesuffix(".npy"): header.shape for member, header in headers.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        listed = ", ".join(f"'{name}' {shape}" for name, shape in list(shapes.items())[:20])
        raise ReadError(
            f"{path}: found arrays of shapes {listed}, allowed 1-D arrays of one length or one 2-D "
            "array; list the others under the option 'drop'"
        )
    fields = {
        member.removesuffix(".npy"): typed_column(member, header, None, header.dtype)
        for member, header in headers.items()
    }
    return tuple(fields), fields


@contextlib.contextmanager
def _zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; whatever is wrong with it becomes one error."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        message = f"{path}: found a damaged or foreign zip ({error}); fetch or write it again"
        raise ReadError(message) from error


def _stream(path: Path, used: Mapping[str, Column], n_rows: int, rows: int) -> Iterator[Block]:
    """Read the arrays side by side, one open stream for each that has to be followed."""
    with _zip(path) as archive, contextlib.ExitStack() as stack:
        streams: dict[tuple[str, int | None], IO[bytes]] = {}
        for field in used.values():
            key = _stream_key(field)
            if key not in streams:
                streams[key] = stack.enter_context(archive.open(field.member))
                _skip(streams[key], field.header, key[1])
        for start in range(0, n_rows, rows):
            count = min(rows, n_rows - start)
            parts: dict[tuple[str, int | None], Array] = {}
            block: Block = {}
            for name, field in used.items():
                key = _stream_key(field)
                if key not in parts:
                    parts[key] = _read_rows(streams[key], field.header, key[1], count)
                whole = field if key[1] is None else Column("", field.header, None, field.dtype)
                block[name] = column_values(parts[key], whole, f"{path} '{name}'")
            yield block


def _stream_key(field: Column) -> tuple[str, int | None]:
    """Tell which stream a column comes from: columns of Fortran order lie apart."""
    if field.header.fortran and isinstance(field.index, int):
        return field.member, field.index
    return field.member, None


def _skip(stream: IO[bytes], header: Header, column: int | None) -> None:
    left = header.offset + (column or 0) * header.shape[0] * header.dtype.itemsize
    while left:
        data = stream.read(min(left, _SKIP))
        if not data:
            raise EOFError("an array ends early")
        left -= len(data)


def _read_rows(stream: IO[bytes], header: Header, column: int | None, count: int) -> Array:
    shape = (count,) if column is not None else (count, *header.shape[1:])
    size = math.prod(shape) * header.dtype.itemsize
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("an array ends early")
    return np.frombuffer(data, header.dtype).reshape(shape)
