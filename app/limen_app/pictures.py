"""Small pictures of cells, as PNG."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["png"]


def png(colours: NDArray[np.uint8]) -> bytes:
    """
    Write a picture.

    Parameters
    ----------
    colours : ndarray of uint8, shape (rows, columns, 4)
        Red, green, blue and opacity; the first row is the top.

    Returns
    -------
    bytes
        A PNG file.

    Examples
    --------
    >>> png(np.zeros((1, 1, 4), dtype=np.uint8))[1:4]
    b'PNG'
    """
    rows, columns, _ = colours.shape
    lines: Any = np.zeros((rows, 1 + 4 * columns), dtype=np.uint8)
    lines[:, 1:] = colours.reshape(rows, -1)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    parts = [_chunk(b"IHDR", head), _chunk(b"IDAT", body), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
