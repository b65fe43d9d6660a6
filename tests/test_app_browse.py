"""The page Browse: dragged in a real browser, counted by plain numpy."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import served

from limen.browsing import Axis, Browser, Chart, Choice, Index, Range
from limen.bundle import open_bundle
from limen.packing import make_bundle

pytest.importorskip("streamlit", reason="the app is not installed")
ROWS = 20_000
KEY = "browsed@1.0.0"
DOI = "10.5281/zenodo.7000002"
SERVER = """
import sys, limen.browsing.passing as passing, limen_app.views.browse as page
from limen_app.serving import serve
if len(sys.argv) > 3:
    page.PREVIEW_ABOVE = passing.SAMPLE = int(sys.argv[3])
serve([sys.argv[2]], port=int(sys.argv[1]))
"""


def _columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    m, g = rng.normal(500.0, 120.0, ROWS), rng.uniform(0.0, 1.0, ROWS)
    sigma = 10.0 ** rng.uniform(-4, 2, ROWS)
    sigma[:40] = 0.0
    loglike = -0.5 * ((m - 450.0) / 60.0) ** 2 - 8.0 * (g - 0.4) ** 2
    return {
        "m": m,
        "g": g,
        "sigma": sigma,
        "kind": rng.integers(0, 3, ROWS).astype(np.int8),
        "loglike": loglike,
        "delta_chi2": 2 * (loglike.max() - loglike),
        "outside": (2 * (loglike.max() - loglike) > 6.0).astype(np.int8),
        "weight": rng.exponential(1.0, ROWS),
    }


def _document() -> dict[str, Any]:
    statistics: dict[str, Any] = {"normalisation": "full", "nuisances": "none"}
    columns: list[dict[str, Any]] = [
        {"name": "m", "role": "parameter", "unit": "GeV", "label": "mass"},
        {"name": "g", "role": "parameter", "unit": "1", "label": "coupling"},
        {"name": "sigma", "role": "observable", "unit": "fb", "label": "cross section"},
        {"name": "kind", "role": "observable", "unit": "1", "label": "kind"}
        | {"categories": {"0": "bino", "1": "wino", "2": "<img src=x onerror=alert(1)>"}},
        {"name": "loglike", "role": "likelihood", "quantity": "log_likelihood", "unit": "1"}
        | {"statistics": statistics},
        {"name": "delta_chi2", "role": "likelihood", "quantity": "delta_chi2", "unit": "1"}
        | {
            "statistics": statistics
            | {"normalisation": "ratio_to_best", "reference": {"set": "scan"}}
        },
        {"name": "outside", "role": "label", "quantity": "outside_region", "unit": "1"}
        | {
            "definition": {"text": "outside the region", "column": "delta_chi2"}
            | {"comparison": ">", "threshold": 6.0}
        }
        | {"statistics": {"confidence_level": 0.95, "construction": "delta_chi2"}},
        {"name": "weight", "role": "weight", "unit": "1"},
    ]
    return {
        "id": "browsed",
        "version": "1.0.0",
        "title": "<script>document.title='taken'</script> rows",
        "description": "Made up.",
        "doi": DOI,
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [{"name": "scan", "sampling": [{"sampler": "random"}], "columns": columns}],
    }


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("app") / "browsed"
    make_bundle(_document(), _columns(), path)
    return path


@pytest.fixture(scope="module")
def start(browsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start servers of the bundle; gives their addresses."""
    running: list[subprocess.Popen[bytes]] = []
    cache = tmp_path_factory.mktemp("cache")

    def begin(*more: str) -> str:
        process, address = served.start(
            SERVER, str(browsed), *more, environment={"LIMEN_CACHE": str(cache)}
        )
        running.append(process)
        return address

    yield begin
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(start: Callable[..., str]) -> str:
    return start()


