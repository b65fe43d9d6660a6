"""An attacker's bundle, links and files against the pages, in a real browser."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from limen import schema
from limen.bundle import open_bundle
from limen.packing import make_bundle
from limen.training import train
from limen_app import state

pytest.importorskip("streamlit", reason="the pages need the extra 'app'")

ROWS = 600
EVIL = (
    '<script>window.taken=1;document.title="taken"</script>'
    '<img src=x onerror="window.taken=1"><b class="taken">b</b><!-- '
    "![p](https://evil.example/p.png) [l](javascript:window.taken=1) <https://evil.example> "
    ":red[r] :material/delete: $\\href{javascript:window.taken=1}{x}$ `c` | **t** --> {{7*7}}"
)
SYMBOLS = (r"\href{javascript:window.taken=1}{m}", "m$ ![p](https://evil.example/p.png) $")
SERVER = (
    "import sys; from limen_app.serving import serve; serve(sys.argv[2:], port=int(sys.argv[1]))"
)
PAGES = tuple("" if page == "home" else page for page in state.PAGES)
# What a page must not hold, whatever a bundle says.
TRACES = (
    ".taken, img[src='x'], svg[onload], a[href^='javascript'], [src*='evil.example'], "
    "[data-testid='stException']"
)


def _document() -> dict[str, Any]:
    statistics = {"confidence_level": 0.95, "construction": "delta_chi2"}
    texts = {"label": EVIL[:200], "description": EVIL, "group": EVIL[:60]}
    mass: dict[str, Any] = {"name": "m", "role": "parameter", "unit": "GeV", "symbol": SYMBOLS[0]}
    places = (("MASS", [1]), ("HMIX", [2]), ("NMIX", [1, 1]))
    addresses = [
        {"source": [{"format": "slha", "block": block, "key": key}]} for block, key in places
    ]
    kinds = {"0": EVIL[:200], "1": "<svg onload=window.taken=1>"}
    label = {"text": EVIL, "column": "distance", "comparison": ">", "threshold": 1.0}
    return {
        "id": "evil",
        "version": "1.0.0",
        "title": EVIL[:300],
        "description": f"{EVIL}\n\n# head\n\n{EVIL}",
        "keywords": [EVIL[:60]],
        "creators": [{"name": EVIL[:100]}],
        "licences": {"data": "CC0-1.0"},
        "theory": {"family": EVIL[:60], "convention": EVIL},
        "analyses": [{"experiment": EVIL[:60], "id": "<b class=taken>1</b>"}],
        "benchmarks": [
            {
                "name": EVIL[:60],
                "point": {"m": 500.0, "g": 0.5, "kind": 0},
                "expected": {"outside": "inside_region"},
                "reference": EVIL,
            }
        ],
        "tables": [
            {
                "name": "scan",
                "sampling": [{"sampler": EVIL[:60], "prior": EVIL[:60]}],
                "columns": [
                    mass | texts | addresses[0],
                    {"name": "g", "role": "parameter", "unit": "1", "symbol": SYMBOLS[1]}
                    | texts
                    | addresses[1],
                    {"name": "kind", "role": "parameter", "unit": "1", "categories": kinds}
                    | texts
                    | addresses[2],
                    {"name": "distance", "role": "observable", "unit": "1"} | texts,
                    {"name": "outside", "role": "label", "quantity": "outside_region", "unit": "1"}
                    | {"definition": label, "statistics": statistics}
                    | texts,
                ],
            }
        ],
    }


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle whose every text is an attack, with a model."""
    rng = np.random.default_rng(3)
    m, g = rng.uniform(100.0, 1000.0, ROWS), rng.uniform(0.0, 1.0, ROWS)
    distance = ((m - 500.0) / 200.0) ** 2 + ((g - 0.5) / 0.3) ** 2
    columns = {"m": m, "g": g, "kind": rng.integers(0, 2, ROWS).astype(np.int8)}
    columns |= {"distance": distance, "outside": (distance > 1.0).astype(np.int8)}
    path = tmp_path_factory.mktemp("evil") / "evil"
    bundle = make_bundle(_document(), columns, path)
    train(bundle, "outside", name="region", options={"n_estimators": 10})
    manifest = schema.load_json(path / "bundle.json")
    model = manifest["models"][0]
    model |= {"limitations": EVIL, "intended_use": EVIL, "out_of_scope": EVIL}
    for entry in (*model["confidence"], *model["metrics"]):
        entry["population"] = EVIL
    for entry in model["confidence"]:
        entry["meaning"] = EVIL
    (path / "bundle.json").write_bytes(schema.canonical_json(manifest))
    assert open_bundle(path).models["region"].limitations == EVIL
    return path


