"""The door for results: every fault is found, said in one answer, and nothing is recorded."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.active import Campaign
from limen.active.outputs import outputs_from_mapping
from limen.active.problem import Problem
from limen.active.queries import Queries
from limen.active.spaces import Space
from limen.active.telling import check_results
from limen.errors import CampaignError

SPACE = {"m": {"range": [100.0, 1000.0], "unit": "GeV"}, "g": {"range": [1e-4, 1], "scale": "log"}}
OUTPUTS = {"mu": {"threshold": 1.0, "scale": "log"}, "xsec": {"unit": "fb"}}
IDS = [f"c0de-{i:06d}" for i in range(1, 6)]
GOOD = {"mu": [0.5] * 5, "xsec": [1.0] * 5}


@pytest.fixture
def asked():
    """Ask five points."""
    queries = Queries(Problem(Space.from_mapping(SPACE), outputs_from_mapping(OUTPUTS)))
    points = [{"id": name, "origin": "initial", "x": [200.5, 0.0101]} for name in IDS]
    event = {"event": "ask", "round": 1, "memory": {}, "strategy": "sobol", "points": points}
    queries.add([event])
    return queries


@pytest.fixture
def campaign(tmp_path):
    """Start a campaign and ask four points."""
    made = Campaign.start(tmp_path / "c", space=SPACE, outputs=OUTPUTS, strategy="sobol")
    made.ask(4)
    return made


def faults(queries, ids=IDS, values=GOOD, **more):
    """Give the faults of results as pairs of row and text."""
    return [(f.pointer, f.message) for f in check_results(queries, ids, values, **more)[1].faults]


def changed(row, **cells):
    """Give good values with some cells changed."""
    made = {name: list(column) for name, column in GOOD.items()}
    for name, cell in cells.items():
        made.setdefault(name, [200.5 if name == "m" else 0.0101] * 5)[row] = cell
    return made


def test_good_results_have_no_fault(asked):
    results, told = check_results(asked, IDS, GOOD, y_err={"mu": 0.1}, cost=[1, 2, 3, 4, None])
    assert told.recorded == tuple(IDS)
    assert not told.faults
    assert results[0] == {
        "id": IDS[0],
        "status": "ok",
        "values": {"mu": 0.5, "xsec": 1.0},
        "errors": {"mu": 0.1},
        "cost": 1.0,
    }
    assert "cost" not in results[4]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"mu": math.nan}, "mu: found nan, allowed a finite number; tell a point without a value"),
        ({"mu": None}, "mu: found nothing, allowed a finite number"),
        ({"mu": ""}, "mu: found nothing, allowed a finite number"),
        ({"mu": "inf"}, "mu: found inf, allowed a finite number"),
        ({"mu": "abc"}, "mu: found 'abc', allowed a number"),
        ({"mu": True}, "mu: found 'True', allowed a number"),
        ({"mu": [1, 2]}, "mu: found '[1, 2]', allowed a number"),
        ({"mu": 10**400}, "allowed a number"),
        ({"mu": 1j}, "mu: found '1j', allowed a number"),
        ({"mu": 0.0}, "mu: found 0 with scale log, allowed above 0"),
        ({"mu": -1}, "mu: found -1 with scale log"),
        ({"m": 999}, "m: found 999, asked was 200.5 GeV; this is the result of another point"),
        ({"g": 0.0102}, "g: found 0.0102, asked was 0.0101; this is the result of another point"),
        ({"g": "x"}, "g: found x, asked was 0.0101; this"),
        ({"g": None}, "g: found None, asked was 0.0101; this"),
    ],
    ids=str,
)
def test_a_bad_cell_is_the_fault_of_its_row(asked, cells, message):
    ((where, text),) = faults(asked, values=changed(2, **cells))
    assert where == f"result 3 ({IDS[2]})"
    assert message in text


def test_all_faults_come_in_one_answer(asked):
    values = changed(0, mu="bad", xsec=None)
    values["xsec"][1] = math.inf
    found = faults(asked, [*IDS[:3], "nobody", IDS[0]], values)
    assert [where for where, _ in found] == [
        f"result 1 ({IDS[0]})",
        f"result 1 ({IDS[0]})",
        f"result 2 ({IDS[1]})",
        "result 4 (nobody)",
        f"result 5 ({IDS[0]})",
    ]
    assert found[3][1].startswith("unknown id, allowed the 5 ids that were asked")
    assert found[4][1].startswith("this id stands in another row as well")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"status": "fine"}, "status 'fine', allowed ok, failed, invalid, censored"),
        ({"status": ["ok"] * 4 + [None]}, "status '', allowed ok"),
        ({"y_err": {"mu": -0.1}}, "mu_err: found -0.1, allowed a number of 0 or more"),
        ({"y_err": {"xsec": [0, 0, 0, 0, "x"]}}, "xsec_err: found 'x', allowed a number"),
        ({"cost": "much"}, "cost 'much', allowed a number of 0 or more"),
        ({"cost": -2}, "cost -2, allowed a number of 0 or more"),
    ],
    ids=str,
)
def test_bad_notes_are_faults_of_their_rows(asked, more, message):
    assert any(message in text for _, text in faults(asked, **more))


@pytest.mark.parametrize(
    ("values", "more", "message"),
    [
        ({"mu": [1.0] * 4, "xsec": [1.0] * 5}, {}, "mu: found 4 entries for 5 ids"),
        (GOOD | {"sigma": [1.0] * 5}, {}, "values: found sigma, allowed mu, xsec, m, g"),
        ([1.0] * 5, {}, "values: found list without names, allowed a mapping of mu, xsec"),
        (GOOD, {"y_err": 0.1}, "y_err: found no names, allowed a mapping"),
        (GOOD, {"y_err": {"m": 0.1}}, "y_err: found m, allowed mu, xsec"),
        (GOOD, {"status": ["ok"]}, "status: found 1 entries for 5 ids"),
    ],
    ids=["length", "unknown", "unnamed", "unnamed error", "error of a parameter", "status"],
)
def test_whole_columns_that_do_not_fit_are_refused(asked, values, more, message):
    with pytest.raises(CampaignError, match=message):
        check_results(asked, IDS, values, **more)


def test_failed_and_invalid_points_need_no_value(asked):
    status = ["failed", "invalid", "ok", "ok", "ok"]
    results, told = check_results(asked, IDS, changed(0, mu=None), status=status)
    assert not told.faults
    assert results[0] == {"id": IDS[0], "status": "failed"}
    assert not check_results(asked, IDS, None, status="failed")[1].faults


def test_a_censored_point_needs_its_bound(asked):
    (fault,) = faults(asked, values=changed(1, mu=math.inf), status="censored")
    assert "allowed a finite bound" in fault[1]


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("failed", "ok", True),
        ("failed", "invalid", True),
        ("ok", "failed", False),
        ("invalid", "ok", False),
        ("censored", "ok", False),
        ("ok", "ok", False),
    ],
)
def test_a_told_result_does_not_change_but_a_failure_may_succeed(campaign, first, second, taken):
    name = campaign.pending["id"][0]
    campaign.tell(name, {"mu": 1.0, "xsec": 1.0}, status=first)
    if taken:
        assert campaign.tell(name, {"mu": 2.0, "xsec": 1.0}, status=second).recorded == (name,)
        return
    with pytest.raises(CampaignError, match=f"told before as {first}.* a told result does not"):
        campaign.tell(name, {"mu": 2.0, "xsec": 1.0}, status=second)
    assert campaign.queries["status"][0] == first


def test_a_result_that_went_through_a_text_file_is_the_same(campaign):
    batch = campaign.pending
    y = np.array([1 / 3, 2e-7 / 3, 1e300 / 7, np.pi])
    values = {"mu": y, "xsec": -y}
    campaign.tell(batch["id"], values)
    shortened = {name: [f"{value:.12g}" for value in column] for name, column in values.items()}
    shortened |= {name: [f"{value:.10g}" for value in batch[name]] for name in ("m", "g")}
    assert campaign.tell(batch["id"], shortened).repeated == tuple(batch["id"])


@pytest.mark.parametrize(
    "form",
    [
        lambda ids, y: (ids, {"mu": y, "xsec": y}),
        lambda ids, y: (list(ids), {"mu": list(y), "xsec": tuple(y)}),
        lambda ids, y: (ids.to_numpy(), pd.DataFrame({"mu": y, "xsec": y}, index=[9, 8, 7, 6])),
        lambda ids, y: (iter(ids), {"mu": np.float32(0.5), "xsec": np.int64(1)}),
        lambda ids, y: (ids, {"mu": [str(v) for v in y], "xsec": 1}),
    ],
    ids=["series", "lists", "frame of another index", "one for all", "texts"],
)
def test_results_come_in_many_forms(campaign, form):
    batch = campaign.pending
    ids, values = form(batch["id"], np.array([0.5, 1.5, 2.5, 3.5]))
    assert campaign.tell(ids, values).recorded == tuple(batch["id"])


def test_without_strict_the_good_results_are_recorded(campaign):
    batch = campaign.pending
    values = {"mu": [1.0, "bad", 2.0, math.nan], "xsec": [1.0] * 4}
    with pytest.raises(CampaignError) as caught:
        campaign.tell(batch["id"], values)
    assert len(caught.value.faults) == 2
    assert len(campaign.pending) == 4
    told = campaign.tell(batch["id"], values, strict=False)
    assert told.recorded == (batch["id"][0], batch["id"][2])
    assert len(told.faults) == 2
    assert list(campaign.pending["id"]) == [batch["id"][1], batch["id"][3]]


def test_messages_are_cut_and_writable(campaign):
    batch = campaign.pending
    campaign.tell(batch["id"][0], status="failed", message="x" * 5000)
    campaign.tell(batch["id"][1], status="failed", message="half \udcff a character\n☃")
    messages = Campaign.open(campaign.folder).queries["message"]
    assert len(messages[0]) == 2000
    assert messages[1] == "half ? a character\n☃"


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3)
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cells=st.lists(CELLS, min_size=5, max_size=5), errors=CELLS, cost=CELLS)
def test_whatever_a_cell_holds_it_is_a_number_or_a_fault(cells, errors, cost):
    queries = Queries(Problem(Space.from_mapping(SPACE), outputs_from_mapping(OUTPUTS)))
    points = [{"id": name, "origin": "initial", "x": [200.5, 0.0101]} for name in IDS]
    queries.add([{"event": "ask", "round": 1, "memory": {}, "strategy": "sobol", "points": points}])
    values = {"mu": [1.0] * 5, "xsec": cells}
    results, told = check_results(
        queries, IDS, values, y_err={"xsec": [errors] * 5}, cost=[cost] * 5
    )
    assert len(told.recorded) + len({f.pointer for f in told.faults}) == 5
    assert all(math.isfinite(result["values"]["xsec"]) for result in results)
