"""
What was fetched before: bundles by host and record, each with a lock beside it.

``records/HOST/ID/`` is a bundle, ``records/HOST/ID.lock.json`` says what was asked and what it led
to, ``records/HOST/asked/`` leads from concepts and DOIs of others to records. Beside them are
manifests that searching read, ranges of scans that were read remotely, and trials of models.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from limen import journal, schema
from limen.errors import LimenError, StorageError, UsageError
from limen.resources import cache_folder, folder_lock
from limen_zenodo.errors import NetworkError
from limen_zenodo.identifiers import Identifier
from limen_zenodo.incoming import incoming_folder
from limen_zenodo.locks import Lock
from limen_zenodo.sites import Site

__all__ = ["OTHERS", "Store", "cached", "clear", "others"]

OTHERS = ("manifests", "ranges", "trials")

_RECORD = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
_LOCK = ".lock.json"
_LARGEST = 16 * 2**20


class Store:
    """
    The cache of one archive.

    Parameters
    ----------
    site : Site
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        host = re.sub(r"[^A-Za-z0-9.-]", "_", site.host)
        self.root = cache_folder() / "records" / host
        self._ranges = cache_folder() / "ranges" / host

    def folder(self, record: str) -> Path:
        """
        Give the folder of a record's bundle; it may not exist.

        Raises
        ------
        NetworkError
            If an archive gave an id that is none.
        """
        if not _RECORD.fullmatch(record):
            raise NetworkError(f"{self.site.host}: found {record!r} where an id was expected")
        return self.root / record

    def lock(self, record: str) -> Lock | None:
        """Give the lock of a record; None if there is none that can be read."""
        folder = self.folder(record)
        return _load(folder.with_name(f"{record}{_LOCK}"))

    def save(self, lock: Lock) -> None:
        """
        Write a lock.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        folder = self.folder(lock.record)
        _write(folder.with_name(f"{lock.record}{_LOCK}"), lock.to_dict())

    def pinned(self, identifier: Identifier) -> Lock | None:
        """Give the lock that an identifier was resolved to before."""
        if identifier.record:
            own = self.lock(identifier.record)
            if own is not None:
                return own
        try:
            record = str(schema.load_json(self._asked(identifier), _LARGEST)["record"])
        except (LimenError, OSError, KeyError):
            return None
        return self.lock(record) if _RECORD.fullmatch(record) else None

    def pin(self, identifier: Identifier, record: str) -> None:
        """Remember what a concept or a DOI of others led to."""
        if identifier.record != record:
            facts = {"asked": identifier.record or identifier.doi, "record": record}
            _write(self._asked(identifier), facts)

    def _asked(self, identifier: Identifier) -> Path:
        name = identifier.record
        if not name:
            name = f"doi-{hashlib.sha256(identifier.doi.encode()).hexdigest()[:32]}"
        return self.root / "asked" / f"{name}.json"

    def forget(self, record: str) -> int:
        """
        Remove what is kept of a record, and give its bytes.

        Raises
        ------
        StorageError
            If it cannot be removed.
        """
        folder = self.folder(record)
        places = (folder, incoming_folder(folder), self._ranges / record)
        size = sum(map(_bytes, places))
        with journal.storing(folder):
            folder.with_name(f"{record}{_LOCK}").unlink(missing_ok=True)
            for path in places:
                if path.is_symlink():
                    path.unlink()
                elif path.exists():
                    shutil.rmtree(path)
            for path in self.root.glob("asked/*.json"):
                with suppress(LimenError):
                    if schema.load_json(path, _LARGEST).get("record") == record:
                        path.unlink(missing_ok=True)
        return size


def cached() -> list[tuple[Lock, Path, int]]:
    """
    List what the cache holds.

    Returns
    -------
    list of (Lock, Path, int)
        Each record's lock, folder, and bytes on disk, also of what is on its way.
    """
    found = []
    for path in sorted((cache_folder() / "records").glob(f"*/*{_LOCK}")):
        lock = _load(path)
        if lock is not None:
            folder = path.with_name(path.name.removesuffix(_LOCK))
            found.append((lock, folder, _bytes(folder) + _bytes(incoming_folder(folder))))
    return found


def others() -> list[tuple[str, Path, int]]:
    """
    List what the cache holds beside bundles: what searching and remote reading keep.

    Returns
    -------
    list of (str, Path, int)
        Name, folder, and bytes on disk of each that there is.
    """
    places = [(name, cache_folder() / name) for name in OTHERS]
    return [(name, place, _bytes(place)) for name, place in places if place.is_dir()]


def clear(identifiers: Iterable[Identifier] | None = None) -> list[tuple[str, int]]:
    """
    Remove records from the cache.

    Parameters
    ----------
    identifiers : iterable of Identifier, optional
        Which; with a concept, all its versions. Everything that was ever fetched by default, with
        what :func:`others` lists.

    Returns
    -------
    list of (str, int)
        DOI and bytes of the bundles that were removed.

    Raises
    ------
    UsageError
        If one of them is not in the cache; nothing is removed then.
    StorageError
        If another process is just fetching one of them (nothing is removed then), or something
        cannot be removed.
    """
    known = cached()
    if identifiers is None:
        removed = [(lock.doi or lock.record, size) for lock, _, size in known]
        _refuse_busy((cache_folder() / "records").glob("*/*"))
        for name in ("records", *OTHERS):
            place = cache_folder() / name
            with journal.storing(place):
                if place.exists():
                    shutil.rmtree(place)
        return removed
    chosen: dict[Path, tuple[Lock, Site]] = {}
    for identifier in identifiers:
        here = [
            (lock, folder)
            for lock, folder, _ in known
            if lock.host == identifier.site.host and _fits(lock, identifier)
        ]
        if not here:
            raise UsageError(
                f"{identifier.asked}: is not in the cache; see what is: limen cache list"
            )
        chosen |= {folder: (lock, identifier.site) for lock, folder in here}
    _refuse_busy(chosen)
    return [
        (lock.doi or lock.record, Store(site).forget(lock.record)) for lock, site in chosen.values()
    ]


def _refuse_busy(folders: Iterable[Path]) -> None:
    """Refuse to take away what another process is filling."""
    for folder in folders:
        busy = False
        with suppress(OSError), folder_lock(folder, wait=False) as held:
            busy = not held
        if busy:
            raise StorageError(
                f"{folder}: another process is fetching it; nothing was removed, try again when "
                "it is done"
            )


def _fits(lock: Lock, identifier: Identifier) -> bool:
    if identifier.record:
        return identifier.record in (lock.record, lock.concept)
    return identifier.doi in (lock.doi.lower(), lock.concept_doi.lower())


def _load(path: Path) -> Lock | None:
    try:
        return Lock.from_dict(schema.load_json(path, _LARGEST))
    except (LimenError, OSError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document whole or not at all, whoever else writes it."""
    working = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with journal.storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            working.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
            working.replace(path)
        finally:
            working.unlink(missing_ok=True)


def _bytes(folder: Path) -> int:
    """Sum up the files below a folder as they are now."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            total += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return total
