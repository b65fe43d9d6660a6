"""
A pool of real fits: the 86 mass points of ATLAS-SUSY-2018-31 with m_N2 - m_N1 = 130 GeV.

``python benchmarks/campaigns/pool.py`` measures after how many fits all labels are right, observed
and expected, and stores figures in results/campaigns_pool.json; ``... pool.py picture FILE`` draws
the campaign of seed 0 after 36 fits. A fit gives both CLs, of region A alone; what is learnt is
their quantile of the normal distribution, since CLs itself is flat nearly everywhere.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from seeds import by_seed

import limen
from limen.active import Campaign

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", HERE.parents[2] / "shared" / "data"))
RESULTS = HERE.parent / "results" / "campaigns_pool.json"
SEEDS = range(5)
FIRST, BATCH, BUDGET = 6, 3, 45
AT = (24, 30, 36)
LEVEL = NormalDist().inv_cdf(0.05)
CASES: dict[str, Any] = {
    "level-set, rough": {"name": "level-set", "options": {"surrogate": "rough"}},
    "level-set": "level-set",
    "level-set, multitask": {"name": "level-set", "options": {"surrogate": "multitask"}},
    "random": "random",
}

Array = np.ndarray[Any, Any]

SPACE = {
    "m_sbottom": {"range": (400.0, 1500.0), "unit": "GeV", "symbol": r"m_{\tilde{b}}"},
    "m_N2": {"range": (131.0, 930.0), "unit": "GeV", "symbol": r"m_{\tilde{\chi}^0_2}"},
}
OUTPUTS = {
    "obs": {"threshold": LEVEL, "symbol": r"z_\mathrm{obs}"},
    "exp": {"threshold": LEVEL, "symbol": r"z_\mathrm{exp}"},
}


def fits() -> tuple[Array, Array]:
    """Masses (86, 2) of the plane [GeV], and quantiles (86, 2) of observed and expected CLs."""
    columns = limen.read(
        [SHARED / "pyhf_sbottom" / "cls_regionA.csv"], options={"drop": ["patch", "error"]}
    )
    names = ("m_sbottom", "m_neutralino2", "m_neutralino1", "CLs_obs", "CLs_exp")
    table = np.column_stack([np.asarray(columns[name], dtype=float) for name in names])
    plane = table[table[:, 1] - table[:, 2] == 130.0]
    quantile = np.vectorize(NormalDist().inv_cdf)
    return plane[:, :2], quantile(plane[:, 3:])


def start(folder: str, seed: int, strategy: Any) -> Campaign:
    """Start a campaign that may ask for the points of the plane only; none is reserved."""
    masses, _ = fits()
    return Campaign.start(
        folder,
        space=SPACE,
        constraints=["m_N2 < m_sbottom"],
        outputs=OUTPUTS,
        strategy=strategy,
        seed=seed,
        reserve=0.0,
        pool=dict(zip(SPACE, masses.T, strict=True)),
    )


def ask(campaign: Campaign, n: int) -> tuple[Any, Array]:
    """Ask for points; give their ids and their places in the pool."""
    masses, _ = fits()
    batch = campaign.ask(n)
    asked = batch[list(SPACE)].to_numpy()
    return batch["id"], np.abs(asked[:, None] - masses[None]).sum(axis=2).argmin(axis=1)


def tell(campaign: Campaign, ids: Any, places: Array) -> None:
    """Tell the fits of members of the pool."""
    _, values = fits()
    campaign.tell(ids, {"obs": values[places, 0], "exp": values[places, 1]})


def run(seed: int, strategy: Any) -> dict[str, Any]:
    """Give after how many fits the labels stay right, and how many are wrong at some numbers."""
    masses, values = fits()
    truth, done = values < LEVEL, np.empty(0, dtype=int)
    begun, wrong = time.process_time(), {}
    with tempfile.TemporaryDirectory(prefix="limen-bench-") as folder:
        campaign = start(folder, seed, strategy)
        while True:
            ids, places = ask(campaign, BATCH if len(done) else FIRST)
            # What the campaign believes before these points are told.
            if len(done):
                believed = campaign.predict(dict(zip(SPACE, masses.T, strict=True)))
                labels = np.hstack([believed[f"{name}_below"].values for name in OUTPUTS]) > 0.5
                labels[done] = truth[done]
                wrong[len(done)] = int((labels != truth).sum())
            if len(done) >= BUDGET:
                break
            tell(campaign, ids, places)
            done = np.concatenate([done, places])
    late = [n for n, number in wrong.items() if number]
    reached = min((n for n in wrong if n > max(late, default=0)), default=None)
    figures: dict[str, Any] = {"fits until all are right": reached}
    figures |= {f"wrong of {truth.size} at {n}": wrong[n] for n in AT}
    return figures | {"cpu_s": round(time.process_time() - begun, 1)}


def measure() -> dict[str, Any]:
    """Measure what is not stored yet."""
    return {
        case: by_seed(RESULTS, case, SEEDS, lambda seed, told=strategy: run(seed, told))
        for case, strategy in CASES.items()
    }


def draw(path: Path, number: int = 36) -> None:
    """Draw the campaign of seed 0 after some fits."""
    from limen.active.canvas import to_png
    from limen.active.pictures import draw_slice

    with tempfile.TemporaryDirectory(prefix="limen-bench-") as folder:
        campaign = start(folder, 0, CASES["level-set, rough"])
        done = 0
        while done < number:
            ids, places = ask(campaign, BATCH if done else FIRST)
            tell(campaign, ids, places)
            done += len(places)
        path.write_bytes(to_png(draw_slice(campaign, *SPACE)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["picture"]:
        draw(Path(sys.argv[2]))
    else:
        measure()
