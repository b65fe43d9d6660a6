"""Columns of a published scan: by ranges, beside the whole file and beside plain fsspec."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import measuring
import numpy as np
import xarray
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from measuring import Array, Table
from zarr.storage import FsspecStore

import limen
import limen_zenodo
from standin import StandIn

ROWS = 3_000_000
COLUMNS = 14
ASKED = ("p03", "p10")
LATENCY = 0.02
SCAN = "scan.zarr.zip"


def measure(folder: Path) -> list[Table]:
    """Publish a scan of 3 million rows on this machine and read 2 of its 14 columns."""
    rng = np.random.default_rng(0)
    names = [f"p{place:02d}" for place in range(COLUMNS)]
    columns = {name: np.round(1000.0 * rng.standard_normal(ROWS), 3) for name in names}
    bundle = limen.make_bundle(_document(names), columns, folder / "wide")
    bundle.freeze()
    size = (bundle.path / SCAN).stat().st_size
    table = Table(
        f"Remote reading: 2 of {COLUMNS} columns of {ROWS} rows",
        f"{size / 1e6:.0f} MB on a server on this machine that waits {1000 * LATENCY:.0f} ms "
        "before each answer, so time is latency and work, not bandwidth: over a real network the "
        "bytes decide. Each way starts with an empty cache; the values are compared. The "
        "least of three tries.",
    )
    with StandIn(added_latency=LATENCY) as site:
        record = site.publish(bundle.path)
        sites = folder / "sites.toml"
        sites.write_text(f'[zenodo]\nurl = "{site.url}"\n', encoding="utf-8")
        os.environ["LIMEN_SITES"] = str(sites)
        url = f"{site.api}/records/{record.id}/files/{SCAN}/content"
        ways: dict[str, Callable[[], dict[str, Array]]] = {
            "limen_zenodo.open_remote": lambda: _ours(record.doi),
            "limen_zenodo.fetch of the scan, then reading": lambda: _fetched(record.doi),
            "fsspec over http, zarr in the zip": lambda: _fsspec(url),
        }
        seconds = {what: _measured(site, table, folder, what, way) for what, way in ways.items()}
        wanted = {name: columns[name] for name in ASKED}
        for way in ways.values():
            os.environ["LIMEN_CACHE"] = str(folder / "compared")
            for name, values in way().items():
                np.testing.assert_array_equal(values, wanted[name])
    least = seconds["limen_zenodo.open_remote"]
    for row in table.rows:
        row["time / ours"] = measuring.digits(seconds[row["model"]] / least, 2)
    return [table]


def _measured(
    site: StandIn, table: Table, folder: Path, what: str, way: Callable[[], Any]
) -> float:
    times = []
    for number in range(3):
        os.environ["LIMEN_CACHE"] = str(folder / f"{len(table.rows)}-{number}")
        site.clear_log()
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    figures = {
        "requests": len(site.log),
        "MB": measuring.digits(sum(request.sent_bytes for request in site.log) / 1e6),
        "seconds": measuring.digits(min(times)),
    }
    table.add(what, figures)
    return min(times)


def _ours(doi: str) -> dict[str, Array]:
    with limen_zenodo.open_remote(doi).open_scan() as scan:
        return dict(scan.read(ASKED))


def _fetched(doi: str) -> dict[str, Array]:
    with limen_zenodo.fetch(doi, parts=("scan",)).open_scan() as scan:
        return dict(scan.read(ASKED))


def _fsspec(url: str) -> dict[str, Array]:
    archive = fsspec.filesystem("zip", fo=url, target_protocol="http", skip_instance_cache=True)
    store = FsspecStore(AsyncFileSystemWrapper(archive, asynchronous=True), read_only=True, path="")
    with xarray.open_zarr(store, chunks=None) as scan:
        return {name: scan[name].values for name in ASKED}


def _document(names: list[str]) -> dict[str, Any]:
    columns = [{"name": name, "role": "parameter", "unit": "1"} for name in names]
    return {
        "id": "wide",
        "version": "1.0.0",
        "title": "Columns for a measurement",
        "description": "Made up.",
        "creators": [{"name": "The Limen developers"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [{"name": "scan", "sampling": [{"sampler": "random"}], "columns": columns}],
    }
