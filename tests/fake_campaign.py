"""A campaign in memory whose strategy has known answers: no fit, no folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from limen.active.problem import Estimate, History, Problem, outputs_from_mapping
from limen.active.queries import PENDING, Queries
from limen.active.spaces import Space

BOX = {"m": {"range": [0.0, 1000.0], "unit": "GeV"}, "g": {"range": [0.0, 1.0]}}


class Believing:
    """
    A strategy that believes what it is told to; keeps every history that it was shown.

    Parameters
    ----------
    below : callable
        (history, points) to P(below), shape (n,), for every output and threshold.
    """

    name = "level-set"

    def __init__(self, problem: Problem, below: Callable[[History, Any], Any]) -> None:
        self.problem = problem
        self.below = below
        self.shown: list[History] = []

    def estimate(self, history: History, points: Any, memory: Mapping[str, Any]) -> Estimate:
        """Give the belief."""
        self.shown.append(history)
        p = np.asarray(self.below(history, points), dtype=float)
        outputs = self.problem.outputs
        columns = tuple(np.repeat(p[:, None], len(o.thresholds), axis=1) for o in outputs)
        mean = np.repeat(0.5 - p[:, None], len(outputs), axis=1)
        return Estimate(mean, np.full(mean.shape, 0.1), columns)


class Processes:
    """A strategy that estimates by Gaussian processes of fixed numbers, one per output."""

    name = "level-set"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def posterior(self, history: History, memory: Mapping[str, Any]) -> Any:
        """Condition the processes on what is known."""
        from limen.active.surrogates.coregional import posterior_of

        known = history.rows(history.known)
        task, row = np.nonzero(np.isfinite(known.values).T)
        d, m = history.d, self.problem.m
        tasks = (2.0 * (0.4 * np.eye(m) + 0.6)).tolist()
        numbers = {
            "terms": [{"kernel": "matern", "lengths": [0.6] * d, "tasks": tasks}],
            "noise": [1e-6] * m,
            "slopes": np.full((m, d), 0.3).tolist(),
            "constants": [0.1] * m,
            "centre": np.nanmean(known.values, axis=0).tolist(),
            "scale": np.nanstd(known.values, axis=0).tolist(),
        }
        values = known.values[row, task]
        return posterior_of(
            numbers, known.points[row], task, values, np.zeros(len(values)), tuple(range(m))
        )

    def estimate(self, history: History, points: Any, memory: Mapping[str, Any]) -> Estimate:
        """Give the posterior."""
        from scipy.special import ndtr

        mean, std = self.posterior(history, memory).mean_std(points)
        below = tuple(
            ndtr((output.levels[None] - mean[:, [j]]) / std[:, [j]])
            for j, output in enumerate(self.problem.outputs)
        )
        return Estimate(mean, std, below)


class FakeCampaign:
    """
    What the functions on campaigns use of one.

    Parameters
    ----------
    space, outputs : mapping
        As ``Campaign.start`` takes them.
    strategy : callable
        Makes the strategy of a problem.
    warm : tuple of array_like, optional
        Unit coordinates and modelled values of rows that were there before.
    """

    def __init__(
        self,
        strategy: Callable[[Problem], Any],
        *,
        space: Mapping[str, Any] = BOX,
        outputs: Mapping[str, Any] | None = None,
        constraints: Sequence[str] = (),
        warm: tuple[Any, Any] | None = None,
        parent: Mapping[str, Any] | None = None,
    ) -> None:
        self.id, self.seed, self.memory = "c0de", 0, {}
        told = {"y": {"threshold": 0.0}} if outputs is None else outputs
        self.problem = Problem(Space.from_mapping(space, constraints), outputs_from_mapping(told))
        self.strategy = strategy(self.problem)
        self._log = Queries(self.problem)
        d, m = self.problem.d, self.problem.m
        points, values = (np.empty((0, d)), np.empty((0, m))) if warm is None else warm
        self._warm = History.of(points, values, asked=0, warm=len(points))
        self.document = {
            "id": self.id,
            "created": "2026-01-31T12:00:00Z",
            "seed": 0,
            "reserve": 0.1,
            "strategy": {"name": self.strategy.name, "options": {"acquisition": "straddle"}},
            "parent": dict(parent or {}),
            "software": {"numpy": np.__version__},
        }

    def round(
        self,
        points: Any,
        values: Any = None,
        *,
        origin: str | Sequence[str] = "acquired",
        status: str | Sequence[str] = "ok",
        message: str = "",
        errors: Any = None,
        cost: float | None = None,
    ) -> None:
        """Ask points, unit coordinates of shape (n, d), and tell (n, m) or (n,) values."""
        space, outputs = self.problem.space, self.problem.outputs
        x = space.to_physical(np.asarray(points, dtype=float))
        n = len(x)
        origins = [origin] * n if isinstance(origin, str) else list(origin)
        states = [status] * n if isinstance(status, str) else list(status)
        first = len(self._log)
        asked = [
            {
                "id": f"{self.id}-{first + i:06d}",
                "origin": origins[i],
                "x": x[i].tolist(),
                "acquisition": 0.5 if origins[i] == "acquired" else None,
            }
            for i in range(n)
        ]
        event = {"round": self._log.asks + 1, "memory": {}, "strategy": self.strategy.name}
        self._log.add([{"event": "ask", "points": asked, **event}])
        y = np.asarray(values, dtype=float).reshape(n, -1) if values is not None else None
        results = []
        for i, state in enumerate(states):
            if state == PENDING:
                continue
            told: dict[str, Any] = {"id": asked[i]["id"], "status": state, "message": message}
            if state in ("ok", "censored") and y is not None:
                told["values"] = {o.name: y[i, j] for j, o in enumerate(outputs)}
                if errors is not None:
                    told["errors"] = {o.name: float(errors) for o in outputs}
            if cost is not None:
                told["cost"] = cost
            results.append(told)
        self._log.add([{"event": "tell", "results": results}])

    @property
    def queries(self) -> Any:
        """All that was asked, as a table."""
        return self._log.table()

    @property
    def pending(self) -> Any:
        """What was asked and not told."""
        table = self.queries
        return table[table["status"] == PENDING]

    def history(self) -> History:
        """What is known."""
        return self._log.history(self._warm)
