"""A file of a record, read by range: few requests, several at once, each range only once."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from limen.errors import UsageError
from limen.zipstore import FileReader
from limen_zenodo.claims import Claim, Claims
from limen_zenodo.client import Client
from limen_zenodo.errors import (
    IncompleteDownloadError,
    OfflineError,
    RecordChangedError,
    ServiceUnavailableError,
    ZenodoError,
)
from limen_zenodo.records import RemoteFile
from limen_zenodo.sites import public_url
from limen_zenodo.spans import Arriving, Spans
from limen_zenodo.transport import StandstillError, blocks, broken_bodies, in_words

if TYPE_CHECKING:
    import requests

__all__ = ["RangeReader"]

_log = logging.getLogger("limen.zenodo")

PARALLEL = 4
"""Connections at once to one archive."""

# Longer ranges are asked for in pieces, so that they come side by side and are kept one by one.
_PIECE = 16 * 2**20
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")
_ETAG_MD5 = re.compile(r'"md5:([0-9a-f]{32})"')
# Of answers in a row that give another range, after which ranges are not asked for any more.
_WRONG = 2


class _IgnoredError(Exception):
    """The server sends the whole file although a range was asked for."""


class RangeReader:
    """
    A remote file read by range, from any thread; call it with offset and length.

    What was read is kept, by the MD5 that the record states of the file. The version is pinned by
    that MD5, the size, and what the server states of its content; a range itself cannot be
    compared with a hash of the file.

    Parameters
    ----------
    client : Client or None
        None reads only what is kept.
    file : RemoteFile
    spans : Spans
        Where ranges are kept.
    whole : callable
        Fetches the whole file, verified, and gives its path: for servers that know no ranges.
    recheck : callable
        Gives the MD5 that the record states now; asked where bytes turn out wrong.
    """

    def __init__(
        self,
        client: Client | None,
        file: RemoteFile,
        spans: Spans,
        whole: Callable[[], Path],
        recheck: Callable[[], str],
    ) -> None:
        self.file = file
        self._client = client
        self._spans = spans
        self._whole = whole
        self._recheck = recheck
        self._wrong = 0
        self._local: FileReader | None = None
        self._etag = ""
        self._lock = threading.Lock()
        self._claims = Claims()
        self._connections = threading.BoundedSemaphore(PARALLEL)
        self._closed = False

    def __call__(self, offset: int, length: int, /) -> bytes:
        """
        Read ``length`` bytes from ``offset``; fewer only at the end of the file.

        Raises
        ------
        RecordChangedError
            If the file is not the one that the record stated.
        NetworkError, AccessError, RecordNotFoundError, StorageError
        """
        stop = min(offset + length, self.file.size)
        if self._closed:
            raise UsageError(f"{self.file.name}: closed already; open it again")
        if self._local is None:
            found = self._spans.read(offset, stop)
            if found is not None:
                return found
            self.prefetch([(offset, length)])
        if self._local is not None:
            return self._local(offset, max(0, stop - offset))
        found = self._spans.read(offset, stop)
        if found is None:
            raise IncompleteDownloadError(
                f"{self._where}: what was read of it vanished from {self._spans.folder}; try again"
            )
        return found

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """
        Read ranges (offset, length) that will be needed: those that are not kept, at once.

        Raises
        ------
        As reading does.
        """
        wanted = [(start, min(start + length, self.file.size)) for start, length in ranges]
        others: tuple[Claim, ...] | None = None
        while self._local is None and others != ():
            with self._claims.claimed(wanted, self._spans.missing) as claim:
                pieces = [piece for each in claim.ranges for piece in _pieces(*each)]
                try:
                    if pieces:
                        self._read_all(pieces)
                except _IgnoredError:
                    self._take_whole()
            others = claim.others
            for other in others:
                other.ended.wait()

    def forget(self, offset: int, length: int) -> None:
        """
        Drop what is kept of a range, whose bytes turned out wrong.

        Raises
        ------
        RecordChangedError
            If they are wrong since the record was changed.
        """
        self._spans.forget(offset, offset + length)
        if self._client is not None and self._recheck() != self.file.md5:
            raise self._changed()

    def close(self) -> None:
        """End reading; closing twice is fine."""
        self._closed = True
        if self._client is not None:
            self._client.close()
        if self._local is not None:
            self._local.close()

    @property
    def _where(self) -> str:
        return public_url(self.file.url)

    def _read_all(self, pieces: list[tuple[int, int]]) -> None:
        if self._client is None:
            raise OfflineError(
                f"{self._where}: this part of it was not read before, and nothing is fetched "
                "offline; read it once with a network"
            )
        if len(pieces) == 1:
            self._read(*pieces[0])
            return
        with ThreadPoolExecutor(min(PARALLEL, len(pieces))) as pool:
            done = [pool.submit(self._read, *piece) for piece in pieces]
            try:
                for future in done:
                    future.result()
            finally:
                for future in done:
                    future.cancel()

    def _take_whole(self) -> None:
        with self._lock:
            if self._local is not None:
                return
            _log.warning(
                "%s: the server knows no ranges; the whole file is fetched (%.1f MB)",
                self._where,
                self.file.size / 1e6,
            )
            self._local = FileReader(self._whole())

    def _read(self, start: int, stop: int) -> None:
        """Read one range, going on where an answer breaks off, and keep it."""
        client = self._client
        if client is None:
            return
        waits = client.waits()
        with self._connections, self._spans.arriving(start) as arriving:
            while True:
                first = start + arriving.length
                headers = {"Range": f"bytes={first}-{stop - 1}"}
                with client.stream(self.file.url, headers, waits=waits) as response:
                    trouble = self._refusal(response, first, stop)
                    if trouble is None:
                        trouble = self._receive(response, arriving, stop - start)
                if arriving.length == stop - start:
                    return
                if first < start + arriving.length:
                    waits.progress()
                waits.wait(None, trouble or self._broken("it ended early"))

    def _refusal(
        self, response: requests.Response, start: int, stop: int
    ) -> ServiceUnavailableError | None:
        """Refuse an answer of another file; say what is wrong with one that may come right."""
        if response.status_code == 200:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                return self._broken("a page came instead of the file")
            raise _IgnoredError
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code == 416 or (found and int(found[3]) != self.file.size):
            raise self._changed()
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _IgnoredError
        if not found or (int(found[1]), int(found[2])) != (start, stop - 1):
            self._wrong += 1
            if self._wrong >= _WRONG:
                raise _IgnoredError
            return self._broken("another range came than was asked for")
        self._wrong = 0
        self._pin(response.headers.get("ETag", ""))
        return None

    def _pin(self, etag: str) -> None:
        """Compare what the server states of the content with the record, and with before."""
        if not etag or etag.startswith("W/"):
            return
        stated = _ETAG_MD5.fullmatch(etag)
        with self._lock:
            self._etag = self._etag or etag
        if self._etag != etag or (stated and self.file.md5 and stated[1] != self.file.md5):
            raise self._changed()

    def _receive(
        self, response: requests.Response, arriving: Arriving, length: int
    ) -> ServiceUnavailableError | None:
        try:
            for block in blocks(response):
                arriving.write(block[: length - arriving.length])
                if arriving.length == length:
                    return None
        except StandstillError as error:
            return self._broken(str(error))
        except broken_bodies() as error:
            return self._broken(in_words(error))
        return self._broken("it ended early")

    def _broken(self, why: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(f"{self._where}: a range did not arrive ({why}); try again")

    def _changed(self) -> ZenodoError:
        return RecordChangedError(
            f"{self._where}: the server has another file than the record stated (MD5 "
            f"{self.file.md5 or 'not stated'}, {self.file.size:,} bytes); open it again"
        )


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    """Cut a range into pieces of about the same size, which then take about the same time."""
    count = -(-(stop - start) // _PIECE)
    cuts = [start + (stop - start) * number // count for number in range(count + 1)]
    return [*pairwise(cuts)]
