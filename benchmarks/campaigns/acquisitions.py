"""
The acquisitions of the level-set strategy, compared on contours in two to four dimensions.

``python benchmarks/campaigns/acquisitions.py [problem ...]`` stores the evaluations that each
needs, for seeds 0 to 4, in results/campaigns_acquisitions.json; what is stored is not measured
again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from levelset import PROBLEMS, search
from problems import problems
from seeds import by_seed

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_acquisitions.json"
SEEDS = range(5)
BUDGETS = {"P1": 52, "P2": 78, "P3": 100}
CASES = (*BUDGETS, "branin", "shell")
ACQUISITIONS = ("misclassification", "timse", "entropy", "straddle")


def branin(x: np.ndarray) -> np.ndarray:
    """Branin's function on the unit square, less 20: three regions below."""
    u, v = 15 * x[:, 0] - 5, 15 * x[:, 1]
    bowl = (v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10 - 20


def shell(x: np.ndarray) -> np.ndarray:
    """Negative inside a spherical shell in three dimensions."""
    r = np.sqrt(((x - 0.5) ** 2).sum(axis=1))
    return (r - 0.35) ** 2 - 0.01


def _case(name: str) -> tuple[Any, ...]:
    """Give function, parameters, points of a round, budget, where the accuracy is noted."""
    own = {"branin": (branin, 2, 4, 60, (28, 40)), "shell": (shell, 3, 6, 132, (72, 96))}
    if name in own:
        return own[name]
    word, d, batch, _, noted = PROBLEMS[name]
    budget = BUDGETS[name]
    return getattr(problems(), word), d, batch, budget, tuple(n for n in noted if n <= budget)


def run(name: str, acquisition: str, seed: int) -> dict[str, Any]:
    """Run one search."""
    return search(*_case(name), seed, options={"acquisition": acquisition})


def measure(names: Sequence[str] = CASES) -> dict[str, Any]:
    """Measure what is not stored yet."""
    cases = {f"{name} {a}": partial(run, name, a) for name in names for a in ACQUISITIONS}
    return {case: by_seed(RESULTS, case, SEEDS, one) for case, one in cases.items()}


if __name__ == "__main__":
    measure(sys.argv[1:] or CASES)
