"""
Contours of analytic problems (P1 to P5) by the level-set strategy, against Sobol.

``python benchmarks/campaigns/levelset.py [problem ...]`` measures, for seeds 0 to 4, the number of
evaluations after which the accuracy near the boundary stays above 95 and 98 %, and stores them with
their medians in results/campaigns_levelset.json; what is stored is not measured again. All
evaluations count; none is reserved.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from seeds import by_seed

from limen.active import History, Problem, Space, build, outputs_from_mapping

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_levelset.json"
SEEDS = range(5)
# Function, parameters, points of a round, budget, where the accuracy is noted.
PROBLEMS: dict[str, tuple[str, int, int, int, tuple[int, ...]]] = {
    "P1": ("xs2", 2, 4, 60, (28, 40)),
    "P2": ("xs3", 3, 6, 120, (48, 78)),
    "P3": ("dark_higgs_4d", 4, 10, 300, (100, 300)),
    "P4": ("susy_6d", 6, 20, 500, (200, 500)),
    "P5": ("two_gaussians", 10, 50, 1000, (500, 1000)),
}


def two_gaussians(x: np.ndarray) -> np.ndarray:
    """Logarithm of two Gaussians in 10-D over a floor, less its 80 % quantile over the box."""
    return _logarithm(x) - _quantile()


def _logarithm(x: np.ndarray) -> np.ndarray:
    norm = (2 * np.pi * 0.03) ** (-x.shape[1] / 2)
    peaks = [norm * np.exp(-((x - c) ** 2).sum(axis=1) / 0.06) for c in (0.25, 0.75)]
    return np.log(peaks[0] + peaks[1] + 0.1)


@cache
def _quantile() -> float:
    return float(np.quantile(_logarithm(np.random.default_rng(7).random((200_000, 10))), 0.8))


def run(name: str, strategy: str, seed: int) -> dict[str, Any]:
    """Run one search of a problem."""
    word, *search_over = PROBLEMS[name]
    function = two_gaussians if word == "two_gaussians" else getattr(problems(), word)
    return search(function, *search_over, seed, strategy)


def search(
    function: Callable[[np.ndarray], np.ndarray],
    d: int,
    batch: int,
    budget: int,
    noted: tuple[int, ...],
    seed: int,
    strategy: str = "level-set",
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run one search; give when it reached the levels, accuracies and the slowest ask."""
    space = Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(d)})
    problem = Problem(space, outputs_from_mapping({"y": {"threshold": 0.0}}))
    chooser = build(strategy, problem, options)
    _, near = problems().evaluation_sets(function, d)
    truth = function(near) < 0
    x, memory, curve, slowest = np.empty((0, d)), {}, [], 0.0
    while len(x) < budget:
        history = History.of(x, function(x).reshape(-1, 1))
        rng = np.random.default_rng([seed, len(x)])
        start = time.process_time()
        proposal = chooser.propose(history, batch, rng, memory)
        slowest = max(slowest, time.process_time() - start)
        x, memory = np.vstack([x, proposal.points]), dict(proposal.memory)
        if len(x) > 2 * d + 2:
            history = History.of(x, function(x).reshape(-1, 1))
            below = chooser.estimate(history, near, memory).below[0][:, 0]
            curve.append((len(x), float(((below > 0.5) == truth).mean())))
    found: dict[str, Any] = {f"at_{level:g}": _reached(curve, level) for level in (0.9, 0.95, 0.98)}
    found |= {f"near_{n}": next(a for k, a in curve if k >= n) for n in noted}
    return found | {"ask_cpu_s": slowest}


def _reached(curve: list[tuple[int, float]], level: float) -> int | None:
    """First number of points from which the curve stays above a level; None if never."""
    first = None
    for n, accuracy in reversed(curve):
        if accuracy < level:
            break
        first = n
    return first


def measure(names: Sequence[str] = tuple(PROBLEMS)) -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {
        f"{name} {strategy}": by_seed(
            RESULTS, f"{name} {strategy}", SEEDS, partial(run, name, strategy)
        )
        for name in names
        for strategy in ("level-set", "sobol")
    }


if __name__ == "__main__":
    measure(sys.argv[1:] or tuple(PROBLEMS))
