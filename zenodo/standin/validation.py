"""What a document must hold before it is published, and the faults of one that does not."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

__all__ = ["FIELDS", "REQUIRED", "faults_of", "known_fields"]

REQUIRED = "Missing data for required field."
FIELDS = frozenset(
    [
        "resource_type",
        "creators",
        "title",
        "additional_titles",
        "publisher",
        "publication_date",
        "subjects",
        "contributors",
        "dates",
        "languages",
        "identifiers",
        "related_identifiers",
        "sizes",
        "formats",
        "version",
        "rights",
        "copyright",
        "description",
        "additional_descriptions",
        "locations",
        "funding",
        "references",
    ]
)
_TYPES = re.compile(
    r"(dataset|software(-[a-z]+)?|model|workflow|other|lesson|poster|presentation|event|video|"
    r"physicalobject|image(-[a-z]+)?|publication(-[a-z]+)?)"
)
_RELATIONS = frozenset(
    [
        "iscitedby",
        "cites",
        "issupplementto",
        "issupplementedby",
        "iscontinuedby",
        "continues",
        "isdescribedby",
        "describes",
        "hasmetadata",
        "ismetadatafor",
        "isnewversionof",
        "ispreviousversionof",
        "ispartof",
        "haspart",
        "isreferencedby",
        "references",
        "isdocumentedby",
        "documents",
        "iscompiledby",
        "compiles",
        "isvariantformof",
        "isoriginalformof",
        "isidenticalto",
        "isalternateidentifier",
        "isreviewedby",
        "reviews",
        "isderivedfrom",
        "issourceof",
        "requires",
        "isrequiredby",
        "isobsoletedby",
        "obsoletes",
        "ispublishedin",
        "hasversion",
        "isversionof",
    ]
)
_SCHEMES = frozenset(
    [
        "ark",
        "arxiv",
        "bibcode",
        "crossreffunderid",
        "doi",
        "ean13",
        "eissn",
        "grid",
        "handle",
        "igsn",
        "isbn",
        "isni",
        "issn",
        "istc",
        "lissn",
        "lsid",
        "pmid",
        "purl",
        "upc",
        "url",
        "urn",
        "w3id",
        "other",
        "pmcid",
        "ads",
        "cstr",
        "rrid",
        "ascl",
        "hal",
        "swh",
    ]
)


def known_fields(metadata: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Give metadata without fields that are unknown, and a fault for each of these."""
    kept = {key: value for key, value in metadata.items() if key in FIELDS}
    unknown = sorted(metadata.keys() - FIELDS)
    return kept, [(f"metadata.{key}", "Unknown field.") for key in unknown]


def faults_of(metadata: dict[str, Any], access: dict[str, Any]) -> list[tuple[str, str]]:
    """
    Give the faults of metadata and access.

    Parameters
    ----------
    metadata, access : dict
        In the RDM shape.

    Returns
    -------
    list of (str, str)
        Field and message.
    """
    found: list[tuple[str, str]] = []
    title = metadata.get("title")
    if not title:
        found.append(("metadata.title", REQUIRED))
    elif not isinstance(title, str) or len(title) < 3:
        found.append(("metadata.title", "Shorter than minimum length 3."))
    kind = metadata.get("resource_type")
    if not isinstance(kind, dict) or not kind.get("id"):
        found.append(("metadata.resource_type", REQUIRED))
    elif not _TYPES.fullmatch(str(kind["id"])):
        found.append(("metadata.resource_type", "Invalid value."))
    day = metadata.get("publication_date")
    if not day:
        found.append(("metadata.publication_date", REQUIRED))
    elif not _is_date(day):
        found.append(("metadata.publication_date", "Please provide a valid date or interval."))
    return found + _creators(metadata) + _related(metadata) + _rights(metadata) + _access(access)


def _is_date(value: object) -> bool:
    for part in str(value).split("/"):
        match = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", part)
        if not match:
            return False
        try:
            date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        except ValueError:
            return False
    return True


def _creators(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    creators = metadata.get("creators")
    if not creators or not isinstance(creators, list):
        return [("metadata.creators", REQUIRED)]
    found = []
    for i, creator in enumerate(creators):
        where = f"metadata.creators.{i}.person_or_org"
        person = creator.get("person_or_org") if isinstance(creator, dict) else None
        if not isinstance(person, dict):
            found.append((where, REQUIRED))
            continue
        if person.get("type") not in ("personal", "organizational"):
            found.append(
                (f"{where}.type", "Invalid value. Choose one of ['organizational', 'personal'].")
            )
        elif person["type"] == "personal" and not person.get("family_name"):
            found.append((f"{where}.family_name", "Family name cannot be blank."))
        elif person["type"] == "organizational" and not person.get("name"):
            found.append((f"{where}.name", "Name cannot be blank."))
        for j, entry in enumerate(person.get("identifiers", [])):
            if entry.get("scheme") == "orcid" and not _is_orcid(str(entry.get("identifier"))):
                found.append((f"{where}.identifiers.{j}.identifier", "Invalid ORCID identifier."))
    return found


def _is_orcid(text: str) -> bool:
    digits = text.replace("-", "")
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text):
        return False
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return (12 - total % 11) % 11 == (10 if digits[-1] == "X" else int(digits[-1]))


def _related(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for i, entry in enumerate(metadata.get("related_identifiers", [])):
        where = f"metadata.related_identifiers.{i}"
        if not entry.get("identifier"):
            found.append((f"{where}.identifier", "Identifier cannot be blank."))
        if entry.get("scheme") not in _SCHEMES:
            found.append((f"{where}.scheme", "Invalid scheme."))
        relation = entry.get("relation_type", {}).get("id")
        if relation not in _RELATIONS:
            found.append(
                (f"{where}.relation_type", "Invalid relation type." if relation else REQUIRED)
            )
    return found


def _rights(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"metadata.rights.{i}", "An identifier or title must be present.")
        for i, entry in enumerate(metadata.get("rights", []))
        if not (entry.get("id") or entry.get("title"))
    ]


def _access(access: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key in ("record", "files"):
        if access.get(key) not in ("public", "restricted"):
            found.append(
                (f"access.{key}", "Invalid value. Choose one of ['public', 'restricted'].")
            )
    if access.get("record") == "restricted":
        found.append(("access.record", "Restricted records are disabled."))
    embargo = access.get("embargo") or {}
    if embargo.get("active") and not _is_date(embargo.get("until")):
        found.append(("access.embargo.until", REQUIRED))
    return found
