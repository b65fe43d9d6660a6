"""The whole check of a document: its schema, then what the schema cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from limen import schema
from limen.errors import Fault
from limen.manifest.column_checks import column_faults, unknown_name
from limen.manifest.model_checks import model_faults
from limen.manifest.places import located
from limen.schema.wording import pointer

__all__ = ["check_manifest", "check_probe", "check_scan_document"]

Document = Mapping[str, Any]

_REMEDY = "a human must decide; fill in what is left open, or remove the line"


def check_manifest(document: Any) -> list[Fault]:
    """
    List all faults of a manifest.

    Parameters
    ----------
    document : object
        What ``bundle.json`` holds.

    Returns
    -------
    list of Fault
        What breaks the schema; if nothing does, what contradicts itself. Empty if all is well.
    """
    found = schema.faults(document, "bundle")
    return located(found or _manifest_faults(document), document)


def check_scan_document(document: Any, lines: Mapping[str, int] | None = None) -> list[Fault]:
    """
    List all faults of a scan document.

    Parameters
    ----------
    document : object
        What ``scan.yaml`` holds.
    lines : mapping of str to int, optional
        Line of each JSON pointer, for the messages.

    Returns
    -------
    list of Fault
        What is undecided and what breaks the schema; if nothing does, what contradicts itself.
    """
    undecided = list(_undecided_faults(document, ()))
    if undecided:
        first = undecided[0]
        undecided[0] = Fault(first.pointer, f"{first.message}, {_REMEDY}")
    places = {fault.pointer for fault in undecided}
    broken = [f for f in schema.faults(document, "scan-document") if f.pointer not in places]
    return located(undecided + broken or _scan_document_faults(document), document, lines)


def check_probe(document: Any) -> list[Fault]:
    """
    List all faults of a probe: its schema, then whether all lengths agree.

    Parameters
    ----------
    document : object
        What ``NAME.probe.json`` holds.

    Returns
    -------
    list of Fault
    """
    return schema.faults(document, "probe") or list(_probe_faults(document))


def _manifest_faults(document: Document) -> Iterator[Fault]:
    tables = document["tables"]
    names = [table["name"] for table in tables]
    if "scan" not in names:
        yield Fault("/tables", "found no table 'scan'; a bundle has one")
    yield from _parent_faults(document)
    yield from _creator_faults(document)
    yield from _analysis_faults(document)
    for position, table in enumerate(tables):
        place = f"/tables/{position}"
        if table["name"] in names[:position]:
            yield Fault(f"{place}/name", f"found {table['name']!r} twice; keep one")
        if table["valid_rows"] > table["rows"]:
            yield Fault(
                f"{place}/valid_rows",
                f"found {table['valid_rows']}, allowed at most the {table['rows']} rows",
            )
        yield from column_faults(table["columns"], f"{place}/columns", _analyses(document))
        yield from _query_faults(table, place)
        yield from _split_faults(table.get("split", {}), _columns(table), f"{place}/split")
    scan = _columns(next((table for table in tables if table["name"] == "scan"), {"columns": ()}))
    yield from _benchmark_faults(document, scan)
    yield from model_faults(document.get("models", ()), scan, "/models")
    yield from _file_faults(document)


def _query_faults(table: Document, place: str) -> Iterator[Fault]:
    """Find columns of role query in another table than the queries."""
    if table["name"] == "queries":
        return
    for position, column in enumerate(table["columns"]):
        if column["role"] == "query":
            yield Fault(
                f"{place}/columns/{position}/role",
                f"found 'query' in the table {table['name']!r}, allowed in 'queries' only; "
                "call it an observable, an id or a cost",
            )


def _scan_document_faults(document: Document) -> Iterator[Fault]:
    table = document["tables"][0]
    yield from _query_faults({"name": "scan"} | dict(table), "/tables/0")
    columns = _columns(table)
    yield from _parent_faults(document)
    yield from _creator_faults(document)
    yield from _analysis_faults(document)
    yield from column_faults(table["columns"], "/tables/0/columns", _analyses(document))
    yield from _benchmark_faults(document, columns)
    yield from _split_faults(document.get("split", {}), columns, "/split")


def _creator_faults(document: Document) -> Iterator[Fault]:
    for position, creator in enumerate(document.get("creators", ())):
        orcid = creator.get("orcid")
        if orcid is not None and orcid[-1] != _check_digit(orcid[:-1]):
            yield Fault(
                f"/creators/{position}/orcid",
                f"found {orcid!r}, whose last digit does not fit the others; correct the ORCID iD",
            )


def _check_digit(digits: str) -> str:
    """ISO 7064, MOD 11-2."""
    total = 0
    for digit in digits.replace("-", ""):
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)


def _columns(table: Document) -> dict[str, Document]:
    return {column["name"]: column for column in table["columns"]}


def _analyses(document: Document) -> set[str]:
    return {analysis["id"] for analysis in document.get("analyses", ())}


def _undecided_faults(node: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _undecided_faults(value, (*path, name))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _undecided_faults(value, (*path, position))
    elif node is None or (isinstance(node, str) and node.startswith("TODO")):
        found = "nothing" if node is None else repr(node[:60])
        yield Fault(pointer(path), f"found {found}")


def _parent_faults(document: Document) -> Iterator[Fault]:
    parent = document.get("parent", {})
    if (parent.get("id"), parent.get("version")) == (document["id"], document["version"]):
        yield Fault(
            "/parent/version",
            f"found {parent['version']!r}, which is this bundle's own; give it a new version",
        )


def _analysis_faults(document: Document) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, analysis in enumerate(document.get("analyses", ())):
        if analysis["id"] in seen:
            yield Fault(f"/analyses/{position}/id", f"found {analysis['id']!r} twice; keep one")
        seen.add(analysis["id"])


def _split_faults(split: Document, columns: Mapping[str, Document], place: str) -> Iterator[Fault]:
    for key in ("stratify", "group"):
        if key in split and split[key] not in columns:
            yield Fault(f"{place}/{key}", unknown_name(split[key], columns))
    drawn = split.get("population", {}).get("column")
    if drawn is not None and drawn not in columns:
        yield Fault(f"{place}/population/column", unknown_name(drawn, columns))
    fractions = split.get("fractions", {"all": 1})
    total = sum(fractions.values())
    if abs(total - 1) > 1e-9:
        yield Fault(f"{place}/fractions", f"found a sum of {round(total, 12)}, allowed 1")


def _benchmark_faults(document: Document, columns: Mapping[str, Document]) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, benchmark in enumerate(document.get("benchmarks", ())):
        place = f"/benchmarks/{position}"
        if benchmark["name"] in seen:
            yield Fault(f"{place}/name", f"found {benchmark['name']!r} twice; rename one of them")
        seen.add(benchmark["name"])
        for key in ("point", "expected"):
            for name in benchmark.get(key, ()):
                if name not in columns:
                    yield Fault(f"{place}/{key}/{name}", unknown_name(name, columns))


def _file_faults(document: Document) -> Iterator[Fault]:
    files = document["files"]
    seen: dict[str, str] = {}
    for name in files:
        place = pointer(("files", name))
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield Fault(place, f"found {name!r} beside {other!r}; names differ in more than case")
        if name.casefold() == "bundle.json":
            yield Fault(place, "found the manifest, which cannot list itself; remove it")
    named: dict[str, str] = {}
    for position, table in enumerate(document["tables"]):
        yield from _part_faults(files, table["file"], "scan", f"/tables/{position}/file", named)
    for position, card in enumerate(document.get("models", ())):
        for key, role in (("file", "model"), ("probe", "probe")):
            yield from _part_faults(files, card[key], role, f"/models/{position}/{key}", named)
    for name, entry in files.items():
        if entry["role"] in {"scan", "model", "probe"} and name not in named:
            yield Fault(
                f"{pointer(('files', name))}/role",
                f"found {entry['role']!r}, but no table or model names this file; "
                "allowed is 'attachment'",
            )


def _part_faults(
    files: Document, name: str, role: str, place: str, named: dict[str, str]
) -> Iterator[Fault]:
    if named.setdefault(name, place) != place:
        yield Fault(place, f"found {name!r}, which {named[name]} names already")
    elif name not in files:
        yield Fault(place, f"found {name!r}, which is not listed in 'files'")
    elif files[name]["role"] != role:
        yield Fault(
            f"{pointer(('files', name))}/role",
            f"found {files[name]['role']!r}, allowed {role!r}: {place} names this file",
        )


def _probe_faults(document: Document) -> Iterator[Fault]:
    width, rows = len(document["inputs"]), len(document["points"])
    for position, point in enumerate(document["points"]):
        if len(point) != width:
            yield Fault(
                f"/points/{position}", f"found {len(point)} values, allowed {width}, one per input"
            )
    for name, values in document["outputs"].items():
        if len(values) != rows:
            yield Fault(
                f"/outputs/{name}", f"found {len(values)} answers, allowed {rows}, one per point"
            )
    classes = {len(row) for row in document["outputs"].get("probability", ())}
    if len(classes) > 1:
        yield Fault("/outputs/probability", "found rows of different length, allowed one length")
