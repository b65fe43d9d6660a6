"""
Large batches (D1) and evaluations that fail (F1), on the four-dimensional limit of P3.

``python benchmarks/campaigns/robust.py`` stores results/campaigns_robust.json: for seeds 0 to 4 a
batch of 100 after 40 points, by each way to choose one, beside ten batches of 10; and a search in
which a tenth of the evaluations fail, beside one without failures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from scipy.spatial.distance import pdist
from seeds import by_seed

from limen.active import History, Problem, Space, build, outputs_from_mapping

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_robust.json"
SEEDS = range(5)
FIRST, LARGE, BATCH, BUDGET = 40, 100, 10, 140
FAILED = 1

Array = np.ndarray[Any, Any]


class Search:
    """A search that may ask in any steps, and in which evaluations may fail."""

    def __init__(self, seed: int, options: dict[str, Any], share: float = 0.0) -> None:
        library = problems()
        self._function, self._share = library.dark_higgs_4d, share
        space = Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(4)})
        problem = Problem(space, outputs_from_mapping({"y": {"threshold": 0.0}}))
        self._strategy = build("level-set", problem, options)
        _, self._near = library.evaluation_sets(self._function, 4)
        self._truth = self._function(self._near) < 0
        self._seed, self.x, self._failed = seed, np.empty((0, 4)), np.empty(0, dtype=bool)
        self._memory: dict[str, Any] = {}

    def _history(self) -> History:
        values = self._function(self.x).reshape(-1, 1)
        values[self._failed] = np.nan
        status = np.where(self._failed, FAILED, 0).astype(np.int8)
        return History.of(self.x, values, status=status)

    def ask(self, n: int) -> Array:
        """Ask n points and evaluate them."""
        rng = np.random.default_rng([self._seed, len(self.x)])
        proposal = self._strategy.propose(self._history(), n, rng, self._memory)
        self._memory = dict(proposal.memory)
        self.x = np.vstack([self.x, proposal.points])
        chance = np.random.default_rng([self._seed, len(self.x), 1]).random(len(proposal.points))
        self._failed = np.concatenate([self._failed, chance < self._share])
        return proposal.points

    def accuracy(self) -> float:
        """Accuracy on the fifth of the prior mass nearest to the boundary."""
        found = self._strategy.estimate(self._history(), self._near, self._memory)
        return float(((found.below[0][:, 0] > 0.5) == self._truth).mean())


def large(seed: int, options: dict[str, Any], steps: int = 1) -> dict[str, Any]:
    """Ask a hundred points after forty, in one batch or in steps."""
    search = Search(seed, options)
    while len(search.x) < FIRST:
        search.ask(BATCH)
    batch = np.vstack([search.ask(LARGE // steps) for _ in range(steps)])
    return {"accuracy": search.accuracy(), "smallest distance": float(pdist(batch).min())}


def failing(seed: int, share: float) -> dict[str, Any]:
    """Count evaluations, failed ones too, until 95 % of the labels near the boundary stay right."""
    search, curve = Search(seed, {}, share), []
    while len(search.x) < BUDGET:
        search.ask(5)
        if len(search.x) > 10:
            curve.append((len(search.x), search.accuracy()))
    late = [n for n, accuracy in curve if accuracy < 0.95]
    reached = min((n for n, _ in curve if n > max(late, default=0)), default=None)
    return {"at_0.95": reached, "accuracy": curve[-1][1], "failed": int(search._failed.sum())}


CASES: dict[str, Any] = {
    "100 at once, greedy": lambda seed: large(seed, {"batch": "greedy"}),
    "100 at once, poisson": lambda seed: large(seed, {"batch": "poisson"}),
    "100 at once, top of entropy": lambda seed: large(
        seed, {"batch": "top", "acquisition": "entropy"}
    ),
    "10 times 10": lambda seed: large(seed, {}, steps=10),
    "no failure": lambda seed: failing(seed, 0.0),
    "a tenth fails": lambda seed: failing(seed, 0.1),
}


def measure() -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {case: by_seed(RESULTS, case, SEEDS, work) for case, work in CASES.items()}


if __name__ == "__main__":
    measure()
