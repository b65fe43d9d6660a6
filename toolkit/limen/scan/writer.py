"""Writing a scan, one shard of one column at a time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from limen.errors import DataError, StorageError, UsageError
from limen.scan.layout import ALLOWED_DTYPES
from limen.zipstore import ZipWriter

if TYPE_CHECKING:
    from zarr import Array
    from zarr.core.buffer import Buffer

__all__ = ["ScanColumn", "ScanFile", "write_scan"]

CHUNK_ROWS = 65_536
CHUNKS_PER_SHARD = 16


@dataclass(frozen=True, slots=True)
class ScanColumn:
    """
    One column to be written.

    Attributes
    ----------
    name : str
    dtype : str
        One of `limen.scan.ALLOWED_DTYPES`.
    read : callable
        ``read(start, stop)`` gives these rows, shape (stop - start,), of exactly this dtype.
    attrs : mapping
        ``units``, ``long_name``, ``role``; stored with the column.
    """

    name: str
    dtype: str
    read: Callable[[int, int], npt.NDArray[Any]]
    attrs: Mapping[str, Any] = field(default_factory=dict)


class ScanFile(NamedTuple):
    """What was written: SHA-256 and size [byte] of the file."""

    sha256: str
    size: int


def write_scan(
    path: str | os.PathLike[str],
    columns: Iterable[ScanColumn],
    n_points: int,
    attrs: Mapping[str, Any] | None = None,
) -> ScanFile:
    """
    Write a scan: the same bytes for the same columns, whatever their order.

    One shard of one column is in memory at a time. Nothing is left behind if it fails.

    Parameters
    ----------
    path : path
        A new file.
    columns : iterable of ScanColumn
        In any order; each row is read once, in pieces that start at multiples of a shard but do
        not come in rising order (the names of their members are sorted as text).
    n_points : int
        Number of rows.
    attrs : mapping, optional
        Attributes of the scan as a whole.

    Returns
    -------
    ScanFile

    Raises
    ------
    UsageError
        If the number of rows, a name or a dtype is not allowed.
    DataError
        If a column gives another dtype or shape than declared.
    StorageError
        If the file exists or cannot be written.
    """
    listed = list(columns)
    _check_columns(listed, n_points)
    target = Path(path)
    try:
        stream = target.open("xb")
    except OSError as error:
        raise _storage_error(target, error) from error
    hashed = _HashedStream(stream, target)
    done = False
    try:
        with stream:
            with ZipWriter(hashed) as writer:
                _write_members(writer, listed, n_points, dict(attrs or {}))
            hashed.flush()
        done = True
    finally:
        if not done:
            target.unlink(missing_ok=True)
    return ScanFile(hashed.sha256.hexdigest(), hashed.size)


def _write_members(
    writer: ZipWriter, columns: list[ScanColumn], n_points: int, attrs: dict[str, Any]
) -> None:
    memory: dict[str, Buffer] = {}
    arrays = {column.name: _create(memory, column, n_points) for column in columns}
    members: dict[str, bytes | tuple[ScanColumn, int]] = _documents(memory, attrs)
    for column in columns:
        rows = _member_rows(arrays[column.name])
        for index in range(-(-n_points // rows)):
            members[f"{column.name}/c/{index}"] = (column, index)
    for name in sorted(members):
        member = members[name]
        if isinstance(member, bytes):
            writer.write(name, member)
        else:
            column, index = member
            array = arrays[column.name]
            rows = _member_rows(array)
            start, stop = index * rows, min((index + 1) * rows, n_points)
            array[start:stop] = _block(column, start, stop)
            writer.write(name, memory.pop(name).to_bytes())


def _create(memory: dict[str, Buffer], column: ScanColumn, n_points: int) -> Array[Any]:
    import zarr
    from zarr.codecs import BloscCodec, ZstdCodec
    from zarr.storage import MemoryStore

    dtype = np.dtype(column.dtype)
    compressor: BloscCodec | ZstdCodec = ZstdCodec(level=3, checksum=True)
    if dtype.kind == "f":
        compressor = BloscCodec(
            cname="zstd", clevel=3, shuffle="bitshuffle", typesize=dtype.itemsize
        )
    sharded = n_points > CHUNK_ROWS * CHUNKS_PER_SHARD
    chunk = min(CHUNK_ROWS, max(n_points, 1))
    array: Array[Any] = zarr.create_array(
        MemoryStore(memory),
        name=column.name,
        shape=(n_points,),
        dtype=dtype,
        chunks=(chunk,),
        shards=(chunk * CHUNKS_PER_SHARD,) if sharded else None,
        filters=None,
        compressors=[compressor],
        fill_value=np.nan if dtype.kind == "f" else dtype.type(0),
        zarr_format=3,
        attributes=dict(column.attrs),
        dimension_names=("point",),
        config={"write_empty_chunks": True},
    )
    return array


def _member_rows(array: Array[Any]) -> int:
    return int((array.shards or array.chunks)[0])


def _documents(memory: dict[str, Buffer], attrs: dict[str, Any]) -> dict[str, Any]:
    """Take the metadata that zarr made, in one canonical spelling, and the root made of them."""
    arrays = {
        name.removesuffix("/zarr.json"): json.loads(memory[name].to_bytes())
        for name in sorted(memory)
        if name.endswith("/zarr.json")
    }
    root = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attrs,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }
    documents = {f"{name}/zarr.json": _json(document) for name, document in arrays.items()}
    return {**documents, "zarr.json": _json(root)}


def _json(document: object) -> bytes:
    try:
        return json.dumps(document, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"scan attributes: not JSON ({error}); use text and numbers") from error


def _block(column: ScanColumn, start: int, stop: int) -> npt.NDArray[Any]:
    block = np.asarray(column.read(start, stop))
    if block.dtype != np.dtype(column.dtype) or block.shape != (stop - start,):
        raise DataError(
            f"column {column.name!r}: rows {start} to {stop} came as {block.dtype} of shape "
            f"{block.shape}, declared {column.dtype} of shape ({stop - start},); correct the reader"
        )
    return block


def _check_columns(columns: list[ScanColumn], n_points: int) -> None:
    faults: list[tuple[str, str]] = []
    if n_points < 0:
        faults.append(("", f"{n_points} rows, allowed 0 or more"))
    if not columns:
        faults.append(("", "no columns, allowed one or more"))
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            faults.append((column.name, "given twice, allowed once; rename one"))
        seen.add(column.name)
        if not _name_allowed(column.name):
            faults.append((column.name, "not allowed as a name; use letters, digits, '_'"))
        if column.dtype not in ALLOWED_DTYPES:
            allowed = ", ".join(ALLOWED_DTYPES)
            faults.append((column.name, f"dtype {column.dtype!r}, allowed {allowed}"))
    if faults:
        raise UsageError.from_faults("scan", faults)


def _name_allowed(name: str) -> bool:
    reserved = name in ("", ".", "..", "zarr.json") or name.startswith("__") or name[1:2] == ":"
    return not reserved and name.isprintable() and not set(name) & set("/\\") and len(name) <= 200


def _storage_error(target: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{target}: cannot be written ({error.strerror}); give a new file on a disk with room"
    )


class _HashedStream:
    """A stream that hashes and counts what passes."""

    def __init__(self, stream: BinaryIO, target: Path) -> None:
        self._stream, self._target = stream, target
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        try:
            return self._stream.write(data)
        except OSError as error:
            raise _storage_error(self._target, error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _storage_error(self._target, error) from error
