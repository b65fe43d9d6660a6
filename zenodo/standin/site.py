"""The stand-in archive as tests hold it: start, publish, break, look inside."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from standin.drafting import publish as publish_entry
from standin.faults import Fault, Faults
from standin.files import StoredFile, now
from standin.limits import RateLimit
from standin.options import Options
from standin.server import Request, Server
from standin.store import Edit, Entry, Store

__all__ = ["Published", "StandIn"]

_METADATA: dict[str, Any] = {
    "title": "Toy scan",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-02-03",
    "version": "1.0.0",
    "publisher": "Zenodo",
    "description": "<p>Made up.</p>",
    "creators": [
        {"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jane"}}
    ],
    "rights": [{"id": "cc-by-4.0"}],
}


@dataclass(frozen=True, slots=True)
class Published:
    """Ids and DOIs of a published version."""

    id: int
    concept: int
    doi: str
    concept_doi: str


class StandIn:
    """
    An archive on this machine that speaks like Zenodo.

    Parameters
    ----------
    port : int
        0 for a free one.
    **options
        See ``standin.options.Options``.

    Examples
    --------
    >>> with StandIn() as site:
    ...     record = site.publish({"a.txt": b"abc"}, title="An example")
    ...     record.doi
    '10.5281/zenodo.7000002'
    """

    def __init__(self, port: int = 0, **options: Any) -> None:
        self.options = Options(**options)
        self.store = Store(self.options)
        self.faults = Faults()
        self.limit = RateLimit()
        self.log: list[Request] = []
        self._server = Server(self, port)
        self._threads: list[threading.Thread] = []
        self._others: list[Server] = []

    @property
    def url(self) -> str:
        """Address of the pages."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api(self) -> str:
        """Address of the interface for programs."""
        return f"{self.url}/api"

    @property
    def resolver(self) -> str:
        """Where DOIs are resolved: ``{resolver}/{doi}``."""
        return f"{self.url}/doi-resolver"

    @property
    def doi_prefix(self) -> str:
        """Prefix of the DOIs that it mints."""
        return self.options.doi_prefix

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Serve, in a thread."""
        self._run(self._server)
        return self

    def _run(self, server: Server) -> None:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Stop serving and forget everything."""
        for server in (self._server, *self._others):
            if self._threads:
                server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self.store.close()

    def serve_tls(self, context: Any) -> int:
        """Serve over TLS as well, with a context of ``ssl``; give the port."""
        server = Server(self, 0, context)
        self._others.append(server)
        self._run(server)
        return server.server_port

    def token(self, *scopes: str, user: str = "1") -> str:
        """Give a new token; of both scopes if none is named."""
        return self.store.token(user, frozenset(scopes or ("deposit:write", "deposit:actions")))

    def community(self, slug: str, title: str = "", *, is_open: bool = True) -> str:
        """Make a community; give its id."""
        return self.store.community(slug, title, is_open=is_open).id

    def publish(
        self,
        files: Path | str | Mapping[str, bytes | Path],
        title: str = "Toy scan",
        metadata: Mapping[str, Any] | None = None,
        concept: int | None = None,
        community: str | None = None,
        access: str = "open",
        *,
        user: str = "1",
    ) -> Published:
        """
        Publish a record or a next version, past all checks.

        Parameters
        ----------
        files : path or mapping
            A folder, all files of which are taken, or names and their bytes (or paths).
        title : str
        metadata : mapping, optional
            Added to the metadata, in the RDM shape.
        concept : int, optional
            Concept of which it is the next version.
        community : str, optional
            Slug; the community is made if there is none.
        access : str
            ``open``, ``restricted`` or ``embargoed``.
        user : str
            Whose it is.

        Returns
        -------
        Published
        """
        content = Edit({**_METADATA, "title": title, **(metadata or {})}, _access(access), {})
        with self.store.lock:
            known = self.store.concepts[concept] if concept is not None else None
            entry = self.store.new_entry(user, content, known)
            entry.concept.draft = None
            entry.files = {key: StoredFile.of(key, source) for key, source in _sources(files)}
            entry.content.pids.setdefault("doi", self.store.pid(entry.id))
            entry.reserved = self.store.doi(entry.id)
            entry.published = True
            entry.concept.versions.append(entry.id)
            if community and community not in entry.concept.communities:
                self.store.community(community)
                entry.concept.communities.append(community)
        return self._published(entry)

    def _published(self, entry: Entry) -> Published:
        concept = entry.concept.id
        return Published(entry.id, concept, entry.doi, self.store.doi(concept))

    def accept(self, number: int) -> Published:
        """Accept a draft that was submitted to a community: it is published there."""
        entry = self.record(number)
        for one in self.store.communities.values():
            if one.id == entry.concept.review:
                entry.concept.communities.append(one.slug)
        entry.concept.review = entry.concept.review_status = ""
        publish_entry(self.store, entry)
        return self._published(entry)

    def decline(self, number: int) -> None:
        """Decline a draft that was submitted to a community: it stays a draft."""
        self.record(number).concept.review_status = "declined"

    def withdraw(
        self, number: int, reason: str = "retracted", note: str = "", *, visible: bool = True
    ) -> None:
        """Withdraw a record; its tombstone answers 410, or 404 if it is hidden."""
        entry = self.record(number)
        metadata = entry.content.metadata
        entry.tombstone = {
            "removal_reason": {"id": reason},
            "note": note,
            "removal_date": now(),
            "citation_text": f"Doe, J. (2026). {metadata.get('title')}. Zenodo. {entry.doi}",
            "is_visible": visible,
            "removed_by": {"user": "system"},
            "deletion_policy": {"id": "grace-period-v1"},
        }

    def change(self, number: int, name: str, data: bytes) -> None:
        """Change a file after publication, as owners may."""
        entry = self.record(number)
        entry.files[name] = StoredFile.of(name, data)
        entry.touch()

    def fail(self, fault: Fault) -> None:
        """Let something go wrong."""
        self.faults.add(fault)

    def rate_limit(self, limit: int | None = 60, window: float = 60.0) -> None:
        """Allow so many requests per window [s], for each user and for all guests together."""
        self.limit.set(limit, window)

    def clear_log(self) -> None:
        """Forget the requests so far."""
        self.log.clear()

    def drafts(self) -> list[Entry]:
        """Give all drafts that were never published."""
        return [entry for entry in self.store.entries.values() if not entry.published]

    def record(self, number: int) -> Entry:
        """
        Give a record or draft as it is stored.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self.store.entries[int(number)]

    def files(self, number: int) -> dict[str, bytes]:
        """Give the files of a record or draft."""
        return {key: file.read() for key, file in self.record(number).files.items()}


def _sources(files: Path | str | Mapping[str, bytes | Path]) -> list[tuple[str, bytes | Path]]:
    if isinstance(files, Mapping):
        return list(files.items())
    folder = Path(files)
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path) for path in found]


def _access(name: str) -> dict[str, Any]:
    embargo: dict[str, Any] = {"active": name == "embargoed", "reason": None}
    if name == "embargoed":
        embargo["until"] = "2099-01-01"
    files = "public" if name == "open" else "restricted"
    return {"record": "public", "files": files, "embargo": embargo}