class Seen:
    """A page in a browser, and what went wrong in it."""

    def __init__(self, chromium: Any, address: str) -> None:
        self.address = address
        self.plain = False
        self.context = chromium.new_context(viewport={"width": 1280, "height": 1400})
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("request", self._requested)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "ws://127.0.0.1")):
            self.errors.append(f"asked {request.url}")

    def open(self, query: str = "") -> Seen:
        """Open the page; the first charts are cleared of filters where they are there already."""
        if query == "" and self.plain:
            self.linked("l => l.clear()")
            return self.settled()
        self.page.goto(f"{self.address}/browse{query}")
        self.plain = query == ""
        return self.ready()

    def ready(self) -> Seen:
        self.page.wait_for_selector(".linked .rows:not(:empty)")
        self.until("l => l.known && !l.busy")
        return self

    def linked(self, script: str) -> Any:
        return self.page.locator(".limen-root").evaluate(f"root => ({script})(root.limen)")

    def until(self, condition: str) -> None:
        for _ in range(1200):
            if self.linked(condition):
                return
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}")

    @property
    def rows(self) -> int:
        text = self.page.locator(".linked .rows").inner_text()
        return int(text.split(" of ")[0].replace(",", ""))

    def canvas(self, place: int) -> Any:
        return self.page.locator(".linked figure canvas").nth(place)

    def drag(self, place: int, x: tuple[float, float], y: tuple[float, float] = (0.5, 0.5)) -> None:
        """Press and move, by shares of the axes; the button stays down."""
        canvas = self.canvas(place)
        canvas.scroll_into_view_if_needed()
        box = self.linked(f"l => l.panels[{place}].box")
        at = canvas.bounding_box()
        spots = [
            (at["x"] + box["x"] + s * box["w"], at["y"] + box["y"] + (1 - t) * box["h"])
            for s, t in zip(x, y, strict=True)
        ]
        self.page.mouse.move(*spots[0])
        self.until(f"l => (l.recent.get(l.activationKey(l.panels[{place}])) || {{}}).ready")
        self.page.mouse.down()
        self.page.mouse.move(*spots[1], steps=8)

    def release(self) -> None:
        self.page.mouse.up()
        self.settled()

    def settled(self) -> Seen:
        time.sleep(0.1)
        self.until("l => !l.dragged && !l.busy")
        return self

    def filters(self) -> dict[str, Any]:
        return dict(json.loads(self.linked("l => JSON.stringify(l.filters)")))

    def counts(self, place: int) -> list[float]:
        return list(self.linked(f"l => Array.from(l.panels[{place}].now.count.data)"))


@pytest.fixture(scope="module")
def window(chromium: Any, server: str) -> Iterator[Seen]:
    page = Seen(chromium, server)
    yield page
    page.context.close()


@pytest.fixture
def seen(window: Seen) -> Iterator[Seen]:
    window.errors.clear()
    yield window
    assert window.errors == []


def _passing(filters: dict[str, Any], *shown: str) -> np.ndarray:
    mask = np.ones(ROWS, dtype=bool)
    for name, one in filters.items():
        if name in shown:
            continue
        column = _columns()[name]
        if "values" in one:
            mask &= np.isin(column, one["values"]) != one.get("inverted", False)
            continue
        inside = np.ones(ROWS, dtype=bool)
        if one.get("low") is not None:
            inside &= column >= one["low"]
        if one.get("high") is not None:
            high = one["high"]
            inside &= column <= high if one.get("closed", True) else column < high
        mask &= inside != one.get("inverted", False)
    return mask


def test_dragging_filters_all_others_and_the_count_is_that_of_numpy(seen: Seen) -> None:
    seen.open()
    own, other = seen.counts(0), seen.counts(1)
    assert seen.rows == ROWS
    seen.drag(0, (0.3, 0.5))
    filters = seen.filters()
    expected = int(_passing(filters).sum())
    assert 0 < expected < ROWS
    assert seen.rows == expected, "while the button is down"
    g = _columns()["g"][_passing(filters)]
    edges = np.asarray(seen.linked("l => l.panels[1].drawnAxes[0].edges"))
    np.testing.assert_array_equal(seen.counts(1)[2:-2], np.histogram(g, edges)[0])
    assert seen.counts(1) != other
    seen.release()
    assert seen.rows == expected
    assert seen.counts(0) == own
    seen.page.get_by_text(f"{expected:,} of {ROWS:,} rows selected").wait_for()


def test_three_brushes_stay(seen: Seen) -> None:
    seen.open()
    for place in (0, 1, 2):
        seen.drag(place, (0.0 if place == 2 else 0.3, 0.7))
        seen.release()
    assert set(seen.filters()) == {"m", "g", "outside"}
    assert seen.page.locator(".linked ul.chips li").count() == 3
    assert seen.rows == int(_passing(seen.filters()).sum())
    kept = seen.linked("l => l.panels[0].ruler.span(l.filters.m)")
    assert kept is not None


