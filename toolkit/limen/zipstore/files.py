"""Local files read by range."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from limen.errors import StorageError, UsageError

__all__ = ["FileReader", "file_reader"]


class FileReader:
    """
    A local file read by range, from any thread; call it with offset and length.

    Parameters
    ----------
    path : path
        A regular file.

    Raises
    ------
    StorageError
        If the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self._file = self.path.open("rb", buffering=0)
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be read ({error.strerror})") from error

    def __call__(self, offset: int, length: int) -> bytes:
        """Read ``length`` bytes from ``offset``; fewer only at the end of the file."""
        if self._file.closed:
            raise UsageError(f"{self.path}: closed already; open it again")
        parts: list[bytes] = []
        while length > 0:
            part = self._read(offset, length)
            if not part:
                break
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                return os.pread(self._file.fileno(), length, offset)
            with self._lock:  # Windows has no pread
                self._file.seek(offset)
                return self._file.read(length)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be read ({error.strerror})") from error

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()


def file_reader(path: str | os.PathLike[str]) -> tuple[FileReader, int]:
    """
    Open a local file for reading by range.

    Parameters
    ----------
    path : path
        A regular file.

    Returns
    -------
    (FileReader, int)
        The callable and the size of the file [byte].
    """
    reader = FileReader(path)
    return reader, reader.size
