"""Spectra as points for a model: one row per file, in the columns that a bundle declares."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from limen import units
from limen.errors import ColumnError, UnitError
from limen.manifest import Column
from limen.slha.addresses import Address, addresses, block_unit
from limen.slha.reading import Plan, Row, read_rows

__all__ = ["SpectrumPoints", "read_points"]


@dataclass(slots=True)
class SpectrumPoints:
    """
    Some spectra as points.

    Attributes
    ----------
    columns : dict of str to (ndarray of shape (n,), str) or list of str
        Values and their unit by column; ``file`` names the files. NaN where a file has a fault.
    faults : dict of int to list of str
        Why a file was refused, by row.
    uncovered : dict of int to list of str
        Assumptions of the bundle that a file does not meet, by row.
    served : list of dict
        Per row, by column: the address, its scale and line that served.
    notes : list of str
        What holds for many files: columns that were not served by their first address.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    faults: dict[int, list[str]] = field(default_factory=dict)
    uncovered: dict[int, list[str]] = field(default_factory=dict)
    served: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_points(
    paths: Sequence[Path],
    columns: Iterable[Column],
    *,
    assumptions: Sequence[Mapping[str, Any]] = (),
    equal_generations: bool = False,
    workers: int | None = None,
    rows: int = 4096,
) -> Iterator[SpectrumPoints]:
    """
    Read spectra as points of a model, in blocks.

    Parameters
    ----------
    paths : sequence of Path
        Files, folders and tar archives, in this order; sorted by name within a folder, members of
        an archive in its order.
    columns : iterable of Column
        Each with SLHA addresses in its ``source``.
    assumptions : sequence of mapping
        The bundle's.
    equal_generations : bool
        Refuse points whose first two generations differ.
    workers : int, optional
        Number of processes.
    rows : int
        Rows per block.

    Yields
    ------
    SpectrumPoints

    Raises
    ------
    ColumnError
        If a column has no SLHA address, or a unit that the address has not.
    ReadError
        If a path is not there, or an archive is damaged or a trap.
    """
    listed = {column.name: column for column in columns}
    sources = {name: addresses(column.source) for name, column in listed.items()}
    bare = [name for name, source in sources.items() if not source]
    if bare:
        raise ColumnError(
            f"columns {', '.join(bare[:20])}: found no SLHA address, so they cannot be read from "
            "spectra; state it in the scan document and pack again, for example: source: "
            "[{format: slha, block: MASS, key: [1000022], absolute: true}]"
        )
    stated = {name: _unit(listed[name], source) for name, source in sources.items()}
    found = read_rows(paths, Plan(sources, equal_generations, tuple(assumptions)), workers=workers)
    while part := list(islice(found, rows)):
        yield _points(part, sources, stated)


def _unit(column: Column, source: Sequence[Address]) -> str:
    """Give the unit that the values have in the file; a column may be in another, as TeV."""
    known = {block_unit(address) for address in source} - {""}
    if not known:
        return column.unit
    unit = known.pop()
    try:
        if known:
            raise UnitError(f"its addresses have the units {unit} and {', '.join(sorted(known))}")
        units.convert(1.0, unit, column.unit)
    except UnitError as error:
        raise ColumnError(
            f"column {column.name}: found the unit {column.unit}, allowed that of its address "
            f"{source[0]}, {unit} ({error}); correct its source"
        ) from error
    return unit


def _points(
    part: Sequence[Row], sources: Mapping[str, Sequence[Address]], stated: Mapping[str, str]
) -> SpectrumPoints:
    answer = SpectrumPoints({"file": [row.name for row in part]})
    nothing = [math.nan] * len(sources)
    values = np.array([row.values or nothing for row in part]).reshape(len(part), len(sources))
    used: Counter[tuple[str, int]] = Counter()
    for number, row in enumerate(part):
        if row.faults:
            answer.faults[number] = list(row.faults)
        if row.violated:
            answer.uncovered[number] = list(row.violated)
        answer.served.append(
            {
                name: _said(sources[name][position], scale, line)
                for name, (position, scale, line) in zip(sources, row.served, strict=False)
            }
        )
        used.update((name, at[0]) for name, at in zip(sources, row.served, strict=False))
    for position, name in enumerate(sources):
        answer.columns[name] = (values[:, position], stated[name])
    for (name, at), count in sorted(used.items()):
        if at:
            wanted, got = sources[name][0], sources[name][at]
            answer.notes.append(
                f"{name}: read from {got} instead of {wanted} in {count:,} of {len(part):,} files"
            )
    return answer


def _said(address: Address, scale: float | None, line: int) -> str:
    at = "" if scale is None else f"Q={scale:g} GeV, "
    return f"{address.block} {' '.join(map(str, address.key))} ({at}line {line})"
