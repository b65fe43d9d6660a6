"""
Warm starts from a cheap approximation on the 4-D dark-Higgs-like exclusion (P8).

``python benchmarks/campaigns/fidelity.py [case ...]`` measures the accuracy near the boundary
after 20 to 100 expensive points, with a right approximation and with three wrong ones, and stores
figures in results/campaigns_fidelity.json, seed by seed. All cases meet the same initial points and
candidates: 10 of a Sobol sequence, then batches of 10 by straddle, each point conditioned on those
before it. The expensive values alone are fitted as a level set fits them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from scipy.stats import qmc
from seeds import by_seed

from limen.active.surrogates.averaging import Surrogate
from limen.active.surrogates.fidelity import fit_with_approximation
from limen.active.surrogates.processes import fit_process

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
    return fit_process(points, values, errors, previous=previous, levels=[np.zeros(1)])


def run(seed: int, source: str, method: str) -> dict[str, float]:
    """Give the accuracy near the boundary at numbers of expensive points."""
    truth = PROBLEMS.dark_higgs_4d
    _, near = PROBLEMS.evaluation_sets(truth, 4)
    excluded = truth(near) < 0
    cheap = qmc.Sobol(4, rng=np.random.default_rng([seed, 1])).random(CHEAP)
    cheap_values = SOURCES[source](cheap)
    dear = qmc.Sobol(4, rng=np.random.default_rng([seed, 0])).random(10)
    found: dict[str, float] = {}
    start = time.process_time()
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
            found[str(len(dear))] = round(float(right.mean()), 4)
        if len(dear) >= max(AT):
            return found | {"cpu_s": round(time.process_time() - start, 1)}
        dear = np.vstack([dear, _batch(posterior, [seed, 2, len(dear)])])


def _batch(posterior: Surrogate, seed: list[int], n: int = 10) -> Array:
    candidates = qmc.Sobol(4, rng=np.random.default_rng(seed)).random(2048)
    chosen = []
    for _ in range(n):
        mean, std = posterior.mean_std(candidates)
        chosen.append(candidates[np.argmax(1.96 * std[:, 0] - np.abs(mean[:, 0]))])
        posterior = posterior.conditioned(chosen[-1][None])
    return np.array(chosen)


def measure(cases: Iterable[str] = tuple(CASES)) -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {
        case: by_seed(RESULTS, case, SEEDS, lambda seed, of=CASES[case]: run(seed, *of))
        for case in cases
    }


if __name__ == "__main__":
    measure(sys.argv[1:] or CASES)
