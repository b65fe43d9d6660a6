"""Campaigns: all pieces of campaigns/, each of which goes on where it was interrupted."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import Table

RESULTS = Path(__file__).parent / "results"
PIECES = (
    "levelset",
    "acquisitions",
    "asking",
    "robust",
    "pool",
    "fidelity",
    "optimising",
    "thdm_pool",
    "networks",
)
TITLES = {
    "levelset": (
        "Contours of analytic problems by level sets and Sobol points (P1 to P5)",
        "Evaluations after which the accuracy on the fifth of the prior mass nearest to the "
        "boundary stays above a level, initial and failed ones counted; empty: not within the "
        "budget. Medians of the seeds.",
    ),
    "acquisitions": (
        "Acquisitions of the level-set strategy, compared",
        "As above: evaluations after which the accuracy near the boundary stays above a level. "
        "`misclassification` is the default.",
    ),
    "asking": (
        "One ask of ten points after N are known (S1)",
        "Without an earlier fit (cold) and with that of the last ask (warm); peak memory.",
    ),
    "robust": (
        "Batches of 100 (D1) and evaluations that fail (F1), on the four-dimensional limit of P3",
        "After 40 points 100 at once, or ten times 10: accuracy near the boundary, smallest "
        "distance within the batch in units of the box. Evaluations, failed ones counted, until 95 "
        "% of the labels near the boundary stay right, in steps of 5.",
    ),
    "pool": (
        "A pool of real fits: ATLAS-SUSY-2018-31, region A, m_N2 - m_N1 = 130 GeV",
        "86 members, 172 labels (observed and expected); 6 fits at random, then 3 a round; a "
        "label that was fitted counts as right. Empty: not all right within 45 fits.",
    ),
    "fidelity": (
        "Warm starts from a cheap approximation: accuracy near the boundary (P8)",
        "After 20 to 100 expensive points, with 300 cheap ones; 'none' does without them; noise "
        "and another function are wrong sources, one times -1 is as good as a right one.",
    ),
    "optimising": (
        "The mass of the largest, noisy difference of two limits, after 30 points in 4 rounds (P9)",
        "Distances of the best mass from the true 31 GeV, medians; how often it is within 2 %.",
    ),
    "thdm_pool": (
        "A pool for the network scan: points of the 2HDM that pass every test",
        "Passing points among the first that were asked, 500 a round.",
    ),
    "P6": (
        "Network scan of O_3d, 20,000 evaluations (P6)",
        "Points in the target, what share of it lies within 1.0 and 1.5 of one of them, shells of "
        "13, their imbalance.",
    ),
    "P7": (
        "Committee on the 19-D network (P7)",
        "Accuracy on 30,000 fresh points after so many labels.",
    ),
    "gain": (
        "Committee on the 19-D network: gain over random points (P7)",
        "Random labels that give the accuracy of the committee after so many, over that number, by "
        "the means of the seeds; beyond the curve of random points a lower bound.",
    ),
}


def measure(folder: Path) -> list[Table]:
    """Measure what is not stored yet; give the medians of all that is."""
    # The pieces import one another as the scripts that they also are.
    sys.path.insert(0, str(Path(__file__).parent / "campaigns"))
    for name in PIECES:
        module = importlib.import_module(name)
        if name != "asking":
            module.measure()
        elif not _stored(name):
            module.main()
    return tables()


def tables() -> list[Table]:
    """Give the medians of what is stored."""
    sys.path.insert(0, str(Path(__file__).parent / "campaigns"))
    found = []
    for name in PIECES:
        if name == "networks":
            for part in ("P6", "P7"):
                found.append(Table(*TITLES[part], rows=list(_rows(name, part))))
            gains = importlib.import_module("networks").gains()
            rows = [{"case": case} | curve for case, curve in gains.items()]
            found.append(Table(*TITLES["gain"], rows=rows))
        else:
            found.append(Table(*TITLES[name], rows=list(_rows(name))))
    return found


def _stored(name: str) -> dict[str, Any]:
    path = RESULTS / f"campaigns_{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _rows(name: str, only: str = "") -> Iterator[dict[str, Any]]:
    for case, figures in _stored(name).items():
        if not case.startswith(only):
            continue
        if "medians" not in figures:
            yield {"case": case} | figures
            continue
        medians = {k: v for k, v in figures["medians"].items() if not k.startswith("near_")}
        near = [
            f"{value:.3f} at {key.removeprefix('near_')}"
            for key, value in figures["medians"].items()
            if key.startswith("near_")
        ]
        row = {"case": case, "seeds": len(figures["runs"])} | medians
        if near:
            row["accuracy near"] = ", ".join(near)
        if name == "optimising":
            row["within 2 %"] = importlib.import_module(name).good(figures)
        yield row
