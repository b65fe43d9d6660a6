"""What an archive is told of a bundle: the InvenioRDM document of its record."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from limen import documents
from limen.documents.escaping import clean, flat
from limen.documents.identity import bare_doi, bundle_title
from limen.documents.wording import analysis_text, count
from limen.errors import Fault
from limen_zenodo.names import name_faults
from limen_zenodo.queries import KEYWORD
from limen_zenodo.sites import PRODUCTION, SANDBOX, Site

__all__ = ["deposit_faults", "marker_text", "record_document"]

# Decimal, as Zenodo counts.
_MAXIMUM_FILES, _MAXIMUM_BYTES = 100, 50 * 10**9
_LISTED = 60
_ALWAYS_ADDED = ("bundle.json", "README.md", "CITATION.cff", "croissant.json")
_DEMANDED = {
    "creators": "found none; name the people to credit: limen edit BUNDLE --set "
    """creators='[{name: "FAMILY, GIVEN"}]'""",
    "description": "found none; say what was computed, and for what: limen edit BUNDLE --set "
    "description='...'",
    "licences": "found none; choose them: limen edit BUNDLE --set "
    "licences='{data: CC-BY-4.0, models: CC-BY-4.0}'",
}

Manifest = Mapping[str, Any]


def deposit_faults(manifest: Manifest) -> list[Fault]:
    """
    List all that keeps a bundle from being deposited, before anything is sent.

    Parameters
    ----------
    manifest : mapping
        Of a draft or of a frozen bundle; has passed the schema.

    Returns
    -------
    list of Fault
        What is missing of creators, description and licences; too many, too large and empty files.

    Examples
    --------
    >>> [fault.pointer for fault in deposit_faults({"description": "A scan.", "files": {}})]
    ['/creators', '/licences']
    """
    faults = [
        Fault(f"/{name}", text)
        for name, text in _DEMANDED.items()
        if not (flat(manifest[name]) if isinstance(manifest.get(name), str) else manifest.get(name))
    ]
    return faults + _size_faults(manifest["files"]) + name_faults(manifest["files"])


def _size_faults(files: Mapping[str, Any]) -> list[Fault]:
    faults = []
    number = len(set(files) | set(_ALWAYS_ADDED))
    if number > _MAXIMUM_FILES:
        text = f"found {number} with the generated ones, allowed {_MAXIMUM_FILES} in a record"
        faults.append(Fault("/files", f"{text}; put attachments together in one archive file"))
    total = sum(entry["bytes"] for entry in files.values())
    if total > _MAXIMUM_BYTES:
        text = f"found {total:,} bytes, allowed {_MAXIMUM_BYTES:,} in a record"
        faults.append(Fault("/files", f"{text}; publish a selection of the rows"))
    return faults + [
        Fault(f"/files/{name}", "found an empty file, which archives refuse; leave it out")
        for name, entry in files.items()
        if entry["bytes"] == 0
    ]


def record_document(
    manifest: Manifest, site: Site, *, marker: str, day: str, pids: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Give the whole document of a record.

    Parameters
    ----------
    manifest : mapping
        Of the bundle, with description, creators and licences.
    site : Site
    marker : str
        By which the draft is found again.
    day : str
        Day of publication, ``YYYY-MM-DD``.
    pids : mapping, optional
        The reserved identifiers, as the archive gave them.

    Returns
    -------
    dict
        JSON for the interface of InvenioRDM.
    """
    manifest = clean(manifest)
    metadata = {
        "title": bundle_title(manifest),
        "resource_type": {"id": "dataset"},
        "publication_date": day,
        "publisher": "Zenodo" if site.name in (PRODUCTION.name, SANDBOX.name) else site.host,
        "version": manifest["version"],
        "creators": _unique(_creator(entry) for entry in manifest.get("creators") or ()),
        "description": _description(manifest),
        "additional_descriptions": [
            {"description": marker_text(marker), "type": {"id": "technical-info"}}
        ],
        "rights": _unique(_rights(manifest.get("licences") or {})),
        "subjects": _unique({"subject": word} for word in _keywords(manifest)),
        "related_identifiers": _unique(_related(manifest)),
    }
    document = {
        "access": {"record": "public", "files": "public"},
        "files": {"enabled": True},
        "metadata": {key: value for key, value in metadata.items() if value},
    }
    return document | ({"pids": dict(pids)} if pids else {})


def marker_text(marker: str) -> str:
    """Give the sentence that tells a deposit from all others."""
    return f"Deposited by Limen; deposit {marker}."


