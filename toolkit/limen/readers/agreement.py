"""Do the files of one source agree: with the options, and with each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import Fault
from limen.readers.options import Selection, nearest
from limen.readers.tables import TEXT, Table

__all__ = ["absent", "common_dtype", "disagreements"]


def disagreements(tables: Sequence[Table], selection: Selection) -> list[Fault]:
    """
    List why some files cannot be read as one table.

    Parameters
    ----------
    tables : sequence of Table
        The files.
    selection : Selection
        The common options.

    Returns
    -------
    list of Fault
        Unknown columns in the options, columns that differ, text without codes, names that stand
        twice after renaming, no columns, no rows.
    """
    faults = [
        *_unknown(tables, selection),
        *_different(tables),
        *_textual(tables[0], selection),
        *_renamed_twice(tables[0], selection),
    ]
    if not faults and not tables[0].dtypes:
        faults.append(Fault("", "found no column left, allowed at least one; drop fewer"))
    if not faults and not any(table.n_rows for table in tables):
        faults.append(Fault("", "found no rows, allowed at least one; check the file"))
    return faults


def absent(path: Path, *, folders: bool = False) -> list[Fault]:
    """Say why a path is not a file (or, if ``folders``, a folder); nothing if it is."""
    if path.is_file() or (folders and path.is_dir()):
        return []
    if path.is_dir():
        text = "found a folder, allowed a file or a folder of a known format; name the files"
        return [Fault(str(path), text)]
    return [Fault(str(path), "found no such file, allowed a file; correct the path")]


def _unknown(tables: Sequence[Table], selection: Selection) -> list[Fault]:
    """Options that name a column which no file has."""
    known = {name for table in tables for name in table.names}
    return [
        Fault(f"option '{option}'", f"found the column '{name}'; {nearest(name, known)}")
        for option, names in (
            ("columns", selection.rename),
            ("drop", sorted(selection.drop)),
            ("categories", selection.categories),
        )
        for name in names
        if name not in known
    ]


def _different(tables: Sequence[Table]) -> list[Fault]:
    """Files whose columns are not those of the first."""
    first = tables[0]
    faults = []
    for table in tables[1:]:
        missing = [name for name in first.dtypes if name not in table.dtypes]
        extra = [name for name in table.dtypes if name not in first.dtypes]
        if missing or extra:
            found = [f"no {_quoted(missing)}"] * bool(missing) + [_quoted(extra)] * bool(extra)
            text = (
                f"found {' but '.join(found)}, allowed the columns of {first.path}: "
                f"{_quoted(list(first.dtypes))}; read it in an entry of its own, or drop columns"
            )
            faults.append(Fault(str(table.path), text))
    return faults


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(f"'{name}'" for name in names[:20]) + more


def _textual(table: Table, selection: Selection) -> list[Fault]:
    """Text columns that nobody has decided about."""
    text = "found text, allowed numbers; list it under the option 'drop' or 'categories'"
    return [
        Fault(f"column '{name}'", text)
        for name, dtype in table.dtypes.items()
        if dtype == TEXT and name not in selection.categories
    ]


def _renamed_twice(table: Table, selection: Selection) -> list[Fault]:
    names = [selection.rename.get(name, name) for name in table.dtypes]
    twice = sorted({name for name in names if names.count(name) > 1})
    text = "found twice after renaming, allowed once; correct it"
    return [Fault(f"option 'columns', name '{name}'", text) for name in twice]


def common_dtype(
    tables: Sequence[Table], name: str, selection: Selection
) -> tuple[np.dtype[Any], list[Fault]]:
    """
    Find the dtype that holds a column of all files; files without rows have no say.

    Parameters
    ----------
    tables : sequence of Table
        The files, at least one with rows.
    name : str
        The column's name in the files.
    selection : Selection
        The common options; coded text becomes int8 or int16.

    Returns
    -------
    tuple of (dtype, list of Fault)
    """
    if name in selection.categories:
        codes = selection.categories[name].values()
        return np.dtype(np.int8 if all(-128 <= code < 128 for code in codes) else np.int16), []
    filled = [table for table in tables if table.n_rows]
    first, dtype = filled[0], filled[0].dtypes[name]
    faults = []
    for table in filled[1:]:
        other = table.dtypes[name]
        if TEXT in (other, dtype) or (other.kind == "b") != (dtype.kind == "b"):
            text = (
                f"found {_said(other)}, allowed {_said(dtype)} as in {first.path}; make them agree"
            )
            faults.append(Fault(f"{table.path} column '{name}'", text))
        else:
            dtype = np.promote_types(dtype, other)
    return dtype, faults


def _said(dtype: np.dtype[Any]) -> str:
    return {"O": "text", "b": "true/false"}.get(dtype.kind, "numbers")
