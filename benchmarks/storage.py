"""The scan file, beside reading all of it and beside zarr's own store over the same zip."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import zarr
from measuring import Array, Table
from zarr.storage import ZipStore

from limen.scan import ScanColumn, open_scan, write_scan

ROWS = 5_000_000
COLUMNS = 12
RANGES = 20
LENGTH = 10_000


def measure(folder: Path) -> list[Table]:
    """Write a scan of 5 million rows and read parts of it in several ways."""
    path = folder / "scan.zarr.zip"
    start = time.perf_counter()
    written = write_scan(path, [_column(place) for place in range(COLUMNS)], ROWS)
    seconds = time.perf_counter() - start
    table = Table(
        f"Storage: {ROWS} rows of {COLUMNS} float64 columns",
        f"{written.size / 1e6:.0f} MB ({ROWS * COLUMNS * 8 / 1e6:.0f} MB raw), written in "
        f"{seconds:.1f} s in bounded memory. Seconds: the least of three tries; ratio: the slow "
        "way to ours. Same file, same run.",
    )
    names = [f"x{place}" for place in range(COLUMNS)]
    with open_scan(path) as scan:
        two = _least(lambda: scan.read(names[:2]))
        whole = _least(lambda: [scan.read([name]) for name in names])
        _row(table, "2 of 12 columns, all of them", two, whole)
        rng = np.random.default_rng(1)
        starts = rng.integers(ROWS - LENGTH, size=RANGES).tolist()
        ours = _least(lambda: [scan.read(names, first, first + LENGTH) for first in starts])
        with ZipStore(path, mode="r") as store:
            group = zarr.open_group(store, mode="r")
            theirs = _least(lambda: _by_zarr(group, names, starts))
            _same(scan.read(names, starts[0], starts[0] + LENGTH), group, starts[0])
        text = f"{RANGES} ranges of {LENGTH} rows, all columns; zarr's ZipStore"
        _row(table, text, ours, theirs)
    return [table]


def _column(place: int) -> ScanColumn:
    """Make a column that can be drawn piece by piece: a normal of six digits."""

    def read(start: int, stop: int) -> Array:
        rng = np.random.default_rng([place, start])
        return np.round(1000.0 * rng.standard_normal(stop - start), 3)

    return ScanColumn(f"x{place}", "float64", read)


def _by_zarr(group: Any, names: list[str], starts: list[int]) -> None:
    for first in starts:
        for name in names:
            group[name][first : first + LENGTH]


def _same(found: dict[str, Array], group: Any, first: int) -> None:
    for name, values in found.items():
        np.testing.assert_array_equal(values, group[name][first : first + LENGTH])


def _least(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _row(table: Table, what: str, ours: float, theirs: float) -> None:
    table.add(
        what,
        {
            "ours [s]": measuring.digits(ours),
            "other [s]": measuring.digits(theirs),
            "ratio": measuring.digits(theirs / ours, 2),
        },
    )
