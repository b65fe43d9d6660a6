"""Ensembles of emcee: its HDF5 backend, read without emcee, walkers as chains."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limen.errors import ReadError
from limen.readers.chains.runs import (
    burnt,
    free_name,
    hdf5,
    hdf5_has,
    kept_draws,
    rows_at_once,
    split_by_chain,
    told_apart,
)
from limen.readers.options import MAX_CATEGORIES, Selection
from limen.readers.tables import Block, Table, cast, storable

__all__ = ["is_emcee", "open_emcee"]

_PARTS = ("chain", "log_prob")
_log = logging.getLogger("limen.readers.chains.emcee")


@dataclass(frozen=True, slots=True)
class _Ensemble:
    """One backend: where it lies, how long its chains are, and what it says of itself."""

    path: Path
    group: str
    draws: int
    walkers: int
    dimensions: int
    dtype: np.dtype[Any]
    version: str


def open_emcee(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open the HDF5 backends of one or several runs of emcee.

    Parameters
    ----------
    paths : sequence of Path
        Files of runs with the same parameters.
    options : mapping
        ``names`` of the parameters (else p0, p1, ...), ``burn`` (a number of draws or a fraction
        below 1, left out at the start of each walker), ``group`` (its name, where a file has
        several).
    selection : Selection
        Columns to drop.

    Returns
    -------
    Table
        The parameters, ``log_prob``, ``chain`` (the walker, counted over all files) and ``draw``.
        Rows go by file, draw, walker; blobs are not read.

    Raises
    ------
    ReadError
        If a file is damaged, has no finished draw, or differs in its parameters.
    """
    ensembles = [_opened(path, options.get("group")) for path in paths]
    first = ensembles[0]
    for other in ensembles:
        if other.dimensions != first.dimensions:
            raise ReadError(
                f"{other.path}: found {other.dimensions} parameters, allowed {first.dimensions} as "
                f"in {first.path}; pack the runs apart"
            )
    burn = options.get("burn", 0)
    skips = [burnt(burn, one.draws) for one in ensembles]
    runs = list(zip(ensembles, skips, strict=True))
    total = sum((one.draws - skip) * one.walkers for one, skip in runs)
    if not total:
        raise ReadError(
            f"{first.path}: found {first.draws} draws, all left out as burn-in; lower 'burn'"
        )
    parameters = _names(first, options.get("names"))
    own = [free_name(name, parameters) for name in ("log_prob", "chain", "draw")]
    values = np.result_type(*(one.dtype for one in ensembles))
    dtypes = dict.fromkeys([*parameters, own[0]], values)
    dtypes |= {own[1]: np.dtype("int32"), own[2]: np.dtype("int64")}
    kept = {name: dtype for name, dtype in dtypes.items() if name not in selection.drop}
    hints = _hints(own, parameters, ensembles, named="names" in options)
    return Table(
        first.path,
        tuple(dtypes),
        kept,
        total,
        partial(_stream, runs, list(dtypes), kept),
        files=tuple(paths),
        hints={name: hint for name, hint in hints.items() if name in kept},
        document=_document(ensembles, burn, own[1] if own[1] in kept else None),
    )


