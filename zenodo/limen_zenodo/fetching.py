"""Fetch published bundles, or the parts that are needed, into the cache or a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from limen.bundle import Bundle, open_bundle
from limen.errors import UsageError
from limen.journal import MANIFEST
from limen_zenodo.bringing import Fetched, Wish, examined, found_in, from_archive, noted
from limen_zenodo.cache import Store
from limen_zenodo.client import Client
from limen_zenodo.errors import OfflineError
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.locks import Lock
from limen_zenodo.parts import DEFAULT_PARTS, wanted_files
from limen_zenodo.patience import Patience
from limen_zenodo.placing import filling, is_right, refuse_other, state_of
from limen_zenodo.sites import Site, site_named

__all__ = ["fetch", "fetch_parts", "is_offline"]

_YES = ("1", "true", "yes", "on")


def is_offline() -> bool:
    """Tell whether the variable ``LIMEN_OFFLINE`` forbids the network."""
    return os.environ.get("LIMEN_OFFLINE", "").strip().lower() in _YES


def fetch(
    identifier: str,
    parts: Sequence[str] = DEFAULT_PARTS,
    *,
    path: str | Path | None = None,
    site: Site | str | None = None,
    latest: bool = False,
    offline: bool = False,
    trust: bool = False,
    token: str | None = None,
    patience: Patience | None = None,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> Bundle:
    """
    Fetch a published bundle, or the parts of it that are needed.

    What was fetched before is taken from the cache without a request. A version never moves on by
    itself; neither does a concept (the DOI of all versions) that was resolved once.

    Parameters
    ----------
    identifier : str
        Id, DOI or address of the record, in any spelling.
    parts : sequence of str
        ``manifest`` (always, with the documents), ``models``, ``scan``, ``preview``,
        ``documents``, ``attachments``, ``all``, or names of files.
    path : str or Path, optional
        Folder of one's own; the cache by default.
    site : Site or str, optional
        Where a bare id lies.
    latest : bool
        Ask again which version is the newest.
    offline : bool
        Ask nobody; so does the variable ``LIMEN_OFFLINE``.
    trust : bool
        Do not run the probes of the models.
    token : str, optional
        By default from the variable that the site names.
    patience : Patience, optional
    timeout : (float, float)
        Longest wait for a connection and for the next bytes [s].

    Returns
    -------
    Bundle
        Verified and examined.

    Raises
    ------
    IdentifierError, UsageError
        If the call is wrong, or ``path`` holds something else.
    OfflineError, NetworkError, RecordNotFoundError, AccessError
        If it cannot be had; what has arrived is used next time.
    ChecksumError, RecordChangedError, UnsafeNameError, IntegrityError, SchemaError, GraphError
        If it is not what record and manifest say, or may not be used; nothing wrong is kept.
    StorageError
        If the disk is full or cannot be written.
    """
    return fetch_parts(
        identifier,
        parts,
        path=path,
        site=site,
        latest=latest,
        offline=offline,
        trust=trust,
        token=token,
        patience=patience,
        timeout=timeout,
    ).bundle


def fetch_parts(
    identifier: str,
    parts: Sequence[str] = DEFAULT_PARTS,
    *,
    path: str | Path | None = None,
    site: Site | str | None = None,
    latest: bool = False,
    offline: bool = False,
    trust: bool = False,
    token: str | None = None,
    patience: Patience | None = None,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> Fetched:
    """
    Fetch as :func:`fetch` does, with its parameters and errors, and say what was done.

    Returns
    -------
    Fetched
    """
    home = site_named(site) if isinstance(site, str) else site
    asked = parse_identifier(identifier, home)
    offline = offline or is_offline()
    if offline and latest:
        raise UsageError("latest: cannot be asked for offline; leave one of the two out")
    target = None if path is None else Path(path).absolute()
    longest = (patience or Patience()).budget
    wish = Wish(asked, tuple(parts), target, latest, trust, longest)
    store = Store(asked.site)
    lock = None if latest else store.pinned(asked)
    if lock is not None:
        found = _at_hand(store, lock, wish)
        if found is not None:
            return found
    if offline:
        raise OfflineError(
            f"{asked.asked}: {'parts of it are' if lock else 'is'} not in the cache {store.root}, "
            "and nothing is fetched offline; fetch it once with a network"
        )
    with Client(asked.site, token, patience=patience, timeout=timeout) as client:
        return from_archive(client, store, lock, wish)


def _at_hand(store: Store, lock: Lock, wish: Wish) -> Fetched | None:
    """Give what is in the cache or the folder already; None if something is missing."""
    cache = store.folder(lock.record)
    folder = wish.path or cache
    refuse_other(wish.path, lock.files)
    source = next((p for p in (folder, cache) if is_right(p, MANIFEST, lock, cache)), None)
    if source is None:
        return None
    files = open_bundle(source).manifest["files"]
    names = [MANIFEST, *wanted_files(files, wish.parts)]
    lacking = [name for name in names if not is_right(folder, name, lock, cache)]
    if lacking and (folder == cache or not all(is_right(cache, n, lock, cache) for n in lacking)):
        return None
    if folder == cache and _examined(cache, lock, wish.trust):
        return found_in(open_bundle(cache), noted(store, lock, wish.asked), {})
    with filling(folder, wish.longest) as place:
        if not all(place.copy(cache / name, name, lock.files[name]) for name in lacking):
            return None
        return examined(store, noted(store, lock, wish.asked), place, wish)


def _examined(cache: Path, lock: Lock, trust: bool) -> bool:
    """Tell whether all that lies in the cache was examined as it is."""
    if not (lock.tried or trust):
        return False
    return {path.name: state_of(path) for path in cache.iterdir()} == dict(lock.seen)
