"""Tables on their way to the browser: a JSON head, then arrays in the smallest types."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from limen.browsing import Axis, Browser, Chart, compact
from limen_app.component.requests import Asked

__all__ = ["answer"]

_TYPES = {"|u1": "u1", "<u2": "u2", "<u4": "u4", "<f4": "f4", "<f8": "f8"}


def answer(browser: Browser, asked: Asked, tick: Callable[[float], None] | None = None) -> bytes:
    """
    Count what is asked for, and pack it.

    Parameters
    ----------
    browser : Browser
    asked : Asked
    tick : callable, optional
        Told the share of rows that is done; may raise to stop the work.

    Returns
    -------
    bytes
        Length of the head (4 bytes, little endian), the head in JSON, zeros up to a multiple of 8,
        the arrays. The head names for each array its type, shape and offset behind the head.

    Raises
    ------
    LimenError
        If a column or an axis cannot be.
    """
    rows = len(browser.sample_rows()) if asked.sampled else browser.n_points
    head: dict[str, Any] = {"rows": rows, "sampled": asked.sampled}
    pieces: list[bytes] = []
    if asked.active:
        *tables, total = browser.cubes(
            asked.charts, asked.active, asked.filters, sampled=asked.sampled, tick=tick
        )
        factors = browser.active_factors(asked.active)
        head["active"] = [
            {"factor": factor, **_edges(browser, axis)}
            for axis, factor in zip(asked.active, factors, strict=True)
        ]
        head["total"] = _packed(total, pieces)
    else:
        tables = browser.view(asked.charts, asked.filters, sampled=asked.sampled, tick=tick)
        head["selected"] = browser.count(asked.filters, sampled=asked.sampled)
    head["charts"] = [
        _chart(browser, chart, len(asked.active)) | {"arrays": _packed(each, pieces)}
        for chart, each in zip(asked.charts, tables, strict=True)
    ]
    text = json.dumps(head, allow_nan=False).encode("ascii")
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + b"".join(pieces)


def _packed(tables: dict[str, Any], pieces: list[bytes]) -> dict[str, Any]:
    found = {}
    offset = sum(map(len, pieces))
    for name, table in tables.items():
        values = compact(np.asarray(table))
        content = values.tobytes()
        found[name] = {
            "type": _TYPES[values.dtype.str],
            "shape": list(values.shape),
            "offset": offset,
        }
        pieces.append(content + b"\0" * (-len(content) % 8))
        offset += len(pieces[-1])
    return found


def _chart(browser: Browser, chart: Chart, dragged: int) -> dict[str, Any]:
    axes = []
    for axis in chart.axes:
        fine, factor = browser.fine(axis)
        if chart.y is not None:
            factor = browser.map_factor(axis, dragged)
        edges = [*fine.edges[:-1:factor], fine.edges[-1]]
        axes.append({"scale": fine.scale, "edges": edges})
        if not dragged:
            axes[-1]["fine"] = list(fine.edges)
    return {"axes": axes}


def _edges(browser: Browser, axis: Axis) -> dict[str, Any]:
    fine, _ = browser.fine(axis)
    return {"scale": fine.scale, "edges": list(fine.edges)}
