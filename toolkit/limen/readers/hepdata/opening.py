"""HEPData submissions and tables (YAML), one or several tables together as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.hepdata.columns import Column, columns_of, masked
from limen.readers.hepdata.files import (
    SUBMISSION,
    Folder,
    is_hepdata,
    opened,
    read_file,
)
from limen.readers.hepdata.records import document_of, record_of
from limen.readers.hepdata.values import Notes
from limen.readers.hepdata.yaml import load_documents
from limen.readers.options import Selection, nearest
from limen.readers.tables import TEXT, Array, Block, Table

__all__ = ["is_hepdata", "open_hepdata"]

TABLE = "HEPData table"
_MOST_TABLES = 1000
_VALUES = frozenset({"data_file", "dependent_variables", "independent_variables"})


@dataclass(frozen=True, slots=True)
class _Found:
    """One table of a submission: what is said of it there, and its columns."""

    name: str
    document: Mapping[str, Any]
    columns: Sequence[Column]

    @property
    def rows(self) -> int:
        return len(self.columns[0].values)

    def same_grid(self, other: _Found) -> bool:
        """Tell whether two tables have the same coordinates, row by row."""
        mine, theirs = ([c for c in t.columns if c.independent] for t in (self, other))
        return len(mine) == len(theirs) and all(
            a.name == b.name and _equal(a.values, b.values)
            for a, b in zip(mine, theirs, strict=True)
        )

    def same_columns(self, other: _Found) -> bool:
        """Tell whether two tables have the same columns."""
        return [(c.name, c.notes, c.values.dtype) for c in self.columns] == [
            (c.name, c.notes, c.values.dtype) for c in other.columns
        ]


def open_hepdata(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open tables of HEPData as one table.

    Parameters
    ----------
    paths : sequence of Path
        Each a submission folder, an archive of one (tar.gz, zip), or a YAML table.
    options : mapping
        ``table``, the name or a list of names of the tables that are wanted; ``record``, the
        record they come from, as ``ins1234567`` or a DOI.
    selection : Selection
        Columns to drop.

    Returns
    -------
    Table
        Tables of the same coordinates lie side by side; tables of the same columns one after the
        other, with a column that names the table.

    Raises
    ------
    ReadError
        With all faults by table, column and row: what is no YAML, no table or no number; and
        tables that do not go together.
    """
    wanted = options.get("table", [])
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    reading = _Reading(asked)
    for path in paths:
        reading.read(path)
    tables, known = reading.tables, reading.known
    faults = reading.faults + [
        Fault("option 'table'", f"found '{name}'; {nearest(name, known)}")
        for name in asked
        if name not in known
    ]
    where = str(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
    if faults:
        raise ReadError.from_faults(where, faults)
    if not tables:
        raise ReadError(f"{where}: found no table, allowed at least one; check the submission")
    general = reading.general
    record = record_of(str(options.get("record", "")), general, [t.document for t in tables])
    columns = masked(_together(tables, record, where))
    return _table(tuple(paths), columns, selection, document_of(record, general, tables))


@dataclass(slots=True)
class _Reading:
    """What was found so far: tables, what is said of all of them, and faults."""

    asked: Sequence[str]
    general: dict[str, Any] = field(default_factory=dict)
    tables: list[_Found] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def read(self, path: Path) -> None:
        """Read the tables that are asked for (all, if none is named) in one place."""
        if path.is_file() and path.suffix.lower() in (".yaml", ".yml") and path.name != SUBMISSION:
            self._sort(load_documents(read_file(path), str(path)), None, str(path), path.stem)
            return
        with opened(path.parent if path.name == SUBMISSION else path) as folder:
            place = f"{folder.where} {SUBMISSION}"
            self._sort(load_documents(folder.read(SUBMISSION), place), folder, place, "")

    def _sort(
        self, documents: Sequence[dict[str, Any]], folder: Folder | None, where: str, stem: str
    ) -> None:
        """Sort documents into tables and what is said of all of them."""
        if len(documents) > _MOST_TABLES:
            raise ReadError(
                f"{where}: found {len(documents)} documents, allowed {_MOST_TABLES}; split the file"
            )
        for document in documents:
            if document.keys() & _VALUES:
                self._add(document, folder, where, stem)
                continue
            if "name" in document or (folder is None and len(documents) == 1):
                text = "found neither independent_variables nor data_file, allowed a table with one"
                name = document.get("name", stem)
                self.faults.append(Fault(f"table '{name}'", f"{text}; add it"))
            self.general.update(document)

    def _add(
        self, document: Mapping[str, Any], folder: Folder | None, where: str, stem: str
    ) -> None:
        """Read one table, if it is asked for."""
        name = document.get("name", stem)
        if not isinstance(name, str) or not name:
            text = f"found the name {name!r} of a table, allowed text; name it"
            self.faults.append(Fault(where, text))
            return
        if name in self.known:
            text = "found twice, allowed different names; rename one"
            self.faults.append(Fault(f"table '{name}'", text))
        self.known.append(name)
        if self.asked and name not in self.asked:
            return
        place = f"table '{name}'"
        inside = bool(document.keys() & (_VALUES - {"data_file"}))
        content = (
            document if inside else _content(document["data_file"], folder, place, self.faults)
        )
        if content is None:
            return
        columns, found = columns_of(content, place)
        self.faults += found
        if columns:
            said = {key: value for key, value in document.items() if key not in _VALUES}
            self.tables.append(_Found(name, said, columns))


def _content(
    name: Any, folder: Folder | None, place: str, faults: list[Fault]
) -> Mapping[str, Any] | None:
    """Load the file of a table, which lies beside the submission."""
    if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
        text = f"found the data_file {name!r}, allowed the name of a file beside {SUBMISSION}"
        faults.append(Fault(place, f"{text}; correct it"))
    elif folder is None or name not in folder.names:
        text = f"found the data_file {name!r}, which is not there; add the file"
        faults.append(Fault(place, text))
    else:
        try:
            documents = load_documents(folder.read(name), f"{place} {name}")
        except ReadError as error:
            faults.append(Fault("", error.message))
            return None
        if len(documents) == 1:
            return documents[0]
        text = f"found {len(documents)} documents in {name}, allowed one; correct it"
        faults.append(Fault(place, text))
    return None


def _together(tables: Sequence[_Found], record: str, where: str) -> list[Column]:
    """Put tables side by side where their coordinates agree, else below each other."""
    first = tables[0]
    if all(table.same_grid(first) for table in tables[1:]):
        addressed = [
            [_addressed(c, [table.name], record) for c in table.columns] for table in tables
        ]
        columns = list(addressed[0])
        for table, added in zip(tables[1:], addressed[1:], strict=True):
            columns += _beside(columns, [c for c in added if not c.independent], table.name)
        return columns
    if all(table.same_columns(first) for table in tables[1:]):
        names = [table.name for table in tables]
        columns = [
            _addressed(
                replace(parts[0], values=np.concatenate([part.values for part in parts])),
                names,
                record,
            )
            for parts in zip(*(table.columns for table in tables), strict=True)
        ]
        codes = np.repeat(np.arange(len(tables), dtype=np.int16), [t.rows for t in tables])
        hint = {
            "name": "table",
            "role": "origin",
            "unit": "1",
            "categories": {str(code): t.name[:300] for code, t in enumerate(tables)},
        }
        return [*columns, Column(TABLE, codes, Notes(), hint)]
    listed = ", ".join(f"'{table.name}'" for table in tables[:20])
    raise ReadError(
        f"{where}: found the tables {listed} with different columns and coordinates, allowed "
        "tables that share either; name the ones to read with --option table=NAME (or a list "
        "under options in the scan document)"
    )


def _addressed(column: Column, tables: Sequence[str], record: str) -> Column:
    """Write into a column where it comes from."""
    notes = replace(column.notes, table=tables[0] if len(tables) == 1 else "")
    hint = {**column.hint, "description": notes.text()[:20_000]}
    if record:
        address = {"format": "hepdata", "record": record, "column": column.notes.header[:300]}
        hint["source"] = [address | {"table": table[:300]} for table in tables[:20]]
    return replace(column, hint=hint)


def _beside(present: Sequence[Column], added: Sequence[Column], table: str) -> list[Column]:
    """Rename columns whose names are taken after their table."""
    taken = {column.name for column in present}
    new = {c.name: f"{c.name} ({table})" if c.name in taken else c.name for c in added}
    columns = []
    for column in added:
        hint = dict(column.hint)
        if "of" in hint:
            hint["of"] = new.get(hint["of"], hint["of"])
        columns.append(replace(column, name=new[column.name], hint=hint))
    return columns


def _equal(a: Array, b: Array) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool(np.all((a == b) | ((a != a) & (b != b))))


def _table(
    paths: tuple[Path, ...],
    columns: Sequence[Column],
    selection: Selection,
    document: Mapping[str, Any],
) -> Table:
    used = {column.name: column for column in columns if column.name not in selection.drop}
    dtypes = {
        name: TEXT if c.values.dtype.kind == "O" else c.values.dtype for name, c in used.items()
    }
    as_text = {
        name: np.array([f"{value:g}" for value in c.values.tolist()], dtype=object)
        for name, c in used.items()
        if name in selection.categories and c.values.dtype.kind == "f"
    }
    dtypes |= dict.fromkeys(as_text, TEXT)
    rows = len(columns[0].values)

    def stream(size: int) -> Iterator[Block]:
        for start in range(0, rows, size):
            yield {
                name: as_text.get(name, c.values)[start : start + size].copy()
                for name, c in used.items()
            }

    return Table(
        paths[0],
        tuple(column.name for column in columns),
        dtypes,
        rows,
        stream,
        files=paths,
        hints={name: c.hint for name, c in used.items()},
        document=document,
    )
