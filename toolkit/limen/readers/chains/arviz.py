"""Posteriors in the netCDF layout of ArviZ (InferenceData), read as HDF5."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limen.errors import Fault, ReadError
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
from limen.readers.chains.variables import Variable, variables
from limen.readers.options import MAX_CATEGORIES, Selection, nearest
from limen.readers.tables import Array, Block, Table, cast

__all__ = ["is_arviz", "open_arviz"]

_POSTERIOR = "posterior"
_SETTINGS = ("tuning_steps", "sampling_time", "created_at", "arviz_version")
_log = logging.getLogger("limen.readers.chains.arviz")


@dataclass(frozen=True, slots=True)
class _Run:
    """One file: its chains, their length, what it holds, and what it says of itself."""

    path: Path
    chains: Array
    draws: Array
    variables: tuple[Variable, ...]
    said: Mapping[str, str]


def open_arviz(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open netCDF files of ArviZ: all of ``posterior``, ``lp``, and the sum of ``log_likelihood``.

    Parameters
    ----------
    paths : sequence of Path
        Files of runs with the same variables.
    options : mapping
        ``burn`` (a number of draws or a fraction below 1, left out at the start of each chain),
        ``sample_stats`` (variables of that group to read beside ``lp``).
    selection : Selection
        Columns to drop, or variables with all their elements.

    Returns
    -------
    Table
        A variable with further dimensions becomes columns ``name_0``, ``name_1``, ... in the order
        of its elements. ``chain`` counts the chains over all files, ``draw`` is the coordinate.
        Rows go by file, chain, draw.

    Raises
    ------
    ReadError
        If a file is damaged, has no draws, or differs in its variables.
    """
    runs = [_opened(path, options.get("sample_stats", ()), selection) for path in paths]
    first, burn = runs[0], options.get("burn", 0)
    for run in runs:
        if [v.signature for v in run.variables] != [v.signature for v in first.variables]:
            raise ReadError(
                f"{run.path}: found variables, shapes or types other than those of {first.path}, "
                "allowed the same; pack the runs apart"
            )
    total = sum(len(r.chains) * (len(r.draws) - burnt(burn, len(r.draws))) for r in runs)
    if not total:
        raise ReadError(
            f"{first.path}: found {len(first.draws)} draws, all left out as burn-in; lower 'burn'"
        )
    found = [name for v in first.variables for name in v.columns]
    own = [free_name(name, found) for name in ("chain", "draw")]
    dtypes = {name: v.dtype for v in first.variables for name in v.columns}
    dtypes |= {own[0]: np.dtype("int32"), own[1]: np.dtype("int64")}
    kept = {name: dtype for name, dtype in dtypes.items() if name not in selection.drop}
    if len(dtypes) < len(found) + 2:
        twice = sorted({name for name in found if found.count(name) > 1})
        raise ReadError(f"{first.path}: found two columns {', '.join(twice[:5])}; rename variables")
    hints = _hints(own, runs)
    return Table(
        first.path,
        (*dtypes, *(name for name in selection.drop if name not in dtypes)),
        kept,
        total,
        partial(_stream, runs, burn, own, kept),
        files=tuple(paths),
        hints={name: hint for name, hint in hints.items() if name in kept},
        document=_document(runs, burn, own[0] if own[0] in kept else None),
    )


