"""Ranges of a remote file that were read before, each kept as a file; and which are missing."""

from __future__ import annotations

import bisect
import os
import re
import secrets
import shutil
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from limen.errors import StorageError
from limen.journal import storing

__all__ = ["Arriving", "Spans", "joined", "prune"]

# Start, length and CRC-32: no codec of the scan would notice a byte that changed on the disk.
_NAME = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{8})")

# What is read in vain to spare requests: a share of what is needed, and a constant [byte].
_SHARE, _CONSTANT = 0.04, 2**19
_LARGEST_GAP = 2**16


def joined(
    ranges: Iterable[tuple[int, int]], *, share: float = _SHARE, constant: int = _CONSTANT
) -> list[tuple[int, int]]:
    """
    Join ranges into fewer, reading little in vain: the smallest gaps are closed first.

    Parameters
    ----------
    ranges : iterable of (int, int)
        Starts and stops [byte]; they may overlap.
    share : float
        What may be read in vain, as a share of what is needed.
    constant : int
        And beside it [byte].

    Returns
    -------
    list of (int, int)
        Sorted, apart from each other.

    Examples
    --------
    >>> joined([(0, 10), (10, 20), (25, 30), (10_000, 10_010)], share=0.0, constant=5)
    [(0, 30), (10000, 10010)]
    """
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        elif stop > start:
            merged.append((start, stop))
    rest = constant + share * sum(stop - start for start, stop in merged)
    gaps = [after[0] - before[1] for before, after in pairwise(merged)]
    closed: set[int] = set()
    for number in sorted(range(len(gaps)), key=gaps.__getitem__):
        if gaps[number] > min(rest, _LARGEST_GAP):
            break
        rest -= gaps[number]
        closed.add(number)
    answer: list[tuple[int, int]] = []
    for number, (start, stop) in enumerate(merged):
        if number - 1 in closed:
            answer[-1] = answer[-1][0], stop
        else:
            answer.append((start, stop))
    return answer


class _Span(NamedTuple):
    start: int
    stop: int
    crc: int


class Arriving:
    """
    A range that is being written; made by :meth:`Spans.arriving`.

    Attributes
    ----------
    length : int
        What has arrived [byte].
    crc : int
        Its CRC-32.
    """

    def __init__(self, path: Path, stream: FileIO) -> None:
        self.length = 0
        self.crc = 0
        self._path = path
        self._stream = stream

    def write(self, block: bytes) -> None:
        """
        Write what comes next.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        with storing(self._path):
            rest = memoryview(block)
            while rest:
                rest = rest[self._stream.write(rest) :]
        self.crc = zlib.crc32(block, self.crc)
        self.length += len(block)


class Spans:
    """
    Ranges of one remote file, kept in a folder; several threads and processes may share it.

    Parameters
    ----------
    folder : Path
        Made when the first range is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._known: list[_Span] = []
        self._checked: set[_Span] = set()
        with suppress(OSError):
            for path in folder.iterdir():
                found = _NAME.fullmatch(path.name)
                if found and path.stat().st_size == int(found[2]):
                    start = int(found[1])
                    self._known.append(_Span(start, start + int(found[2]), int(found[3], 16)))
            self._known.sort()
            os.utime(folder)

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Give the parts of a range that are not kept."""
        gaps: list[tuple[int, int]] = []
        for first, last, _ in self._covering(start, stop):
            if first > start:
                gaps.append((start, first))
            start = max(start, last)
        return [*gaps, (start, stop)] if start < stop else gaps

    def keep(self, start: int, content: bytes) -> None:
        """
        Keep a range.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        with self.arriving(start) as range_:
            range_.write(content)

    @contextmanager
    def arriving(self, start: int) -> Iterator[Arriving]:
        """
        Open a range that is still on its way; what has arrived of it is kept on leaving.

        Yields
        ------
        Arriving

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        working = self.folder / f".{start}.{os.getpid()}.{secrets.token_hex(4)}"
        with storing(working):
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = working.open("wb", buffering=0)
        range_ = Arriving(working, stream)
        try:
            try:
                yield range_
            except StorageError:
                # How much of the last block was written is not known.
                range_.length = 0
                raise
            finally:
                stream.close()
                if range_.length:
                    self._take(working, _Span(start, start + range_.length, range_.crc))
        finally:
            working.unlink(missing_ok=True)

    def _take(self, working: Path, span: _Span) -> None:
        path = self._path(span)
        with storing(path):
            working.replace(path)
        with self._lock:
            bisect.insort(self._known, span)
            self._checked.add(span)

    def read(self, start: int, stop: int) -> bytes | None:
        """Give a range that is kept; None if a part of it is not, or not any more."""
        parts: list[bytes] = []
        for span in self._covering(start, stop):
            if span.start > start:
                return None
            if span.stop <= start:
                continue
            wanted = min(span.stop, stop) - start
            part = self._part(span, start - span.start, wanted)
            if len(part) != wanted:
                self._remove([span])
                return None
            parts.append(part)
            start += wanted
            if start == stop:
                return parts[0] if len(parts) == 1 else b"".join(parts)
        return b"" if start == stop else None

    def forget(self, start: int, stop: int) -> None:
        """Drop all that is kept of a range."""
        self._remove(self._covering(start, stop))

    def _part(self, span: _Span, offset: int, length: int) -> bytes:
        """Read a part of a kept range; the first time, compare the whole with its CRC-32."""
        try:
            with self._path(span).open("rb") as stream:
                if span not in self._checked:
                    whole = stream.read()
                    if zlib.crc32(whole) != span.crc:
                        return b""
                    with self._lock:
                        self._checked.add(span)
                    return whole[offset : offset + length]
                stream.seek(offset)
                return stream.read(length)
        except OSError:
            return b""

    def _covering(self, start: int, stop: int) -> list[_Span]:
        """Give the kept ranges that touch a range, in order."""
        with self._lock:
            return [span for span in self._known if span.start < stop and span.stop > start]

    def _remove(self, spans: Sequence[_Span]) -> None:
        for span in spans:
            with suppress(OSError):
                self._path(span).unlink()
        with self._lock:
            self._known = [span for span in self._known if span not in spans]
            self._checked -= {*spans}

    def _path(self, span: _Span) -> Path:
        return self.folder / f"{span.start}-{span.stop - span.start}-{span.crc:08x}"


def prune(root: Path, largest: int, keep: Path) -> None:
    """
    Remove the ranges of files that were used longest ago, until the rest is small enough.

    Parameters
    ----------
    root : Path
        Folder that holds the folders of many files, at any depth.
    largest : int
        Size that may remain [byte].
    keep : Path
        The folder in use.
    """
    found: list[tuple[float, int, Path]] = []
    with suppress(OSError):
        for place, _, names in os.walk(root):
            folder = Path(place)
            sizes = [_size(folder / name) for name in names if _NAME.fullmatch(name)]
            if sizes:
                found.append((_used(folder), sum(sizes), folder))
    total = sum(size for _, size, _ in found)
    for _, size, old in sorted(found, key=lambda entry: entry[0]):
        if total <= largest:
            return
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
            total -= size


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
