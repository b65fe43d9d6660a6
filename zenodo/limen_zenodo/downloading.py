"""One file of a record, brought to disk: resumed where it broke off, whole and right, or not."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from limen import resources
from limen.errors import StorageError
from limen_zenodo.client import Client
from limen_zenodo.errors import ChecksumError, IncompleteDownloadError
from limen_zenodo.incoming import Part, adopt_part
from limen_zenodo.patience import Waits
from limen_zenodo.progress import Progress
from limen_zenodo.records import RemoteFile
from limen_zenodo.transport import StandstillError, blocks, broken_bodies, in_words

if TYPE_CHECKING:
    import requests

__all__ = ["Transfer"]

_TRIES_OF_WRONG_BYTES = 2
_SPARE = 2**20
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_STRONG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')


@dataclass(slots=True)
class Transfer:
    """
    Bring one file; a downloader of pooch.

    Parameters
    ----------
    client : Client
    file : RemoteFile
        As the record has it: no byte more than its size is written.
    sha256 : str
        Of the manifest; empty if it is not known.
    folder : Path
        Where parts that are not complete lie, on the disk of the target.
    progress : Progress
    stop : threading.Event
        Set to break off; what has arrived is kept.

    Attributes
    ----------
    found : str
        MD5 of the last bytes that were wrong; empty if there were none.
    """

    client: Client
    file: RemoteFile
    sha256: str
    folder: Path
    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)
    found: str = field(default="", init=False)

    def __call__(self, url: str, output_file: Any, pooch: Any = None, **_: Any) -> None:
        """
        Write the file to ``output_file``.

        Raises
        ------
        ChecksumError
            If the bytes are not what record and manifest say, also when asked for again.
        IncompleteDownloadError, NetworkError, AccessError, RecordNotFoundError
            If they cannot be had; what has arrived is kept and used next time.
        StorageError
            If the disk is full or cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = f"{self.file.name} {self.file.size} {self.file.md5} {self.sha256}"
        part = adopt_part(self.folder, identity)
        try:
            self._fill(url, part)
            resources.sync_file(part.path)
            part.path.replace(output_file)
            part.forget()
        except (ChecksumError, StorageError):
            part.remove()
            raise
        except BaseException:
            part.release()
            raise

    def _fill(self, url: str, part: Part) -> None:
        for attempt in range(1, _TRIES_OF_WRONG_BYTES + 1):
            with part.path.open("r+b") as stream:
                receiver = _Receiver(self, part, stream)
                receiver.receive(url)
            wrong = receiver.wrong()
            if not wrong:
                return
            self.found = receiver.md5
            part.path.write_bytes(b"")
            self.progress.add(-self.file.size)
            if attempt == _TRIES_OF_WRONG_BYTES:
                raise ChecksumError(
                    f"{self.file.name}: {wrong}; the file was removed (asked {attempt} times at "
                    f"{self.client.site.host})"
                )