def is_emcee(path: Path) -> bool:
    """
    Tell whether a file is a backend of emcee.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return hdf5_has(path, lambda file: bool(_groups(file)))


def _groups(file: Any) -> list[str]:
    """List the groups that a backend wrote, at the top of the file."""
    return [name for name in file if _is_backend(file.get(name))]


def _is_backend(group: Any) -> bool:
    if not isinstance(group, h5py.Group) or "iteration" not in group.attrs:
        return False
    return all(isinstance(group.get(part), h5py.Dataset) for part in _PARTS)


def _opened(path: Path, wanted: str | None) -> _Ensemble:
    """Read what a backend says of itself, and check that its arrays fit together."""
    with hdf5(path) as file:
        found = _groups(file)
        if not found or (wanted is not None and wanted not in found):
            listed = ", ".join(map(repr, found)) or "none"
            raise ReadError(
                f"{path}: found {listed} as groups of emcee with 'chain' and 'log_prob', allowed "
                f"{'one' if wanted is None else repr(wanted)}; check the file and 'group'"
            )
        if wanted is None and len(found) > 1:
            raise ReadError(
                f"{path}: found the runs {', '.join(map(repr, found))}, allowed one; name it with "
                "the option 'group'"
            )
        group = file[wanted or found[0]]
        chain, log_prob = group["chain"], group["log_prob"]
        if len(chain.shape) != 3 or chain.shape[:2] != log_prob.shape or 0 in chain.shape[1:]:
            raise ReadError(
                f"{path}: found chain {chain.shape} and log_prob {log_prob.shape}, allowed (draw, "
                "walker, parameter) and (draw, walker); the file is damaged, write it again"
            )
        dtype = storable(chain.dtype)
        if dtype is None or dtype.kind != "f" or log_prob.dtype != chain.dtype:
            raise ReadError(
                f"{path}: found chains of type {chain.dtype} and {log_prob.dtype}, allowed float64 "
                "or float32 for both; write them as float64"
            )
        if "blobs" in group:
            _log.warning("%s: the blobs are not read; give them as a table of their own", path)
        written = min(int(group.attrs["iteration"]), chain.shape[0])
        if written < 1:
            raise ReadError(f"{path}: found 0 iterations, allowed at least one; run the sampler")
        version = str(group.attrs.get("version", "unknown"))
        walkers, dimensions = chain.shape[1:]
        return _Ensemble(path, group.name, written, walkers, dimensions, dtype, version)


def _names(first: _Ensemble, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [f"p{i}" for i in range(first.dimensions)]
    if len(names) != first.dimensions:
        raise ReadError(
            f"{first.path}: found {first.dimensions} parameters and {len(names)} 'names', allowed "
            "one name for each; correct the option"
        )
    return list(names)


def _stream(
    runs: Sequence[tuple[_Ensemble, int]],
    names: Sequence[str],
    kept: Mapping[str, np.dtype[Any]],
    rows: int,
) -> Iterator[Block]:
    """Yield the draws of all files, some at a time."""
    before = 0
    for one, skip in runs:
        row_bytes = 8 * (one.dimensions + 3)
        step = max(1, rows_at_once(rows, row_bytes) // one.walkers)
        with hdf5(one.path) as file:
            chain, log_prob = (file[one.group][part] for part in _PARTS)
            for start in range(skip, one.draws, step):
                stop = min(one.draws, start + step)
                values = chain[start:stop].reshape(-1, one.dimensions)
                codes = np.tile(np.arange(one.walkers, dtype="int32") + before, stop - start)
                draws = np.repeat(np.arange(start, stop), one.walkers)
                columns = [*values.T, log_prob[start:stop].reshape(-1), codes, draws]
                block = dict(zip(names, columns, strict=True))
                yield {
                    name: cast(np.ascontiguousarray(block[name]), dtype, f"{one.path} '{name}'")
                    for name, dtype in kept.items()
                }
        before += one.walkers


def _hints(
    own: Sequence[str], parameters: Sequence[str], ensembles: Sequence[_Ensemble], *, named: bool
) -> dict[str, dict[str, Any]]:
    """Declare the columns as far as the files tell."""
    log_prob, chain, draw = own
    unnamed: dict[str, Any] = {} if named else {"label": "TODO"}
    walkers = [
        f"walker {i}" if len(ensembles) == 1 else f"{file} walker {i}"
        for file, one in zip(told_apart([e.path for e in ensembles]), ensembles, strict=True)
        for i in range(one.walkers)
    ]
    coded: dict[str, Any] = {"role": "id", "unit": "1"}
    if len(walkers) <= MAX_CATEGORIES:
        coded |= {"role": "origin", "categories": {str(i): w for i, w in enumerate(walkers)}}
    return {
        **{name: {"role": "parameter", **unnamed} for name in parameters},
        log_prob: {
            "role": "likelihood",
            "quantity": "TODO",
            "unit": "1",
            "description": "What the function given to emcee returned: ln(posterior) up to a "
            "constant. It is ln(likelihood) only where the priors are flat.",
        },
        chain: {**coded, "description": "The walker, counted over all files."},
        draw: {
            "role": "id",
            "unit": "1",
            "description": "Number of the iteration in its file, from 0, burn-in included.",
        },
    }


def _document(ensembles: Sequence[_Ensemble], burn: float, column: str | None) -> dict[str, Any]:
    versions = sorted({one.version for one in ensembles})
    sampling = {
        "sampler": "emcee",
        "version": ", ".join(versions)[:300],
        "settings": {
            "walkers": [one.walkers for one in ensembles],
            "iterations": [one.draws for one in ensembles],
        },
        "prior": "TODO",
        "selection": kept_draws(burn, "draws") + "; all draws have the same weight",
    }
    tool = {"role": "sampler", "name": "emcee", "version": sampling["version"]}
    chains = sum(one.walkers for one in ensembles)
    return {"sampling": [sampling], "toolchain": [tool], **split_by_chain(column, chains)}
