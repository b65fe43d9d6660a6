"""HDF5 files, opened so that every fault of the file is one error and nothing outside is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from limen.errors import LimenError, ReadError

__all__ = ["dataset_names", "dataset_of", "opened", "starts_as_hdf5"]

_MAGIC = b"\x89HDF\r\n\x1a\n"
# The cache of each dataset; with the default, hundreds of them fill the memory.
_CACHE = 65_536
_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def starts_as_hdf5(path: Path) -> bool:
    """Tell whether a path is a file that begins as HDF5 does."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """
    Open an HDF5 file for reading; what fails within is an error that names the file.

    Parameters
    ----------
    path : Path

    Yields
    ------
    h5py.File

    Raises
    ------
    ReadError
        If it is no HDF5 file, is truncated or damaged, or is being written to.
    """
    if not starts_as_hdf5(path):
        found = "an empty file" if path.stat().st_size == 0 else "no HDF5 header"
        raise ReadError(f"{path}: found {found}, allowed an HDF5 file; check what was written")
    try:
        # Parallel file systems often have no locks.
        with h5py.File(path, "r", locking="best-effort", rdcc_nbytes=_CACHE) as file:
            yield file
    except LimenError:
        raise
    except _FAULTS as error:
        reason = str(error).strip("'\"").partition("\n")[0]
        raise ReadError(
            f"{path}: found a file that cannot be read ({reason}), allowed a whole HDF5 file that "
            "nobody is writing to; it is truncated or damaged, fetch or write it again"
        ) from error


def dataset_names(file: Any, until: Callable[[str], bool] | None = None) -> list[str]:
    """
    Give the paths of all groups and datasets in a file, without opening them.

    Parameters
    ----------
    file : h5py.File
    until : callable, optional
        Stop after the first path of which it is true.

    Returns
    -------
    list of str
        Without a leading ``/``; links to other files are not followed.
    """
    names: list[str] = []

    def see(name: str | bytes) -> bool | None:
        text = name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")
        names.append(text)
        return True if until is not None and until(text) else None

    file.visit(see)
    return names


def dataset_of(group: Any, name: str) -> Any | None:
    """
    Give a dataset of a group that lies in the file itself, or None if it is something else.

    Links to other files, values stored in other files and virtual datasets are never followed:
    they would read whatever the file's author names.
    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    found = group[name]
    inside = isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual
    return found if inside else None
