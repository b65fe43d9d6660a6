"""Check a scan against what the manifest says of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from limen import manifest
from limen.bundle import Bundle
from limen.checking.report import Report
from limen.errors import Fault, LimenError
from limen.expressions import THRESHOLDS, Expression
from limen.manifest import Column
from limen.scan import Scan

__all__ = ["check_data"]


def check_data(
    bundle: Bundle, report: Report, *, deep: bool, table: Mapping[str, Any] | None = None
) -> None:
    """
    Compare a table with its columns: names, dtypes, rows, masks, NaN, ranges, codes.

    ``deep`` also recomputes derived columns and labels. The scan is checked if no other entry of
    the manifest's tables is given.
    """
    entry = dict(table or bundle.table)
    columns = manifest.columns({"tables": [entry]}, entry["name"])
    where = entry["file"]
    try:
        with bundle.open_scan(entry["name"]) as scan:
            if not _same_layout(entry, columns, scan, report):
                return
            for column in columns.values():
                _check_column(scan, column, where, report)
            _check_valid_rows(entry, columns, scan, report)
            report.done.append(
                f"{scan.n_points} rows of {len(scan.names)} columns of {entry['name']}"
            )
            if deep and entry["name"] == "scan":
                _check_derived(columns, scan, where, report)
                report.done.append("derived columns and labels recomputed")
    except LimenError as error:
        report.corrupt(where, error.message)


def _same_layout(
    table: Mapping[str, Any], columns: Mapping[str, Column], scan: Scan, report: Report
) -> bool:
    before = len(report.faults)
    where = table["file"]
    missing = sorted(set(columns) - set(scan.names))
    extra = sorted(set(scan.names) - set(columns))
    if missing or extra:
        lost, new = ", ".join(missing) or "none", ", ".join(extra) or "none"
        text = f"columns missing: {lost}; not declared: {new}"
        report.faults.append(Fault(where, text))
    if scan.n_points != table["rows"]:
        text = f"found {scan.n_points} rows, the manifest says {table['rows']}"
        report.faults.append(Fault(where, text))
    for name in sorted(set(scan.names) & set(columns)):
        declared = columns[name].dtype
        if str(scan.dtypes[name]) != declared:
            text = f"found {scan.dtypes[name]}, the manifest says {declared}"
            report.faults.append(Fault(f"{where}/{name}", text))
    return len(report.faults) == before


def _check_column(scan: Scan, column: Column, file: str, report: Report) -> None:
    where = f"{file}/{column.name}"
    names = [column.name, *([column.valid] if column.valid else [])]
    faults: dict[str, int] = {}
    codes = np.array([int(code) for code in column.categories or ()])
    for block in scan.blocks(names):
        values = block[column.name]
        valid = block[column.valid] if column.valid else np.ones(len(values), dtype=bool)
        _count(faults, "NaN that no mask declares", valid & _isnan(values))
        _count(faults, "values that are masked but not NaN", ~valid & _isreal(values))
        inside = values[valid & ~_isnan(values)]
        finite = inside[np.isfinite(inside)] if inside.dtype.kind == "f" else inside
        if column.range is not None and finite.size:
            low, high = column.range
            _count(faults, f"values outside {low:g} to {high:g}", (finite < low) | (finite > high))
        if column.categories and column.role != "mask":
            _count(faults, "codes that are no category", ~np.isin(inside, codes))
    for text, number in faults.items():
        report.faults.append(Fault(where, f"found {number} {text}, allowed none"))


def _count(faults: dict[str, int], text: str, wrong: Any) -> None:
    number = int(np.count_nonzero(wrong))
    if number:
        faults[text] = faults.get(text, 0) + number


def _isnan(values: Any) -> Any:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def _isreal(values: Any) -> Any:
    return ~np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def _check_valid_rows(
    table: Mapping[str, Any], columns: Mapping[str, Column], scan: Scan, report: Report
) -> None:
    parameters = [c for c in columns.values() if c.role == "parameter"]
    masks = sorted({c.valid for c in parameters if c.valid})
    rows = scan.n_points
    if masks:
        rows = sum(
            int(np.logical_and.reduce([block[name] for name in masks]).sum())
            for block in scan.blocks(masks)
        )
    if rows != table["valid_rows"]:
        text = f"found {rows} valid rows, the manifest says {table['valid_rows']}"
        report.faults.append(Fault(table["file"], text))


def _check_derived(columns: Mapping[str, Column], scan: Scan, file: str, report: Report) -> None:
    for column in columns.values():
        definition = dict(column.definition or {})
        if column.derived:
            _check_expression(scan, column, f"{file}/{column.name}", report)
        elif column.role == "label" and "column" in definition:
            _check_label(scan, column, columns[definition["column"]], file, report)


def _check_expression(scan: Scan, column: Column, where: str, report: Report) -> None:
    expression = Expression(str(column.derived))
    maxima = {}
    for text in expression.over_points:
        inner = Expression(text)
        largest = -np.inf
        for block in scan.blocks(sorted(inner.names)):
            values = np.atleast_1d(inner.evaluate(block)).astype(float)
            values = values[np.isfinite(values)]
            largest = max(largest, float(values.max())) if values.size else largest
        maxima[text] = largest
    wrong = 0
    for block in scan.blocks(sorted({column.name, *expression.names})):
        expected = expression.evaluate(block, maxima)
        given = block[column.name]
        close = np.isclose(given, expected, rtol=1e-5, atol=1e-12, equal_nan=True)
        wrong += int((~close & ~_isnan(given)).sum())
    if wrong:
        text = f"found {wrong} values that are not {column.derived}, allowed none"
        report.faults.append(Fault(where, text))


def _check_label(scan: Scan, column: Column, source: Column, file: str, report: Report) -> None:
    definition = dict(column.definition or {})
    masks = [name for name in (column.valid, source.valid) if name]
    compare = THRESHOLDS[definition["comparison"]]
    wrong = 0
    for block in scan.blocks(sorted({column.name, source.name, *masks})):
        valid = ~_isnan(block[source.name])
        for mask in masks:
            valid &= block[mask]
        with np.errstate(invalid="ignore"):
            expected = compare(block[source.name], definition["threshold"])
        wrong += int((valid & (expected != block[column.name].astype(bool))).sum())
    if wrong:
        rule = f"{source.name} {definition['comparison']} {definition['threshold']:g}"
        text = f"found {wrong} labels that contradict {rule}, allowed none"
        report.faults.append(Fault(f"{file}/{column.name}", text))
