"""The table ``queries`` of a bundle: one row for each point that campaigns asked, failures too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen import manifest
from limen.active.gathering import ORIGINS
from limen.active.problem import STATUSES
from limen.bundle import Bundle
from limen.packing import write_table

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["write_queries"]

Array = NDArray[Any]

_WORDS = ("symbol", "label", "scale", "group", "description")
_STATISTICAL = ("likelihood", "limit", "test")
_LONGEST = 300
_MOST_MESSAGES = 10_000
_PENDING = "pending"
# Columns whose categories are collected from several campaigns by their text.
_CODED = ("campaign", "strategy", "message", "task")


def write_queries(
    path: Path,
    campaign: Campaign,
    scan: Mapping[str, Mapping[str, Any]],
    row: Array,
    earlier: Bundle | None,
) -> dict[str, Any]:
    """
    Write the table of queries.

    Parameters
    ----------
    path : Path
        A new file.
    campaign : Campaign
    scan : mapping of str to mapping
        Entries of the scan's columns, by name.
    row : ndarray of int, shape (n,)
        For each query its row in the scan; -1 if it is none.
    earlier : Bundle, optional
        The parent, whose queries of other campaigns are kept.

    Returns
    -------
    dict
        Entry of the manifest's ``tables``.
    """
    entries, values = _own(campaign, scan, row)
    if earlier is not None and "queries" in earlier.tables:
        entries, values = _joined(entries, values, earlier, campaign.id)
    return write_table(path, "queries", entries, values)


def _own(
    campaign: Campaign, scan: Mapping[str, Mapping[str, Any]], row: Array
) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    table = campaign.queries
    entries: list[dict[str, Any]] = []
    values: dict[str, Array] = {}

    def add(name: str, role: str, label: str, column: Any, unit: str = "1", **more: Any) -> None:
        entries.append({"name": name, "role": role, "unit": unit, "label": label, **more})
        values[name] = np.asarray(column)

    def coded(name: str, label: str, texts: Sequence[Any], role: str = "query") -> None:
        codes, categories = _codes(texts)
        add(name, role, label, codes, categories=categories)

    coded("campaign", "campaign that asked the point", [campaign.id] * len(table))
    numbers = [int(text.rpartition("-")[2]) for text in table["id"]]
    add("id", "id", "running number of the point in its campaign", np.array(numbers, np.int64))
    space = campaign.problem.space
    for item in space.parameters:
        entries.append(_described(scan.get(item.name, {}), item.name, "parameter", item.unit))
        values[item.name] = table[item.name].to_numpy(np.float64)
    for output in campaign.problem.outputs:
        column = scan.get(output.name, {})
        entries.append(_described(column, output.name, "observable", output.unit))
        values[output.name] = table[output.name].to_numpy(np.float64)
        error = f"{output.name}_err"
        if error in table and table[error].notna().any():
            of = {"of": output.name, "kind": "stat", "side": "both"}
            label = f"standard error of {output.name}"
            add(error, "uncertainty", label, table[error].to_numpy(float), output.unit, **of)
    _status(table, add, coded)
    label = "row of the point in the table scan; -1 if it is none"
    add("row", "query", label, row.astype(np.int64))
    return entries, values


def _status(table: Any, add: Any, coded: Any) -> None:
    """Add what is noted of each query."""
    words = (*STATUSES, _PENDING)
    code = np.array([words.index(text) for text in table["status"]], dtype=np.int8)
    listed = {str(number): text for number, text in enumerate(words)}
    label = "what became of the point; a censored value is a bound"
    add("status", "query", label, code, categories=listed)
    coded("message", "reason of a failure", table["message"])
    add("round", "query", "number of the ask, from 1", table["round"].to_numpy(np.int32))
    coded("strategy", "strategy that proposed the point", table["strategy"])
    origin = np.array([ORIGINS.index(text) for text in table["origin"]], dtype=np.int8)
    listed = {str(number): text for number, text in enumerate(ORIGINS)}
    add("origin", "origin", "how the point was chosen", origin, categories=listed)
    acquisition = table["acquisition"].to_numpy(np.float64)
    add("acquisition", "query", "value of the acquisition", acquisition)
    fidelity = table["fidelity"].to_numpy(np.int8)
    add("fidelity", "fidelity", "0: the real thing; above: a cheap approximation", fidelity)
    coded("task", "task of a production system", table["task"])
    add("cost", "cost", "cost that was told", table["cost"].to_numpy(np.float64))


def _described(column: Mapping[str, Any], name: str, role: str, unit: str) -> dict[str, Any]:
    """Describe a parameter or output as the scan does, in the campaign's unit."""
    words = {key: column[key] for key in _WORDS if key in column}
    entry = {"name": name, "role": role, "unit": unit, **words}
    if column.get("role") in _STATISTICAL and column.get("unit") == unit:
        kept = ("role", "quantity", "statistics", "analysis")
        entry |= {key: column[key] for key in kept if key in column}
    elif column.get("role") in ("parameter", "nuisance"):
        entry["role"] = column["role"]
    return entry


def _codes(texts: Sequence[Any]) -> tuple[Array, dict[str, str]]:
    """Number texts in order of appearance; 0 is none."""
    numbers: dict[str, int] = {}
    codes = []
    for text in texts:
        known = isinstance(text, str) and text.strip()
        short = " ".join(str(text).split())[:_LONGEST] if known else "none"
        if len(numbers) >= _MOST_MESSAGES and short not in numbers:
            short = "other"
        codes.append(numbers.setdefault(short, len(numbers)))
    dtype = np.int8 if len(numbers) < 100 else np.int32
    categories = {str(number): text for text, number in numbers.items()}
    return np.array(codes, dtype=dtype), categories or {"0": "none"}


def _joined(
    entries: list[dict[str, Any]], values: dict[str, Array], earlier: Bundle, campaign: str
) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Put the queries of other campaigns before one's own; what one has not is NaN or 'none'."""
    columns = manifest.columns(earlier.manifest, "queries")
    with earlier.open_scan("queries") as scan:
        table = scan.read(list(columns))
    name = dict(columns["campaign"].categories or {})
    other = np.array([name[str(code)] != campaign for code in table["campaign"]], dtype=bool)
    n, m = int(other.sum()), len(values["id"])
    if not n:
        return entries, values
    names = {entry["name"] for entry in entries}
    for before in columns.values():
        if before.name not in names and before.role != "mask" and before.dtype == "float64":
            kept = before.to_dict()
            for key in ("valid", "range", "dtype"):
                kept.pop(key, None)
            entries.append(kept)
            values[before.name] = np.full(m, np.nan)
    for entry in entries:
        own = values[entry["name"]]
        there = columns.get(entry["name"])
        if there is None:
            past: Array = np.full(n, np.nan) if own.dtype.kind == "f" else np.zeros(n, own.dtype)
        else:
            past = table[entry["name"]][other]
        if entry["name"] in _CODED and there is not None:
            texts = dict(there.categories or {})
            mine = dict(entry["categories"])
            both = [texts[str(c)] for c in past] + [mine[str(c)] for c in own]
            values[entry["name"]], entry["categories"] = _codes(both)
        else:
            values[entry["name"]] = np.concatenate([past.astype(own.dtype), own])
    return entries, values
