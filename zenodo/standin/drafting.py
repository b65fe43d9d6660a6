"""Drafts: what both interfaces for depositing do to them."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from typing import Any

from standin.answers import RefusalError
from standin.files import StoredFile
from standin.store import GONE, Edit, Entry, Store
from standin.validation import faults_of

__all__ = [
    "TOO_MANY",
    "begin_edit",
    "check_file",
    "discard",
    "import_files",
    "new_version",
    "publish",
    "reserve",
]

TOO_MANY = "Uploading selected files will result in exceeding the max amount per record."


def reserve(store: Store, entry: Entry) -> None:
    """
    Reserve the DOI of a draft.

    Raises
    ------
    RefusalError
        400 if it has one.
    """
    content = _draft(entry)
    if content.pids.get("doi"):
        message = "A PID already exists for type doi"
        raise RefusalError(400, "A validation error occurred.", [("pids.doi", message)])
    content.pids["doi"] = store.pid(entry.id)
    entry.reserved = store.doi(entry.id)
    entry.touch()


def _draft(entry: Entry) -> Edit:
    if entry.draft is None:
        raise RefusalError(404, GONE)
    return entry.draft


def check_file(
    store: Store, entry: Entry, key: str, size: int | None, *, more: int = 1, empty: bool = True
) -> None:
    """
    Check that a draft may take a file.

    Raises
    ------
    RefusalError
        400 if there are too many or it is too large or has no bytes; 403 if files are locked.
    """
    options = store.options
    if entry.published:
        raise RefusalError(403, "Permission denied.")
    if not key or len(key) > 255:
        raise RefusalError(400, "A validation error occurred.", [("key", "Invalid length.")])
    if key not in entry.files and len(entry.files) + more > options.max_files:
        raise RefusalError(400, TOO_MANY)
    if size is None:
        return
    if size == 0 and empty and not options.empty_files:
        raise RefusalError(400, "Empty files are not accepted.")
    if size > options.quota:
        raise RefusalError(400, "File size limit exceeded.")
    others = sum(file.size or 0 for name, file in entry.files.items() if name != key)
    if others + size > options.quota:
        raise RefusalError(400, "Bucket quota exceeded.")


def publish(store: Store, entry: Entry) -> None:
    """
    Publish a draft, or an edit of a record.

    Raises
    ------
    RefusalError
        400 with its faults; 404 if there is no draft.
    """
    if entry.published and entry.edit is None:
        raise RefusalError(404, GONE)
    content = _draft(entry)
    found = faults_of(content.metadata, content.access) + _file_faults(entry, content)
    doi = content.pids.get("doi")
    if not doi and entry.reserved:
        found.append(("pids.doi", f"doi:{entry.reserved} already exists."))
    if found:
        raise RefusalError(400, "A validation error occurred.", found)
    if not doi:
        content.pids["doi"] = store.pid(entry.id)
        entry.reserved = store.doi(entry.id)
    if entry.published:
        entry.content, entry.edit = content, None
    else:
        _first(store, entry)
    entry.touch()


def _file_faults(entry: Entry, content: Edit) -> list[tuple[str, str]]:
    if not content.enabled:
        return [("files.enabled", "Metadata-only records are disabled.")]
    if not entry.files:
        return [
            (
                "files.enabled",
                "Missing uploaded files. To disable files for this record please mark it as "
                "metadata-only.",
            )
        ]
    if not all(file.completed for file in entry.files.values()):
        return [("files", "One or more files have not completed their transfer, please wait.")]
    return []


def _first(store: Store, entry: Entry) -> None:
    concept = entry.concept
    entry.published = True
    entry.visible_at = time.monotonic() + store.options.publish_delay
    entry.index = len(concept.versions) + 1
    concept.versions.append(entry.id)
    if concept.draft == entry.id:
        concept.draft = None
    for slug in entry.legacy_communities:
        known = store.communities.get(slug)
        if known and known.open and slug not in concept.communities:
            concept.communities.append(slug)


def begin_edit(entry: Entry) -> None:
    """Open an edit of a published record; one that is open stays."""
    if entry.published and entry.edit is None:
        entry.edit = copy.deepcopy(entry.content)


def discard(store: Store, entry: Entry) -> None:
    """Discard an edit, or a draft with its files."""
    if entry.published:
        _draft(entry)
        entry.edit = None
        return
    del store.entries[entry.id]
    if entry.concept.draft == entry.id:
        entry.concept.draft = None
    if not entry.concept.versions and entry.concept.draft is None:
        store.concepts.pop(entry.concept.id, None)


def new_version(store: Store, entry: Entry, *, keep: Iterable[str] = ()) -> Entry:
    """
    Give a draft of a new version: the one that is open, or a new one without files.

    Parameters
    ----------
    store : Store
    entry : Entry
        A published version.
    keep : iterable of str
        Fields that are copied although they belong to one version.
    """
    if entry.concept.draft is not None and store.options.one_open_draft:
        return store.entries[entry.concept.draft]
    base = store.latest(entry.concept) or entry
    metadata: dict[str, Any] = copy.deepcopy(base.content.metadata)
    for key in {"publication_date", "version"} - set(keep):
        metadata.pop(key, None)
    content = Edit(metadata, copy.deepcopy(base.content.access), {})
    return store.new_entry(entry.owner, content, entry.concept)


def import_files(store: Store, entry: Entry) -> None:
    """
    Link all files of the version before.

    Raises
    ------
    RefusalError
        400 if the draft has files.
    """
    if entry.files:
        raise RefusalError(400, "Please remove all files first.")
    before = store.latest(entry.concept)
    for file in before.files.values() if before else ():
        entry.files[file.key] = StoredFile(file.key, file.source, file.size, file.md5, True)
    entry.touch()
