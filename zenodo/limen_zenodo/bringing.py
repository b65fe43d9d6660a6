"""Bring what is not at hand from the archive, pin it, and examine it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limen.bundle import Bundle
from limen.errors import IntegrityError, LimenError, StorageError
from limen.journal import MANIFEST
from limen_zenodo.cache import Store
from limen_zenodo.client import Client
from limen_zenodo.errors import RecordChangedError
from limen_zenodo.identifiers import Identifier
from limen_zenodo.locks import Lock, Locked
from limen_zenodo.parts import check_listing, check_record, load_manifest, wanted_files
from limen_zenodo.placing import Place, file_is, filling, is_right, refuse_other, state_of
from limen_zenodo.records import Record, RemoteFile, find_record, latest_version
from limen_zenodo.trust import open_examined

__all__ = ["Fetched", "Wish", "examined", "found_in", "from_archive", "noted"]

_log = logging.getLogger("limen.zenodo")


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    A fetched bundle and what was done for it.

    Parameters
    ----------
    bundle : Bundle
    lock : Lock
        What was asked and what it led to.
    files : dict of str to int
        Files that were brought now, with their bytes; the others were there.
    present : tuple of str
        All files of the bundle that are there.
    """

    bundle: Bundle
    lock: Lock
    files: dict[str, int]
    present: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What a caller wants.

    Parameters
    ----------
    asked : Identifier
    parts : tuple of str
    path : Path or None
        Folder of one's own.
    latest, trust : bool
    longest : float
        How long another process is waited for [s].
    """

    asked: Identifier
    parts: tuple[str, ...]
    path: Path | None
    latest: bool
    trust: bool
    longest: float


def from_archive(client: Client, store: Store, lock: Lock | None, wish: Wish) -> Fetched:
    """Ask the archive for what is not at hand."""
    asked = wish.asked
    named = asked if lock is None else Identifier(asked.asked, asked.site, lock.record)
    record = found = find_record(client, named)
    if wish.latest:
        record = latest_version(client, found)
    known = store.lock(record.id)
    check_record(record)
    if known is not None:
        _refuse_changed(known, record)
    folder = wish.path or store.folder(record.id)
    with filling(folder, wish.longest) as place:
        document, fresh = _bring_manifest(client, store, record, known, place, wish)
        # What leads from a version to a newer one is no property of the version.
        if found.id == record.id or asked.record != found.id:
            store.pin(asked, record.id)
        lock = noted(store, fresh, asked)
        names = wanted_files(document["files"], wish.parts)
        _bring(client, store, record, lock, place, names)
        return examined(store, lock, place, wish)


def _refuse_changed(lock: Lock, record: Record) -> None:
    """Refuse a record whose files are others than when it was pinned."""
    differing = [
        name
        for name in sorted(lock.files.keys() | record.files.keys())
        if not _is_same(lock.files.get(name), record.files.get(name))
    ]
    if differing:
        raise RecordChangedError(
            f"{record.page}: was changed at {record.updated or 'an unknown time'}, after it was "
            f"pinned at {lock.resolved}: {', '.join(differing[:10])}; nothing was replaced. To "
            f"take what is there now, run: limen cache clear {lock.doi or lock.record}"
        )


def _is_same(then: Locked | None, now: RemoteFile | None) -> bool:
    if then is None or now is None or then.size != now.size:
        return False
    # An archive may state an MD5 later than it shows the file.
    return then.md5 == now.md5 or not (then.md5 and now.md5)


def _bring_manifest(
    client: Client, store: Store, record: Record, lock: Lock | None, place: Place, wish: Wish
) -> tuple[dict[str, Any], Lock]:
    """Bring the manifest, compare it with the record, and pin the record."""
    asked = wish.asked.asked
    known = lock or Lock.of(record, asked, "", {})
    refuse_other(wish.path, known.files)
    cache = store.folder(record.id)
    at = next(
        (p for p in (place.folder, cache) if file_is(p / MANIFEST, known.files[MANIFEST])), None
    )
    if at is None:
        at = place.room / "manifest"
        at.mkdir()
        Place(at, place.room, place.incoming).download(client, record, known, [MANIFEST])
    document = load_manifest(at / MANIFEST, record.page)
    sha256 = Bundle(at, document).manifest_sha256
    check_listing(record, document, sha256)
    fresh = lock or Lock.of(record, asked, sha256, document["files"])
    if at != place.folder and not place.copy(at / MANIFEST, MANIFEST, fresh.files[MANIFEST]):
        raise IntegrityError(f"{at / MANIFEST}: changed while it was copied; run it again")
    if lock is None:
        store.save(fresh)
    return document, fresh


def _bring(
    client: Client, store: Store, record: Record, lock: Lock, place: Place, names: Sequence[str]
) -> None:
    """Bring the files that are not there: from the cache, else from the archive."""
    cache = store.folder(record.id)
    lacking = [name for name in names if not is_right(place.folder, name, lock, cache)]
    if place.folder != cache:
        lacking = [
            name
            for name in lacking
            if name not in lock.files or not place.copy(cache / name, name, lock.files[name])
        ]
    if lacking:
        place.download(client, record, lock, lacking)


def examined(store: Store, lock: Lock, place: Place, wish: Wish) -> Fetched:
    """Examine all that is there; what came now goes again if it does not pass."""
    own = place.folder == store.folder(lock.record)
    try:
        bundle = open_examined(place.folder, trust=wish.trust)
    except StorageError:
        raise
    except LimenError:
        place.undo()
        if own and MANIFEST in place.placed:
            store.forget(lock.record)
        raise
    if own:
        seen = {path.name: state_of(path) for path in place.folder.iterdir()}
        tried = not wish.trust or (lock.tried and seen == dict(lock.seen))
        lock = replace(lock, seen=seen, tried=tried)
        store.save(lock)
    return found_in(bundle, lock, place.placed)


def found_in(bundle: Bundle, lock: Lock, placed: dict[str, int]) -> Fetched:
    """Say what is there, and what of it came now."""
    names = (MANIFEST, *bundle.manifest["files"])
    return Fetched(
        bundle, lock, dict(placed), tuple(name for name in names if (bundle.path / name).exists())
    )


def noted(store: Store, lock: Lock, asked: Identifier) -> Lock:
    """Note in the lock what was asked; a cache that cannot be written does without."""
    if asked.asked in lock.asked:
        return lock
    fresh = replace(lock, asked=(*lock.asked, asked.asked))
    try:
        store.save(fresh)
    except StorageError as error:
        _log.debug("%s", error)
    return fresh
