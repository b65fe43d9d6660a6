"""Rows to learn from: inputs, target, splits and their populations, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limen.bundle import Bundle
from limen.errors import ColumnError, TrainingError, UsageError
from limen.expressions import Expression
from limen.manifest import Column

__all__ = ["TrainingRows", "choose_inputs", "load_rows", "population_text"]

Array = np.ndarray[Any, Any]

_TARGETS = ("label", "limit", "test", "likelihood", "observable")
_ANSWERS = ("likelihood", "limit", "label", "test")
_FREE = ("parameter", "nuisance")
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
    counts: dict[str, int] = field(default_factory=dict)

    def part(self, split: int) -> Array:
        """Give the positions of the rows of one split."""
        return np.flatnonzero(self.split == split)


def choose_inputs(
    columns: Mapping[str, Column],
    target: Column,
    wanted: Sequence[str] | None,
    *,
    allow_derived: bool,
    nuisances: str | None,
) -> tuple[Column, ...]:
    """
    Choose a model's inputs: parameters and nuisances, or the ones named.

    Raises
    ------
    ColumnError
        If a named column is unknown, or an answer or something the target derives from.
    UsageError
        If there are nuisance columns and nothing is said about them.
    """
    sampled = [c.name for c in columns.values() if c.role == "nuisance"]
    if wanted is None:
        if sampled and nuisances is None:
            raise UsageError(
                f"nuisances: the scan samples {', '.join(sampled)}, and a model without them "
                "learns their average; say --nuisances include, profile or marginalise"
            )
        roles = ("parameter", "nuisance") if nuisances == "include" else ("parameter",)
        chosen = [column for column in columns.values() if column.role in roles]
        if not chosen:
            raise ColumnError("inputs: the scan has no column of role parameter; name the inputs")
        return tuple(chosen)
    unknown = [name for name in wanted if name not in columns]
    if unknown or len(set(wanted)) != len(wanted):
        raise ColumnError(
            f"inputs: found {', '.join(unknown) or 'a column twice'}, allowed each once: "
            f"{', '.join(columns)}"
        )
    for name in wanted:
        _refuse_answer(columns[name], target, columns, allow_derived)
    return tuple(columns[name] for name in wanted)


def _refuse_answer(
    column: Column, target: Column, columns: Mapping[str, Column], allow_derived: bool
) -> None:
    """Refuse an input that is no physics, or from which the target could be read off."""
    if column.role in ("mask", "split", "id"):
        raise ColumnError(
            f"inputs: {column.name} has the role {column.role} and is no physics; drop it"
        )
    if allow_derived or column.role in _FREE:
        return
    free = {name for name, entry in columns.items() if entry.role in _FREE}
    shared = (_sources(column, columns) & _sources(target, columns)) - free
    if column.role in _ANSWERS or shared:
        raise ColumnError(
            f"inputs: {column.name} has the role {column.role} or shares what the target "
            f"{target.name} derives from, so the model would be given the answer; leave it out, or "
            "say --allow-derived"
        )


def _sources(target: Column, columns: Mapping[str, Column]) -> set[str]:
    """Name a column and all columns that it derives from or describes."""
    found: set[str] = set()
    waiting = {target.name}
    while waiting:
        name = waiting.pop()
        found.add(name)
        column = columns.get(name)
        if column is not None:
            needs = set(Expression(column.derived).names) if column.derived else set()
            needs |= {str((column.definition or {}).get("column", name)), column.of or name}
            waiting |= needs - found
    return found


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
    if target not in columns:
        raise ColumnError(f"target: found {target!r}, allowed {', '.join(_usable(columns))}")
    column = columns[target]
    if column.role not in _TARGETS:
        raise ColumnError(
            f"target: {target} has the role {column.role}, allowed a column of role "
            f"{', '.join(_TARGETS)}: {', '.join(_usable(columns))}"
        )
    chosen = choose_inputs(
        columns, column, inputs, allow_derived=allow_derived, nuisances=nuisances
    )
    boundary, threshold = _boundary(column, columns)
    split = next(name for name, c in columns.items() if c.role == "split")
    masks = {c.valid for c in (*chosen, column) if c.valid is not None}
    sampled = [c.name for c in columns.values() if c.role == "nuisance"]
    reduce = nuisances in ("profile", "marginalise") and sampled
    needed = {target, split, *masks, *(c.name for c in chosen)}
    needed |= {boundary} if boundary else set()
    population = _population(bundle)
    origin = population.get("column")
    needed |= {origin} if origin else set()
    with bundle.open_scan() as scan:
        table = scan.read(sorted(needed))
    valid = np.isfinite(table[target].astype(float))
    for mask in masks:
        valid &= table[mask]
    X = np.stack([table[c.name].astype(np.float64) for c in chosen], axis=1)
    valid &= np.isfinite(X).all(axis=1)
    rows = TrainingRows(
        chosen,
        column,
        X[valid],
        table[target][valid].astype(np.float64),
        table[split][valid],
        np.isin(table[origin], population["codes"])[valid]
        if origin
        else np.ones(valid.sum(), bool),
        population_text(bundle),
        "classification" if column.role == "label" else "regression",
        table[boundary][valid].astype(np.float64) if boundary else None,
        threshold,
        nuisances=nuisances if sampled and nuisances else "none",
    )
    if reduce:
        _reduce_nuisances(rows, str(nuisances))
    _check(rows)
    names = ("train", "calibration", "test")
    rows.counts = {name: int((rows.split == code).sum()) for code, name in enumerate(names)}
    return rows


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
    rows.boundary = value if rows.boundary is not None else None
