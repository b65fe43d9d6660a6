"""Learn a domain from training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.domain.region import Domain
from limen.domain.subspaces import find_subspaces
from limen.errors import DataError, ShapeError, TrainingError

__all__ = ["fit_domain"]

Floats = NDArray[np.float64]

NEIGHBOURS = 3
JUDGED_ROWS = 20_000
THRESHOLD_MARGIN = 1.02
# Below this distance, per root of d, float32 cannot tell a row from its reference.
SMALLEST_THRESHOLD = 0.02
BLOCK = 1024


def fit_domain(
    X: ArrayLike,
    *,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
    max_reference: int = 4096,
    quantile: float = 0.999,
) -> Domain:
    """
    Learn the region that training rows cover.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Training rows, in the inputs' units.
    rng : numpy.random.Generator
        Draws the reference rows.
    names : sequence of str, optional
        Names of the inputs, for messages.
    max_reference : int
        Most reference rows; above 8 inputs at most 2048 are taken, above 12 at most 1024, since
        distances differ less there and every prediction pays for them.
    quantile : float
        Share of rows that the density part takes for inside, measured on rows that are no
        references (or by leaving one out where all rows are).

    Returns
    -------
    Domain

    Raises
    ------
    ShapeError
        If X is not of shape (n, d) with at least one input.
    TrainingError
        If there are no rows.
    DataError
        If a value is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> domain = fit_domain(rng.uniform(0, 1, (500, 2)), rng=rng)
    >>> domain.score([[0.5, 0.5], [0.5, 3.0]]) <= 1
    array([ True, False])
    """
    points = np.asarray(X, dtype=np.float64)
    _check(points, names)
    low, high = points.min(axis=0), points.max(axis=0)
    centre, scale = _scaling(points, low, high)
    order = rng.permutation(len(points))
    rows = min(max_reference, _reference_rows(points.shape[1]))
    reference = np.unique((points[order[:rows]] - centre) / scale, axis=0)
    rest = (points[order[rows : rows + JUDGED_ROWS]] - centre) / scale
    k = max(1, min(NEIGHBOURS, len(reference) - 1))
    distances = _distances(rest, reference, k) if len(rest) else _leave_one_out(reference, k)
    edge = float(np.quantile(distances, quantile)) * THRESHOLD_MARGIN
    return Domain(
        low=low,
        high=high,
        centre=centre,
        scale=scale,
        reference=reference,
        k=k,
        threshold=max(edge, SMALLEST_THRESHOLD * points.shape[1] ** 0.5),
        quantile=quantile,
        subspaces=find_subspaces(points, centre=centre, scale=scale, rng=rng),
    )


def _check(points: Floats, names: Sequence[str] | None) -> None:
    if points.ndim != 2 or points.shape[1] == 0:
        raise ShapeError(
            f"domain: found shape {points.shape}, allowed (n, d); give one column per input"
        )
    if len(points) == 0:
        raise TrainingError("domain: found 0 rows, allowed at least 1; check masks and split")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=0)).tolist()
    if bad:
        found = ", ".join(repr(names[j]) if names else f"column {j}" for j in bad)
        raise DataError(
            f"domain: found values that are not finite in {found}, allowed finite numbers; mask "
            "these rows"
        )


def _reference_rows(d: int) -> int:
    return 4096 if d <= 8 else 2048 if d <= 12 else 1024


def _scaling(points: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation; a constant column gets a scale at which it does not count."""
    centre = np.clip(points.mean(axis=0), low, high)
    spread = np.maximum(points.std(axis=0), 1e-3 * (high - low))
    scale = np.where(high > low, spread, np.maximum(np.abs(centre), 1.0))
    return centre, scale


def _distances(z: Floats, reference: Floats, k: int, skip: int = 0) -> Floats:
    """Root mean square of the k nearest distances, after the ``skip`` nearest, shape (n,)."""
    squares = np.einsum("md,md->m", reference, reference)
    found = np.empty(len(z))
    for start in range(0, len(z), BLOCK):
        block = z[start : start + BLOCK]
        gram = squares - 2.0 * (block @ reference.T)
        gram += np.einsum("nd,nd->n", block, block)[:, None]
        nearest = np.sort(np.partition(gram, k + skip - 1, axis=1)[:, : k + skip], axis=1)
        found[start : start + BLOCK] = nearest[:, skip:].mean(axis=1)
    return np.asarray(np.sqrt(np.maximum(found, 0.0)), dtype=np.float64)


def _leave_one_out(reference: Floats, k: int) -> Floats:
    if len(reference) == 1:
        return np.zeros(1)
    return _distances(reference, reference, k, skip=1)