def test_a_rectangle_on_a_map_filters_by_both_columns(seen: Seen) -> None:
    seen.open()
    place = seen.linked("l => l.panels.findIndex(p => p.wide)")
    seen.drag(place, (0.3, 0.6), (0.2, 0.7))
    filters = seen.filters()
    assert set(filters) == {"m", "g"}
    assert seen.rows == int(_passing(filters).sum())
    seen.release()
    assert seen.rows == int(_passing(filters).sum())


def test_a_typed_range_is_exact_and_drawn(seen: Seen) -> None:
    seen.open()
    box = seen.page.get_by_label("mass from (≥)").first
    box.fill("433.21")
    box.press("Enter")
    seen.settled()
    low = _columns()["m"] >= 433.21
    assert seen.rows == int(low.sum())
    box = seen.page.get_by_label("mass to (≤)").first
    box.fill("abc")
    box.press("Enter")
    assert box.get_attribute("aria-invalid") == "true"
    assert "allowed a number" in seen.page.locator(".linked figure .fault").first.inner_text()
    assert seen.rows == int(low.sum())
    box.fill("512.5")
    box.press("Enter")
    seen.settled()
    assert seen.rows == int((low & (_columns()["m"] <= 512.5)).sum())
    low_edge, high_edge = seen.linked("l => l.panels[0].ruler.span(l.filters.m)")
    assert 0 < low_edge < high_edge < 1


def test_a_range_typed_without_waiting_is_the_range(seen: Seen) -> None:
    seen.open()
    keyboard = seen.page.keyboard
    for low, high, delay in (("433.21", "512.5", 0), ("-0.5", "0.75", 40), ("402", "405.5", 90)):
        name = "coupling" if high == "0.75" else "mass"
        box = seen.page.get_by_label(f"{name} from (≥)").first
        box.click()
        keyboard.press("Control+A")
        keyboard.type(low, delay=delay)
        keyboard.press("Tab")
        keyboard.press("Control+A")
        keyboard.type(high, delay=delay)
        keyboard.press("Enter")
        seen.settled()
        time.sleep(0.5)
        seen.settled()
        column = {"mass": "m", "coupling": "g"}[name]
        assert seen.filters()[column] == {"low": float(low), "high": float(high)}
        assert seen.rows == int(_passing(seen.filters()).sum())
        shown = [
            seen.page.get_by_label(f"{name} {e}").first.input_value()
            for e in ("from (≥)", "to (≤)")
        ]
        assert shown == [low, high]


def test_chips_escape_and_reset_lead_back_to_all_rows(seen: Seen) -> None:
    query = "?f.m=400~500&f.g=0.2~0.4"
    seen.open(query)
    assert seen.rows == int(
        _passing({"m": {"low": 400, "high": 500}, "g": {"low": 0.2, "high": 0.4}}).sum()
    )
    seen.page.get_by_role("button", name="Remove filter mass").click()
    seen.settled()
    assert set(seen.filters()) == {"g"}
    seen.canvas(1).focus()
    seen.page.keyboard.press("Escape")
    seen.settled()
    assert seen.rows == ROWS
    seen.page.get_by_label("mass from (≥)").first.fill("500")
    seen.page.keyboard.press("Enter")
    seen.settled()
    seen.page.get_by_role("button", name="Invert filter mass").click()
    seen.settled()
    assert seen.rows == int((_columns()["m"] < 500).sum())
    seen.page.get_by_role("button", name="Reset all").click()
    seen.settled()
    assert seen.rows == ROWS
    assert seen.filters() == {}


def test_keys_alone_set_a_range(seen: Seen) -> None:
    seen.open()
    active = "() => document.activeElement?.shadowRoot?.activeElement?.tagName"
    for _ in range(60):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate(active) == "CANVAS":
            break
    assert seen.page.evaluate(active) == "CANVAS"
    assert seen.canvas(0).evaluate("c => getComputedStyle(c).outlineStyle") == "solid"
    for _ in range(3):
        seen.page.keyboard.press("ArrowLeft")
    seen.page.keyboard.press("Shift+ArrowRight")
    seen.until("l => !l.dragged")
    seen.settled()
    one = seen.filters()["m"]
    edges = seen.linked("l => l.panels[0].ruler.edges")
    assert (one["low"], one["high"]) == (edges[1], edges[-4])
    assert seen.rows == int(_passing(seen.filters()).sum())
    assert f"{seen.rows:,} of {ROWS:,}" in seen.canvas(0).get_attribute("aria-label")


