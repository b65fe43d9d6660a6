"""Proof that a graph says what the model says, where the two are most likely to differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ExportError
from limen.estimators.fitted import Floats
from limen.graph import Session, thresholds

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["probe_rows", "threshold_rows", "verify"]

TOLERANCES = {"float32": 1e-5, "float64": 1e-6}
UNDECIDED = 1e-6
_TREES = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")

Reference = Callable[[NDArray[Any]], Mapping[str, Floats]]


def _on_points(graph: Any) -> set[str]:
    """Names of values that are the points themselves, cast or not."""
    names = {item.name for item in graph.input}
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in names:
            names.add(node.output[0])
    return names


def threshold_rows(
    model: ModelProto, X: ArrayLike, rng: np.random.Generator, *, count: int = 1000
) -> NDArray[Any]:
    """
    Make rows at the thresholds of a graph's trees and at the nearest numbers on both sides.

    Parameters
    ----------
    model : onnx.ModelProto
    X : array_like, shape (n, d)
        Rows to start from.
    rng : numpy.random.Generator
    count : int
        Thresholds tried, drawn from all.

    Returns
    -------
    ndarray, shape (at most 3 count, d)
        In the graph's precision; empty if no tree compares the points themselves.
    """
    double = model.graph.input[0].type.tensor_type.elem_type == 11
    dtype = np.float64 if double else np.float32
    points = np.asarray(X, dtype=dtype)
    sources = _on_points(model.graph)
    found = [
        thresholds(node)
        for node in model.graph.node
        if node.op_type in _TREES and node.input[0] in sources
    ]
    columns = np.concatenate([item[0] for item in found] or [np.array([], dtype=np.int64)])
    values = np.concatenate([item[1] for item in found] or [np.array([])])
    if not len(columns):
        return points[:0]
    drawn = rng.choice(len(columns), min(count, len(columns)), replace=False)
    columns, edges = columns[drawn], values[drawn].astype(dtype)
    base = points[rng.integers(len(points), size=len(drawn))]
    blocks = []
    for value in (np.nextafter(edges, dtype(-np.inf)), edges, np.nextafter(edges, dtype(np.inf))):
        block = base.copy()
        block[np.arange(len(drawn)), columns] = value
        blocks.append(block)
    return np.concatenate(blocks)


def probe_rows(
    model: ModelProto, X: ArrayLike, rng: np.random.Generator, *, count: int = 2000
) -> dict[str, NDArray[Any]]:
    """
    Collect the rows on which a graph is to be verified.

    Parameters
    ----------
    model : onnx.ModelProto
    X : array_like, shape (n, d)
        Training rows.
    rng : numpy.random.Generator
    count : int
        Rows of each kind.

    Returns
    -------
    dict of str to ndarray
        ``training``, ``random`` (uniform in the box) and ``thresholds``, where there are any.
    """
    points = np.asarray(X, dtype=np.float64)
    few = points[rng.permutation(len(points))[:count]]
    low, high = points.min(axis=0), points.max(axis=0)
    rows: dict[str, NDArray[Any]] = {"training": few}
    rows["random"] = low + (high - low) * rng.random((count, points.shape[1]))
    edges = threshold_rows(model, points, rng, count=-(-count // 3))
    return {**rows, "thresholds": edges} if len(edges) else rows


def _distances(
    name: str, said: Floats, wanted: Floats, scale: float = 0.0
) -> tuple[Floats, Floats]:
    """
    Absolute and relative differences per row, shapes (n,).

    A difference is relative to the value plus the median size of the output, so that a
    log-likelihood near zero does not count for less than its rounding; probabilities and domain
    scores are compared to 1. A standard deviation is relative to ``scale``, the spread of the
    means, as well: at a row that was learnt it is the root of a difference of rounded numbers.
    """
    equal = (said == wanted) | (np.isnan(said) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        apart = np.where(equal, 0.0, np.abs(said - wanted))
    apart = np.where(np.isnan(apart), np.inf, apart)
    size = np.abs(wanted)
    if name in ("mean", "std"):
        size = size + np.median(size[np.isfinite(size)]) if np.isfinite(size).any() else size
        size = size + scale
        size = np.where(size > 0, size, 1.0)
    else:
        size = np.maximum(size, 1.0)
    with np.errstate(invalid="ignore"):
        relative = np.where(apart == 0, 0.0, np.where(np.isinf(apart), np.inf, apart / size))
    return apart.reshape(len(said), -1).max(axis=1), relative.reshape(len(said), -1).max(axis=1)


def _flips(said: Floats, wanted: Floats) -> NDArray[np.bool_]:
    """Rows whose class differs although the model is decided."""
    ordered = np.sort(wanted, axis=1)
    decided = ordered[:, -1] - ordered[:, -2] > 2 * UNDECIDED
    return np.asarray(decided & (said.argmax(axis=1) != wanted.argmax(axis=1)))


def _compare(
    session: Session, reference: Reference, X: NDArray[Any], tolerance: float
) -> Iterator[tuple[str, Floats, Floats, NDArray[np.bool_]]]:
    """Per output: absolute and relative differences, and rows that do not match, shapes (n,)."""
    points = np.ascontiguousarray(X, dtype=session.dtype)
    said, wanted = session.run(points), reference(points)
    if set(said) != set(wanted):
        raise ExportError(
            f"export: found outputs {sorted(said)}, allowed {sorted(wanted)} as the model has; "
            "assemble the graph again"
        )
    for name in sorted(wanted):
        answer = np.asarray(said[name], dtype=np.float64)
        truth = np.asarray(wanted[name], dtype=np.float64)
        if answer.shape != truth.shape:
            raise ExportError(
                f"export: found '{name}' of shape {answer.shape}, allowed {truth.shape} as the "
                "model has; assemble the graph again"
            )
        scale = 0.0
        if name == "std" and "mean" in wanted:
            scale = float(np.nan_to_num(np.std(np.asarray(wanted["mean"], dtype=np.float64))))
        apart, relative = _distances(name, answer, truth, scale)
        wrong = relative > tolerance
        if name == "probability":
            wrong |= _flips(answer, truth)
        yield name, apart, relative, wrong


def verify(
    model: bytes,
    reference: Reference,
    rows: Mapping[str, NDArray[Any]],
    *,
    tolerance: float | None = None,
    allowed_ppm: float = 0.0,
) -> dict[str, float | int]:
    """
    Compare a graph with its model, row by row.

    Parameters
    ----------
    model : bytes
        The serialised graph.
    reference : callable
        What each output ought to be, at rows in the graph's precision; see
        `limen.estimators.reference`.
    rows : mapping of str to ndarray, shape (n, d)
        Kinds of rows; see `probe_rows`.
    tolerance : float, optional
        Largest difference: 1e-5 for a float32 graph, 1e-6 for float64 if not given. Absolute for
        probabilities, relative for means and standard deviations.
    allowed_ppm : float
        Rows beyond the tolerance or of another class that are accepted, per million.

    Returns
    -------
    dict
        ``max_abs`` and ``max_rel`` over all outputs but the domain score, ``max_domain``,
        ``mismatched_ppm``, ``rows``.

    Raises
    ------
    ExportError
        If the graph is not the model, or there are no rows.
    """
    session = Session(model)
    limit = TOLERANCES[str(session.dtype)] if tolerance is None else tolerance
    largest = {"max_abs": 0.0, "max_rel": 0.0, "max_domain": 0.0}
    mismatched, total, places = 0, 0, []
    for kind, X in rows.items():
        if not len(X):
            continue
        missed = np.zeros(len(X), dtype=bool)
        for name, apart, relative, wrong in _compare(session, reference, X, limit):
            found = {"max_abs": apart, "max_rel": relative}
            if name == "domain_score":
                found = {"max_domain": relative}
            for key, value in found.items():
                largest[key] = max(largest[key], float(value.max()))
            missed |= wrong
            if wrong.any():
                places.append(f"{name} on {int(wrong.sum())} of {len(X)} rows ({kind})")
        mismatched += int(missed.sum())
        total += len(X)
    if not total:
        raise ExportError("export: found no rows to verify on, allowed one or more; give rows")
    ppm = 1e6 * mismatched / total
    if ppm > allowed_ppm:
        raise ExportError(
            f"export: the graph differs from the model in {'; '.join(places)} (largest relative "
            f"difference {largest['max_rel']:.2g}), allowed {limit:g} and {allowed_ppm:g} ppm; "
            "this model cannot be added as it is"
        )
    return {**largest, "mismatched_ppm": ppm, "rows": total}
