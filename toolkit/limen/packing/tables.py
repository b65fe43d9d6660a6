"""Small tables from memory beside the scan: the queries of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.scan import ScanColumn, write_scan

__all__ = ["QUERIES", "write_table"]

QUERIES = "queries.zarr.zip"

Array = np.ndarray[Any, Any]


def write_table(
    path: Path, name: str, columns: Sequence[Mapping[str, Any]], values: Mapping[str, Array]
) -> dict[str, Any]:
    """
    Write a table and give its entry for the manifest.

    A float column with NaN gets a mask; identical masks are stored once.

    Parameters
    ----------
    path : Path
        A new file.
    name : str
        Name of the table.
    columns : sequence of mapping
        Entries of the columns, without ``dtype``, ``range`` and ``valid``.
    values : mapping of str to ndarray, shape (n,)

    Returns
    -------
    dict
        Entry of ``tables``; the parameters of all rows are valid.

    Raises
    ------
    UsageError, DataError, StorageError
        As :func:`limen.scan.write_scan`.
    """
    arrays = {entry["name"]: np.asarray(values[entry["name"]]) for entry in columns}
    n = len(next(iter(arrays.values())))
    entries = [dict(entry) | {"dtype": arrays[entry["name"]].dtype.name} for entry in columns]
    masks: dict[bytes, str] = {}
    for entry in list(entries):
        known = _known(arrays[entry["name"]])
        if not known.all():
            own = f"valid_{entry['name']}"
            mask = masks.setdefault(known.tobytes(), own)
            if mask == own:
                arrays[own] = known
                label = f"whether {entry['name']} is there"
                described = {"name": own, "role": "mask", "unit": "1", "label": label}
                entries.append(described | {"dtype": "bool"})
            entry["valid"] = mask
        finite = arrays[entry["name"]][known & _finite(arrays[entry["name"]])]
        if finite.size and entry["role"] not in ("mask", "id"):
            entry["range"] = [float(finite.min()), float(finite.max())]
    write_scan(path, [_column(entry, arrays[entry["name"]]) for entry in entries], n)
    return {
        "name": name,
        "file": path.name,
        "dimension": "point",
        "rows": n,
        "valid_rows": n,
        "columns": entries,
    }


def _known(values: Array) -> Array:
    return ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)


def _finite(values: Array) -> Array:
    return np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)


def _column(entry: Mapping[str, Any], values: Array) -> ScanColumn:
    attrs = {"units": entry["unit"], "long_name": entry.get("label", entry["name"])}
    return ScanColumn(
        entry["name"],
        entry["dtype"],
        lambda start, stop: values[start:stop],
        attrs | {"role": entry["role"]},
    )
