"""What a visitor takes away: rows as CSV or Parquet, a sub-bundle with its parent."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from limen.browsing import Browser, Filter, predicate
from limen.browsing.filters import check_length
from limen.comparing import select
from limen.comparing.extracts import cell_texts
from limen.comparing.parquet import write_parquet
from limen.errors import UsageError

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["MOST_BYTES", "as_bundle", "as_csv", "as_parquet", "guarded", "sizes"]

# What one download may take of the server's memory.
MOST_BYTES = 300_000_000
_CSV_CELL = 19
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """
    Write a text so that no spreadsheet takes it for a formula.

    >>> guarded("=1+1"), guarded("M1 [GeV]")
    ("'=1+1", 'M1 [GeV]')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def sizes(bundle: Bundle, browser: Browser, rows: int) -> dict[str, int]:
    """
    Estimate the sizes of the downloads.

    Parameters
    ----------
    bundle : Bundle
    browser : Browser
    rows : int
        Selected.

    Returns
    -------
    dict of str to int
        Bytes, by ``csv``, ``parquet``, ``bundle``.
    """
    width = sum(browser.index.dtype(name).itemsize for name in bundle.columns)
    floats = sum(browser.index.dtype(name).itemsize > 2 for name in bundle.columns)
    cells = floats * _CSV_CELL + 2 * (len(bundle.columns) - floats)
    scan = bundle.manifest["files"].get(bundle.table["file"], {}).get("bytes", rows * width)
    share = rows / max(1, bundle.n_points)
    return {"csv": rows * cells, "parquet": int(scan * share), "bundle": int(scan * share)}


def as_csv(bundle: Bundle, browser: Browser, filters: Mapping[str, Filter]) -> bytes:
    """Give the selected rows as CSV, units in the header; what is not valid is empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        guarded(name if column.unit == "1" else f"{name} [{column.unit}]")
        for name, column in bundle.columns.items()
    )
    for block in browser.selected_blocks(list(bundle.columns), filters):
        writer.writerows(zip(*map(cell_texts, block.values()), strict=True))
        _refuse_more(stream.tell())
    return stream.getvalue().encode("utf-8")


def as_parquet(bundle: Bundle, browser: Browser, filters: Mapping[str, Filter]) -> bytes:
    """Give the selected rows as Parquet, units in the fields; what is not valid is null."""
    units = {name: column.unit for name, column in bundle.columns.items()}
    with tempfile.TemporaryDirectory(prefix="limen-export-") as folder:
        path = Path(folder) / "selection.parquet"
        write_parquet(path, browser.selected_blocks(list(bundle.columns), filters), units)
        _refuse_more(path.stat().st_size)
        return path.read_bytes()


def as_bundle(bundle: Bundle, filters: Mapping[str, Filter]) -> bytes:
    """
    Give the selected rows as a zip file of a bundle whose parent is the whole.

    Raises
    ------
    UsageError
        If the filters are too long as a condition, or there is none.
    """
    where = check_length(predicate(filters, bundle.columns))
    if not where:
        raise UsageError("sub-bundle: there is no filter; take the bundle itself")
    stream = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="limen-export-") as folder:
        made = select(bundle, where, Path(folder) / f"{bundle.manifest['id'][:54]}-selection")
        with zipfile.ZipFile(stream, "w") as archive:
            for path in sorted(made.path.iterdir()):
                archive.write(path, f"{made.path.name}/{path.name}")
                _refuse_more(stream.tell())
    return stream.getvalue()


def _refuse_more(size: int) -> None:
    if size > MOST_BYTES:
        raise UsageError(
            f"download: more than {MOST_BYTES // 1_000_000} MB; narrow the selection, or run limen "
            "select on your machine"
        )
