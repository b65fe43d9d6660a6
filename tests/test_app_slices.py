"""Slices on the pages Predict and Contours: sliders and boxes, files to take home, links."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest

from limen.browsing import Axis, Browser, Index, Range
from limen.bundle import open_bundle
from limen_app import charts, likelihoods, published, slicing
from limen_app.keeping import Slice, figure, numbers
from limen_app.library import Library
from limen_app.state import Panel, ViewState
from limen_app.visiting import Visit

pytest.importorskip("streamlit", reason="the app is not installed")

KEY, DOI = "wide@1.0.0", "10.5281/zenodo.7000002"
POINT = {"m": 600.0, "g": 0.5, "h": 0.1}

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle of three parameters, one of them logarithmic, with a model."""
    from conftest import DOCUMENT, N, _columns

    from limen.packing import make_bundle
    from limen.training import train

    document = copy.deepcopy(DOCUMENT) | {"id": "wide", "doi": DOI}
    more = {"name": "h", "role": "parameter", "unit": "pb", "label": "height", "scale": "log"}
    document["tables"][0]["columns"].insert(2, more)
    document["benchmarks"][0]["point"]["h"] = 1.0
    path = tmp_path_factory.mktemp("wide") / "wide"
    columns = _columns() | {"h": 10 ** np.random.default_rng(3).uniform(-2.0, 2.0, N)}
    make_bundle(document, columns, path)
    train(open_bundle(path), "outside", name="region", options={"n_estimators": 10})
    train(open_bundle(path), "loglike", name="values", options={"n_estimators": 10})
    return path


def at(point: dict[str, float], **query: str) -> dict[str, str]:
    """Give the query of a link to a point."""
    return {"b": KEY, **{f"p__{name}": repr(value) for name, value in point.items()}, **query}


def said(app: Any) -> str:
    """Give what a page says in text."""
    kinds = ("markdown", "caption", "error", "warning")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def slider(app: Any, key: str) -> Any:
    """Give the slider of a box."""
    return app.slider(key=f"slider of {key}")


def test_slider_and_box_of_a_held_parameter_go_in_step(opened: Open, wide: Path) -> None:
    app = opened("slices", wide, b=KEY, x="g,h", p__m="612.3456789")
    held = f"held {KEY} m"
    assert slider(app, held).value == float(app.text_input(key=held).value) == 612.3456789
    app.text_input(key=held).set_value("0.75 TeV").run()
    assert slider(app, held).value == 750.0
    assert app.query_params["p.m"] == "750"
    slider(app, held).set_value(401.7).run()
    assert (app.text_input(key=held).value, app.query_params["p.m"]) == ("402", "402")
    next(button for button in app.button if button.label == "centre").click().run()
    assert (app.text_input(key=held).value, slider(app, held).value) == ("550", 550.0)
    assert not app.exception


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("abc", "m: found 'abc', allowed a number; trained on 103.36"),
        ("9 TeV", "m: found 9000 GeV, allowed 103.36"),
    ],
)
def test_a_held_value_that_cannot_be_drawn_leaves_the_picture(
    opened: Open, wide: Path, typed: str, told: str
) -> None:
    app = opened("slices", wide, b=KEY, x="g,h", p__m="600")
    held = f"held {KEY} m"
    app.text_input(key=held).set_value(typed).run()
    assert not app.exception
    assert [error.value for error in app.error if told in error.value] == [app.error[0].value]
    assert len(app.error) == 1
    assert slider(app, held).value == 600.0
    assert app.query_params["p.m"] == "600"
    slider(app, held).set_value(500.0).run()
    assert not app.error
    assert (app.text_input(key=held).value, app.query_params["p.m"]) == ("500", "500")


def test_slider_and_box_of_the_form_go_in_step(opened: Open, wide: Path) -> None:
    app = opened("predict", wide, **at(POINT | {"m": 612.3456789}))
    key = f"value {KEY} m"
    assert slider(app, key).value == 612.3456789
    slider(app, key).set_value(700.4).run()
    assert (app.text_input(key=key).value, app.query_params["p.m"]) == ("700", "700")
    app.text_input(key=key).set_value("9.1 TeV").run()
    assert slider(app, key).value == slider(app, key).max
    assert (app.text_input(key=key).value, app.query_params["p.m"]) == ("9.1 TeV", "9100")
    assert "outside the trained range" in said(app)
    app.text_input(key=key).set_value("abc").run()
    assert slider(app, key).value == slider(app, key).max
    assert slider(app, key).label == "m [GeV]"
    assert not app.exception


def test_a_logarithmic_parameter_has_steps_of_its_logarithm(opened: Open, wide: Path) -> None:
    app = opened("predict", wide, **at(POINT | {"h": 0.1234567}))
    key = f"value {KEY} h"
    marks = app.select_slider(key=f"slider of {key}")
    assert app.text_input(key=key).value == "0.1234567"
    assert marks.value == pytest.approx(0.1234567, rel=0.03)
    assert len(marks.options) > 150
    low = open_bundle(wide).predictor("region").domain.low[2]
    marks.set_value(low).run()
    assert float(app.text_input(key=key).value) == float(app.query_params["p.h"]) == low


