"""The first look at a scan: some of its valid rows, spread evenly over all of it, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import UsageError

__all__ = ["PREVIEW_ROWS", "Rows", "preview_csv"]

PREVIEW_ROWS = 10_000
_BLOCK = 65_536


class Rows(Protocol):
    """What is read of a scan: its length, and named columns between two rows."""

    @property
    def n_points(self) -> int:
        """Number of rows."""

    def read(self, names: Sequence[str], start: int, stop: int) -> Mapping[str, NDArray[Any]]:
        """Columns ``names`` of the rows from ``start`` to before ``stop``."""


def preview_csv(
    scan: Rows,
    columns: Iterable[str | Mapping[str, Any]],
    valid: Iterable[str] = (),
    *,
    limit: int = PREVIEW_ROWS,
) -> bytes:
    """
    At most ``limit`` valid rows, evenly spread over the scan.

    Numbers are written as the shortest text that gives the same number back; NaN and masked
    values as empty fields; bool as true and false. Two passes in blocks, one if nothing masks.

    Parameters
    ----------
    scan : Rows
    columns : iterable of str or mapping
        Names, or columns of the manifest. Of a mapping, ``valid`` names the mask of the column,
        and the mask of a parameter decides which rows are valid.
    valid : iterable of str
        Further mask columns; a row is valid where all are true.
    limit : int
        Largest number of rows.

    Returns
    -------
    bytes
        UTF-8, a header line, lines ended by a line feed.

    Raises
    ------
    UsageError
        If ``limit`` is below one or there is no column.
    """
    masks, names, required = {}, [], list(valid)
    for column in columns:
        fields = {"name": column} if isinstance(column, str) else column
        names.append(str(fields["name"]))
        if mask := fields.get("valid"):
            masks[names[-1]] = str(mask)
            if fields.get("role") == "parameter":
                required.append(str(mask))
    if limit < 1 or not names:
        raise UsageError(
            f"preview: found limit {limit} and {len(names)} columns, allowed at least one of each; "
            "name the columns"
        )
    wanted = list(dict.fromkeys([*names, *masks.values()]))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for block in _chosen(scan, wanted, list(dict.fromkeys(required)), limit):
        fields_of = [_texts(block[name], block.get(masks.get(name, ""))) for name in names]
        writer.writerows(zip(*fields_of, strict=True))
    return text.getvalue().encode()


def _blocks(n_points: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + _BLOCK, n_points)) for start in range(0, n_points, _BLOCK))


def _passing(block: Mapping[str, NDArray[Any]], required: Sequence[str]) -> NDArray[np.bool_]:
    masks = np.stack([np.asarray(block[name], dtype=np.bool_) for name in required])
    return np.asarray(masks.all(axis=0), dtype=np.bool_)


def _chosen(
    scan: Rows, names: Sequence[str], required: Sequence[str], limit: int
) -> Iterator[dict[str, NDArray[Any]]]:
    n_points = scan.n_points
    n_valid = n_points
    if required:
        n_valid = sum(
            int(_passing(scan.read(required, start, stop), required).sum())
            for start, stop in _blocks(n_points)
        )
    n_rows = min(limit, n_valid)
    # Ranks among the valid rows; integers, so that the choice is the same everywhere.
    ranks = np.arange(n_rows, dtype=np.int64) * n_valid // max(n_rows, 1)
    seen = 0
    for start, stop in _blocks(n_points):
        rows = np.arange(stop - start)
        if required:
            rows = np.flatnonzero(_passing(scan.read(required, start, stop), required))
        low, high = np.searchsorted(ranks, [seen, seen + rows.size])
        picked = rows[ranks[low:high] - seen]
        seen += rows.size
        if picked.size:
            block = scan.read(names, start, stop)
            yield {name: np.asarray(block[name])[picked] for name in names}


def _texts(values: NDArray[Any], mask: NDArray[Any] | None) -> list[str]:
    if values.dtype.kind == "b":
        texts = ["true" if value else "false" for value in values.tolist()]
    elif values.dtype.kind == "f":
        # str of a numpy scalar is the shortest round trip of its own width; nan != nan.
        texts = [str(value) if value == value else "" for value in values]
    else:
        texts = [str(value) for value in values.tolist()]
    if mask is None:
        return texts
    return [text if shown else "" for text, shown in zip(texts, mask.tolist(), strict=True)]
