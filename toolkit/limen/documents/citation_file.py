"""CITATION.cff of a bundle, Citation File Format 1.2.0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from limen.documents.escaping import clean, flat
from limen.documents.identity import (
    Creator,
    bare_doi,
    bundle_title,
    creators,
    doi_url,
    licence_url,
    related_name,
    related_url,
    release_date,
    standing,
)

__all__ = ["citation_cff"]

# What CFF 1.2.0 allows in its doi field, narrower than what DOIs may hold.
_CFF_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+\Z")
# Data licences of the SPDX list that CFF 1.2.0 is frozen at; others go by their URL.
_CFF_LICENCES = frozenset(
    (
        "CC0-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-4.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-ND-4.0",
        "CC-BY-NC-ND-4.0",
        "ODbL-1.0",
        "ODC-By-1.0",
        "PDDL-1.0",
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "GPL-2.0-only",
        "GPL-2.0-or-later",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        "AGPL-3.0-only",
        "AGPL-3.0-or-later",
        "MPL-2.0",
        "Unlicense",
    )
)
_PLAIN_YAML = re.compile(r"[a-z][a-z-]*\Z")


def citation_cff(manifest: Mapping[str, Any]) -> str:
    """
    CITATION.cff 1.2.0 of a bundle.

    A draft, or a bundle without creators or DOI, gives a valid file whose message says so.

    Parameters
    ----------
    manifest : mapping

    Returns
    -------
    str
        YAML; every free text is quoted, so that YAML 1.1 and 1.2 read the same.

    Examples
    --------
    >>> print(citation_cff({"id": "toy", "title": "Toy: scan"}).splitlines()[3])
    title: "Toy: scan"
    """
    manifest = clean(manifest)
    doi, url = bare_doi(manifest.get("doi")), doi_url(manifest.get("doi"))
    authors = [_cff_author(creator) for creator in creators(manifest)]
    licence = flat((manifest.get("licences") or {}).get("data") or "")
    # A list of licences means a choice in CFF.
    choice = licence.split(" OR ")
    known = _CFF_LICENCES.issuperset(choice)
    document = {
        "cff-version": "1.2.0",
        "message": standing(manifest),
        "type": "dataset",
        "title": bundle_title(manifest),
        "version": flat(manifest.get("version") or ""),
        "authors": authors or [{"name": f"Creators not named yet (bundle {manifest.get('id')})"}],
        "abstract": str(manifest.get("description") or "").strip(),
        "keywords": _unique([flat(word) for word in manifest.get("keywords") or ()]),
        "license": (choice if len(choice) > 1 else licence) if known else "",
        "license-url": "" if known else licence_url(licence),
        "doi": doi if _CFF_DOI.match(doi) else "",
        "url": url,
        "identifiers": _unique(list(_identifiers(manifest))),
        "date-released": release_date(manifest) if manifest.get("status") == "frozen" else "",
        "references": _unique(list(_references(manifest))),
    }
    return _yaml({key: value for key, value in document.items() if value})


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes all text but plain lower-case words."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = None if _PLAIN_YAML.match(value) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(
        dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return dumped


def _unique(entries: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        if entry and entry not in kept:
            kept.append(entry)
    return kept


def _cff_author(creator: Creator) -> dict[str, str]:
    if not creator.family:
        # An entity of CFF has no affiliation.
        entity = {"name": creator.name, "orcid": creator.orcid}
        return {key: value for key, value in entity.items() if value}
    person = {
        "family-names": creator.family,
        "given-names": creator.given,
        "orcid": creator.orcid,
        "affiliation": creator.affiliation,
    }
    return {key: value for key, value in person.items() if value}


def _identifiers(manifest: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    about = {"doi": "This version of the bundle", "concept_doi": "All versions of the bundle"}
    for field, description in about.items():
        doi = bare_doi(manifest.get(field))
        if _CFF_DOI.match(doi):
            yield {"type": "doi", "value": doi, "description": description}
        elif doi:
            yield {"type": "other", "value": f"doi:{doi}", "description": description}


def _references(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    # Authors are mandatory in CFF and unknown here: the entry says so instead of guessing.
    for related in manifest.get("related") or ():
        name, relation = related_name(related), flat(related.get("relation") or "")
        if name:
            yield _reference(f"Authors of {name}", name, relation, related_url(related))
    parent = manifest.get("parent") or {}
    if parent.get("doi"):
        name = flat(f"{parent.get('id') or 'bundle'} {parent.get('version') or ''}")
        yield _reference(f"Authors of {name}", name, "Previous version", doi_url(parent["doi"]))
    for analysis in manifest.get("analyses") or ():
        experiment, name = flat(analysis.get("experiment") or ""), flat(analysis.get("id") or "")
        inspire = analysis.get("inspire")
        url = f"https://inspirehep.net/literature/{inspire}" if inspire else ""
        if experiment or name:
            author = experiment or f"Authors of {name}"
            yield _reference(author, name or experiment, "Analysis", url)


def _reference(author: str, title: str, notes: str, url: str) -> dict[str, Any]:
    doi = bare_doi(url)
    entry = {
        "type": "generic",
        "authors": [{"name": author}],
        "title": title,
        "doi": doi if _CFF_DOI.match(doi) else "",
        "url": url,
        "notes": notes,
    }
    return {key: value for key, value in entry.items() if value}
