"""Rows to learn from: inputs, target, splits and their populations, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from limen.bundle import Bundle
from limen.errors import ColumnError, TrainingError, UsageError
from limen.manifest import Column
from limen.training.inputs import choose_inputs

__all__ = ["CALIBRATION", "TEST", "TRAIN", "TrainingRows", "load_rows", "population_text"]

Array = np.ndarray[Any, Any]

_TARGETS = ("label", "limit", "test", "likelihood", "observable")
_FEWEST_ROWS = 20
# train, calibration, test as the split column has them
TRAIN, CALIBRATION, TEST = 0, 1, 2


@dataclass(slots=True)
class TrainingRows:
    """
    Valid rows of a scan for one target.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Inputs in their columns' units.
    y : ndarray, shape (n,)
        Target in its unit; labels as class numbers 0, 1, ....
    split : ndarray of int8, shape (n,)
    boundary : ndarray, shape (n,), or None
        The quantity that the label is defined on, and where it is cut: ``threshold``.
    codes : tuple of int
        Codes of a label's classes, in order.
    drawn : ndarray of bool, shape (n,)
        Whether a row is from the population; rows that were picked to learn from are not.
    origin : ndarray of int, shape (n,), or None
        Codes of the column that says where rows come from, if the population needs one.
    infinite : int
        Rows left out because their target is infinite, such as a limit without sensitivity.
    """

    inputs: tuple[Column, ...]
    target: Column
    X: Array
    y: Array
    split: Array
    drawn: Array
    population: str
    task: str
    boundary: Array | None = None
    threshold: float | None = None
    codes: tuple[int, ...] = ()
    nuisances: str = "none"
    origin: Array | None = None
    infinite: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def part(self, split: int) -> Array:
        """Give the positions of the rows of one split."""
        return np.flatnonzero(self.split == split)

    def take(self, kept: Array) -> TrainingRows:
        """Keep some rows, by mask or position."""
        names = ("X", "y", "split", "drawn", "boundary", "origin")
        arrays = {name: getattr(self, name) for name in names}
        taken: dict[str, Any] = {name: None if a is None else a[kept] for name, a in arrays.items()}
        return replace(self, **taken)


def _population(bundle: Bundle) -> dict[str, Any]:
    return dict(bundle.table.get("split", {}).get("population", {}))


def population_text(bundle: Bundle) -> str:
    """Say in words which density the calibration and test rows were drawn from."""
    population = _population(bundle)
    if "text" in population:
        return str(population["text"])
    densities = [
        sampling.get("prior") or sampling.get("name") or sampling["sampler"]
        for sampling in bundle.table.get("sampling", [])
    ]
    return (
        "; ".join(densities) if densities else "the rows of this scan (its density is not declared)"
    )


def load_rows(
    bundle: Bundle,
    target: str,
    inputs: Sequence[str] | None = None,
    *,
    allow_derived: bool = False,
    nuisances: str | None = None,
) -> TrainingRows:
    """
    Load and check the rows for one target.

    Raises
    ------
    ColumnError, UsageError
        If the target or the inputs may not be used.
    TrainingError
        If nothing can be learnt: too few rows, one class, a constant target.
    """
    columns = bundle.columns
    column = _target(target, columns)
    chosen = choose_inputs(
        columns, column, inputs, allow_derived=allow_derived, nuisances=nuisances
    )
    sampled = any(c.role == "nuisance" for c in columns.values())
    rows = _read(bundle, column, chosen)
    rows.nuisances = nuisances if sampled and nuisances else "none"
    if rows.nuisances in ("profile", "marginalise"):
        _reduce_nuisances(rows, rows.nuisances)
    _check(rows)
    names = ("train", "calibration", "test")
    rows.counts = {name: int((rows.split == code).sum()) for code, name in enumerate(names)}
    return rows


def _target(name: str, columns: Mapping[str, Column]) -> Column:
    if name not in columns:
        raise ColumnError(f"target: found {name!r}, allowed {', '.join(_usable(columns))}")
    column = columns[name]
    if column.role not in _TARGETS:
        raise ColumnError(
            f"target: {name} has the role {column.role}, allowed a column of role "
            f"{', '.join(_TARGETS)}: {', '.join(_usable(columns))}"
        )
    return column


def _read(bundle: Bundle, target: Column, inputs: tuple[Column, ...]) -> TrainingRows:
    """Read the rows in which target and inputs are valid."""
    boundary, threshold = _boundary(target, bundle.columns)
    split = next(name for name, c in bundle.columns.items() if c.role == "split")
    origin = _population(bundle).get("column")
    masks = {c.valid for c in (*inputs, target) if c.valid is not None}
    names = {target.name, split, *masks, *(c.name for c in inputs)}
    with bundle.open_scan() as scan:
        table = scan.read(sorted(names | {name for name in (boundary, origin) if name}))
    X = np.stack([table[c.name].astype(np.float64) for c in inputs], axis=1)
    y = table[target.name].astype(np.float64)
    known = np.isfinite(X).all(axis=1)
    for mask in masks:
        known &= table[mask]
    valid = known & np.isfinite(y)
    drawn = np.ones(len(y), dtype=bool)
    if origin:
        drawn = np.isin(table[origin], _population(bundle)["codes"])
    return TrainingRows(
        inputs,
        target,
        X[valid],
        y[valid],
        table[split][valid],
        drawn[valid],
        population_text(bundle),
        "classification" if target.role == "label" else "regression",
        table[boundary][valid].astype(np.float64) if boundary else None,
        threshold,
        origin=table[origin][valid] if origin else None,
        infinite=int((known & np.isinf(y)).sum()),
    )


def _usable(columns: Mapping[str, Column]) -> list[str]:
    return [name for name, column in columns.items() if column.role in _TARGETS] or ["none"]


def _boundary(target: Column, columns: Mapping[str, Column]) -> tuple[str | None, float | None]:
    """Find what the target's label, or the label on the target, is cut at."""
    if target.role == "label":
        definition = dict(target.definition or {})
        return definition.get("column"), definition.get("threshold")
    for column in columns.values():
        definition = dict(column.definition or {})
        if column.role == "label" and definition.get("column") == target.name:
            return target.name, definition.get("threshold")
    return None, None


