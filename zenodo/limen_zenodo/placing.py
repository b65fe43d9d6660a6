"""Files of a record brought into a folder: each one whole, verified, at its place at once."""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from limen import journal, resources
from limen.errors import LimenError, UsageError
from limen.journal import MANIFEST
from limen_zenodo.client import Client
from limen_zenodo.downloading import Transfer
from limen_zenodo.errors import ChecksumError, RecordChangedError
from limen_zenodo.identifiers import Identifier
from limen_zenodo.incoming import incoming_folder, waiting_room
from limen_zenodo.locks import Lock, Locked
from limen_zenodo.progress import Progress
from limen_zenodo.records import Record, RemoteFile, find_record

__all__ = ["Place", "file_is", "filling", "is_right", "refuse_other", "state_of"]

_log = logging.getLogger("limen.zenodo")

_AT_ONCE = 3
_LOOK_EVERY = 0.1


def state_of(path: Path) -> list[int]:
    """Give size and time of change of a file; none of both if there is no plain file."""
    try:
        if path.is_symlink() or not path.is_file():
            return []
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def file_is(path: Path, known: Locked) -> bool:
    """Tell whether a file has the size and all the hashes that are known of it."""
    state = state_of(path)
    if not state or state[0] != known.size or not (known.md5 or known.sha256):
        return False
    hashes = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            for each in hashes.values():
                each.update(block)
    return all(
        wanted in ("", hashes[name].hexdigest())
        for name, wanted in (("md5", known.md5), ("sha256", known.sha256))
    )


@contextmanager
def _taking_turns(folder: Path, longest: float) -> Iterator[None]:
    """
    Wait while another process fills a folder; a courtesy, which nothing depends on.

    Parameters
    ----------
    folder : Path
    longest : float
        After that many seconds both go on [s].
    """
    deadline, said = time.monotonic() + longest, False
    while True:
        with ExitStack() as stack:
            try:
                held = stack.enter_context(resources.folder_lock(folder, wait=False))
            except PermissionError:
                raise
            except OSError:
                held = True  # a file system without locks
            if held or time.monotonic() > deadline:
                yield
                return
        if not said:
            _log.info("%s: another process is fetching it; waiting", folder)
            said = True
        time.sleep(_LOOK_EVERY)


def is_right(folder: Path, name: str, lock: Lock, cache: Path) -> bool:
    """Tell whether a file is there and right; one in the cache that is wrong is removed."""
    path, known = folder / name, lock.files.get(name)
    state = state_of(path)
    if known is None or not (state or path.is_symlink()):
        return False
    if state and folder == cache and lock.seen.get(name) == state:
        return True
    if file_is(path, known):
        return True
    if folder != cache:
        raise ChecksumError(
            f"{path}: is not what {lock.doi or lock.record} holds; remove it, or choose another "
            "folder"
        )
    _log.warning("%s: was changed in the cache and is removed", path)
    path.unlink(missing_ok=True)
    return False


@contextmanager
def filling(folder: Path, longest: float) -> Iterator[Place]:
    """Open a folder for what comes; what another process does there is waited for."""
    made = not folder.exists()
    with journal.storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        incoming = incoming_folder(folder)
        try:
            with _taking_turns(folder, longest), waiting_room(incoming) as room:
                yield Place(folder, room, incoming)
        finally:
            if made:
                with suppress(OSError):
                    folder.rmdir()  # goes only if nothing came


def refuse_other(path: Path | None, files: Mapping[str, Locked]) -> None:
    """Refuse a folder that holds something else than this bundle."""
    if path is None or not path.exists():
        return
    if not path.is_dir():
        raise UsageError(f"{path}: found a file, allowed a folder; choose another name")
    names = {entry.name for entry in path.iterdir()}
    if names and not file_is(path / MANIFEST, files[MANIFEST]):
        raise UsageError(
            f"{path}: holds something else than this bundle; choose a new folder, or remove it"
        )
    other = sorted(names - files.keys())
    if other:
        shown = ", ".join(map(repr, other[:10]))
        raise UsageError(f"{path}: holds files that are not in the record: {shown}; move them away")


