"""Many spectra read side by side: values, which address served, and what is wrong, per file."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from limen.errors import ReadError
from limen.slha.addresses import Address, unequal_generations, value_of
from limen.slha.archives import Item, items, read_item
from limen.slha.assumptions import violated
from limen.slha.parsing import parse

__all__ = ["Plan", "Row", "read_row", "read_rows"]

_log = logging.getLogger(__name__)
_CHUNK = 32
_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is wanted of every spectrum.

    Parameters
    ----------
    sources : mapping of str to tuple of Address
        Per column, its addresses in the order of preference.
    equal_generations : bool
        Refuse points whose first two generations differ.
    assumptions : tuple of mapping
        Entries of a bundle's ``assumptions``, checked on the decays.
    """

    sources: Mapping[str, tuple[Address, ...]]
    equal_generations: bool = False
    assumptions: tuple[Mapping[str, Any], ...] = ()


class Row(NamedTuple):
    """
    What one spectrum gave.

    Attributes
    ----------
    name : str
        The file, or archive and member.
    order : tuple of (int, str)
        As in `Item`.
    values : tuple of float
        In the order of the plan's columns; empty if there are faults.
    served : tuple of (int, float or None, int)
        Per column: position of the address that served, scale Q [GeV], line.
    faults : tuple of str
        Why the spectrum was refused.
    violated : tuple of str
        Assumptions that it does not meet.
    warnings : tuple of str
        What its generator warns of.
    programs : tuple of (str, str, str)
        Block, name and version of the programs that wrote it.
    """

    name: str
    order: tuple[int, str]
    values: tuple[float, ...] = ()
    served: tuple[tuple[int, float | None, int], ...] = ()
    faults: tuple[str, ...] = ()
    violated: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    programs: tuple[tuple[str, str, str], ...] = ()


def read_row(item: Item, plan: Plan) -> Row:
    """
    Read one spectrum; what is wrong with it is said in the row.

    Parameters
    ----------
    item : Item
    plan : Plan

    Returns
    -------
    Row
    """
    try:
        spectrum = parse(read_item(item))
    except ReadError as error:
        faults = error.faults or (error.message,)
        return Row(item.name, item.order, faults=tuple(str(fault).strip() for fault in faults))
    found, wrong = [], []
    for name, source in plan.sources.items():
        try:
            found.append(value_of(spectrum, source))
        except ReadError as error:
            wrong.append(f"{name}: {error.message}")
    if plan.equal_generations:
        wrong += map(str, unequal_generations(spectrum))
    if wrong:
        return Row(item.name, item.order, faults=tuple(wrong))
    blocks = ((block, spectrum.program(block)) for block in ("SPINFO", "DCINFO"))
    return Row(
        item.name,
        item.order,
        tuple(one.value for one in found),
        tuple((one.position, one.scale, one.line) for one in found),
        violated=tuple(violated(spectrum, plan.assumptions)),
        warnings=spectrum.warnings,
        programs=tuple((block, *program) for block, program in blocks if program),
    )


def read_rows(paths: Sequence[Path], plan: Plan, *, workers: int | None = None) -> Iterator[Row]:
    """
    Read the spectra of files, folders and archives in parallel processes.

    Parameters
    ----------
    paths : sequence of Path
    plan : Plan
    workers : int, optional
        Number of processes; one per CPU core if None. Few files are read in this process.

    Yields
    ------
    Row
        In the order of `items`, refused ones included.

    Raises
    ------
    ReadError
        As `items`, and if a process is ended from outside.
    """
    listed = items(paths)
    workers = os.cpu_count() or 1 if workers is None else workers
    first = list(islice(listed, _CHUNK * 4))
    began = told = time.monotonic()
    few = len(first) < _CHUNK * 4 or workers == 1
    chunks = _chunks(first, listed)
    done = 0
    for rows in _here(chunks, plan) if few else _beside(chunks, plan, workers):
        yield from rows
        done += len(rows)
        now = time.monotonic()
        if now - told > _SECONDS:
            told = now
            _log.info("read %s spectra in %.0f s", f"{done:,}", now - began)


def _chunks(first: Sequence[Item], rest: Iterator[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(first), _CHUNK):
        yield list(first[start : start + _CHUNK])
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _read_chunk(chunk: Sequence[Item], plan: Plan) -> list[Row]:
    return [read_row(item, plan) for item in chunk]


def _here(chunks: Iterable[Sequence[Item]], plan: Plan) -> Iterator[list[Row]]:
    for chunk in chunks:
        yield _read_chunk(chunk, plan)


def _beside(chunks: Iterator[list[Item]], plan: Plan, workers: int) -> Iterator[list[Row]]:
    """Hand chunks to processes, never many more than they are reading."""
    # A fork of a process with threads may hang; a fresh one does not.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[list[Row]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(_read_chunk, chunk, plan))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise ReadError(
                "spectra: a reading process was ended from outside, or a script started them "
                "without 'if __name__ == \"__main__\":'; read again with the option workers=1"
            ) from error
        finally:
            for future in waiting:
                future.cancel()
