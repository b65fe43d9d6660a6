"""What the archive holds: concepts, versions, drafts, communities and tokens."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin.answers import RefusalError
from standin.files import StoredFile, identifier, now
from standin.options import Options

__all__ = ["GONE", "OPEN", "Community", "Concept", "Edit", "Entry", "Store", "Token"]

OPEN: dict[str, Any] = {
    "record": "public",
    "files": "public",
    "embargo": {"active": False, "reason": None},
}
GONE = "The persistent identifier does not exist."
_STAGES = {"created": "draft_with_review", "submitted": "in_review", "declined": "declined"}


@dataclass(slots=True)
class Token:
    """A token: whose it is and what it may."""

    value: str
    user: str
    scopes: frozenset[str]


@dataclass(slots=True)
class Community:
    """A community; records join an open one without review."""

    slug: str
    title: str
    open: bool = True
    id: str = field(default_factory=identifier)


@dataclass(slots=True)
class Concept:
    """What all versions of a record share; ``review`` is the id of a community."""

    id: int
    versions: list[int] = field(default_factory=list)
    communities: list[str] = field(default_factory=list)
    draft: int | None = None
    review: str = ""
    review_status: str = ""


@dataclass(slots=True)
class Edit:
    """What of a record can be edited."""

    metadata: dict[str, Any]
    access: dict[str, Any]
    pids: dict[str, Any]
    enabled: bool = True


@dataclass(slots=True)
class Entry:
    """A version: first a draft, then a published record, which may have an edit in progress."""

    id: int
    concept: Concept
    owner: str
    content: Edit
    files: dict[str, StoredFile] = field(default_factory=dict)
    edit: Edit | None = None
    published: bool = False
    visible_at: float = 0.0
    revision: int = 1
    index: int = 1
    reserved: str = ""
    tombstone: dict[str, Any] | None = None
    legacy_communities: list[str] = field(default_factory=list)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    @property
    def draft(self) -> Edit | None:
        """What can be edited now; None if nothing can."""
        return self.edit if self.published else self.content

    @property
    def public(self) -> bool:
        """Whether it is published and visible."""
        return self.published and time.monotonic() >= self.visible_at

    @property
    def doi(self) -> str:
        """DOI of the version; empty if it has none."""
        return str(self.content.pids.get("doi", {}).get("identifier", ""))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size or 0 for file in self.files.values())

    @property
    def stage(self) -> str:
        """``published``, or what became of the draft and its review."""
        if self.published:
            return "published"
        if self.concept.review:
            return _STAGES[self.concept.review_status]
        return "new_version_draft" if self.concept.versions else "draft"

    def touch(self) -> None:
        """Count a change."""
        self.revision += 1
        self.updated = now()

    @property
    def status(self) -> str:
        """``open``, ``restricted`` or ``embargoed``."""
        if self.content.access.get("embargo", {}).get("active"):
            return "embargoed"
        return "restricted" if self.content.access.get("files") == "restricted" else "open"


class Store:
    """
    The memory of one archive.

    Parameters
    ----------
    options : Options
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.entries: dict[int, Entry] = {}
        self.concepts: dict[int, Concept] = {}
        self.communities: dict[str, Community] = {}
        self.tokens: dict[str, Token] = {}
        self._last = 7_000_000
        self._folder = tempfile.TemporaryDirectory(prefix="standin-")

    def close(self) -> None:
        """Remove what was uploaded."""
        self._folder.cleanup()

    def number(self) -> int:
        """Give the next id."""
        with self.lock:
            self._last += 1
            return self._last

    def upload_path(self) -> Path:
        """Give a new path for uploaded bytes."""
        return Path(self._folder.name) / identifier()

    def doi(self, number: int) -> str:
        """Give the DOI that the archive mints for an id."""
        return f"{self.options.doi_prefix}/zenodo.{number}"

    def pid(self, number: int) -> dict[str, Any]:
        """Give the DOI of an id as the RDM shape has it."""
        return {"identifier": self.doi(number), "provider": "datacite", "client": "datacite"}

    def token(self, user: str, scopes: frozenset[str]) -> str:
        """Make a token."""
        value = secrets.token_hex(30)
        self.tokens[value] = Token(value, user, scopes)
        return value

    def community(self, slug: str, title: str = "", *, is_open: bool = True) -> Community:
        """Give a community, made if there is none."""
        with self.lock:
            return self.communities.setdefault(slug, Community(slug, title or slug, is_open))

    def new_entry(self, owner: str, content: Edit, concept: Concept | None = None) -> Entry:
        """Make a draft, of a new concept if none is given."""
        with self.lock:
            if concept is None:
                concept = Concept(self.number())
                self.concepts[concept.id] = concept
            entry = Entry(self.number(), concept, owner, content)
            entry.index = len(concept.versions) + 1
            concept.draft = entry.id
            self.entries[entry.id] = entry
            return entry

    def latest(self, concept: Concept) -> Entry | None:
        """Give the latest version that is public or withdrawn; a withdrawn one only if all are."""
        found = [self.entries[number] for number in concept.versions]
        found = [entry for entry in found if entry.public]
        kept = [entry for entry in found if entry.tombstone is None]
        return (kept or found or [None])[-1]  # type: ignore[list-item]

    def by_doi(self, doi: str) -> int | None:
        """Give the id, of a version or a concept, that a DOI names."""
        wanted = doi.lower()
        for entry in self.entries.values():
            if entry.public and wanted in (entry.doi.lower(), self.doi(entry.id).lower()):
                return entry.id
        for concept in self.concepts.values():
            if self.doi(concept.id).lower() == wanted and self.latest(concept):
                return concept.id
        return None

    def published(self, number: int) -> Entry:
        """
        Give a published version.

        Raises
        ------
        RefusalError
            404 if there is none, 410 if it was withdrawn.
        """
        entry = self.entries.get(number)
        if entry is None:
            raise RefusalError(404, GONE)
        if not entry.public:
            raise RefusalError(404, "The persistent identifier is not registered.")
        if entry.tombstone is not None:
            if not entry.tombstone["is_visible"]:
                raise RefusalError(404, GONE)
            raise RefusalError(410, "Record deleted", tombstone=entry.tombstone)
        return entry

    def drafted(self, number: int) -> Entry:
        """
        Give a version that has a draft.

        Raises
        ------
        RefusalError
            404 if there is none.
        """
        entry = self.entries.get(number)
        if entry is None or entry.tombstone is not None:
            raise RefusalError(404, GONE)
        if entry.draft is None and entry.public:
            raise RefusalError(404, GONE)
        return entry
