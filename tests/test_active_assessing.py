"""The stated error of campaigns: what it is, what judges it, and what never does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_campaign import Believing, FakeCampaign

from limen.active.assessing import assess
from limen.confidence import wilson_interval
from limen.errors import UsageError


def along(history, points):
    """Believe P(below) to be the first coordinate."""
    return points[:, 0]


def surely(history, points):
    """Believe for sure that the left half is above the threshold and the right half below."""
    return (points[:, 0] > 0.5) * 0.98 + 0.01


@pytest.fixture
def make():
    """Make a campaign that believes something."""

    def campaign(below, **options):
        return FakeCampaign(lambda problem: Believing(problem, below), **options)

    return campaign


GRID = np.column_stack([np.linspace(0.05, 0.95, 10), np.full(10, 0.5)])
# Below the threshold 0 in the right half.
TRUTH = 0.5 - GRID[:, 0]


def test_the_mass_is_the_mean_of_the_smaller_probability_over_the_prior(make):
    campaign = make(along)
    campaign.round(GRID, TRUTH)
    (label,) = assess(campaign).labels
    assert label.mass == pytest.approx(0.25, abs=1e-3)
    assert label.below == pytest.approx(0.5, abs=1e-3)


def test_the_mass_is_of_the_prior_and_not_of_the_box(make):
    space = {"m": {"range": [0.0, 1.0], "prior": ["normal", 0.0, 0.1]}, "g": [0.0, 1.0]}
    campaign = make(along, space=space)
    campaign.round(GRID, TRUTH)
    # The mean of a half-normal density.
    assert assess(campaign).mass == pytest.approx(0.1 * np.sqrt(2 / np.pi), abs=1e-3)


def test_a_campaign_that_knows_nothing_is_a_coin_toss(make):
    found = assess(make(along))
    assert found.mass == 0.5
    assert "coin toss" in found.notes[0]


def test_reserved_points_are_never_learnt_from(make):
    campaign = make(surely)
    campaign.round(GRID, TRUTH, origin=["acquired", "reserved"] * 5)
    campaign.round(GRID[:, ::-1], TRUTH, origin=["reserved", "acquired"] * 5)
    assess(campaign)
    assert campaign.strategy.shown
    assert not any(history.reserved.any() for history in campaign.strategy.shown)


def test_the_accuracy_is_that_on_the_reserved_points_with_its_interval(make):
    campaign = make(surely)
    campaign.round(GRID, TRUTH)
    places = np.column_stack([[0.1, 0.2, 0.3, 0.9], np.full(4, 0.2)])
    campaign.round(places, [0.4, 0.3, -0.2, -0.4], origin="reserved")
    found = assess(campaign)
    (label,) = found.labels
    value, (low, high) = label.accuracy
    assert (value, label.reserved.n) == (0.75, 4)
    wrong = wilson_interval(1, 4)
    assert (low, high) == pytest.approx((1 - wrong[1], 1 - wrong[0]))
    assert label.reserved.predicted == pytest.approx(0.01)
    assert "4 points drawn from the prior" in found.population


def test_a_failed_or_pending_reserved_point_judges_nothing(make):
    campaign = make(surely)
    campaign.round(GRID, TRUTH)
    campaign.round(GRID[:3], status=["failed", "invalid", "pending"], origin="reserved")
    (label,) = assess(campaign).labels
    assert label.reserved.n == 0
    assert label.to_dict()["accuracy"] == {"value": None, "interval": [0.0, 1.0], "n": 0}


@pytest.mark.parametrize(
    ("bound", "judged"), [(0.2, 1), (-0.2, 0)], ids=["beyond the threshold", "short of it"]
)
def test_a_bound_judges_if_it_lies_beyond_the_threshold(make, bound, judged):
    campaign = make(surely)
    campaign.round(GRID, TRUTH)
    campaign.round([[0.1, 0.1]], [bound], origin="reserved", status="censored")
    (label,) = assess(campaign).labels
    assert (label.reserved.n, label.reserved.seen == 0.0) == (judged, bool(judged))


def test_a_point_left_out_is_foretold_by_a_surrogate_that_has_not_seen_it(make):
    def peeking(history, points):
        seen = {tuple(row) for row in history.points.round(9)}
        return [0.9 if tuple(row) in seen else 0.2 for row in points.round(9)]

    campaign = make(peeking)
    campaign.round(GRID, np.full(10, 1.0))
    (label,) = assess(campaign).labels
    assert (label.left_out.n, label.left_out.seen) == (10, 0.0)
    assert label.left_out.predicted == pytest.approx(0.2)


def test_rows_of_a_bundle_are_not_foretold_but_always_there(make):
    campaign = make(surely, warm=([[0.3, 0.3], [0.7, 0.7]], [[0.2], [-0.2]]))
    campaign.round(GRID, TRUTH)
    (label,) = assess(campaign).labels
    assert label.left_out.n == 10
    assert min(len(history.points) for history in campaign.strategy.shown) >= 2 + 9


def test_what_is_seen_beyond_chance_is_said_to_be_believed(make):
    campaign = make(surely)
    campaign.round(GRID, TRUTH)
    campaign.round(GRID[:5], np.full(5, -1.0), origin="reserved")
    (note,) = assess(campaign).notes
    assert "0.01 foretold and 1 seen wrong on 5 reserved points" in note


def test_a_threshold_that_nothing_crossed_is_noted(make):
    campaign = make(surely)
    campaign.round(GRID, np.full(10, 1.0))
    (note,) = assess(campaign).notes
    assert note.startswith("y at 0: no value told lies on the other side")


def test_labels_changed_are_counted_round_by_round(make):
    def learning(history, points):
        return points[:, 0] < 0.1 * len(history.points) / 5

    campaign = make(learning)
    for _ in range(4):
        campaign.round(np.random.default_rng(0).random((5, 2)), np.arange(5) - 2.0)
    (label,) = assess(campaign).labels
    assert label.changed == pytest.approx((0.1, 0.1, 0.1), abs=1e-3)


def test_every_output_and_threshold_has_its_error(make):
    outputs = {"observed": {"threshold": [0.05, 0.1], "scale": "log"}, "expected": {"threshold": 1}}
    campaign = make(along, outputs=outputs)
    campaign.round(GRID, np.column_stack([np.linspace(0.01, 0.2, 10), np.arange(10.0) - 4]))
    labels = assess(campaign).labels
    named = [(label.output, label.threshold, label.crossed) for label in labels]
    assert named == [
        ("observed", 0.05, True),
        ("observed", 0.1, True),
        ("expected", 1.0, True),
    ]


def test_the_same_campaign_has_the_same_error(make):
    found = []
    for _ in range(2):
        campaign = make(surely)
        campaign.round(GRID, TRUTH, origin=["acquired", "reserved"] * 5)
        found.append(assess(campaign).to_dict())
    assert found[0] == found[1]


def test_a_sample_of_nothing_is_refused(make):
    with pytest.raises(UsageError, match=r"assess: found sample 0, rounds 3"):
        assess(make(along), sample=0)


def test_of_a_pool_the_members_are_judged_and_not_the_space_between_them(make):
    campaign = make(along)
    pool = np.column_stack([[0.1, 0.2, 0.9], np.full(3, 0.5)])
    campaign.problem = replace(campaign.problem, pool=pool)
    campaign.round(GRID, TRUTH)
    found = assess(campaign)
    assert found.mass == pytest.approx((0.1 + 0.2 + 0.1) / 3)
    assert found.sample == 3
    assert "of the 3 members of the pool" in found.population


def test_of_a_pool_larger_than_the_sample_the_same_random_members_are_judged(make):
    campaign = make(along)
    pool = np.random.default_rng(3).random((500, 2))
    campaign.problem = replace(campaign.problem, pool=pool)
    campaign.round(GRID, TRUTH)
    found = assess(campaign, sample=400)
    assert found.sample == 400
    assert found.mass == pytest.approx(np.minimum(pool[:, 0], 1 - pool[:, 0]).mean(), abs=0.02)
    assert found.mass == assess(campaign, sample=400).mass
