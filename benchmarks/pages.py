"""What a visitor waits for: an answer after a change, a slice, a file of points."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Table

import limen
from limen.demonstration import make_example
from limen_app import batch, slicing
from limen_app.uploads import Upload

SERVER = """
import sys
from limen_app.serving import serve
serve(sys.argv[2:], port=int(sys.argv[1]))
"""
# The least that Streamlit can do with the same model: a box and a sentence.
BARE = """
import streamlit as st
import limen
predict = st.cache_resource(lambda: limen.open_bundle({place!r}).predictor("region"))()
names = predict.card.input_names
value = float(st.text_input("C9_bsmumu", "0"))
verdict = predict.one(dict.fromkeys(names, 0.0) | {{"C9_bsmumu": value}})
st.markdown(f"<p class='limen-verdict'>{{verdict.verdict}}</p>", unsafe_allow_html=True)
"""
CHANGES = ("-0.7", "-3", "-0.65", "-3.5", "-0.6", "-4", "-0.55", "-3.2")


def measure(folder: Path) -> list[Table]:
    """Measure on the example bundle."""
    bundle = make_example(folder / "bsll10", n=20_000, toys=200)
    limen.train(bundle, "outside_95cr", estimator="boosted", name="region", seed=0)
    limen.train(bundle, "loglike", estimator="mlp", name="loglike", seed=0)
    behind = Table(
        "Behind the pages",
        "The example with 20,000 points; to reach: 500 ms for a slice of 100 x 100, 3 s for a "
        "file of 10,000 points. Best of five.",
    )
    for name in ("region", "loglike"):
        behind.add(name, _behind(bundle, name))
    return [behind, _in_browser(folder, bundle.path)]


def _behind(bundle: limen.Bundle, name: str) -> dict[str, Any]:
    predictor = bundle.predictor(name)
    names = list(predictor.card.input_names)
    point = dict.fromkeys(names, 0.0)
    low, high = np.array([bundle.columns[n].range for n in names]).T
    rows = low + (high - low) * np.random.default_rng(0).random((10_000, len(names)))
    text = ",".join(names) + "\n" + "\n".join(",".join(map(repr, r)) for r in rows.tolist())
    upload = Upload("points.csv", text.encode())
    limits = {"most_rows": 100_000, "most_bytes": 10**8}
    document = dict(bundle.manifest)
    axes = ("C9_bsmumu", "C10_bsmumu")
    return {
        "one point [ms]": _best(lambda: predictor.one(point)),
        "slice 100 x 100 [ms]": _best(lambda: slicing.plane(predictor, point, axes)),
        "file of 10,000 points [ms]": _best(
            lambda: batch.answer(predictor, upload, document, **limits)
        ),
    }


def _best(work: Any) -> float:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return round(1000 * min(times), 1)


def _in_browser(folder: Path, place: Any) -> Table:
    table = Table(
        "In a browser: from a changed number to the new verdict on the page",
        "Headless Chromium, loopback; a bare Streamlit script with one box and the same "
        "model, which checks no domain of nine further boxes and shows no neighbours. To reach: "
        "300 ms.",
    )
    chromium = shutil.which("chromium")
    if chromium is None:
        return table
    bare = folder / "bare.py"
    bare.write_text(BARE.format(place=str(place)))
    port, other = _port(), _port()
    run = [sys.executable, "-m", "streamlit", "run", str(bare), "--server.headless=true"]
    lines = {
        "limen app": ([sys.executable, "-c", SERVER, str(port), str(place)], port, "/predict"),
        "bare Streamlit": (
            [*run, f"--server.port={other}", "--browser.gatherUsageStats=false"],
            other,
            "/",
        ),
    }
    for name, (line, at, page) in lines.items():
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                table.add(name, _typed(chromium, f"http://127.0.0.1:{at}{page}"))
            finally:
                server.terminate()
    return table


def _typed(chromium: str, address: str) -> dict[str, Any]:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for _ in range(120):
            try:
                page.goto(address)
                break
            except Error:
                time.sleep(0.5)
        page.wait_for_selector(".limen-verdict", state="attached", timeout=60_000)
        times = []
        for value in CHANGES:
            before = page.locator(".limen-verdict").first.text_content()
            box = page.get_by_role("textbox", name=re.compile(r"C9\\?_bsmumu")).first
            box.fill(value)
            begun = time.perf_counter()
            box.press("Enter")
            changed = "b => document.querySelector('.limen-verdict')?.textContent !== b"
            page.wait_for_function(changed, arg=before, timeout=20_000)
            times.append(1000 * (time.perf_counter() - begun))
            page.wait_for_timeout(1500)
        browser.close()
    return {"median [ms]": round(float(np.median(times))), "best [ms]": round(min(times))}


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
