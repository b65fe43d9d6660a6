"""
Network strategies: the scan of O_3d (P6) and the committee on the 19-D network (P7).

``python benchmarks/campaigns/networks.py [scan] [committee] [scores] [long]`` measures, and
stores figures in results/campaigns_networks.json, seed by seed. ``scores`` compares scores of the
committee on two seeds, ``long`` goes on to 60,000 labels on one.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from seeds import by_seed, stored

from limen.active.outputs import outputs_from_mapping
from limen.active.problem import History, Problem
from limen.active.spaces import Space
from limen.active.strategies.committee import Committee
from limen.active.strategies.scanning import NetworkScan
from limen.active.surrogates.networks import Network

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
RESULTS = HERE.parent / "results" / "campaigns_networks.json"
SEEDS = range(5)

Array = np.ndarray[Any, Any]


# P6: O_3d = [2 + prod cos(x_i / 7)]^5 within 100 +- 20, on [-10 pi, 10 pi]^3


def o3d(u: Array) -> Array:
    z = 20 * np.pi * (u - 0.5)
    return (2 + np.prod(np.cos(z / 7), axis=1)) ** 5


def scan_o3d(seed: int, evaluations: int = 20_000, batch: int = 1000, **options: Any) -> Any:
    """Run a scan; give the figures of the points it evaluated."""
    space = Space.from_mapping(dict.fromkeys("xyz", (-10 * np.pi, 10 * np.pi)))
    problem = Problem(space, outputs_from_mapping({"y": {"threshold": [80, 120]}}))
    strategy = NetworkScan(problem, **options)
    points, values, memory, ask = np.empty((0, 3)), np.empty(0), {}, 0
    start = time.process_time()
    while len(points) < evaluations:
        history = History.of(points, values.reshape(-1, 1), asks=ask)
        rng = np.random.default_rng([seed, ask])
        proposal = strategy.propose(history, batch, rng, memory)
        memory, ask = json.loads(json.dumps(proposal.memory)), ask + 1
        points = np.vstack([points, proposal.points])
        values = np.concatenate([values, o3d(proposal.points)])
    return {**coverage(points, values), "cpu_s": round(time.process_time() - start, 1)}


def coverage(points: Array, values: Array) -> dict[str, float]:
    """Count points in target, shells, their imbalance, and what part of the target is covered."""
    from scipy.spatial import KDTree

    reference = np.random.default_rng(99).random((200_000, 3))
    reference = reference[np.abs(o3d(reference) - 100) <= 20][:5000]
    found = points[np.abs(values - 100) <= 20]
    side = 20 * np.pi
    apart = KDTree(side * found).query(side * reference)[0]
    expected, got = Counter(_shells(reference)), Counter(_shells(found))
    shells = set(expected) | set(got)
    imbalance = sum(
        abs(expected[shell] / len(reference) - got[shell] / len(found)) for shell in shells
    )
    return {
        "in_target": len(found),
        "cover_1.0": round(float((apart <= 1.0).mean()), 4),
        "cover_1.5": round(float((apart <= 1.5).mean()), 4),
        "shells": len(got),
        "shell_tv": round(imbalance / 2, 4),
        "p95_gap": round(float(np.quantile(apart, 0.95)), 3),
    }


def _shells(points: Array) -> list[tuple[int, ...]]:
    """Name the extremum of the product of cosines that each point surrounds."""
    return [tuple(row) for row in np.rint(20 * (points - 0.5) / 7).astype(int)]


MODES: dict[str, dict[str, Any]] = {
    "regressor": {},
    "classifier": {"mode": "classifier"},
    "classifier without SMOTE": {"mode": "classifier", "smote_rounds": 0},
}


def measure_scan() -> None:
    for mode, options in MODES.items():
        by_seed(RESULTS, f"P6 {mode}", SEEDS, lambda seed, of=options: scan_o3d(seed, **of))


# P7: the 19-D network

SHORT = (2500, 5000, 7500, 10_000)
LONG = (15_000, 20_000, 30_000, 40_000, 50_000, 60_000)
POOL = 100_000
TEST = 30_000


def oracle(u: Array) -> Array:
    """Say which points, unit coordinates of shape (n, 19), the network calls allowed."""
    with np.load(SHARED / "susyai_oracle19" / "weights.npz") as weights:
        layers = [(weights[f"W{k}"], weights[f"b{k}"]) for k in range(5)]
    answers = []
    for block in np.array_split(u, max(1, len(u) // 8192)):
        x = ((block - 0.5) * np.sqrt(12)).astype(np.float32)
        for matrix, offset in layers[:-1]:
            x = x @ matrix + offset
            negative = 1.6732632423543772 * np.expm1(np.minimum(x, 0))
            x = (1.0507009873554805 * np.where(x > 0, x, negative)).astype(np.float32)
        scores = x @ layers[-1][0] + layers[-1][1]
        answers.append(scores[:, 1] > scores[:, 0])
    return np.concatenate(answers)


def curve(seed: int, sizes: tuple[int, ...], **options: Any) -> dict[str, float]:
    """Give the accuracy on fresh points of the committee's network after each number of labels."""
    space = Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(19)})
    problem = Problem(space, outputs_from_mapping({"allowed": {"threshold": 0.5}}))
    strategy = Committee(problem, initial=2500, candidates=POOL, members=10, **options)
    test = np.random.default_rng(99).random((TEST, 19))
    truth = oracle(test)
    points, values, memory = np.empty((0, 19)), np.empty(0), {}
    found, start = {}, time.process_time()
    for ask, size in enumerate((*sizes, sizes[-1] + 1)):
        history = History.of(points, values.reshape(-1, 1), asks=ask)
        rng = np.random.default_rng([seed, ask])
        proposal = strategy.propose(history, size - len(points), rng, memory)
        memory = json.loads(json.dumps(proposal.memory))
        if len(points):
            # The network that chose these points was trained on all the labels known before.
            network = Network.from_dict(memory["networks"][0], strategy._settings)
            below = network.predict(test)[:, 0] > 0.5
            found[str(len(points))] = round(float((below != truth).mean()), 4)
            print(seed, options, len(points), found[str(len(points))], flush=True)
        points = np.vstack([points, proposal.points])
        values = np.concatenate([values, oracle(proposal.points).astype(float)])
    found["cpu_s"] = round(time.process_time() - start, 1)
    return found


