"""Published points near a slice, with their published values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.prediction import Predictor

__all__ = ["Published", "Slab", "random_row", "read_published", "rows_of", "slab"]

Floats = NDArray[np.float64]
_MOST = 1_000_000
_BLOCK = 262_144


@dataclass(frozen=True, slots=True)
class Published:
    """
    The valid rows of a scan, as a model sees them.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Numbers of the rows in the scan.
    X : ndarray of float32, shape (n, d)
        Their inputs, in the order of the model, in shares of the trained range from its lower end.
    target : ndarray of float32, shape (n,)
        NaN where it is masked.
    of : int
        Rows of the scan; more than ``rows`` where only every so many are held.
    """

    rows: NDArray[np.int64]
    X: NDArray[np.float32]
    target: NDArray[np.float32]
    of: int


@dataclass(frozen=True, slots=True)
class Slab:
    """
    Published points near a slice.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
    along : dict of str to ndarray, shape (n,)
        Values of the parameters along the axes, in their units.
    target : ndarray, shape (n,)
        Published values.
    thickness : float
        Largest difference of another parameter from the slice, as a share of its trained range
        [1]; 0 where all parameters are axes.
    of : int
        Rows that were looked at.
    """

    rows: NDArray[np.int64]
    along: dict[str, Floats]
    target: Floats
    thickness: float
    of: int


def read_published(bundle: Bundle, predictor: Predictor) -> Published:
    """
    Read the inputs and the target of a model from its scan; at most a million rows, evenly spread.

    Parameters
    ----------
    bundle : Bundle
    predictor : Predictor

    Raises
    ------
    PartMissingError
        If the scan is not here.
    """
    names = list(predictor.card.input_names)
    columns = [*predictor.inputs, predictor.target]
    masks = {column.name: column.valid for column in columns if column.valid is not None}
    wanted = list(dict.fromkeys([*names, predictor.target.name, *masks.values()]))
    low, width = predictor.domain.low, predictor.domain.high - predictor.domain.low
    width = np.where(width > 0, width, 1.0)
    kept: list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]] = []
    with bundle.open_scan() as scan:
        stride = -(-scan.n_points // _MOST)
        start = 0
        for table in scan.blocks(wanted, rows=_BLOCK):
            length = len(table[names[0]])
            chosen = np.arange(-start % stride, length, stride)
            X = np.stack([table[name][chosen].astype(np.float64) for name in names], axis=1)
            valid = np.isfinite(X).all(axis=1)
            for name in names:
                if name in masks:
                    valid &= table[masks[name]][chosen].astype(bool)
            target = table[predictor.target.name][chosen].astype(np.float64)
            if predictor.target.name in masks:
                target[~table[masks[predictor.target.name]][chosen].astype(bool)] = np.nan
            scaled = ((X[valid] - low) / width).astype(np.float32)
            kept.append((start + chosen[valid], scaled, target[valid].astype(np.float32)))
            start += length
    rows, X32, target32 = (np.concatenate(part) for part in zip(*kept, strict=True))
    return Published(rows, X32, target32, start)


def slab(
    published: Published,
    predictor: Predictor,
    point: Mapping[str, float],
    axes: Sequence[str],
    *,
    most: int = 200,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Slab:
    """
    Find the published points nearest to a slice.

    Parameters
    ----------
    published : Published
    predictor : Predictor
    point : mapping of str to float
        Where the slice lies, in the inputs' units.
    axes : sequence of str
        Parameters along the axes, which may have any value in their ranges.
    most : int
        How many points at most.
    ranges : mapping of str to (float, float), optional
        Between which ends an axis is drawn; points beyond are left out.

    Returns
    -------
    Slab
        By the largest difference among the other parameters, each in shares of its range.
    """
    names = predictor.card.input_names
    low, high = predictor.domain.low, predictor.domain.high
    width = np.where(high > low, high - low, 1.0)
    others = [at for at, name in enumerate(names) if name not in axes]
    drawn = np.isfinite(published.target)
    for at, (first, last) in ((names.index(name), ends) for name, ends in (ranges or {}).items()):
        drawn &= published.X[:, at] >= (first - low[at]) / width[at]
        drawn &= published.X[:, at] <= (last - low[at]) / width[at]
    known = np.flatnonzero(drawn)
    here = np.array([point[names[at]] for at in others], dtype=np.float64)
    far = np.zeros(len(known), dtype=np.float32)
    for at, value in zip(others, here, strict=True):
        scaled = np.float32((value - low[at]) / width[at])
        np.maximum(far, np.abs(published.X[known, at] - scaled), out=far)
    number = min(most, len(known))
    near = np.argpartition(far, number - 1)[:number] if number else np.zeros(0, dtype=np.int64)
    near = near[np.lexsort((known[near], far[near]))]
    chosen = known[near]
    return Slab(
        published.rows[chosen],
        {
            name: low[at] + width[at] * published.X[chosen, at].astype(np.float64)
            for at, name in ((names.index(name), name) for name in axes)
        },
        published.target[chosen].astype(np.float64),
        float(far[near].max()) if number and others else 0.0,
        len(published.rows),
    )


def rows_of(bundle: Bundle, names: Sequence[str], rows: Sequence[int]) -> dict[str, Floats]:
    """
    Read some columns of single rows, NaN where they are masked.

    Parameters
    ----------
    bundle : Bundle
    names : sequence of str
    rows : sequence of int

    Returns
    -------
    dict of str to ndarray, shape (rows,)
    """
    found: dict[str, Floats] = {}
    with bundle.open_scan() as scan:
        for name in names:
            values = np.asarray(scan.take(name, list(rows)), dtype=np.float64)
            mask = bundle.columns[name].valid
            if mask is not None:
                values[~np.asarray(scan.take(mask, list(rows)), dtype=bool)] = np.nan
            found[name] = values
    return found


def random_row(bundle: Bundle, names: Sequence[str], rng: np.random.Generator) -> int | None:
    """
    Draw a row of the scan whose parameters are valid; None if 64 draws find none.

    Parameters
    ----------
    bundle : Bundle
    names : sequence of str
        The parameters.
    rng : numpy.random.Generator
    """
    if not bundle.n_points:
        return None
    rows = rng.integers(0, bundle.n_points, 64)
    values = rows_of(bundle, names, rows.tolist())
    whole = np.flatnonzero(np.isfinite(np.stack(list(values.values()))).all(axis=0))
    return int(rows[whole[0]]) if len(whole) else None
