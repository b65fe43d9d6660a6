"""One GAMBIT file: which of its groups holds the points, and which pairs of datasets lie there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.gambit.metadata import read_metadata
from limen.readers.hdf5 import dataset_names, dataset_of, opened
from limen.readers.options import Selection, nearest
from limen.readers.tables import TEXT, storable

__all__ = ["MASK", "RANDOM_ACCESS", "SLAB", "Run", "open_run"]

MASK = "_isvalid"
RANDOM_ACCESS = "RA_"
SLAB = 16_384
"""Rows read at a time: GAMBIT's chunks of 100 rows are read twice as fast as in large slabs."""
# Longer keys are not plain keys of YAML.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Run:
    """
    The points of one file.

    Parameters
    ----------
    path : Path
    group : str
        Path of their group, ``/`` for the file itself.
    names : tuple of str
        All datasets of the group but those of random access, those to be dropped included.
    dtypes : mapping of str to dtype
        The columns to be read, without their masks.
    n_rows : int
        Number of points.
    chunk : int
        Rows that lie together in the file.
    metadata : mapping of str to list of str
        What GAMBIT wrote of the run.
    """

    path: Path
    group: str
    names: tuple[str, ...]
    dtypes: Mapping[str, np.dtype[Any]]
    n_rows: int
    chunk: int
    metadata: Mapping[str, list[str]]


def open_run(path: Path, options: Mapping[str, Any], selection: Selection) -> Run:
    """
    Look at one file.

    Parameters
    ----------
    path : Path
    options : mapping
        ``group``, its group of points; ``truncate``, whether datasets of different lengths are
        cut to the shortest.
    selection : Selection
        Columns to drop.

    Returns
    -------
    Run

    Raises
    ------
    ReadError
        With all faults: no group, no masks, datasets that are no columns, different lengths.
    """
    with opened(path) as file:
        names = dataset_names(file)
        group = _find_group(path, names, options.get("group"))
        metadata = read_metadata(file, names)
        members = [name for name in file[group] if not name.startswith(RANDOM_ACCESS)]
        columns, faults = _columns(file[group], members, selection)
        shared = [mask for mask in (f"{name}{MASK}" for name in columns) if mask in members]
        sizes = {name: len(file[group][name]) for name in (*columns, *shared)}
        if not faults and len(set(sizes.values())) > 1 and not options.get("truncate", False):
            faults = [_unequal(sizes)]
        if faults:
            raise ReadError.from_faults(f"{path} group '{group}'", faults)
        chunks = [file[group][name].chunks for name in columns]
    rows = min(sizes.values(), default=0)
    chunk = max((c[0] for c in chunks if c is not None), default=1)
    return Run(path, group, tuple(members), columns, rows, chunk, metadata)


def _find_group(path: Path, names: Sequence[str], wanted: str | None) -> str:
    """Give the group of points: the one that is named, else the only one with masks."""
    known = set(names)
    pairs = Counter(f"/{name.rpartition('/')[0]}" for name in known if f"{name}{MASK}" in known)
    if wanted is not None:
        group = f"/{wanted.strip('/')}"
        if group in pairs:
            return group
        there = group.strip("/") in known or group == "/"
        found = "no dataset with a mask in it" if there else "no such group"
        advice = nearest(group, pairs) if pairs else f"no group has an X with a mask X{MASK}"
        raise ReadError(f"{path}: option 'group': '{wanted}': found {found}; {advice}")
    if len(pairs) > 1:
        # Files that GAMBIT has not combined yet keep points to be corrected in a group apart.
        apart = {f"/{n.rpartition('/')[0]}" for n in known if n.endswith(f"{RANDOM_ACCESS}pointID")}
        pairs = Counter({g: n for g, n in pairs.items() if g not in apart}) or pairs
    if len(pairs) == 1:
        return next(iter(pairs))
    if not pairs:
        raise ReadError(
            f"{path}: found no dataset X with a mask X{MASK}, allowed GAMBIT output, where each "
            "has one: without it invalid points cannot be told from good ones; take the file "
            "that GAMBIT's printer wrote"
        )
    listed = ", ".join(f"'{group}' ({n} columns)" for group, n in sorted(pairs.items()))
    raise ReadError(
        f"{path}: found several groups with points: {listed}, allowed one; name it: group: "
        f"{sorted(pairs)[0]}"
    )


def _columns(
    group: Any, members: Sequence[str], selection: Selection
) -> tuple[dict[str, np.dtype[Any]], list[Fault]]:
    """Give the columns of a group that are wanted, and what is wrong with them."""
    known, columns, faults = set(members), {}, []
    for name in members:
        owner = name.removesuffix(MASK)
        if name in selection.drop or owner in selection.drop:
            continue
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and not isinstance(
            group[name], h5py.Dataset
        ):
            continue
        wrong, dtype = _judged(group, name)
        if not wrong and owner != name and owner in known:
            if dtype.kind not in "biuf":
                wrong = f"found values of type {dtype}, allowed 0 and 1"
        elif not wrong and owner != name:
            wrong = f"found a mask without its dataset '{owner}'"
        elif not wrong and f"{name}{MASK}" not in known:
            wrong = f"found no mask '{name}{MASK}', allowed one for each dataset"
        elif not wrong:
            columns[name] = dtype
        if wrong:
            faults.append(Fault(f"dataset '{name}'", f"{wrong}; list it under the option 'drop'"))
    return columns, faults


def _judged(group: Any, name: str) -> tuple[str, np.dtype[Any]]:
    """Say why a dataset is no column of numbers, or give its dtype."""
    none = np.dtype(bool)
    if not name.isprintable() or len(name) > _LONGEST:
        text = f"found a label of {len(name)} characters, allowed at most {_LONGEST}, all printable"
        return text, none
    dataset = dataset_of(group, name)
    if dataset is None:
        return "found values outside this file, allowed values in it", none
    if dataset.shape is None or len(dataset.shape) != 1:
        return f"found shape {dataset.shape}, allowed one number per point", none
    dtype = storable(dataset.dtype)
    if dtype is None or dtype == TEXT:
        return f"found values of type {dataset.dtype}, allowed numbers or true/false", none
    return "", dtype


def _unequal(sizes: Mapping[str, int]) -> Fault:
    usual = Counter(sizes.values()).most_common(1)[0][0]
    other = [f"'{name}' {size}" for name, size in sizes.items() if size != usual]
    more = f" and {len(other) - 20} more" if len(other) > 20 else ""
    return Fault(
        "",
        f"found datasets of different lengths: {', '.join(other[:20])}{more}, the others {usual}, "
        "allowed the same for all; the run was cut off: repair it with GAMBIT, or give the option "
        "truncate: true to cut all to the shortest",
    )
