"""Arrays that were computed once, kept in files and read where they lie."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.resources import cache_folder

__all__ = ["Shelf"]

_LARGEST = 8 * 2**30
_ABANDONED = 3600.0

Make = Callable[[], Iterable[npt.NDArray[Any]]]


class Shelf:
    """
    A folder of arrays of one bundle.

    A file appears when it is complete, so that a kill leaves nothing that is half written. Where
    the folder cannot be written, arrays stay in memory. May be used from several threads.

    Parameters
    ----------
    digest : str
        SHA-256 of the manifest; another manifest has another folder.
    root : Path, optional
        By default ``browse`` in the cache folder.
    """

    def __init__(self, digest: str, root: Path | None = None) -> None:
        self._root = cache_folder() / "browse" if root is None else root
        self.folder = self._root / digest[:32]
        self._held: dict[str, npt.NDArray[Any]] = {}
        self._texts: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def array(self, name: str, n: int, dtype: npt.DTypeLike, make: Make) -> npt.NDArray[Any]:
        """
        Give an array, made now if it is not there.

        Parameters
        ----------
        name : str
            Of its file.
        n : int
            Its length.
        dtype : dtype
        make : callable
            Gives the array in pieces, in order.

        Returns
        -------
        ndarray, shape (n,)
            Not to be written to.
        """
        with self._locked(name):
            if name not in self._held:
                found = self._read(name, n, np.dtype(dtype))
                self._held[name] = self._made(name, n, dtype, make) if found is None else found
            return self._held[name]

    def document(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Give a small document, made now if it is not there."""
        with self._locked(name):
            if name not in self._texts:
                path = self.folder / name
                try:
                    self._texts[name] = dict(json.loads(path.read_text(encoding="utf-8")))
                except (OSError, ValueError):
                    self._texts[name] = make()
                    with suppress(OSError):
                        self._place(path, [json.dumps(self._texts[name]).encode()])
            return self._texts[name]

    def table(self, name: str) -> npt.NDArray[Any] | None:
        """Give a table that was kept; None if there is none."""
        try:
            with (self.folder / name).open("rb") as stream:
                return np.asarray(np.load(stream, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None

    def keep(self, name: str, table: npt.NDArray[Any]) -> None:
        """Keep a table, if the folder can be written."""
        stream = io.BytesIO()
        np.save(stream, table, allow_pickle=False)
        with suppress(OSError):
            self._place(self.folder / name, [stream.getvalue()])

    def _locked(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    def _read(self, name: str, n: int, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
        path = self.folder / name
        try:
            if path.is_symlink() or path.stat().st_size != n * dtype.itemsize:
                return None
            os.utime(self.folder)
            return np.memmap(path, dtype=dtype, mode="r", shape=(n,))
        except (OSError, ValueError):
            return None

    def _made(self, name: str, n: int, dtype: npt.DTypeLike, make: Make) -> npt.NDArray[Any]:
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._prune(n * np.dtype(dtype).itemsize)
            self._place(self.folder / name, (part.astype(dtype).tobytes() for part in make()))
        found = self._read(name, n, np.dtype(dtype))
        if found is None:
            # The disk is full, or not ours to write to.
            found = np.concatenate([part.astype(dtype) for part in make()])
        return found

    def _place(self, path: Path, pieces: Iterable[bytes]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, working = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                for piece in pieces:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(working, path)
        finally:
            Path(working).unlink(missing_ok=True)

    def _prune(self, wanted: int) -> None:
        """Remove what kills left, and of other bundles what was used longest ago."""
        for path in self.folder.glob(".*.part"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
        sizes = {
            folder: sum(path.stat().st_size for path in folder.iterdir())
            for folder in self._root.iterdir()
            if folder.is_dir()
        }
        for folder in sorted(sizes, key=lambda folder: folder.stat().st_mtime):
            if sum(sizes.values()) + wanted <= _LARGEST:
                return
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)
                sizes.pop(folder)
