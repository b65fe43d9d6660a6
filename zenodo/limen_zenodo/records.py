"""Records of an archive, from either of the two shapes in which they come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from limen_zenodo.client import Client
from limen_zenodo.errors import AccessError, IdentifierError, NetworkError, RecordNotFoundError
from limen_zenodo.identifiers import Identifier, parse_identifier
from limen_zenodo.sites import Site, public_url

__all__ = ["Record", "RemoteFile", "find_record", "latest_version", "parse_record"]

_MD5 = re.compile(r"md5:([0-9a-fA-F]{32})")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """
    One file of a record.

    Parameters
    ----------
    name : str
        As the record has it; not checked.
    size : int
        Bytes.
    md5 : str
        Hexadecimal; empty if the record states none.
    url : str
        Where its bytes are.
    """

    name: str
    size: int
    md5: str
    url: str


@dataclass(frozen=True, slots=True)
class Record:
    """
    One version of a record.

    Parameters
    ----------
    site : Site
    id, concept : str
        Ids of the version and of its concept; the latter empty if not stated.
    doi, concept_doi : str
        Empty if there is none.
    title, version, updated : str
        As the record states them.
    latest : bool
        Whether no newer version was published.
    access : str
        ``open``, ``restricted`` or ``embargoed``.
    until : str
        End of an embargo.
    revision : int
    files : dict of str to RemoteFile
    metadata : dict
        As the record has it.
    """

    site: Site
    id: str
    concept: str
    doi: str
    concept_doi: str
    title: str
    version: str
    updated: str
    latest: bool
    access: str
    until: str
    revision: int
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Address of its page."""
        return self.site.page(self.id)

    def file(self, name: str) -> RemoteFile:
        """
        Give a file by name.

        Raises
        ------
        AccessError
            If files of the record are not public.
        RecordNotFoundError
            If there is no such file.
        """
        if name in self.files:
            return self.files[name]
        if self.access == "embargoed":
            raise AccessError(f"{self.page}: its files are under embargo until {self.until}")
        if self.access != "open" and not self.files:
            raise AccessError(
                f"{self.page}: its files are restricted; ask for access on that page and set "
                f"{self.site.token_variable}"
            )
        known = ", ".join(sorted(self.files)[:10]) or "none"
        raise RecordNotFoundError(f"{self.page}: has no file {name!r}; its files: {known}")


def parse_record(document: Any, site: Site) -> Record:
    """
    Read a record from JSON of either shape; the shape is told by structure.

    Parameters
    ----------
    document : dict
        Answer of the archive.
    site : Site

    Returns
    -------
    Record

    Raises
    ------
    NetworkError
        If it is no record.
    """
    try:
        if isinstance(document["files"], list):
            return _zenodo_shape(document, site)
        return _rdm_shape(document, site)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise NetworkError(
            f"{site.host}: found an answer that is no record ({type(error).__name__}: {error}); "
            "try again later"
        ) from error


def _zenodo_shape(document: Mapping[str, Any], site: Site) -> Record:
    metadata = document["metadata"]
    number = str(document["id"])
    versions = metadata.get("relations", {}).get("version", [{}])
    right = str(metadata.get("access_right", "open"))
    files = [
        RemoteFile(
            str(entry["key"]),
            int(entry["size"]),
            _md5(entry.get("checksum")),
            _content(site, number, str(entry["key"]), entry.get("links", {}).get("self")),
        )
        for entry in document["files"]
    ]
    return Record(
        site,
        number,
        str(document.get("conceptrecid") or ""),
        str(document.get("doi") or metadata.get("doi") or ""),
        str(document.get("conceptdoi") or ""),
        str(metadata.get("title", "")),
        str(metadata.get("version") or ""),
        str(document.get("updated") or document.get("modified") or ""),
        bool(versions[0].get("is_last", True)),
        "open" if right == "open" else "embargoed" if right == "embargoed" else "restricted",
        str(metadata.get("embargo_date") or ""),
        int(document.get("revision") or 0),
        _by_name(files, site, number),
        metadata,
    )


