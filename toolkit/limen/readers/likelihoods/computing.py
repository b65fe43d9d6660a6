"""Fits of many points: beside each other, and kept as they are finished."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import ReadError
from limen.journal import storing
from limen.readers.likelihoods.fits import MINIMISERS, SETTINGS, TOLERANCE
from limen.readers.likelihoods.opening import Collection, Packed
from limen.readers.likelihoods.patching import apply_patch
from limen.readers.likelihoods.points import MU_MAX, evaluate
from limen.readers.tables import library

__all__ = ["Result", "cache_folder", "compute"]

_log = logging.getLogger(__name__)

Result = dict[str, Any]

# Changes whenever the same input gives other numbers.
_EDITION = 1
_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class _Job:
    """One fit to be made."""

    region: int
    point: str
    key: str
    background: Packed
    patch: Packed


def cache_folder() -> Path:
    """
    Find the folder in which finished fits are kept.

    Returns
    -------
    Path
        ``$LIMEN_CACHE``, else ``$XDG_CACHE_HOME/limen``, else ``~/.cache/limen``.
    """
    given = os.environ.get("LIMEN_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "limen"


def compute(
    collection: Collection, *, limits: bool = False, workers: int | None = None
) -> list[dict[str, Result]]:
    """
    Fit every point in every region; what is in the cache is not fitted again.

    Parameters
    ----------
    collection : Collection
    limits : bool
        Also find upper limits.
    workers : int, optional
        Number of processes; as many as there are cores if None.

    Returns
    -------
    list of dict
        By region, what `evaluate` gives by name of the point.

    Raises
    ------
    ReadError
        If a process was ended from outside; what was finished is kept.
    StorageError
        If the cache cannot be written.
    """
    jobs = _jobs(collection, limits)
    answers: list[dict[str, Result]] = [{} for _ in collection.regions]
    path = cache_folder() / "pyhf" / f"{_folder_key(collection, limits)}.jsonl"
    known = _read_journal(path)
    missing = []
    for job in jobs:
        if job.key in known:
            answers[job.region][job.point] = known[job.key]
        else:
            missing.append(job)
    if known and missing:
        _log.info("%s of %s fits were made before", f"{len(jobs) - len(missing):,}", len(jobs))
    count = min(workers or len(os.sched_getaffinity(0)), len(missing))
    started = said = time.monotonic()
    for number, (job, result) in enumerate(_results(missing, limits, count), 1):
        _append(path, job.key, result)
        answers[job.region][job.point] = result
        if not result["ok"]:
            name = collection.regions[job.region].name
            _log.warning("%s, %s: masked, since %s", job.point, name, result["why"])
        now = time.monotonic()
        if now - said > _EVERY:
            said, rate = now, number / (now - started)
            _log.info("fitted %s of %s points, %.2f a second", number, len(missing), rate)
    return answers


def _jobs(collection: Collection, limits: bool) -> list[_Job]:
    settings = json.dumps(_settings(limits), sort_keys=True)
    jobs = []
    for number, region in enumerate(collection.regions):
        for point, patch in region.patches.items():
            text = f"{region.background.digest} {patch.digest} {settings}"
            key = hashlib.sha256(text.encode()).hexdigest()
            jobs.append(_Job(number, point, key, region.background, patch))
    return jobs


def _settings(limits: bool) -> dict[str, Any]:
    return {
        "edition": _EDITION,
        "pyhf": str(library("pyhf", "io").__version__),
        "modifiers": SETTINGS,
        "tolerance": TOLERANCE,
        "minimisers": MINIMISERS,
        "limits": MU_MAX if limits else None,
    }


def _folder_key(collection: Collection, limits: bool) -> str:
    backgrounds = sorted(region.background.digest for region in collection.regions)
    text = json.dumps([backgrounds, _settings(limits)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read_journal(path: Path) -> dict[str, Result]:
    """Read finished fits; a line that was being written when its process ended is passed over."""
    known: dict[str, Result] = {}
    if not path.is_file():
        return known
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
                known[entry["key"]] = entry["result"]
            except (ValueError, KeyError, TypeError):
                continue
    return known


def _append(path: Path, key: str, result: Result) -> None:
    """Keep one finished fit; the line begins anew after one that was cut off."""
    line = json.dumps({"key": key, "result": result}).encode() + b"\n"
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                line = line if stream.read(1) == b"\n" else b"\n" + line
            stream.write(line)


def _results(jobs: Sequence[_Job], limits: bool, count: int) -> Iterator[tuple[_Job, Result]]:
    if count <= 1:
        yield from ((job, _fitted(job.background, job.patch, limits)) for job in jobs)
        return
    # A fork of a process with threads may hang; a fresh one does not.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        waiting = {pool.submit(_fitted, j.background, j.patch, limits): j for j in jobs}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise ReadError(
                "fits: a process was ended from outside, or a script started them without "
                "'if __name__ == \"__main__\":'; run it again, finished fits are kept"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _fitted(background: Packed, patch: Packed, limits: bool) -> Result:
    """Fit one point; a workspace that pyhf refuses is a point that failed."""
    exceptions = library("pyhf.exceptions", "io")
    own = [e for e in vars(exceptions).values() if isinstance(e, type)]
    known: tuple[type[Exception], ...] = (
        *(error for error in own if issubclass(error, Exception)),
        *(ArithmeticError, LookupError, TypeError, ValueError),
    )
    try:
        with np.errstate(all="ignore"):
            return evaluate(apply_patch(background.load(), patch.load()), limits=limits)
    except known as error:
        why = f"the workspace cannot be fitted ({' '.join(str(error).split())[:300]})"
        nothing = {"minimiser": 0, "distance": None, "gap": None, "mu_hat": None}
        return {"ok": False, "why": why, "limits_ok": False, **nothing}
