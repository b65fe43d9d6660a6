"""The history of a campaign's first rounds, put together from its table of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from limen.active.problem import STATUSES, History

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["campaign_history"]


def campaign_history(campaign: Campaign, rounds: int | None = None) -> History:
    """
    What is known by now of the points of the first rounds.

    Parameters
    ----------
    campaign : Campaign
    rounds : int, optional
        All of them by default.

    Returns
    -------
    History
        Warm rows first, then the told points in the order of asking, whenever they were told:
        the same for the same answers. None is pending.
    """
    problem, warm = campaign.problem, _warm(campaign.history())
    table = campaign.queries
    told = table[table["status"].isin(STATUSES)]
    if rounds is not None:
        told = told[told["round"] <= rounds]
    names, outputs = problem.space.names, problem.outputs
    points = problem.space.to_unit(told[names].to_numpy(np.float64))
    values = np.empty((len(told), problem.m))
    errors = np.zeros((len(told), problem.m))
    for j, output in enumerate(outputs):
        y = told[output.name].to_numpy(np.float64)
        values[:, j] = output.to_model(y)
        if f"{output.name}_err" in told:
            stated = told[f"{output.name}_err"].to_numpy(np.float64)
            errors[:, j] = np.nan_to_num(output.error_to_model(y, stated), nan=0.0)
    status = told["status"].map(STATUSES.index).to_numpy(np.int8)
    asked = len(table) if rounds is None else int((table["round"] <= rounds).sum())
    return History(
        points=np.vstack([warm.points, points]),
        values=np.vstack([warm.values, values]),
        errors=np.vstack([warm.errors, errors]),
        status=np.concatenate([warm.status, status]),
        reserved=np.concatenate([warm.reserved, (told["origin"] == "reserved").to_numpy(bool)]),
        fidelity=np.concatenate([warm.fidelity, told["fidelity"].to_numpy(np.int8)]),
        pending=np.empty((0, problem.d)),
        asks=int(told["round"].max()) if len(told) else 0,
        asked=asked,
        warm=warm.warm,
    )


def _warm(history: History) -> History:
    """Take the rows that came from a bundle or an approximation."""
    first = np.arange(len(history.points)) < history.warm
    return history.rows(first)
