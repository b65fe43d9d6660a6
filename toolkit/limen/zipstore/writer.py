"""Zip files written front to back, the same bytes for the same members."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from limen.errors import UsageError
from limen.zipstore.records import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    DATE_1980,
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    FLAG_UTF8,
    LOCAL,
    LOCAL_SIGNATURE,
    LOCATOR,
    LOCATOR_SIGNATURE,
    MADE_BY_UNIX,
    MARK16,
    MARK32,
    MODE,
    PLAIN,
    ZIP64,
    name_fault,
)

__all__ = ["Sink", "ZipWriter"]

# Above these a zip needs the zip64 records; the tests make them small.
LARGEST_OFFSET = 0xFFFFFFFE
LARGEST_COUNT = 0xFFFE
LARGEST_MEMBER = 0xFFFFFFFE


class Sink(Protocol):
    """What a zip is written to."""

    def write(self, data: bytes, /) -> int:
        """Take all these bytes."""
        ...


class ZipWriter:
    """
    Zip file of stored members, the same bytes for the same members, written front to back.

    Leaving the context writes the directory; leaving it by an exception does not, so that a broken
    file is never taken for a whole one.

    Parameters
    ----------
    stream : Sink
        A binary file, or anything with its ``write``; it is not closed.

    Examples
    --------
    >>> import io, zipfile
    >>> stream = io.BytesIO()
    >>> with ZipWriter(stream) as writer:
    ...     writer.write("a", b"one")
    >>> zipfile.ZipFile(stream).read("a")
    b'one'
    """

    def __init__(self, stream: Sink) -> None:
        self._stream = stream
        self._offset = 0
        self._last: str | None = None
        self._directory: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()

    def write(self, name: str, data: bytes | Sequence[bytes]) -> None:
        """
        Write one member; names come in sorted order, each once.

        Parameters
        ----------
        name : str
            Path inside the zip, with ``/``.
        data : bytes or sequence of bytes
            The member, or its parts in order.

        Raises
        ------
        UsageError
            If the name is not allowed, not new or not in order, or the member reaches 4 GiB.
        """
        parts = (data,) if isinstance(data, bytes) else data
        size = sum(len(part) for part in parts)
        self._check(name, size)
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        encoded = name.encode()
        flags = 0 if name.isascii() else FLAG_UTF8
        fixed = (flags, 0, 0, DATE_1980, crc, size, size, len(encoded))
        self._directory.append(self._entry(fixed, encoded))
        self._put(LOCAL.pack(LOCAL_SIGNATURE, PLAIN, *fixed, 0) + encoded)
        for part in parts:
            self._put(part)
        self._last = name

    def _check(self, name: str, size: int) -> None:
        fault = name_fault(name)
        if fault:
            raise UsageError(f"zip member {name!r}: {fault}; give it another name")
        if self._last is not None and name <= self._last:
            found = "written twice" if name == self._last else f"written after {self._last!r}"
            raise UsageError(f"zip member {name!r}: {found}; write each name once, in sorted order")
        if size > LARGEST_MEMBER:
            raise UsageError(
                f"zip member {name!r}: {size} bytes, allowed {LARGEST_MEMBER}; split it"
            )

    def _entry(self, fixed: tuple[int, ...], encoded: bytes) -> bytes:
        far = self._offset > LARGEST_OFFSET
        extra = struct.pack("<HHQ", 1, 8, self._offset) if far else b""
        version, offset = (ZIP64, MARK32) if far else (PLAIN, self._offset)
        head = (CENTRAL_SIGNATURE, MADE_BY_UNIX | version, version)
        return CENTRAL.pack(*head, *fixed, len(extra), 0, 0, 0, MODE, offset) + encoded + extra

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self._offset += len(data)

    def _finish(self) -> None:
        count, start = len(self._directory), self._offset
        for entry in self._directory:
            self._put(entry)
        end = self._offset
        size = end - start
        if count > LARGEST_COUNT or max(start, size) > LARGEST_OFFSET:
            self._put(
                END64.pack(
                    END64_SIGNATURE,
                    END64.size - 12,
                    MADE_BY_UNIX | ZIP64,
                    ZIP64,
                    *(0, 0, count, count, size, start),
                )
            )
            self._put(LOCATOR.pack(LOCATOR_SIGNATURE, 0, end, 1))
            count, size, start = MARK16, MARK32, MARK32
        self._put(END.pack(END_SIGNATURE, 0, 0, count, count, size, start, 0))
