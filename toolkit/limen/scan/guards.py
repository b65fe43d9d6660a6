"""Codecs that look at the size a chunk declares before they take memory for it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zarr import Array

__all__ = ["blosc_size", "guarded", "zstd_size"]

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def blosc_size(head: bytes) -> int:
    """
    Read the decoded size [byte] from the first bytes of a blosc buffer.

    Raises
    ------
    ValueError
        If they are too few.
    """
    if len(head) < 16:
        raise ValueError("blosc header is cut off")
    return int(struct.unpack_from("<I", head, 4)[0])


def zstd_size(head: bytes) -> int:
    """
    Read the decoded size [byte] from the first bytes of a zstd frame.

    Raises
    ------
    ValueError
        If the frame states no size: nothing would bound what decoding it costs.

    Notes
    -----
    Source: RFC 8878, section 3.1.1.1.
    """
    if head[:4] != _ZSTD_MAGIC or len(head) < 5:
        raise ValueError("no zstd frame")
    single, flag = head[4] >> 5 & 1, head[4] >> 6
    at = 6 - single + (0, 1, 2, 4)[head[4] & 3]
    if flag == 0 and not single:
        raise ValueError("zstd frame states no size")
    size = int.from_bytes(head[at : at + 2**flag], "little")
    return size + 256 if flag == 1 else size


def guarded(array: Array[Any]) -> Array[Any]:
    """
    Give the array with codecs that refuse chunks declaring more than their rows need.

    A few kilobytes of zstd can declare gigabytes; only the layout says how much is due.
    """
    from zarr import Array, AsyncArray

    metadata: Any = array.metadata
    codecs = tuple(_guard(codec) for codec in metadata.codecs)
    return Array(AsyncArray(replace(metadata, codecs=codecs), array.store_path))


def _guard(codec: Any) -> Any:
    from zarr.codecs import ShardingCodec

    if isinstance(codec, ShardingCodec):
        return ShardingCodec(
            chunk_shape=codec.chunk_shape,
            codecs=tuple(_guard(inner) for inner in codec.codecs),
            index_codecs=codec.index_codecs,
            index_location=codec.index_location,
        )
    blosc, zstd = _classes()
    for kind in (blosc, zstd):
        if type(codec) is kind.__bases__[0]:
            return kind.from_dict(codec.to_dict())
    return codec


def _refuse_more(chunk_bytes: Any, chunk_spec: Any, size: Callable[[bytes], int]) -> None:
    due = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
    # A codec between (a checksum, a second compression) may add a little.
    allowed = due + due // 8 + 4096
    declared = size(chunk_bytes.as_numpy_array()[:18].tobytes())
    if declared > allowed:
        raise ValueError(f"chunk declares {declared} bytes, its rows need {due}")


@cache
def _classes() -> tuple[Any, Any]:
    """Define the codecs on first use: importing zarr is dear."""
    from zarr.codecs import BloscCodec, ZstdCodec

    class GuardedBlosc(BloscCodec):
        """Blosc whose declared size is compared first."""

        async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
            _refuse_more(chunk_bytes, chunk_spec, blosc_size)
            return await super()._decode_single(chunk_bytes, chunk_spec)

    class GuardedZstd(ZstdCodec):
        """Zstandard whose declared size is compared first."""

        async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
            _refuse_more(chunk_bytes, chunk_spec, zstd_size)
            return await super()._decode_single(chunk_bytes, chunk_spec)

    return GuardedBlosc, GuardedZstd