def test_categories_are_chosen_by_name(seen: Seen) -> None:
    seen.open("?c=histogram:kind;histogram:m")
    seen.page.get_by_label("kind: wino").check()
    seen.settled()
    assert seen.rows == int((_columns()["kind"] == 1).sum())
    seen.page.get_by_label("kind: bino").check()
    seen.settled()
    assert seen.rows == int((_columns()["kind"] <= 1).sum())
    assert "bino or wino" in seen.page.locator(".linked ul.chips").inner_text()


def test_a_link_opens_the_same_view_in_another_session(seen: Seen, chromium: Any) -> None:
    seen.open("?c=histogram:m,25;map:sigma,20,log:g&f.sigma=0.01~50")
    seen.drag(0, (0.2, 0.6))
    seen.release()
    seen.page.wait_for_url(re.compile("f.m="))
    seen.page.get_by_label("logarithmic counts").check()
    seen.page.wait_for_url(re.compile("o=log"))
    other = Seen(chromium, seen.address)
    other.page.goto(seen.page.url)
    other.ready()
    assert other.filters() == seen.filters()
    assert other.rows == seen.rows
    assert other.page.get_by_label("logarithmic counts").is_checked()
    assert other.linked("l => l.options") == {"log": True, "fit": False}
    shape = (
        "l => JSON.stringify(l.panels.map(p => [p.spec.kind, p.ruler.scale, p.now.count.shape]))"
    )
    assert other.linked(shape) == seen.linked(shape)
    other.page.get_by_role("button", name="Reset all").click()
    other.settled()
    assert other.rows == ROWS
    assert seen.rows < ROWS
    assert other.errors == []
    other.context.close()


def test_options_of_the_charts_belong_to_the_view() -> None:
    from limen_app.state import Browse, ViewState

    state = ViewState(page="browse", browse=Browse(options=("log", "fit")))
    assert ViewState.from_query(state.to_query(), None, "browse") == (state, [])
    assert ViewState.from_json(state.to_json(), None) == (state, [])
    found, dropped = ViewState.from_query({"o": "fit,<b>"}, None, "browse")
    assert found.browse.options == ("fit",)
    assert len(dropped) == 1


def test_a_stale_link_opens_what_it_can(seen: Seen) -> None:
    seen.open("?f.gone=1~2&f.m=400~&zz=1&c=histogram:m;histogram:lost")
    told = seen.page.locator("[data-testid=stAlert]").all_inner_texts()
    assert any("gone" in text for text in told)
    assert any("lost" in text for text in told)
    assert seen.rows == int((_columns()["m"] >= 400).sum())


def test_no_common_row_is_said_and_can_be_undone(seen: Seen) -> None:
    seen.open()
    box = seen.page.get_by_label("coupling from (≥)").first
    box.fill("7")
    box.press("Enter")
    seen.settled()
    assert seen.rows == 0
    assert "no common rows" in seen.page.locator(".linked > .fault").inner_text()
    seen.page.get_by_text("No row passes all filters").wait_for()
    seen.page.get_by_role("button", name="Reset all").click()
    seen.settled()
    assert seen.rows == ROWS


def test_a_logarithmic_axis_says_what_it_hides(seen: Seen) -> None:
    seen.open("?c=histogram:sigma,30,log;histogram:m")
    note = seen.page.locator(".linked figure .note").all_inner_texts()
    assert any("40 rows zero or negative" in text for text in note)


def test_the_best_sampled_likelihood_is_that_of_numpy(seen: Seen) -> None:
    seen.open("?c=histogram:m,25~best*loglike;map:m,20:g,20~best*loglike")
    columns = _columns()
    edges = np.asarray(seen.linked("l => l.panels[0].drawnAxes[0].edges"))
    best = seen.linked("l => Array.from(l.panels[0].now.best.data)")[2:-2]
    place = np.clip(np.searchsorted(edges, columns["m"], side="right") - 1, 0, 24)
    for bin_ in (8, 11, 14):
        expected = columns["delta_chi2"][place == bin_].min()
        assert best[bin_] == pytest.approx(expected, rel=1e-5)
    figures = seen.page.locator(".linked figure")
    assert "best sampled −2Δ ln L" in figures.nth(0).inner_text()
    for text in ("68.27 % (1)", "95.45 % (4)", "best point of the whole scan"):
        assert text in figures.nth(0).inner_text()
    assert "68.27 % (2.3)" in figures.nth(1).inner_text()
    figures.nth(0).get_by_text("Show data").click()
    cells = figures.nth(0).locator("tbody tr").nth(11).locator("td").all_inner_texts()
    assert float(cells[2]) == pytest.approx(best[11], rel=1e-3)


