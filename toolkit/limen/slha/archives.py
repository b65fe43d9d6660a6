"""Spectra in files, folders and tar archives, one after the other; nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from limen.errors import Fault, ReadError
from limen.slha.parsing import MAX_BYTES

__all__ = ["SUFFIXES", "Item", "items", "looks_like_spectra", "read_item"]

SUFFIXES = (".slha", ".slha1", ".slha2", ".spc", ".spectrum", ".les")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_OPENERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_MAX_HEADER = 1_000_000
_MAX_SKIPPED = 100 * MAX_BYTES
_MAX_MEMBERS = 10_000_000
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)
_START = 65_536


class Item(NamedTuple):
    """
    One spectrum that is to be read.

    Attributes
    ----------
    name : str
        What it is called in messages and results: its path, or archive and member.
    order : tuple of (int, str)
        The place of its row: which path given, and the name below it.
    path : Path or None
        The file; None in an archive.
    data : bytes
        The content of an archive's member, one byte beyond the limit at most.
    """

    name: str
    order: tuple[int, str]
    path: Path | None
    data: bytes = b""


def items(paths: Sequence[Path]) -> Iterator[Item]:
    """
    List the spectra of files, folders (with folders below) and tar archives.

    Parameters
    ----------
    paths : sequence of Path
        In a folder, files with a suffix of spectra count; if none has one, all but hidden files.

    Yields
    ------
    Item
        Members of an archive in its order, others sorted by name.

    Raises
    ------
    ReadError
        If a path is not there, a folder is empty, or an archive is damaged or holds links, absolute
        names or names with '..': then nothing of it is read.
    """
    for number, path in enumerate(paths):
        if path.is_dir():
            for name in _files_below(path):
                yield Item(str(path / name), (number, name), path / name)
        elif not path.is_file():
            raise ReadError(f"{path}: no such file or folder; correct the path")
        elif _is_archive(path):
            yield from _members(path, number)
        else:
            yield Item(str(path), (number, path.name), path)


def read_item(item: Item) -> bytes:
    """
    Give the bytes of a spectrum, one beyond the limit at most.

    Raises
    ------
    ReadError
        If the file cannot be read.
    """
    if item.path is None:
        return item.data
    try:
        with item.path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror})") from error


def looks_like_spectra(path: Path) -> bool:
    """
    Tell from the first kilobytes whether a file, folder or archive holds spectra; never raises.

    Parameters
    ----------
    path : Path
    """
    try:
        if path.is_dir():
            return _folder_looks_like_spectra(path)
        if path.name.lower().endswith(SUFFIXES):
            return True
        if _is_archive(path):
            return _archive_looks_like_spectra(path)
        with path.open("rb") as stream:
            return _is_slha(stream.read(_START))
    except (ReadError, *_DAMAGED):
        return False


def _folder_looks_like_spectra(folder: Path) -> bool:
    """Look at the names in the first folder with files, and into its first file."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        if any(name.lower().endswith(SUFFIXES) for name in names):
            return True
        if names:
            with (Path(place) / names[0]).open("rb") as stream:
                return _is_slha(stream.read(_START))
    return False


def _archive_looks_like_spectra(path: Path) -> bool:
    with path.open("rb") as raw, _opened(raw, path) as archive:
        for count, member in enumerate(archive):
            if member.isreg():
                if member.name.lower().endswith(SUFFIXES):
                    return True
                stream = archive.extractfile(member)
                return stream is not None and _is_slha(stream.read(_START))
            if count > 100:
                break
    return False


def _is_slha(start: bytes) -> bool:
    lines = (line.split() for line in start.upper().splitlines())
    first = next((words for words in lines if words and not words[0].startswith(b"#")), [b""])
    return first[0] == b"BLOCK" and len(first) > 1


