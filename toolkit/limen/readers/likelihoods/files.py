"""JSON documents in files, folders and tar archives, which are never extracted."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from limen.errors import Fault, ReadError

__all__ = ["Document", "documents", "is_likelihood"]

MAXIMUM_BYTES = 2**28
MAXIMUM_TOTAL = 2**32
MAXIMUM_MEMBERS = 200_000

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_SIGNS = re.compile(rb'"(channels|observations|measurements|patches|digests|op)"\s*:')
_LOOKED_AT = 65_536
_MEMBERS_LOOKED_AT = 50
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class Document:
    """
    One JSON file.

    Parameters
    ----------
    where : str
        The file, or archive and member, for messages.
    folder : str
        The folder that it lies in.
    name : str
        Its name without ``.json``.
    content : bytes
    named : bool
        Whether it was named itself, not found in a folder or archive.
    """

    where: str
    folder: str
    name: str
    content: bytes
    named: bool = False


def is_likelihood(path: Path) -> bool:
    """Tell whether a file, folder or archive begins with a pyhf workspace, patch set or patch."""
    try:
        if path.is_dir():
            found = islice(sorted(path.glob("**/*.json")), _MEMBERS_LOOKED_AT)
            return any(_starts(file) for file in found if file.is_file())
        if path.name.lower().endswith(_ARCHIVES):
            return _archive_starts(path)
        return path.is_file() and _starts(path)
    except _DAMAGE:
        return False


def _starts(path: Path) -> bool:
    with path.open("rb") as stream:
        return _signs(stream)


def _signs(stream: IO[bytes]) -> bool:
    start = stream.read(_LOOKED_AT)
    return start.lstrip()[:1] in (b"{", b"[") and _SIGNS.search(start) is not None


def _archive_starts(path: Path) -> bool:
    with tarfile.open(path) as archive:
        for member in islice(archive, _MEMBERS_LOOKED_AT):
            if member.isreg() and member.name.endswith(".json"):
                stream = archive.extractfile(member)
                if stream is not None and _signs(stream):
                    return True
    return False


def documents(paths: Iterable[Path]) -> Iterator[Document]:
    """
    Read all JSON files, in the order of the paths and then of their names.

    Parameters
    ----------
    paths : iterable of Path
        Files, folders (with the folders in them) and tar archives.

    Yields
    ------
    Document

    Raises
    ------
    ReadError
        If a file is too large, or an archive is damaged or a trap: links, devices, absolute paths
        or ``..``.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(path.glob("**/*.json")):
                yield _file(file, named=False)
        elif path.name.lower().endswith(_ARCHIVES):
            yield from _members(path)
        else:
            yield _file(path, named=True)


def _file(path: Path, *, named: bool) -> Document:
    if path.is_symlink() and not named:
        raise ReadError(f"{path}: found a link, allowed a file; put the file there")
    with path.open("rb") as stream:
        content = _bounded(stream, str(path))
    return Document(str(path), str(path.parent), path.stem, content, named)


def _members(path: Path) -> list[Document]:
    """Read an archive, all its members checked before one is used."""
    found: list[Document] = []
    faults: list[Fault] = []
    total = 0
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                total += member.size
                if total > MAXIMUM_TOTAL or number >= MAXIMUM_MEMBERS:
                    raise ReadError(
                        f"{path}: found more than {MAXIMUM_TOTAL >> 30} GiB or {MAXIMUM_MEMBERS} "
                        "members in it, allowed fewer; name the files themselves"
                    )
                faults += _trap(member)
                stream = archive.extractfile(member) if member.isreg() and not faults else None
                if stream is not None and member.name.endswith(".json"):
                    found.append(_document(path, member.name, stream))
    except _DAMAGE as error:
        raise ReadError(
            f"{path}: found a damaged archive ({error}), allowed a tar archive; fetch it again"
        ) from error
    if faults:
        raise ReadError.from_faults(str(path), faults[:20])
    return sorted(found, key=lambda document: document.where)


def _document(path: Path, member: str, stream: IO[bytes]) -> Document:
    where = f"{path} {member}"
    parts = PurePosixPath(member)
    return Document(where, f"{path}/{parts.parent}", parts.stem, _bounded(stream, where))


def _trap(member: tarfile.TarInfo) -> list[Fault]:
    where = f"member '{member.name[:200]}'"
    if not (member.isreg() or member.isdir()):
        return [Fault(where, "found a link or device, allowed files; leave it out")]
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or "\\" in member.name or ".." in parts:
        text = "found a path out of the archive, allowed paths inside; archive it again"
        return [Fault(where, text)]
    return []


def _bounded(stream: IO[bytes], where: str) -> bytes:
    content = stream.read(MAXIMUM_BYTES + 1)
    if len(content) > MAXIMUM_BYTES:
        raise ReadError(
            f"{where}: found more than {MAXIMUM_BYTES >> 20} MiB, allowed less; check the file"
        )
    return content
