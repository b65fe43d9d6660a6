"""Several files as one stream of columns, renamed, selected and typed alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.agreement import absent, common_dtype, disagreements
from limen.readers.formats import FORMATS, guess_format
from limen.readers.options import Selection, check_options, nearest
from limen.readers.tables import TEXT, Array, Block, Table, cast

__all__ = [
    "BLOCK_ROWS",
    "FileSource",
    "Source",
    "open_source",
    "open_tables",
    "read_columns",
    "text_columns",
]

BLOCK_ROWS = 65_536


class Source(Protocol):
    """Columns that come in blocks: what `limen.pack` reads from."""

    @property
    def columns(self) -> Mapping[str, np.dtype[Any]]:
        """Names and dtypes, known before a row is read."""

    @property
    def n_rows(self) -> int | None:
        """Number of rows, None where only reading tells."""

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """Yield blocks of exactly ``rows`` rows, the last one shorter."""

    @property
    def refused(self) -> Sequence[Fault]:
        """Rows that could not be read and were left out."""

    def describe(self) -> dict[str, Any]:
        """Give what the files say of themselves."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """
    Files of one format, one after the other.

    Parameters
    ----------
    format : str
        A key of `FORMATS`.
    tables : tuple of Table
        The files, opened.
    selection : Selection
        Which columns, and under which names.
    columns : mapping of str to dtype
        The columns under their names in the scan.
    """

    format: str
    tables: tuple[Table, ...]
    selection: Selection
    columns: Mapping[str, np.dtype[Any]]

    @property
    def n_rows(self) -> int:
        """Number of rows of all files together."""
        return sum(table.n_rows for table in self.tables)

    @property
    def refused(self) -> tuple[Fault, ...]:
        """Rows that could not be read and were left out."""
        return tuple(fault for table in self.tables for fault in table.refused)

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """
        Yield blocks of exactly ``rows`` rows, the last one shorter.

        Parameters
        ----------
        rows : int
            Rows per block, positive.

        Raises
        ------
        ReadError
            If a text has no code, or a file has changed or is damaged.
        """
        return _reblock(self._parts(rows), rows)

    def describe(self) -> dict[str, Any]:
        """Give format, files, rows, and per column its name in the file, unit, label and codes."""
        new = {name: self._name(name) for name in self.tables[0].dtypes}
        units: dict[str, str] = {}
        labels: dict[str, str] = {}
        for table in reversed(self.tables):
            units |= {new[name]: unit for name, unit in table.units.items() if name in new}
            labels |= {new[name]: text for name, text in table.labels.items() if name in new}
        coded = {new[name]: dict(codes) for name, codes in self.selection.categories.items()}
        return {
            "format": self.format,
            "files": [str(path) for table in self.tables for path in table.all_files],
            "rows": self.n_rows,
            "names": {after: before for before, after in new.items()},
            "units": units,
            "labels": labels,
            "categories": coded,
        }

    def _name(self, name: str) -> str:
        return self.selection.rename.get(name, name)

    def _parts(self, rows: int) -> Iterator[Block]:
        for table in self.tables:
            for block in table.stream(rows):
                yield {
                    self._name(name): self._convert(table.path, name, block[name])
                    for name in self.tables[0].dtypes
                }

    def _convert(self, path: Path, name: str, values: Array) -> Array:
        where = f"{path} column '{name}'"
        codes = self.selection.categories.get(name)
        dtype = self.columns[self._name(name)]
        if codes is None:
            return cast(values, dtype, where)
        unknown = sorted(set(values.tolist()) - codes.keys())
        if unknown:
            faults = [
                ("", f"found '{t}'; {nearest(t, codes)}; give it a code") for t in unknown[:20]
            ]
            raise ReadError.from_faults(where, faults)
        return np.array([codes[text] for text in values.tolist()], dtype=dtype)


def open_source(
    files: Sequence[Path | str],
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> FileSource:
    """
    Open files of one format as one stream of columns.

    Parameters
    ----------
    files : sequence of Path or str
        At least one file; all with the same columns, in any order.
    format : str, optional
        A key of `FORMATS`; found from the files if None.
    options : mapping, optional
        ``columns`` {name in the file: name in the scan}, ``drop`` [names in the file],
        ``categories`` {name in the file: {text: code}}, and what the format understands.

    Returns
    -------
    FileSource
        Its dtypes are exact for all files together; nothing is kept open.

    Raises
    ------
    ReadError
        With all faults: missing files, unknown options or columns, columns that differ between
        the files, text without codes, no rows, and what the format itself refuses.
    MissingExtraError
        If the format needs a library that is not installed.
    """
    name, tables, selection = open_tables(files, format, options)
    faults = disagreements(tables, selection)
    columns: dict[str, np.dtype[Any]] = {}
    if not faults:
        for column in tables[0].dtypes:
            dtype, found = common_dtype(tables, column, selection)
            columns[selection.rename.get(column, column)] = dtype
            faults += found
    if faults:
        where = str(tables[0].path) if len(tables) == 1 else f"{len(tables)} files"
        raise ReadError.from_faults(where, faults)
    return FileSource(name, tuple(tables), selection, columns)


def open_tables(
    files: Sequence[Path | str], format: str | None, options: Mapping[str, Any] | None
) -> tuple[str, list[Table], Selection]:
    """
    Open each file by itself, text columns included.

    Parameters
    ----------
    files, format, options
        As for `open_source`.

    Returns
    -------
    tuple of (str, list of Table, Selection)
        The format, the files, and the common options.

    Raises
    ------
    ReadError
        As for `open_source`.
    """
    if isinstance(files, str) or not files:
        raise ReadError("files: found none, allowed a list of at least one; name a file")
    paths = [Path(file) for file in files]
    _check_paths(paths, format)
    names = {format} if format is not None else {guess_format(path) for path in paths}
    name = sorted(names)[0]
    if len(names) > 1:
        raise ReadError(
            f"files: found the formats {', '.join(sorted(names))}, allowed one; "
            "make one 'read' entry for each"
        )
    if name not in FORMATS:
        raise ReadError(f"format: found '{name}'; {nearest(name, FORMATS)}")
    given = {} if options is None else options
    faults = check_options(given, FORMATS[name].options)
    if faults:
        raise ReadError.from_faults(f"format {name}", faults)
    selection = Selection.from_options(given)
    tables: list[Table] = []
    for path, opened in FORMATS[name].tables(paths, given, selection):
        try:
            tables.append(opened())
        except ReadError as error:
            if len(paths) == 1 or FORMATS[name].together:
                raise
            found = error.faults or (Fault("", error.message.removeprefix(str(path)).lstrip(": ")),)
            faults += [Fault(f"{path} {fault.pointer}".strip(), fault.message) for fault in found]
    if faults:
        raise ReadError.from_faults(f"{len(paths)} files", faults)
    return name, tables, selection


def _check_paths(paths: Sequence[Path], format: str | None) -> None:
    """Refuse what is not there, and folders where the format knows none."""
    gone = [fault for path in paths for fault in absent(path, folders=_may_be_folder(path, format))]
    if gone:
        raise ReadError.from_faults("" if len(gone) == 1 else f"{len(paths)} files", gone)


def _may_be_folder(path: Path, format: str | None) -> bool:
    if format is not None and format in FORMATS:
        return FORMATS[format].folders
    return path.is_dir() and any(
        form.folders and form.recognise is not None and form.recognise(path)
        for form in FORMATS.values()
    )


def text_columns(path: Path) -> list[str]:
    """
    Name the columns of a file that hold text.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ReadError
        If the file cannot be read.
    """
    _, tables, _ = open_tables([path], None, None)
    return [name for name, dtype in tables[0].dtypes.items() if dtype == TEXT]


def read_columns(
    files: Sequence[Path | str],
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Block:
    """
    Read whole files into memory; for what fits.

    Parameters
    ----------
    files, format, options
        As for `open_source`.

    Returns
    -------
    dict of str to ndarray, each of shape (n,)

    Raises
    ------
    ReadError
        As for `open_source`.
    """
    source = open_source(files, format, options)
    blocks = list(source.blocks())
    return {name: np.concatenate([block[name] for block in blocks]) for name in source.columns}


def _reblock(parts: Iterator[Block], rows: int) -> Iterator[Block]:
    """Cut and join blocks of any length into blocks of ``rows`` rows."""
    held: list[Block] = []
    count = 0
    for part in parts:
        length = len(next(iter(part.values())))
        start = 0
        while count + length - start >= rows:
            stop = start + rows - count
            yield _joined([*held, {name: values[start:stop] for name, values in part.items()}])
            held, count, start = [], 0, stop
        if start < length:
            held.append({name: values[start:] for name, values in part.items()})
            count += length - start
    if held:
        yield _joined(held)


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