def _files_below(folder: Path) -> list[str]:
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(place).relative_to(folder)
        names += [(below / name).as_posix() for name in files if not name.startswith(".")]
    named = [name for name in names if name.lower().endswith(SUFFIXES)]
    if not names:
        raise ReadError(
            f"{folder}: found no file, allowed a folder of SLHA files; correct the path"
        )
    return sorted(named or names)


def _is_archive(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(512)
    if start[257:262] == b"ustar":
        return True
    named = path.name.lower().endswith(_ARCHIVES)
    return named and not start.lstrip().startswith((b"#", b"<"))


class _Limited:
    """A stream that gives no more at once than a header of a tar archive may need."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where = stream, where
        self.limit = _MAX_HEADER
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """Read, refusing what would fill the memory."""
        if not 0 <= size <= self.limit:
            raise ReadError(
                f"{self._where}: found a header of {size:,} bytes, allowed {self.limit:,}; the "
                "archive is damaged or a trap"
            )
        return self._stream.read(size)


def _opened(raw: IO[bytes], path: Path) -> tarfile.TarFile:
    start = raw.read(6)
    raw.seek(0)
    stream: Any = raw
    for magic, opener in _OPENERS:
        if start.startswith(magic):
            stream = opener(raw)
    limited = _Limited(stream, str(path))
    return tarfile.open(fileobj=cast("IO[bytes]", limited), mode="r:")


def _members(path: Path, number: int) -> Iterator[Item]:
    """Check all members, then read them one by one."""
    try:
        names = _checked(path)
        named = any(name.lower().endswith(SUFFIXES) for name in names)
        with path.open("rb") as raw, _opened(raw, path) as archive:
            cast("Any", archive.fileobj).limit = MAX_BYTES + 1
            for member in archive:
                # A list of all members would grow with the archive.
                cast("Any", archive).members = []
                wanted = not named or member.name.lower().endswith(SUFFIXES)
                if not member.isreg() or not wanted or _hidden(member.name):
                    continue
                stream = archive.extractfile(member)
                data = b"" if stream is None else stream.read(MAX_BYTES + 1)
                yield Item(f"{path}:{member.name}", (number, member.name), None, data)
    except _DAMAGED as error:
        if isinstance(error, ReadError):
            raise
        reason = str(error) or type(error).__name__
        raise ReadError(
            f"{path}: is no whole tar archive ({reason}); fetch or write it again"
        ) from error


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part != "." for part in PurePosixPath(name).parts)


def _checked(path: Path) -> set[str]:
    """Look at the headers of an archive, and refuse it whole if a member is no plain file."""
    seen: set[str] = set()
    faults: list[Fault] = []
    with path.open("rb") as raw, _opened(raw, path) as archive:
        for member in archive:
            cast("Any", archive).members = []
            wrong = _wrong(member)
            if not wrong and member.name in seen and member.isreg():
                wrong = "found twice, allowed once"
            if wrong:
                faults.append(Fault(f"member '{member.name[:200]}'", wrong))
            if member.isreg():
                seen.add(member.name)
            if member.size > _MAX_SKIPPED or len(seen) > _MAX_MEMBERS or len(faults) >= 20:
                break
    if faults:
        raise ReadError.from_faults(f"{path}: nothing was read;", faults)
    if not seen:
        raise ReadError(f"{path}: found no file in the archive, allowed SLHA files; is it empty?")
    return seen


def _wrong(member: tarfile.TarInfo) -> str:
    name = PurePosixPath(member.name)
    if name.is_absolute() or "\\" in member.name:
        return "found an absolute name or a backslash, allowed names below the archive"
    if ".." in name.parts:
        return "found '..' in its name, allowed names below the archive"
    if member.issym() or member.islnk():
        return (
            f"found a link to '{member.linkname[:100]}', allowed files; pack the files themselves"
        )
    if not (member.isreg() or member.isdir()):
        return "found a device or pipe, allowed files"
    if member.size > _MAX_SKIPPED:
        return f"found {member.size:,} bytes, allowed {MAX_BYTES:,}; this is no spectrum"
    return ""
