"""Files of a record: bytes in memory or on disk, and their MD5."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

__all__ = ["PIECE", "StoredFile", "identifier", "md5_of", "now"]

PIECE = 1 << 18


def now() -> str:
    """Give the time as the archive writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def identifier() -> str:
    """Give a new random identifier."""
    return str(uuid.uuid4())


def md5_of(source: bytes | Path) -> tuple[str, int]:
    """Give MD5 and size [byte] of bytes or of a file, which is read piece by piece."""
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with _opened(source) as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _opened(source: bytes | Path) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


@dataclass(slots=True)
class StoredFile:
    """
    One file of a draft or a record.

    Parameters
    ----------
    key : str
        Its name; any text.
    source : bytes or Path, optional
        Where its bytes are; None until they come.
    size : int, optional
        Bytes; before they come, as announced.
    md5 : str
        Empty until the bytes come.
    completed : bool
        Whether the upload was committed.
    """

    key: str
    source: bytes | Path | None = None
    size: int | None = None
    md5: str = ""
    completed: bool = False
    id: str = field(default_factory=identifier)
    version_id: str = field(default_factory=identifier)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    @classmethod
    def of(cls, key: str, source: bytes | Path) -> StoredFile:
        """Give a completed file."""
        md5, size = md5_of(source)
        return cls(key, source, size, md5, True)

    def fill(self, source: bytes | Path, md5: str, size: int) -> None:
        """Take new bytes."""
        self.source, self.md5, self.size = source, md5, size
        self.version_id, self.updated = identifier(), now()

    @property
    def mimetype(self) -> str:
        """Media type by the ending of its name."""
        return mimetypes.guess_type(self.key)[0] or "application/octet-stream"

    def read(self) -> bytes:
        """Give all bytes."""
        if isinstance(self.source, Path):
            return self.source.read_bytes()
        return self.source or b""

    def pieces(self, offset: int, size: int) -> Iterator[bytes]:
        """Give ``size`` bytes from ``offset`` on, piece by piece."""
        if self.source is None:
            return
        with _opened(self.source) as stream:
            stream.seek(offset)
            while size > 0 and (piece := stream.read(min(PIECE, size))):
                size -= len(piece)
                yield piece
