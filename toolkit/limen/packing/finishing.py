"""
From columns as they were read to columns as they are stored.

Masks, the rule for NaN, derived columns, labels against their definitions, dtypes, ranges. All
faults of the data come together.
"""

from __future__ import annotations

import graphlib
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from limen.errors import DataError, Fault
from limen.expressions import THRESHOLDS, Expression
from limen.packing.spool import Spool
from limen.packing.storing import store_column
from limen.readers.sentinels import SentinelWatch

__all__ = ["Finisher"]

# How far a stored derived column may lie from its expression.
_DERIVED_RTOL = 1e-5

Array = np.ndarray[Any, Any]
_log = logging.getLogger(__name__)


class Finisher:
    """
    Finish the columns of a spool as a scan document declares them.

    Parameters
    ----------
    spool : Spool
        Columns as read.
    columns : list of dict
        The declared columns; completed in place (dtype, range, valid, precision).
    missing : {"refuse", "mask"}
        What a NaN without a mask means.
    """

    def __init__(self, spool: Spool, columns: list[dict[str, Any]], missing: str) -> None:
        self.spool = spool
        self.columns = columns
        self.missing = missing
        self.faults: list[Fault] = []

    def fault(self, name: str, message: str) -> None:
        """Note a fault of a column."""
        self.faults.append(Fault(f"/tables/0/columns/{name}", message))

    def raise_faults(self) -> None:
        """Raise all faults noted so far, if there are any."""
        if self.faults:
            raise DataError.from_faults("scan", self.faults)

    def run(self) -> None:
        """
        Do all of it.

        Raises
        ------
        DataError
            With all faults of the data.
        """
        for column in self.columns:
            if column["name"] in self.spool:
                self._check_infinity(column)
        for column in [c for c in self.columns if c["name"] in self.spool]:
            self._mask(column)
        self.raise_faults()
        for column in self._in_order_of_need():
            if "derived" in column:
                self._derive(column)
            elif column["role"] == "label" and "column" in column.get("definition", {}):
                self._label(column)
        self.raise_faults()
        self._merge_masks()
        for column in self.columns:
            for message in store_column(self.spool, column):
                self.fault(column["name"], message)
        self.raise_faults()
        self._warn_of_sentinels()

    def _warn_of_sentinels(self) -> None:
        """Say where numbers such as -999 in a parameter look like 'no value'."""
        for column in self.columns:
            if column["role"] != "parameter" or "categories" in column:
                continue
            watch = SentinelWatch()
            for start, stop in self.spool.ranges():
                values = self.spool.read(column["name"], start, stop)
                watch.see(values[np.isfinite(values)])
            for value, count in watch.found:
                _log.warning(
                    "column %s: found %g in %d rows, far from the other values (%g to %g); "
                    "if it stands for no value, give the column a mask (valid: COLUMN)",
                    *(column["name"], value, count, watch.low, watch.high),
                )

    def _in_order_of_need(self) -> list[dict[str, Any]]:
        by_name = {column["name"]: column for column in self.columns}
        needs: dict[str, set[str]] = {}
        for name, column in by_name.items():
            if "derived" in column:
                needs[name] = set(Expression(column["derived"]).names) & set(by_name)
            else:
                source = column.get("definition", {}).get("column")
                needs[name] = {source} & set(by_name)
        return [by_name[name] for name in graphlib.TopologicalSorter(needs).static_order()]

    def _finite_allowed(self, column: dict[str, Any]) -> bool:
        return column["role"] in ("limit", "uncertainty", "test")

    def _check_infinity(self, column: dict[str, Any]) -> None:
        name = column["name"]
        if self.spool.dtypes[name].kind != "f" or self._finite_allowed(column):
            return
        low = column.get("quantity") in ("log_likelihood", "log_likelihood_ratio")
        high = column["role"] == "likelihood" and not low
        for start, stop in self.spool.ranges():
            values = self.spool.read(name, start, stop)
            wrong = np.isinf(values) & ~((values < 0) & low) & ~((values > 0) & high)
            if wrong.any():
                row = start + int(np.argmax(wrong))
                found = values[row - start]
                self.fault(
                    name,
                    f"found {found} in row {row}, allowed finite numbers; mask or correct it",
                )
                return

    def _mask(self, column: dict[str, Any]) -> None:
        """Apply the column's mask; make one where values are missing and may be."""
        name = column["name"]
        if self.spool.dtypes[name].kind != "f" or column["role"] == "mask":
            return
        mask = column.get("valid")
        unreal = column["role"] == "likelihood"
        missing = impossible = 0
        first = -1
        for start, stop in self.spool.ranges():
            values = self.spool.read(name, start, stop)
            valid = self._valid(mask, start, stop)
            bad = valid & np.isnan(values)
            if bad.any() and first < 0:
                first = start + int(np.argmax(bad))
            missing += int(bad.sum())
            impossible += int((valid & unreal & np.isinf(values)).sum())
        if missing and self.missing != "mask":
            self.fault(
                name,
                f"found {missing} NaN (first in row {first}) that no mask declares, allowed none; "
                "give the column a mask (valid: COLUMN), or say missing: mask in the scan document",
            )
        elif missing or impossible:
            self._new_mask(column, mask, unreal)
        elif mask is not None:
            self._blank(column, mask)

    def _valid(self, mask: str | None, start: int, stop: int) -> Array:
        if mask is None:
            return np.ones(stop - start, dtype=bool)
        return self.spool.read(mask, start, stop).astype(bool)

    def _new_mask(self, column: dict[str, Any], mask: str | None, unreal: bool) -> None:
        name, new = column["name"], f"valid_{column['name']}"

        def masks() -> Iterator[Array]:
            for start, stop in self.spool.ranges():
                values = self.spool.read(name, start, stop)
                lost = np.isnan(values) | (unreal & np.isinf(values))
                yield self._valid(mask, start, stop) & ~lost

        if new in self.spool and new != mask:
            self.fault(
                name, f"needs a mask of the name {new!r}, which is taken; rename that column"
            )
            return
        self.spool.put(new, np.bool_, masks())
        if new != mask:
            label = f"whether {name} is valid"
            self.columns.append({"name": new, "role": "mask", "unit": "1", "label": label})
        column["valid"] = new
        self._blank(column, new)

    def _blank(self, column: dict[str, Any], mask: str) -> None:
        """Store NaN wherever the mask says invalid."""
        name = column["name"]

        def blanked() -> Iterator[Array]:
            for start, stop in self.spool.ranges():
                values = self.spool.read(name, start, stop)
                yield np.where(self._valid(mask, start, stop), values, np.nan)

        self.spool.put(name, self.spool.dtypes[name], blanked())

    def _derive(self, column: dict[str, Any]) -> None:
        name, expression = column["name"], Expression(column["derived"])
        maxima = {text: self._maximum(text) for text in expression.over_points}
        needed = sorted(expression.names)

        def values() -> Iterator[Array]:
            for block in self.spool.blocks(needed):
                rows = len(next(iter(block.values())))
                yield np.broadcast_to(expression.evaluate(block, maxima), (rows,))

        if name not in self.spool:
            self.spool.put(name, np.float64, values())
            self._inherit_mask(column, needed)
            self._mask(column)
            return
        for (start, stop), expected in zip(self.spool.ranges(), values(), strict=True):
            given = self.spool.read(name, start, stop)
            close = np.isclose(given, expected, rtol=_DERIVED_RTOL, atol=1e-12, equal_nan=True)
            close |= np.isnan(given)
            if not close.all():
                row = start + int(np.argmin(close))
                self.fault(
                    name,
                    f"found {given[row - start]!r} in row {row} where {column['derived']} is "
                    f"{expected[row - start]!r}; correct the expression or leave the column out",
                )
                return

    def _inherit_mask(self, column: dict[str, Any], sources: list[str]) -> None:
        """Mask a derived column where what it derives from is masked."""
        masks = sorted({c["valid"] for c in self.columns if c["name"] in sources and "valid" in c})
        if "valid" in column or not masks:
            return
        column["valid"] = masks[0]
        if len(masks) > 1:
            new = f"valid_{column['name']}"
            both = (np.logical_and.reduce(list(b.values())) for b in self.spool.blocks(masks))
            self.spool.put(new, np.bool_, both)
            label = f"whether {column['name']} is valid"
            self.columns.append({"name": new, "role": "mask", "unit": "1", "label": label})
            column["valid"] = new

    def _maximum(self, text: str) -> float:
        inner = Expression(text)
        largest = -np.inf
        for block in self.spool.blocks(sorted(inner.names)):
            values = np.atleast_1d(inner.evaluate(block)).astype(float)
            finite = values[np.isfinite(values)]
            largest = max(largest, float(finite.max())) if finite.size else largest
        return largest

    def _label(self, column: dict[str, Any]) -> None:
        """Make a label by its definition, or check the given one against it."""
        name, definition = column["name"], column["definition"]
        source = definition["column"]
        if source not in self.spool:
            return
        by_name = {entry["name"]: entry for entry in self.columns}
        mask = by_name[source].get("valid")
        compare = THRESHOLDS[definition["comparison"]]

        def labels() -> Iterator[Array]:
            for start, stop in self.spool.ranges():
                values = self.spool.read(source, start, stop)
                with np.errstate(invalid="ignore"):
                    label = compare(values, definition["threshold"])
                yield (label & self._valid(mask, start, stop)).astype(np.int8)

        if name in self.spool:
            self._check_label(column, source, mask, labels())
        else:
            self.spool.put(name, np.int8, labels())
        if mask is not None and "valid" not in column:
            column["valid"] = mask

    def _check_label(
        self, column: dict[str, Any], source: str, mask: str | None, expected: Iterator[Array]
    ) -> None:
        name, definition = column["name"], column["definition"]
        wrong, first = 0, ""
        for (start, stop), label in zip(self.spool.ranges(), expected, strict=True):
            given = self.spool.read(name, start, stop)
            valid = self._valid(mask, start, stop) & self._valid(column.get("valid"), start, stop)
            bad = valid & (given != label)
            if bad.any() and not first:
                row = int(np.argmax(bad))
                value = self.spool.read(source, start + row, start + row + 1)[0]
                first = (
                    f"first in row {start + row}: {source} = {value:g} but {name} = {given[row]}"
                )
            wrong += int(bad.sum())
        if wrong:
            self.fault(
                name,
                f"found {wrong} labels that contradict their definition "
                f"({source} {definition['comparison']} {definition['threshold']:g}), {first}; "
                "correct the definition, or leave the column out to have it made",
            )

    def _merge_masks(self) -> None:
        """Store identical masks once, under the first name."""
        import hashlib

        first: dict[bytes, str] = {}
        replaced: dict[str, str] = {}
        for column in [c for c in self.columns if c["role"] == "mask"]:
            digest = hashlib.sha256()
            for start, stop in self.spool.ranges():
                values = self.spool.read(column["name"], start, stop).astype(bool)
                digest.update(values.tobytes())
            kept = first.setdefault(digest.digest(), column["name"])
            if kept != column["name"]:
                replaced[column["name"]] = kept
        for name in replaced:
            self.spool.drop(name)
        self.columns[:] = [c for c in self.columns if c["name"] not in replaced]
        for column in self.columns:
            if column.get("valid") in replaced:
                column["valid"] = replaced[column["valid"]]
