"""
A network scan of a pool: the points of the 2HDM that pass every test, 0.56 % of 104,897.

``python benchmarks/campaigns/thdm_pool.py`` measures, for seeds 0 to 4, how many passing points are
found among the first 1,000 to 5,000 that are asked, and stores figures in
results/campaigns_thdm_pool.json. An evaluation says whether theory is consistent (0 or 1), the
ratio of HiggsBounds, and chi2 less its smallest; all three must lie in their range.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from seeds import by_seed

import limen
from limen.active import History, Problem, Space, build, outputs_from_mapping

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
RESULTS = HERE.parent / "results" / "campaigns_thdm_pool.json"
SEEDS = range(5)
BATCH, AT = 500, (1000, 2000, 3000, 5000)
NAMES = ("mh", "mH", "cba", "tb", "Z4", "Z5", "Z7")
OUTPUTS = outputs_from_mapping({"theory": {}, "higgsbounds": {"scale": "log"}, "chisqdiff": {}})
TARGET = {"theory": [0.5, None], "higgsbounds": [None, 1.0], "chisqdiff": [None, 6.18]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "scan, regressor": ("scan", {"target": TARGET, "initial": BATCH}),
    "scan, classifier": ("scan", {"target": TARGET, "initial": BATCH, "mode": "classifier"}),
    "random": ("random", {}),
}

Array = np.ndarray[Any, Any]


def scan() -> tuple[Space, Array, Array, Array]:
    """Give the space, the pool (n, d), modelled values (n, 3), and which rows pass (n,)."""
    source = [SHARED / "thdm_scan" / "thdm_hybrid_scan.parquet"]
    columns = limen.read(source, options={"drop": ["job", "file"]})
    told = {name: np.asarray(columns[name], dtype=float) for name in columns}
    theory = (told["stb"] == 1) & (told["uni"] == 1) & (told["per"] == 1)
    good = theory & (told["tot_hbobs"] < 1)
    # Where chi2 would decide, it must be known.
    known = ~good | np.isfinite(told["chisqdiff"])
    varied = [name for name in NAMES if np.ptp(told[name]) > 0]
    x = np.column_stack([told[name] for name in varied])
    kept = np.flatnonzero(known & np.isfinite(x).all(axis=1))
    kept = kept[np.sort(np.unique(x[kept], axis=0, return_index=True)[1])]
    space = Space.from_mapping(
        {name: (float(told[name].min()), float(told[name].max())) for name in varied}
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = OUTPUTS[1].to_model(told["tot_hbobs"])
    values = np.column_stack([theory, ratio, told["chisqdiff"]])[kept]
    passes = (good & (told["chisqdiff"] < 6.18))[kept]
    return space, space.to_unit(x[kept]), values, passes


def run(seed: int, strategy: str, options: dict[str, Any]) -> dict[str, Any]:
    """Count the passing points among the first that are asked."""
    space, pool, values, passes = scan()
    chooser = build(strategy, Problem(space, OUTPUTS, pool), options)
    places = {row.tobytes(): i for i, row in enumerate(pool)}
    asked, memory, found = np.empty(0, dtype=int), {}, {}
    start = time.process_time()
    for ask in range(max(AT) // BATCH):
        history = History.of(pool[asked], values[asked], asks=ask)
        proposal = chooser.propose(history, BATCH, np.random.default_rng([seed, ask]), memory)
        memory = json.loads(json.dumps(dict(proposal.memory)))
        new = [places[row.tobytes()] for row in np.ascontiguousarray(proposal.points)]
        asked = np.concatenate([asked, np.array(new, dtype=int)])
        if len(asked) in AT:
            found[f"passing among {len(asked)}"] = int(passes[asked].sum())
    found["passing in the pool"] = int(passes.sum())
    return found | {"cpu_s": round(time.process_time() - start, 1)}


def measure() -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {
        case: by_seed(RESULTS, case, SEEDS, lambda seed, of=told: run(seed, *of))
        for case, told in CASES.items()
    }


if __name__ == "__main__":
    measure()
