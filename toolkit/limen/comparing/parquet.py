"""Write Parquet files (needs pyarrow)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import MissingExtraError

__all__ = ["write_parquet"]


def write_parquet(
    path: Path, blocks: Iterable[Mapping[str, Any]], units: Mapping[str, str] | None = None
) -> None:
    """
    Write blocks of columns as one Parquet file, a row group each.

    Parameters
    ----------
    path : Path
    blocks : iterable of mapping of str to ndarray, masked array or list, shape (n,)
        Masked values and None become nulls.
    units : mapping of str to str, optional
        Units, stored in each field's metadata as ``units``.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError.of("pyarrow", "io") from error
    writer = None
    try:
        for block in blocks:
            arrays = {name: _array(pyarrow, values) for name, values in block.items()}
            if writer is None:
                fields = [
                    pyarrow.field(name, array.type, metadata=_metadata(name, units or {}))
                    for name, array in arrays.items()
                ]
                # Dictionaries make random mantissas larger than they are.
                writer = pyarrow.parquet.ParquetWriter(
                    path, pyarrow.schema(fields), compression="zstd", use_dictionary=False
                )
            writer.write_table(pyarrow.table(list(arrays.values()), schema=writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _array(pyarrow: Any, values: Any) -> Any:
    if isinstance(values, np.ma.MaskedArray):
        return pyarrow.array(values.data, mask=np.ma.getmaskarray(values))
    return pyarrow.array(values)


def _metadata(name: str, units: Mapping[str, str]) -> dict[str, str] | None:
    return {"units": units[name]} if name in units else None
