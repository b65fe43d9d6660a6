"""Markov chains as text (GetDist, CosmoMC, Cobaya): weight, -ln L and parameters in each line."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain as chained
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.chains.paramnames import (
    SUFFIXES,
    Parameter,
    parameters_of,
)
from limen.readers.chains.runs import burnt, free_name, kept_draws, split_by_chain, told_apart
from limen.readers.options import Selection
from limen.readers.tables import Array, Block, Table

__all__ = ["open_getdist"]

MAX_REFUSED = 1000
_CHUNK = 1 << 21
_LONGEST_LINE = 1 << 20
_LISTED, _SECONDS = 20, 5.0
_log = logging.getLogger("limen.readers.chains.getdist")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many columns a chain file has, and the names and places of those that must be known."""

    width: int
    names: tuple[str, ...]
    needed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Chain:
    """One chain file, read once: rows that are kept after the burn-in."""

    path: Path
    skip: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a chain file: number of each draw, its values, and what was left out."""

    draws: Array
    values: Array
    refused: list[tuple[int, Fault]]
    seen: int


def open_getdist(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open the chains of one run: ``root.txt``, or ``root_1.txt`` to ``root_N.txt``.

    The second column, -ln L, comes with its sign turned, as ``loglike``. Rows that do not parse,
    have no number where there must be one, or a negative weight are left out and listed. The files
    are read once to prove that.

    Parameters
    ----------
    paths : sequence of Path
        Text files, one a chain, in the order of their codes in the column ``chain``. Files
        ``.paramnames`` and ``.ranges`` among them are not chains; they are found by their names.
    options : mapping
        ``names``, of the parameters where there is no ``.paramnames``; ``burn``, a number of rows
        or a fraction below 1 that is left out at the start of each chain.
    selection : Selection
        Columns to drop.

    Returns
    -------
    Table
        Columns ``weight``, ``loglike``, the parameters, ``chain`` and ``draw`` (number of the row
        in its file, from 0).

    Raises
    ------
    ReadError
        If names are missing or do not fit, or no row can be read, or a thousand cannot.
    """
    files = tuple(path for path in paths if path.suffix not in SUFFIXES)
    if not files:
        raise ReadError(f"{paths[0]}: found no chain, allowed root.txt or root_1.txt ...; give it")
    named, sides = parameters_of(files, options.get("names"))
    taken = [parameter.name for parameter in named]
    own = [free_name(name, taken) for name in ("weight", "loglike", "chain", "draw")]
    names = (*own[:2], *taken, *own[2:])
    needed = [i + 2 for i, p in enumerate(named) if not p.derived]
    layout = _Layout(len(taken) + 2, (own[0], "-ln L", *taken), (0, 1, *needed))
    refused: list[Fault] = []
    burn = options.get("burn", 0)
    chains = [_surveyed(path, layout, burn, refused) for path in files]
    dtypes: dict[str, np.dtype[Any]] = dict.fromkeys(names, np.dtype(float))
    dtypes |= {own[2]: np.dtype("int32"), own[3]: np.dtype("int64")}
    kept = {name: dtype for name, dtype in dtypes.items() if name not in selection.drop}

    def stream(rows: int) -> Iterator[Block]:
        for code, one in enumerate(chains):
            for draws, values in _kept(one, layout):
                columns = [values[:, 0], -values[:, 1], *values[:, 2:].T]
                columns += [np.full(len(draws), code, dtype="int32"), draws]
                block = dict(zip(names, columns, strict=True))
                yield {name: np.ascontiguousarray(block[name]) for name in kept}

    hints = _hints(own, named, told_apart(files))
    total = sum(one.rows for one in chains)
    return Table(
        files[0],
        names,
        kept,
        total,
        stream,
        files=(*files, *sides),
        hints={name: hint for name, hint in hints.items() if name in kept},
        document=_document(files, burn, own[2] if own[2] in kept else None),
        refused=tuple(refused),
    )


def _surveyed(path: Path, layout: _Layout, burn: float, refused: list[Fault]) -> _Chain:
    """Read a chain file once: count its rows, and add what cannot be read to ``refused``."""
    draws, found = 0, list[tuple[int, Fault]]()
    spoken = time.monotonic()
    for part in _parts(path, layout):
        draws = part.seen
        found += part.refused
        if len(found) > MAX_REFUSED:
            break
        if time.monotonic() - spoken > _SECONDS:
            spoken = time.monotonic()
            _log.info("read %s rows of %s", f"{draws:,}", path.name)
    if len(found) > MAX_REFUSED or (found and len(found) == draws):
        raise ReadError.from_faults(str(path), [fault for _, fault in found[:_LISTED]])
    if not draws:
        raise ReadError(f"{path}: found no rows, allowed at least one draw; the chain is empty")
    skip = burnt(burn, draws)
    rows = draws - skip - sum(draw >= skip for draw, _ in found)
    if not rows:
        raise ReadError(
            f"{path}: found {draws} rows, all left out as burn-in ({burn:g}); lower 'burn'"
        )
    refused += [Fault(f"{path} {fault.pointer}", fault.message) for _, fault in found]
    return _Chain(path, skip, rows)


