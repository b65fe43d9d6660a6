"""Title, creators, date and identifiers of a bundle, as every citation format needs them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from limen.documents.escaping import flat

__all__ = [
    "Creator",
    "bare_doi",
    "bundle_title",
    "creators",
    "doi_url",
    "is_citable",
    "licence_url",
    "related_name",
    "related_url",
    "release_date",
    "standing",
]

_DATE = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+\Z")
_LICENCE = re.compile(r"(?!LicenseRef-)[A-Za-z0-9][A-Za-z0-9.+-]*\Z")


class Creator(NamedTuple):
    """
    A person (``family``, ``given``) or, with ``family`` empty, a collaboration (``name``).

    Attributes
    ----------
    name : str
        The name to show, "Family, Given" for a person.
    family, given : str
    orcid : str
        URL, or empty.
    affiliation : str
    """

    name: str
    family: str = ""
    given: str = ""
    orcid: str = ""
    affiliation: str = ""


def creators(manifest: Mapping[str, Any]) -> list[Creator]:
    """
    Creators of a bundle, in order, without empty or repeated ones.

    A name without a comma is not taken apart: nobody can know which part is the family name.

    Parameters
    ----------
    manifest : mapping
        ``creators`` holds mappings with name ("Family, Given", or a collaboration's) and
        optionally orcid, affiliation, collaboration.

    Returns
    -------
    list of Creator

    Examples
    --------
    >>> [c.family for c in creators({"creators": [{"name": "Doe, Jane"}, {"name": "ATLAS"}]})]
    ['Doe', '']
    """
    found = [_creator(entry) for entry in manifest.get("creators") or ()]
    return list(dict.fromkeys(creator for creator in found if creator.name))


def _creator(entry: Mapping[str, Any]) -> Creator:
    name, collaboration = flat(entry["name"]), flat(entry.get("collaboration") or "")
    orcid = f"https://orcid.org/{entry['orcid']}" if entry.get("orcid") else ""
    places = [flat(entry.get("affiliation") or ""), collaboration if collaboration != name else ""]
    affiliation = "; ".join(place for place in places if place)
    family, comma, given = (part.strip() for part in name.partition(","))
    if not (comma and family and given) or collaboration == name:
        return Creator(name, orcid=orcid, affiliation=affiliation)
    return Creator(name, family, given, orcid, affiliation)


def release_date(manifest: Mapping[str, Any]) -> str:
    """Day on which the bundle was made, ``YYYY-MM-DD``, or empty."""
    found = _DATE.match(str(manifest.get("created") or ""))
    return found[0] if found else ""


def is_citable(manifest: Mapping[str, Any]) -> bool:
    """Whether the bundle can be cited: it is frozen and has a DOI."""
    return manifest.get("status") == "frozen" and bool(manifest.get("doi"))


def doi_url(identifier: object) -> str:
    """
    Resolver URL of a DOI written in any of the usual ways, or empty.

    >>> doi_url("doi:10.5281/zenodo.7000002")
    'https://doi.org/10.5281/zenodo.7000002'
    >>> doi_url("arXiv:2312.14575")
    ''
    """
    bare = re.sub(r"(?i)^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", "", flat(identifier or ""))
    return f"https://doi.org/{bare}" if _DOI.match(bare) else ""


def bare_doi(identifier: object) -> str:
    """DOI without resolver or prefix, or empty if it is none."""
    return doi_url(identifier).removeprefix("https://doi.org/")


def bundle_title(manifest: Mapping[str, Any]) -> str:
    """Title on one line, or what stands for it."""
    return flat(manifest.get("title") or manifest.get("id") or "Untitled bundle")


def standing(manifest: Mapping[str, Any]) -> str:
    """Whether the bundle can be cited, in one sentence."""
    if manifest.get("status") != "frozen":
        return "This is a draft: it may still change and is not citable yet."
    if not is_citable(manifest):
        return "This bundle has no DOI yet: deposit it before you cite it."
    return "If you use this bundle, cite it, and the analyses and tools that its README.md names."


def licence_url(licence: object) -> str:
    """
    Page of an SPDX licence, or empty for an expression or a licence that SPDX does not know.

    >>> licence_url("CC-BY-4.0"), licence_url("MIT OR Apache-2.0")
    ('https://spdx.org/licenses/CC-BY-4.0', '')
    """
    name = flat(licence or "")
    return f"https://spdx.org/licenses/{name}" if _LICENCE.match(name) else ""


def related_name(related: Mapping[str, Any]) -> str:
    """
    Identifier of a related work with its scheme in front where that is the custom.

    >>> related_name({"identifier": "2312.14575", "scheme": "arxiv"})
    'arXiv:2312.14575'
    """
    name, scheme = flat(related.get("identifier") or ""), related.get("scheme")
    if doi_url(name):
        return f"doi:{bare_doi(name)}"
    if scheme == "arxiv":
        return "arXiv:" + re.sub(r"(?i)^arxiv:\s*", "", name)
    return name


def related_url(related: Mapping[str, Any]) -> str:
    """
    Page of a related work, or empty.

    >>> related_url({"identifier": "arXiv:2312.14575", "scheme": "arxiv"})
    'https://arxiv.org/abs/2312.14575'
    """
    name = related_name(related)
    if name.startswith("doi:"):
        return doi_url(name)
    if re.match(r"arXiv:[A-Za-z0-9./-]+\Z", name):
        return name.replace("arXiv:", "https://arxiv.org/abs/")
    return name if re.match(r"https?://\S+\Z", name) else ""
