"""
Find the affine subspaces that data lie on.

Scans often lie on a few planes (a fixed mass difference, a fixed mass), which a box cannot see.
Candidates are proposed on a sample of the rows and a few of them chosen to cover nearly all.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from limen.domain.region import AffineSubspace

__all__ = ["find_subspaces"]

Floats = NDArray[np.float64]
Plane = tuple[Floats, float]

TOLERANCE = 1e-3
FIT = TOLERANCE / 4
ROUNDING = 8 * 2.0**-24
MAX_SUBSPACES = 4
MIN_SHARE = 0.10
MAX_STRAY_SHARE = 0.02
MAX_STRAYS = 20
SAMPLE = 2000
MIN_ROWS = 20
ROWS_PER_INPUT = 5
TRIALS = 300
MAX_LOCAL_INPUTS = 6
MAX_PAIRED_INPUTS = 40


def find_subspaces(
    X: Floats, *, centre: Floats, scale: Floats, rng: np.random.Generator
) -> tuple[AffineSubspace, ...]:
    """
    Find at most four affine subspaces that hold the rows, but for a few strays.

    Constant columns are left to the box. Three or more parallel planes are the axis of a grid,
    between whose values one interpolates: they are not returned.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Rows, in the inputs' units, finite.
    centre, scale : ndarray, shape (d,)
        Scaling of the domain, in the inputs' units.
    rng : numpy.random.Generator
        Draws the sample and the trials.

    Returns
    -------
    tuple of AffineSubspace
        Empty if the rows fill their box.

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)
    >>> X = np.column_stack([x, 3 * x + 1])
    >>> found = find_subspaces(X, centre=np.zeros(2), scale=np.ones(2), rng=np.random.default_rng())
    >>> len(found), found[0].rows
    (1, 50)
    """
    low, high = X.min(axis=0), X.max(axis=0)
    varying = np.flatnonzero(high - low > 1e-5 * np.maximum(np.abs(low), np.abs(high)))
    if len(X) < max(MIN_ROWS, ROWS_PER_INPUT * varying.size) or varying.size < 1:
        return ()
    width = (high - low)[varying]
    W = (X[:, varying] - low[varying]) / width
    groups = _cover(W, width, rng)
    tolerance = max(TOLERANCE, ROUNDING * float((np.abs(X[:, varying]).max(axis=0) / width).max()))
    found = []
    for normals, offsets, rows in groups:
        wide = np.zeros((len(normals), X.shape[1]))
        wide[:, varying] = normals / width
        shifted = offsets + wide @ np.where(np.isin(np.arange(len(low)), varying), low, 0.0)
        found.append(
            AffineSubspace(wide * scale, shifted - wide @ centre, tolerance, rows),
        )
    return tuple(found)


def _cover(W: Floats, width: Floats, rng: np.random.Generator) -> list[tuple[Floats, Floats, int]]:
    """Relations of each group of rows that together cover W, else those of all rows, if any."""
    rows = rng.permutation(len(W))[:SAMPLE]
    sample = W[rows]
    planes = _choose(sample, _axis_planes(sample, width))
    if not planes and _is_continuous(sample):
        planes = _choose(sample, _local_planes(sample, rng))
    if planes:
        groups = [_relations(W[np.abs(W @ normal - offset) <= FIT]) for normal, offset in planes]
        if _covers(W, groups):
            return groups
    whole = _relations(W)
    return [whole] if len(whole[0]) else []


def _covers(W: Floats, groups: list[tuple[Floats, Floats, int]]) -> bool:
    inside = np.zeros(len(W), dtype=bool)
    for normals, offsets, _ in groups:
        if len(normals) == 0:
            return False
        inside |= (np.abs(W @ normals.T - offsets) <= TOLERANCE).all(axis=1)
    return _few(len(W) - int(inside.sum()), len(W))


def _few(strays: int, n: int) -> bool:
    return strays <= min(MAX_STRAY_SHARE * n, MAX_STRAYS)


def _axis_planes(sample: Floats, width: Floats) -> list[Plane]:
    """Planes on which a column, or the difference of two columns, is often the same."""
    d = sample.shape[1]
    directions = [np.eye(d)[j] for j in range(d)]
    if d <= MAX_PAIRED_INPUTS:
        for a, b in combinations(range(d), 2):
            normal = np.zeros(d)
            normal[a], normal[b] = width[a], -width[b]
            directions.append(normal / max(width[a], width[b]))
    return [plane for normal in directions for plane in _frequent(sample, normal)]


def _frequent(sample: Floats, normal: Floats) -> list[Plane]:
    values = sample @ normal
    cells, index, counts = np.unique(
        np.round(values / (2 * FIT)), return_inverse=True, return_counts=True
    )
    # A value may straddle two cells, so that each holds as little as half of it.
    often = np.flatnonzero(counts >= 0.5 * MIN_SHARE * len(sample))
    offsets = [float(np.median(values[index == cell])) for cell in often] if len(cells) else []
    enough = MIN_SHARE * len(sample)
    return [(normal, o) for o in offsets if (np.abs(values - o) <= FIT).sum() >= enough]


def _is_continuous(sample: Floats) -> bool:
    """Whether hyperplanes through rows mean anything: on a grid there are too many."""
    n, d = sample.shape
    distinct = [np.unique(column).size for column in sample.T]
    return bool(2 <= d <= MAX_LOCAL_INPUTS and min(distinct) > n**0.5)


def _local_planes(sample: Floats, rng: np.random.Generator) -> list[Plane]:
    """Hyperplanes through neighbouring rows that hold many others."""
    n, d = sample.shape
    anchors = rng.integers(n, size=TRIALS)
    picked = np.empty((TRIALS, d), dtype=np.int64)
    for trial, anchor in enumerate(anchors):
        distance = np.square(sample - sample[anchor]).sum(axis=1)
        near = np.argpartition(distance, min(n - 1, 5 * d))[: 5 * d]
        others = near[near != anchor]
        picked[trial] = [anchor, *rng.permutation(others)[: d - 1]]
    edges = sample[picked[:, 1:]] - sample[picked[:, :1]]
    normals = np.linalg.svd(edges, full_matrices=True)[2][:, -1, :]
    normals /= np.abs(normals).max(axis=1, keepdims=True)
    offsets = np.einsum("td,td->t", normals, sample[anchors])
    counts = (np.abs(sample @ normals.T - offsets) <= FIT).sum(axis=0)
    best = np.argsort(-counts, kind="stable")
    enough = max(MIN_SHARE * n, ROWS_PER_INPUT * d)
    return [(normals[t], float(offsets[t])) for t in best if counts[t] >= enough]


def _choose(sample: Floats, planes: list[Plane]) -> list[Plane]:
    """Cover the sample greedily; nothing if that fails or if the planes are a grid's axis."""
    if not planes:
        return []
    held = np.stack([np.abs(sample @ normal - offset) <= FIT for normal, offset in planes])
    open_rows = np.ones(len(sample), dtype=bool)
    chosen: list[Plane] = []
    while len(chosen) < MAX_SUBSPACES and not _few(int(open_rows.sum()), len(sample)):
        gains = (held & open_rows).sum(axis=1)
        best = int(gains.argmax())
        if gains[best] < MIN_SHARE * len(sample):
            return []
        chosen.append(planes[best])
        open_rows &= ~held[best]
    directions = np.stack([normal for normal, _ in chosen])
    parallel = np.linalg.matrix_rank(directions, tol=1e-6) == 1
    covered = _few(int(open_rows.sum()), len(sample))
    return [] if not covered or (parallel and len(chosen) > 2) else chosen


