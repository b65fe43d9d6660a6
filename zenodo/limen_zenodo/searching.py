"""Search for bundles at an archive, and what their manifests say."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from limen.errors import IntegrityError, SchemaError, UsageError
from limen.journal import MANIFEST
from limen_zenodo.catalogue import known_bundles
from limen_zenodo.client import Client
from limen_zenodo.errors import DepositError, NetworkError, RecordNotFoundError, ZenodoError
from limen_zenodo.fetching import is_offline
from limen_zenodo.manifests import Summary, one_line, read_manifest, summarise, summarise_entry
from limen_zenodo.patience import Patience
from limen_zenodo.queries import archive_query, wanted_words
from limen_zenodo.records import Record, parse_record
from limen_zenodo.sites import PRODUCTION, Site, site_named

__all__ = ["Found", "search"]

_log = logging.getLogger("limen.zenodo")

_GUEST_PAGE, _PAGE = 25, 100
_MOST_REQUESTS = 40
_MOST_HITS = 1000
_THREADS = 4
_PATIENCE = Patience(budget=90.0)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Found:
    """
    A bundle that was found.

    Parameters
    ----------
    doi, title, version : str
        As the record states them; the DOI is that of the version.
    size : int
        Of all its files together [bytes].
    record : Record or None
        None if it is from the catalogue.
    summary : Summary or None
        What its manifest says; None if that was not read or cannot be used.
    fault : str
        What is wrong with the manifest; empty if nothing is.
    """

    doi: str
    title: str
    version: str
    size: int
    record: Record | None = None
    summary: Summary | None = None
    fault: str = ""

    @property
    def identifier(self) -> str:
        """What to fetch it by: its DOI, or its page where the archive did not mint the DOI."""
        if self.record is None or self.doi.startswith(self.record.site.doi_prefix):
            return self.doi
        return self.record.page

    def to_dict(self) -> dict[str, Any]:
        """Give it as a JSON document."""
        return {
            "doi": self.doi,
            "title": self.title,
            "version": self.version,
            "bytes": self.size,
            "page": self.record.page if self.record else "",
            "latest": self.record.latest if self.record else None,
            "manifest": self.summary.to_dict() if self.summary else None,
            "fault": self.fault,
        }


def search(
    query: str = "",
    *,
    community: str | None = None,
    site: Site | str | None = None,
    all_versions: bool = False,
    limit: int = 25,
    manifests: bool = True,
    raw: bool = False,
    token: str | None = None,
    offline: bool = False,
    patience: Patience | None = None,
) -> list[Found]:
    """
    Find published bundles.

    Parameters
    ----------
    query : str
        Words that must all occur in the record, phrases in double quotes; empty for all bundles.
    community : str, optional
        Search in this community only: the last part of its address.
    site : Site or str, optional
        The archive; Zenodo by default.
    all_versions : bool
        Also versions that a newer one replaces.
    limit : int
        Largest number of bundles.
    manifests : bool
        Read their manifests, some kilobytes each.
    raw : bool
        Hand ``query`` to the archive as it is, in the archive's query language, and do not ask for
        the keyword ``limen-bundle``.
    token : str, optional
        By default from the environment variable that the site names.
    offline : bool
        Look into the catalogue only, in which every word must occur; nothing is sent. Also by the
        variable ``LIMEN_OFFLINE``.
    patience : Patience, optional

    Returns
    -------
    list of Found
        Records that hold a manifest, in the archive's order: best match first, or newest first if
        there is no query. A broken manifest is listed with its fault.

    Raises
    ------
    UsageError
        If the query, the name of the community or the limit is not allowed.
    RecordNotFoundError
        If there is no such community.
    AccessError, NetworkError
        If the archive does not answer.
    """
    if limit < 1:
        raise UsageError(f"limit: found {limit}, allowed 1 or more")
    if offline or is_offline():
        if community or site or raw:
            raise UsageError("query: found no network, allowed plain words in the catalogue only")
        if not offline:
            _log.warning("LIMEN_OFFLINE is set: looking into the catalogue only")
        return list(islice(_in_catalogue(query), limit))
    home = site if isinstance(site, Site) else site_named(site or PRODUCTION.name)
    params = {
        "q": archive_query(query, home, raw=raw),
        "sort": "bestmatch" if query.strip() else "newest",
    }
    if all_versions:
        # Zenodo and other sites call it differently; what a site does not know, it ignores.
        params |= {"all_versions": "true", "allversions": "true"}
    with Client(home, token, patience=patience or _PATIENCE) as client:
        params["size"] = str(min(_PAGE if client.authenticated else _GUEST_PAGE, limit))
        hits = _hits(client, _place(client, community), params)
        records = list(islice(_bundles(client, hits, closed=not raw), limit))
        if not manifests:
            return [_found(record) for record in records]
        pins = {entry["doi"]: entry["manifest_sha256"] for entry in known_bundles()}
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(lambda record: _described(client, record, pins), records))


def _in_catalogue(query: str) -> Iterator[Found]:
    words = wanted_words(query)
    for entry in known_bundles():
        models = entry.get("models", [])
        texts = [entry[name] for name in ("id", "doi", "title")] + [entry.get("theory", "")]
        texts += [*entry["parameters"], *entry.get("analyses", [])]
        texts += [text for model in models for text in model.values()]
        everything = "\n".join(texts).casefold()
        if all(word in everything for word in words):
            summary = summarise_entry(entry)
            yield Found(
                entry["doi"], summary.title, summary.version, summary.bytes, summary=summary
            )


def _place(client: Client, community: str | None) -> str:
    """Give where to search; an unknown community would be ignored, and everything be found."""
    if community is None:
        return "/records"
    site = client.site
    if not _SLUG.fullmatch(community):
        raise UsageError(
            f"community: found {community[:100]!r}, allowed the last part of its address, "
            f"{site.url}/communities/NAME"
        )
    try:
        client.get_json(f"/communities/{community}")
    except RecordNotFoundError as error:
        raise RecordNotFoundError(
            f"community: found {community!r}, which {site.host} does not know; give the last part "
            f"of its address, {site.url}/communities/NAME",
            status=error.status,
            url=error.url,
        ) from error
    return f"/communities/{community}/records"


def _hits(client: Client, place: str, params: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the records that the archive lists, page after page."""
    following, visited, looked_at = place, set[str](), 0
    for _ in range(_MOST_REQUESTS):
        visited.add(following)
        answer = _page(client, following, params if following is place else None)
        hits, links = answer["hits"], answer.get("links")
        yield from hits
        looked_at += len(hits)
        following = str((links if isinstance(links, Mapping) else {}).get("next") or "")
        if not following or not hits:
            return
        if following in visited or not client.site.trusts(following):
            raise NetworkError(f"{client.site.host}: its list of records leads astray; try again")
    _log.warning(
        "%s: looked at the first %d records only; narrow the search", client.site.host, looked_at
    )


