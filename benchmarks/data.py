"""The data sets that are measured on, as bundles."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import limen
from limen.demonstration import make_example
from limen.schema import load_yaml

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", HERE.parents[1] / "shared" / "data"))

Array = np.ndarray[Any, Any]


class DataMissingError(FileNotFoundError):
    """A data set is not on this machine."""


def shared(name: str) -> Path:
    """Path of a file of the shared data."""
    path = SHARED / name
    if not path.exists():
        raise DataMissingError(f"{path}: not here; set LIMEN_SHARED_DATA to the folder that has it")
    return path


def read(name: str, *drop: str) -> dict[str, Array]:
    """Columns of a file of the shared data, without some."""
    options = {"drop": list(drop)} if drop else None
    return dict(limen.read([shared(name)], options=options))


def document(name: str, **changes: Any) -> dict[str, Any]:
    """Scan document of a data set, with some top-level entries replaced."""
    found: dict[str, Any] = load_yaml(HERE / "scans" / f"{name}.yaml")
    return found | changes


def make(described: Mapping[str, Any], columns: Mapping[str, Array], folder: Path) -> limen.Bundle:
    """Pack the columns that the document describes."""
    wanted = [column["name"] for column in described["tables"][0]["columns"]]
    present = {name: columns[name] for name in wanted if name in columns}
    return limen.make_bundle(described, present, folder / str(described["id"]))


def bsll10(folder: Path) -> limen.Bundle:
    """Draw the shipped example, 50,000 points."""
    return make_example(folder / "bsll10", n=50_000, seed=0)


_LOWEST = (
    "-3999.99 -4000 200 90.879999 91.419997 90.02 90.250001 200.02999 102.65 200.00984 264.01999 "
    "200.0199 100.06994 -7998.919 -3999.97 -3999.97 -4381.715 1364.5547 2.6724445"
)
_HIGHEST = (
    "3999.95 3999.83 3999.98 4000 3999.98 3999.99 4000 3999.9899 3999.9999 3999.98 3999.9999 "
    "3999.97 4000 7993.83 3999.95 3999.94 4132.4793 37569812 66.371989"
)


def oracle_points(n: int, seed: int) -> tuple[Array, Array]:
    """Draw points uniformly in the box of the 19-D network, and its labels (1: excluded)."""
    low, high = (np.array(text.split(), dtype=float) for text in (_LOWEST, _HIGHEST))
    X = low + (high - low) * np.random.default_rng(seed).random((n, len(low)))
    X = X.astype(np.float32).astype(np.float64)
    with np.load(shared("susyai_oracle19/weights.npz")) as weights:
        layers = [(weights[f"W{k}"], weights[f"b{k}"]) for k in range(5)]
    labels = []
    for start in range(0, n, 8192):
        rows = (X[start : start + 8192] - (high + low) / 2) / ((high - low) / np.sqrt(12))
        labels.append(_forward(rows.astype(np.float32), layers))
    return X, np.concatenate(labels)


def _forward(values: Array, layers: list[tuple[Array, Array]]) -> Array:
    for weights, offsets in layers[:-1]:
        values = values @ weights + offsets
        negative = 1.6732632423543772 * np.expm1(np.minimum(values, 0))
        values = (1.0507009873554805 * np.where(values > 0, values, negative)).astype(np.float32)
    scores = values @ layers[-1][0] + layers[-1][1]
    return (scores[:, 1] <= scores[:, 0]).astype(np.int8)


def oracle60k(folder: Path) -> limen.Bundle:
    """Pack the 60,000 stored points of the 19-D network; its probability is left out."""
    columns = read("susyai_oracle19/scan60k.parquet")
    columns["excluded"] = (~columns["allowed"].astype(bool)).astype(np.int8)
    return make(document("susyai_oracle19"), columns, folder)


def oracle_fresh(folder: Path, n: int = 320_000) -> limen.Bundle:
    """Pack fresh points of the 19-D network, 300,000 of them to train on."""
    share = 300_000 / n
    rest = (1.0 - share) / 2
    fractions = {"train": share, "calibration": rest, "test": rest}
    split = {"seed": 0, "fractions": fractions, "stratify": "excluded"}
    described = document("susyai_oracle19", id="susyai-oracle19-fresh", split=split)
    X, y = oracle_points(n, seed=7)
    names = [column["name"] for column in described["tables"][0]["columns"]]
    columns = {name: X[:, place] for place, name in enumerate(names[:-1])}
    return make(described, columns | {"excluded": y}, folder)


def pmssm(folder: Path) -> limen.Bundle:
    """Pack the cross sections of the pMSSM, process unknown."""
    return make(
        document("pmssm_xsec19"), read("pmssm_xsec19/pmssm19_xsec.parquet", "split"), folder
    )


NLLFAST = ("gg", "sb", "sg", "ss", "st")


def nllfast(process: str, folder: Path) -> limen.Bundle:
    """Pack one grid of NLL-fast: masses and the NLO+NLL cross section."""
    stem = f"events/xsec/{process}_nllnlo_mstw2008"
    names = [column["name"] for column in json.loads(shared(f"{stem}.info").read_text())["columns"]]
    lines = shared(f"{stem}.grid").read_text().splitlines()[1:]
    rows = np.array([line.split()[1:] for line in lines if line.strip()], dtype=float)
    columns = dict(zip(names[1:], rows.T, strict=True))
    masses = [
        name for name in names[1:3] if "dummy" not in name and len(np.unique(columns[name])) > 1
    ]
    # One mass over a decade: the cross section is closest to a power of it.
    scale = "linear" if len(masses) > 1 else "log"
    described = document("nllfast", id=f"nllfast-{process}")
    described["tables"][0]["columns"] = [
        *({"name": name, "role": "parameter", "unit": "GeV", "scale": scale} for name in masses),
        {
            "name": "xsec",
            "role": "observable",
            "quantity": "cross_section",
            "unit": "pb",
            "scale": "log",
        },
    ]
    return make(described, columns, folder)


def thdm(folder: Path) -> limen.Bundle:
    """Pack the 2HDM scan; points whose chi2 is unknown are left out where it would decide."""
    columns = read("thdm_scan/thdm_hybrid_scan.parquet", "job", "file")
    good = (columns["stb"] == 1) & (columns["uni"] == 1) & (columns["per"] == 1)
    good &= columns["tot_hbobs"] < 1
    known = ~good | np.isfinite(columns["chisqdiff"])
    columns["passes"] = (good & (columns["chisqdiff"] < 6.18)).astype(np.int8)
    return make(document("thdm"), {k: v[known] for k, v in columns.items()}, folder)


def sbottom(folder: Path) -> limen.Bundle:
    """Pack the CLs of region A."""
    columns = read("pyhf_sbottom/cls_regionA.csv", "patch", "error")
    return make(document("sbottom"), columns, folder)