def _relations(group: Floats) -> tuple[Floats, Floats, int]:
    """Linear relations that all rows of a group obey: sparse normals, offsets, rows."""
    n, d = group.shape
    none = np.empty((0, d)), np.empty(0), n
    if n < ROWS_PER_INPUT * d:
        return none
    stride = group[:: max(1, n // SAMPLE)]
    middle = stride.mean(axis=0)
    _, size, axes = np.linalg.svd(stride - middle, full_matrices=False)
    null = axes[size < 0.2 * FIT * len(stride) ** 0.5]
    if len(null) == 0:
        return none
    normals = _sparse(null)
    offsets = normals @ middle
    kept = (np.abs(group @ normals.T - offsets) <= 2 * FIT).all(axis=0)
    return normals[kept], offsets[kept], n


def _sparse(null: Floats) -> Floats:
    """Reduced row echelon form of a basis, so that each relation has few inputs."""
    basis = null.copy()
    for i in range(len(basis)):
        free = np.abs(basis[i:])
        pivot = np.unravel_index(int(free.argmax()), free.shape)
        row, column = int(pivot[0]) + i, int(pivot[1])
        basis[[i, row]] = basis[[row, i]]
        basis[i] /= basis[i, column]
        others = np.arange(len(basis)) != i
        basis[others] -= np.outer(basis[others, column], basis[i])
    basis /= np.abs(basis).max(axis=1, keepdims=True)
    return np.where(np.abs(basis) < 1e-4, 0.0, basis)
