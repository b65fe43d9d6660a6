"""README.md of a bundle: what it is, what it says, where it holds, how to use and cite it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from limen.documents.citation import bibtex, how_to_cite
from limen.documents.escaping import clean, code, fence, flat, markdown, paragraphs
from limen.documents.identity import (
    bundle_title,
    creators,
    doi_url,
    is_citable,
    licence_url,
    related_name,
    release_date,
)
from limen.documents.statements import statistics_text, with_fit
from limen.documents.usage import usage
from limen.documents.wording import (
    analysis_text,
    campaign_text,
    column_text,
    confidence_text,
    count,
    describe,
    domain_text,
    label_values,
    metric_text,
    number,
)

__all__ = ["readme"]

_STATISTICAL = ("likelihood", "limit", "test", "label")
_MAIN_METRICS = 4


def readme(manifest: Mapping[str, Any]) -> str:
    r"""
    README.md of a bundle.

    Parameters
    ----------
    manifest : mapping
        The manifest; ``files`` is not read.

    Returns
    -------
    str
        Markdown. What the manifest says is shown as text: none of it acts as markup.

    Examples
    --------
    >>> print(readme({"id": "toy", "title": "A *toy*", "version": "1.0.0"}).splitlines()[0])
    # A \*toy\*
    """
    manifest = clean(manifest)
    sections = {
        "": _opening(manifest),
        "What it says": _statements(manifest),
        "Use it": usage(manifest),
        "Theory": _theory(manifest),
        "Columns": _tables(manifest),
        "Models": _models(manifest),
        "Analyses": _bullets(map(analysis_text, manifest.get("analyses") or ())),
        "Assumptions": _bullets(_assumption(entry) for entry in manifest.get("assumptions") or ()),
        "Benchmark points": _benchmarks(manifest),
        "Where it comes from": _provenance(manifest),
        "Licences": _licences(manifest),
        "How to cite": _citing(manifest),
    }
    blocks = [f"## {head}\n\n{body}" if head else body for head, body in sections.items() if body]
    return "\n\n".join(blocks) + "\n"


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {markdown(text)}" for text in texts if text)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _scan(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    tables = manifest.get("tables") or ()
    return next((table for table in tables if table.get("name") == "scan"), {})


def _opening(manifest: Mapping[str, Any]) -> str:
    title = markdown(bundle_title(manifest))
    name = (
        f"{code(manifest.get('id') or 'bundle')} version {markdown(manifest.get('version') or '?')}"
    )
    url = doi_url(manifest.get("doi"))
    if manifest.get("status") != "frozen":
        state = "**draft: it may still change and is not citable yet**"
    elif is_citable(manifest):
        state = (
            f"frozen; DOI <{_plain_url(url)}>" if _plain_url(url) else f"frozen; {markdown(url)}"
        )
    else:
        state = "frozen; **no DOI yet: deposit it before you cite it**"
    if release_date(manifest):
        state += f"; made on {release_date(manifest)}"
    lines = [f"# {title}", f"{name}; {state}."]
    who = "; ".join(creator.name for creator in creators(manifest))
    if who:
        lines.append(markdown(who))
    if manifest.get("description"):
        lines.append(paragraphs(manifest["description"]))
    lines.append(_size(manifest))
    return "\n\n".join(line for line in lines if line)


def _plain_url(url: str) -> str:
    return url if url and not set(url) & set("<>\\`|\"' ") else ""


def _size(manifest: Mapping[str, Any]) -> str:
    scan = _scan(manifest)
    if not scan:
        return ""
    columns = scan.get("columns") or ()
    parameters = sum(column.get("role") == "parameter" for column in columns)
    rows, valid = count(scan.get("rows", 0)), count(scan.get("valid_rows", 0))
    models = len(manifest.get("models") or ())
    return (
        f"{rows} rows ({valid} valid) of {len(columns)} columns, {parameters} of them parameters; "
        f"{models} trained model{'' if models == 1 else 's'}."
    )


def _statements(manifest: Mapping[str, Any]) -> str:
    columns = {column["name"]: column for column in _scan(manifest).get("columns") or ()}
    lines = []
    for name, column in columns.items():
        if column.get("role") not in _STATISTICAL:
            continue
        text = (column.get("definition") or {}).get("text") or column.get("description")
        parts = [
            flat(text or column.get("label") or "").rstrip("."),
            label_values(column) if column["role"] == "label" else "",
            statistics_text(with_fit(column, columns), str(column.get("quantity"))),
            f"Analyses: {describe(column['analysis'])}" if column.get("analysis") else "",
        ]
        told = ". ".join(part[:1].upper() + part[1:] for part in parts if part)
        quantity = markdown(str(column.get("quantity") or column["role"]).replace("_", " "))
        lines.append(f"- {code(name)}, {quantity}: {markdown(told)}.")
    return "\n".join(lines)


def _theory(manifest: Mapping[str, Any]) -> str:
    theory = manifest.get("theory") or {}
    return _bullets(
        f"{flat(key).replace('_', ' ').capitalize()}: {describe(value)}"
        for key, value in theory.items()
    )


def _tables(manifest: Mapping[str, Any]) -> str:
    blocks = []
    for table in manifest.get("tables") or ():
        where = f"Table {code(table.get('name'))} in {code(table.get('file'))}:"
        rows = (
            (
                code(column["name"]),
                code(column["symbol"]) if column.get("symbol") else "",
                markdown(column.get("unit", "1")),
                markdown(column.get("role", "")),
                _range(column),
                markdown(column_text(column)),
            )
            for column in table.get("columns") or ()
        )
        head = ("Name", "Symbol", "Unit", "Role", "Range", "What")
        blocks += [where, _table(head, rows)]
        if table.get("sampling"):
            drawn = _bullets(_sampler(entry) for entry in table["sampling"])
            blocks.append(f"Its rows were drawn by:\n\n{drawn}")
    return "\n\n".join(blocks)


def _range(column: Mapping[str, Any]) -> str:
    bounds = column.get("range")
    if not bounds:
        return ""
    scale = " (log)" if column.get("scale") == "log" else ""
    return markdown(f"{number(bounds[0])} to {number(bounds[1])}{scale}")


def _sampler(entry: Mapping[str, Any]) -> str:
    names = {key: entry[key] for key in ("name", "sampler", "version") if entry.get(key)}
    rest = {key: value for key, value in entry.items() if key not in names}
    lead = " ".join(flat(names[key]) for key in ("sampler", "version") if key in names)
    lead = ": ".join(part for part in (flat(names.get("name", "")), lead) if part)
    return "; ".join(part for part in (lead, describe(rest)) if part)


def _models(manifest: Mapping[str, Any]) -> str:
    models = manifest.get("models") or ()
    if not models:
        return "None yet."
    rows = (
        (
            code(card["name"]),
            code(card.get("target", "")),
            markdown(card.get("task", "")),
            markdown(_metrics_text(card)),
            markdown(domain_text(card.get("domain") or {})),
            markdown(card.get("limitations") or ""),
        )
        for card in models
    )
    head = ("Name", "Target", "Task", "Metrics [interval]; population", "Domain", "Limitations")
    notes = [
        f"- {code(card['name'])}, {markdown(confidence_text(entry, _population(card)))}."
        for card in models
        for entry in card.get("confidence") or ()
    ]
    blocks = [_table(head, rows)]
    if notes:
        blocks.append("What the stated confidence means:\n\n" + "\n".join(notes))
    return "\n\n".join(blocks)


def _metrics_text(card: Mapping[str, Any]) -> str:
    shared = _population(card)
    texts = [
        metric_text({**metric, "population": ""} if shared else metric)
        for metric in _main_metrics(card)
    ]
    return "; ".join([*texts, f"population: {shared}"] if shared else texts)


def _population(card: Mapping[str, Any]) -> str:
    """Give the population of all the metrics shown, or nothing where they differ."""
    named = {flat(metric.get("population") or "") for metric in _main_metrics(card)}
    return named.pop() if len(named) == 1 else ""


def _main_metrics(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    metrics = card.get("metrics") or ()
    # Figures of rows that the model has not seen come first; the order of the card otherwise.
    unseen = ("test", "out_of_bag")
    return sorted(metrics, key=lambda metric: metric.get("split") not in unseen)[:_MAIN_METRICS]


def _assumption(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return describe(entry)
    rest = {key: value for key, value in entry.items() if key != "text"}
    return flat(entry.get("text") or "") + (f" ({describe(rest)})" if rest else "")


def _benchmarks(manifest: Mapping[str, Any]) -> str:
    lines = []
    for entry in manifest.get("benchmarks") or ():
        expected = [
            f"{key} = {number(value)}" for key, value in (entry.get("expected") or {}).items()
        ]
        line = (
            f"{flat(entry.get('name'))}: expected {flat(', '.join(expected) or 'nothing stated')}"
        )
        lines.append(line + (f" ({flat(entry['reference'])})" if entry.get("reference") else ""))
    return _bullets(lines)


def _provenance(manifest: Mapping[str, Any]) -> str:
    lines = [
        f"{flat(tool.get('role') or 'Tool')}: {describe(_without_role(tool))}"
        for tool in manifest.get("toolchain") or ()
    ]
    parent = manifest.get("parent")
    if parent:
        lines.append(f"Previous version: {describe(parent)}")
    if manifest.get("campaign"):
        lines.append(campaign_text(manifest["campaign"]))
    lines += [
        f"{flat(related.get('relation') or 'Related')}: {related_name(related)}"
        for related in manifest.get("related") or ()
    ]
    return _bullets(lines)


def _without_role(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key != "role"}


def _licences(manifest: Mapping[str, Any]) -> str:
    named = manifest.get("licences") or {}
    if not named:
        return "Not chosen yet: until then nobody may reuse it."
    return _bullets(
        f"{flat(part)}: {flat(licence)}"
        + (f" ({licence_url(licence)})" if licence_url(licence) else "")
        for part, licence in named.items()
    )


def _citing(manifest: Mapping[str, Any]) -> str:
    blocks = [fence("text", how_to_cite(manifest))]
    if is_citable(manifest):
        blocks.append(fence("bibtex", bibtex(manifest)))
    return "\n\n".join(blocks)
