"""The directory of a zip file, found by range requests and trusted in nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, runtime_checkable

from limen.errors import IntegrityError
from limen.zipstore.records import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    FLAG_LATE_SIZES,
    FLAGS_REFUSED,
    LOCAL,
    LOCAL_SIGNATURE,
    LOCATOR,
    LOCATOR_SIGNATURE,
    MARK16,
    MARK32,
    MODES_ALLOWED,
    name_fault,
)

__all__ = ["Member", "PlannedRead", "Read", "check_headers", "exactly", "read_directory"]

Read = Callable[[int, int], bytes]
"""``read(offset, length)`` gives exactly these bytes, or fails; called from several threads."""

TAIL_BYTES = 65536
LARGEST_DIRECTORY = 64 * 1024 * 1024
FAULTS_SHOWN = 10


@runtime_checkable
class PlannedRead(Protocol):
    """A `Read` to which each request is dear: it is told what will be read, and what was wrong."""

    def __call__(self, offset: int, length: int, /) -> bytes:
        """Read a range."""

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Prepare for reading these ranges (offset, length), which may lie anywhere."""

    def forget(self, offset: int, length: int) -> None:
        """Drop what is kept of a range, whose bytes turned out wrong."""


class Member(NamedTuple):
    """One member of a zip: where its data begin, how many bytes they are, and their CRC-32."""

    offset: int
    size: int
    crc: int


class _Entry(NamedTuple):
    name: str
    header: int
    size: int
    crc: int
    name_bytes: int


def read_directory(read: Read, size: int, *, where: str = "zip") -> dict[str, Member]:
    """
    Find every member of a zip, by one request for its tail and at most one more.

    Where a member fills the space up to the next header, its data offset is proven; only for the
    others (a foreign writer's extra field) its local header is read.

    Parameters
    ----------
    read : callable
        ``read(offset, length) -> bytes``.
    size : int
        Size of the file [byte].
    where : str
        Name of the file in messages.

    Returns
    -------
    dict of str to Member
        In the order of the data; folders are left out.

    Raises
    ------
    IntegrityError
        If the file is truncated, or a member is compressed, encrypted, duplicated, overlapping,
        outside the file, or badly named.
    """
    start, count, directory = _central_directory(read, size, where)
    entries = sorted(_entries(directory, count, start, where), key=lambda entry: entry.header)
    ends = [*(entry.header for entry in entries), start][1:]
    members: dict[str, Member] = {}
    for entry, end in zip(entries, ends, strict=True):
        offset = entry.header + LOCAL.size + entry.name_bytes
        if offset + entry.size < end:
            offset = _data_offset(read, entry, where)
        if offset + entry.size > end:
            raise IntegrityError(f"{where} {entry.name}: overlaps what follows; get it again")
        if not entry.name.endswith("/"):
            members[entry.name] = Member(offset, entry.size, entry.crc)
    return members


def _central_directory(read: Read, size: int, where: str) -> tuple[int, int, bytes]:
    """Give offset, number of entries and bytes of the central directory."""
    if size < END.size:
        raise IntegrityError(f"{where}: {size} bytes, too short for a zip; get it again")
    tail_start = max(0, size - TAIL_BYTES)
    tail = exactly(read, tail_start, size - tail_start, where)
    at = tail.rfind(END_SIGNATURE)
    while at >= 0 and (
        at + END.size > len(tail) or at + END.size + END.unpack_from(tail, at)[-1] != len(tail)
    ):
        at = tail.rfind(END_SIGNATURE, 0, at)
    if at < 0:
        raise IntegrityError(f"{where}: no directory at the end, not a whole zip; get it again")
    end, count, length, start = _end_record(tail, at, where)
    if tail_start + end != start + length or length > LARGEST_DIRECTORY:
        raise IntegrityError(
            f"{where}: directory of {length} bytes at {start} does not end at {tail_start + end} "
            f"or exceeds {LARGEST_DIRECTORY} bytes; get it again"
        )
    if start >= tail_start:
        return start, count, tail[start - tail_start : end]
    return start, count, exactly(read, start, tail_start - start, where) + tail[:end]


def _end_record(tail: bytes, at: int, where: str) -> tuple[int, int, int, int]:
    """Give position of the directory's end in the tail, entries, bytes and offset of it."""
    _, disk, first, here, count, length, start, _ = END.unpack_from(tail, at)
    locator = at - LOCATOR.size
    if locator >= END64.size and tail[locator : locator + 4] == LOCATOR_SIGNATURE:
        at = locator - END64.size
        signature, size64, _, _, disk, first, *wide = END64.unpack_from(tail, at)
        if signature != END64_SIGNATURE or size64 != END64.size - 12:
            raise IntegrityError(f"{where}: broken zip64 record at the end; get it again")
        marks = (MARK16, MARK16, MARK32, MARK32)
        narrow = (here, count, length, start)
        if any(a not in (b, mark) for a, b, mark in zip(narrow, wide, marks, strict=True)):
            raise IntegrityError(f"{where}: zip64 record contradicts the end; get it again")
        here, count, length, start = wide
    if disk or first or here != count:
        raise IntegrityError(f"{where}: zip of several disks, allowed one; join its parts")
    return at, count, length, start


