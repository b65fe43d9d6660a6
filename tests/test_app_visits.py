"""Links and files that a visitor brings: what is taken of them, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from limen.errors import ReadError
from limen_app.state import ViewState

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
