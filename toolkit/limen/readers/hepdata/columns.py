"""One HEPData table as columns: edges of bins, uncertainties and gaps told apart, or all faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from limen.errors import Fault
from limen.readers.hepdata.errors import Error, errors_of, line, shortened
from limen.readers.hepdata.values import (
    Notes,
    kind_of,
    limen_unit,
    number,
    plain,
    statement,
)
from limen.readers.pages import TODO
from limen.readers.tables import Array

__all__ = ["Column", "columns_of", "masked"]

_SECTIONS = ("independent_variables", "dependent_variables")
_IN_NAME = re.compile(r"[\[(]([^\[\]()]+)[\])]\s*\Z")
_WORST = 20


@dataclass(slots=True)
class Column:
    """
    A column that a table gives.

    Parameters
    ----------
    name : str
        Unique in its table.
    values : ndarray, shape (n,)
        Float64 with NaN where there is none, or text.
    notes : Notes
        What the way back needs.
    hint : dict
        What the table says of it, as in a scan document.
    independent : bool
        It is one of the table's coordinates.
    """

    name: str
    values: Array
    notes: Notes
    hint: dict[str, Any] = field(default_factory=dict)
    independent: bool = False


def columns_of(table: Mapping[str, Any], where: str) -> tuple[list[Column], list[Fault]]:
    """
    Make columns of a table.

    Parameters
    ----------
    table : mapping
        As `load_documents` gives it.
    where : str
        The table, for messages.

    Returns
    -------
    tuple of (list of Column, list of Fault)
        The columns mean nothing if there are faults.
    """
    variables, faults = [], []
    for section in _SECTIONS:
        found = table.get(section)
        if not isinstance(found, list) or not found:
            text = "found none, allowed a list of at least one variable; correct the table"
            faults.append(Fault(f"{where} {section}", text))
            continue
        for position, variable in enumerate(found):
            place = f"{where} {section} {position + 1}"
            faults += _shape_faults(variable, place)
            variables.append((variable, section == _SECTIONS[0]))
    if faults:
        return [], faults
    lengths = {len(variable["values"]) for variable, _ in variables}
    if len(lengths) > 1:
        listed = ", ".join(f"'{v['header']['name']}' {len(v['values'])}" for v, _ in variables[:20])
        return [], [Fault(where, f"found columns of lengths {listed}, allowed one length for all")]
    if lengths == {0}:
        return [], [Fault(where, "found no row, allowed at least one; drop the table")]
    columns: list[Column] = []
    for (variable, independent), name in zip(variables, _names(variables), strict=True):
        place = f"{where} column '{name}'"
        make = _coordinate if independent else _dependent
        columns += make(variable, name, place, faults)
    return _distinct(columns), faults


def _shape_faults(variable: Any, place: str) -> Iterator[Fault]:
    """Find what is not built as HEPData builds a variable."""
    header = variable.get("header") if isinstance(variable, dict) else None
    if not isinstance(header, dict) or not all(
        isinstance(header.get(key, default), str)
        for key, default in (("name", None), ("units", ""))
    ):
        yield Fault(
            place, "found no header with a name, allowed header: {name: ..., units: ...}; add it"
        )
        return
    values = variable.get("values")
    if not isinstance(values, list):
        yield Fault(place, "found no list of values, allowed values: [{value: ...}]; add it")
        return
    for row, cell in enumerate(values, 1):
        if not isinstance(cell, dict) or any(
            not isinstance(cell.get(key, ""), str) for key in ("value", "low", "high")
        ):
            text = "found no {value: ...} with a plain value, allowed that or {low, high}"
            yield Fault(f"{place} row {row}", f"{text}; correct it")
            return
        if not isinstance(cell.get("errors", []), list):
            yield Fault(f"{place} row {row}", "found errors that are no list; correct them")
            return
    listed = variable.get("qualifiers", [])
    if not isinstance(listed, list) or not all(
        isinstance(q, dict) and all(isinstance(v, str) for v in q.values()) for q in listed
    ):
        yield Fault(place, "found qualifiers that are no list of {name, value}; correct them")


def _qualifiers(variable: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (line(q.get("name", "")), line(q.get("value", "")), line(q.get("units", "")))
        for q in variable.get("qualifiers", [])
    )


def _names(variables: Sequence[tuple[Mapping[str, Any], bool]]) -> list[str]:
    """Name variables by their headers, and by what differs in their qualifiers if those agree."""
    headers = [line(variable["header"]["name"]) or "column" for variable, _ in variables]
    names = []
    for header, (variable, _) in zip(headers, variables, strict=True):
        alike = [v for h, (v, _) in zip(headers, variables, strict=True) if h == header]
        shared = set.intersection(*(set(_qualifiers(v)) for v in alike))
        own = [q for q in _qualifiers(variable) if q not in shared] if len(alike) > 1 else []
        said = ", ".join(f"{name} {value} {units}".strip() for name, value, units in own)
        names.append(f"{header} [{said}]" if said else header)
    return names


def _distinct(columns: list[Column]) -> list[Column]:
    """Number the columns that still have one name."""
    taken: set[str] = set()
    changed: dict[str, str] = {}
    for column in columns:
        name, count = column.name, 1
        while column.name in taken:
            count += 1
            column.name = f"{name} #{count}"
        taken.add(column.name)
        changed[name] = column.name
        if column.hint.get("of") in changed:
            # An uncertainty follows its value at once.
            column.hint["of"] = changed[column.hint["of"]]
    return columns


def _described(variable: Mapping[str, Any]) -> tuple[Notes, dict[str, Any]]:
    """Give what the header says: notes, and the unit where it is one of ours."""
    header = variable["header"]
    name, units = line(header["name"]), line(header.get("units", ""))
    notes = Notes(name, "" if units in ("null", "~") else units, _qualifiers(variable))
    hint: dict[str, Any] = {}
    if plain(name):
        hint["label"] = plain(name)[:300]
    in_name = _IN_NAME.search(plain(name))
    unit = limen_unit(notes.units) if notes.units else limen_unit(in_name[1]) if in_name else None
    if unit is not None:
        hint["unit"] = unit
    elif notes.units:
        hint["unit"] = TODO
    return notes, hint


def _coordinate(
    variable: Mapping[str, Any], name: str, place: str, faults: list[Fault]
) -> list[Column]:
    """Make one column of values, or two or three of bins."""
    notes, hint = _described(variable)
    hint["role"] = "parameter"
    cells = variable["values"]
    binned = any("low" in cell or "high" in cell for cell in cells)
    columns = []
    for edge in ("low", "high") if binned else ():
        part = f"{name}_{edge}"
        values = _numbers([cell.get(edge, "") for cell in cells], f"{place} {edge}", faults)
        label = {"label": f"{hint.get('label', name)}, {edge} edge"[:300]}
        columns.append(Column(part, values, replace(notes, bin=edge), hint | label, True))
    if not binned or any(cell.get("value", "") for cell in cells):
        texts = [cell.get("value", "") for cell in cells]
        values = _numbers(texts, place, faults, text=not binned)
        columns.append(Column(name, values, notes, hint, True))
    return columns


def _dependent(
    variable: Mapping[str, Any], name: str, place: str, faults: list[Fault]
) -> list[Column]:
    """Make one column of values, and one or two for each of its uncertainties."""
    notes, hint = _described(variable)
    said = " ".join([notes.header, *(value for _, value, _ in notes.qualifiers)])
    unit = hint.get("unit", "")
    hint |= statement(plain(said), "" if unit == TODO else unit)
    cells = variable["values"]
    values = _numbers([cell.get("value", "") for cell in cells], place, faults, text=True)
    columns = [Column(name, values, notes, hint)]
    found = errors_of(cells, place, faults)
    for (label, count), errors in found.items():
        columns += _uncertainty(name, columns[0], label, count, errors)
    return columns


def _uncertainty(
    name: str, of: Column, label: str, count: int, errors: Mapping[int, Error]
) -> list[Column]:
    """Make the column of a symmetric uncertainty, or the two of an asymmetric one."""
    both = np.full((2, len(of.values)), np.nan)
    numbers = of.values.dtype.kind == "f"
    for row, (up, down, _, percent) in errors.items():
        scale = abs(float(of.values[row])) / 100 if percent and numbers else 1.0
        both[:, row] = up * scale, down * scale
    percent = all(error[3] for error in errors.values()) and numbers
    symmetric = all(error[2] for error in errors.values())
    stem = f"{name} {label or 'error'}{f' {count}' if count > 1 else ''}"
    notes = replace(of.notes, qualifiers=(), errors=label, percent=percent)
    columns = []
    for side, values in zip(("both",) if symmetric else ("up", "down"), both, strict=False):
        hint = {"role": "uncertainty", "of": name, "kind": kind_of(label) or TODO, "side": side}
        if "unit" in of.hint:
            hint["unit"] = of.hint["unit"]
        columns.append(Column(stem if symmetric else f"{stem} {side}", values, notes, hint))
    return columns


def _numbers(texts: Sequence[str], place: str, faults: list[Fault], *, text: bool = False) -> Array:
    """Convert cells; where ``text`` is allowed, a column without any number is text."""
    values = np.full(len(texts), np.nan)
    bad = []
    for row, written in enumerate(texts):
        try:
            values[row] = number(written)
        except ValueError:
            bad.append(row)
    if bad and text and np.isnan(values).all():
        return np.array([written.strip() for written in texts], dtype=object)
    for row in bad[:_WORST]:
        said = f"found {shortened(texts[row])}, allowed a number or '-' among numbers; correct it"
        faults.append(Fault(f"{place} row {row + 1}", said))
    return values


def masked(columns: Sequence[Column]) -> list[Column]:
    """
    Add a mask for each different pattern of gaps.

    Parameters
    ----------
    columns : sequence of Column
        Their hints are told the name of their mask.

    Returns
    -------
    list of Column
        These columns, then the masks.
    """
    masks: dict[bytes, Column] = {}
    answer = []
    for column in columns:
        if column.values.dtype.kind == "f" and np.isnan(column.values).any():
            valid = ~np.isnan(column.values)
            name = f"{column.name}_valid"
            hint = {"role": "mask", "unit": "1"}
            mask = masks.setdefault(valid.tobytes(), Column(name, valid, column.notes, hint))
            column.hint["valid"] = mask.name
        answer.append(column)
    return [*answer, *masks.values()]
