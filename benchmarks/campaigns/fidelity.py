"""
Warm starts from a cheap approximation on the 4-D dark-Higgs-like exclusion (P8).

``python benchmarks/campaigns/fidelity.py [case ...]`` measures the accuracy near the boundary
after 20 to 100 expensive points, with a right approximation and with three wrong ones, and stores
figures in results/campaigns_fidelity.json. All cases meet the same initial points and candidates:
10 of a Sobol sequence, then batches of 10 by straddle, each point conditioned on those before it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from scipy.stats import qmc

from limen.active.surrogates.fidelity import Surrogate, fit_with_approximation
from limen.active.surrogates.multitask import fit_multitask

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_fidelity.json"
SEEDS = range(5)
AT = (20, 30, 40, 60, 80, 100)
CHEAP = 300

Array = np.ndarray[Any, Any]


PROBLEMS = problems()

SOURCES: dict[str, Callable[[Array], Array]] = {
    "right": PROBLEMS.dark_higgs_4d_low_fidelity,
    "times -1": lambda u: -PROBLEMS.dark_higgs_4d_low_fidelity(u),
    "another function": lambda u: PROBLEMS.susy_6d(np.hstack([u, u[:, ::-2]])),
    "noise": lambda u: np.random.default_rng(0).normal(size=len(u)),
}
CASES = {
    "none": ("right", "none"),
    "auto": ("right", "auto"),
    "ar1": ("right", "ar1"),
    "auto, times -1": ("times -1", "auto"),
    "auto, another function": ("another function", "auto"),
    "auto, noise": ("noise", "auto"),
}


def _plain(points: Array, values: Array, errors: Array, *, previous: Any = None) -> Surrogate:
    return fit_multitask(points, values, errors)


def run(seed: int, source: str, method: str) -> dict[int, float]:
    """Give the accuracy near the boundary at numbers of expensive points."""
    truth = PROBLEMS.dark_higgs_4d
    _, near = PROBLEMS.evaluation_sets(truth, 4)
    excluded = truth(near) < 0
    cheap = qmc.Sobol(4, rng=np.random.default_rng([seed, 1])).random(CHEAP)
    cheap_values = SOURCES[source](cheap)
    dear = qmc.Sobol(4, rng=np.random.default_rng([seed, 0])).random(10)
    found: dict[int, float] = {}
    previous: Any = None
    while True:
        points = np.vstack([dear, cheap])
        values = np.concatenate([truth(dear), cheap_values])[:, None]
        fidelity = np.repeat(np.array([0, 1], np.int8), [len(dear), CHEAP])
        posterior = fit_with_approximation(
            points, values, 0 * values, fidelity, _plain, method=method, previous=previous
        )
        previous = posterior.hyperparameters
        if len(dear) in AT:
            right = (posterior.mean_std(near)[0][:, 0] < 0) == excluded
            found[len(dear)] = round(float(right.mean()), 4)
        if len(dear) >= max(AT):
            return found
        dear = np.vstack([dear, _batch(posterior, [seed, 2, len(dear)])])


def _batch(posterior: Surrogate, seed: list[int], n: int = 10) -> Array:
    candidates = qmc.Sobol(4, rng=np.random.default_rng(seed)).random(2048)
    chosen = []
    for _ in range(n):
        mean, std = posterior.mean_std(candidates)
        chosen.append(candidates[np.argmax(1.96 * std[:, 0] - np.abs(mean[:, 0]))])
        posterior = posterior.conditioned(chosen[-1][None])
    return np.array(chosen)


def main(cases: list[str]) -> None:
    """Measure and store."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for case in cases or list(CASES):
        start = time.process_time()
        runs = [run(seed, *CASES[case]) for seed in SEEDS]
        seconds = (time.process_time() - start) / len(runs)
        known[case] = {
            "seeds": [list(found.values()) for found in runs],
            "median": {n: statistics.median(found[n] for found in runs) for n in AT},
            "cpu_s": round(seconds, 1),
        }
        print(case, known[case]["median"], "CPU s", known[case]["cpu_s"], flush=True)
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
