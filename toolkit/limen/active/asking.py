"""The next points of a campaign: reserved ones first, then what the strategy proposes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.active import definitions
from limen.active.keys import keys
from limen.active.problem import History, Problem, Proposal
from limen.active.streaming import taken_keys, untaken
from limen.errors import CampaignError

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["next_event", "seen_problem", "set_aside"]

Floats = NDArray[np.float64]

# Apart from the streams of the strategies and of the stated error.
_RESERVED = 90_001


def next_event(
    campaign: Campaign, history: History, n: int, *, number: int, reserved: int
) -> dict[str, Any]:
    """
    Make the event of an ask.

    Parameters
    ----------
    campaign : Campaign
    history : History
    n : int
    number : int
        Number of the ask, from 1.
    reserved : int
        Points reserved so far.

    Returns
    -------
    dict

    Raises
    ------
    CampaignError
        If no point is left.
    """
    problem = campaign.problem
    kept = _reserved(campaign, history, n, reserved)
    rng = np.random.default_rng([campaign.seed, number])
    taken = replace(history, pending=np.vstack([history.pending, kept]))
    rest = n - len(kept)
    if rest:
        proposal = campaign.strategy.propose(taken, rest, rng, campaign.memory)
        # A reserved point of a discrete space may have been asked before: alone it has no end.
        if not len(proposal.points) and (problem.pool is None or not len(kept)):
            raise CampaignError(
                f"{campaign.folder}: strategy {campaign.strategy.name} has no point left to ask; "
                f"tell the {len(history.pending)} pending ones, or end the campaign"
            )
    else:
        nothing = np.empty((0, problem.d))
        proposal = Proposal(nothing, np.empty(0), (), dict(campaign.memory))
    u = np.vstack([kept, proposal.points])
    origins = ["reserved"] * len(kept) + list(proposal.origin)
    values = [None] * len(kept) + [_finite(value) for value in proposal.acquisition]
    x = _physical(campaign, u)
    points = [
        {"id": f"{campaign.id}-{history.asked + 1 + i:06d}", "x": x[i].tolist()}
        | {"origin": origins[i]}
        | ({} if values[i] is None else {"acquisition": values[i]})
        for i in range(len(u))
    ]
    return {
        "event": "ask",
        "round": number,
        "at": definitions.now(),
        "strategy": campaign.strategy.name,
        "points": points,
        "memory": dict(proposal.memory),
    }


def _reserved(campaign: Campaign, history: History, n: int, before: int) -> Floats:
    """Give the reserved points of an ask: the next ones of a stream of their own."""
    # A rounding error must not cost a point.
    wanted = int(campaign.document["reserve"] * (history.asked + n) + 1e-9)
    more = min(max(wanted - before, 0), n)
    problem = campaign.problem
    if problem.pool is not None:
        return campaign.set_aside[before : before + more]
    if not more:
        return np.empty((0, problem.d))
    seeds = [campaign.seed, _RESERVED]
    return problem.space.snap(problem.space.sobol(more, seeds, start=before))


def set_aside(campaign: Campaign) -> Floats:
    """
    Choose the members of a pool that are reserved, in the order in which they will be asked.

    No strategy sees them: what it took before would be missing from the sample.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    ndarray, shape (n, d)
        Unit coordinates; none without a pool.
    """
    pool = campaign.problem.pool
    if pool is None:
        return np.empty((0, campaign.problem.d))
    order = np.random.default_rng([campaign.seed, _RESERVED]).permutation(pool)
    order = order[untaken(order, taken_keys(campaign.history(0)))]
    return np.asarray(order[: int(campaign.document["reserve"] * len(order) + 1e-9)])


def seen_problem(campaign: Campaign) -> Problem:
    """Give the problem as strategies see it: of a pool what is not reserved."""
    problem = campaign.problem
    if problem.pool is None or not len(campaign.set_aside):
        return problem
    free = untaken(problem.pool, np.unique(keys(campaign.set_aside)))
    return replace(problem, pool=problem.pool[free])


def _physical(campaign: Campaign, u: Floats) -> Floats:
    """Give points in their units; members of a pool to the last bit as they were given."""
    problem = campaign.problem
    if problem.pool is None or campaign.pool is None:
        return problem.space.to_physical(u)
    known = keys(problem.pool)
    order = np.argsort(known, kind="stable")
    places = order[np.searchsorted(known, keys(u), sorter=order)]
    return np.asarray(campaign.pool[places])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
