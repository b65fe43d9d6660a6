"""What a user may write to name a record: id, DOI, address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from limen_zenodo.errors import IdentifierError
from limen_zenodo.sites import Site, known_sites

__all__ = ["Identifier", "parse_identifier"]

_DOI = re.compile(r"10\.[0-9]{4,9}/\S{1,200}")
_DOI_HOSTS = ("doi.org", "dx.doi.org", "www.doi.org", "handle.test.datacite.org")
_PAGES = ("records", "record", "uploads", "deposit", "depositions")
_RECORD = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


@dataclass(frozen=True, slots=True)
class Identifier:
    """
    A record that was asked for.

    Parameters
    ----------
    asked : str
        As the user wrote it.
    site : Site
    record : str
        Id of a version or a concept at the site; empty if only a DOI of others is known.
    doi : str
        DOI that must be looked up; empty if ``record`` is known.
    """

    asked: str
    site: Site
    record: str
    doi: str = ""


def parse_identifier(text: str, site: Site | None = None) -> Identifier:
    """
    Read any spelling of a record's name.

    Parameters
    ----------
    text : str
        ``7000002``, ``10.5281/zenodo.7000002``, ``doi:...``, ``https://doi.org/...``, an address of
        a record, of a file in it or of the interface for programs; also of other known sites.
    site : Site, optional
        Where a bare id lies; Zenodo if None.

    Returns
    -------
    Identifier

    Raises
    ------
    IdentifierError
        If it is none of these, or an address of an unknown site.

    Examples
    --------
    >>> parse_identifier("https://doi.org/10.5281/zenodo.7000002").record
    '7000002'
    >>> parse_identifier("https://sandbox.zenodo.org/records/12/files/a.csv").site.name
    'sandbox'
    """
    sites = known_sites()
    home = site or sites["zenodo"]
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and len(plain) < 20:
        return Identifier(text, home, plain)
    doi = re.sub(r"^doi:\s*", "", plain, flags=re.IGNORECASE)
    if _DOI.fullmatch(doi):
        return _of_doi(text, _trimmed(doi), home, sites)
    if "://" in plain:
        return _of_address(text, plain, home, sites)
    if site is not None and _RECORD.fullmatch(plain.lower()):
        return Identifier(text, home, plain.lower())
    raise _not_one(text)


def _not_one(text: str) -> IdentifierError:
    return IdentifierError(
        f"{text[:200]!r}: found no record id, DOI or address, allowed 7000002, "
        "10.5281/zenodo.7000002 or https://zenodo.org/records/7000002; correct it"
    )


def _trimmed(doi: str) -> str:
    return re.split(r"[?#]", doi)[0].rstrip("/.,;)")


def _of_doi(text: str, doi: str, home: Site, sites: dict[str, Site]) -> Identifier:
    for site in (home, *sites.values()):
        prefix = site.doi_prefix
        if doi.lower().startswith(prefix.lower()):
            record = doi[len(prefix) :].lower()
            if _RECORD.fullmatch(record):
                return Identifier(text, site, record)
    return Identifier(text, home, "", doi.lower())


def _of_address(text: str, plain: str, home: Site, sites: dict[str, Site]) -> Identifier:
    parts = urlsplit(plain)
    segments = [unquote(part) for part in parts.path.split("/") if part]
    if (parts.hostname or "").lower() in _DOI_HOSTS:
        doi = _trimmed("/".join(segments))
        if _DOI.fullmatch(doi):
            return _of_doi(text, doi, home, sites)
        raise _not_one(text)
    for site in (home, *sites.values()):
        base = urlsplit(site.url)
        if base.netloc.lower() != parts.netloc.lower():
            continue
        inside = segments[1:] if segments[:1] == ["api"] else segments
        if inside[:1] == ["doi"] and _DOI.fullmatch(_trimmed("/".join(inside[1:]))):
            return _of_doi(text, _trimmed("/".join(inside[1:])), site, {site.name: site})
        while inside[:1] and inside[0] in _PAGES:
            inside = inside[1:]
            if inside and inside[0] not in _PAGES and _RECORD.fullmatch(inside[0].lower()):
                return Identifier(text, site, inside[0].lower())
        raise _not_one(text)
    raise IdentifierError(
        f"{text[:200]!r}: found an address of an unknown archive, allowed "
        f"{', '.join(site.host for site in sites.values())} and doi.org; describe it in the file "
        "that LIMEN_SITES names"
    )
