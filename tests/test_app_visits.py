"""Links and files that a visitor brings: what is taken of them, and what is said of the rest."""

from __future__ import annotations

import io
import logging
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from limen.bundle import open_bundle
from limen.errors import ColumnError, ReadError
from limen_app.batch import answer
from limen_app.serving import _is_no_message_of_ours
from limen_app.state import ViewState
from limen_app.uploads import Upload
from limen_app.views.bundle import sampling_sentence, tool_sentence

KEY = "toy@1.0.0"
Open = Callable[..., AppTest]


@pytest.mark.parametrize("text", ["hello", "nan", "1_0", ""])
def test_a_parameter_without_number_in_a_link_is_named(text: str) -> None:
    state, dropped = ViewState.from_query({"p.x0": text, "p.x1": "2"}, None, "predict")
    assert (dict(state.point), state.wrong) == ({"x1": 2.0}, ("x0",))
    assert "x0 is" in dropped[0]
    assert "wrong" not in state.to_document()


def test_a_wrong_value_of_a_link_gives_no_verdict(opened: Open, trained: Path) -> None:
    app = opened("predict", trained, b=KEY, p__m="600", p__g="hello")
    assert not app.exception
    assert app.text_input(key=f"value {KEY} g").value == ""
    assert any("NOT EVALUATED" in m.value for m in app.markdown)


def test_a_link_to_another_bundle_applies_nothing_of_itself(opened: Open, trained: Path) -> None:
    app = opened("predict", trained, b="foo@1.0.0", m="gone", p__m="612.5", p__g="hello")
    assert not app.exception
    assert app.text_input(key=f"value {KEY} m").value != "612.5"
    assert [w.value for w in app.warning] == [
        "The link is to foo@1.0.0, which is not open here. This is toy@1.0.0, and nothing of "
        "the link was applied to it."
    ]


def test_a_file_that_is_no_view_is_named_once() -> None:
    with pytest.raises(ReadError) as caught:
        ViewState.from_json("{", None)
    assert str(caught.value).count("session file") == 1


def test_a_link_of_this_machine_says_that_it_works_here_only(
    opened: Open, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "This address works on this machine only."
    for origin, said in (("http://localhost:8501", True), ("https://a.org/limen", False)):
        monkeypatch.setattr("limen_app.visiting.origin", lambda origin=origin: origin)
        app = opened("bundle", trained)
        assert any(caption.value == words for caption in app.caption) is said


def _batch(opened: Open, path: Path, name: str, data: bytes) -> AppTest:
    app = opened("batch", path)
    return app.file_uploader[0].upload(name, data, "text/csv").run()


def test_a_bundle_without_addresses_offers_no_spectra(opened: Open, trained: Path) -> None:
    app = opened("batch", trained)
    assert "SLHA" not in " ".join(element.value for element in app.markdown)
    assert ".slha" not in app.file_uploader[0].proto.type


def test_a_spectrum_for_a_bundle_without_addresses_is_refused(trained: Path) -> None:
    predictor = open_bundle(trained).predictor("region")
    for name in ("a.slha", "a.zip"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a.slha", "BLOCK MASS\n")
        with pytest.raises(ReadError, match=f"{name}: this bundle does not say where its param"):
            answer(predictor, Upload(name, stream.getvalue()), {}, most_rows=9, most_bytes=9999)


@pytest.mark.parametrize(
    ("header", "extra", "said"),
    [
        (b"m,g,zzz", False, "or tick \u201cIgnore unknown columns\u201d"),
        (b"M,G", True, "M: do you mean 'm'?"),
    ],
    ids=["unknown", "near"],
)
def test_columns_are_mended_by_what_the_page_has(
    trained: Path, header: bytes, extra: bool, said: str
) -> None:
    predictor = open_bundle(trained).predictor("region")
    upload = Upload("a.csv", header + b"\n" + b",".join([b"1"] * (header.count(b",") + 1)))
    with pytest.raises(ColumnError) as caught:
        answer(predictor, upload, {}, most_rows=9, most_bytes=99, ignore_extra=extra)
    assert said in caught.value.message
    assert "--ignore-extra" not in caught.value.message


def test_a_refused_file_leaves_no_message_behind(opened: Open, trained: Path) -> None:
    app = _batch(opened, trained, "bad.csv", b"m,gg\n1,2\n")
    assert len(app.error) == 1
    assert any("Nothing of bad.csv" in caption.value for caption in app.caption)
    app.file_uploader[0].upload("good.csv", b"m,g\n9999,0.5\n", "text/csv").run()
    assert not app.error
    assert any("Outside domain (outside\\_domain)" in m.value for m in app.markdown)


def test_where_a_deleted_bundle_lay_is_told_to_the_log_alone(
    opened: Open, model_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = opened("bundle", model_path)
    shutil.rmtree(model_path)
    caplog.clear()
    app.run()
    assert "deleted or moved" in app.error[0].value
    assert str(model_path.parent) not in app.error[0].value
    assert not any("Other bundles" in caption.value for caption in app.caption)
    assert [str(model_path) in r.message for r in caplog.records if r.name == "limen.app"] == [True]


@pytest.mark.parametrize("error", [ReadError("a: is gone"), ValueError("a")], ids=["ours", "other"])
def test_only_errors_of_others_have_a_traceback(error: Exception) -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "m", (), (type(error), error, None))
    assert _is_no_message_of_ours(record) is not isinstance(error, ReadError)


def test_sampling_reads_as_a_sentence() -> None:
    entry = {"name": "a", "sampler": "moves", "settings": {"burn_in": 1, "thin": 2}, "rows": 15000}
    said = '15,000 points "a", drawn by: moves; settings: burn in 1, thin 2.'
    assert sampling_sentence(entry) == said
    assert sampling_sentence({}) == "Points."
    assert tool_sentence({"role": "spectra"}) == "A tool, used for: spectra."


def test_the_page_of_campaigns_says_what_one_is(opened: Open, trained: Path) -> None:
    app = opened("campaigns", trained)
    said = app.markdown[0].value
    assert said.startswith("A campaign asks")
    assert "`limen campaign start BUNDLE -o CAMPAIGN`" in said
    assert "No campaign is open" in app.info[0].value
