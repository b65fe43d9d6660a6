"""Parquet files, streamed by row groups (needs pyarrow)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import Fault, ReadError
from limen.readers.options import Selection
from limen.readers.tables import TEXT, Array, Block, Table, cast, library, storable

__all__ = ["open_parquet"]

# A buffer without pre-buffering streams a row group; pyarrow's default reads it whole.
_BUFFER = 1 << 20


def open_parquet(path: Path, options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open a Parquet file.

    Nulls of float columns are NaN. Integer columns with nulls become float64 if every value is
    exact there; bool columns with nulls become 1.0, 0.0 and NaN.

    Parameters
    ----------
    path : Path
        The file.
    options : mapping
        None beside the common ones.
    selection : Selection
        Columns to drop, and columns to read as text.

    Returns
    -------
    Table

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    ReadError
        If the file is not Parquet or is damaged, if a name stands twice, if a column is of a type
        that has no place in a scan and is not dropped.
    """
    arrow = library("pyarrow", "io")
    file = _open(path)
    try:
        schema = file.schema_arrow
        names = tuple(schema.names)
        _refuse_duplicates(path, names)
        used = [name for name in names if name not in selection.drop]
        dtypes, faults = {}, []
        for name in used:
            dtype = _dtype(arrow, schema.field(name).type)
            if dtype is None:
                text = (
                    f"found values of type {schema.field(name).type}, allowed numbers, true/false "
                    "or text; list it under the option 'drop'"
                )
                faults.append(Fault(f"column '{name}'", text))
                continue
            if name in selection.categories:
                dtype = TEXT
            if dtype.kind in "iub" and _has_nulls(file, name):
                dtype = np.dtype(np.float64)
            dtypes[name] = dtype
        if faults:
            raise ReadError.from_faults(str(path), faults)
        n_rows = file.metadata.num_rows
        units, labels = _facts(schema)
    finally:
        file.close()

    def stream(rows: int) -> Iterator[Block]:
        return _stream(path, dtypes, rows)

    return Table(path, names, dtypes, n_rows, stream, units, labels)


def _open(path: Path) -> Any:
    arrow, parquet = library("pyarrow", "io"), library("pyarrow.parquet", "io")
    try:
        return parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ReadError:
    reason = str(error).strip().partition("\n")[0]
    return ReadError(f"{path}: cannot be read as Parquet ({reason}); fetch or write it again")


def _refuse_duplicates(path: Path, names: tuple[str, ...]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        faults = [(f"column '{name}'", "found twice, allowed once; rename one") for name in twice]
        raise ReadError.from_faults(str(path), faults)


def _dtype(arrow: Any, kind: Any) -> np.dtype[Any] | None:
    """Give the dtype of a column type, None where there is none."""
    types = arrow.types
    if types.is_dictionary(kind):
        return _dtype(arrow, kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return TEXT
    if types.is_null(kind):
        return np.dtype(np.float64)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return storable(np.dtype(kind.to_pandas_dtype()))
    return None


def _has_nulls(file: Any, name: str) -> bool:
    """Look for nulls, in the statistics where the writer left them."""
    index = file.schema_arrow.names.index(name)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    flat = file.metadata.num_columns == len(file.schema_arrow.names)
    found = [group.column(index).statistics for group in groups] if flat else [None]
    counts = [one.null_count if one is not None and one.has_null_count else None for one in found]
    if None not in counts:
        return any(counts)
    return any(batch.column(0).null_count for batch in file.iter_batches(columns=[name]))


def _facts(schema: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Find units and descriptions in the metadata of the fields."""
    units, labels = {}, {}
    for field in schema:
        for key, value in (field.metadata or {}).items():
            text = value.decode("utf-8", "replace")
            if key in (b"unit", b"units"):
                units[field.name] = text
            elif key in (b"label", b"long_name", b"description"):
                labels[field.name] = text
    return units, labels


def _stream(path: Path, dtypes: Mapping[str, np.dtype[Any]], rows: int) -> Iterator[Block]:
    arrow = library("pyarrow", "io")
    file = _open(path)
    try:
        for batch in file.iter_batches(batch_size=rows, columns=list(dtypes)):
            yield {
                name: _values(arrow, batch.column(name), dtype, f"{path} column '{name}'")
                for name, dtype in dtypes.items()
            }
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    finally:
        file.close()


def _values(arrow: Any, column: Any, dtype: np.dtype[Any], where: str) -> Array:
    """Convert one column of a batch, nulls and all."""
    if arrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if dtype == TEXT:
        texts = ["" if value is None else value for value in column.to_pylist()]
        return np.array([t if isinstance(t, str) else json.dumps(t) for t in texts], dtype=object)
    if arrow.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if not column.null_count or arrow.types.is_floating(column.type):
        return cast(column.to_numpy(zero_copy_only=False), dtype, where)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    nothing = False if arrow.types.is_boolean(column.type) else 0
    filled = column.fill_null(nothing).to_numpy(zero_copy_only=False)
    values = cast(filled, dtype, where).copy()
    values[missing] = np.nan
    return values
