"""Croissant 1.0 description of a bundle, for dataset search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from limen.documents.citation import bibtex
from limen.documents.escaping import clean, flat
from limen.documents.identity import (
    Creator,
    bundle_title,
    creators,
    doi_url,
    licence_url,
    release_date,
)
from limen.documents.statements import statistics_text
from limen.documents.wording import column_text

__all__ = ["CROISSANT_VERSION", "croissant"]

CROISSANT_VERSION = "http://mlcommons.org/croissant/1.0"
_PREVIEW = "preview.csv"
# The context that the specification prescribes, term by term.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_ABOUT = {
    "scan": "The scan: a Zarr v3 group in a ZIP file, one array per column",
    "model": "A trained model as an ONNX graph with all preprocessing inside",
    "probe": "Stored inputs and answers of a model, with tolerances",
    "preview": "Some valid rows of the scan, spread evenly over it",
    "attachment": "An attachment",
}


def croissant(manifest: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> str:
    """
    Croissant JSON-LD of a bundle.

    Parameters
    ----------
    manifest : mapping
    files : mapping of str to mapping
        Name to sha256, bytes, media_type and role; generated documents are left out.

    Returns
    -------
    str
        JSON, safe to embed in HTML. The record set describes ``preview.csv`` if it is in ``files``.

    Examples
    --------
    >>> json.loads(croissant({"id": "toy", "title": "Toy"}, {}))["conformsTo"]
    'http://mlcommons.org/croissant/1.0'
    """
    manifest, files = clean(manifest), clean(files)
    title = bundle_title(manifest)
    released = release_date(manifest)
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT_VERSION,
        "name": title,
        "description": str(manifest.get("description") or title).strip(),
        "url": doi_url(manifest.get("doi")),
        "version": flat(manifest.get("version") or ""),
        "license": _licences(manifest),
        "creator": [_party(creator) for creator in creators(manifest)],
        "keywords": [flat(word) for word in manifest.get("keywords") or ()],
        "dateCreated": released,
        "datePublished": released if manifest.get("status") == "frozen" else "",
        "citeAs": bibtex(manifest),
        "isLiveDataset": False,
        "distribution": [_file(name, entry) for name, entry in files.items() if _is_listed(entry)],
        "recordSet": [_records(manifest)] if _PREVIEW in files else [],
    }
    kept = {key: value for key, value in document.items() if value not in ("", [])}
    text = json.dumps(kept, ensure_ascii=False, indent=1, allow_nan=False)
    return text.replace("<", "\\u003c") + "\n"


def _licences(manifest: Mapping[str, Any]) -> list[str]:
    named = manifest.get("licences") or {}
    texts = [flat(named.get(part) or "") for part in ("data", "models", "code")]
    return list(dict.fromkeys(licence_url(text) or text for text in texts if text))


def _party(creator: Creator) -> dict[str, str]:
    kind = "sc:Person" if creator.family or creator.orcid else "sc:Organization"
    party = {"@type": kind, "name": creator.name, "url": creator.orcid}
    return {key: value for key, value in party.items() if value}


def _is_listed(entry: Mapping[str, Any]) -> bool:
    return entry.get("role") in _ABOUT


def _file(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": _ABOUT[entry["role"]],
        "contentUrl": name,
        "contentSize": f"{entry['bytes']} B",
        "encodingFormat": entry.get("media_type") or "application/octet-stream",
        "sha256": entry["sha256"],
    }


def _records(manifest: Mapping[str, Any]) -> dict[str, Any]:
    scan: Mapping[str, Any] = next(
        (table for table in manifest.get("tables") or () if table.get("name") == "scan"), {}
    )
    return {
        "@type": "cr:RecordSet",
        "@id": "preview",
        "name": "preview",
        "description": "Some valid rows of the scan, spread evenly over it; not a random sample.",
        "field": [_field(column) for column in scan.get("columns") or ()],
    }


def _field(column: Mapping[str, Any]) -> dict[str, Any]:
    name = column["name"]
    about = [column_text(column), f"role {column['role']}", f"unit {flat(column.get('unit', '1'))}"]
    about.append(statistics_text(column.get("statistics") or {}, str(column.get("quantity"))))
    return {
        "@type": "cr:Field",
        "@id": f"preview/{name}",
        "name": name,
        "description": "; ".join(part for part in about if part),
        "dataType": _data_type(column),
        "source": {"fileObject": {"@id": _PREVIEW}, "extract": {"column": name}},
    }


def _data_type(column: Mapping[str, Any]) -> str:
    dtype = str(column.get("dtype", "float64"))
    if dtype == "bool":
        return "sc:Boolean"
    # An integer that can be masked has empty fields, which no integer type can hold.
    return "sc:Integer" if "int" in dtype and not column.get("valid") else "sc:Float"
