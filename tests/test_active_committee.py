"""Query by committee: scores, proposals from pools of any size, and probabilities."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limen.active.keys import keys
from limen.active.outputs import outputs_from_mapping
from limen.active.problem import FAILED, OK, History, Problem
from limen.active.spaces import Space
from limen.active.strategies import build
from limen.active.strategies.committee import Committee, disagreement
from limen.errors import UsageError

pytest.importorskip("torch")

QUICK = {"layers": [48, 24], "steps": 150, "epochs": 10, "batch": 64, "members": 8}
QUICK |= {"candidates": 2000, "initial": 60, "dropout": 0.1}
# Where the quality of what is learnt is judged; the strategy itself takes 1600 steps.
THOROUGH = QUICK | {"steps": 1000}


def value(u):
    return u[:, 0] + 0.3 * np.sin(5 * u[:, 1])


def problem_of(pool=None, **outputs):
    space = Space.from_mapping({"x": (0.0, 1.0), "y": (0.0, 1.0)})
    return Problem(space, outputs_from_mapping(outputs or {"f": {"threshold": 0.6}}), pool)


@pytest.fixture(scope="module")
def told():
    points = problem_of().space.sobol(150, 0)
    return History.of(points, value(points), asks=1)


@pytest.fixture(scope="module")
def proposed(told):
    strategy = Committee(problem_of(), **QUICK)
    return strategy, strategy.propose(told, 50, np.random.default_rng(0), {})


def test_scores_tell_disagreement_from_indecision():
    agree, split, sure = [0.5, 0.5], [0.05, 0.95], [0.95, 0.95]
    votes = np.array([agree, split, sure]).T[:, :, None]
    nearest, bald, vote = (disagreement(votes, s) for s in ("nearest", "bald", "vote"))
    assert nearest[0] == nearest[1] == 1.0
    assert nearest[2] == pytest.approx(0.1)
    assert bald[1] > 0.5
    assert bald[0] == pytest.approx(0.0, abs=1e-12) == bald[2]
    assert vote[1] > vote[0] > vote[2]


def test_the_released_score_stays_finite_where_members_agree():
    votes = np.full((5, 4, 1), 0.5)
    votes[:, 1:] = 0.8
    found = disagreement(votes, "vote")
    assert np.isfinite(found).all()
    assert found[0] > found[1]


def test_the_most_disputed_label_counts():
    votes = np.array([[[0.9, 0.1]], [[0.9, 0.9]]])
    assert disagreement(votes, "bald") == disagreement(votes[..., 1:], "bald")


def test_points_are_proposed_near_the_contour(told, proposed):
    _, proposal = proposed
    acquired = proposal.points[np.array(proposal.origin) == "acquired"]
    assert len(acquired) == 45
    apart = np.abs(value(acquired) - 0.6)
    assert np.median(apart) < 0.4 * np.median(np.abs(told.values[:, 0] - 0.6))


def test_a_share_is_random_and_flagged(proposed):
    strategy, proposal = proposed
    assert proposal.origin.count("random") == 5
    assert np.isnan(proposal.acquisition[45:]).all()
    assert (proposal.acquisition[:45] >= 0).all()
    first = strategy.propose(History.of(np.empty((0, 2)), []), 60, np.random.default_rng(0), {})
    assert set(first.origin) == {"initial"}


def test_the_same_arguments_give_the_same_bits(told, proposed):
    strategy, proposal = proposed
    again = strategy.propose(told, 50, np.random.default_rng(0), {})
    assert np.array_equal(again.points, proposal.points)
    assert json.dumps(again.memory) == json.dumps(proposal.memory)


def test_told_and_pending_points_are_not_proposed(told, proposed):
    strategy, proposal = proposed
    waiting = History.of(told.points, told.values, pending=proposal.points, asks=2)
    more = strategy.propose(waiting, 50, np.random.default_rng(0), proposal.memory)
    known = keys(np.vstack([told.points, proposal.points]))
    assert not np.isin(keys(more.points), known).any()


def test_a_large_pool_is_scored_whole_and_in_blocks(told):
    rng = np.random.default_rng(0)
    pool = np.vstack([problem_of().space.draw(40_000, rng), told.points])
    # The only points near the contour come last, where a sample of the pool would miss them.
    far = np.abs(value(pool) - 0.6) > 0.25
    pool = np.vstack([pool[far], pool[~far][:40]])
    strategy = Committee(problem_of(pool), **(THOROUGH | {"random_share": 0.0}))
    proposal = strategy.propose(told, 30, np.random.default_rng(1), {})
    assert np.isin(keys(proposal.points), keys(pool)).all()
    assert (np.abs(value(proposal.points) - 0.6) < 0.25).mean() > 0.9


def test_several_networks_are_a_committee_too(told):
    options = QUICK | {"members": 3, "dropout": 0.0, "score": "bald", "diversity": True}
    strategy = Committee(problem_of(), committee="networks", **options)
    proposal = strategy.propose(told, 20, np.random.default_rng(0), {})
    assert len(proposal.memory["networks"]) == 3
    assert len(np.unique(keys(proposal.points))) == 20
    acquired = proposal.points[np.array(proposal.origin) == "acquired"]
    assert np.median(np.abs(value(acquired) - 0.6)) < 0.2


def test_training_can_go_on_from_the_last_round(told, proposed):
    _, proposal = proposed
    options = QUICK | {"steps": 1, "epochs": 1, "rate": 1e-5}
    fresh = np.random.default_rng(7).random((400, 2))
    right = []
    for again in (True, False):
        strategy = Committee(problem_of(), fresh=again, **options)
        below = strategy.estimate(told, fresh, proposal.memory).below[0][:, 0] > 0.5
        right.append((below == (value(fresh) < 0.6)).mean())
    assert right[1] > 0.9
    assert right[1] > right[0] + 0.1


def test_probabilities_are_right_and_honest(told):
    strategy = Committee(problem_of(), **THOROUGH)
    fresh = np.random.default_rng(7).random((2000, 2))
    p = strategy.estimate(told, fresh, {}).below[0][:, 0]
    right = (p > 0.5) == (value(fresh) < 0.6)
    assert right.mean() > 0.93
    expected, found = np.minimum(p, 1 - p).mean(), 1 - right.mean()
    assert abs(expected - found) < 0.04


def test_several_thresholds_and_outputs_are_learnt_together():
    problem = problem_of(f={"threshold": [0.4, 0.8]}, g={"threshold": 0.5})
    points = problem.space.sobol(200, 0)
    values = np.column_stack([value(points), points[:, 1]])
    values[::4, 1] = np.nan
    strategy = Committee(problem, **QUICK)
    fresh = np.random.default_rng(7).random((500, 2))
    found = strategy.estimate(History.of(points, values), fresh, {})
    low, high = found.below[0].T
    assert (low <= high).all()
    assert ((low > 0.5) == (value(fresh) < 0.4)).mean() > 0.9
    assert ((found.below[1][:, 0] > 0.5) == (fresh[:, 1] < 0.5)).mean() > 0.9


def test_broken_points_lower_the_score_where_they_lie(told):
    broken = told.points[:, 1] > 0.5
    values = np.where(broken[:, None], np.nan, told.values)
    status = np.where(broken, FAILED, OK).astype(np.int8)
    history = History.of(told.points, values, status=status)
    strategy = Committee(problem_of(), **QUICK)
    proposal = strategy.propose(history, 50, np.random.default_rng(0), {})
    acquired = proposal.points[np.array(proposal.origin) == "acquired"]
    assert (acquired[:, 1] > 0.55).mean() < 0.2


def test_one_sided_labels_are_answered_with_more_of_the_design():
    problem = problem_of(f={"threshold": 99.0})
    points = problem.space.sobol(100, 0)
    strategy = Committee(problem, **QUICK)
    proposal = strategy.propose(History.of(points, value(points)), 10, np.random.default_rng(0), {})
    assert set(proposal.origin) == {"initial"}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"committee": "elders"}, "committee: found 'elders'"),
        ({"score": "best"}, "score: found 'best'"),
        ({"members": 1}, "members: found 1, allowed 2"),
        ({"dropout": 0.0}, "above 0 for a committee by dropout"),
        ({"random_share": -1}, "random_share: found -1"),
    ],
)
def test_options_that_are_not_allowed_are_refused(options, match):
    with pytest.raises(UsageError, match=match):
        build("committee", problem_of(), options)


def test_an_output_without_threshold_has_no_label():
    with pytest.raises(UsageError, match="found no threshold"):
        Committee(problem_of(f={}))