def _kept(one: _Chain, layout: _Layout) -> Iterator[tuple[Array, Array]]:
    """Yield numbers and values of the good draws after the burn-in."""
    rows = 0
    for part in _parts(one.path, layout):
        first = int(np.searchsorted(part.draws, one.skip))
        rows += len(part.draws) - first
        if first < len(part.draws):
            yield part.draws[first:], part.values[first:]
    if rows != one.rows:
        raise ReadError(
            f"{one.path}: found {rows} rows, allowed the {one.rows} found at first; the file "
            "changed while it was read: wait until the run has ended"
        )


def _parts(path: Path, layout: _Layout) -> Iterator[_Part]:
    """Read a file in chunks of whole lines."""
    number = draws = 0
    for lines in _lines(path):
        numbered = enumerate(lines, number + 1)
        rows = [(i, line) for i, line in numbered if line.lstrip()[:1] not in (b"", b"#")]
        number += len(lines)
        if rows:
            yield _converted(rows, draws, layout)
            draws += len(rows)


def _lines(path: Path) -> Iterator[list[bytes]]:
    rest = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE or b"\0" in chunk:
                raise ReadError(
                    f"{path}: found binary data or a line of more than {_LONGEST_LINE} bytes, "
                    "allowed lines of numbers; give the chain as text"
                )
            yield lines
    yield [rest]


def _converted(rows: list[tuple[int, bytes]], first: int, layout: _Layout) -> _Part:
    """Turn lines into numbers; all at once if they are all good, else line by line."""
    draws = np.arange(first, first + len(rows))
    refused: list[tuple[int, Fault]] = []
    good = np.ones(len(rows), dtype=bool)
    values = _numbers([line for _, line in rows], layout.width)
    if values is None:
        values = np.zeros((len(rows), layout.width))
        for i, (number, line) in enumerate(rows):
            one = _numbers([line], layout.width)
            if one is None:
                good[i] = False
                refused.append((first + i, Fault(f"line {number}", _unread(line, layout))))
            else:
                values[i] = one[0]
    wrong = good & _unusable(values, layout).any(axis=1)
    for i in np.flatnonzero(wrong).tolist():
        said = _unfit(values[i : i + 1], layout)
        refused.append((first + i, Fault(f"line {rows[i][0]}", said)))
    refused.sort()
    keep = good & ~wrong
    return _Part(draws[keep], values[keep], refused, first + len(rows))


def _unusable(values: Array, layout: _Layout) -> Array:
    """Tell which of the needed values cannot be, shape (n, needed)."""
    used = values[:, list(layout.needed)]
    wrong = ~np.isfinite(used)
    wrong[:, 0] |= used[:, 0] < 0
    # An infinite -ln L is a point that the likelihood forbids; it is stated, not missing.
    wrong[:, 1] &= used[:, 1] != np.inf
    return wrong


def _unfit(row: Array, layout: _Layout) -> str:
    found = np.flatnonzero(_unusable(row, layout)[0])[:3]
    said = [f"{row[0, layout.needed[j]]:g} for {layout.names[layout.needed[j]]!r}" for j in found]
    return f"found {', '.join(said)}, allowed finite numbers, no negative weight; correct the line"


def _numbers(lines: list[bytes], width: int) -> Array | None:
    """Give numbers of shape (n, width), or None if not every line is that many."""
    fields = [line.split() for line in lines]
    # Python reads '1_000' as a number; no chain means that.
    if any(len(row) != width for row in fields) or any(b"_" in line for line in lines):
        return None
    try:
        flat = np.fromiter(map(float, chained.from_iterable(fields)), float, width * len(lines))
    except ValueError:
        return None
    return flat.reshape(-1, width)


def _unread(line: bytes, layout: _Layout) -> str:
    fields = line.split()
    if len(fields) != layout.width:
        return (
            f"found {len(fields)} fields, allowed {layout.width}: weight, -ln L and "
            f"{layout.width - 2} parameters; complete the line, or give all 'names'"
        )
    wrong = next(field for field in fields if _numbers([field], 1) is None)
    shown = wrong[:40].decode("utf-8", "replace")
    return f"found {shown!r}, allowed a number; correct the line"


def _hints(
    own: Sequence[str], named: Sequence[Parameter], files: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Declare the columns as far as the files tell."""
    weight, loglike, chain, draw = own
    return {
        weight: {
            "role": "weight",
            "unit": "1",
            "description": "Posterior weight: how often the chain stayed there, or importance.",
        },
        loglike: {
            "role": "likelihood",
            "quantity": "log_likelihood",
            "unit": "1",
            "description": "Minus the second column of the chain files. GetDist, CosmoMC and "
            "Cobaya write -ln(posterior) there: it differs from -ln(likelihood) unless the priors "
            "are flat.",
        },
        **{parameter.name: parameter.hint() for parameter in named},
        chain: {
            "role": "origin",
            "unit": "1",
            "description": "The chain that the draw belongs to.",
            "categories": {str(code): name for code, name in enumerate(files)},
        },
        draw: {
            "role": "id",
            "unit": "1",
            "description": "Number of the row in its chain file, from 0, burn-in included.",
        },
    }


def _document(files: Sequence[Path], burn: float, column: str | None) -> dict[str, Any]:
    selection = kept_draws(burn, "rows")
    sampling = {"sampler": "TODO", "prior": "TODO", "selection": selection}
    return {"sampling": [sampling], **split_by_chain(column, len(files))}
