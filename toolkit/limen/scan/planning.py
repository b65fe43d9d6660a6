"""Which bytes of a scan's file hold the rows asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.scan.layout import ColumnLayout
from limen.zipstore import Member, PlannedRead

__all__ = ["prefetch"]

Rows = slice | npt.NDArray[np.integer[Any]]


def prefetch(
    read: PlannedRead,
    members: Mapping[str, Member],
    columns: Mapping[str, ColumnLayout],
    rows: Rows,
) -> None:
    """
    Ask for the chunks that hold rows of some columns, all at once.

    Of shards that are needed in part, the indices are asked for first, then the chunks.

    Parameters
    ----------
    read : PlannedRead
    members : mapping of str to Member
        The directory of the file.
    columns : mapping of str to ColumnLayout
        Those that will be read.
    rows : slice or ndarray of int
        A slice with start and stop, or existing rows.
    """
    whole: list[tuple[int, int]] = []
    parts: list[tuple[Member, ColumnLayout, npt.NDArray[np.int64]]] = []
    for name, column in columns.items():
        for key, chunks in _touched(column, rows):
            member = members[f"{name}/c/{key}"]
            if len(chunks) == _chunks_held(column, key) or member.size < column.index_bytes:
                whole.append((member.offset, member.size))
            else:
                parts.append((member, column, chunks))
    indices = [_index_place(member, column) for member, column, _ in parts]
    if indices:
        read.prefetch(indices)
    found = [
        place
        for (member, _, chunks), index in zip(parts, indices, strict=True)
        for place in _chunk_places(read(*index), member, chunks)
    ]
    if whole or found:
        read.prefetch([*whole, *found])


def _touched(column: ColumnLayout, rows: Rows) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Give each member that holds rows asked for, with the chunks in it that do."""
    if isinstance(rows, slice):
        first, last = rows.start // column.chunk_rows, -(-rows.stop // column.chunk_rows)
        chunks = np.arange(first, last if rows.stop > rows.start else first, dtype=np.int64)
    else:
        chunks = np.unique(rows.astype(np.int64) // column.chunk_rows)
    if not chunks.size:
        return []
    if not len(chunks):
        return []
    each = column.member_rows // column.chunk_rows
    keys, starts = np.unique(chunks // each, return_index=True)
    return [
        (int(key), part % each)
        for key, part in zip(keys, np.split(chunks, starts[1:]), strict=True)
    ]


def _chunks_held(column: ColumnLayout, key: int) -> int:
    """Count the chunks of a member; the last shard may have fewer than there is room for."""
    held = min(column.member_rows, column.n_points - key * column.member_rows)
    return -(-held // column.chunk_rows)


def _index_place(member: Member, column: ColumnLayout) -> tuple[int, int]:
    skipped = 0 if column.index_first else member.size - column.index_bytes
    return member.offset + skipped, column.index_bytes


def _chunk_places(
    index: bytes, member: Member, chunks: npt.NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Read from a shard's index where chunks are; a broken one is left to who decodes it."""
    pairs = np.frombuffer(index[: len(index) // 16 * 16], dtype="<u8").reshape(-1, 2)
    return [
        (member.offset + offset, length)
        for offset, length in pairs[chunks].tolist()
        if offset + length <= member.size
    ]
