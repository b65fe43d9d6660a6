"""
The journal of a draft: several files change together, or not at all.

A change is prepared in ``FOLDER/.edit/``. Renaming it to ``.commit`` is the commit point; then its
files are moved out, the manifest last, and ``.commit`` is removed. Who opens a folder with a
``.commit`` finishes the move, or reads through it where the folder cannot be written; an
``.edit`` that nobody is writing is discarded.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limen import resources
from limen.errors import LimenError, StorageError

__all__ = [
    "COMMIT",
    "EDIT",
    "MANIFEST",
    "editing",
    "new_file",
    "new_folder",
    "resolve",
    "settle",
    "storing",
]

EDIT = ".edit"
COMMIT = ".commit"
MANIFEST = "bundle.json"

_REASONS = {
    errno.ENOSPC: "the disk is full; free space and try again",
    errno.EDQUOT: "the disk quota is used up; free space and try again",
    errno.EACCES: "permission denied; change the permissions or choose another place",
    errno.EPERM: "permission denied; change the permissions or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EFBIG: "the file is larger than the file system allows; choose another place",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another place",
}


@contextmanager
def storing(where: Path) -> Iterator[None]:
    """
    Translate what the file system refuses.

    Raises
    ------
    StorageError
        For a full disk, a quota, a folder that may not be written, and whatever else the system
        says.
    """
    try:
        yield
    except LimenError:
        raise
    except OSError as error:
        place = f"{error.filename or where}"
        text = f"{error.strerror or error}; choose another place or correct it"
        reason = _REASONS.get(error.errno or 0, text)
        raise StorageError(f"{place}: {reason} (nothing was changed)") from error


@contextmanager
def editing(folder: Path) -> Iterator[Path]:
    """
    Prepare a change of the files of ``folder`` and commit it on leaving.

    Yields
    ------
    Path
        The folder to write the new and changed files to.

    Raises
    ------
    StorageError
        If another process is editing the folder, the disk is full or the folder is read-only. On
        any error the folder is as it was.
    """
    with storing(folder), resources.folder_lock(folder, wait=False) as locked:
        if not locked:
            raise StorageError(
                f"{folder}: another process is editing this bundle; wait until it has finished"
            )
        _recover(folder)
        edit = folder / EDIT
        edit.mkdir()
        try:
            yield edit
            for path in sorted(edit.iterdir()):
                resources.sync_file(path)
            resources.sync_folder(edit)
        except BaseException:
            shutil.rmtree(edit, ignore_errors=True)
            raise
        os.rename(edit, folder / COMMIT)
        try:
            resources.sync_folder(folder)
            _finish(folder)
        except OSError as error:
            raise StorageError(
                f"{folder}: the change is made, but its files could not be moved to their place "
                f"({error.strerror}); opening the bundle finishes that"
            ) from error


def settle(folder: Path) -> None:
    """
    Finish a change that was committed and discard one that was not.

    Does nothing while another process edits the folder, or where the folder cannot be written:
    :func:`resolve` reads through what is committed.
    """
    if not (_is_own(folder / COMMIT) or _is_own(folder / EDIT)):
        return
    try:
        with resources.folder_lock(folder, wait=False) as locked:
            if locked:
                _recover(folder)
    except OSError:
        # Reading needs no repair: a read-only folder stays as it is.
        return


def resolve(folder: Path, name: str) -> Path:
    """Give the path under which the present content of ``name`` lies."""
    committed = folder / COMMIT / name
    return committed if _is_own(folder / COMMIT) and committed.is_file() else folder / name


def _is_own(path: Path) -> bool:
    """Tell a folder from a link to one: what lies elsewhere is never moved or removed."""
    return path.is_dir() and not path.is_symlink()


def _recover(folder: Path) -> None:
    if _is_own(folder / COMMIT):
        _finish(folder)
    if _is_own(folder / EDIT):
        shutil.rmtree(folder / EDIT)


def _finish(folder: Path) -> None:
    commit = folder / COMMIT
    names = sorted(path.name for path in commit.iterdir())
    for name in sorted(names, key=lambda name: (name == MANIFEST, name)):
        os.replace(commit / name, folder / name)
    resources.sync_folder(folder)
    os.rmdir(commit)
    resources.sync_folder(folder)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """
    Write a new folder beside its place and move it there when it is complete.

    Parameters
    ----------
    folder : Path
        Where the folder is to be; must not exist, or be empty.

    Yields
    ------
    Path
        The folder to write to. What a killed process left there is removed first.

    Raises
    ------
    StorageError
        If there is something at ``folder``, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(
            f"{folder}: there is something here already; choose another name or remove it first"
        )
    with storing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        working = folder.parent / f".{folder.name}.new"
        if working.is_symlink():
            raise StorageError(f"{working}: found a link, allowed a folder; remove it")
        working.mkdir(exist_ok=True)
        with resources.folder_lock(working, wait=False) as locked:
            if not locked:
                raise StorageError(f"{folder}: another process is writing it; wait for it")
            _empty(working)
            try:
                yield working
                for path in sorted(working.iterdir()):
                    resources.sync_file(path)
                resources.sync_folder(working)
                if folder.is_dir():
                    folder.rmdir()
                os.rename(working, folder)
                resources.sync_folder(folder.parent)
            except BaseException:
                shutil.rmtree(working, ignore_errors=True)
                raise


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """
    Write a file beside its place and move it there when it is complete.

    Yields
    ------
    Path
        The file to write to.

    Raises
    ------
    StorageError
        If it cannot be written; nothing half-written is left.
    """
    working = path.with_name(f".{path.name}.part")
    with storing(path):
        try:
            yield working
            working.replace(path)
        finally:
            working.unlink(missing_ok=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
