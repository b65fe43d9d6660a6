"""
When a campaign may stop: rules, each a function of the campaign that gives a reason or None.

No rule speaks before values lie on both sides of every threshold: until then a surrogate's small
error is an opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from limen.active.assessing import (
    SAMPLE,
    assess,
    changed_share,
    history_after,
    is_crossed,
    label_places,
    labels_after,
    misclassified_mass,
)
from limen.active.assessments import Assessment
from limen.errors import UsageError

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = [
    "Assessment",
    "Rule",
    "assess",
    "budget",
    "first_of",
    "mass_below",
    "unchanged_for",
]

Rule = Callable[["Campaign"], "str | None"]


def mass_below(eps: float, *, sample: int = SAMPLE) -> Rule:
    """
    Stop when the expected misclassified prior mass of every label is below ``eps``.

    Examples
    --------
    >>> mass_below(0.7)
    Traceback (most recent call last):
    ...
    limen.errors.UsageError: mass_below: found 0.7, allowed above 0 and below 0.5
    """
    if not 0.0 < eps < 0.5:
        raise UsageError(f"mass_below: found {eps:g}, allowed above 0 and below 0.5")

    def rule(campaign: Campaign) -> str | None:
        history = history_after(campaign)
        estimate = labels_after(campaign, None, sample)[1]
        places = label_places(campaign)
        crossed = all(is_crossed(history, j, level) for j, _, level in places)
        mass = max((misclassified_mass(estimate, j, k) for j, k, _ in places), default=1.0)
        if not crossed or mass >= eps:
            return None
        return f"expected misclassified prior mass {mass:.3g} is below {eps:g}"

    return rule


def unchanged_for(rounds: int, *, share: float = 1e-3, sample: int = SAMPLE) -> Rule:
    """
    Stop when at most a share of the labels changed in each of the last rounds.

    Parameters
    ----------
    rounds : int
    share : float
        Of the fixed sample of the prior.
    """
    if rounds < 1 or not 0.0 <= share < 1.0:
        raise UsageError(
            f"unchanged_for: found {rounds} rounds and share {share:g}, allowed 1 and above, and "
            "0 to 1"
        )

    def rule(campaign: Campaign) -> str | None:
        now = campaign.history().asks
        places = label_places(campaign)
        history = history_after(campaign)
        if now < rounds or not places:
            return None
        if not all(is_crossed(history, j, level) for j, _, level in places):
            return None
        estimates = [labels_after(campaign, now - back, sample)[1] for back in range(rounds, 0, -1)]
        estimates.append(labels_after(campaign, None, sample)[1])
        for before, after in pairwise(estimates):
            if max(changed_share(before, after, j, k) for j, k, _ in places) > share:
                return None
        return f"at most {share:g} of the labels changed in each of the last {rounds} rounds"

    return rule


def budget(points: int) -> Rule:
    """Stop when so many points have been asked, failed ones included."""
    if points < 1:
        raise UsageError(f"budget: found {points}, allowed 1 and above")

    def rule(campaign: Campaign) -> str | None:
        asked = campaign.history().asked
        return f"{asked} points asked of a budget of {points}" if asked >= points else None

    return rule


def first_of(*rules: Rule) -> Rule:
    """Stop when the first of some rules says so."""

    def rule(campaign: Campaign) -> str | None:
        return next((reason for each in rules if (reason := each(campaign))), None)

    return rule
