"""
A scan with the rows of a campaign behind its own: the next document, and the columns in blocks.

Derived columns and labels are left out of the blocks, so that packing makes them anew: a new best
point moves every difference to it. Every masked column gets a mask of its own; packing stores
identical ones once.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.gathering import ORIGINS, Rows, origin_meanings, row_keys
from limen.bundle import Bundle
from limen.errors import DataError

__all__ = ["Merged", "merge"]

Array = NDArray[Any]

TRAIN, TEST = 0, 2
_DROPPED = ("models", "files", "doi", "concept_doi", "campaign", "format", "status", "created")
_TABLE = ("name", "dimension", "sampling", "split", "columns")


@dataclass(frozen=True, slots=True)
class Merged:
    """
    What :func:`limen.packing.write_bundle` needs, and which rows were added.

    Attributes
    ----------
    document : dict
        A scan document whose columns say what is stored.
    dtypes : dict of str to numpy.dtype
    blocks : iterator of dict
    rows : Rows
        The rows that were added; equal ones of the parent stay as they are.
    before : int
        Number of rows of the parent.
    found : dict of int to int
        Row of the parent that a query's point equals, by position of the query.
    origin : str
        The column of role origin.
    """

    document: dict[str, Any]
    dtypes: dict[str, np.dtype[Any]]
    blocks: Iterator[dict[str, Array]]
    rows: Rows
    before: int
    found: dict[int, int]
    origin: str


@dataclass(slots=True)
class _Part:
    """A stored column: where the parent's values come from (or one value), and the new ones."""

    parent: str | None
    fill: Any
    new: Array


def merge(parent: Bundle, rows: Rows, campaign: str) -> Merged:
    """
    Put rows behind those of a bundle.

    Parameters
    ----------
    parent : Bundle
    rows : Rows
        In the units of the parent's columns.
    campaign : str
        Id of the campaign.

    Returns
    -------
    Merged

    Raises
    ------
    DataError
        If the campaign leaves a parameter open that is not the same in all rows.
    """
    document = _document(parent)
    table = document["tables"][0]
    entries: dict[str, dict[str, Any]] = {c["name"]: c for c in table["columns"]}
    keys = [name for name, c in entries.items() if c["role"] in ("parameter", "nuisance")]
    rows = _with_constants(parent, rows, keys)
    rows, found = _new_rows(parent, rows, keys)
    given = dict(rows.columns)
    given["split"] = np.where(rows.origin == "reserved", TEST, TRAIN)
    origin, codes = _origin_column(table, entries, campaign)
    given[origin] = np.array([codes[name] for name in rows.origin], dtype=np.int64)
    _error_columns(table, entries, given)
    parts = _parts(parent, table, given, len(rows))
    _ranges(table, rows)
    dtypes = {name: np.dtype(part.new.dtype) for name, part in parts.items()}
    blocks = _blocks(parent, parts, dtypes)
    return Merged(document, dtypes, blocks, rows, parent.n_points, found, origin)


def _document(parent: Bundle) -> dict[str, Any]:
    """Describe the next version's scan as the parent's, without what is made anew."""
    document = {k: v for k, v in parent.manifest.items() if k not in _DROPPED}
    table = copy.deepcopy({k: v for k, v in parent.table.items() if k in _TABLE})
    made = [column for column in table["columns"] if _is_made(column)]
    for column in made:
        column.pop("valid", None)
    used = {column["valid"] for column in table["columns"] if "valid" in column}
    before = {c.valid for c in parent.columns.values() if c.valid}
    # What only derived columns needed is made with them.
    gone = before - used
    table["columns"] = [column for column in table["columns"] if column["name"] not in gone]
    for column in table["columns"]:
        if column["role"] not in ("parameter", "nuisance"):
            column.pop("range", None)
    return document | {"tables": [table], "missing": "mask"}


def _is_made(column: Mapping[str, Any]) -> bool:
    return "derived" in column or "column" in column.get("definition", {})


def _with_constants(parent: Bundle, rows: Rows, keys: list[str]) -> Rows:
    """Give parameters that the campaign did not vary the one value that they have in the scan."""
    open_ones = [name for name in keys if name not in rows.columns]
    constants = {name: parent.columns[name].range for name in open_ones}
    loose = [name for name, ends in constants.items() if ends is None or ends[0] != ends[1]]
    if loose:
        raise DataError(
            f"extend: the campaign does not vary {', '.join(loose)}, which differ from row to row "
            "of the scan, so that its points have no value there; start the campaign with all "
            "parameters, or select the rows of one value first"
        )
    filled = {name: np.full(len(rows), ends[0]) for name, ends in constants.items() if ends}
    return Rows(rows.columns | filled, rows.origin, rows.query)


def _new_rows(parent: Bundle, rows: Rows, keys: list[str]) -> tuple[Rows, dict[int, int]]:
    """Leave out rows that the parent has, or that come twice: equal rows are in one part."""
    with parent.open_scan() as scan:
        known = row_keys(scan.read(keys), keys)
    mine = row_keys(rows.columns, keys)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], mine)
    place = np.minimum(place, len(known) - 1)
    same = known[order][place] == mine
    found = dict(zip(rows.query[same].tolist(), order[place][same].tolist(), strict=True))
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(mine, return_index=True)[1]] = True
    return rows.take(first & ~same), found