def test_a_fraction_comes_with_its_interval_and_weights_are_summed(seen: Seen) -> None:
    seen.open("?c=histogram:m,25~excluded*outside;histogram:g,20~weighted*weight")
    columns = _columns()
    edges = np.asarray(seen.linked("l => l.panels[0].drawnAxes[0].edges"))
    place = np.clip(np.searchsorted(edges, columns["m"], side="right") - 1, 0, 24)
    hits = seen.linked("l => Array.from(l.panels[0].now.hits.data)")[2:-2]
    np.testing.assert_array_equal(hits, np.bincount(place, columns["outside"], minlength=25))
    sums = seen.linked("l => Array.from(l.panels[1].now.sum.data)")[2:-2]
    assert sum(sums) == pytest.approx(columns["weight"].sum(), rel=1e-5)
    text = seen.page.locator(".linked figure").first.inner_text()
    assert "outside the region" in text
    assert "Wilson" in text


def test_figures_of_another_column_follow_a_drag(seen: Seen) -> None:
    seen.open(
        "?c=histogram:m;histogram:g,10~mean*sigma;histogram:g,10~largest*loglike;"
        "histogram:g,10~labels*outside;histogram:sigma,20,symlog;map:g,10:kind~least*loglike"
    )
    seen.drag(0, (0.3, 0.5))
    columns, mask = _columns(), _passing(seen.filters())
    edges = np.asarray(seen.linked("l => l.panels[1].drawnAxes[0].edges"))
    place = np.clip(np.searchsorted(edges, columns["g"], side="right") - 1, 0, 9)

    def table(panel: int, name: str) -> np.ndarray:
        array = seen.linked(f"l => Array.from(l.panels[{panel}].now.{name}.data)")
        return np.asarray(array, dtype=float)[2:-2]

    for bin_ in range(10):
        rows = mask & (place == bin_)
        assert table(1, "valued")[bin_] == rows.sum()
        np.testing.assert_allclose(
            table(1, "sum")[bin_], columns["sigma"][rows].sum(), rtol=1e-5, atol=1e-5
        )
        best = columns["loglike"][rows].max()
        np.testing.assert_allclose(table(2, "largest")[bin_], best, rtol=1e-6)
        assert table(3, "hits")[bin_] == columns["outside"][rows].sum()
    seen.release()
    heads = seen.page.locator(".linked figure .statistic").all_inner_texts()
    words = [text.split(" ")[0] for text in heads]
    assert words == ["rows", "mean", "largest", "rows", "rows", "least"]
    assert "striped" in seen.page.locator(".linked figure").nth(3).inner_text()


def test_a_preview_is_called_so_and_the_count_after_it_is_exact(
    start: Callable[..., str], chromium: Any
) -> None:
    page = Seen(chromium, start("2000"))
    badges: list[str] = []
    page.page.goto(f"{page.address}/browse?f.m=400~480")
    page.page.wait_for_selector(".linked .rows:not(:empty)")
    for _ in range(200):
        badges.append(page.page.locator(".linked .badge").text_content() or "")
        if page.linked("l => l.known"):
            break
    page.ready()
    assert page.linked("l => l.sampledView") is False
    assert page.rows == int(_passing({"m": {"low": 400.0, "high": 480.0}}).sum())
    page.drag(1, (0.2, 0.6))
    page.until("l => l.activations.some(a => a.sampled) && l.activations.some(a => !a.sampled)")
    page.release()
    assert page.rows == int(_passing(page.filters()).sum())
    assert page.errors == []
    page.context.close()


def test_the_page_at_work_is_kept_as_a_picture(chromium: Any, server: str, tmp_path: Path) -> None:
    seen = Seen(chromium, server).open("?f.m=400~560")
    folder = Path(os.environ.get("LIMEN_SCREENSHOTS", tmp_path))
    for scheme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=scheme)
        time.sleep(0.5)
        seen.page.screenshot(path=folder / f"browse-{scheme}.png")
    seen.page.set_viewport_size({"width": 375, "height": 900})
    time.sleep(0.5)
    wide = seen.page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 375
    assert seen.page.title() != "taken"
    assert seen.errors == []
    seen.context.close()