def is_arviz(path: Path) -> bool:
    """
    Tell whether a file is HDF5 with a group ``posterior`` of chains and draws.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return hdf5_has(
        path,
        lambda file: (
            isinstance(file.get(_POSTERIOR), h5py.Group)
            and {"chain", "draw"} <= set(file[_POSTERIOR])
        ),
    )


def _opened(path: Path, wanted: Sequence[str], selection: Selection) -> _Run:
    """Read the coordinates, and list what the file holds along them."""
    with hdf5(path) as file:
        group = file.get(_POSTERIOR)
        if not isinstance(group, h5py.Group) or not {"chain", "draw"} <= set(group):
            raise ReadError(
                f"{path}: found no group 'posterior' with 'chain' and 'draw', allowed the netCDF "
                "layout of ArviZ; write it by InferenceData.to_netcdf"
            )
        chains, draws = (np.asarray(group[name][...]).reshape(-1) for name in ("chain", "draw"))
        if not len(chains) or not len(draws) or {chains.dtype.kind, draws.dtype.kind} - {*"iu"}:
            raise ReadError(
                f"{path}: found {len(chains)} chains of {len(draws)} draws, allowed at least one "
                "of each, counted by integers; run the sampler"
            )
        shape = (len(chains), len(draws))
        found = list(variables(path, group, shape, selection))
        if not found:
            raise ReadError(f"{path}: found no numbers along chain and draw in 'posterior'")
        found += _statistics(path, file, shape, wanted, selection)
        said = {name: str(value)[:300] for name, value in group.attrs.items()}
        return _Run(path, chains.astype("int64"), draws.astype("int64"), tuple(found), said)


def _statistics(
    path: Path, file: Any, shape: tuple[int, int], wanted: Sequence[str], selection: Selection
) -> list[Variable]:
    """Find the log-posterior, what else is wanted of the sampler, and the log-likelihood."""
    found = []
    if "sample_stats" in file:
        group = file["sample_stats"]
        names = [name for name in group if name not in ("chain", "draw")]
        unknown = [name for name in wanted if name not in names]
        if unknown:
            faults = [
                Fault("option 'sample_stats'", f"found '{n}'; {nearest(n, names)}") for n in unknown
            ]
            raise ReadError.from_faults(str(path), faults)
        keep = {"lp", *wanted}
        left = ", ".join(name for name in names if name not in keep)
        if left:
            _log.info("%s: not read of sample_stats: %s; name them there", path, left)
        found += list(variables(path, group, shape, selection, only=keep))
    if "log_likelihood" in file:
        whole = list(variables(path, file["log_likelihood"], shape, selection, summed=True))
        found += [v.named("loglike" if len(whole) == 1 else f"loglike_{v.name}") for v in whole]
    return found


def _stream(
    runs: Sequence[_Run],
    burn: float,
    own: Sequence[str],
    kept: Mapping[str, np.dtype[Any]],
    rows: int,
) -> Iterator[Block]:
    """Yield the draws of all files, chain by chain, some at a time."""
    code = 0
    for run in runs:
        used = [v for v in run.variables if any(name in kept for name in v.columns)]
        step = rows_at_once(rows, sum(v.row_bytes for v in used))
        with hdf5(run.path) as file:
            for chain in range(len(run.chains)):
                for start in range(burnt(burn, len(run.draws)), len(run.draws), step):
                    numbers = run.draws[start : start + step]
                    block = {own[0]: np.full(len(numbers), code, "int32"), own[1]: numbers}
                    for variable in used:
                        block |= variable.read(file, chain, start, start + len(numbers))
                    yield {
                        name: cast(np.ascontiguousarray(block[name]), dtype, f"{run.path} '{name}'")
                        for name, dtype in kept.items()
                    }
                code += 1


def _hints(own: Sequence[str], runs: Sequence[_Run]) -> dict[str, dict[str, Any]]:
    """Declare the columns as far as the files tell."""
    chain, draw = own
    names = [
        f"chain {number}" if len(runs) == 1 else f"{file} chain {number}"
        for file, run in zip(told_apart([run.path for run in runs]), runs, strict=True)
        for number in run.chains
    ]
    coded: dict[str, Any] = {"role": "id", "unit": "1"}
    if len(names) <= MAX_CATEGORIES:
        coded |= {"role": "origin", "categories": {str(i): n for i, n in enumerate(names)}}
    hints = {name: hint for v in runs[0].variables for name, hint in v.hints().items()}
    hints[chain] = {**coded, "description": "The chain, counted over all files."}
    hints[draw] = {"role": "id", "unit": "1", "description": "The draw, as the file counts it."}
    return hints


def _document(runs: Sequence[_Run], burn: float, column: str | None) -> dict[str, Any]:
    said = runs[0].said
    name, version = (said.get(key) for key in ("inference_library", "inference_library_version"))
    sampling: dict[str, Any] = {"sampler": name or "TODO"}
    if name and version:
        sampling["version"] = version
    settings = {key: said[key] for key in _SETTINGS if key in said}
    if settings:
        sampling["settings"] = settings
    sampling["prior"] = "TODO"
    sampling["selection"] = kept_draws(burn, "draws") + "; all draws have the same weight"
    document: dict[str, Any] = {"sampling": [sampling]}
    if name and version:
        document["toolchain"] = [{"role": "sampler", "name": name, "version": version}]
    return document | split_by_chain(column, sum(len(run.chains) for run in runs))
