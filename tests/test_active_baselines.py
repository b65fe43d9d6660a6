"""The baselines: admissible points, no repeats, an end, and the same points for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from limen.active import Campaign
from limen.active.outputs import outputs_from_mapping
from limen.active.problem import History, Problem
from limen.active.spaces import Space
from limen.active.strategies import build
from limen.errors import CampaignError, UsageError

DESIGNS = ("sobol", "latin-hypercube", "random", "grid")
BOX = {"a": [0.0, 1.0], "b": {"range": [1e-3, 1.0], "scale": "log"}}
SMALL = {"a": {"values": [1, 2, 3]}, "b": {"values": [0.1, 0.2, 0.4, 0.8], "scale": "log"}}
MIXED = {"a": {"values": [1, 2, 3]}, "b": [0.0, 1.0]}


def run(name, space, batches, *, constraints=(), seed=0, **options):
    """Ask a design for batches; give the history behind each."""
    problem = Problem(Space.from_mapping(space, constraints), outputs_from_mapping({"y": {}}))
    strategy = build(name, problem, options)
    points, memory = np.empty((0, problem.d)), {}
    for number, n in enumerate(batches):
        # Every other point is told, the rest pending.
        told, left = points[::2], points[1::2]
        history = History.of(told, np.zeros((len(told), 1)), pending=left, asks=number)
        proposal = strategy.propose(history, n, np.random.default_rng([seed, number]), memory)
        assert len(proposal.points) == len(proposal.acquisition) == len(proposal.origin)
        points, memory = np.vstack([points, proposal.points]), dict(proposal.memory)
    return problem.space, points


def distinct(points):
    """Count points that differ."""
    return len(np.unique(points.round(9), axis=0))


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("space", [BOX, MIXED], ids=["box", "mixed"])
def test_designs_give_admissible_points_once(name, space):
    made, points = run(name, space, [7, 1, 13, 40], constraints=["a < 2.5", "b < 0.6"])
    assert len(points) == distinct(points) == 61
    assert made.admissible(points).all()
    assert np.array_equal(made.snap(points), points)


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_exhaust_a_discrete_space(name):
    _, points = run(name, SMALL, [5, 5, 5, 5])
    assert len(points) == distinct(points) == 12


@pytest.mark.parametrize("name", DESIGNS)
def test_the_same_seed_gives_the_same_points(name):
    runs = [run(name, BOX, [5, 6], seed=seed)[1] for seed in (1, 1, 2)]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2]) == (name == "grid")


@pytest.mark.parametrize("name", ["sobol", "latin-hypercube", "random"])
def test_designs_are_samples_of_the_prior(name):
    space = {"a": {"range": [0.0, 1.0], "prior": ["normal", 0.3, 0.05]}, "b": [0.0, 1.0]}
    _, points = run(name, space, [200, 200])
    assert points.mean(axis=0) == pytest.approx([0.3, 0.5], abs=0.04)
    assert points[:, 0].std() == pytest.approx(0.05, rel=0.15)


def test_a_latin_hypercube_has_one_point_in_each_row():
    _, points = run("latin-hypercube", BOX, [16])
    for column in points.T:
        assert sorted((column * 16).astype(int)) == list(range(16))


def test_a_sobol_sequence_goes_on_from_batch_to_batch():
    _, parts = run("sobol", BOX, [3, 5, 8])
    _, whole = run("sobol", BOX, [16])
    assert np.array_equal(parts, whole)


def test_a_grid_gets_finer_and_a_grid_of_one_edge_ends():
    _, points = run("grid", BOX, [4, 5, 16])
    assert distinct(points[:4]) == 4
    assert set(np.unique(points[:4])) == {0.0, 1.0}
    assert set(np.unique(points[:9])) == {0.0, 0.5, 1.0}
    assert set(np.unique(points)) == {0.0, 0.25, 0.5, 0.75, 1.0}
    _, points = run("grid", BOX, [4, 50], edge=3)
    assert len(points) == 9


def test_a_grid_of_too_many_nodes_is_refused():
    space = {f"p{i}": [0.0, 1.0] for i in range(8)}
    with pytest.raises(
        UsageError, match=r"a grid of 1e\+08 nodes \(8 parameters\), allowed 1e\+07"
    ):
        run("grid", space, [1], edge=10)
    _, points = run("grid", space, [300])
    assert distinct(points) == 300


@pytest.mark.parametrize("edge", [1, 0, 2.5, "3", True])
def test_a_grid_of_no_sensible_edge_is_refused(edge):
    with pytest.raises(UsageError, match="strategy grid: found edge"):
        run("grid", BOX, [1], edge=edge)


def test_a_grid_of_a_pool_is_refused(tmp_path):
    with pytest.raises(UsageError, match="strategy grid: found a pool"):
        Campaign.start(
            tmp_path / "c",
            space=BOX,
            outputs={"y": {}},
            strategy="grid",
            pool={"a": [0.5], "b": [0.5]},
        )


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("reserve", [0.0, 0.3])
def test_a_campaign_ends_when_no_point_is_left(tmp_path, name, reserve):
    campaign = Campaign.start(
        tmp_path / "c", space=SMALL, outputs={"y": {}}, strategy=name, reserve=reserve
    )
    while len(campaign.queries[["a", "b"]].drop_duplicates()) < 12:
        assert 1 <= len(campaign.ask(5)) <= 5
    asked = len(campaign.queries)
    with pytest.raises(CampaignError, match=f"strategy {name} has no point left to ask"):
        campaign.ask(5)
    table = campaign.queries
    assert len(table) == asked
    chosen = table[table["origin"] != "reserved"]
    assert not chosen[["a", "b"]].duplicated().any()
    assert len(table[["a", "b"]].drop_duplicates()) == 12
