"""When campaigns may stop, and when no rule may speak yet."""

from __future__ import annotations

import numpy as np
import pytest
from fake_campaign import Believing, FakeCampaign

from limen.active.stopping import budget, first_of, mass_below, unchanged_for
from limen.errors import UsageError

RNG = np.random.default_rng(3)
POINTS = RNG.random((6, 2))
CROSSING = np.array([-1.0, 1.0, 2.0, -2.0, 1.0, 1.0])


def believing(below):
    """Make a campaign that believes P(below) to be a number, or a function of the history."""
    made = below if callable(below) else lambda _, points: np.full(len(points), below)
    return FakeCampaign(lambda problem: Believing(problem, made))


def test_mass_below_speaks_when_the_mass_is_small():
    campaign = believing(0.02)
    campaign.round(POINTS, CROSSING)
    assert mass_below(0.01)(campaign) is None
    reason = mass_below(0.03)(campaign)
    assert reason == "expected misclassified prior mass 0.02 is below 0.03"


@pytest.mark.parametrize("rule", [mass_below(0.1), unchanged_for(1)], ids=["mass", "unchanged"])
def test_no_rule_speaks_before_the_threshold_is_crossed(rule):
    campaign = believing(0.001)
    for _ in range(3):
        campaign.round(RNG.random((6, 2)), np.full(6, 1.0))
    assert rule(campaign) is None
    campaign.round(RNG.random((1, 2)), [-1.0])
    assert rule(campaign) is not None


def test_a_reserved_point_crosses_no_threshold():
    campaign = believing(0.001)
    campaign.round(POINTS, np.full(6, 1.0))
    campaign.round(POINTS[:1] / 2, [-1.0], origin="reserved")
    assert mass_below(0.1)(campaign) is None


def test_unchanged_for_wants_as_many_rounds_without_a_change():
    def moving(history, points):
        # The boundary rests from the third round on.
        return points[:, 0] < min(len(history.points), 18) / 100

    campaign = believing(moving)
    spoken = []
    for _ in range(6):
        campaign.round(RNG.random((6, 2)), CROSSING)
        spoken.append(unchanged_for(2)(campaign) is not None)
    assert spoken == [False, False, False, False, True, True]


def test_rows_of_a_bundle_are_what_the_first_round_is_compared_with():
    def make(warm):
        made = FakeCampaign(
            lambda problem: Believing(problem, lambda _, points: points[:, 0]), warm=warm
        )
        made.round(POINTS, CROSSING)
        return made

    assert unchanged_for(1)(make((POINTS / 2, CROSSING[:, None]))) is not None
    assert unchanged_for(1)(make(None)) is None


def test_unchanged_for_allows_a_share_of_changes():
    campaign = believing(lambda history, points: points[:, 0] < len(history.points) / 1000)
    for _ in range(3):
        campaign.round(RNG.random((6, 2)), CROSSING)
    assert unchanged_for(2, share=0.001)(campaign) is None
    assert unchanged_for(2, share=0.01)(campaign) is not None


def test_a_budget_counts_failed_and_pending_points():
    campaign = believing(0.5)
    campaign.round(POINTS, CROSSING, status=["ok", "failed", "invalid", "pending", "ok", "failed"])
    assert budget(7)(campaign) is None
    assert budget(6)(campaign) == "6 points asked of a budget of 6"


def test_a_campaign_without_thresholds_stops_by_budget_only():
    campaign = FakeCampaign(
        lambda problem: Believing(problem, lambda _, points: points[:, 0]), outputs={"y": {}}
    )
    campaign.round(POINTS, CROSSING)
    campaign.round(RNG.random((6, 2)), CROSSING)
    assert mass_below(0.4)(campaign) is None
    assert unchanged_for(1)(campaign) is None


def test_the_first_rule_that_speaks_gives_the_reason():
    campaign = believing(0.02)
    campaign.round(POINTS, CROSSING)
    assert first_of(budget(100), mass_below(0.1))(campaign).startswith("expected misclassified")
    assert first_of(budget(100), mass_below(0.01))(campaign) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mass_below(0.5), "mass_below: found 0.5, allowed above 0 and below 0.5"),
        (lambda: unchanged_for(0), "unchanged_for: found 0 rounds"),
        (lambda: budget(0), "budget: found 0, allowed 1 and above"),
    ],
    ids=["mass", "rounds", "budget"],
)
def test_rules_that_never_or_always_speak_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()
