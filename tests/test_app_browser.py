"""The pages in a real browser: both themes, small screens, links, files, what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import served

from limen.bundle import open_bundle
from limen.packing import make_bundle
from limen.training import train
from limen_app.state import PAGES

pytest.importorskip("streamlit", reason="the app is not installed")

ROWS = 3_000
KEY, DOI = "dark-higgs@1.0.0", "10.5281/zenodo.7000002"
HOSTILE = "<script>document.title='taken'</script><img src=http://example.org/x onerror=alert(1)>"
AXE = Path(__file__).parent / "judges" / "node_modules" / "axe-core" / "axe.min.js"
WIDTH = 1280
NAMES = ("m_dark", "m_med", "g_quark", "g_dark", "sin_theta")
POINT = {"m_dark": 90.0, "m_med": 1100.0, "g_quark": 0.25, "g_dark": 1.0, "sin_theta": 0.2}
SPECTRUM = """BLOCK MASS
   54  9.000000000E+01  # dark Higgs
   55  1.100000000E+03  # mediator
BLOCK DARKCOUPLINGS
   1  2.500000000E-01  # quarks
   2  1.000000000E+00  # dark matter
   3  2.000000000E-01  # mixing
"""
SERVER = """
import sys
from limen_app.serving import serve
serve(sys.argv[2:], port=int(sys.argv[1]))
"""


def _scan() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    low, high = (50.0, 500.0, 0.05, 0.3, 0.01), (150.0, 3000.0, 0.5, 1.5, 0.5)
    table = {name: rng.uniform(a, b, ROWS) for name, a, b in zip(NAMES, low, high, strict=True)}
    reach = (table["g_quark"] / 0.25) ** 2 * table["g_dark"] * (1 - 0.4 * table["sin_theta"])
    limit = (table["m_med"] / 1500.0) ** 4 / reach * (1 + table["m_dark"] / 300.0)
    for kind, factor in (("obs", 1.0), ("exp", 0.7)):
        table[f"mu95_{kind}"] = factor * limit
        table[f"excluded_{kind}"] = (factor * limit < 1.0).astype(np.int8)
    return table


def _column(name: str, label: str, symbol: str, unit: str, group: str, key: Any) -> dict[str, Any]:
    block = "MASS" if unit == "GeV" else "DARKCOUPLINGS"
    source = [{"format": "slha", "block": block, "key": [key]}]
    found = {"name": name, "role": "parameter", "unit": unit, "label": label, "symbol": symbol}
    return found | {"group": group, "source": source}


def _results(kind: str, words: str) -> list[dict[str, Any]]:
    statistics = {"confidence_level": 0.95, "construction": "CLs", "result": words}
    limit = f"mu95_{kind}"
    return [
        {"name": limit, "role": "limit", "quantity": "signal_strength_limit", "unit": "1"}
        | {"label": f"{words} limit on the signal strength", "statistics": statistics},
        {"name": f"excluded_{kind}", "role": "label", "quantity": "excluded", "unit": "1"}
        | {"statistics": statistics, "label": f"excluded ({words})"}
        | {
            "definition": {
                "text": f"excluded at 95 % CL ({words}): the limit is below 1",
                "column": limit,
                "comparison": "<",
                "threshold": 1.0,
            }
        },
    ]


def _document() -> dict[str, Any]:
    columns = [
        _column("m_dark", "mass of the dark Higgs boson", "m_s", "GeV", "masses", 54),
        _column("m_med", "mass of the mediator", "m_{Z'}", "GeV", "masses", 55),
        _column("g_quark", "coupling to quarks", "g_q", "1", "couplings", 1),
        _column("g_dark", "coupling to dark matter", r"g_\chi", "1", "couplings", 2),
        _column("sin_theta", "Higgs mixing", r"\sin\theta", "1", "couplings", 3),
        *_results("obs", "observed"),
        *_results("exp", "expected"),
    ]
    return {
        "id": "dark-higgs",
        "version": "1.0.0",
        "title": "A made-up limit on a dark Higgs boson",
        "description": "Made up for tests and pictures: no experiment measured this.",
        "doi": DOI,
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [
            {"name": "scan", "columns": columns, "sampling": [{"sampler": "random"}]},
        ],
        "benchmarks": [{"name": "light mediator", "point": POINT, "expected": {"excluded_obs": 1}}],
    }


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make what the server offers: a bundle with two models, a hostile one, a campaign."""
    from limen.active import Campaign

    folder = tmp_path_factory.mktemp("offered")
    make_bundle(_document(), _scan(), folder / "dark")
    bundle = open_bundle(folder / "dark")
    for name, target in (("observed", "excluded_obs"), ("expected", "excluded_exp")):
        train(bundle, target, name=name, options={"n_estimators": 60})
    open_bundle(folder / "dark").next_version(folder / "hostile", "6.6.6")
    with open_bundle(folder / "hostile").edit() as change:
        change.manifest["title"] = HOSTILE
        change.manifest["description"] = HOSTILE
    campaign = Campaign.start(
        folder / "campaign",
        space={"m": (0.0, 1.0), "g": (0.1, 1.0)},
        outputs={"y": {"threshold": 0.0}},
        strategy="level-set",
        seed=0,
    )
    for _ in range(2):
        asked = campaign.ask(12)
        campaign.tell(asked["id"], {"y": asked["m"] ** 2 + asked["g"] - 0.8})
    campaign.ask(5)
    return {name: folder / name for name in ("dark", "hostile", "campaign")}


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """Start servers; gives their addresses."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*offered: Path) -> str:
        process, address = served.start(SERVER, *map(str, offered))
        running.append(process)
        return address

    yield begin
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(serve: Callable[..., str], places: dict[str, Path]) -> str:
    return serve(places["dark"], places["campaign"])


class Visitor:
    """A visitor with a browser of their own, and what went wrong in it."""

    def __init__(self, chromium: Any, address: str, **options: Any) -> None:
        viewport = {"width": options.pop("width", WIDTH), "height": 1000}
        self.address = address
        self.context = chromium.new_context(viewport=viewport, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("request", self._requested)
        self.page.on("response", self._answered)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "ws://127.0.0.1")):
            self.errors.append(f"asked {request.url}")

    def _answered(self, response: Any) -> None:
        # Streamlit looks for itself below the address of a page first.
        probes = ("/_stcore/health", "/_stcore/host-config")
        if response.status >= 400 and not response.url.endswith(probes):
            self.errors.append(f"{response.status} {response.url}")

    def open(self, page: str, query: str = "") -> Visitor:
        """Open a page and wait until it is there."""
        path = "" if page == "home" else page
        self.page.goto(f"{self.address}/{path}{query}")
        self.page.wait_for_selector("h1")
        return self.settled()

    def settled(self) -> Visitor:
        """Wait until the page runs no more."""
        self.page.wait_for_timeout(150)
        idle = "() => document.querySelector('.stApp[data-test-script-state=notRunning]')"
        self.page.wait_for_function(idle)
        self.page.wait_for_timeout(150)
        return self

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return str(self.page.locator(".limen-verdict").text_content())

    def box(self, name: str) -> Any:
        """Give the box of a parameter."""
        return self.page.locator(f"input[type=text][aria-label*='{name}']")

    def type(self, name: str, text: str) -> None:
        """Type into a box, by keys alone."""
        box = self.box(name)
        box.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        self.settled()

    def picture(self, name: str) -> None:
        """Keep a picture for the documentation: LIMEN_SCREENSHOTS=docs/app."""
        folder = os.environ.get("LIMEN_SCREENSHOTS")
        if folder:
            self.page.mouse.move(0, 0)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def download(self, name: str) -> bytes:
        """Press a button that gives a file."""
        with self.page.expect_download() as given:
            self.page.get_by_role("button", name=name).click()
        return Path(given.value.path()).read_bytes()

    def values(self) -> dict[str, str]:
        """Give what the boxes hold; each of them is drawn before it is filled."""
        for name in NAMES:
            found = "document.querySelector(`input[type=text][aria-label*='${name}']`)"
            filled = f"name => {found}?.value"
            self.page.wait_for_function(filled, arg=name)
        return {name: self.box(name).input_value() for name in NAMES}


@pytest.fixture
def visit(chromium: Any, server: str) -> Iterator[Callable[..., Visitor]]:
    """Let visitors come; whatever went wrong in their browsers fails the test."""
    visitors: list[Visitor] = []

    def come(address: str = server, **options: Any) -> Visitor:
        visitors.append(Visitor(chromium, address, **options))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()
    assert [error for visitor in visitors for error in visitor.errors] == []


def _serious(page: Any) -> list[str]:
    """Ask axe-core for what keeps people from using a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [
        f"{entry['id']}: {node['target']} {node['html'][:200]}"
        for entry in found["violations"]
        if entry["impact"] in ("serious", "critical")
        for node in entry["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_sound_in_both_themes(visit: Callable[..., Visitor], scheme: str) -> None:
    visitor = visit(color_scheme=scheme)
    found: dict[str, list[str]] = {}
    wide: dict[tuple[str, int], list[int]] = {}
    for name in PAGES:
        phone = scheme == "dark" and name != "home"
        visitor.page.set_viewport_size({"width": 375 if phone else WIDTH, "height": 1000})
        visitor.open(name, f"?b={KEY}" if name not in ("home", "bundles", "about") else "")
        assert visitor.page.locator("h1").count() == 1
        assert visitor.page.locator(".stException").count() == 0
        assert visitor.page.locator("[data-testid=stAlertContentError]").count() == 0
        if phone:
            wide |= {(name, width): sizes for width, sizes in _wider(visitor, 375, 640).items()}
            visitor.page.set_viewport_size({"width": WIDTH, "height": 1000})
        if AXE.is_file():
            found[name] = _serious(visitor.page)
        if scheme == "light" and name not in ("batch", "browse", "campaigns"):
            visitor.picture(name)
    faults = [f"{name} {fault}" for name, listed in found.items() for fault in listed]
    assert not faults, "\n".join(faults)
    assert wide == {}


def _wider(visitor: Visitor, *widths: int) -> dict[int, list[int]]:
    """Give the sizes of a page that is wider than its window, by the width of the window."""
    found = {}
    for width in widths:
        visitor.page.set_viewport_size({"width": width, "height": 1000})
        sizes = visitor.settled().page.evaluate(
            "() => [document.documentElement, document.querySelector('[data-testid=stMain]')]"
            ".map(one => one.scrollWidth)"
        )
        if max(sizes) > width:
            found[width] = sizes
    return found


def test_the_first_page_fits_a_phone(visit: Callable[..., Visitor]) -> None:
    assert _wider(visit(width=375).open("home"), 375, 640) == {}


def test_an_example_gives_the_numbers_of_python(
    visit: Callable[..., Visitor], places: dict[str, Path]
) -> None:
    visitor = visit().open("predict", f"?b={KEY}&m=observed")
    visitor.page.get_by_role("button", name="light mediator").click()
    visitor.settled()
    verdict = open_bundle(places["dark"]).predictor("observed").one(POINT)
    assert verdict.verdict == "excluded"
    assert visitor.verdict == "EXCLUDED at 95 % CL"
    said = visitor.page.locator("[data-testid=stMain]").inner_text()
    assert DOI in said
    assert "version 1.0.0" in said
    given = json.loads(visitor.download("JSON"))["points"][0]
    assert given["probability"] == pytest.approx(verdict.probability, abs=1e-6)
    assert given["confidence"] == pytest.approx(verdict.confidence, abs=1e-6)
    assert visitor.page.title() != "taken"


def test_a_changed_number_changes_the_answer_by_itself(visit: Callable[..., Visitor]) -> None:
    visitor = visit().open("predict", f"?b={KEY}&m=observed")
    assert "EXCLUDED" in visitor.verdict
    above = visitor.page.locator(".st-key-verdict-above")
    above.wait_for(state="hidden")
    visitor.type("m_med", "2900")
    assert visitor.verdict == "NOT EXCLUDED at 95 % CL"
    visitor.page.set_viewport_size({"width": 375, "height": 900})
    visitor.box("sin_theta").scroll_into_view_if_needed()
    above.get_by_text(visitor.verdict, exact=True).wait_for()
    assert 0 <= above.bounding_box()["y"] < 100
    visitor.page.set_viewport_size({"width": 1280, "height": 1000})
    slider = visitor.page.get_by_role("slider", name="m_med [GeV]")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    # The page waits a moment for further keys before it answers.
    follows = "box => box.value === '2880'"
    visitor.page.wait_for_function(follows, arg=visitor.box("m_med").element_handle())
    assert float(slider.input_value()) == pytest.approx(2880, abs=1)
    visitor.type("m_med", "99 TeV")
    assert visitor.verdict == "OUTSIDE DOMAIN"
    assert "m_med = 99000 GeV" in visitor.page.locator("[data-testid=stMain]").inner_text()
    visitor.type("m_med", "abc")
    assert visitor.verdict == "NOT EVALUATED"
    assert "m_med: found 'abc'" in visitor.page.locator("[data-testid=stMain]").inner_text()


def test_a_link_shows_others_the_same(visit: Callable[..., Visitor]) -> None:
    visitor = visit().open("predict", f"?b={KEY}&m=observed")
    visitor.type("g_quark", "0.123456789012345")
    visitor.page.get_by_role("button", name="Share").click()
    link = visitor.page.locator("[data-testid=stPopoverBody] code").first.inner_text()
    other = visit()
    other.page.goto(link)
    other.page.wait_for_selector(".limen-verdict", state="attached")
    other.settled()
    assert other.values() == visitor.values()
    assert other.verdict == visitor.verdict
    assert other.page.locator("[data-testid=stAlert]").count() == 0
    assert json.loads(other.download("JSON")) == json.loads(visitor.download("JSON"))


def test_a_bad_link_opens_the_page_and_says_what_it_left_out(visit: Callable[..., Visitor]) -> None:
    visitor = visit().open("slices", f"?b={KEY}&m=gone&x=m_med,none&p.odd=1&p.m_med=abc")
    said = visitor.page.locator("[data-testid=stMain]").inner_text()
    for part in ("'gone'", "'none'", "'odd'", "'abc'"):
        assert part in said
    drawn = visitor.page.locator("[data-testid=stVegaLiteChart] svg.marks")
    drawn.wait_for()
    drawn.hover()
    visitor.page.wait_for_timeout(300)
    assert visitor.page.get_by_text("data:image").count() == 0
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    visitor.page.get_by_role("button", name="Download", exact=True).click()
    assert DOI in visitor.download("SVG").decode()


def test_two_visitors_see_their_own_points(visit: Callable[..., Visitor]) -> None:
    first, second = visit().open("predict", f"?b={KEY}"), visit().open("predict", f"?b={KEY}")
    first.type("m_med", "2000")
    second.type("m_med", "700")
    assert first.box("m_med").input_value() == "2000"
    assert "p.m_med=2000" in first.page.url
    assert "p.m_med=700" in second.page.url


def test_a_spectrum_gives_what_typing_gives(visit: Callable[..., Visitor]) -> None:
    visitor = visit().open("predict", f"?b={KEY}&p.m_med=2500")
    visitor.page.get_by_text("Fill from an SLHA spectrum").click()
    chooser = visitor.page.locator("input[type=file]").first
    chooser.set_input_files(
        {"name": "one.slha", "mimeType": "text/plain", "buffer": SPECTRUM.encode()}
    )
    visitor.page.get_by_text("Filled 5 of 5 parameters").wait_for()
    visitor.settled()
    assert {name: float(value) for name, value in visitor.values().items()} == POINT
    assert visitor.verdict == "EXCLUDED at 95 % CL"


def test_a_batch_is_what_the_command_line_writes(
    visit: Callable[..., Visitor],
    places: dict[str, Path],
    tmp_path: Path,
    limen: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(8)
    lines = ["id," + ",".join(NAMES)]
    for i in range(1000):
        values = [POINT[name] * rng.uniform(0.8, 1.2) for name in NAMES]
        lines.append(",".join([str(i), *map(repr, map(float, values))]))
    for row in (10, 500, 999):
        lines[row + 1] = lines[row + 1].rpartition(",")[0] + ",abc"
    (tmp_path / "points.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    visitor = visit().open("batch", f"?b={KEY}&m=observed")
    visitor.page.locator("input[type=file]").first.set_input_files(tmp_path / "points.csv")
    visitor.page.get_by_text("1,000 points").wait_for()
    visitor.settled()
    assert visitor.page.get_by_text("Rows that were refused").count() == 1
    visitor.picture("batch")
    line = ("predict", places["dark"], tmp_path / "points.csv", "--model", "observed")
    assert limen(*line, "-o", tmp_path / "out.csv").exit_code == 5
    assert visitor.download("Verdicts (CSV)") == (tmp_path / "out.csv").read_bytes()


def test_a_campaign_shows_contours_and_accuracy(visit: Callable[..., Visitor]) -> None:
    visitor = visit().open("campaigns")
    visitor.page.get_by_role("heading", name="Contours").wait_for(timeout=60_000)
    visitor.page.locator("img[alt^=Contours]").wait_for(timeout=60_000)
    said = visitor.page.locator("[data-testid=stMain]").inner_text()
    assert "Next: 5 points pending" in said
    assert "Stated error" in said
    visitor.picture("campaigns")


def test_a_broken_model_leaves_the_others(
    visit: Callable[..., Visitor], places: dict[str, Path], tmp_path: Path
) -> None:
    path = places["dark"] / "expected.onnx"
    visitor = visit().open("predict", f"?b={KEY}&m=expected")
    assert visitor.verdict
    moved = path.rename(tmp_path / "expected.onnx")
    try:
        visitor.open("predict", f"?b={KEY}&m=expected")
        said = visitor.page.locator("[data-testid=stAlertContentError]").inner_text()
        assert "expected.onnx" in said
        assert "Traceback" not in said
        visitor.open("predict", f"?b={KEY}&m=observed")
        assert "EXCLUDED" in visitor.verdict
    finally:
        shutil.move(moved, path)
    visitor.open("predict", f"?b={KEY}&m=expected")
    assert "EXCLUDED" in visitor.verdict


def test_words_of_a_hostile_bundle_do_nothing(
    visit: Callable[..., Visitor], serve: Callable[..., str], places: dict[str, Path]
) -> None:
    visitor = visit(serve(places["dark"], places["hostile"]))
    for name in ("home", "bundles", "bundle", "predict"):
        visitor.open(name, "?b=dark-higgs@6.6.6")
        assert visitor.page.title() != "taken"
        assert visitor.page.locator("img[src*=example]").count() == 0