@dataclass(slots=True)
class Place:
    """
    A folder that is being filled.

    Parameters
    ----------
    folder : Path
    room : Path
        Folder of this process on the same disk, for what is complete but not at its place.
    incoming : Path
        Folder for parts that are not complete.
    placed : dict of str to int
        Files that were put there, with their bytes.
    """

    folder: Path
    room: Path
    incoming: Path
    placed: dict[str, int] = field(default_factory=dict)

    def copy(self, source: Path, name: str, known: Locked) -> bool:
        """Put a copy of a file there, if it is what it should be."""
        if not state_of(source):
            return False
        shutil.copyfile(source, self.room / name)
        if not file_is(self.room / name, known):
            return False
        resources.sync_file(self.room / name)
        self.put(name)
        return True

    def put(self, name: str) -> None:
        """Move a complete file from the room to its place."""
        size = (self.room / name).stat().st_size
        # Another process may have removed it while it was empty.
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.room / name).replace(self.folder / name)
        self.placed[name] = size

    def undo(self) -> None:
        """Remove what was put there."""
        for name in self.placed:
            (self.folder / name).unlink(missing_ok=True)

    def download(self, client: Client, record: Record, lock: Lock, names: Sequence[str]) -> None:
        """
        Fetch files and put each at its place when it is complete.

        Raises
        ------
        ChecksumError, RecordChangedError, NetworkError, AccessError, RecordNotFoundError
        StorageError
        """
        files = [record.file(name) for name in names]
        progress = Progress(record.doi or record.id, sum(file.size for file in files))
        stop = threading.Event()
        pool = ThreadPoolExecutor(min(_AT_ONCE, max(len(files), 1)))
        try:
            running = [
                pool.submit(
                    self._one, client, record, file, lock.files[file.name].sha256, progress, stop
                )
                for file in sorted(files, key=lambda file: file.size)
            ]
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for work in done:
                work.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def _one(
        self,
        client: Client,
        record: Record,
        file: RemoteFile,
        sha256: str,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        _log.info("fetching %s, %s bytes", file.name, f"{file.size:,}")
        transfer = Transfer(client, file, sha256, self.incoming, progress, stop)
        try:
            with journal.storing(self.folder):
                self.transfer(transfer)
        except RecordChangedError:
            raise
        except ChecksumError as error:
            raise _explained(client, record, transfer, error) from error

    def transfer(self, transfer: Transfer) -> None:
        """Let pooch fetch a file into the room, verify it and have it put at its place."""
        import pooch

        file = transfer.file
        known = f"sha256:{transfer.sha256}" if transfer.sha256 else f"md5:{file.md5}"
        # It would print what the log says already.
        pooch.get_logger().setLevel(logging.WARNING)
        if not (transfer.sha256 or file.md5):
            transfer(file.url, self.room / file.name)
        else:
            store = pooch.create(
                self.room, base_url="", registry={file.name: known}, urls={file.name: file.url}
            )
            try:
                store.fetch(file.name, downloader=transfer)
            except LimenError:
                raise
            except ValueError as error:
                raise ChecksumError(f"{file.name}: changed on the disk; run it again") from error
        self.put(file.name)


def _explained(
    client: Client, record: Record, transfer: Transfer, error: ChecksumError
) -> ChecksumError:
    """Tell a record that was changed from bytes that came wrong."""
    name = transfer.file.name
    again = find_record(client, Identifier(record.id, record.site, record.id))
    now = again.files.get(name)
    changed = now is None or (now.md5, now.size) != (transfer.file.md5, transfer.file.size)
    if changed or (now is not None and now.md5 and now.md5 == transfer.found):
        return RecordChangedError(
            f"{record.page}: was changed at {again.updated or 'an unknown time'}: {name} is not "
            "what record and manifest said; what was fetched was removed, ask its authors"
        )
    return error
