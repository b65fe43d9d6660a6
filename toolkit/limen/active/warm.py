"""What a campaign starts with: rows of a bundle, of a cheap approximation, and a pool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen import journal
from limen.active.problem import OK, STATUSES, History, Problem
from limen.errors import ColumnError, DataError, IntegrityError, ShapeError

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["MOST_ROWS", "load", "pool_rows", "read_rows", "save", "scan_rows"]

Rows = dict[str, NDArray[Any]]

MOST_ROWS = 100_000
"""Rows of a bundle that a campaign starts with; more are thinned evenly."""

_NAMES = ("x", "y", "errors", "status", "fidelity", "pool")


def read_rows(table: Any, problem: Problem, fidelity: int, where: str) -> Rows:
    """
    Read rows that are known before the first ask.

    Parameters
    ----------
    table : mapping or pandas.DataFrame
        Columns of the parameters and outputs in their units; where wanted, ``OUTPUT_err`` and
        ``status``.
    problem : Problem
    fidelity : int
        0 for the real thing, 1 for an approximation.
    where : str
        For messages.

    Returns
    -------
    dict of str to ndarray
        Without rows outside of the space.

    Raises
    ------
    ColumnError, ShapeError, DataError
        If columns are missing or of different length, or hold no numbers.
    """
    names = problem.space.names
    wanted = [*names, *(output.name for output in problem.outputs)]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ColumnError(f"{where}: found no {', '.join(missing)}, needed {', '.join(wanted)}")
    stated = [f"{output.name}_err" for output in problem.outputs]
    numbers = {n: _numbers(table[n], f"{where} {n}") for n in [*wanted, *stated] if n in table}
    lengths = {name: len(column) for name, column in numbers.items()}
    if "status" in table:
        lengths["status"] = len(table["status"])
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ShapeError(f"{where}: found columns of different length ({told})")
    x = np.column_stack([numbers[name] for name in names])
    y = np.column_stack([numbers[output.name] for output in problem.outputs])
    nothing = np.zeros(len(x))
    errors = np.column_stack([np.nan_to_num(numbers.get(n, nothing), nan=0.0) for n in stated])
    if np.isinf(y).any():
        row = int(np.flatnonzero(np.isinf(y).any(axis=1))[0])
        raise DataError(
            f"{where}: found an infinite value in row {row}, allowed finite ones; give a point "
            "without sensitivity its bound and the status censored"
        )
    if not (np.isfinite(errors) & (errors >= 0)).all():
        raise DataError(f"{where}: found a negative or infinite error, allowed 0 or more")
    status = np.full(len(x), OK, dtype=np.int8)
    if "status" in table:
        unknown = sorted({str(text) for text in table["status"]} - set(STATUSES))
        if unknown:
            raise DataError(f"{where} status: found {unknown[0]!r}, allowed {', '.join(STATUSES)}")
        status = np.array([STATUSES.index(text) for text in table["status"]], dtype=np.int8)
    rows: Rows = {
        "x": x,
        "y": y,
        "errors": errors,
        "status": status,
        "fidelity": np.full(len(x), fidelity, dtype=np.int8),
    }
    kept = inside(problem, x)
    return {name: column[kept] for name, column in rows.items()}


def pool_rows(table: Any, problem: Problem) -> NDArray[np.float64]:
    """
    Read a pool: the only points that can be evaluated, shape (p, d), in the parameters' units.

    Raises
    ------
    ColumnError, DataError
        If a parameter is missing, or a point lies outside of the space.
    """
    missing = [name for name in problem.space.names if name not in table]
    if missing:
        raise ColumnError(f"pool: found no {', '.join(missing)}")
    names = problem.space.names
    columns = [_numbers(table[name], f"pool {name}") for name in names]
    if len({len(column) for column in columns}) > 1:
        raise ShapeError("pool: found columns of different length")
    x = np.column_stack(columns)
    outside = np.flatnonzero(~inside(problem, x))
    if len(outside) or not len(x):
        what = f"{len(outside)} of {len(x)} points outside of the space, the first in row"
        first = f" {outside[0]}" if len(outside) else ""
        raise DataError(f"pool: found {what}{first}; allowed one or more points inside only")
    return x


def inside(problem: Problem, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which points, in the parameters' units, lie in the space and meet its constraints."""
    u = problem.space.to_unit(x)
    edge = 1e-9
    kept = np.array((np.isfinite(u) & (u >= -edge) & (u <= 1 + edge)).all(axis=1), dtype=np.bool_)
    places = np.flatnonzero(kept)
    kept[places] = problem.space.admissible(u[places])
    return kept