def _entries(directory: bytes, count: int, end: int, where: str) -> list[_Entry]:
    entries: list[_Entry] = []
    faults: list[tuple[str, str]] = []
    names: set[str] = set()
    at = 0
    while at < len(directory) and len(faults) < FAULTS_SHOWN:
        entry, next_at, fault = _entry_at(directory, at, end, where)
        if entry.name in names:
            fault = fault or "found twice, allowed once; write the file again"
        if fault:
            faults.append((entry.name, fault))
        names.add(entry.name)
        entries.append(entry)
        at = next_at
    if faults:
        raise IntegrityError.from_faults(where, faults)
    if len(entries) != count:
        raise IntegrityError(
            f"{where}: {len(entries)} members in the directory, {count} declared; get it again"
        )
    return entries


def _entry_at(directory: bytes, at: int, end: int, where: str) -> tuple[_Entry, int, str]:
    """Give one entry, where the next begins, and what is wrong with this one (or nothing)."""
    broken = IntegrityError(f"{where}: broken directory entry at byte {at} of it; get it again")
    if at + CENTRAL.size > len(directory):
        raise broken
    fields = CENTRAL.unpack_from(directory, at)
    signature, _, _, flags, method, _, _, crc, stored, size, name_bytes, extra, comment = fields[
        :13
    ]
    disk, mode, header = fields[13], fields[15] >> 16, fields[16]
    name_at = at + CENTRAL.size
    extra_at = name_at + name_bytes
    next_at = extra_at + extra + comment
    if signature != CENTRAL_SIGNATURE or next_at > len(directory):
        raise broken
    try:
        name = directory[name_at:extra_at].decode()
        size, stored, header = _widened(
            directory[extra_at : extra_at + extra], (size, stored, header)
        )
    except (UnicodeDecodeError, struct.error) as error:
        raise broken from error
    fault = name_fault(name.removesuffix("/"))
    if flags & FLAGS_REFUSED:
        fault = "encrypted, allowed plain; write the file again"
    elif method or stored != size:
        fault = "compressed, allowed stored; write the file again"
    elif mode & 0o170000 not in MODES_ALLOWED:
        fault = "a link or a device, allowed plain files; write the file again"
    elif disk:
        fault = f"on disk {disk}, allowed 0; join the parts"
    elif header + LOCAL.size + name_bytes + size > end:
        fault = f"{size} bytes at {header} lie outside the data; get it again"
    return _Entry(name, header, size, crc, name_bytes), next_at, fault


def _widened(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Replace each marked value by its 8 bytes in the zip64 extra field."""
    marked = values.count(MARK32)
    at = 0
    while marked and at < len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{marked}Q", extra[: at + 4 + length], at + 4))
            return tuple(next(wide) if value == MARK32 else value for value in values)
        at += 4 + length
    return values


def _data_offset(read: Read, entry: _Entry, where: str) -> int:
    head = LOCAL.unpack(exactly(read, entry.header, LOCAL.size, where))
    if head[0] != LOCAL_SIGNATURE or head[9] != entry.name_bytes:
        raise IntegrityError(f"{where} {entry.name}: broken local header; get it again")
    return int(entry.header + LOCAL.size + head[9] + head[10])


def check_headers(read: Read, size: int, *, where: str = "zip") -> None:
    """
    Compare the header before each member with its entry in the directory.

    Other programs go by the headers: where they differ, one file shows two faces.

    Parameters
    ----------
    read : callable
        ``read(offset, length) -> bytes``.
    size : int
        Size of the file [byte].
    where : str
        Name of the file in messages.

    Raises
    ------
    IntegrityError
        As `read_directory`, and for headers of another name, size, CRC-32 or compression.
    """
    start, count, directory = _central_directory(read, size, where)
    faults: list[tuple[str, str]] = []
    for entry in _entries(directory, count, start, where):
        head = exactly(read, entry.header, LOCAL.size + entry.name_bytes, where)
        signature, _, flags, method, _, _, crc, stored, whole, name_bytes, _ = LOCAL.unpack_from(
            head
        )
        late = flags & FLAG_LATE_SIZES and (crc, stored, whole) == (0, 0, 0)
        same = late or (crc == entry.crc and {stored, whole} <= {entry.size, MARK32})
        named = name_bytes == entry.name_bytes and head[LOCAL.size :] == entry.name.encode()
        if signature != LOCAL_SIGNATURE or flags & FLAGS_REFUSED or method or not same or not named:
            faults.append((entry.name, "its header and the directory differ; get the file again"))
        if len(faults) == FAULTS_SHOWN:
            break
    if faults:
        raise IntegrityError.from_faults(where, faults)


def exactly(read: Read, offset: int, length: int, where: str) -> bytes:
    """
    Read a range, all of it.

    Raises
    ------
    IntegrityError
        If fewer (or more) bytes come than asked for.
    """
    data = read(offset, length)
    if len(data) != length:
        raise IntegrityError(
            f"{where}: {len(data)} of {length} bytes at {offset}, the file is truncated; "
            "get it again"
        )
    return data
