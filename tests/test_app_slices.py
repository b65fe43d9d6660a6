"""Slices on the pages Predict and Contours: sliders and boxes, files to take home, links."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limen.bundle import open_bundle

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