def end_of(app: Any, name: str, end: str) -> Any:
    """Give the box of an end of an axis."""
    return app.text_input(key=f"range {KEY} {name} {end}")


def test_a_part_of_an_axis_is_drawn_in_full_and_shared(opened: Open, wide: Path) -> None:
    app = opened("slices", wide, **at(POINT, x="m,g", r__m="400~700"))
    assert [end_of(app, "m", end).value for end in ("from", "to")] == ["400", "700"]
    assert "White cross: the point held." in said(app)
    end_of(app, "m", "from").set_value("0.65 TeV").run()
    assert app.query_params["r.m"] == "650~700"
    assert "no cross" in said(app)
    end_of(app, "g", "to").set_value("7").run()
    assert "g is drawn within its trained range" in said(app)
    app.selectbox(key=f"axis x {KEY}").set_value("h").run()
    assert "r.m" not in app.query_params
    app.selectbox(key=f"axis x {KEY}").set_value("m").run()
    assert app.query_params["r.m"] == "650~700"
    for end in ("from", "to"):
        end_of(app, "m", end).set_value("").run()
    assert "r.m" not in app.query_params
    assert not app.exception


@pytest.mark.parametrize("typed", ["abc", "800", "9 TeV", "nan", "699.9999999"])
def test_ends_that_cannot_be_drawn_leave_the_picture(opened: Open, wide: Path, typed: str) -> None:
    app = opened("slices", wide, **at(POINT, x="m,g", r__m="400~700"))
    end_of(app, "m", "from").set_value(typed).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "x axis, m:" in app.error[0].value
    assert "the picture is as it was" in app.error[0].value
    assert app.query_params["r.m"] == "400~700"


def test_a_part_of_a_slice_is_what_the_model_says_there(wide: Path) -> None:
    predictor = open_bundle(wide).predictor("region")
    ranges = {"m": (400.0, 700.0), "h": (0.1, 1.0)}
    drawn = slicing.plane(predictor, POINT, ("m", "h"), 7, ranges=ranges)
    np.testing.assert_allclose(drawn.x, np.linspace(400, 700, 7))
    np.testing.assert_allclose(drawn.y, np.geomspace(0.1, 1, 7))
    one = predictor.one({"m": drawn.x[2], "g": POINT["g"], "h": drawn.y[5]})
    assert drawn.value[5, 2] == pytest.approx(one.probability, abs=1e-6)
    scan = published.read_published(open_bundle(wide), predictor)
    near = published.slab(scan, predictor, POINT, ("m", "h"), most=20, ranges=ranges)
    assert len(near.rows) == 20
    for name, (low, high) in ranges.items():
        assert (near.along[name] > low - 0.01).all()
        assert (near.along[name] < high + 0.01).all()


def test_a_slice_of_a_likelihood_is_relative_to_its_best(opened: Open, wide: Path) -> None:
    predictor = open_bundle(wide).predictor("values")
    drawn = slicing.plane(predictor, POINT, ("m", "g"), 20)
    below = likelihoods.below_best(predictor, drawn)
    assert below is not None
    np.testing.assert_allclose(below, 2 * (np.nanmax(drawn.value) - drawn.value))
    spec = charts.plane_chart([charts.Layer(predictor, drawn, "values")], POINT).to_json()
    for part in ("68.27 % (2.30)", "95.45 % (6.18)", "ln L to the best of this slice"):
        assert json.dumps(part)[1:-1] in spec
    app = opened("slices", wide, **at(POINT, m="values", x="m,g"))
    assert not app.exception
    assert "not a profile" in said(app)
    assert "2.30 (68.27 %)" in said(app)
    assert "Best of this slice: m = " in " ".join(str(one.value) for one in app.get("html"))


def test_a_slice_of_a_deciding_model_is_no_likelihood(wide: Path) -> None:
    predictor = open_bundle(wide).predictor("region")
    assert likelihoods.below_best(predictor, slicing.plane(predictor, POINT, ("m", "g"), 5)) is None


def test_the_line_fills_the_picture_and_points_beyond_are_counted(wide: Path) -> None:
    predictor = open_bundle(wide).predictor("values")
    drawn = slicing.line(predictor, POINT, "m", 21)
    low, high = np.nanmin(drawn.value), np.nanmax(drawn.value)
    room = 0.1 * (high - low)
    assert drawn.reach() == pytest.approx((low - room, high + room))
    assert drawn.beyond(np.array([low, high, low - 2 * room, high + 2 * room, np.nan])) == 2
    layers = charts.line_chart(predictor, drawn, 600.0).to_dict()["layer"]
    domains = [one["encoding"]["y"].get("scale", {}).get("domain") for one in layers[2:3]]
    assert domains == [list(drawn.reach())]
    assert [layers[-1]["mark"][part] for part in ("type", "color")] == ["rule", "#000000"]
    assert layers[-1]["mark"]["strokeDash"] != [1, 0]


