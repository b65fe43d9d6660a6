"""Campaigns in folders: what was told is kept, whoever asks at the same time and whatever breaks."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.active import Campaign
from limen.errors import (
    CampaignError,
    CampaignNotFoundError,
    DataError,
    IntegrityError,
    StorageError,
    UsageError,
)

SPACE = {"m": {"range": [100.0, 1000.0], "unit": "GeV"}, "g": [0.0, 1.0]}
OUTPUTS = {"y": {"threshold": 0.0}}
SLOW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def start(folder, **options):
    """Start a small campaign on a Sobol sequence."""
    told = {"space": SPACE, "outputs": OUTPUTS, "strategy": "sobol", "seed": 3} | options
    return Campaign.start(folder, **told)


def evaluate(batch):
    """Evaluate the points of a batch."""
    return (batch["m"] / 1000 + batch["g"] - 1).to_numpy()


def same(one, other):
    """Whether two histories are the same to the bit."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in FLOATS)
        for name in one.__dataclass_fields__
    )


FLOATS = ("points", "values", "errors", "pending")


def test_asked_points_are_pending_until_they_are_told(tmp_path):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(3)
    assert list(batch.columns) == ["id", "m", "g"]
    assert list(campaign.pending["id"]) == list(batch["id"])
    campaign.tell(batch["id"][:2], {"y": evaluate(batch)[:2]})
    assert list(campaign.pending["id"]) == [batch["id"][2]]
    assert campaign.status()["counts"] == {
        "ok": 2,
        "failed": 0,
        "invalid": 0,
        "censored": 0,
        "pending": 1,
    }


def test_an_opened_campaign_knows_what_the_first_one_knew(tmp_path):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(5)
    campaign.tell(batch["id"], {"y": evaluate(batch)}, y_err=0.1, cost=2.0)
    again = Campaign.open(tmp_path / "c")
    assert same(again.history(), campaign.history())
    assert again.queries.equals(campaign.queries)
    assert again.memory == campaign.memory
    assert again.ask(3).equals(campaign.ask(3)) is False
    assert len(campaign.queries) == 11


@SLOW
@given(data=st.data())
def test_the_history_does_not_depend_on_the_order_of_tells(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("order")
    first = start(folder / "a")
    batches = [first.ask(n) for n in (4, 3)]
    shutil.copytree(folder / "a", folder / "b")
    second = Campaign.open(folder / "b")
    ids = [name for batch in batches for name in batch["id"]]
    y = dict(zip(ids, np.concatenate([evaluate(b) for b in batches]), strict=True))
    words = st.sampled_from(["ok", "failed", "invalid", "censored"])
    status = dict(zip(ids, data.draw(st.lists(words, min_size=7, max_size=7)), strict=True))
    for campaign in (first, second):
        order = data.draw(st.permutations(ids))
        while order:
            n = data.draw(st.integers(1, len(order)))
            part, order = order[:n], order[n:]
            campaign.tell(part, {"y": [y[i] for i in part]}, status=[status[i] for i in part])
            # Told again, in part or not, nothing changes.
            repeated = campaign.tell(
                part[::2], {"y": [y[i] for i in part[::2]]}, status=[status[i] for i in part[::2]]
            )
            assert set(repeated.repeated) == set(part[::2])
            assert not repeated.recorded
    assert same(first.history(), second.history())
    assert first.ask(4).equals(second.ask(4))


def test_the_history_of_first_rounds_has_their_answers_whenever_told(tmp_path):
    campaign = start(tmp_path / "c")
    one, two = campaign.ask(3), campaign.ask(2)
    campaign.tell(two["id"], {"y": evaluate(two)})
    campaign.tell(one["id"], {"y": evaluate(one)})
    first = campaign.history(1)
    assert first.values[:, 0] == pytest.approx(evaluate(one))
    assert (first.asks, first.asked, len(first.pending)) == (1, 3, 0)
    assert len(campaign.history(0).points) == 0
    assert same(campaign.history(5), campaign.history())


@pytest.mark.parametrize("strategy", ["sobol", "random", "latin-hypercube"])
def test_the_same_seed_makes_the_same_bytes(tmp_path, monkeypatch, strategy):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a", "b"):
        campaign = start(tmp_path / name, strategy=strategy, reserve=0.3)
        for _ in range(3):
            batch = campaign.ask(4)
            campaign.tell(batch["id"], {"y": evaluate(batch)})
    for file in ("campaign.json", "queries.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    other = start(tmp_path / "c", strategy=strategy, seed=4).ask(4)
    assert not np.array_equal(other["m"], campaign.queries["m"][:4])


@SLOW
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), share=st.sampled_from([0.1, 0.5]))
def test_reserved_points_are_the_same_whatever_the_batches(tmp_path_factory, sizes, share):
    folder = tmp_path_factory.mktemp("reserved")
    whole = start(folder / "whole", reserve=share)
    whole.ask(sum(sizes))
    parts = start(folder / "parts", reserve=share)
    for size in sizes:
        parts.ask(size)
    found = []
    for campaign in (whole, parts):
        table = campaign.queries
        found.append(table[table["origin"] == "reserved"][["m", "g"]].to_numpy())
    assert np.array_equal(*found)
    assert len(found[0]) == int(share * sum(sizes) + 1e-9)