def test_a_download_has_the_rows_that_are_shown(seen: Seen) -> None:
    seen.open("?f.m=400~420")
    seen.page.get_by_text("Download", exact=True).click()
    with seen.page.expect_download() as caught:
        seen.page.get_by_role("button", name=re.compile("^CSV")).click()
    text = Path(caught.value.path()).read_text(encoding="utf-8")
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == seen.rows
    np.testing.assert_array_equal(
        [float(row["m [GeV]"]) for row in table],
        _columns()["m"][_passing({"m": {"low": 400.0, "high": 420.0}})],
    )


@pytest.fixture(scope="module")
def browser(browsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    bundle = open_bundle(browsed)
    folder = tmp_path_factory.mktemp("codes")
    return Browser(Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256, folder=folder))


FILTERS = {"m": Range(400.0, 450.0), "kind": Choice((0.0, 2.0))}


def test_parquet_and_sub_bundle_hold_the_selection(
    browsed: Path, browser: Browser, tmp_path: Path
) -> None:
    import pyarrow.parquet

    import limen
    from limen_app.browse.exporting import as_bundle, as_parquet

    bundle = open_bundle(browsed)
    rows = browser.count(FILTERS)
    (tmp_path / "rows.parquet").write_bytes(as_parquet(bundle, browser, FILTERS))
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")
    assert table.num_rows == rows
    assert table.schema.field("m").metadata == {b"units": b"GeV"}
    with zipfile.ZipFile(io.BytesIO(as_bundle(bundle, FILTERS))) as archive:
        archive.extractall(tmp_path)
    made = open_bundle(tmp_path / "browsed-selection")
    assert made.n_points == rows
    assert made.manifest["parent"]["manifest_sha256"] == bundle.manifest_sha256
    said = made.table["sampling"][0]["selection"]
    assert said == "m >= 400.0 and m <= 450.0 and (kind == 0.0 or kind == 2.0)"
    assert limen.check(made).passed


def test_figures_name_the_doi_and_the_filters(browsed: Path, browser: Browser) -> None:
    from limen_app.browse.figures import figure
    from limen_app.printing import rendered

    bundle = open_bundle(browsed)
    charts = [
        Chart(Axis("m")),
        Chart(Axis("sigma", 30, "log")),
        Chart(Axis("m", 20), Axis("g", 20), "best", "loglike"),
        Chart(Axis("m", 20), statistic="excluded", column="outside"),
        Chart(Axis("sigma", 20, "symlog"), statistic="labels", column="outside"),
        Chart(Axis("m", 20), Axis("g", 20), statistic="mean", column="sigma"),
    ]
    made = figure(bundle, browser, charts, FILTERS, [f"doi:{DOI}", "Filters: m >= 400.0"])
    pdf, png = rendered(made, "pdf"), rendered(made, "png")
    assert pdf.startswith(b"%PDF")
    assert png.startswith(b"\x89PNG")
    svg = rendered(made, "svg").decode()
    for text in (f"doi:{DOI}", "m &gt;= 400.0", ">m [GeV]<", ">g<", "68.27 %", "mean of"):
        assert text in svg
    if shutil.which("pdftotext"):
        line = ["pdftotext", "-", "-"]
        text = subprocess.run(line, input=pdf, capture_output=True, check=True).stdout.decode()
        assert DOI in text


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    from limen_app.browse.exporting import guarded

    assert [guarded(text)[0] for text in ("=1", "+1", "-1", "@x", "\t=1")] == ["'"] * 5
    assert guarded("m [GeV]") == "m [GeV]"


def test_the_code_shown_selects_the_same_rows(
    browsed: Path, browser: Browser, tmp_path: Path, limen: Callable[..., Any]
) -> None:
    import shlex

    from limen_app.browse.reproducing import command_line, python

    bundle = open_bundle(browsed)
    line = command_line(bundle, FILTERS)
    assert line is not None
    words = shlex.split(line.splitlines()[-1])
    words[words.index("bundle")] = str(browsed)
    words[-1] = str(tmp_path / "selection")
    assert limen(*words[1:]).exit_code == 0
    assert open_bundle(tmp_path / "selection").n_points == browser.count(FILTERS)
    code = python(bundle, FILTERS).replace(f'limen_zenodo.open_remote("{DOI}")', "given")
    printed: list[tuple[Any, ...]] = []
    names = {"given": bundle, "print": lambda *words: printed.append(words)}
    exec(code, names)
    assert printed == [(browser.count(FILTERS), "of", ROWS)]