def link_to(app: Any, label: str) -> ViewState:
    """Give the state that a link of a page opens."""
    query = next(one.proto.query_string for one in app.get("page_link") if one.proto.label == label)
    return ViewState.from_query(dict(parse_qsl(query)), None, "browse")[0]


def test_the_nearest_points_are_those_that_browse_shows(opened: Open, wide: Path) -> None:
    app = opened("predict", wide, **at(POINT))
    state = link_to(app, "Look at these points in Browse")
    assert state.point == POINT
    near = app.dataframe[0].value
    for name, one in state.browse.filters.items():
        column = next(head for head in near if head.split(" ")[0] == name)
        assert one == Range(near[column].min(), near[column].max())
    bundle = open_bundle(wide)
    browser = Browser(Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256))
    assert set(near["row"]) <= set(browser.rows(state.browse.filters, 100).tolist())


@pytest.mark.parametrize("y", ["nothing else", "h"])
def test_a_slice_leads_to_the_best_sampled_likelihood(opened: Open, wide: Path, y: str) -> None:
    app = opened("predict", wide, **at(POINT))
    app.segmented_control[0].set_value("Slices").run()
    app.selectbox(key=f"slice x {KEY}").set_value("g").run()
    app.selectbox(key=f"slice y {KEY}").set_value(y).run()
    mark = "Black dashed line: the point." if y == "nothing else" else "White cross: the point"
    assert mark in said(app)
    (panel,) = link_to(app, "Best sampled −2Δ ln L along these axes").browse.charts
    wanted = (Axis("g"),) if y == "nothing else" else (Axis("g"), Axis("h"))
    assert (panel.axes, panel.statistic, panel.column) == (wanted, "best", "loglike")


def test_contours_lead_to_the_best_sampled_likelihood(opened: Open, wide: Path) -> None:
    app = opened("slices", wide, **at(POINT, x="m,h"))
    state = link_to(app, "Best sampled −2Δ ln L along these axes")
    assert state.browse.charts == (Panel("map", (Axis("m"), Axis("h")), "best", "loglike"),)
    assert not app.exception


def kept_slice(wide: Path, axes: tuple[str, ...]) -> tuple[Any, Slice]:
    """Give what a page draws of a slice."""
    library = Library.open([str(wide)])
    here = Visit(library, KEY, library.get(KEY), ViewState(), fresh=False)
    predictor = library.predictor(KEY, "region")
    drawn: Any
    if len(axes) == 1:
        drawn = slicing.line(predictor, POINT, axes[0], 21)
    else:
        drawn = slicing.plane(predictor, POINT, (axes[0], axes[1]), 20)
    near = published.slab(published.read_published(here.bundle, predictor), predictor, POINT, axes)
    return here, Slice(((predictor, drawn, "region"),), POINT, near, "A slice, not a profile.")


@pytest.mark.parametrize(("axes", "held"), [(("h",), "m = 600 GeV, g = 0.5"), (("h", "m"), "g")])
def test_a_figure_says_what_it_is_a_slice_of(wide: Path, axes: tuple[str, ...], held: str) -> None:
    here, kept = kept_slice(wide, axes)
    digest = open_bundle(wide).manifest_sha256[:12]
    said = [
        KEY,
        f"doi:{DOI}",
        f"manifest {digest}",
        "Model: region of outside",
        f"Held: {held}",
        "not a profile",
    ]
    drawn = figure(here, kept, "svg").decode()
    assert [part for part in said if part not in drawn] == []


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_a_figure_for_print_is_one_page_with_its_doi(wide: Path) -> None:
    pdf = figure(*kept_slice(wide, ("h", "m")), "pdf")
    told = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True)
    assert [part for part in (DOI, KEY) if part not in told.stdout.decode()] == []
    assert told.stdout.count(b"\f") == 1


@pytest.mark.parametrize("axes", [("h",), ("h", "m")])
def test_the_numbers_of_a_slice_are_what_the_model_says(wide: Path, axes: tuple[str, ...]) -> None:
    here, kept = kept_slice(wide, axes)
    rows = list(csv.DictReader(io.StringIO(numbers(here.bundle, kept).decode())))
    drawn = [row for row in rows if row["what"] == "slice"]
    heads = {"m": "m [GeV]", "g": "g", "h": "h [pb]"}
    points = {name: [float(row[head]) for row in drawn] for name, head in heads.items()}
    answer = open_bundle(wide).predictor("region").verdicts(points)
    assert [row["verdict"] for row in drawn] == [answer[i].verdict for i in range(len(drawn))]
    told = [float(row["value"] or "nan") for row in drawn]
    np.testing.assert_allclose(told, answer.probability, atol=1e-6)
    near = [row for row in rows if row["what"] == "published"]
    assert kept.slab is not None
    assert [int(row["row"]) for row in near] == kept.slab.rows.tolist()
    with open_bundle(wide).open_scan() as scan:
        table = scan.read(["m", "outside"])
    for row in near[:20]:
        assert float(row["m [GeV]"]) == table["m"][int(row["row"])]
        assert float(row["value"]) == table["outside"][int(row["row"])]
