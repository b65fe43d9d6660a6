"""The pages, without a browser: what they show, and what they say when something is wrong."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from limen.bundle import open_bundle
from limen_app.state import PAGES, ViewState

KEY = "toy@1.0.0"
HOSTILE = "<script>alert(1)</script> ![x](http://example.org/x.png) :red[r] $x$ **b**"
SPECTRUM = """BLOCK MASS
   1000022  5.500000000E+02  # chi_10
BLOCK MSOFT Q= 1.000000000E+03
   1  5.000000000E-01  # M1
"""

Open = Callable[..., AppTest]


def text_of(app: AppTest) -> str:
    """Give all that a page says."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def headline(app: AppTest) -> str:
    """Give the verdict that a page shows."""
    return next(m.value for m in app.markdown if m.value.startswith("## :material"))


def box(app: AppTest, name: str) -> Any:
    """Give the box of a parameter."""
    return app.text_input(key=f"value {KEY} {name}")


@pytest.fixture(scope="module")
def slha_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle whose parameters say where a spectrum has them, with a model."""
    from conftest import DOCUMENT, _columns

    from limen.packing import make_bundle
    from limen.training import train

    document = copy.deepcopy(DOCUMENT) | {"id": "spectra", "benchmarks": []}
    document["assumptions"] = [
        {"text": "neutralino 1 is stable", "kind": "stable", "particle": 1000022}
    ]
    columns = document["tables"][0]["columns"]
    columns[0]["source"] = [{"format": "slha", "block": "MASS", "key": [1000022]}]
    columns[1]["source"] = [{"format": "slha", "block": "MSOFT", "key": [1]}]
    columns[1]["unit"] = "GeV"
    path = tmp_path_factory.mktemp("spectra") / "spectra"
    make_bundle(document, _columns(), path)
    train(open_bundle(path), "outside", name="region", options={"n_estimators": 10})
    return path


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_any_bundle(opened: Open, tmp_path: Path, page: str) -> None:
    app = opened(page, tmp_path / "nothing")
    assert not app.exception
    assert "no such folder" in text_of(app) or page in ("about", "campaigns")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "browse"])
def test_a_page_opens_with_a_bundle(opened: Open, trained: Path, page: str) -> None:
    app = opened(page, trained)
    assert not app.exception
    assert not app.error
    assert len(app.title) == 1


def test_a_point_is_judged_as_in_python(opened: Open, trained: Path) -> None:
    app = opened("predict", trained)
    assert "INSIDE THE REGION" in headline(app)
    box(app, "m").set_value("980")
    box(app, "g").set_value("0.9").run()
    verdict = open_bundle(trained).predictor("region").one({"m": 980.0, "g": 0.9})
    assert verdict.verdict == "outside_region"
    assert "OUTSIDE THE REGION" in headline(app)
    assert app.query_params["p.m"] == "980"


def test_units_are_taken_in_boxes(opened: Open, trained: Path) -> None:
    app = opened("predict", trained)
    box(app, "m").set_value("0.55 TeV").run()
    assert app.query_params["p.m"] == "550"
    assert "INSIDE THE REGION" in headline(app)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("abc", "m: found 'abc', allowed a number; trained on"),
        ("", "m: is empty, allowed a number; trained on"),
        ("nan", "m: found 'nan', allowed a finite number"),
        ("5 fb", "m:"),
        ("<b>", "allowed a number"),
    ],
)
def test_what_is_no_number_is_said_at_its_box(
    opened: Open, trained: Path, typed: str, said: str
) -> None:
    app = opened("predict", trained)
    box(app, "m").set_value(typed).run()
    assert not app.exception
    assert "NOT EVALUATED" in headline(app)
    assert said in text_of(app)
    assert "<b>" not in text_of(app)


def test_a_value_out_of_range_is_named_with_the_range(opened: Open, trained: Path) -> None:
    app = opened("predict", trained)
    box(app, "m").set_value("9100").run()
    assert "OUTSIDE DOMAIN" in headline(app)
    assert "m = 9100 GeV" in text_of(app)
    assert "probability" not in text_of(app).lower().replace("calibrated probability", "")


def test_a_link_opens_the_same_point(opened: Open, trained: Path) -> None:
    point = {"m": 612.3456789012345, "g": 0.1 + 0.2}
    state = ViewState(page="predict", bundle=KEY, model="region", point=point)
    query = {name.replace(".", "__"): value for name, value in state.to_query().items()}
    app = opened("predict", trained, **query)
    assert float(box(app, "m").value) == point["m"]
    assert float(box(app, "g").value) == point["g"]
    assert not app.warning


def test_a_stale_link_says_what_it_left_out(opened: Open, trained: Path) -> None:
    app = opened(
        "predict", trained, b="toy@0.0.1", m="gone", d="0" * 16, p__m="600", p__old="1", odd="1"
    )
    said = text_of(app)
    for part in ("toy@0.0.1", "'gone'", "'old'", "'odd'", "has changed"):
        assert part in said
    assert box(app, "m").value == "600"
    box(app, "g").set_value("0.4").run()
    assert "'gone'" in text_of(app)


@pytest.mark.parametrize("page", ["predict", "slices", "bundle"])
@pytest.mark.parametrize(
    "query",
    [
        {"b": "../../etc/passwd"},
        {"b": "<script>alert(1)</script>"},
        {"b": "x" * 5000},
        {"b": KEY, "m": "../../region", "x": "m,m", "p__m": "1e999"},
    ],
    ids=["path", "script", "long", "values"],
)
def test_hostile_links_open_the_page_and_say_so(
    opened: Open, trained: Path, page: str, query: dict[str, str]
) -> None:
    app = opened(page, trained, **query)
    assert not app.exception
    assert app.warning
    assert "<script>" not in text_of(app)


def test_examples_fill_the_form(opened: Open, trained: Path) -> None:
    app = opened("predict", trained, p__m="120", p__g="0.9", b=KEY)
    next(button for button in app.button if button.label == "centre").click().run()
    assert (box(app, "m").value, box(app, "g").value) == ("550", "0.5")
    next(button for button in app.button if "Random" in button.label).click().run()
    assert not app.exception
    row = {"m": float(box(app, "m").value), "g": float(box(app, "g").value)}
    with open_bundle(trained).open_scan() as scan:
        table = scan.read(["m", "g"])
    assert ((table["m"] == row["m"]) & (table["g"] == row["g"])).sum() == 1


def test_nearest_points_are_those_of_brute_force(opened: Open, trained: Path) -> None:
    app = opened("predict", trained, b=KEY, p__m="700", p__g="0.25")
    shown = app.dataframe[0].value
    predictor = open_bundle(trained).predictor("region")
    with open_bundle(trained).open_scan() as scan:
        table = scan.read(["m", "g", "outside"])
    scale = predictor.domain.scale
    far = ((table["m"] - 700) / scale[0]) ** 2 + ((table["g"] - 0.25) / scale[1]) ** 2
    rows = np.argsort(far)[:10]
    assert shown["row"].tolist() == rows.tolist()
    words = np.where(table["outside"][rows] == 1, "outside the region", "inside the region")
    assert shown["published outside"].tolist() == words.tolist()


@pytest.mark.parametrize(
    "section", ["Slices", "What flips it", "How sure", "Same elsewhere", "Sources"]
)
def test_what_goes_with_a_verdict_is_shown(opened: Open, trained: Path, section: str) -> None:
    app = opened("predict", trained)
    app.segmented_control[0].set_value(section).run()
    assert not app.exception
    assert not app.error
    assert "profile" not in text_of(app).lower().replace("not a profile", "")


def test_code_says_in_which_folder_it_runs(opened: Open, trained: Path) -> None:
    told = f"Run these in the folder that holds the bundle's folder {trained.name}."
    assert told in text_of(opened("code", trained))
    app = opened("predict", trained)
    app.segmented_control[0].set_value("Same elsewhere").run()
    assert told in text_of(app)


def test_contours_move_with_their_axes(opened: Open, trained: Path) -> None:
    app = opened("slices", trained, b=KEY, x="g,m", p__m="300")
    assert app.selectbox(key=f"axis x {KEY}").value == "g"
    assert not app.exception
    said = " ".join(str(h.value) for h in app.get("html"))
    assert "inside the region" in said
    app.selectbox(key=f"axis x {KEY}").set_value("m").run()
    assert app.selectbox(key=f"axis y {KEY}").value == "g"
    assert app.query_params["x"] == "m,g"


def test_a_hostile_title_is_shown_as_it_is(opened: Open, model_path: Path) -> None:
    with open_bundle(model_path).edit() as change:
        change.manifest["title"] = HOSTILE
        change.manifest["description"] = HOSTILE
        change.manifest["creators"] = [{"name": HOSTILE}]
    for page in ("home", "bundles", "bundle", "predict", "code", "slices"):
        app = opened(page, model_path)
        assert not app.exception
        said = text_of(app)
        assert "<script>" not in said
        assert "![x](" not in said
        assert ":red[" not in said


def test_a_deleted_model_is_one_message_and_others_answer(
    opened: Open, model_path: Path, tmp_path: Path
) -> None:
    open_bundle(model_path).next_version(tmp_path / "other", "2.0.0")
    app = opened("predict", model_path, tmp_path / "other")
    (model_path / "region.onnx").unlink()
    box(app, "m").set_value("600")
    app.run()
    assert not app.exception
    assert len(app.error) == 1
    assert "not fetched" in app.error[0].value
    app.selectbox(key="bundle choice").set_value("toy@2.0.0").run()
    assert not app.error
    assert headline(app)


def test_a_bundle_deleted_while_open_is_one_message(
    opened: Open, model_path: Path, trained: Path
) -> None:
    app = opened("predict", model_path)
    shutil.rmtree(model_path)
    app.run()
    assert not app.exception
    assert [str(e.value) for e in app.error] == [e.value for e in app.error]
    assert "deleted or moved" in app.error[0].value


def test_a_spectrum_fills_the_form_and_shows_from_where(opened: Open, slha_path: Path) -> None:
    app = opened("predict", slha_path)
    app.file_uploader[0].upload("one.slha", SPECTRUM.encode(), "text/plain").run()
    assert not app.exception
    assert not app.error
    assert app.text_input(key="value spectra@1.0.0 m").value == "550"
    assert app.text_input(key="value spectra@1.0.0 g").value == "0.5"
    mapping = app.dataframe[0].value
    assert mapping["read from"].tolist() == [
        "MASS 1000022 (line 2)",
        "MSOFT 1 (Q=1000 GeV, line 4)",
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\x00\xff" * 3000, "binary data"),
        (b"<html><body>hi</body></html>", "allowed an SLHA file"),
        (SPECTRUM.replace("1000022", "1000023").encode(), "m:"),
        (SPECTRUM.replace("5.500000000E+02", "abc").encode(), "line 2"),
        (b"BLOCK MASS\n" + b" 1000022 5.5E+02 # x\n" * 300_000, "allowed 5 MB"),
    ],
    ids=["empty", "binary", "html", "missing", "no number", "6 MB"],
)
def test_a_broken_spectrum_changes_nothing(
    opened: Open, slha_path: Path, data: bytes, said: str
) -> None:
    app = opened("predict", slha_path)
    before = app.text_input(key="value spectra@1.0.0 m").value
    app.file_uploader[0].upload("one.slha", data, "text/plain").run()
    assert not app.exception
    assert len(app.error) == 1
    assert said in app.error[0].value
    assert app.text_input(key="value spectra@1.0.0 m").value == before


def test_spectra_of_an_archive_are_answered_by_their_names(opened: Open, slha_path: Path) -> None:
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("scan/one.slha", SPECTRUM)
        archive.writestr("scan/=two.slha", SPECTRUM.replace("5.500000000E+02", "abc"))
    app = opened("batch", slha_path)
    app.file_uploader[0].upload("spectra.zip", stream.getvalue(), "application/zip").run()
    assert not app.exception
    refused, verdicts = app.dataframe[0].value, app.dataframe[1].value
    assert refused["row, from 0"].tolist() == [1]
    assert "line 2" in refused["why"][0]
    assert verdicts["file"].tolist() == ["1_one.slha", "2_two.slha"]
    assert verdicts["verdict"].tolist() == ["outside_domain", "invalid_input"]
    assert "stable" in verdicts["reasons"][0]


def test_a_batch_answers_what_it_can(opened: Open, trained: Path) -> None:
    app = opened("batch", trained)
    data = b"id,m,g\n" + b"".join(b"%d,%d,0.5\n" % (i, 100 + i) for i in range(50))
    data += b"50,abc,0.5\n51,9999,0.5\n"
    app.file_uploader[0].upload("points.csv", data, "text/csv").run()
    assert not app.exception
    assert "52 points" in text_of(app)
    refused = app.dataframe[0].value
    assert refused["row, from 0"].tolist() == [50]


def test_a_batch_that_cannot_be_read_is_one_message(opened: Open, trained: Path) -> None:
    app = opened("batch", trained)
    app.file_uploader[0].upload("points.csv", b"m,gg\n1,2\n", "text/csv").run()
    assert not app.exception
    assert len(app.error) == 1
    assert "missing g" in app.error[0].value


def test_a_bundle_without_models_says_what_to_do(opened: Open, packed: Path) -> None:
    for page in ("predict", "slices", "batch", "code"):
        app = opened(page, packed)
        assert not app.exception
        assert "limen train" in text_of(app)


def test_the_table_of_bundles_is_searched(opened: Open, trained: Path) -> None:
    app = opened("bundles", trained)
    app.text_input[0].set_value("xsec coupling").run()
    assert "1 of 1 bundles" in text_of(app)
    app.text_input[0].set_value("unheard of").run()
    assert "0 of 1 bundles" in text_of(app)


def test_another_bundle_is_opened_from_the_page_where_that_is_allowed(
    opened: Open, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "one"
    shutil.copytree(trained, place)
    assert not [b for b in opened("bundles", tmp_path).button if b.label == "Open"]
    app = opened("bundles", place)
    monkeypatch.setenv("LIMEN_APP_OPEN", "1")

    def open_place(text: str) -> None:
        field = next(field for field in app.text_input if field.label.startswith("DOI"))
        field.set_value(text)
        next(b for b in app.button if b.label == "Open").click().run()
        assert not app.exception

    app.run()
    other = tmp_path / "two"
    shutil.copytree(trained, other)
    with open_bundle(other).edit() as change:
        change.manifest["version"] = "2.0.0"
    open_place(str(tmp_path / "nowhere"))
    assert "no such folder" in app.error[0].value
    open_place("  ")
    assert "empty box" in app.error[0].value
    open_place(str(other))
    assert not app.error
    assert "2 of 2 bundles" in text_of(app)
    assert "toy@2.0.0" in app.warning[0].value


def test_two_visitors_do_not_share_their_points(opened: Open, trained: Path) -> None:
    first = opened("predict", trained)
    second = opened("predict", trained)
    box(first, "m").set_value("300").run()
    second.run()
    assert box(second, "m").value == "550"
    assert second.query_params["p.m"] == "550"


def test_a_campaign_without_values_is_shown(opened: Open, tmp_path: Path) -> None:
    from limen.active import Campaign

    Campaign.start(
        tmp_path / "campaign",
        space={"m": (0.0, 1.0), "g": (0.1, 1.0)},
        outputs={"y": {"threshold": 0.0}},
        strategy="sobol",
        seed=0,
    ).ask(5)
    app = opened("campaigns", tmp_path / "campaign")
    assert not app.exception
    assert not app.error
    assert "5 points pending" in text_of(app)
    assert app.dataframe[0].value["id"].nunique() == 5


def test_a_broken_campaign_is_one_message(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "campaign").mkdir()
    (tmp_path / "campaign" / "campaign.json").write_text("{", encoding="utf-8")
    app = opened("campaigns", tmp_path / "campaign")
    assert not app.exception
    assert len(app.error) == 1