def _unique(entries: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        if entry not in kept:
            kept.append(entry)
    return kept


def _keywords(manifest: Manifest) -> Iterator[str]:
    yield from filter(None, map(flat, manifest.get("keywords") or ()))
    yield KEYWORD


def _creator(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A name with a comma or an ORCID iD is a person's; any other, a collaboration's."""
    name, group = flat(entry["name"]), flat(entry.get("collaboration") or "")
    family, _, given = (part.strip() for part in name.partition(","))
    orcid = entry.get("orcid")
    if orcid or (family and given and name != group):
        person: dict[str, Any] = {"type": "personal", "family_name": family or name}
        person |= {"given_name": given} if given else {}
        person |= {"identifiers": [{"scheme": "orcid", "identifier": orcid}]} if orcid else {}
    else:
        person = {"type": "organizational", "name": name}
    places = [flat(entry.get("affiliation") or ""), group if group != name else ""]
    affiliations = [{"name": place} for place in places if place]
    return {"person_or_org": person} | ({"affiliations": affiliations} if affiliations else {})


def _rights(licences: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """List the licences, that of the data first."""
    for part in ("data", "models", "code"):
        expression = flat(licences.get(part) or "")
        if not expression:
            continue
        if " WITH " in expression or "LicenseRef-" in expression:
            # The vocabulary of archives knows neither.
            yield {"title": {"en": expression}}
        else:
            yield from ({"id": one.lower()} for one in re.split(" AND | OR ", expression))


def _related(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for entry in manifest.get("related") or ():
        name, scheme = flat(entry["identifier"]), entry["scheme"]
        if scheme == "arxiv":
            name = re.sub(r"(?i)^(https?://arxiv\.org/abs/|arxiv:\s*)", "", name)
        elif scheme == "doi":
            name = bare_doi(name) or name
        yield _relation(entry["relation"], name, scheme)
    parent = manifest.get("parent") or {}
    if parent.get("doi"):
        new = parent["id"] == manifest["id"]
        relation = "IsNewVersionOf" if new else "IsDerivedFrom"
        yield _relation(relation, bare_doi(parent["doi"]), "doi")
    for analysis in manifest.get("analyses") or ():
        if analysis.get("inspire"):
            page = f"https://inspirehep.net/literature/{analysis['inspire']}"
            yield _relation("References", page, "url")
        if bare_doi(analysis.get("hepdata") or ""):
            yield _relation("References", bare_doi(analysis["hepdata"]), "doi")


def _relation(relation: str, identifier: str, scheme: str) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "scheme": scheme,
        "relation_type": {"id": relation.lower()},
    }


def _description(manifest: Manifest) -> str:
    """Say in HTML what a reader of the record's page needs; no markup of the manifest's own."""
    text = str(manifest.get("description") or "")
    blocks = [_paragraph(part) for part in re.split(r"\n\s*\n", text) if part.strip()]
    blocks.append(_paragraph(_size(manifest)))
    lists = {
        "Parameters": _columns(manifest, ("parameter", "nuisance")),
        "Results": _columns(manifest, ("likelihood", "limit", "test", "label")),
        "Analyses": map(analysis_text, manifest.get("analyses") or ()),
        "Models": map(_model, manifest.get("models") or ()),
        "Assumptions": (flat(entry["text"]) for entry in manifest.get("assumptions") or ()),
        "Licences": (f"{k}: {v}" for k, v in (manifest.get("licences") or {}).items()),
    }
    for head, texts in lists.items():
        blocks += _list(head, list(texts))
    return "\n".join([*blocks, _use(manifest)])


def _size(manifest: Manifest) -> str:
    table = _scan(manifest)
    theory = manifest.get("theory") or {}
    named = f"{theory['family']}: {theory['convention']}. " if theory else ""
    return (
        f"{named}Bundle {manifest['id']} {manifest['version']} (format {manifest['format']}) with "
        f"{count(table.get('rows', 0))} points, {count(table.get('valid_rows', 0))} of them valid "
        "in every parameter."
    )


def _scan(manifest: Manifest) -> Mapping[str, Any]:
    return next((table for table in manifest["tables"] if table["name"] == "scan"), {})


def _columns(manifest: Manifest, roles: tuple[str, ...]) -> list[str]:
    table = _scan(manifest)
    texts = []
    for column in table.get("columns") or ():
        if column["role"] in roles:
            label = f": {flat(column['label'])}" if column.get("label") else ""
            texts.append(f"{column['name']} [{column['unit']}]{label}")
    return texts


def _model(card: Mapping[str, Any]) -> str:
    inputs = ", ".join(entry["column"] for entry in card["inputs"])
    tested = [metric for metric in card.get("metrics") or () if metric.get("split") == "test"]
    told = f"; {documents.metric_text(tested[0])}" if tested else ""
    return (
        f"{card['name']} ({card['file']}): {card['task']} of {card['target']} from {inputs}{told}"
    )


def _use(manifest: Manifest) -> str:
    doi = bare_doi(manifest.get("doi"))
    lines = [f"limen fetch {doi}"] if doi else []
    lines += [f"limen predict {doi} points.csv"] if doi and manifest.get("models") else []
    rest = _paragraph(
        "bundle.json describes every column and model. scan.zarr.zip is plain Zarr and each model "
        "plain ONNX: both can be read without Limen, as README.md shows."
    )
    code = "".join(f"<pre>{html.escape(line)}</pre>\n" for line in lines)
    return f"<p><strong>How to use it</strong></p>\n{code}{rest}" if code else rest


def _paragraph(text: object) -> str:
    return f"<p>{html.escape(flat(text))}</p>"


def _list(head: str, texts: list[str]) -> list[str]:
    if not texts:
        return []
    shown = [f"<li>{html.escape(flat(text))}</li>" for text in texts[:_LISTED]]
    if len(texts) > _LISTED:
        shown.append(f"<li>and {len(texts) - _LISTED} more, see README.md</li>")
    return [f"<p><strong>{head}</strong></p>", f"<ul>{''.join(shown)}</ul>"]
