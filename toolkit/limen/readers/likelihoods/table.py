"""The table of a pyhf likelihood: a row per signal point, fitted when it is streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.readers.likelihoods.computing import Result, compute
from limen.readers.likelihoods.declarations import (
    BAND_NAMES,
    NO_REGION,
    describe,
    hints_of,
    region_column,
)
from limen.readers.likelihoods.opening import Collection, open_collection
from limen.readers.likelihoods.points import LEVEL, MU_MAX
from limen.readers.options import Selection
from limen.readers.tables import Block, Table, library

__all__ = ["OPTIONS", "open_likelihoods"]

OPTIONS = frozenset({"limits", "names", "regions", "workers"})

Row = dict[str, Any]


def open_likelihoods(
    paths: Sequence[Path], options: Mapping[str, Any], selection: Selection
) -> Table:
    """
    Open backgrounds with signal patches; the fits are made when the table is streamed.

    Parameters
    ----------
    paths : sequence of Path
        JSON files, folders of them, tar archives. Each folder with a background is a region.
    options : mapping
        ``names``, labels of loose patches; ``limits``, whether upper limits are found;
        ``regions``, a list of folders or {name: folder}; ``workers``, a number of processes.
    selection : Selection
        Columns to drop.

    Returns
    -------
    Table
        Rows in the order of the patches. Points whose fits cannot be believed are masked.

    Raises
    ------
    ReadError
        If a file is no workspace, patch set or patch, a digest is wrong, labels are missing, or no
        patch can be used.
    MissingExtraError
        If pyhf, jsonpatch or iminuit is not installed.
    """
    version = str(library("pyhf", "io").__version__)
    tools = [f"{name} {library(name, 'io').__version__}" for name in ("scipy", "iminuit")]
    library("jsonpatch", "io")
    collection = open_collection(paths, options)
    limits = bool(options.get("limits", False))
    sets = _sets(collection)
    hints = hints_of(collection, version, limits=limits, sets=sets)
    dtypes = {name: _dtype(hint) for name, hint in hints.items()}
    used = {name: dtype for name, dtype in dtypes.items() if name not in selection.drop}
    rows: list[Row] = []

    def fitted(start: int, stop: int) -> list[Row]:
        if not rows:
            found = compute(collection, limits=limits, workers=options.get("workers"))
            rows.extend(_rows(collection, found))
        return rows[start:stop]

    def unfitted(start: int, stop: int) -> list[Row]:
        return _parameters(collection)[start:stop]

    return Table(
        paths[0],
        tuple(hints),
        used,
        len(collection.points),
        _streaming(fitted, used, len(collection.points)),
        files=tuple(paths),
        hints=hints,
        document=describe(collection, version, [f"SLSQP of {tools[0]}", f"MIGRAD of {tools[1]}"]),
        refused=tuple(collection.refused),
        preview=_streaming(unfitted, used, len(collection.points)),
    )


def _dtype(hint: Mapping[str, Any]) -> np.dtype[Any]:
    """Give the type of a column by its role."""
    if hint["role"] in ("mask", "label"):
        return np.dtype(np.bool_)
    return np.dtype(np.int32 if hint["role"] == "origin" else np.float64)


def _streaming(
    rows_of: Callable[[int, int], list[Row]], dtypes: Mapping[str, np.dtype[Any]], count: int
) -> Callable[[int], Iterator[Block]]:
    def stream(rows: int) -> Iterator[Block]:
        for start in range(0, count, rows):
            part = rows_of(start, min(start + rows, count))
            yield {
                name: np.array([row.get(name, _missing(dtype)) for row in part], dtype=dtype)
                for name, dtype in dtypes.items()
            }

    return stream


def _missing(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind == "f" else 0


def _sets(collection: Collection) -> dict[int, str]:
    """Say in words, by code, which regions points have; bit ``i`` stands for region ``i``."""
    codes = {_set_of(collection, point) for point in collection.points}
    return {
        code: ", ".join(r.name for i, r in enumerate(collection.regions) if code >> i & 1)
        for code in sorted(codes)
    }


def _set_of(collection: Collection, point: str) -> int:
    return sum(1 << i for i, r in enumerate(collection.regions) if point in r.patches)


def _parameters(collection: Collection) -> list[Row]:
    return [
        dict(zip(collection.labels, values, strict=True)) for values in collection.points.values()
    ]


def _rows(collection: Collection, results: Sequence[Mapping[str, Result]]) -> list[Row]:
    """Combine the regions of each point by the best expected CLs."""
    rows = _parameters(collection)
    for row, point in zip(rows, collection.points, strict=True):
        found = {i: of[point] for i, of in enumerate(results) if point in of}
        for code, result in found.items():
            if result["ok"]:
                name = collection.regions[code].name
                row[region_column("CLs_obs", name)] = result["cls_obs"]
                row[region_column("CLs_exp", name)] = result["cls_exp"][2]
                row[region_column("fit_ok", name)] = True
        row["regions"] = _set_of(collection, point)
        row["minimiser"] = max(result["minimiser"] for result in found.values())
        # A region whose fit failed may have been the best.
        if all(result["ok"] for result in found.values()):
            best = min(found, key=lambda code: found[code]["cls_exp"][2])
            row |= {"decided_by": best, **_values(found[best])}
        else:
            row["decided_by"] = NO_REGION
    return rows


def _values(result: Result) -> Row:
    """Give what one region says of a point."""
    row: Row = {
        "fit_ok": True,
        "CLs_obs": result["cls_obs"],
        "CLsb_obs": result["clsb_obs"],
        "CLb_obs": result["clb_obs"],
        "excluded": result["cls_obs"] < LEVEL,
        "fit_gap": result["gap"],
        "fit_distance": result["distance"],
        "mu_hat": result["mu_hat"],
    }
    bands = list(zip(BAND_NAMES.values(), result["cls_exp"], strict=True))
    row |= {f"CLs_{ending}": value for ending, value in bands}
    if result.get("limits_ok"):
        row["limits_ok"] = True
        found = {"obs": result["mu95_obs"]}
        found |= dict(zip(BAND_NAMES.values(), result["mu95_exp"], strict=True))
        for ending, value in found.items():
            row[f"mu95_{ending}"] = value
            row[f"mu95_{ending}_censored"] = value > MU_MAX
    return row
