"""Records in formats of citation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import escape

from standin.call import Call
from standin.legacy import to_legacy
from standin.store import Entry

__all__ = ["EXPORTS"]


def _parts(entry: Entry) -> tuple[str, list[str], str, str]:
    old = to_legacy(entry.content.metadata, entry.content.access)
    names = [str(creator["name"]) for creator in old["creators"]]
    day = str(old.get("publication_date", ""))
    return str(old.get("title", "")), names, day, entry.doi


def _bibtex(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    return (
        f"@misc{{record_{entry.id},\n  author = {{{' and '.join(names)}}},\n"
        f"  title = {{{title}}},\n  publisher = {{Zenodo}},\n  year = {day[:4]},\n"
        f"  doi = {{{doi}}},\n  url = {{{call.resolver}/{doi}}},\n}}\n"
    )


def _text(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    return f"{'; '.join(names)} ({day[:4]}). {title}. Zenodo. {call.resolver}/{doi}"


def _csl(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    people = [dict(zip(("family", "given"), name.split(", "), strict=False)) for name in names]
    parts = [[int(part) for part in day.split("/")[0].split("-")]]
    document: dict[str, Any] = {"id": str(entry.id), "type": "dataset", "title": title, "DOI": doi}
    document |= {"author": people, "issued": {"date-parts": parts}, "publisher": "Zenodo"}
    return json.dumps(document)


def _datacite(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    document: dict[str, Any] = {"id": doi, "doi": doi, "titles": [{"title": title}]}
    document |= {"creators": [{"name": name} for name in names], "publisher": "Zenodo"}
    return json.dumps(document | {"publicationYear": day[:4], "url": f"{call.base}/doi/{doi}"})


def _schema_org(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    document: dict[str, Any] = {"@context": "http://schema.org", "@type": "Dataset", "name": title}
    document |= {"@id": f"{call.resolver}/{doi}", "identifier": doi, "datePublished": day}
    return json.dumps(document | {"creator": [{"@type": "Person", "name": n} for n in names]})


def _dublin_core(call: Call, entry: Entry) -> str:
    title, names, day, doi = _parts(entry)
    fields = [
        ("title", title),
        *(("creator", n) for n in names),
        ("date", day),
        ("identifier", doi),
    ]
    inner = "".join(f"<dc:{name}>{escape(text)}</dc:{name}>" for name, text in fields)
    return (
        '<oai_dc:dc xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/">{inner}</oai_dc:dc>'
    )


EXPORTS: Mapping[str, Callable[[Call, Entry], str]] = MappingProxyType(
    {
        "application/x-bibtex": _bibtex,
        "text/x-bibliography": _text,
        "application/vnd.citationstyles.csl+json": _csl,
        "application/vnd.datacite.datacite+json": _datacite,
        "application/ld+json": _schema_org,
        "application/x-dc+xml": _dublin_core,
    }
)
