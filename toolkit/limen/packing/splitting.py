"""
The split column: 0 train, 1 calibration, 2 test, by a seeded hash of the parameters.

A hash needs no list of rows: identical parameter rows get the same number and stay together
whatever their order, in bounded memory, and the same rows get the same split in every version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limen.errors import DataError
from limen.packing.spool import Spool

__all__ = ["FRACTIONS", "SPLITS", "population_rows", "split_rows"]

SPLITS = {"0": "train", "1": "calibration", "2": "test"}
FRACTIONS = (0.70, 0.15, 0.15)

Array = np.ndarray[Any, Any]


def split_rows(
    spool: Spool,
    keys: Sequence[str],
    eligible: Array,
    *,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    stratify: str | None = None,
    barred: Array | None = None,
) -> Array:
    """
    Split rows into training, calibration and test.

    Parameters
    ----------
    spool : Spool
        The columns.
    keys : sequence of str
        Columns whose equal rows stay together: the parameters, or a group such as a chain.
    eligible : ndarray of bool, shape (n,)
        Rows that were drawn for calibration and test; all others train.
    seed : int
    fractions : sequence of three float
        Shares of train, calibration, test; they sum to 1.
    stratify : str, optional
        Column within whose values the shares hold.
    barred : ndarray of bool, shape (n,), optional
        Rows whose equals train too, eligible or not.

    Returns
    -------
    ndarray of int8, shape (n,)
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise DataError(
            f"scan document /split/fractions: found {list(fractions)}, allowed three shares of "
            "train, calibration and test that sum to 1"
        )
    number = _numbers(spool, keys, seed)
    if barred is not None:
        eligible = eligible & ~np.isin(number, number[barred])
    strata = np.zeros(spool.n, dtype=np.int64)
    if stratify is not None:
        values = spool.read(stratify)
        strata = np.unique(values, return_inverse=True)[1].astype(np.int64)
    split = np.zeros(spool.n, dtype=np.int8)
    cuts: list[tuple[float, float]] = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero((strata == stratum) & eligible)
        if rows.size:
            drawn = number[rows]
            low = float(np.quantile(drawn, fractions[2]))
            kept = min(1.0, fractions[1] + fractions[2])
            high = float(np.quantile(drawn, kept)) if fractions[0] > 0 else np.inf
            cuts.append((low, high))
            split[rows] = np.where(drawn < low, 2, np.where(drawn < high, 1, 0))
    _rejoin(split, number, eligible, cuts)
    return split


def _rejoin(
    split: Array, number: Array, eligible: Array, cuts: Sequence[tuple[float, float]]
) -> None:
    """Bring together equal rows that strata with different cuts have parted."""
    for ends in zip(*cuts, strict=True):
        near = np.flatnonzero(eligible & (number >= min(ends)) & (number <= max(ends)))
        if near.size:
            _, group = np.unique(number[near], return_inverse=True)
            least = np.full(group.max() + 1, len(SPLITS), dtype=np.int8)
            np.minimum.at(least, group, split[near])
            split[near] = least[group]


def _numbers(spool: Spool, keys: Sequence[str], seed: int) -> Array:
    """Give each row a number in [0, 1) that depends on the keys' values and the seed only."""
    numbers = np.empty(spool.n)
    for (start, stop), block in zip(spool.ranges(), spool.blocks(keys), strict=True):
        state = np.full(stop - start, _mix(np.array([seed], dtype=np.uint64))[0])
        for name in keys:
            # Adding 0.0 makes -0.0 and 0.0 one value.
            bits = (block[name].astype(np.float64) + 0.0).view(np.uint64)
            state = _mix(state ^ _mix(bits))
        numbers[start:stop] = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def _mix(state: Array) -> Array:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def population_rows(spool: Spool, population: Mapping[str, Any] | None, valid: Array) -> Array:
    """Tell which rows were drawn for calibration and test."""
    if not population or "column" not in population:
        return valid
    codes = spool.read(population["column"])
    return np.asarray(valid & np.isin(codes, population["codes"]))