def test_a_reserved_share_of_nothing_reserves_nothing(tmp_path):
    campaign = start(tmp_path / "c", reserve=0.0)
    campaign.ask(50)
    assert "reserved" not in set(campaign.queries["origin"])


def ask_some(folder):
    """Ask in a process of its own."""
    campaign = Campaign.open(folder)
    return [name for _ in range(4) for name in campaign.ask(2)["id"]]


def test_two_processes_that_ask_at_once_get_different_points(tmp_path):
    campaign = start(tmp_path / "c")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(ask_some, [tmp_path / "c"] * 2, chunksize=1)
    names = [name for part in found for name in part]
    assert len(set(names)) == 16
    table = campaign.queries
    assert sorted(names) == sorted(table["id"])
    assert len(table[["m", "g"]].drop_duplicates()) == 16
    assert list(table["round"]) == [r for r in range(1, 9) for _ in range(2)]


def test_two_campaigns_do_not_share_a_folder(tmp_path):
    start(tmp_path / "c")
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    with pytest.raises(StorageError, match="there is something here already"):
        start(tmp_path / "c", seed=9)
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == before


def test_a_run_holds_the_points_alone(tmp_path):
    campaign = start(tmp_path / "c")
    with (
        campaign.run_lock(),
        pytest.raises(CampaignError, match="another run evaluates the points"),
        Campaign.open(tmp_path / "c").run_lock(),
    ):
        pass
    with campaign.run_lock():
        # Whoever evaluates elsewhere may tell meanwhile.
        batch = campaign.ask(1)
        campaign.tell(batch["id"], {"y": [1.0]})


def test_a_threshold_that_nothing_crosses_is_said_after_the_first_round(tmp_path, caplog):
    campaign = start(tmp_path / "c", outputs={"y": {"threshold": [0.0, 50.0], "unit": "fb"}})
    assert campaign.status()["notes"] == []
    batch = campaign.ask(8)
    assert not caplog.messages
    campaign.tell(batch["id"], {"y": evaluate(batch)})
    (note,) = campaign.status()["notes"]
    assert note.startswith("y: all 8 known values (")
    assert "lie below the threshold 50; is it in the unit 'fb'" in note
    campaign.ask(1)
    assert caplog.messages == [note]


def test_contradictory_repeated_points_are_noted(tmp_path):
    warm = {"m": [500.0, 500.0, 700.0], "g": [0.5, 0.5, 0.1], "y": [1.0, -1.0, 2.0]}
    campaign = start(tmp_path / "c", warm=warm)
    (note,) = campaign.status()["notes"]
    assert note.startswith("y: 1 repeated points have values that differ by more than")
    agreed = start(tmp_path / "d", warm=warm | {"y_err": [0.5, 0.5, 0.0]})
    assert agreed.status()["notes"] == []


@pytest.mark.parametrize("n", [0, -1, True, 1.5, "3", 10**6], ids=repr)
def test_a_batch_of_no_sensible_size_is_refused(tmp_path, n):
    with pytest.raises(UsageError, match=r"ask: found .*, allowed 1 to 100000 points"):
        start(tmp_path / "c").ask(n)


def test_ids_may_be_submitted_and_freed(tmp_path):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(3)
    campaign.submitted(batch["id"][:2], "task 17")
    campaign.submitted(batch["id"][1], "")
    assert list(campaign.pending["task"]) == ["task 17", "", ""]
    assert campaign.status()["submitted"] == 1
    with pytest.raises(CampaignError, match="nobody: unknown id"):
        campaign.submitted(["nobody"], "x")
    campaign.submitted(batch["id"], "odd \ud800")
    assert set(Campaign.open(tmp_path / "c").pending["task"]) == {"odd ?"}


