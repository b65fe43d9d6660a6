"""Browsing: opening a chart, a frame of a drag, the exact count, beside plain numpy."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from measuring import Array, Table

import limen
from limen.browsing import PREVIEW_ABOVE, Axis, Browser, Chart, Index, Range
from limen.packing import write_bundle

SIZES = (1_000_000, 5_000_000, 20_000_000)
COLUMNS = 10
BLOCK = 500_000
TRIES = 5
DRAGS = 3
SERVER = (
    "import sys; from limen_app.serving import serve; serve([sys.argv[1]], port=int(sys.argv[2]))"
)
CHARTS = ";".join([*(f"histogram:p{k}" for k in range(6)), "map:p6:p7", "map:p8:p9"])
TARGETS = {1_000_000: (250, 150), 5_000_000: (700, 250), 20_000_000: (2_500, 500)}


def measure(folder: Path) -> list[Table]:
    """Browse made-up scans of 1, 5 and 20 million rows, in Python and in a browser."""
    engine = Table(
        "Browsing: counts in Python",
        f"Scans of {COLUMNS} float32 columns. A brush gives {COLUMNS - 1} histograms of 50 bins "
        "under a range that holds half of the rows; numpy takes a mask and np.histogram of what "
        "passes of each column, all in memory; counts are compared. First brush: with the tables "
        "of pairs of columns, which are kept with the index. Under a filter of another column, "
        f"which half of the rows pass, cubes are made afresh. Best of {TRIES}; other programs ran "
        "on the machine. Index and tables: once for a bundle, reading included; later from the "
        "cache.",
    )
    browser = Table(
        "Browsing: in a browser",
        "`limen app` and headless Chromium on the same two cores, no graphics card; 6 histograms "
        "and 2 maps. Opening: from asking until the cubes of all charts are there, nothing kept; "
        "under a filter: the same when another chart is filtered; preview: from the sample of "
        "1,000,000 rows. Frame: the script's time for one move of the mouse, all charts redrawn; "
        f"{DRAGS} drags in different charts, 40 moves each. Count: from release until the exact "
        "count. Best of several where not said otherwise; other programs ran on the machine. "
        "Memory: most that the server held, pages of the cache's files included.",
    )
    for rows in SIZES:
        path = folder / f"rows{rows}"
        write_bundle(_document(), dict.fromkeys(_names(), np.dtype("f4")), _blocks(rows), path)
        os.environ["LIMEN_CACHE"] = str(folder / "cache")
        engine.add(f"{rows:,} rows", _counted(path, rows))
        found = shutil.which("chromium")
        if found is not None:
            with _served(path) as (address, process):
                browser.add(f"{rows:,} rows", _dragged(address, process, found, rows))
        shutil.rmtree(path)
        shutil.rmtree(folder / "cache", ignore_errors=True)
    return [engine, browser]


def _names() -> list[str]:
    return [f"p{place}" for place in range(COLUMNS)]


def _document() -> dict[str, Any]:
    columns = [{"name": n, "role": "parameter", "unit": "GeV"} for n in _names()]
    return {
        "id": "browsed",
        "version": "1.0.0",
        "title": "Rows for a measurement",
        "description": "Made up.",
        "creators": [{"name": "The Limen developers"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [{"name": "scan", "sampling": [{"sampler": "random"}], "columns": columns}],
    }


def _blocks(rows: int) -> Iterator[dict[str, Array]]:
    rng = np.random.default_rng(0)
    for _ in range(0, rows, BLOCK):
        common = rng.standard_normal(BLOCK, dtype=np.float32)
        yield {
            name: 100 * rng.standard_normal(BLOCK, dtype=np.float32) + 20 * place * common
            for place, name in enumerate(_names())
        }


def _counted(path: Path, rows: int) -> dict[str, Any]:
    bundle = limen.open_bundle(path)
    browser = Browser(Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256))
    charts = [Chart(Axis(name)) for name in _names()]
    start = time.perf_counter()
    for chart in charts:
        browser.index.codes(chart.x.column, browser.fine(chart.x)[0])
    built = time.perf_counter() - start
    start = time.perf_counter()
    for chart in charts:
        browser.cubes([other for other in charts if other != chart], [chart.x], {})
    paired = time.perf_counter() - start
    edges = browser.fine(charts[0].x)[0].edges
    with bundle.open_scan() as scan:
        table = scan.read(_names())
    middle = int(np.searchsorted(edges, np.median(table["p0"])))
    low, high = edges[0], edges[middle]

    def ours() -> list[Array]:
        cubes = browser.cubes(charts[1:], [charts[0].x], {})[:-1]
        return [cube["count"][2:-2, 2 : 2 + middle].sum(axis=1) for cube in cubes]

    other = {charts[-1].x.column: Range(None, 0.0)}

    def filtered() -> list[Array]:
        cubes = browser.cubes(charts[1:-1], [charts[0].x], other)[:-1]
        return [cube["count"][2:-2, 2 : 2 + middle].sum(axis=1) for cube in cubes]

    def brushed(chosen: list[Chart], mask: Array) -> list[Array]:
        mask = mask & (table["p0"] >= low) & (table["p0"] < high)
        bins = [np.asarray(browser.bins(chart.x).edges) for chart in chosen]
        return [
            np.histogram(table[chart.x.column][mask], edges)[0]
            for chart, edges in zip(chosen, bins, strict=True)
        ]

    tries = 2 if rows > 5_000_000 else TRIES
    everything = np.ones(rows, dtype=bool)
    passing = table[charts[-1].x.column] <= 0.0
    fast, counts = _best(ours, TRIES)
    slow, expected = _best(lambda: brushed(charts[1:], everything), tries)
    under, more = _best(filtered, TRIES)
    slow_under, known = _best(lambda: brushed(charts[1:-1], passing), tries)
    for one, two in zip([*counts, *more], [*expected, *known], strict=True):
        np.testing.assert_array_equal(one, two)
    half = {"p0": Range(low, high, closed=False)}
    counting, _ = _best(lambda: browser.count(half), TRIES)
    return {
        "index [s]": measuring.digits(built, 2),
        "tables [s]": measuring.digits(paired, 2),
        "first brush [ms]": measuring.digits(1000 * fast, 2),
        "numpy [ms]": round(1000 * slow),
        "numpy / first brush": measuring.digits(slow / fast, 2),
        "under a filter [ms]": round(1000 * under),
        "numpy / under a filter": measuring.digits(slow_under / under, 2),
        "exact count [ms]": measuring.digits(1000 * counting, 2),
    }


def _best(work: Any, tries: int) -> tuple[float, Any]:
    seconds, answer = [], None
    for _ in range(tries):
        start = time.perf_counter()
        answer = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), answer


@contextmanager
def _served(path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(path), str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{address}/readyz", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        yield address, process
    finally:
        process.terminate()
        process.wait()


def _dragged(
    address: str, process: subprocess.Popen[bytes], chromium: str, rows: int
) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 2000})
        page.set_default_timeout(300_000)
        start = time.perf_counter()
        page.goto(f"{address}/browse?c={CHARTS}")
        page.wait_for_selector(".linked .rows:not(:empty)")
        _until(page, "l.known && !l.busy")
        first = time.perf_counter() - start
        _until(page, "l.activations.filter(a => !a.sampled).length >= l.panels.length")
        for place in range(DRAGS):
            _drag(page, place)
        said = json.loads(
            _linked(page, "JSON.stringify([l.activations, l.frames, l.releases.slice(1)])")
        )
        browser.close()
    activations, frames, releases = said
    whole = [a for a in activations if not a["sampled"]]
    exact = [a["ms"] for a in whole if not a["filtered"]]
    under = [a["ms"] for a in whole if a["filtered"]]
    previews = [a["ms"] for a in activations if a["sampled"]]
    opening, counting = TARGETS[rows]
    memory = Path(f"/proc/{process.pid}/status")
    most = int(memory.read_text().split("VmHWM:")[1].split()[0]) / 1000 if memory.exists() else 0
    return {
        "opening [ms]": round(min(exact)),
        "to reach": opening,
        "under a filter [ms]": round(min(under)),
        "preview [ms]": round(min(previews)) if rows > PREVIEW_ABOVE else "",
        "frame, median [ms]": measuring.digits(float(np.median(frames)), 2),
        "frame, 95 % of them [ms]": measuring.digits(float(np.quantile(frames, 0.95)), 2),
        "count [ms]": round(min(releases)),
        "to reach ": counting,
        "first page [s]": measuring.digits(first, 2),
        "memory [MB]": round(most),
    }


def _linked(page: Any, script: str) -> Any:
    return page.locator(".limen-root").evaluate(
        f"root => {{ const l = root.limen; return {script}; }}"
    )


def _until(page: Any, condition: str) -> None:
    for _ in range(6_000):
        if _linked(page, condition):
            return
        time.sleep(0.05)
    raise AssertionError(f"never: {condition}")


def _drag(page: Any, place: int) -> None:
    canvas = page.locator(".linked figure canvas").nth(place)
    canvas.scroll_into_view_if_needed()
    box, at = _linked(page, f"l.panels[{place}].box"), canvas.bounding_box()
    x, y = at["x"] + box["x"], at["y"] + box["y"] + box["h"] / 2
    page.mouse.move(x + 0.3 * box["w"], y)
    exact = "Array.from(m.cubes.values()).every(c => !c.sampled)"
    ready = f"m && m.cubes.size >= l.panels.length - 1 && {exact}"
    _until(page, f"(m => {ready})(l.recent.get(l.activationKey(l.panels[{place}])))")
    page.mouse.down()
    for step in range(40):
        page.mouse.move(x + (0.3 + 0.01 * step) * box["w"], y)
    page.mouse.up()
    time.sleep(0.2)
    _until(page, "!l.busy && !l.dragged")
