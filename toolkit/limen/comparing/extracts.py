"""A bundle's scan in other formats."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from limen import journal
from limen.bundle import Bundle, open_bundle
from limen.comparing.parquet import write_parquet
from limen.errors import StorageError, UsageError

__all__ = ["FORMATS", "cell_texts", "export", "write_csv"]


def export(bundle: Bundle | str | Path, to: str, path: str | Path) -> Path:
    """
    Write the scan of a bundle in another format.

    Parameters
    ----------
    bundle : Bundle, str or Path
    to : {"csv", "parquet", "croissant"}
        ``croissant`` copies the bundle's own JSON-LD description.
    path : str or Path
        A new file.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the format is unknown.
    StorageError
        If the file exists or cannot be written; nothing half-written is left.
    """
    if to not in FORMATS:
        raise UsageError(f"--to: found {to!r}, allowed {', '.join(sorted(FORMATS))}")
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    target = Path(path)
    if target.exists():
        raise StorageError(f"{target}: there is a file here already; choose another name")
    with journal.new_file(target) as working:
        FORMATS[to](opened, working)
    return target


def _table(bundle: Bundle) -> Iterator[dict[str, Any]]:
    """Give blocks in which what is masked is NaN (or, for whole numbers, a masked array)."""
    with bundle.open_scan() as scan:
        for block in scan.blocks(list(bundle.columns)):
            for name, column in bundle.columns.items():
                if column.valid is not None:
                    block[name] = np.ma.array(block[name], mask=~block[column.valid])
            yield block


def _csv(bundle: Bundle, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_csv(bundle, stream)


def write_csv(bundle: Bundle, stream: TextIO) -> None:
    """
    Write the scan of a bundle as CSV with units in the header; what is masked is empty.

    Parameters
    ----------
    bundle : Bundle
    stream : text stream
    """
    writer = csv.writer(stream, lineterminator="\n")
    # The reader understands units in the header.
    writer.writerow(
        name if column.unit == "1" else f"{name} [{column.unit}]"
        for name, column in bundle.columns.items()
    )
    for block in _table(bundle):
        writer.writerows(zip(*(cell_texts(values) for values in block.values()), strict=True))


def cell_texts(values: Any) -> list[str]:
    """Give cells as text: true and false, all digits, nothing where nothing is valid."""
    gone = np.ma.getmaskarray(values)
    plain = np.ma.getdata(values)
    if plain.dtype.kind == "f":
        gone = gone | np.isnan(plain)
    if plain.dtype.kind == "b":
        texts = ["true" if value else "false" for value in plain.tolist()]
    else:
        # Python's floats: single precision is written with the digits that are stored.
        texts = [str(value) for value in plain.tolist()]
    return ["" if empty else text for text, empty in zip(texts, gone.tolist(), strict=True)]


def _parquet(bundle: Bundle, path: Path) -> None:
    units = {name: column.unit for name, column in bundle.columns.items()}
    write_parquet(path, _table(bundle), units)


def _croissant(bundle: Bundle, path: Path) -> None:
    path.write_bytes(bundle.verified("croissant.json").read_bytes())


FORMATS: dict[str, Callable[[Bundle, Path], None]] = {
    "croissant": _croissant,
    "csv": _csv,
    "parquet": _parquet,
}
