"""The state of a view: links, session files, and what is left out of stale ones."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.browsing import Axis, Choice, Range
from limen.bundle import open_bundle
from limen.errors import ReadError, UsageError
from limen_app.links import asked_bundle
from limen_app.state import Browse, Panel, ViewState

FULL = ViewState(
    page="browse",
    bundle="toy@1.0.0",
    model="region",
    point={"m": 550.0, "g": 0.1 + 0.2},
    axes=("m", "g"),
    ranges={"m": (-0.1, 0.1 + 0.2)},
    browse=Browse(
        filters={
            "m": Range(100.0, None),
            "g": Range(None, 1e-7, closed=False),
            "xsec": Range(-3.5, 4.0, inverted=True),
            "outside": Choice((0.0, 1.0), inverted=True),
        },
        charts=(
            Panel("histogram", (Axis("m", n=20, scale="log", low=1.0, high=2000.0),)),
            Panel("map", (Axis("m"), Axis("g")), "best", "delta_chi2"),
            Panel("table", ()),
        ),
    ),
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
ranges = st.builds(
    lambda ends, closed, inverted: Range(*ends, closed=closed, inverted=inverted),
    st.one_of(
        st.tuples(numbers, numbers).map(sorted),
        st.tuples(st.none(), numbers),
        st.tuples(numbers, st.none()),
        st.just((None, None)),
    ),
    st.booleans(),
    st.booleans(),
)
choices = st.builds(
    lambda values, inverted: Choice(tuple(sorted(values)), inverted),
    st.sets(st.integers(-5, 5).map(float), max_size=4),
    st.booleans(),
)


def _parsed(link: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(link)
    query = parse_qs(parts.query, keep_blank_values=True)
    return parts.path.strip("/"), {name: values[-1] for name, values in query.items()}


def test_a_link_opens_the_state_that_made_it() -> None:
    page, query = _parsed(FULL.link("https://example.org"))
    again, dropped = ViewState.from_query(query, None, page)
    assert again == FULL
    assert dropped == []


def test_a_session_file_opens_the_state_that_made_it() -> None:
    again, dropped = ViewState.from_json(FULL.to_json(), None)
    assert again == FULL
    assert dropped == []


def test_the_same_state_gives_the_same_bytes() -> None:
    swapped = ViewState(
        page="browse",
        bundle="toy@1.0.0",
        model="region",
        point={"g": 0.1 + 0.2, "m": 550},
        axes=("m", "g"),
        ranges=FULL.ranges,
        browse=Browse(dict(reversed(FULL.browse.filters.items())), FULL.browse.charts),
    )
    assert swapped.link() == FULL.link()
    assert swapped.to_json() == FULL.to_json()


def test_a_short_link_reads_as_people_write_it() -> None:
    state = ViewState(page="predict", bundle="toy@1.0.0", point={"m": 550.0, "g": 0.5})
    assert state.link() == "/predict?b=toy@1.0.0&p.g=0.5&p.m=550"


@given(point=st.dictionaries(st.sampled_from(["m", "g", "xsec"]), numbers))
def test_numbers_come_back_exactly(point: dict[str, float]) -> None:
    state = ViewState(page="predict", point=point)
    assert ViewState.from_query(_parsed(state.link())[1], None, "predict")[0] == state


@given(filters=st.dictionaries(st.sampled_from(["m", "g", "ok"]), st.one_of(ranges, choices)))
def test_filters_come_back_exactly(filters: dict[str, Range | Choice]) -> None:
    state = ViewState(page="browse", browse=Browse(filters))
    assert ViewState.from_query(_parsed(state.link())[1], None, "browse")[0] == state
    assert ViewState.from_json(state.to_json(), None)[0] == state


def test_a_stale_link_opens_what_it_can_and_says_the_rest(trained: Path) -> None:
    bundle = open_bundle(trained)
    query = {
        "b": "toy@1.0.0",
        "m": "gone",
        "d": "0" * 16,
        "p.m": "550",
        "p.renamed": "1",
        "f.g": "0~0.5",
        "f.renamed": "0~1",
        "f.xsec": "9~1",
        "x": "m,renamed",
        "r.m": "200~300.5",
        "r.renamed": "0~1",
        "c": "histogram:m;pie:m;histogram:renamed",
        "what": "ever",
        "embed": "true",
    }
    state, dropped = ViewState.from_query(query, bundle, "browse")
    assert state.point == {"m": 550.0}
    assert state.model == ""
    assert state.browse == Browse({"g": Range(0.0, 0.5)}, (Panel("histogram", (Axis("m"),)),))
    assert (state.axes, state.ranges) == (("m",), {"m": (200.0, 300.5)})
    said = " ".join(dropped)
    for part in ("'what'", "'gone'", "'renamed'", "has changed", "xsec", "Chart 2"):
        assert part in said
    assert "embed" not in said


def test_a_link_to_the_bundle_as_it_is_says_nothing_of_changes(trained: Path) -> None:
    bundle = open_bundle(trained)
    state = ViewState(page="predict", bundle="toy@1.0.0", digest=bundle.manifest_sha256)
    assert ViewState.from_query(state.to_query(), bundle, "predict")[1] == []


@pytest.mark.parametrize(
    "query",
    [
        {"p.m": "abc"},
        {"p.m": "nan"},
        {"p.m": "inf"},
        {"p.m": "1_0"},
        {"p.m": "9" * 400},
        {"f.m": "a~b"},
        {"f.m": "1~2~3"},
        {"f.m": "nan~"},
        {"x": "m,g,xsec"},
        {"r.m": "300~200"},
        {"r.m": "200"},
        {"r.m": "200~inf"},
        {"r.m": "~300"},
        {"c": "histogram:m,x"},
        {"c": "histogram:m,1000"},
        {"c": "map:m"},
        {"c": ";;;"},
        {"p.<script>": "1"},
        {"p...": "1"},
        {"b": "x" * 10_000},
        {"../../etc/passwd": "1"},
        {"x": ""},
    ],
    ids=str,
)
def test_nonsense_in_a_link_is_left_out_with_a_sentence(
    query: dict[str, str], trained: Path
) -> None:
    state, dropped = ViewState.from_query(query, open_bundle(trained), "predict")
    assert state == ViewState(page="predict")
    assert dropped
    assert all(len(sentence) < 300 for sentence in dropped)


def test_an_unknown_page_becomes_the_first() -> None:
    state, dropped = ViewState.from_query({}, None, "../secret")
    assert state.page == "home"
    assert "There is no page" in dropped[0]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": "other"}', '{"format": "limen-view", "format_version": "9"}'],
    ids=["empty", "list", "broken", "other", "later"],
)
def test_what_is_no_session_file_is_refused(text: str) -> None:
    with pytest.raises(ReadError, match="session file"):
        ViewState.from_json(text, None)


def test_hostile_values_in_a_session_file_are_left_out(trained: Path) -> None:
    document = json.loads(FULL.to_json()) | {
        "point": {"m": True, "g": "1", "<b>": 1},
        "filters": {"m": {"low": []}, "g": {"values": [{}]}, "xsec": 3},
        "charts": [{"kind": ["map"], "axes": 3}, 7, {"kind": "map", "axes": [1, 2]}],
        "axes": {"a": 1},
        "ranges": {"m": [1, True], "g": "ab", "xsec": [2, 1], "<b>": [1, 2]},
        "model": ["region"],
        "more": None,
    }
    text = json.dumps(document)
    state, dropped = ViewState.from_json(text, open_bundle(trained))
    assert state == ViewState(page="browse", bundle="toy@1.0.0")
    assert len(dropped) >= 14


def test_the_bundle_of_a_link_is_known_before_it_is_open() -> None:
    assert asked_bundle({"b": ["toy@1.0.0", "other@2.0.0"]}) == "other@2.0.0"


def test_another_page_keeps_the_rest() -> None:
    assert FULL.on("predict").point == FULL.point
    with pytest.raises(UsageError, match="page"):
        FULL.on("nowhere")