def _origin_column(
    table: dict[str, Any], entries: dict[str, dict[str, Any]], campaign: str
) -> tuple[str, dict[str, int]]:
    """Find or add the column that tells origins, and give each origin of the campaign a code."""
    population = table.get("split", {}).get("population", {})
    named = [n for n, c in entries.items() if c["role"] == "origin"]
    name = population.get("column") or (named[0] if named else _free("origin", entries))
    if name not in entries:
        column = {"name": name, "role": "origin", "unit": "1", "dtype": "int8"}
        column["label"] = "where the row comes from"
        column["categories"] = {"0": "scan before any campaign"}
        entries[name] = column
        table["columns"].append(column)
    categories = entries[name]["categories"]
    codes = {}
    for origin in ORIGINS:
        meaning = origin_meanings(campaign)[origin]
        present = [int(code) for code, text in categories.items() if text == meaning]
        codes[origin] = present[0] if present else max(map(int, categories)) + 1
        categories[str(codes[origin])] = meaning
    if max(codes.values()) > np.iinfo(entries[name]["dtype"]).max:
        entries[name]["dtype"] = "int32"
    return name, codes


def _free(name: str, taken: Collection[str]) -> str:
    number = 2
    wanted = name
    while wanted in taken:
        wanted, number = f"{name}{number}", number + 1
    return wanted


def _error_columns(
    table: dict[str, Any], entries: dict[str, dict[str, Any]], given: dict[str, Array]
) -> None:
    """Put stated errors where the scan has them already, or in a column of their own."""
    for stated in [name for name in given if name.endswith("_err") and name not in entries]:
        output = stated.removesuffix("_err")
        wanted = {"of": output, "kind": "stat", "side": "both"}
        there = [n for n, c in entries.items() if wanted.items() <= c.items()]
        if there and entries[there[0]]["unit"] == entries[output]["unit"]:
            given[there[0]] = given.pop(stated)
            continue
        column = {"name": stated, "role": "uncertainty", "unit": entries[output]["unit"], **wanted}
        column |= {"dtype": "float64", "label": f"standard error of {output}, where stated"}
        entries[stated] = column
        table["columns"].append(column)


def _parts(
    parent: Bundle, table: dict[str, Any], given: Mapping[str, Array], n: int
) -> dict[str, _Part]:
    """Say of every stored column where its values come from; complete the entries of masks."""
    parts: dict[str, _Part] = {}
    columns = list(table["columns"])
    taken = {column["name"] for column in columns}
    used: set[str] = set()
    for column in columns:
        name = column["name"]
        if _is_made(column) or column["role"] == "mask":
            continue
        new, known = _values(parent, column, given.get(name), n)
        source = name if name in parent.columns else None
        parts[name] = _Part(source, np.nan if new.dtype.kind == "f" else 0, new)
        mask = column.get("valid")
        if mask is None and (known.all() or new.dtype.kind == "f"):
            continue
        own = mask if mask is not None and mask not in used else _free(f"valid_{name}", taken)
        if own != mask:
            taken.add(own)
            label = f"whether {name} is valid"
            entry = {"name": own, "role": "mask", "unit": "1", "dtype": "bool", "label": label}
            table["columns"].append(entry)
            column["valid"] = own
        used.add(own)
        parts[own] = _Part(mask, True, known)
    for column in columns:
        if column["role"] == "mask" and column["name"] not in parts:
            parts[column["name"]] = _Part(column["name"], True, np.ones(n, dtype=bool))
    return parts


def _values(
    parent: Bundle, column: dict[str, Any], given: Array | None, n: int
) -> tuple[Array, Array]:
    """Give the new values of a column in the dtype it is spooled in, and which are known."""
    name, dtype = column["name"], np.dtype(column["dtype"])
    if given is None and column["role"] == "id":
        first = int((parent.columns[name].range or (0, _largest(parent, name)))[1]) + 1
        return np.arange(first, first + n, dtype=np.int64).astype(dtype), np.ones(n, dtype=bool)
    if given is None and dtype.kind == "f":
        return np.full(n, np.nan, dtype), np.zeros(n, dtype=bool)
    if given is None:
        code = min(map(int, column.get("categories", {"0": ""})))
        return np.full(n, code, dtype), np.zeros(n, dtype=bool)
    known = ~np.isnan(given) if given.dtype.kind == "f" else np.ones(n, dtype=bool)
    if dtype.kind == "f" and "precision" in column:
        return np.asarray(given, np.float64), known
    with np.errstate(invalid="ignore", over="ignore"):
        cast = np.where(known, given, 0).astype(dtype)
    exact = np.array_equal(cast[known].astype(np.float64), np.asarray(given, np.float64)[known])
    if dtype.kind == "f":
        cast = np.where(known, cast, np.nan).astype(dtype)
    if exact:
        return cast, known
    column["dtype"] = "float64"
    return np.asarray(given, np.float64), known


def _largest(parent: Bundle, name: str) -> int:
    with parent.open_scan() as scan:
        return int(scan.read([name])[name].max(initial=0))


def _ranges(table: dict[str, Any], rows: Rows) -> None:
    """Widen the declared ranges of parameters to hold the new rows."""
    for column in table["columns"]:
        values = rows.columns.get(column["name"])
        if "range" in column and values is not None and len(values):
            low, high = column["range"]
            column["range"] = [min(low, float(values.min())), max(high, float(values.max()))]


def _blocks(
    parent: Bundle, parts: Mapping[str, _Part], dtypes: Mapping[str, np.dtype[Any]]
) -> Iterator[dict[str, Array]]:
    names = sorted({part.parent for part in parts.values() if part.parent is not None})
    with parent.open_scan() as scan:
        for block in scan.blocks(names):
            n = len(block[names[0]])
            yield {
                name: np.full(n, part.fill, dtypes[name])
                if part.parent is None
                else block[part.parent]
                for name, part in parts.items()
            }
    if len(next(iter(parts.values())).new):
        yield {name: part.new for name, part in parts.items()}
