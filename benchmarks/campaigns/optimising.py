"""
Bayesian optimisation of a noisy difference of limits over (m_Zd, epsilon) (P9).

``python benchmarks/campaigns/optimising.py`` measures, on ten seeds, how near 31 GeV the best mass
lies after 30 points in 4 rounds, and stores figures in results/campaigns_optimising.json, seed by
seed. The best mass is where the process fitted to all points has its largest mean; for random
points, too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from seeds import by_seed

from limen.active.outputs import outputs_from_mapping
from limen.active.problem import History, Problem
from limen.active.spaces import Space
from limen.active.strategies import build

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_optimising.json"
SEEDS = range(10)
ROUNDS = {"20 + 4 + 3 + 3": (20, 4, 3, 3), "8 + 8 + 7 + 7": (8, 8, 7, 7)}
CASES: dict[str, dict[str, Any]] = {
    "ei": {"acquisition": "ei"},
    "ucb": {"acquisition": "ucb", "beta": 1.0},
    "pi": {"acquisition": "pi"},
    "ei, plain batch": {"acquisition": "ei", "boldness": 1.0},
    "ucb, plain batch": {"acquisition": "ucb", "beta": 3.0, "boldness": 1.0},
    "random": {},
}
TRUTH, WITHIN = 31.0, 0.02

Array = np.ndarray[Any, Any]

SPACE = Space.from_mapping(
    {"m_Zd": {"range": (15.0, 55.0), "unit": "GeV"}, "log_epsilon": (-4.0, -1.0)}
)
PROBLEM = Problem(SPACE, outputs_from_mapping({"excess": {}}))


EXCESS = problems().excess_2d


def run(seed: int, case: str, rounds: tuple[int, ...]) -> dict[str, float]:
    """Give how far off the best mass is, by the process and by the largest value [GeV]."""
    start = time.process_time()
    noise = np.random.default_rng([seed, 0])
    strategy = build("optimise", PROBLEM, {"initial": rounds[0], **CASES[case]})
    points, values, memory = np.empty((0, 2)), np.empty(0), {}
    for ask, n in enumerate(rounds):
        rng = np.random.default_rng([seed, 1, ask])
        if case == "random":
            new = SPACE.draw(n, rng)
        else:
            proposal = strategy.propose(History.of(points, values), n, rng, memory)
            new, memory = proposal.points, json.loads(json.dumps(dict(proposal.memory)))
        points = np.vstack([points, new])
        values = np.concatenate([values, EXCESS(new, noise)])
    asked = SPACE.sobol(16_384, 0)
    mean = strategy.estimate(History.of(points, values), asked, {}).mean[:, 0]
    best = np.vstack([asked[mean.argmax()], points[values.argmax()]])
    by_process, by_value = np.abs(SPACE.to_physical(best)[:, 0] - TRUTH)
    return {
        "by the process [GeV]": round(float(by_process), 3),
        "by the largest value [GeV]": round(float(by_value), 3),
        "cpu_s": round(time.process_time() - start, 1),
    }


def measure(cases: Iterable[str] = tuple(CASES)) -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {
        f"{case}, {rounds}": by_seed(
            RESULTS,
            f"{case}, {rounds}",
            SEEDS,
            lambda seed, of=case, at=sizes: run(seed, of, at),
        )
        for rounds, sizes in ROUNDS.items()
        for case in cases
    }


def good(figures: dict[str, Any]) -> str:
    """Say on how many seeds the best mass by the process lies within 2 % of the truth."""
    distances = [run["by the process [GeV]"] for run in figures["runs"].values()]
    return f"{sum(x <= WITHIN * TRUTH for x in distances)} of {len(distances)}"


if __name__ == "__main__":
    measure(sys.argv[1:] or CASES)
