"""Files of a HEPData submission in a folder or an archive, which is never extracted."""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limen.errors import ReadError

__all__ = ["SUBMISSION", "Folder", "is_hepdata", "opened", "read_file"]

SUBMISSION = "submission.yaml"
# HEPData itself refuses files beyond 10 MiB; older records hold larger ones.
MAXIMUM_BYTES = 16 * 2**20
MAXIMUM_TOTAL = 2**30
MAXIMUM_MEMBERS = 10_000

_SIGNS = re.compile(rb"(?m)^[ -]*\"?(in)?dependent_variables\"?[ ]*:|^\"?data_file\"?[ ]*:")
_LOOKED_AT = 65_536
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """
    Files that lie together.

    Parameters
    ----------
    where : str
        The folder or archive, for messages.
    names : frozenset of str
        Files beside the submission.
    read : callable
        ``read(name)`` gives the bytes of one of them.
    """

    where: str
    names: frozenset[str]
    read: Callable[[str], bytes]


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """
    Open a folder, an archive (tar, compressed or not, or zip) or the folder of a submission file.

    Parameters
    ----------
    path : Path
        Holds one ``submission.yaml``, in an archive at any depth.

    Yields
    ------
    Folder

    Raises
    ------
    ReadError
        If there is no submission in it, the archive is damaged, or one of its members is a link,
        has an absolute path or one with ``..``.
    """
    if path.is_dir():
        yield _folder(path)
        return
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield _zip(path, packed)
        else:
            with tarfile.open(path) as archive:
                yield _tar(path, archive)
    except ReadError:
        raise
    except _DAMAGE as error:
        raise ReadError(
            f"{path}: found a damaged or foreign archive ({error}), allowed a submission folder, a "
            "tar.gz or zip of one, or a YAML table; fetch it again"
        ) from error


def _folder(path: Path) -> Folder:
    names = frozenset(entry.name for entry in path.iterdir() if entry.is_file())
    _demand_submission(str(path), SUBMISSION in names)

    def read(name: str) -> bytes:
        place = path / name
        if place.is_symlink():
            raise ReadError(f"{place}: found a link, allowed a file; put the file there")
        with place.open("rb") as stream:
            return _bounded(stream.read(MAXIMUM_BYTES + 1), str(place))

    return Folder(str(path), names, read)


def _zip(path: Path, archive: zipfile.ZipFile) -> Folder:
    infos = {
        info.filename: stat.S_ISLNK(info.external_attr >> 16)
        for info in archive.infolist()[: MAXIMUM_MEMBERS + 1]
    }
    base = _checked(path, infos)

    def read(name: str) -> bytes:
        with archive.open(base + name) as stream:
            return _bounded(stream.read(MAXIMUM_BYTES + 1), f"{path} {name}")

    return Folder(str(path), _beside(base, infos), read)


def _tar(path: Path, archive: tarfile.TarFile) -> Folder:
    kinds: dict[str, bool] = {}
    size = 0
    for member in archive:
        special = not (member.isreg() or member.isdir())
        kinds[member.name] = special or kinds.get(member.name, False)
        size += member.size
        # Bounds what a small archive can make us decompress.
        if size > MAXIMUM_TOTAL:
            raise ReadError(
                f"{path}: found more than {MAXIMUM_TOTAL >> 20} MiB in it, allowed tables of "
                "HEPData, which are smaller; name the table's own YAML file"
            )
        if len(kinds) > MAXIMUM_MEMBERS:
            break
    base = _checked(path, kinds)

    def read(name: str) -> bytes:
        stream = archive.extractfile(base + name)
        if stream is None:
            raise ReadError(f"{path} {name}: found no file, allowed one; correct the archive")
        return _bounded(stream.read(MAXIMUM_BYTES + 1), f"{path} {name}")

    return Folder(str(path), _beside(base, kinds), read)


def _checked(path: Path, members: dict[str, bool]) -> str:
    """Refuse tricks in an archive, and give the folder in it that holds the submission."""
    if len(members) > MAXIMUM_MEMBERS:
        raise ReadError(f"{path}: found more than {MAXIMUM_MEMBERS} members; this is no submission")
    faults = []
    for name, special in members.items():
        parts = PurePosixPath(name).parts
        if special:
            faults.append(
                (f"member '{name}'", "found a link or device, allowed files; leave it out")
            )
        elif name.startswith("/") or "\\" in name or ".." in parts:
            text = "found a path out of the archive, allowed paths inside; archive it again"
            faults.append((f"member '{name}'", text))
    if faults:
        raise ReadError.from_faults(str(path), faults[:20])
    found = [name for name in members if PurePosixPath(name).name == SUBMISSION]
    _demand_submission(str(path), bool(found))
    first = min(found, key=lambda name: (name.count("/"), name))
    return first.removesuffix(SUBMISSION)


def _beside(base: str, members: dict[str, bool]) -> frozenset[str]:
    return frozenset(name.removeprefix(base) for name in members if name.startswith(base))


def _demand_submission(where: str, found: bool) -> None:
    if not found:
        raise ReadError(
            f"{where}: found no {SUBMISSION}, allowed a HEPData submission; name its folder, its "
            "archive or one of its YAML tables"
        )


def _bounded(data: bytes, where: str) -> bytes:
    if len(data) > MAXIMUM_BYTES:
        raise ReadError(
            f"{where}: found more than {MAXIMUM_BYTES >> 20} MiB, allowed tables of HEPData, which "
            "are smaller; bulk data are read as csv or parquet"
        )
    return data


def read_file(path: Path) -> bytes:
    """
    Read one file of limited size.

    Raises
    ------
    ReadError
        If it is larger than any table of HEPData.
    """
    with path.open("rb") as stream:
        return _bounded(stream.read(MAXIMUM_BYTES + 1), str(path))


def is_hepdata(path: Path) -> bool:
    """
    Tell whether a path is a submission folder, an archive of one, or a table.

    Parameters
    ----------
    path : Path
        Looked at are names, and the first 64 kB of a file.

    Returns
    -------
    bool
    """
    try:
        if path.is_dir():
            return (path / SUBMISSION).is_file()
        name = path.name.lower()
        if name.endswith((".yaml", ".yml")):
            with path.open("rb") as stream:
                return _SIGNS.search(stream.read(_LOOKED_AT)) is not None
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                return any(PurePosixPath(n).name == SUBMISSION for n in archive.namelist())
        return name.endswith((".tar", ".tar.gz", ".tgz")) and _looks_packed(path)
    except _DAMAGE:
        return False


def _looks_packed(path: Path) -> bool:
    """Look at the first members of a tar archive."""
    passed = 0
    with tarfile.open(path) as archive:
        for _ in range(16):
            member = archive.next()
            if member is None or passed > _LOOKED_AT:
                return False
            parts = PurePosixPath(member.name).parts
            if parts and (parts[-1] == SUBMISSION or parts[0].startswith("HEPData-")):
                return True
            passed += member.size
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None and parts[-1].endswith((".yaml", ".yml")):
                return _SIGNS.search(stream.read(4096)) is not None
    return False