def test_failures_are_counted_by_reason(tmp_path):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(4)
    campaign.tell(batch["id"][:3], status="failed", message=["no", "no\nmore", "other"])
    campaign.tell(batch["id"][3], status="invalid")
    assert campaign.status()["failures"] == {"no": 2, "other": 1, "invalid": 1}


# ----- what may break -----


def test_a_folder_without_a_campaign_is_not_found(tmp_path):
    with pytest.raises(CampaignNotFoundError, match=r"found no campaign\.json"):
        Campaign.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "2.0"}, CampaignError, "format: found '2.0', allowed '1.0'"),
        ({"seed": None}, IntegrityError, "found other contents than the campaign"),
        ({"outputs": {"y": {"threshold": 1.0}}}, IntegrityError, "found other contents"),
        ({"space": {"parameters": {"m": [2, 1]}}}, CampaignError, "low below high"),
    ],
    ids=["format", "seed", "outputs", "space"],
)
def test_a_document_that_was_changed_is_refused(tmp_path, change, error, message):
    start(tmp_path / "c")
    path = tmp_path / "c" / "campaign.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=message):
        Campaign.open(tmp_path / "c")


def test_a_folder_can_be_moved(tmp_path):
    campaign = start(tmp_path / "c")
    campaign.ask(2)
    shutil.move(tmp_path / "c", tmp_path / "d")
    assert len(Campaign.open(tmp_path / "d").ask(2)) == 2


def test_a_full_disk_asks_and_records_nothing(tmp_path, monkeypatch):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(2)
    log = (tmp_path / "c" / "queries.jsonl").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        campaign.ask(2)
    with pytest.raises(StorageError, match="the disk is full"):
        campaign.tell(batch["id"], {"y": [1.0, 2.0]})
    monkeypatch.undo()
    assert (tmp_path / "c" / "queries.jsonl").read_bytes() == log
    assert len(campaign.pending) == 2
    assert len(campaign.ask(2)) == 2


def test_a_summary_that_cannot_be_written_loses_no_result(tmp_path, monkeypatch, caplog):
    campaign = start(tmp_path / "c")
    batch = campaign.ask(2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    campaign.tell(batch["id"], {"y": [1.0, -2.0]})
    assert "the log is complete" in caplog.text
    assert Campaign.open(tmp_path / "c").status()["counts"]["ok"] == 2


def test_a_file_that_may_not_grow_keeps_what_is_in_it(tmp_path):
    start(tmp_path / "c")
    program = """
        import resource, signal, sys
        from limen.active import Campaign
        from limen.errors import StorageError
        campaign = Campaign.open(sys.argv[1])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        campaign.ask(2)
        size = (campaign.folder / "queries.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200, size + 200))
        try:
            campaign.ask(20)
        except StorageError as error:
            print(error)
        assert (campaign.folder / "queries.jsonl").stat().st_size == size
        assert len(campaign.queries) == 2
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path / "c"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the file is larger than the file system allows" in done.stdout
    assert len(Campaign.open(tmp_path / "c").queries) == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, UsageError, "seed: found -1"),
        ({"seed": 1.5}, UsageError, r"seed: found 1\.5"),
        ({"reserve": 1.0}, UsageError, r"reserve: found 1\.0"),
        ({"strategy": "clever"}, UsageError, "strategy: found 'clever', allowed committee, grid"),
        (
            {"strategy": {"name": "sobol", "options": {"edge": 3}}},
            UsageError,
            "found option 'edge'",
        ),
        ({"strategy": {"nom": "sobol"}}, UsageError, "allowed a name, or name and options"),
        ({"strategy": {"name": "grid", "options": {"edge": {1}}}}, UsageError, "JSON does not"),
        ({"outputs": {"m": {}}}, UsageError, "found the name 'm' for a parameter or output"),
        ({"outputs": {"status": {}}}, UsageError, "found the name 'status'"),
        ({"outputs": {}}, DataError, "allowed 1 to 100 named outputs"),
        ({"constraints": ["m > 2000"]}, DataError, "0 of 20480 points of the prior meet them"),
        ({"constraints": ["m >"]}, DataError, "/constraints/0"),
    ],
    ids=lambda x: str(x)[:40] if isinstance(x, dict) else None,
)
def test_a_bad_start_is_one_error_and_no_folder(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        start(tmp_path / "c", **options)
    assert list(tmp_path.iterdir()) == []