@pytest.fixture(scope="module")
def address(evil: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the bundle, and one that cannot be opened."""
    broken = tmp_path_factory.mktemp("broken") / "<img src=x onerror=alert(1)>"
    broken.mkdir()
    (broken / "bundle.json").write_text(json.dumps({"format": EVIL}))
    folder = tmp_path_factory.mktemp("cache")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-c", SERVER, str(port), str(evil), str(broken)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            line, env=os.environ | {"LIMEN_CACHE": str(folder)}, stdout=log, stderr=log
        )
    ready = f"http://127.0.0.1:{port}/readyz"
    for _ in range(600):
        assert server.poll() is None, (folder / "log").read_text()
        try:
            with urllib.request.urlopen(ready, timeout=5):
                break
        except OSError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(20)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def context(chromium: Any) -> Any:
    """One context: what the pages are made of is loaded once."""
    return chromium.new_context()


class Victim:
    """A browser at the pages, and every sign that an attack had an effect."""

    def __init__(self, context: Any, address: str) -> None:
        self.address = address
        self.page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.signs: list[str] = []
        self.page.on("dialog", self._asked)
        self.page.on("pageerror", lambda error: self.signs.append(f"error: {error}"))
        self.page.on("request", self._requested)
        self.page.on("console", self._told)

    def _asked(self, dialog: Any) -> None:
        self.signs.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "ws://127.0.0.1")):
            self.signs.append(f"request: {request.url}")

    def _told(self, message: Any) -> None:
        # What only the policy stopped is markup that should never have been there.
        if "Content Security Policy" in message.text:
            self.signs.append(f"policy: {message.text[:300]}")

    def open(self, path: str) -> str:
        """Open a page, wait until it is drawn, and give its text."""
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_selector("[data-testid='stHeading']")
        return self.settled()

    def settled(self) -> str:
        """Wait until nothing changes any more, look for signs, and give the text."""
        self.page.wait_for_selector("[data-test-script-state='notRunning']", state="attached")
        self.page.wait_for_timeout(400)
        self.page.wait_for_selector("[data-test-script-state='notRunning']", state="attached")
        for trace in self.page.query_selector_all(TRACES):
            self.signs.append(f"trace: {trace.evaluate('each => each.outerHTML')[:300]}")
        # An address may become a link to itself; no link may hide where it leads.
        for link in self.page.query_selector_all("a[href*='evil.example']"):
            if link.inner_text() not in str(link.get_attribute("href")):
                self.signs.append(f"link: {link.inner_text()[:100]}")
        if self.page.evaluate("window.taken") or self.page.title() == "taken":
            self.signs.append("a script of the bundle ran")
        text = str(self.page.inner_text("body"))
        assert "Traceback" not in text
        assert "site-packages" not in text
        return text

    def give(self, kind: str, name: str, data: bytes, folder: Path) -> str:
        """Give a file to a page, and give the text of the error that it shows."""
        path = folder / name
        path.write_bytes(data)
        if kind == "predict":
            self.page.get_by_text("Fill from an SLHA spectrum").click()
        self.page.locator("input[type=file]").set_input_files(str(path))
        self.page.wait_for_selector("[data-testid='stAlert']", timeout=60_000)
        self.settled()
        return " ".join(self.page.locator("[data-testid='stAlert']").all_inner_texts())


@pytest.fixture
def victim(context: Any, address: str) -> Iterator[Victim]:
    visitor = Victim(context, address)
    yield visitor
    visitor.page.close()
    assert visitor.signs == []


# The pages that show most of what a bundle says; the others are for the long run.
_FIRST = ("", "bundle", "predict", "browse")


@pytest.mark.parametrize(
    "page",
    [page if page in _FIRST else pytest.param(page, marks=pytest.mark.long) for page in PAGES],
)
def test_what_a_bundle_says_is_shown_and_never_obeyed(victim: Victim, page: str) -> None:
    text = victim.open(f"{page}?b=evil@1.0.0" if page else "")
    if page in ("", "bundle", "predict"):
        assert "<script>window.taken=1" in text


LINKS = (
    "predict?b=..%2f..%2f..%2fetc%2fpasswd&m=..%2f..&p.m=1e999&p.g=NaN&x=..%2f..&d=%00",
    f"predict?b=evil&m={quote('<script>alert(1)</script>')}&p.m={quote('<img src=x>')}",
    f"bundle?b={quote(EVIL)}",
    f"browse?b=evil&f.m={quote(EVIL)}&f.passwd=1~2&c={quote('h:../../etc/passwd;h:' + 'm' * 3000)}",
    "browse?b=evil&f.m=9~1&f.g=~&f.kind=0,1,x&c=;;;;",
    "slices?b=evil&x=m,m&p.kind=7",
    "..%2f..%2fetc%2fpasswd",
)


@pytest.mark.parametrize("link", LINKS, ids=[link[:24] for link in LINKS])
def test_a_link_that_means_nothing_opens_a_page_that_says_so(victim: Victim, link: str) -> None:
    if link.startswith(".."):
        victim.page.goto(f"{victim.address}/{link}")
        assert "root:" not in victim.page.content()
        return
    text = victim.open(link)
    assert "root:" not in text
    assert "left out" in text or "not open here" in text or "which is" in text


SPECTRA: dict[str, tuple[str, bytes, str]] = {
    "six megabytes": ("big.slha", b"BLOCK MASS\n" + b"# x\n" * 1_500_000, "5 MB"),
    "binary": ("noise.slha", bytes(range(256)) * 40, "noise.slha"),
    "HTML": ("page.slha", EVIL.encode() * 20, "page.slha"),
    "half a block": (
        "half.slha",
        b"BLOCK MASS\n 1 <img src=x onerror=alert(1)>\n",
        "half.slha",
    ),
}


@pytest.mark.parametrize(("name", "data", "words"), SPECTRA.values(), ids=SPECTRA)
def test_a_spectrum_that_is_none_is_one_message_and_the_form_stays(
    victim: Victim, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    victim.open("predict?b=evil&p.m=321")
    before = [box.input_value() for box in victim.page.locator("input[type=text]").all()]
    assert words in victim.give("predict", name, data, tmp_path)
    after = [box.input_value() for box in victim.page.locator("input[type=text]").all()]
    assert (before, "321" in before) == (after, True)


TABLES: dict[str, tuple[str, bytes, str]] = {
    "a million columns": (
        "wide.csv",
        b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n" + b"1," * 999_999 + b"1\n",
        "wide.csv",
    ),
    "binary": ("noise.parquet", bytes(range(256)) * 40, "noise.parquet"),
    "an archive that leads out": ("up.zip", b"PK\x03\x04" + b"\0" * 100, "up.zip"),
}


@pytest.mark.parametrize(("name", "data", "words"), TABLES.values(), ids=TABLES)
def test_a_table_that_is_none_is_one_message(
    victim: Victim, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    victim.open("batch?b=evil")
    assert words in victim.give("batch", name, data, tmp_path)


def test_cells_of_a_table_are_shown_as_they_are(victim: Victim, tmp_path: Path) -> None:
    victim.open("batch?b=evil")
    rows = ["id,m,g,kind", "<img src=x onerror=alert(1)>,500,0.5,0", "=cmd|' /C calc'!A0,x,0.5,0"]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(rows))
    victim.page.locator("input[type=file]").set_input_files(str(path))
    victim.page.wait_for_selector("text=2 points")
    victim.settled()
    with victim.page.expect_download() as waiting:
        victim.page.get_by_text("Verdicts (CSV)").click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert len(lines) == 3
    assert not any(line.startswith(("=", "+", "-", "@")) for line in lines)
    assert ",=cmd" not in lines[2]
