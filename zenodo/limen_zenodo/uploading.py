"""Send the files of a staged copy into a draft: only what is not there, each verified."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

from limen_zenodo.client import Client
from limen_zenodo.errors import (
    ChecksumError,
    DepositError,
    NetworkError,
    RecordNotFoundError,
    ServiceUnavailableError,
    ZenodoError,
)
from limen_zenodo.journals import Deposit, Staged, save_deposit

__all__ = ["ServerFile", "once", "server_files", "upload"]

_log = logging.getLogger("limen.zenodo")

_SAY_EVERY = 5.0
_TRIES_OF_WRONG_BYTES = 3


@dataclass(frozen=True, slots=True)
class ServerFile:
    """
    A file of a draft, as the archive has it.

    Parameters
    ----------
    name : str
    complete : bool
        Whether its bytes have arrived and were accepted.
    size : int
        Bytes; -1 if not stated.
    md5 : str
        Hexadecimal; empty if not stated.
    """

    name: str
    complete: bool
    size: int
    md5: str

    def equals(self, file: Staged) -> bool:
        """Tell whether the archive holds this file, whole."""
        return self.complete and (self.size, self.md5) == (file.bytes, file.md5)


def once(client: Client, send: Callable[[], Any], look: Callable[[], Any | None]) -> Any:
    """
    Send what must not be sent twice: after an unclear failure, look first whether it was done.

    Parameters
    ----------
    client : Client
    send : callable
        Sends the request and gives the answer.
    look : callable
        Gives the result if the request was carried out, else None.

    Returns
    -------
    object
        What either gave.
    """
    waits = client.waits()
    while True:
        try:
            return send()
        except ServiceUnavailableError as trouble:
            waits.wait(None, trouble)
        found = look()
        if found is not None:
            return found


def server_files(client: Client, record: str) -> dict[str, ServerFile]:
    """
    List the files of a draft.

    Raises
    ------
    RecordNotFoundError
        If there is no such draft.
    """
    answer = client.get_json(f"/records/{record}/draft/files")
    try:
        files = [_server_file(entry) for entry in answer["entries"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NetworkError(
            f"{client.site.host}: found an answer that lists no files; try again later"
        ) from error
    return {file.name: file for file in files}


def upload(client: Client, deposit: Deposit) -> list[str]:
    """
    Make the files of a draft equal to the staged copy.

    Parameters
    ----------
    client : Client
    deposit : Deposit
        Its journal is kept up to date.

    Returns
    -------
    list of str
        Names of the files that were sent.

    Raises
    ------
    ChecksumError
        If the archive repeatedly stores other bytes than were sent.
    DepositError, AccessError, NetworkError, RecordNotFoundError
    """
    present = server_files(client, deposit.record)
    for name in sorted(present.keys() - deposit.files.keys()):
        _log.info("%s is no file of the bundle any more: removed from the draft", name)
        _delete(client, deposit.record, name)
    missing = [
        name
        for name, file in deposit.files.items()
        if not (name in present and present[name].equals(file))
    ]
    # The manifest goes last: where it is, all is.
    missing.sort(key=lambda name: (name == "bundle.json", name))
    for name in deposit.files:
        deposit.files[name] = replace(deposit.files[name], sent=name not in missing)
    save_deposit(deposit)
    for position, name in enumerate(missing, 1):
        size = deposit.files[name].bytes
        _log.info("sending %s, %s bytes (%d of %d)", name, f"{size:,}", position, len(missing))
        _send(client, deposit, name, present.get(name))
        deposit.files[name] = replace(deposit.files[name], sent=True)
        save_deposit(deposit)
    return missing


def _send(client: Client, deposit: Deposit, name: str, known: ServerFile | None) -> None:
    """Send a file until the archive holds it, beginning with what it has of it."""
    file, waits, wrong = deposit.files[name], client.waits(), 0
    while True:
        try:
            found = _attempt(client, deposit, name, known)
        except (ServiceUnavailableError, _EntryGoneError) as trouble:
            waits.wait(None, trouble)
            known = server_files(client, deposit.record).get(name)
            continue
        if found.equals(file):
            return
        wrong += 1
        differs = ChecksumError(
            f"{name}: {client.site.host} has {found.size} bytes with MD5 {found.md5 or 'unknown'}, "
            f"sent were {file.bytes} with {file.md5}; run it again, and if it stays write to the "
            "archive's support"
        )
        if wrong == _TRIES_OF_WRONG_BYTES:
            raise differs
        waits.wait(None, differs)
        known = found


class _EntryGoneError(ZenodoError):
    """The archive has dropped the entry of a file whose transfer broke."""


def _attempt(client: Client, deposit: Deposit, name: str, known: ServerFile | None) -> ServerFile:
    """Bring a file one way from the state it is known to be in to complete."""
    file, record = deposit.files[name], deposit.record
    place = f"/records/{record}/draft/files/{quote(name, safe='')}"
    if known is not None and known.equals(file):
        return known
    if known is not None:
        _delete(client, record, name)
    entry = {"key": name, "size": file.bytes, "checksum": f"md5:{file.md5}"}
    client.send_json("POST", f"/records/{record}/draft/files", [entry])
    try:
        with _Reading(deposit.copy / name, name, file.bytes) as reading:
            client.send_bytes(f"{place}/content", reading.again, file.bytes)
        committed = client.send_json("POST", f"{place}/commit")
    except RecordNotFoundError as error:
        raise _EntryGoneError(error.message, status=error.status, url=error.url) from error
    except DepositError:
        # A commit after a commit is refused: what counts is what the archive has.
        found = server_files(client, record).get(name)
        if found is None or not found.complete:
            raise
        return found
    try:
        return _server_file(committed)
    except (KeyError, TypeError, ValueError):
        return server_files(client, record).get(name) or ServerFile(name, False, -1, "")


def _server_file(entry: Any) -> ServerFile:
    size = entry.get("size")
    return ServerFile(
        str(entry["key"]),
        entry.get("status") == "completed",
        -1 if size is None else int(size),
        str(entry.get("checksum") or "").removeprefix("md5:"),
    )


def _delete(client: Client, record: str, name: str) -> None:
    with suppress(RecordNotFoundError):
        client.send_json("DELETE", f"/records/{record}/draft/files/{quote(name, safe='')}")


class _Reading:
    """A file to be sent, from its beginning as often as needed; says how far it is."""

    def __init__(self, path: Path, name: str, size: int) -> None:
        self._path, self._name, self._size = path, name, size
        self._stream: BinaryIO | None = None
        self._done, self._said = 0, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(65_536):
            yield block

    def again(self) -> Self:
        """Go back to the beginning."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._done = self._path.open("rb"), 0
        return self

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes."""
        if self._stream is None:
            self.again()
        block = self._stream.read(size) if self._stream is not None else b""
        self._done += len(block)
        if time.monotonic() - self._said > _SAY_EVERY:
            self._said = time.monotonic()
            share = 100 * self._done / max(self._size, 1)
            _log.info("sending %s: %.0f %% of %s bytes", self._name, share, f"{self._size:,}")
        return block