def _page(client: Client, place: str, params: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        answer = client.get_json(place, params)
    except DepositError as error:
        raise UsageError(
            f"query: {client.site.host} does not understand it ({one_line(error)}); write plain "
            "words, or correct it"
        ) from error
    hits = answer.get("hits") if isinstance(answer, dict) else None
    listed = hits.get("hits") if isinstance(hits, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_HITS:
        raise NetworkError(f"{client.site.host}: found an answer that lists no records; try again")
    return {"hits": listed, "links": answer.get("links")}


def _bundles(
    client: Client, hits: Iterator[Mapping[str, Any]], *, closed: bool
) -> Iterator[Record]:
    """Yield the records that hold a manifest, each once; ``closed`` ones may hold one."""
    seen = set()
    for hit in hits:
        try:
            record = parse_record(hit, client.site)
            if record.access == "open" and not record.files:
                # Some sites list records without their files.
                record = parse_record(client.get_json(f"/records/{record.id}"), client.site)
        except ZenodoError as error:
            _log.warning("left out: %s", one_line(error))
            continue
        hidden = record.access != "open" and not record.files
        if record.id not in seen and (MANIFEST in record.files or (hidden and closed)):
            seen.add(record.id)
            yield record


def _found(record: Record, summary: Summary | None = None, fault: str = "") -> Found:
    return Found(
        one_line(record.doi),
        one_line(record.title),
        one_line(record.version),
        sum(file.size for file in record.files.values()),
        record,
        summary,
        one_line(fault),
    )


def _described(client: Client, record: Record, pins: Mapping[str, str]) -> Found:
    """Read a manifest; whatever is wrong with it concerns this bundle alone."""
    try:
        manifest, digest = read_manifest(client, record)
    except (ZenodoError, IntegrityError, SchemaError) as error:
        return _found(record, fault=str(error))
    summary = summarise(manifest)
    stated = str(manifest.get("doi", record.doi))
    if stated.lower() != record.doi.lower():
        return _found(record, summary, f"its manifest states another DOI, {stated}")
    if pins.get(record.doi.lower(), digest) != digest:
        return _found(record, summary, "its manifest is not the one in the catalogue")
    return _found(record, summary)
