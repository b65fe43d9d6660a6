"""What a HEPData submission says of itself: record, analysis, licence, keywords, related papers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from limen.readers.hepdata.columns import Column
from limen.readers.hepdata.values import limen_unit, number, spdx
from limen.readers.pages import TODO
from limen.units import convert

__all__ = ["document_of", "record_of"]

_DOI = re.compile(r"10\.[0-9]{4,9}/[^\s\"<>]+")
_INSPIRE = re.compile(r"ins([1-9][0-9]{0,11})")
_EXPERIMENT = re.compile(r"\b(ATLAS|CMS|LHCb|ALICE|Belle II|Belle|BaBar|CDF|D0|H1|ZEUS)\b")
_DEFAULT_LICENCE = "CC0-1.0"
_DATA = "10.17182/"


class _Table(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def document(self) -> Mapping[str, Any]: ...
    @property
    def columns(self) -> Sequence[Column]: ...


def record_of(
    option: str, general: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]
) -> str:
    """
    Name the record: what the option says, else the DOI or INSPIRE number in the submission.

    Parameters
    ----------
    option : str
        ``ins1234567``, a DOI, or empty.
    general : mapping
        What the submission says of all tables.
    documents : sequence of mapping
        What it says of each.

    Returns
    -------
    str
        Empty if nothing says it.

    Examples
    --------
    >>> record_of("", {"record_ids": [{"type": "inspire", "id": "1765529"}]}, [])
    'ins1765529'
    """
    if option:
        return option.removeprefix("https://doi.org/")
    doi = _text(general.get("hepdata_doi"))
    if _DOI.fullmatch(doi):
        return doi
    for document in documents:
        doi = _text(document.get("table_doi"))
        if _DOI.fullmatch(doi):
            return re.sub(r"/t[0-9]+\Z", "", doi)
    for entry in _entries(general.get("record_ids")):
        if _text(entry.get("type")).lower() == "inspire" and _text(entry.get("id")).isdigit():
            return f"ins{entry['id']}"
    return ""


def document_of(
    record: str, general: Mapping[str, Any], tables: Sequence[_Table]
) -> dict[str, Any]:
    """
    Write what a submission says as fields of a scan document.

    Parameters
    ----------
    record : str
        As `record_of` gives it.
    general : mapping
        What the submission says of all tables.
    tables : sequence
        Tables that are read, each with ``name``, ``document`` and ``columns``.

    Returns
    -------
    dict
        ``description``, ``keywords``, ``licences``, ``related``, ``analyses``, ``sampling``.
    """
    said = [_text(table.document.get("description")) for table in tables]
    comment = _text(general.get("comment"))
    paragraphs = [text for text in dict.fromkeys([comment, *said]) if text]
    names = ", ".join(f"'{table.name}'" for table in tables[:20])
    document: dict[str, Any] = {
        "licences": {"data": _licence(general, tables)},
        "sampling": [
            {
                "sampler": f"HEPData table {names}"[:300],
                "prior": "none: the points of a published table, not a sample",
                "selection": "none",
            }
        ],
    }
    if paragraphs:
        document["description"] = "\n".join(paragraphs)[:20_000]
    keywords = _keywords(tables)
    if keywords:
        document["keywords"] = keywords
    related = _related(record, general, tables)
    if related:
        document["related"] = related
    analysis = _analysis(record, general, tables)
    if analysis:
        document["analyses"] = [analysis]
    return document


def _text(value: Any) -> str:
    return re.sub(r"\s+", " ", value).strip() if isinstance(value, str) else ""


def _entries(value: Any) -> list[dict[str, Any]]:
    return [e for e in value if isinstance(e, dict)] if isinstance(value, list) else []


def _licence(general: Mapping[str, Any], tables: Sequence[_Table]) -> str:
    """Give the licence of all tables; HEPData's is CC0 unless the submission says otherwise."""
    stated = [general.get("data_license"), general.get("record_licence")]
    stated += [table.document.get("data_license") for table in tables]
    names = {spdx(licence) or TODO for licence in stated if isinstance(licence, dict)}
    if len(names) > 1:
        return TODO
    return names.pop() if names else _DEFAULT_LICENCE


def _keywords(tables: Sequence[_Table]) -> list[str]:
    """Give the observables, phrases and reactions; energies are of the analysis."""
    found: list[str] = []
    for table in tables:
        for entry in _entries(table.document.get("keywords")):
            values = entry.get("values")
            if entry.get("name") != "cmenergies" and isinstance(values, list):
                found += [_text(value)[:300] for value in values if _text(value)]
    return list(dict.fromkeys(found))[:100]


def _related(
    record: str, general: Mapping[str, Any], tables: Sequence[_Table]
) -> list[dict[str, str]]:
    """List the record and its tables, and what the resources name by a DOI."""
    found: dict[str, str] = {}
    if _DOI.fullmatch(record):
        found[record] = "IsDerivedFrom"
    for table in tables:
        doi = _text(table.document.get("table_doi"))
        if _DOI.fullmatch(doi):
            found[doi] = "IsDerivedFrom"
    resources = _entries(general.get("additional_resources"))
    for table in tables:
        resources += _entries(table.document.get("additional_resources"))
    for resource in resources:
        named = _DOI.search(_text(resource.get("location")))
        if named:
            own = named[0].startswith(_DATA)
            found.setdefault(named[0], "IsDerivedFrom" if own else "References")
    answer = [
        {"relation": relation, "identifier": doi[:300], "scheme": "doi"}
        for doi, relation in found.items()
    ]
    if _INSPIRE.fullmatch(record):
        url = f"https://www.hepdata.net/record/{record}"
        answer.append({"relation": "IsDerivedFrom", "identifier": url, "scheme": "url"})
    return answer[:1000]


def _analysis(
    record: str, general: Mapping[str, Any], tables: Sequence[_Table]
) -> dict[str, Any] | None:
    """Describe the analysis as far as the submission does."""
    number_of = _INSPIRE.fullmatch(record)
    for entry in _entries(general.get("record_ids")):
        if number_of is None and _text(entry.get("type")).lower() == "inspire":
            number_of = _INSPIRE.fullmatch(f"ins{_text(entry.get('id'))}")
    energy = _energy(tables)
    if not record and energy is None and number_of is None:
        return None
    experiment = _EXPERIMENT.search(_text(general.get("comment")))
    answer: dict[str, Any] = {"experiment": experiment[1] if experiment else TODO, "id": TODO}
    if number_of is not None:
        answer["inspire"] = int(number_of[1])
    if energy is not None:
        answer["sqrt_s"] = energy
    if record:
        answer["hepdata"] = record[:300]
    return answer


def _energy(tables: Sequence[_Table]) -> float | None:
    """Find the one centre-of-mass energy [TeV] that qualifiers or keywords give."""
    said = {
        (value, units or "GEV")
        for table in tables
        for column in table.columns
        for name, value, units in column.notes.qualifiers
        if name.upper().startswith("SQRT(S")
    }
    if not said:
        said = {
            (_text(value), "GEV")
            for table in tables
            for entry in _entries(table.document.get("keywords"))
            if entry.get("name") == "cmenergies" and isinstance(entry.get("values"), list)
            for value in entry["values"]
        }
    energies = set()
    for text, units in said:
        unit = limen_unit(units)
        try:
            value = number(text)
        except ValueError:
            continue
        if unit in ("GeV", "TeV", "MeV") and value > 0:
            energies.add(round(float(convert(value, unit, "TeV")), 9))
    return energies.pop() if len(energies) == 1 else None
