"""
The log of a campaign: a file of events, one JSON object a line, that only grows.

A line counts once its line break is on the disk. What a killed process left of a line is dropped
by the next reader, and cut off by the next writer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limen import journal, resources
from limen.errors import IntegrityError

__all__ = ["append", "read"]

_TAIL = 1 << 16


def read(path: Path, start: int = 0) -> tuple[list[dict[str, Any]], int]:
    """
    Read whole events from a place on.

    Parameters
    ----------
    path : Path
    start : int
        Offset of the first event [byte].

    Returns
    -------
    events : list of dict
    end : int
        Offset behind the last whole event.

    Raises
    ------
    IntegrityError
        If a line is no JSON object, or the file is shorter than ``start``.
    """
    with journal.storing(path), path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        if stream.tell() < start:
            raise IntegrityError(
                f"{path}: found {stream.tell()} bytes, allowed {start} or more; the log only "
                "grows: restore it from a copy"
            )
        stream.seek(start)
        content = stream.read()
    end = content.rfind(b"\n") + 1
    events = []
    for number, line in enumerate(content[:end].splitlines()):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise _damaged(path, start, number, str(error)) from error
        if not isinstance(event, dict) or "event" not in event:
            raise _damaged(path, start, number, "no event")
        events.append(event)
    return events, start + end


def _damaged(path: Path, start: int, number: int, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path}: event {number + 1} after byte {start}: {why}; the file was changed by another "
        "program: restore it from a copy"
    )


def append(path: Path, event: Mapping[str, Any]) -> None:
    """
    Write an event behind the last whole one; it is on the disk when this returns.

    The caller holds the campaign's lock.

    Raises
    ------
    StorageError
        If it cannot be written; the log is as it was.
    """
    line = json.dumps(event, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with journal.storing(path), path.open("r+b" if path.exists() else "w+b", buffering=0) as stream:
        end = _whole(stream)
        stream.truncate(end)
        stream.seek(end)
        try:
            written = 0
            while written < len(line):
                written += stream.write(line[written:])
            os.fsync(stream.fileno())
        except BaseException:
            stream.truncate(end)
            raise
    if end == 0:
        resources.sync_folder(path.parent)


def _whole(stream: Any) -> int:
    """Find the end of the last whole line."""
    size: int = stream.seek(0, os.SEEK_END)
    place = size
    while place > 0:
        start = max(0, place - _TAIL)
        stream.seek(start)
        found: int = stream.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0