@pytest.fixture(scope="module")
def client(browsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from limen_app.component import table_routes
    from limen_app.library import Library

    patch = pytest.MonkeyPatch()
    patch.setenv("LIMEN_CACHE", str(tmp_path_factory.mktemp("client")))
    library = Library.open([str(browsed)])
    with TestClient(Starlette(routes=table_routes(lambda: library))) as made:
        yield made
    patch.undo()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (KEY, b"[", 422),
        (KEY, b"\xff", 422),
        (KEY, b'{"charts": [{"kind": "histogram", "axes": [{"column": "no"}]}]}', 422),
        (KEY, b'{"charts": [{"kind": "histogram", "axes": [{"column": "m", "n": 9999}]}]}', 422),
        (KEY, b'{"filters": {"m": {"low": "1"}}}', 422),
        (KEY, b'{"active": [{"column": "m"}, {"column": "g"}, {"column": "sigma"}]}', 422),
        (KEY, b'{"more": 1}', 422),
        (KEY, b'{"charts": "' + b"x" * 300_000 + b'"}', 413),
        ("nothing@1.0.0", b"{}", 404),
    ],
    ids=["no json", "no text", "no column", "bins", "filter", "axes", "name", "long", "bundle"],
)
def test_requests_that_are_none_are_refused(
    client: Any, path: str, body: bytes, status: int
) -> None:
    answer = client.post(f"/tables/{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def _app(browsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("LIMEN_APP_PLACES", json.dumps([str(browsed)]))
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path))

    def page() -> None:
        from limen_app.offering import offered
        from limen_app.views.browse import show

        show(offered())

    return AppTest.from_function(page, default_timeout=30)


def test_a_filter_on_any_column_is_set_without_a_mouse(
    browsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app(browsed, tmp_path, monkeypatch).run()
    assert not app.exception
    assert f"{ROWS:,} of {ROWS:,} rows selected (100.0 %)" in app.markdown[0].value
    box = next(box for box in app.selectbox if box.label == "Column")
    box.set_value("weight").run()
    next(box for box in app.text_input if box.label.startswith("From")).set_value("1.25")
    next(b for b in app.button if b.label == "Set filter").click().run()
    expected = int((_columns()["weight"] >= 1.25).sum())
    assert f"{expected:,} of {ROWS:,}" in app.markdown[0].value
    assert np.ravel(app.query_params["f.weight"])[-1] == "1.25~"
    next(box for box in app.text_input if box.label.startswith("To")).set_value("one")
    next(b for b in app.button if b.label == "Set filter").click().run()
    assert "allowed a number" in app.error[0].value
    next(b for b in app.button if b.label == "Remove all filters").click().run()
    assert f"{ROWS:,} of {ROWS:,}" in app.markdown[0].value


def test_charts_are_added_changed_and_removed(
    browsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app(browsed, tmp_path, monkeypatch).run()

    def press(label: str) -> None:
        next(b for b in app.button if b.label == label).click().run()
        assert not app.exception

    def choose(label: str, value: Any) -> None:
        next(box for box in app.selectbox if box.label == label).set_value(value).run()

    before = app.session_state[f"browse {KEY}"].charts
    choose("Column along x", "sigma")
    choose("Scale of x", 2)
    choose("Statistic", "best")
    press("Add chart")
    made = app.session_state[f"browse {KEY}"].charts
    assert len(made) == len(before) + 1
    assert made[-1].axes == (Axis("sigma", scale="log"),)
    assert (made[-1].statistic, made[-1].column) == ("best", "loglike")
    choose("Chart", len(before))
    press("Remove chart")
    assert app.session_state[f"browse {KEY}"].charts == before


def test_lines_and_code_are_shown_when_asked_for(
    browsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app(browsed, tmp_path, monkeypatch)
    app.session_state["part of the selection"] = "Parallel coordinates"
    app.run()
    assert not app.exception
    assert any("spread over the scan" in caption.value for caption in app.caption)
    app.session_state["part of the selection"] = "Code"
    app.run()
    assert "Browser(Index(" in app.code[-1].value
