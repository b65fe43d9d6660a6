"""The page Bundle: all that a manifest says of its bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import streamlit as st

from limen.documents import bibtex, how_to_cite, metric_text
from limen.documents.statements import statistics_text
from limen.documents.wording import (
    analysis_text,
    column_text,
    confidence_text,
    describe,
    domain_text,
)
from limen.errors import LimenError
from limen.manifest import Column, ModelCard
from limen_app.charts import reliability_chart
from limen_app.library import one_message
from limen_app.pages import page
from limen_app.showing import number, paragraphs, plain, quantity, safe, symbol
from limen_app.visiting import Visit, fault, remember, share, visit

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    here = visit(library, "bundle")
    if here is None:
        st.title("Bundle")
        return
    document = here.bundle.manifest
    st.title(safe(document["title"]))
    state = remember(here, here.state.on("bundle"))
    _head(here, document)
    with st.container(horizontal=True):
        for name in ("predict", "browse", "slices"):
            target = page(name)
            st.page_link(target, label=target.title, icon=target.icon, query_params={"b": here.key})
        share(here, state)
    st.header("Columns")
    _columns(here)
    st.header("Models")
    if not here.bundle.models:
        st.caption("None yet; train one: limen train BUNDLE --target COLUMN")
    for card in here.bundle.models.values():
        _model(here, card)
    st.header("Where it comes from")
    _provenance(here, document)
    st.header("Cite")
    st.code(how_to_cite(document), language=None, wrap_lines=True)
    st.code(bibtex(document), language=None, wrap_lines=True)
    st.header("Files")
    _files(here, document)


def _head(here: Visit, document: Mapping[str, Any]) -> None:
    doi = document.get("doi")
    st.caption(
        f"{safe(here.key)}, {safe(here.bundle.status)}, "
        f"{f'DOI {safe(doi)}' if doi else 'no DOI yet'}. {here.bundle.n_points:,} points, "
        f"{here.bundle.table['valid_rows']:,} of them with all parameters valid."
    )
    st.markdown(paragraphs(document.get("description", "")))
    licences = document.get("licences", {})
    names = ", ".join(person["name"] for person in document.get("creators", ()))
    theory = document.get("theory", {})
    facts = {
        "creators": names or "not named yet",
        "licence": ", ".join(f"{k} {v}" for k, v in licences.items()) or "not stated",
        "theory": _facts(theory),
        "keywords": ", ".join(map(str, document.get("keywords", ()))),
        "created": document.get("created", ""),
    }
    for name, text in facts.items():
        if text:
            st.markdown(f"**{name}** {safe(text)}")
    for entry in document.get("assumptions", ()):
        st.markdown(f"**assumes** {safe(describe(entry))}")


def _columns(here: Visit) -> None:
    lines = ["| | name | unit | range | role | what it is | SLHA |", "|-|-|-|-|-|-|-|"]
    for column in here.bundle.columns.values():
        text = plain(column_text(column.to_dict()))
        if column.statistics:
            text += f" {plain(statistics_text(column.to_dict()))}"
        cells = [
            symbol(column),
            safe(column.name),
            safe("" if column.unit == "1" else column.unit),
            safe(_range(column)),
            safe(column.role),
            safe(text if len(text) <= 400 else f"{text[:400]}…"),
            safe(_slha(column)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    _wide_table("limen-columns", lines)


_FITTING = """<style>
.st-key-NAME table {width: 100%}
.st-key-NAME td {overflow-wrap: break-word}
@media (min-width: 1200px) {.st-key-NAME td:is(:nth-child(2), :nth-child(5)) {white-space: nowrap}}
@media (max-width: 700px) {
  .st-key-NAME thead {display: none}
  .st-key-NAME tr {display: block; margin-bottom: 1rem}
  .st-key-NAME td {display: block; border: none; padding: .1rem 0}
  .st-key-NAME td:empty {display: none}
}
</style>"""


def _wide_table(name: str, lines: list[str]) -> None:
    """Draw a table; in a narrow window each of its rows becomes a block of lines."""
    st.html(_FITTING.replace("NAME", name))
    with st.container(key=name):
        st.markdown("\n".join(lines))


def _range(column: Column) -> str:
    if column.categories:
        return ", ".join(f"{code} {meaning}" for code, meaning in column.categories.items())[:200]
    if column.range is None:
        return ""
    return f"{number(column.range[0])} to {quantity(column.range[1], column.unit)}"


def _slha(column: Column) -> str:
    found = []
    for source in column.source:
        if source.get("format") == "slha":
            key = " ".join(map(str, source.get("key", ())))
            scale = f" at Q = {source['scale']:g} GeV" if "scale" in source else ""
            found.append(f"{source.get('block', '')} {key}{scale}")
    return ", ".join(found)


def _model(here: Visit, card: ModelCard) -> None:
    target = here.bundle.columns[card.target]
    with st.container(border=True):
        st.subheader(safe(card.name))
        estimator = card.training.get("estimator", "a model of its own")
        st.markdown(
            f"{safe(card.task)} of {safe(target.title)} from {len(card.inputs)} inputs "
            f"({safe(estimator)}, trained on {card.training.get('rows', 0):,} rows)"
        )
        rows = [
            {
                "metric": plain(metric["name"]).replace("_", " "),
                "measured": plain(metric_text(metric))
                .partition(" (")[0]
                .removeprefix(plain(metric["name"]).replace("_", " "))
                .strip(),
                "rows": metric.get("rows"),
                "region": plain(metric.get("region", "everywhere")),
                "population": plain(metric.get("population", "")),
            }
            for metric in card.metrics
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        for entry in card.confidence:
            st.markdown(f"- {safe(confidence_text(entry))}")
            if entry["kind"] == "binned_accuracy":
                chart = reliability_chart(entry["table"], card.target)
                words = f"Reliability of {card.name}: share with label 1 by probability"
                st.altair_chart(chart, width="stretch", alt=words)
        st.markdown(f"**domain** {safe(domain_text(card.domain))}")
        for name in ("transforms", "limitations", "intended_use", "out_of_scope", "licence"):
            text = getattr(card, name)
            if text:
                st.markdown(f"**{name.replace('_', ' ')}** {safe(text)}")


def _provenance(here: Visit, document: Mapping[str, Any]) -> None:
    for analysis in document.get("analyses", ()):
        st.markdown(f"- analysis {safe(analysis_text(analysis))}")
    for sampling in here.bundle.table.get("sampling", ()):
        st.markdown(f"- {safe(sampling_sentence(sampling))}")
    for tool in document.get("toolchain", ()):
        st.markdown(f"- {safe(tool_sentence(tool))}")
    for related in document.get("related", ()):
        st.markdown(f"- {safe(related_sentence(related))}")
    parent = document.get("parent")
    if parent:
        st.markdown(f"- made from {safe(describe(parent))}")
    st.markdown(f"- manifest SHA-256 {safe(here.library.digest(here.key))}")


def sampling_sentence(entry: Mapping[str, Any]) -> str:
    """
    Say how points were drawn.

    >>> sampling_sentence({"name": "a", "sampler": "grid", "prior": "flat", "rows": 2000})
    '2,000 points "a", drawn by: grid; prior: flat.'
    """
    rest = {k: v for k, v in entry.items() if k not in ("name", "rows")}
    rows = f"{entry['rows']:,} points" if isinstance(entry.get("rows"), int) else "Points"
    name = f' "{plain(entry["name"])}"' if entry.get("name") else ""
    facts = _facts(rest).replace("sampler: ", "drawn by: ", 1)
    return f"{rows}{name}{f', {facts}' if facts else ''}."


def tool_sentence(entry: Mapping[str, Any]) -> str:
    """
    Say what a tool was used for.

    >>> tool_sentence({"role": "spectra", "name": "softsusy", "version": "4.1"})
    'softsusy 4.1, used for: spectra.'
    """
    rest = {k: v for k, v in entry.items() if k not in ("name", "version")}
    lead = " ".join(plain(entry[key]) for key in ("name", "version") if entry.get(key))
    facts = _facts(rest).replace("role: ", "used for: ", 1)
    return f"{', '.join(part for part in (lead or 'A tool', facts) if part)}."


def related_sentence(entry: Mapping[str, Any]) -> str:
    """
    Say how another work is related to this one.

    >>> related_sentence({"relation": "IsDerivedFrom", "identifier": "1", "scheme": "arxiv"})
    'is derived from arxiv 1'
    """
    relation = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain(entry.get("relation", "see"))).lower()
    where = " ".join(plain(entry[key]) for key in ("scheme", "identifier") if entry.get(key))
    rest = {k: v for k, v in entry.items() if k not in ("relation", "scheme", "identifier")}
    return "; ".join(part for part in (f"{relation} {where}", _facts(rest)) if part)


def _facts(entry: Mapping[str, Any]) -> str:
    """Write fields as ``name: value``; those of a field within are parted by commas."""
    return "; ".join(
        f"{plain(key).replace('_', ' ')}: {plain(describe(value)).replace('; ', ', ')}"
        for key, value in entry.items()
        if value not in (None, "", [], {})
    )


def _files(here: Visit, document: Mapping[str, Any]) -> None:
    lines = ["| file | what | size | SHA-256 |", "|-|-|-|-|"]
    base = f"api/v1/bundles/{quote(here.key, safe='@')}/files"
    names = {"bundle.json": {"role": "manifest"}} | document["files"]
    for name, entry in names.items():
        size = f"{entry['bytes'] / 1e6:,.3f} MB" if "bytes" in entry else ""
        digest = entry.get("sha256", here.library.digest(here.key))[:16]
        link = f"[{safe(name)}]({base}/{quote(name)})"
        lines.append(f"| {link} | {safe(entry.get('role', ''))} | {size} | {digest}… |")
    _wide_table("limen-files", lines)
    try:
        here.bundle.part(document["tables"][0]["file"])
    except LimenError as error:
        fault(one_message(error))
