"""A campaign whose strategy has known answers, and whose points a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from limen.active import definitions, events
from limen.active import warm as known
from limen.active.campaign import Campaign
from limen.active.problem import Estimate, History, Problem
from limen.active.queries import PENDING

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


class FakeCampaign(Campaign):
    """
    A campaign whose strategy is given, and whose points are asked where a test wants them.

    Parameters
    ----------
    strategy : callable
        Makes the strategy of a problem.
    space, outputs, constraints
        As ``Campaign.start`` takes them.
    warm : tuple of array_like, optional
        Unit coordinates and values of rows that were there before.
    parent : mapping, optional
        What is noted of the bundle that it was started from.
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
        self._kept = TemporaryDirectory(prefix="limen-campaign-")
        folder = Path(self._kept.name)
        (folder / "queries.jsonl").touch()
        told = {"y": {"threshold": 0.0}} if outputs is None else outputs
        named = {"name": "level-set", "options": {"acquisition": "straddle"}}
        document = definitions.new_document(
            space, told, constraints, named, seed=0, reserve=0.1, parent=parent
        ) | {"id": "c0de", "created": "2026-01-31T12:00:00Z"}
        if warm is not None:
            problem = definitions.problem_of(document)
            table = _table(problem, warm[0], warm[1])
            rows = known.read_rows(table, problem, 0, "warm")
            document["warm"] = {"sha256": known.save(folder / "warm.npz", [rows], None)}
        super().__init__(folder, document)
        self.strategy = strategy(self.problem)

    def round(
        self,
        points: Any,
        values: Any = None,
        *,
        origin: str | Sequence[str] = "acquired",
        status: str | Sequence[str] = "ok",
        message: str = "",
        errors: float | None = None,
        cost: float | None = None,
    ) -> None:
        """Ask points, unit coordinates of shape (n, d), and tell (n, m) or (n,) values."""
        u = np.asarray(points, dtype=float)
        table = _table(self.problem, u, values)
        x = self.problem.space.to_physical(u)
        origins = [origin] * len(x) if isinstance(origin, str) else list(origin)
        states = np.array([status] * len(x) if isinstance(status, str) else list(status))
        first = len(self.queries) + 1
        asked = [
            {"id": f"{self.id}-{first + i:06d}", "origin": origins[i], "x": x[i].tolist()}
            | ({"acquisition": 0.5} if origins[i] == "acquired" else {})
            for i in range(len(x))
        ]
        event = {"event": "ask", "round": self.history().asks + 1, "memory": {}}
        event |= {"strategy": "level-set", "points": asked}
        events.append(self.folder / "queries.jsonl", event)
        told = np.flatnonzero(states != PENDING)
        outputs = [output.name for output in self.problem.outputs]
        self.tell(
            [asked[i]["id"] for i in told],
            None if values is None else {name: table[name][told] for name in outputs},
            status=states[told].tolist(),
            y_err=None if errors is None else dict.fromkeys(outputs, errors),
            message=message,
            cost=cost,
        )


def _table(problem: Problem, points: Any, values: Any) -> dict[str, Any]:
    """Give parameters in their units and values by name."""
    x = problem.space.to_physical(points)
    table = dict(zip(problem.space.names, x.T, strict=True))
    if values is None:
        return table
    y = np.asarray(values, dtype=float).reshape(len(x), -1)
    return table | {output.name: y[:, j] for j, output in enumerate(problem.outputs)}
