"""SLHA spectra: files, folders and tar archives as one table, a row per spectrum."""

from __future__ import annotations

import logging
import re
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from limen.errors import Fault, ReadError, UsageError
from limen.readers.options import Selection
from limen.readers.pages import TODO
from limen.readers.tables import Array, Block, Table
from limen.slha import (
    MASSES,
    SUFFIXES,
    Address,
    Plan,
    Row,
    addresses,
    block_unit,
    looks_like_spectra,
    mass_columns,
    preset_columns,
    read_rows,
)

__all__ = ["OPTIONS", "SUFFIXES", "looks_like_spectra", "open_spectra"]

_log = logging.getLogger(__name__)

OPTIONS = frozenset({"columns_at", "generations", "masses", "preset", "workers"})
_ID = "point_id"
_DIGITS = re.compile(r"(\d{1,18})\Z", re.ASCII)
_LISTED = 10
_WRITTEN = 4096
_CONVENTION = (
    "SLHA: masses and trilinear couplings in GeV, signs as in SLHA, running (DRbar) at the scale Q "
    "of their blocks; each column states the addresses it was read from"
)


def open_spectra(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Read SLHA spectra; the values are kept in an anonymous file until they are streamed.

    Parameters
    ----------
    paths : sequence of Path
        Files, folders, tar archives.
    options : mapping
        ``preset`` (pmssm19, unless ``columns_at`` is given), ``columns_at`` {name: address or list
        of them}, ``masses`` (true, or a list of names), ``generations`` (equal or any),
        ``workers``.
    selection : Selection
        Columns to drop; they need not be in the files.

    Returns
    -------
    Table
        Rows by path and name; spectra that cannot be used are in ``refused``.

    Raises
    ------
    ReadError
        If an option is wrong, an archive is a trap or damaged, or no spectrum can be used.
    """
    declared = _declared(options)
    wanted = {name: told for name, told in declared.items() if name not in selection.drop}
    if not wanted:
        raise ReadError("option 'drop': found all columns, allowed fewer; keep at least one")
    sources = {name: addresses(told["source"]) for name, told in wanted.items()}
    equal = _has_preset(options) and options.get("generations", "equal") == "equal"
    spool = _Spool(len(sources))
    for row in read_rows(paths, Plan(sources, equal), workers=options.get("workers")):
        spool.add(row)
    if not spool.rows:
        raise ReadError.from_faults(f"{paths[0]}: no spectrum can be used", spool.refused[:20])
    spool.flush()
    for text, count in spool.warned.most_common(_LISTED):
        _log.warning("%s spectra carry a warning of their generator: %s", f"{count:,}", text)
    return _table(tuple(paths), spool, declared, sources, selection, equal)


def _table(
    paths: tuple[Path, ...],
    spool: _Spool,
    declared: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, Sequence[Address]],
    selection: Selection,
    equal: bool,
) -> Table:
    origins = _origins(spool, sources)
    identifiers, about_id = _identifiers(spool)
    hints = {_ID: {"role": "id", "unit": "1", "label": "point", "description": about_id}}
    hints |= {name: dict(told) for name, told in declared.items()} | origins
    dtypes: dict[str, np.dtype[Any]] = {_ID: np.dtype(np.int64)}
    dtypes |= dict.fromkeys(sources, np.dtype(np.float64))
    dtypes |= dict.fromkeys(origins, np.dtype(np.int8))
    used = {name: dtype for name, dtype in dtypes.items() if name not in selection.drop}
    places = {name: position for position, name in enumerate(sources)}
    order = spool.order()

    def stream(rows: int) -> Iterator[Block]:
        for start in range(0, len(order), rows):
            part = order[start : start + rows]
            values, served = spool.read(part)
            block: Block = {}
            for name in used:
                if name == _ID:
                    block[name] = identifiers[part]
                elif name in places:
                    block[name] = values[:, places[name]].copy()
                else:
                    block[name] = served[:, places[name.removeprefix("source_")]].copy()
            yield block

    return Table(
        paths[0],
        (_ID, *declared, *origins),
        used,
        len(order),
        stream,
        files=paths,
        hints=hints,
        document=_document(spool, equal),
        refused=tuple(spool.refused),
    )


@dataclass(slots=True, weakref_slot=True)
class _Spool:
    """Rows in the order in which they came, on disk; and what there is to say of all of them."""

    width: int
    rows: int = 0
    refused: list[Fault] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)
    warned: Counter[str] = field(default_factory=Counter)
    programs: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seen: list[set[int]] = field(default_factory=list)
    _held: list[Row] = field(default_factory=list)
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def __post_init__(self) -> None:
        self.seen = [set() for _ in range(self.width)]
        weakref.finalize(self, self._file.close)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype([("values", "f8", (self.width,)), ("served", "i1", (self.width,))])

    def add(self, row: Row) -> None:
        """Take a row, or note why it is refused."""
        if row.faults:
            self.refused.append(Fault(row.name, "; ".join(row.faults)))
            return
        self.rows += 1
        self.keys.append(row.order)
        self.warned.update(set(row.warnings))
        self.programs.update(row.programs)
        for seen, at in zip(self.seen, row.served, strict=True):
            seen.add(at[0])
        self._held.append(row)
        if len(self._held) == _WRITTEN:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        records = np.empty(len(self._held), self._dtype)
        if self._held:
            records["values"] = [row.values for row in self._held]
            records["served"] = [[at[0] for at in row.served] for row in self._held]
        self._file.write(records.tobytes())
        self._file.flush()
        self._held.clear()

    def order(self) -> Array:
        """Give the rows sorted by path and name."""
        return np.array(sorted(range(self.rows), key=self.keys.__getitem__), dtype=np.int64)

    def read(self, rows: Array) -> tuple[Array, Array]:
        """Give values and positions of the addresses that served, each of shape (n, d)."""
        records = np.memmap(self._file, self._dtype, "r", 0, (self.rows,))[rows]
        return records["values"], records["served"]


def _has_preset(options: Mapping[str, Any]) -> bool:
    return "preset" in options or "columns_at" not in options


def _declared(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the columns that are asked for, with what is known of each."""
    found: dict[str, dict[str, Any]] = {}
    if _has_preset(options):
        found |= preset_columns(options.get("preset", "pmssm19"))
    faults: list[Fault] = []
    for name, text in options.get("columns_at", {}).items():
        try:
            found[name] = _own(text)
        except UsageError as error:
            faults.append(Fault(f"option 'columns_at' column '{name}'", error.message))
    masses = options.get("masses", False)
    names = list(MASSES) if masses is True else list(masses or ())
    unknown = [name for name in names if name not in MASSES]
    if unknown:
        text = f"found '{unknown[0]}', allowed true or some of {', '.join(MASSES)}"
        faults.append(Fault("option 'masses'", text))
    if faults:
        raise ReadError.from_faults("format slha", faults)
    return found | mass_columns(names)


def _own(text: str | Sequence[str]) -> dict[str, Any]:
    listed = [Address.from_text(one) for one in ([text] if isinstance(text, str) else text)]
    unit = block_unit(listed[0]) or TODO
    source = [address.to_dict() for address in listed]
    if listed[0].block == "MASS":
        return {"role": "observable", "quantity": "mass", "unit": unit, "source": source}
    return {"role": "parameter", "unit": unit, "source": source}


def _origins(spool: _Spool, sources: Mapping[str, Sequence[Address]]) -> dict[str, dict[str, Any]]:
    """Declare a column for each that was not served by one address throughout."""
    made = {}
    for (name, source), seen in zip(sources.items(), spool.seen, strict=True):
        if len(seen) < 2:
            continue
        served = ", ".join(str(source[at]) for at in sorted(seen))
        _log.warning(
            "column %s: read from %s, not the same quantity in all rows; source_%s says which",
            name,
            served,
            name,
        )
        made[f"source_{name}"] = {
            "role": "origin",
            "unit": "1",
            "label": f"address of {name}",
            "description": f"SLHA address that {name} was read from.",
            "categories": {str(at): str(source[at]) for at in sorted(seen)},
        }
    return made


def _identifiers(spool: _Spool) -> tuple[Array, str]:
    """Number the rows by the digits that end their files' names, else by their order."""
    found = [_DIGITS.search(PurePosixPath(name).stem) for _, name in spool.keys]
    numbers = [int(match[1]) for match in found if match]
    if len(numbers) == spool.rows and len(set(numbers)) == spool.rows:
        return np.array(numbers, dtype=np.int64), "Digits at the end of the spectrum's file name."
    places = np.empty(spool.rows, dtype=np.int64)
    places[spool.order()] = np.arange(spool.rows)
    return places, "Position of the spectrum in the order of path and file name, from 0."


def _document(spool: _Spool, equal: bool) -> dict[str, Any]:
    """Say what the files say of the model and the programs that wrote them."""
    roles = {"SPINFO": "spectrum generator", "DCINFO": "decay calculator"}
    programs = [program for program, _ in spool.programs.most_common(_LISTED)]
    theory: dict[str, Any] = {
        "family": "pMSSM19" if equal else TODO,
        "convention": _CONVENTION,
    }
    generators = [(name, version) for block, name, version in programs if block == "SPINFO"]
    if len(generators) == 1:
        name, version = generators[0]
        theory["spectrum_generator"] = {"name": name[:300], "version": version[:300]}
    toolchain = [
        {"role": roles[block], "name": name[:300], "version": version[:300]}
        for block, name, version in programs
    ]
    return {"theory": theory} | ({"toolchain": toolchain} if toolchain else {})
