"""Metadata of the old interface: to the RDM shape and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["from_legacy", "to_legacy"]

_TO_TYPE = {"physicalobject": "physicalobject"}
_SCHEMES = (
    (re.compile(r"(?:doi:)?10\.\d{4,9}/\S+", re.I), "doi"),
    (re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(v\d+)?|[a-z-]+/\d{7})", re.I), "arxiv"),
    (re.compile(r"https?://\S+", re.I), "url"),
)
_CAMEL = [
    "isCitedBy",
    "cites",
    "isSupplementTo",
    "isSupplementedBy",
    "isContinuedBy",
    "continues",
    "isNewVersionOf",
    "isPreviousVersionOf",
    "isPartOf",
    "hasPart",
    "isReferencedBy",
    "references",
    "isDocumentedBy",
    "documents",
    "isDerivedFrom",
    "isSourceOf",
    "requires",
    "isRequiredBy",
    "isIdenticalTo",
    "isAlternateIdentifier",
    "isDescribedBy",
    "describes",
    "hasVersion",
    "isVersionOf",
    "isObsoletedBy",
    "obsoletes",
    "isVariantFormOf",
    "isOriginalFormOf",
    "isReviewedBy",
    "reviews",
    "isCompiledBy",
    "compiles",
    "hasMetadata",
    "isMetadataFor",
]
_RELATIONS = {name.lower(): name for name in _CAMEL}


def from_legacy(old: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Give metadata and access in the RDM shape.

    Parameters
    ----------
    old : dict
        ``metadata`` of a deposition.

    Returns
    -------
    metadata, access : dict
    """
    new: dict[str, Any] = {
        "publication_date": old.get("publication_date") or f"{datetime.now(UTC):%Y-%m-%d}",
        "publisher": "Zenodo",
    }
    new |= {key: old[key] for key in ("title", "description", "version") if old.get(key)}
    kind = old.get("upload_type")
    if kind:
        part = old.get(f"{kind}_type")
        new["resource_type"] = {"id": f"{kind}-{part}" if part else kind}
    if old.get("creators"):
        new["creators"] = [_creator(creator) for creator in old["creators"]]
    if old.get("keywords"):
        new["subjects"] = [{"subject": word} for word in old["keywords"]]
    right = old.get("access_right", "open")
    licence = old.get("license") or ("cc0-1.0" if kind == "dataset" else "cc-by-4.0")
    if isinstance(licence, dict):
        licence = licence.get("id", "")
    if right in ("open", "embargoed"):
        new["rights"] = [{"id": str(licence).lower()}]
    if old.get("related_identifiers"):
        new["related_identifiers"] = [_related(entry) for entry in old["related_identifiers"]]
    if old.get("notes"):
        new["additional_descriptions"] = [{"description": old["notes"], "type": {"id": "notes"}}]
    if old.get("language"):
        new["languages"] = [{"id": old["language"]}]
    if old.get("references"):
        new["references"] = [{"reference": text} for text in old["references"]]
    embargoed = right == "embargoed"
    embargo = {"active": embargoed, "reason": None}
    if embargoed:
        embargo["until"] = old.get("embargo_date")
    files = "public" if right == "open" else "restricted"
    return new, {"record": "public", "files": files, "embargo": embargo}


def _creator(old: dict[str, Any]) -> dict[str, Any]:
    family, _, given = str(old.get("name", "")).partition(",")
    person: dict[str, Any] = {
        "type": "personal",
        "name": str(old.get("name", "")),
        "family_name": family.strip(),
        "given_name": given.strip(),
    }
    keys = [("orcid", old.get("orcid")), ("gnd", old.get("gnd"))]
    person["identifiers"] = [{"scheme": key, "identifier": text} for key, text in keys if text]
    new: dict[str, Any] = {"person_or_org": person}
    if old.get("affiliation"):
        new["affiliations"] = [{"name": old["affiliation"]}]
    return new


def _related(old: dict[str, Any]) -> dict[str, Any]:
    text = str(old.get("identifier", ""))
    scheme = old.get("scheme") or next((s for rule, s in _SCHEMES if rule.fullmatch(text)), "other")
    relation = {"id": str(old.get("relation", "")).lower()}
    new = {"identifier": text, "scheme": scheme, "relation_type": relation}
    if old.get("resource_type"):
        new["resource_type"] = {"id": old["resource_type"]}
    return new


def to_legacy(metadata: dict[str, Any], access: dict[str, Any]) -> dict[str, Any]:
    """Give metadata as the old interface has it: strings, and what is absent left out."""
    keys = ("title", "publication_date", "description", "version")
    old: dict[str, Any] = {key: metadata[key] for key in keys if metadata.get(key)}
    embargo = access.get("embargo") or {}
    old["access_right"] = (
        "embargoed"
        if embargo.get("active")
        else "restricted"
        if access.get("files") == "restricted"
        else "open"
    )
    if embargo.get("active"):
        old["embargo_date"] = embargo.get("until")
    old["creators"] = [_old_creator(entry) for entry in metadata.get("creators", [])]
    words = [entry["subject"] for entry in metadata.get("subjects", []) if "subject" in entry]
    if words:
        old["keywords"] = words
    rights = [entry["id"] for entry in metadata.get("rights", []) if "id" in entry]
    if rights:
        old["license"] = rights[0]
    related = [_old_related(entry) for entry in metadata.get("related_identifiers", [])]
    if related:
        old["related_identifiers"] = related
    for entry in metadata.get("additional_descriptions", []):
        if entry.get("type", {}).get("id") == "notes":
            old["notes"] = entry["description"]
    if metadata.get("languages"):
        old["language"] = metadata["languages"][0].get("id")
    if metadata.get("references"):
        old["references"] = [entry.get("reference", "") for entry in metadata["references"]]
    kind, _, part = str(metadata.get("resource_type", {}).get("id", "")).partition("-")
    old["upload_type"] = kind
    if part:
        old[f"{kind}_type"] = part
    return old


def _old_creator(new: dict[str, Any]) -> dict[str, Any]:
    person = new.get("person_or_org", {})
    names = [str(person[key]) for key in ("family_name", "given_name") if person.get(key)]
    old: dict[str, Any] = {"name": person.get("name") or ", ".join(names)}
    places = [entry.get("name") for entry in new.get("affiliations", [])]
    old["affiliation"] = places[0] if places else None
    for entry in person.get("identifiers", []):
        old[str(entry.get("scheme"))] = entry.get("identifier")
    return old


def _old_related(new: dict[str, Any]) -> dict[str, Any]:
    name = str(new.get("relation_type", {}).get("id", ""))
    old = {
        "identifier": new.get("identifier"),
        "relation": _RELATIONS.get(name, name),
        "scheme": new.get("scheme"),
    }
    if new.get("resource_type"):
        old["resource_type"] = new["resource_type"].get("id")
    return old
