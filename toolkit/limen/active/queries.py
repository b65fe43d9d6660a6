"""The points that a campaign asked, and what became of them: the state that the log adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.active.problem import STATUSES, History, Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PENDING", "Queries", "Query"]

PENDING = "pending"


@dataclass(slots=True)
class Query:
    """
    One asked point.

    Attributes
    ----------
    id : str
    round : int
        Number of the ask, from 1.
    strategy : str
    origin : str
        ``initial``, ``acquired``, ``random`` or ``reserved``.
    x : tuple of float
        Parameters in their units.
    acquisition : float or None
    status : str
        ``pending`` or one of ``STATUSES``.
    values, errors : dict of str to float
        By output, in its unit.
    message : str
        Reason of a failure.
    cost : float or None
    task : str
        Task of a production system that has the point.
    """

    id: str
    round: int
    strategy: str
    origin: str
    x: tuple[float, ...]
    acquisition: float | None = None
    status: str = PENDING
    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    message: str = ""
    cost: float | None = None
    task: str = ""


class Queries:
    """
    All queries of a campaign, by id, in the order of asking.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.by_id: dict[str, Query] = {}
        self.asks = 0
        self.memory: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in events of the log."""
        for event in events:
            if event["event"] == "ask":
                self._ask(event)
            elif event["event"] == "tell":
                for result in event["results"]:
                    self._tell(result)
            elif event["event"] == "submitted":
                for name in event["ids"]:
                    self.by_id[name].task = event["task"]

    def _ask(self, event: Mapping[str, Any]) -> None:
        self.asks, self.memory = event["round"], event["memory"]
        for point in event["points"]:
            self.by_id[point["id"]] = Query(
                id=point["id"],
                round=event["round"],
                strategy=event["strategy"],
                origin=point["origin"],
                x=tuple(point["x"]),
                acquisition=point.get("acquisition"),
            )

    def _tell(self, result: Mapping[str, Any]) -> None:
        query = self.by_id[result["id"]]
        query.status = result["status"]
        query.values = dict(result.get("values", {}))
        query.errors = dict(result.get("errors", {}))
        query.message = result.get("message", "")
        query.cost = result.get("cost", query.cost)

    def pending(self) -> list[Query]:
        """Asked and not yet told."""
        return [query for query in self.by_id.values() if query.status == PENDING]

    def failed(self) -> list[Query]:
        """Evaluated without success; another try may have it."""
        return [query for query in self.by_id.values() if query.status == STATUSES[1]]

    def counts(self) -> dict[str, int]:
        """Numbers of points by status."""
        found = dict.fromkeys((*STATUSES, PENDING), 0)
        for query in self.by_id.values():
            found[query.status] += 1
        return found

    def failures(self, most: int) -> dict[str, int]:
        """Count the reasons why points have no value; the most frequent ones."""
        found = Counter(
            query.message.splitlines()[0] if query.message else query.status
            for query in self.by_id.values()
            if query.status in ("failed", "invalid")
        )
        return dict(found.most_common(most))

    def frame(self, listed: Sequence[Query], *, task: bool = False) -> pd.DataFrame:
        """Give points as a table: id, parameters in their units, and where wanted the task."""
        import pandas as pd

        x = self._points(listed)
        columns: dict[str, Any] = {"id": [query.id for query in listed]}
        columns |= {name: x[:, i] for i, name in enumerate(self.problem.space.names)}
        if task:
            columns["task"] = [query.task for query in listed]
        return pd.DataFrame(columns)

    def table(self) -> pd.DataFrame:
        """Give all queries as a table; a number that is not there is NaN."""
        import pandas as pd

        listed = list(self.by_id.values())
        columns: dict[str, Any] = {
            "id": [query.id for query in listed],
            "round": np.array([query.round for query in listed], dtype=np.int64),
            "strategy": [query.strategy for query in listed],
            "origin": [query.origin for query in listed],
            "fidelity": np.zeros(len(listed), dtype=np.int64),
            "status": [query.status for query in listed],
        }
        x = self._points(listed)
        columns |= {name: x[:, i] for i, name in enumerate(self.problem.space.names)}
        for output in self.problem.outputs:
            name = output.name
            columns[name] = _numbers(query.values.get(name) for query in listed)
            if any(name in query.errors for query in listed):
                columns[f"{name}_err"] = _numbers(query.errors.get(name) for query in listed)
        columns["acquisition"] = _numbers(query.acquisition for query in listed)
        columns["cost"] = _numbers(query.cost for query in listed)
        columns["message"] = [query.message for query in listed]
        columns["task"] = [query.task for query in listed]
        return pd.DataFrame(columns)

    def _points(self, listed: Sequence[Query]) -> np.ndarray[Any, Any]:
        x = np.array([query.x for query in listed], dtype=np.float64)
        return x.reshape(len(listed), self.problem.d)

    def history(self, warm: History, rounds: int | None = None) -> History:
        """
        Give what is known: warm rows, then told points in the order of asking; and pending ones.

        Parameters
        ----------
        warm : History
        rounds : int, optional
            Only points of the first rounds, and none pending: what would be known by now if the
            campaign had ended then. All by default.

        Returns
        -------
        History
            The same for the same results, in whatever order they were told.
        """
        space, outputs = self.problem.space, self.problem.outputs
        listed = [q for q in self.by_id.values() if rounds is None or q.round <= rounds]
        told = [query for query in listed if query.status != PENDING]
        left = [query for query in listed if query.status == PENDING and rounds is None]
        values = np.full((len(told), self.problem.m), np.nan)
        errors = np.zeros((len(told), self.problem.m))
        for j, output in enumerate(outputs):
            y = _numbers(query.values.get(output.name) for query in told)
            stated = _numbers(query.errors.get(output.name, 0.0) for query in told)
            values[:, j] = output.to_model(y)
            errors[:, j] = np.nan_to_num(output.error_to_model(y, stated), nan=0.0)
        status = np.array([STATUSES.index(query.status) for query in told], dtype=np.int8)
        reserved = np.array([query.origin == "reserved" for query in told], dtype=bool)
        return History(
            points=np.vstack([warm.points, space.to_unit(self._points(told))]),
            values=np.vstack([warm.values, values]),
            errors=np.vstack([warm.errors, errors]),
            status=np.concatenate([warm.status, status]),
            reserved=np.concatenate([warm.reserved, reserved]),
            fidelity=np.concatenate([warm.fidelity, np.zeros(len(told), np.int8)]),
            pending=space.to_unit(self._points(left)),
            asks=self.asks if rounds is None else min(rounds, self.asks),
            asked=len(listed),
            warm=len(warm.points),
        )


def _numbers(values: Iterable[float | None]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