class _Receiver:
    """Bytes into a part file, hashed on the way."""

    def __init__(self, work: Transfer, part: Part, stream: BinaryIO) -> None:
        self._work, self._part, self._stream = work, part, stream
        self._size = work.file.size
        self._ranges = True
        self._begin()
        self._take_up()
        self._furthest = self._have

    def _begin(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._have = 0

    def _take_up(self) -> None:
        """Hash what is there; more than the file has is nothing of it."""
        if self._part.path.stat().st_size > self._size:
            self._restart()
            return
        while block := self._stream.read(2**20):
            self._note(block)
        self._refuse_full_disk()

    def _note(self, block: bytes) -> None:
        self._md5.update(block)
        self._sha256.update(block)
        self._have += len(block)
        self._work.progress.add(len(block))

    def _restart(self) -> None:
        self._work.progress.add(-self._have)
        self._begin()
        self._stream.seek(0)
        self._stream.truncate()

    def _refuse_full_disk(self) -> None:
        free, need = shutil.disk_usage(self._part.path.parent).free, self._size - self._have
        if need and need + _SPARE > free:
            raise StorageError(
                f"{self._part.path.parent}: {self._work.file.name} needs {need:,} bytes, free are "
                f"{free:,}; free space or choose another place"
            )

    @property
    def md5(self) -> str:
        """MD5 of the bytes that are there."""
        return self._md5.hexdigest()

    def wrong(self) -> str:
        """Say how the bytes differ from what record and manifest say; empty if they do not."""
        file = self._work.file
        for name, found, wanted, source in (
            ("MD5", self.md5, file.md5, "record"),
            ("SHA-256", self._sha256.hexdigest(), self._work.sha256, "manifest"),
        ):
            if wanted and found != wanted:
                return f"found {name} {found}, the {source} says {wanted}"
        return ""

    def receive(self, url: str) -> None:
        """Ask until all bytes are there."""
        waits = self._work.client.waits()
        while self._have < self._size:
            try:
                with self._work.client.stream(url, self._headers(), waits=waits) as response:
                    self._accept(response)
                    for block in blocks(response):
                        self._write(block, waits)
                trouble = f"received {self._have:,} of {self._size:,} bytes"
            except (_Unusable, StandstillError) as error:
                trouble = str(error)
            except broken_bodies() as error:
                trouble = f"{in_words(error)} after {self._have:,} of {self._size:,} bytes"
            if self._have < self._size:
                waits.wait(None, self._incomplete(trouble))
        self._stream.flush()

    def _incomplete(self, trouble: str) -> IncompleteDownloadError:
        return IncompleteDownloadError(
            f"{self._work.file.name}: {trouble} from {self._work.client.site.host}; run it again, "
            "what has arrived is kept"
        )

    def _headers(self) -> dict[str, str]:
        if not (self._have and self._ranges):
            return {}
        headers = {"Range": f"bytes={self._have}-"}
        tag = self._part.tag
        return headers | ({"If-Range": tag} if _STRONG.fullmatch(tag) else {})

    def _accept(self, response: requests.Response) -> None:
        """Make the stream stand where the body begins, or refuse the body."""
        headers = response.headers
        tag = headers.get("ETag", "")
        if response.status_code == 206:
            expected = (str(self._have), str(self._size - 1), str(self._size))
            match = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
            moved = bool(tag and self._part.tag and tag != self._part.tag)
            if match is None or match.groups() != expected or moved:
                self._whole_again("it sent another range than was asked for")
            return
        if response.status_code == 416:
            self._whole_again("it has no such range")
        _refuse_page(headers, self._work.file)
        self._restart()
        self._part.note(tag)

    def _whole_again(self, reason: str) -> None:
        self._ranges = False
        self._restart()
        raise _Unusable(reason)

    def _write(self, block: bytes, waits: Waits) -> None:
        if self._work.stop.is_set():
            raise self._incomplete("broken off")
        if self._have + len(block) > self._size:
            self._restart()
            raise ChecksumError(
                f"{self._work.file.name}: {self._work.client.site.host} sends more than the "
                f"{self._size:,} bytes of the record; the file was removed"
            )
        try:
            self._stream.write(block)
            self._stream.flush()
        except OSError as error:
            raise self._storage(error) from error
        self._note(block)
        if self._have > self._furthest:
            # A server that always breaks off at the same place makes no progress.
            self._furthest = self._have
            waits.progress()

    def _storage(self, error: OSError) -> StorageError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = self._size - self._have
            return StorageError(
                f"{self._part.path.parent}: the disk is full, {self._work.file.name} needs "
                f"{need:,} bytes more; free space and run it again"
            )
        return StorageError(f"{self._part.path}: {error.strerror}; choose another place")


class _Unusable(Exception):
    """An answer whose body is not the file."""


def _refuse_page(headers: Mapping[str, str], file: RemoteFile) -> None:
    """Refuse pages of proxies and logins: the archive itself sends no file as HTML."""
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise _Unusable("found a page where the file was expected (of a proxy or of a login?)")
    length = headers.get("Content-Length", "")
    if length.isdigit() and int(length) != file.size and not headers.get("Content-Encoding"):
        raise ChecksumError(
            f"{file.name}: found {int(length):,} bytes, the record says {file.size:,}"
        )
