"""Uploaded files: kept for as long as they are read, and called what their owners call them."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limen.errors import ReadError

__all__ = ["Upload", "kept", "unpacked"]

_MOST_MEMBERS = 100_000
_MOST_BYTES = 500_000_000
_GROWTH = 200
_UNUSUAL = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """
    A file that a visitor gave.

    Attributes
    ----------
    name : str
        What the visitor's browser calls it.
    data : bytes
    """

    name: str
    data: bytes

    @property
    def plain_name(self) -> str:
        """
        Name that is safe for a file system and for messages.

        >>> Upload("../../etc/pass wd.csv", b"").plain_name
        'pass_wd.csv'
        """
        last = PurePosixPath(self.name.replace("\\", "/")).name
        return _UNUSUAL.sub("_", last)[-80:].lstrip(".-_") or "points"


@contextmanager
def kept(upload: Upload, most: int) -> Iterator[Path]:
    """
    Keep an upload as a file while it is read; afterwards nothing of it is left.

    Parameters
    ----------
    upload : Upload
    most : int
        Allowed size [bytes].

    Yields
    ------
    Path
        A file of the upload's plain name, or a folder of spectra where it is a ZIP archive.

    Raises
    ------
    ReadError
        If the file is empty or too large, or a ZIP archive is damaged or a trap.
    """
    if not upload.data:
        raise ReadError(f"{upload.plain_name}: is empty; give a file of points")
    if len(upload.data) > most:
        raise ReadError(
            f"{upload.plain_name}: found {len(upload.data) / 1e6:.1f} MB, allowed "
            f"{most / 1e6:.0f} MB; use limen predict or the REST side for more"
        )
    with tempfile.TemporaryDirectory(prefix="limen-") as folder:
        path = Path(folder) / upload.plain_name
        path.write_bytes(upload.data)
        if path.suffix.lower() == ".zip":
            inner = Path(folder) / "spectra"
            inner.mkdir()
            unpacked(path, inner, upload.plain_name)
            path.unlink()
            path = inner
        yield path


def unpacked(path: Path, folder: Path, where: str) -> None:
    """
    Unpack the files of a ZIP archive side by side into an empty folder.

    Parameters
    ----------
    path : Path
    folder : Path
    where : str
        What the archive is called in messages.

    Raises
    ------
    ReadError
        If it is damaged, encrypted, too large, or holds links or paths that lead out of it: then
        nothing of it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            names = _names(members, where)
            for member, name in zip(members, names, strict=True):
                (folder / name).write_bytes(archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise ReadError(f"{where}: is no ZIP archive that can be read ({error})") from error


def _names(members: list[zipfile.ZipInfo], where: str) -> list[str]:
    """Look at all members before any is read, and give each a name of its own."""
    if not members:
        raise ReadError(f"{where}: holds no file; put the spectra into it")
    if len(members) > _MOST_MEMBERS:
        raise ReadError(f"{where}: found {len(members):,} files, allowed {_MOST_MEMBERS:,}")
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > _MOST_BYTES or total > _GROWTH * max(packed, 1024):
        raise ReadError(
            f"{where}: unpacks to {total / 1e6:,.0f} MB, allowed {_MOST_BYTES / 1e6:,.0f} MB and "
            f"{_GROWTH} times its size; give fewer files at once"
        )
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if link or ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
            raise ReadError(
                f"{where}: found {member.filename[:60]!r}, a link or a path that leads out of the "
                "archive; nothing of it was read"
            )
    digits = len(str(len(members)))
    return [
        f"{number:0{digits}d}_{Upload(member.filename, b'').plain_name}"
        for number, member in enumerate(members, start=1)
    ]
