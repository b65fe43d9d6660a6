"""
Files that ship with the package: the schemas and the package's own data.

A wheel holds the schemas inside the package; a checkout (and so an editable install) holds them
beside ``toolkit``. POSIX calls that other systems lack belong here too.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from limen.errors import UsageError

__all__ = [
    "cache_folder",
    "data_path",
    "folder_lock",
    "limit_process",
    "schema_text",
    "schemas_path",
    "sync_file",
    "sync_folder",
]

_PACKAGE = Path(__file__).resolve().parent


def schemas_path(version: str = "1.0") -> Path:
    """
    Find the folder of the schemas of one format version.

    Parameters
    ----------
    version : str
        Version of the format.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If this version of Limen does not hold them.

    Examples
    --------
    >>> schemas_path().name
    '1.0'
    """
    candidates = (_PACKAGE / "schemas" / version, _PACKAGE.parents[1] / "schemas" / version)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise UsageError(
        f"schemas: found none of format {version!r} in {' or '.join(map(str, candidates))}; "
        "reinstall limen"
    )


@cache
def schema_text(name: str, version: str = "1.0") -> str:
    """
    Read a schema.

    Parameters
    ----------
    name : str
        ``bundle``, ``catalogue``, ``column``, ``scan-document``, ``model-card`` or ``probe``.
    version : str
        Version of the format.

    Returns
    -------
    str
        The JSON text.

    Raises
    ------
    UsageError
        If there is no such schema.
    """
    folder = schemas_path(version)
    known = sorted(path.name.removesuffix(".schema.json") for path in folder.glob("*.schema.json"))
    if name not in known:
        raise UsageError(f"schema: found {name!r}, allowed {', '.join(map(repr, known))}")
    return (folder / f"{name}.schema.json").read_text(encoding="utf-8")


def cache_folder() -> Path:
    """
    Find the folder for what can be fetched or computed again.

    Returns
    -------
    Path
        ``$LIMEN_CACHE``, else ``limen`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; it may not exist.
    """
    given = os.environ.get("LIMEN_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "limen"


def data_path(name: str) -> Path:
    """
    Find a data file of the package.

    Parameters
    ----------
    name : str
        Its name below ``limen/data``.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If there is no such file.
    """
    path = _PACKAGE / "data" / name
    if not path.is_file():
        raise UsageError(f"package data: found no {name!r} in {path.parent}; reinstall limen")
    return path


@contextmanager
def folder_lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """
    Hold the lock of a folder; no file is made for it.

    The lock is on the folder itself, and ends with the process. On systems without such locks
    (Windows) it is always granted.

    Parameters
    ----------
    folder : Path
    wait : bool
        Wait until another process lets go.

    Yields
    ------
    bool
        Whether the lock is held.

    Raises
    ------
    OSError
        If the folder cannot be opened or written.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "may not be written", str(folder))
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)


def limit_process(*, memory: int, cpu: int) -> None:
    """
    Bound what this process may take from now on; nothing takes it back.

    No byte can be written to a file any more, and a crash leaves no core file. On systems without
    such limits (Windows) nothing happens; macOS does not keep the one on memory.

    Parameters
    ----------
    memory : int
        Largest address space [byte].
    cpu : int
        Time on the processor [s].
    """
    try:
        import resource
    except ImportError:
        return
    wanted = (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        # The first limit sends a signal that tells why; the second one kills.
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, memory, memory),
    )
    for kind, *amounts in wanted:
        _, most = resource.getrlimit(kind)
        free = most == resource.RLIM_INFINITY
        soft, hard = (amount if free else min(amount, most) for amount in amounts)
        with suppress(ValueError, OSError):  # a system may know a limit and not keep it
            resource.setrlimit(kind, (soft, hard))


def sync_file(path: Path) -> None:
    """Make sure that a file's bytes are on the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make sure that a folder's entries are on the disk, where the system can do it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