def _rdm_shape(document: Mapping[str, Any], site: Site) -> Record:
    metadata = document["metadata"]
    number = str(document["id"])
    parent = document.get("parent", {})
    access = document.get("access", {})
    status = str(access.get("status", "open"))
    files = [
        RemoteFile(
            str(entry.get("key", name)),
            int(entry["size"]),
            _md5(entry.get("checksum")),
            _content(site, number, name, entry.get("links", {}).get("content")),
        )
        for name, entry in document["files"].get("entries", {}).items()
    ]
    restricted = status in ("restricted", "metadata-only") or access.get("files") == "restricted"
    return Record(
        site,
        number,
        str(parent.get("id") or ""),
        _doi(document.get("pids", {})),
        _doi(parent.get("pids", {})),
        str(metadata.get("title", "")),
        str(metadata.get("version") or ""),
        str(document.get("updated") or ""),
        bool(document.get("versions", {}).get("is_latest", True)),
        "embargoed" if status == "embargoed" else "restricted" if restricted else "open",
        str(access.get("embargo", {}).get("until") or ""),
        int(document.get("revision_id") or 0),
        _by_name(files, site, number),
        metadata,
    )


def _by_name(files: list[RemoteFile], site: Site, number: str) -> dict[str, RemoteFile]:
    found = {file.name: file for file in files}
    if len(found) != len(files):
        raise NetworkError(f"{site.page(number)}: lists a file name twice; the answer is refused")
    return found


def _doi(pids: Mapping[str, Any]) -> str:
    return str(pids.get("doi", {}).get("identifier") or "")


def _md5(checksum: object) -> str:
    match = _MD5.fullmatch(str(checksum))
    return match.group(1).lower() if match else ""


def _content(site: Site, number: str, name: str, given: object) -> str:
    """Give the address of a file's bytes; one that leads elsewhere is not believed."""
    if isinstance(given, str) and site.trusts(given) and urlsplit(given).path.endswith("/content"):
        return given
    return f"{site.api}/records/{number}/files/{quote(name, safe='')}/content"


def find_record(client: Client, identifier: Identifier) -> Record:
    """
    Find the version that an identifier names; of a concept, its latest.

    Parameters
    ----------
    client : Client
        Of the identifier's site.
    identifier : Identifier

    Returns
    -------
    Record

    Raises
    ------
    RecordNotFoundError, RecordWithdrawnError, AccessError, NetworkError
    """
    number = identifier.record or _looked_up(client, identifier)
    return parse_record(client.get_json(f"/records/{number}"), client.site)


def latest_version(client: Client, record: Record) -> Record:
    """Find the newest version of a record's concept."""
    if record.latest:
        return record
    return parse_record(client.get_json(f"/records/{record.id}/versions/latest"), client.site)


def _looked_up(client: Client, identifier: Identifier) -> str:
    """Ask the DOI resolver where a DOI of others leads, then the archive whether it has it."""
    place = client.location(f"{client.site.resolver}/{quote(identifier.doi, safe='/')}")
    try:
        found = parse_identifier(place, client.site)
    except IdentifierError:
        found = None
    if found is not None and found.record and client.site.trusts(place):
        return found.record
    answer = client.get_json("/records", {"q": f'doi:"{identifier.doi}"', "size": "1"})
    hits = answer.get("hits", {}).get("hits", []) if isinstance(answer, dict) else []
    if not hits:
        elsewhere = found is not None and found.site.url != client.site.url
        raise RecordNotFoundError(
            f"{identifier.doi}: no record at {client.site.host} has this DOI, which leads "
            f"{f'to {public_url(place)}' if place else 'nowhere'}; give "
            f"{'that address' if elsewhere else 'the DOI or the address of the record'}"
        )
    return str(hits[0]["id"])
