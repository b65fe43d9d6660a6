"""Columns of a published scan: by ranges, beside the whole file and beside plain fsspec."""

from __future__ import annotations

import os
import shutil
import statistics
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import measuring
import numpy as np
import requests
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
TRIES = 7
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
        f"bytes decide. The two columns are {_compressed(bundle, ASKED) / 1e6:.1f} MB of it. Each "
        f"way starts with an empty cache; the values are compared. Medians of {TRIES} rounds of "
        "all ways, also of the ratio. The last way checks and decodes nothing.",
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
            "requests, the whole file": lambda: _copied(url, folder / "copy"),
        }
        rounds = [
            {what: _measured(site, folder / "cache", way) for what, way in ways.items()}
            for _ in range(1 + TRIES)
        ][1:]  # the first loads the libraries
        wanted = {name: columns[name] for name in ASKED}
        for way in ways.values():
            os.environ["LIMEN_CACHE"] = str(folder / "compared")
            for name, values in way().items():
                np.testing.assert_array_equal(values, wanted[name])
    ours = [each["limen_zenodo.open_remote"]["seconds"] for each in rounds]
    for what in ways:
        seconds = [each[what]["seconds"] for each in rounds]
        ratios = [other / least for other, least in zip(seconds, ours, strict=True)]
        figures = {
            "requests": rounds[0][what]["requests"],
            "MB": measuring.digits(rounds[0][what]["MB"]),
            "seconds": measuring.digits(statistics.median(seconds)),
            "time / ours": measuring.digits(statistics.median(ratios), 2),
        }
        table.add(what, figures)
    return [table]


def _compressed(bundle: limen.Bundle, names: Sequence[str]) -> int:
    """Give the bytes of some columns in the file."""
    with zipfile.ZipFile(bundle.path / SCAN) as archive:
        return sum(
            member.compress_size
            for member in archive.infolist()
            if member.filename.partition("/")[0] in names
        )


def _measured(site: StandIn, cache: Path, way: Callable[[], Any]) -> dict[str, Any]:
    os.environ["LIMEN_CACHE"] = str(cache)
    site.clear_log()
    os.sync()  # what the one before wrote is not on this one's account
    start = time.perf_counter()
    way()
    seconds = time.perf_counter() - start
    shutil.rmtree(cache, ignore_errors=True)
    sent = sum(request.sent_bytes for request in site.log)
    return {"requests": len(site.log), "MB": sent / 1e6, "seconds": seconds}


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


def _copied(url: str, path: Path) -> dict[str, Array]:
    with requests.get(url, stream=True, timeout=60) as response, path.open("wb") as stream:
        for block in response.iter_content(2**18):
            stream.write(block)
    return {}


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