def _check(rows: TrainingRows) -> None:
    name = rows.target.name
    train = rows.part(TRAIN)
    if len(train) < _FEWEST_ROWS:
        raise TrainingError(
            f"target {name}: found {len(train)} valid training rows, allowed {_FEWEST_ROWS} or "
            "more; add points, or correct masks and split"
        )
    values = np.unique(rows.y[train])
    if rows.task == "classification":
        if len(values) < 2:
            only = f"{values[0]:g}"
            raise TrainingError(
                f"target {name}: found one class only ({only}) in {len(train)} training rows, "
                "allowed two or more; there is nothing to tell apart"
            )
        unseen = np.setdiff1d(rows.y, values)
        if len(unseen):
            raise TrainingError(
                f"target {name}: found the class {unseen[0]:g} in calibration or test rows only, "
                f"allowed classes that are learnt from; pack with split: {{stratify: {name}}}"
            )
        rows.codes = tuple(int(value) for value in values)
        if set(rows.codes) <= {0, 1}:
            rows.codes = (0, 1)
        rows.y = np.searchsorted(rows.codes, rows.y).astype(np.int64)
    elif len(values) < 2:
        raise TrainingError(
            f"target {name}: found the constant {values[0]:g} in {len(train)} training rows; "
            "there is nothing to learn"
        )


def _reduce_nuisances(rows: TrainingRows, how: str) -> None:
    """Profile or average the likelihood over the rows of each parameter point."""
    if rows.target.quantity not in ("log_likelihood", "log_likelihood_ratio"):
        raise UsageError(
            f"nuisances: found {how} with the target {rows.target.name}, allowed with a "
            "log-likelihood only; say include"
        )
    points, index, counts = np.unique(rows.X, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    if np.median(counts) < 2:
        raise TrainingError(
            f"nuisances: {how} needs several rows of each parameter point, found "
            f"{np.median(counts):g} in the median; sample the nuisances at fixed parameters, or "
            "say include"
        )
    top = np.full(len(points), -np.inf)
    np.maximum.at(top, index, rows.y)
    value = top
    if how == "marginalise":
        weight = np.zeros(len(points))
        np.add.at(weight, index, np.exp(rows.y - top[index]))
        value = top + np.log(weight / counts)
    first = np.full(len(points), len(rows.y))
    np.minimum.at(first, index, np.arange(len(rows.y)))
    rows.X, rows.y = points, value
    rows.split, rows.drawn = rows.split[first], rows.drawn[first]
    rows.origin = None if rows.origin is None else rows.origin[first]
    rows.boundary = value if rows.boundary is not None else None