def _numbers(values: Any, where: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: found {str(error)[:80]}, allowed numbers") from error


def scan_rows(bundle: Bundle, problem: Problem, fidelity: Mapping[str, str] | None = None) -> Rows:
    """
    Take the rows of a bundle's scan; above ``MOST_ROWS`` every so many.

    Parameters
    ----------
    bundle : Bundle
    problem : Problem
        In the units of the bundle's columns.
    fidelity : mapping of str to str, optional
        For each output the column that approximates it; by default the output's own column.

    Returns
    -------
    dict of str to ndarray
    """
    source = {output.name: output.name for output in problem.outputs} | dict(fidelity or {})
    columns = list(dict.fromkeys([*problem.space.names, *source.values()]))
    masks = {name: bundle.columns[name].valid for name in columns}
    wanted = list(dict.fromkeys([*columns, *(mask for mask in masks.values() if mask)]))
    step = -(-bundle.n_points // MOST_ROWS)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}
    start = 0
    with bundle.open_scan() as scan:
        for block in scan.blocks(wanted):
            n = len(block[wanted[0]])
            every = slice((-start) % step, None, step)
            for name in columns:
                values = np.asarray(block[name], dtype=np.float64)
                mask = masks[name]
                if mask is not None:
                    values = np.where(block[mask], values, np.nan)
                parts[name].append(values[every])
            start += n
    table = {name: np.concatenate(found) for name, found in parts.items()}
    chosen = {name: table[name] for name in problem.space.names}
    # An infinite limit stands for no sensitivity: beyond every level, but no number to learn from.
    for output in problem.outputs:
        values = table[source[output.name]]
        chosen[output.name] = np.where(np.isfinite(values), values, np.nan)
    rows = read_rows(chosen, problem, 1 if fidelity else 0, str(bundle.path))
    known = np.isfinite(rows["y"]).any(axis=1)
    return {name: column[known] for name, column in rows.items()}


def save(path: Path, parts: list[Rows], pool: NDArray[np.float64] | None) -> str | None:
    """Write rows and pool; give the file's SHA-256, or None if there is nothing to write."""
    rows = {name: np.concatenate([part[name] for part in parts]) for name in _NAMES[:-1] if parts}
    if pool is not None:
        rows["pool"] = pool
    if not any(len(column) for column in rows.values()):
        return None
    with journal.storing(path), path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(
    path: Path, sha256: str | None, problem: Problem
) -> tuple[History, Problem, NDArray[np.float64] | None]:
    """
    Read what :func:`save` wrote.

    Returns
    -------
    history : History
        The rows, in the modelled scale.
    problem : Problem
        With the pool in unit coordinates.
    pool : ndarray, shape (p, d), or None
        The pool in the parameters' units, as it was given.

    Raises
    ------
    IntegrityError
        If the file is not the one that was written.
    """
    d, m = problem.d, problem.m
    rows: Rows = {"x": np.empty((0, d)), "y": np.empty((0, m)), "errors": np.empty((0, m))}
    rows |= {name: np.empty(0, dtype=np.int8) for name in ("status", "fidelity")}
    if sha256 is not None:
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(
                f"{path}: found no file of SHA-256 {sha256[:12]}…, which the campaign was started "
                "with; restore it from a copy"
            )
        with np.load(path, allow_pickle=False) as stored:
            rows |= {name: stored[name] for name in stored.files if name in _NAMES}
    outputs = problem.outputs
    y = [output.to_model(rows["y"][:, j]) for j, output in enumerate(outputs)]
    errors = [
        o.error_to_model(rows["y"][:, j], rows["errors"][:, j]) for j, o in enumerate(outputs)
    ]
    n = len(rows["x"])
    history = History(
        points=np.clip(problem.space.to_unit(rows["x"]), 0.0, 1.0),
        values=np.column_stack(y),
        errors=np.nan_to_num(np.column_stack(errors), nan=0.0),
        status=rows["status"],
        reserved=np.zeros(n, dtype=bool),
        fidelity=rows["fidelity"],
        pending=np.empty((0, d)),
        warm=n,
    )
    if "pool" not in rows:
        return history, problem, None
    pool = np.clip(problem.space.to_unit(rows["pool"]), 0.0, 1.0)
    return history, Problem(problem.space, outputs, pool), rows["pool"]
