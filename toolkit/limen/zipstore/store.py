"""A stored zip as a Zarr store, read by exactly the ranges asked for."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from limen.errors import IntegrityError
from limen.zipstore.directory import Member, PlannedRead, Read, exactly, read_directory

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest, Store
    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["open_store", "range_store"]


def open_store(read: Read, size: int, *, where: str = "zip") -> Store:
    """
    Open a stored zip as a read-only Zarr store.

    Parameters
    ----------
    read : callable
        ``read(offset, length) -> bytes``.
    size : int
        Size of the file [byte].
    where : str
        Name of the file in messages.

    Returns
    -------
    zarr.abc.store.Store
        For ``zarr.open_group`` or ``xarray.open_zarr``.

    Raises
    ------
    IntegrityError
        As `read_directory`.
    """
    return range_store(read, read_directory(read, size, where=where), where=where)


def range_store(read: Read, members: Mapping[str, Member], *, where: str = "zip") -> Store:
    """
    Make a read-only Zarr store over members already found by `read_directory`.

    A member read whole is checked against its CRC-32; a part of one cannot be. Where ``read`` is a
    `PlannedRead`, a member that fails is read once more.
    """
    store: Store = _store_class()(read, members, where)
    return store


@cache
def _store_class() -> Callable[[Read, Mapping[str, Member], str], Store]:
    """Define the store on first use: importing zarr costs more than all the rest of this module."""
    import asyncio

    from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

    def span(request: ByteRequest | None, size: int) -> tuple[int, int]:
        start, stop = 0, size
        if isinstance(request, RangeByteRequest):
            start, stop = request.start, request.end
        elif isinstance(request, OffsetByteRequest):
            start = request.offset
        elif isinstance(request, SuffixByteRequest):
            start = size - request.suffix
        start = min(max(start, 0), size)
        return start, max(start, min(stop, size))

    def unchanged(data: bytes, member: Member) -> bool:
        return len(data) != member.size or zlib.crc32(data) == member.crc

    class RangeStore(Store):
        """Members of a stored zip, each read by exactly the range asked for."""

        supports_writes = False
        supports_deletes = False
        supports_listing = True

        def __init__(self, read: Read, members: Mapping[str, Member], where: str) -> None:
            super().__init__(read_only=True)
            self._read, self._members, self._where = read, members, where

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = object.__hash__

        def __repr__(self) -> str:
            return f"RangeStore({self._where!r})"

        def _get(self, key: str, request: ByteRequest | None) -> bytes:
            member = self._members[key]
            start, stop = span(request, member.size)
            data = exactly(self._read, member.offset + start, stop - start, self._where)
            if not unchanged(data, member) and isinstance(self._read, PlannedRead):
                self._read.forget(member.offset, member.size)
                data = exactly(self._read, member.offset, member.size, self._where)
            if not unchanged(data, member):
                raise IntegrityError(f"{self._where} {key}: bytes changed (CRC-32); get it again")
            return data

        async def get(
            self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
        ) -> Buffer | None:
            if key not in self._members:
                return None
            return prototype.buffer.from_bytes(await asyncio.to_thread(self._get, key, byte_range))

        async def get_partial_values(
            self,
            prototype: BufferPrototype,
            key_ranges: Iterable[tuple[str, ByteRequest | None]],
        ) -> list[Buffer | None]:
            requests = (self.get(key, prototype, request) for key, request in key_ranges)
            return list(await asyncio.gather(*requests))

        async def exists(self, key: str) -> bool:
            return key in self._members

        async def set(self, key: str, value: Buffer) -> None:
            self._check_writable()

        async def delete(self, key: str) -> None:
            self._check_writable()

        async def list(self) -> AsyncIterator[str]:
            for key in self._members:
                yield key

        async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
            for key in self._members:
                if key.startswith(prefix):
                    yield key

        async def list_dir(self, prefix: str) -> AsyncIterator[str]:
            folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
            inside = (key[len(folder) :] for key in self._members if key.startswith(folder))
            for name in dict.fromkeys(key.split("/")[0] for key in inside):
                yield name

    return RangeStore
