"""
Files on their way, beside the folder that they are for.

A part that is not complete has a name of its own for each process; that of a process which has
ended is taken over by the next one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Part", "adopt_part", "incoming_folder", "waiting_room"]

_STALE = 7 * 86_400.0
_TAG_BYTES = 300
_RELEASED = 0
_NAME = re.compile(
    r"(?P<what>[0-9a-f]{16})\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.[0-9a-f]+\.part"
)
_ROOM = re.compile(r"(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.[0-9a-f]+\.room")


@dataclass(slots=True)
class Part:
    """
    A file of which the beginning has arrived.

    Parameters
    ----------
    path : Path
    tag : str
        ETag under which its bytes came; empty if there was none.
    """

    path: Path
    tag: str = ""

    def note(self, tag: str) -> None:
        """Remember the ETag of the bytes to come."""
        self.tag = tag[:_TAG_BYTES]
        _tag_place(self.path).write_text(self.tag, encoding="utf-8")

    def release(self) -> None:
        """Leave it to whoever goes on."""
        what = self.path.name.split(".")[0]
        _move(self.path, self.path.with_name(_part_name(what, _RELEASED)))

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Remove what was remembered of it."""
        _tag_place(self.path).unlink(missing_ok=True)


def incoming_folder(folder: Path) -> Path:
    """Give the folder for what is on its way to ``folder``; on the same disk."""
    return folder.with_name(f".{folder.name}.incoming")


def adopt_part(folder: Path, identity: str) -> Part:
    """
    Take over what another process left of a file, or begin it.

    Parameters
    ----------
    folder : Path
        Of files on their way.
    identity : str
        Name, size and hashes of the file.

    Returns
    -------
    Part
        This process's own; its file exists.
    """
    what = hashlib.sha256(identity.encode()).hexdigest()[:16]
    own = folder / _part_name(what, os.getpid())
    found = [path for path in folder.glob(f"{what}.*.part") if _is_left(path, _NAME)]
    for path in sorted(found, key=_size, reverse=True):
        if _move(path, own):
            try:
                return Part(own, _tag_place(own).read_text(encoding="utf-8")[:_TAG_BYTES])
            except (OSError, UnicodeDecodeError):
                return Part(own)
    own.touch()
    return Part(own)


@contextmanager
def waiting_room(folder: Path) -> Iterator[Path]:
    """
    Make a folder of this process's own among what is on its way; removed on leaving.

    What processes left that have ended is swept: folders at once, parts after a week.

    Yields
    ------
    Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if _is_left(path, _ROOM):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.endswith((".part", ".tag")) and _age(path) > _STALE:
            path.unlink(missing_ok=True)
    room = folder / f"{_host()}.{os.getpid()}.{secrets.token_hex(4)}.room"
    # Whoever leaves last removes the folder.
    room.mkdir(parents=True)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


def _part_name(what: str, pid: int) -> str:
    return f"{what}.{_host()}.{pid}.{secrets.token_hex(4)}.part"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:60] or "host"


def _tag_place(path: Path) -> Path:
    return path.with_suffix(".tag")


def _move(path: Path, target: Path) -> bool:
    try:
        path.rename(target)
    except FileNotFoundError:
        return False
    with suppress(FileNotFoundError):
        _tag_place(path).rename(_tag_place(target))
    return True


def _is_left(path: Path, pattern: re.Pattern[str]) -> bool:
    """Tell whether nobody is writing it any more."""
    match = pattern.fullmatch(path.name)
    if match is None or path.is_symlink():
        return False
    if int(match["pid"]) == _RELEASED:
        return True
    if match["host"] != _host():
        return _age(path) > _STALE
    return int(match["pid"]) != os.getpid() and not _runs(int(match["pid"]))


def _runs(pid: int) -> bool:
    if os.name != "posix":
        # There, asking by a signal would end the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