def gain(random: dict[str, float], active: dict[str, float]) -> dict[str, float | None]:
    """Give N_random(a) / N_active(a) at the accuracies a of the active curve."""
    sizes = sorted(int(key) for key in random if key != "cpu_s")
    best = np.maximum.accumulate([random[str(size)] for size in sizes])
    gains: dict[str, float | None] = {}
    for key, accuracy in active.items():
        if key == "cpu_s":
            continue
        # Beyond the last random curve point there is a lower bound only.
        reached = accuracy <= best[-1]
        number = np.exp(np.interp(accuracy, best, np.log(sizes))) if reached else sizes[-1]
        gains[key] = round(float(number) / int(key), 2)
        if not reached:
            gains[f"{key} at least"] = gains.pop(key)
    return gains


TENTH = "nearest, a tenth random"
ARMS: dict[str, dict[str, Any]] = {
    "random": {"random_share": 1.0},
    "nearest": {"score": "nearest", "random_share": 0.0},
    TENTH: {"score": "nearest", "random_share": 0.1},
    "bald": {"score": "bald", "random_share": 0.0},
    "as released, half random": {"score": "vote", "random_share": 0.5},
}


def measure_committee(sizes: tuple[int, ...], seeds: Iterable[int], arms: Iterable[str]) -> None:
    for arm in arms:
        case = f"P7 {arm}" + (f", to {sizes[-1]:,}" if sizes != SHORT else "")
        by_seed(RESULTS, case, seeds, lambda seed, of=ARMS[arm]: curve(seed, sizes, **of))


def gains() -> dict[str, dict[str, float | None]]:
    """Give, for each arm of the committee, the gains over random points by their mean curves."""
    told = {
        case.removeprefix("P7 "): _mean(list(figures["runs"].values()))
        for case, figures in stored(RESULTS).items()
        if case.startswith("P7 ")
    }
    found = {}
    for case, mean in told.items():
        base = "random" + ", to 60,000" * case.endswith(", to 60,000")
        if case != base and base in told:
            found[case] = gain(told[base], mean)
    return found


def _mean(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.mean(run[key] for run in runs), 4) for key in runs[0]}


PARTS: dict[str, Callable[[], None]] = {
    "scan": measure_scan,
    "committee": lambda: measure_committee(SHORT, SEEDS, ("random", "nearest")),
    # A curve of this length takes minutes: one seed only.
    "long": lambda: measure_committee(SHORT + LONG, range(1), ("random", "nearest", TENTH)),
    "scores": lambda: measure_committee(SHORT, range(2), tuple(ARMS)),
}


def measure(parts: Iterable[str] = ("scan", "committee", "long")) -> dict[str, Any]:
    """Measure of some parts what is not stored yet."""
    for part in parts:
        PARTS[part]()
    return stored(RESULTS)


if __name__ == "__main__":
    measure(sys.argv[1:] or PARTS)
