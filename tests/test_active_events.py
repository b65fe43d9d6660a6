"""The log of a campaign: whole lines count, torn ones do not, and nothing else may write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.active import Campaign, events
from limen.errors import IntegrityError, StorageError

EVENT = {"event": "tell", "results": [{"id": "a-1", "message": "two\nlines\r and a ☃ 'quote'"}]}


@pytest.fixture
def log(tmp_path):
    """Write a log of three events."""
    path = tmp_path / "queries.jsonl"
    for _ in range(3):
        events.append(path, EVENT)
    return path


def test_what_is_appended_is_read(log):
    found, end = events.read(log)
    assert found == [EVENT] * 3
    assert end == log.stat().st_size
    assert events.read(log, end) == ([], end)


def test_a_reader_goes_on_where_it_was(log):
    _, end = events.read(log)
    events.append(log, EVENT | {"at": "later"})
    found, after = events.read(log, end)
    assert (found, after) == ([EVENT | {"at": "later"}], log.stat().st_size)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cut=st.integers(min_value=0))
def test_a_torn_last_line_is_dropped_and_cut_off(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("torn") / "queries.jsonl"
    for _ in range(3):
        events.append(path, EVENT)
    content = path.read_bytes()
    length = len(content) // 3
    kept = cut % (len(content) + 1)
    path.write_bytes(content[:kept])
    found, end = events.read(path)
    assert found == [EVENT] * (kept // length)
    assert end == kept // length * length
    events.append(path, EVENT)
    assert events.read(path)[0] == [EVENT] * (kept // length + 1)
    assert path.read_bytes().count(b"\n") == kept // length + 1


def test_a_long_torn_line_is_cut_off_too(log):
    whole = log.read_bytes()
    with log.open("ab") as stream:
        stream.write(b"x" * 200_000)
    events.append(log, EVENT)
    assert log.read_bytes() == whole + json.dumps(EVENT, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no json\n", "event 4 after byte 0: Expecting value"),
        (b"[1]\n", "event 4 after byte 0: no event"),
        (b'{"what": 1}\n', "no event"),
        (b"\xff\n", "event 4"),
        (b"\n", "Expecting value"),
    ],
    ids=["text", "list", "no event", "no UTF-8", "empty"],
)
def test_a_line_that_is_no_event_is_refused(log, line, message):
    with log.open("ab") as stream:
        stream.write(line)
    with pytest.raises(IntegrityError, match=message):
        events.read(log)


def test_a_log_that_shrank_is_refused(log):
    _, end = events.read(log)
    log.write_bytes(log.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="the log only grows"):
        events.read(log, end)


def test_a_log_that_is_gone_is_one_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        events.read(tmp_path / "queries.jsonl")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "tell", "results": [{"id": "nobody", "status": "ok"}]},
        {"event": "tell"},
        {"event": "tell", "results": 3},
        {"event": "ask", "round": 1},
        {"event": "submitted", "ids": ["nobody"], "task": "t"},
        {"event": "ask", "round": 2, "memory": {}, "strategy": "x", "points": [{"id": "a"}]},
    ],
    ids=["unknown id", "no results", "number", "no points", "submitted", "no place"],
)
def test_an_event_that_nobody_wrote_is_refused(tmp_path, event):
    campaign = Campaign.start(
        tmp_path / "c", space={"m": [0.0, 1.0]}, outputs={"y": {}}, strategy="random"
    )
    campaign.ask(2)
    events.append(tmp_path / "c" / "queries.jsonl", event)
    with pytest.raises(IntegrityError, match="found an event that no ask or tell wrote"):
        Campaign.open(tmp_path / "c")
    with pytest.raises(IntegrityError, match="restore it from a copy"):
        campaign.ask(1)


def test_a_campaign_goes_on_behind_a_torn_line(tmp_path):
    campaign = Campaign.start(
        tmp_path / "c", space={"m": [0.0, 1.0]}, outputs={"y": {}}, strategy="random"
    )
    batch = campaign.ask(2)
    campaign.tell(batch["id"], {"y": [1.0, 2.0]})
    log = tmp_path / "c" / "queries.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    again = Campaign.open(tmp_path / "c")
    assert len(again.pending) == 2
    assert again.tell(batch["id"], {"y": [1.0, 2.0]}).recorded == tuple(batch["id"])
    assert Campaign.open(tmp_path / "c").status()["counts"]["ok"] == 2
