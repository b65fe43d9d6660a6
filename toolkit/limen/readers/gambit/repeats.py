"""Points that stand more than once: pairs (MPIrank, pointID) that repeat within or across files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limen.readers.gambit.runs import MASK, SLAB, Run
from limen.readers.hdf5 import dataset_of, opened

__all__ = ["find_repeats"]

_log = logging.getLogger(__name__)

Keys = NDArray[np.uint64]

_RANK, _POINT = "MPIrank", "pointID"
_POINT_BITS = 40
_COMPARED = 262_144
# Keys held and sorted at a time; more points are compared in several passes over the files.
_HELD = 25_000_000
_SHOWN = 5


def find_repeats(runs: Sequence[Run]) -> list[str]:
    """
    Say which pairs (MPIrank, pointID) stand more than once.

    Within a file a pair is unique, unless the run was restarted or combined wrongly. In different
    files it may stand again where the runs are independent.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    list of str
        A sentence for each file with repeated points, and one for points of several files; the
        files without both datasets are not compared.

    Raises
    ------
    ReadError
        If a file is damaged.

    Notes
    -----
    A key holds rank, point and file in 64 bits, so one sort finds both kinds; 25 million keys
    are held at a time.
    """
    bits = max(1, (len(runs) - 1).bit_length())
    passes = 1 + sum(run.n_rows for run in runs) // _HELD
    found = _Repeats(runs, bits)
    held = np.empty(sum(run.n_rows for run in runs) // passes + SLAB, np.uint64)
    for number in range(passes):
        end = 0
        for keys in _all_keys(runs, bits):
            kept = keys[_share(keys, bits, passes) == number]
            if end + len(kept) > len(held):
                held.resize(2 * len(held) + len(kept), refcheck=False)
            held[end : end + len(kept)] = kept
            end += len(kept)
        found.see(held[:end])
    return [*found.within_files(), *found.across_files()]


class _Repeats:
    """Counts and first examples of pairs that stand again, by file and over files."""

    def __init__(self, runs: Sequence[Run], bits: int) -> None:
        self.runs = runs
        self.bits = bits
        self.within: Counter[int] = Counter()
        self.first: dict[int, list[str]] = {}
        self.across = 0
        self.shared: list[str] = []

    def see(self, keys: Keys) -> None:
        """Take in keys, all of a pair together; they are sorted in place."""
        keys.sort()
        for start in range(0, len(keys), _COMPARED):
            self._compare(keys[start : start + _COMPARED + 1])

    def _compare(self, keys: Keys) -> None:
        apart = keys[1:] ^ keys[:-1]
        again = keys[1:][apart == 0]
        both = keys[1:][(apart > 0) & (apart < np.uint64(1 << self.bits))]
        files = again & np.uint64((1 << self.bits) - 1)
        for file in np.unique(files).tolist():
            own = again[files == np.uint64(file)]
            self.within[file] += len(own)
            self._show(self.first.setdefault(file, []), own)
        self.across += len(both)
        self._show(self.shared, both)

    def _show(self, shown: list[str], keys: Keys) -> None:
        """Add examples to those shown until there are enough."""
        more = dict.fromkeys(_pair(key, self.bits) for key in keys[:100].tolist())
        shown += [pair for pair in more if pair not in shown][: _SHOWN - len(shown)]

    def within_files(self) -> list[str]:
        """Say for each file what repeats in it."""
        return [
            f"{self.runs[file].path.name}: {count} "
            f"{'rows repeat' if count > 1 else 'row repeats'} a pair (MPIrank, pointID) of the "
            f"same file, such as {', '.join(self.first[file])}"
            for file, count in sorted(self.within.items())
        ]

    def across_files(self) -> list[str]:
        """Say what repeats over the files."""
        if not self.across:
            return []
        names = ", ".join(run.path.name for run in self.runs[:_SHOWN])
        more = f" and {len(self.runs) - _SHOWN} more" if len(self.runs) > _SHOWN else ""
        return [
            f"{self.across} {'pairs' if self.across > 1 else 'pair'} (MPIrank, pointID) such as "
            f"{', '.join(self.shared)} stand in more than one of {names}{more}: right for "
            "independent runs, not for parts or copies of one run"
        ]


def _share(keys: Keys, bits: int, passes: int) -> NDArray[np.uint64]:
    """Spread pairs evenly over the passes, the same pair always to the same."""
    return np.asarray((keys >> np.uint64(bits)) % np.uint64(passes))


def _pair(key: int, bits: int) -> str:
    pair = key >> bits
    return f"({pair >> _POINT_BITS}, {pair & ((1 << _POINT_BITS) - 1)})"


def _all_keys(runs: Sequence[Run], bits: int) -> Iterator[Keys]:
    for number, run in enumerate(runs):
        if {_RANK, _POINT} <= set(run.names):
            yield from _keys(run, number, bits)


def _keys(run: Run, number: int, bits: int) -> Iterator[Keys]:
    """Yield the keys of one file in slabs, points without a valid pair left out."""
    with opened(run.path) as file:
        group = file[run.group]
        names = (_RANK, _POINT, f"{_RANK}{MASK}", f"{_POINT}{MASK}")
        found = [dataset_of(group, name) for name in names if name in group]
        datasets = [d for d in found if d is not None and d.ndim == 1 and d.dtype.kind in "biu"]
        if len(datasets) < len(found):
            return
        for start in range(0, run.n_rows, SLAB):
            stop = min(start + SLAB, run.n_rows)
            rank, point, *masks = (dataset[start:stop] for dataset in datasets)
            good = np.logical_and.reduce([mask != 0 for mask in masks]) if masks else ...
            rank, point = rank[good], point[good]
            if rank.size and not _fit(rank, point, bits, run.path):
                return
            yield (
                (rank.astype(np.uint64) << np.uint64(_POINT_BITS + bits))
                | (point.astype(np.uint64) << np.uint64(bits))
                | np.uint64(number)
            )


def _fit(rank: NDArray[np.uint64], point: NDArray[np.uint64], bits: int, path: Path) -> bool:
    """Tell whether ranks and points fit into a key; say so if not."""
    fit = rank.min() >= 0 and point.min() >= 0
    fit = fit and rank.max() < 1 << (64 - _POINT_BITS - bits) and point.max() < 1 << _POINT_BITS
    if not fit:
        _log.warning("%s: pairs (MPIrank, pointID) out of range are not compared", path)
    return bool(fit)
