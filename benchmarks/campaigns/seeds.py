"""Figures of a case, seed by seed: what is stored is not measured again, so runs may be broken."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["by_seed", "stored"]

Figures = dict[str, Any]


def stored(path: Path) -> dict[str, Any]:
    """Read what a file of results holds, by case."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def by_seed(path: Path, case: str, seeds: Iterable[int], run: Callable[[int], Figures]) -> Figures:
    """
    Measure the seeds of a case that are not stored yet, and store each at once.

    Parameters
    ----------
    path : Path
        ``{case: {"runs": {seed: figures}, "medians": figures}}``; delete a case to measure it anew.
    case : str
    seeds : iterable of int
    run : callable
        Figures, by name, of a seed; None stands for what was never reached.

    Returns
    -------
    dict
        ``runs`` and ``medians``.
    """
    for seed in seeds:
        if str(seed) in stored(path).get(case, {}).get("runs", {}):
            continue
        figures = run(seed)
        # Another case may have been stored meanwhile.
        known = stored(path)
        entry = known.setdefault(case, {"runs": {}})
        entry["runs"][str(seed)] = figures
        entry["runs"] = dict(sorted(entry["runs"].items(), key=lambda item: int(item[0])))
        entry["medians"] = _medians(list(entry["runs"].values()))
        _write(path, known)
        print(path.stem, case, seed, figures, flush=True)
    return dict(stored(path).get(case, {"runs": {}, "medians": {}}))


def _medians(runs: list[Figures]) -> Figures:
    found: Figures = {}
    for key in runs[0]:
        values = [float("inf") if run.get(key) is None else run[key] for run in runs]
        middle = statistics.median(values)
        found[key] = None if middle == float("inf") else round(middle, 4)
    return found


def _write(path: Path, known: dict[str, Any]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
