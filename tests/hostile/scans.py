"""Bundles whose scan is wrong: its zip, its metadata or its chunks."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile.editing import (
    Case,
    Raw,
    attach,
    edit_column_layout,
    edit_manifest,
    edit_scan,
    join,
    raw_members,
    zip_bytes,
)

__all__ = ["LAYOUTS", "ZIPS"]

CHUNK = b"m/c/0"
QUERIES = "queries.zarr.zip"


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _change(name: bytes, **fields: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        def change(members: list[Raw]) -> None:
            member = next(member for member in members if member.name == name)
            for field, value in fields.items():
                setattr(member, field, value)

        edit_scan(path, change)

    return make


def _add(*extra: Raw) -> Callable[[Path], None]:
    return lambda path: edit_scan(path, lambda members: members.extend(extra))


def _bomb(path: Path) -> None:
    def change(members: list[Raw]) -> None:
        member = next(member for member in members if member.name == CHUNK)
        size = 100 * 2**20
        member.data, member.method, member.size = _deflated(bytes(size)), 8, size

    edit_scan(path, change)


def _twice(path: Path) -> None:
    members = raw_members(path)
    join(path, [*members, next(member for member in members if member.name == CHUNK)])


def _overlapping(path: Path) -> None:
    """Two members share their bytes, as in the bombs that need no compression."""
    members = raw_members(path)
    members[1].offset = 0
    members[1].local_name = members[0].name
    join(path, members)


def _zip64(size: int) -> Callable[[Path], None]:
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    return _change(CHUNK, size=0xFFFFFFFF, extra=extra)


def _beyond(path: Path) -> None:
    members = raw_members(path)
    members[-1].offset = 2**31
    join(path, members)


def _second_table(path: Path) -> None:
    """The table of a campaign's queries, a copy of the scan with a program in its zip."""
    data = zip_bytes([*raw_members(path), Raw(b"setup.py", b"import os")])
    attach(path, QUERIES, data)

    def add(document: dict[str, Any]) -> None:
        document["files"][QUERIES] |= {"role": "scan", "media_type": "application/zip"}
        scan = document["tables"][0]
        kept = {key: value for key, value in scan.items() if key not in ("sampling", "split")}
        document["tables"].append(kept | {"name": "queries", "file": QUERIES})

    edit_manifest(path, add)


def _zip(name: str, wrong: str, make: Callable[[Path], object], message: str) -> Case:
    return Case(f"zip-{name}", wrong, make, "IntegrityError", message)


ZIPS = (
    _zip("traversal", "a member ../x", _add(Raw(b"../x", b"x")), "bad name"),
    _zip("absolute", "a member /etc/x", _add(Raw(b"/etc/x", b"x")), "bad name"),
    _zip("backslash", "a member ..\\x", _add(Raw(b"..\\x", b"x")), "bad name"),
    _zip("drive", "a member C:x", _add(Raw(b"C:x", b"x")), "bad name"),
    _zip("control", "a member that clears a terminal", _add(Raw(b"x\x1b[2J", b"x")), "no control characters"),
    _zip("link", "a member that is a symbolic link", _add(Raw(b"x", b"/etc/passwd", mode=0o120777)), "a link or a device"),
    _zip("device", "a member that is a device", _add(Raw(b"x", b"", mode=0o060644)), "a link or a device"),
    _zip("twice", "one name, two members", _twice, "found twice"),
    _zip("extra-member", "a program beside the columns", _add(Raw(b"setup.py", b"import os")), "belongs to no column"),
    _zip("queries-member", "a program in the table of queries", _second_table, "queries.*belongs to no column"),
    _zip("bomb", "a compressed member of 100 MB", _bomb, "compressed, allowed stored"),
    _zip("encrypted", "an encrypted member", _change(CHUNK, flags=1), "encrypted, allowed plain"),
    _zip("overlap", "two members share their bytes", _overlapping, "differ|overlaps"),
    _zip("two-faces", "header and directory name different files", _change(CHUNK, local_name=b"m/c/1"), "its header and the directory differ"),
    _zip("zip64-size", "9 exabytes by a zip64 field", _zip64(2**63), "outside the data"),
    _zip("size", "a member larger than the file", _change(CHUNK, size=2**31), "outside the data"),
    _zip("offset", "a member beyond the file", _beyond, "outside the data"),
    _zip("count", "more members declared than there are", lambda path: edit_scan(path, lambda members: None, count=9999), "9999 declared"),
    _zip("missing-chunk", "a chunk left out, which would read as zeros", lambda path: edit_scan(path, lambda members: members.remove(next(m for m in members if m.name == CHUNK))), "is missing"),
    _zip("empty-chunk", "rows of a chunk without bytes", _change(CHUNK, data=b""), "for 3200 decoded ones"),
)  # fmt: skip


def _layout(**fields: Any) -> Callable[[Path], None]:
    return lambda path: edit_column_layout(path, lambda document: document.update(fields))


def _grid(rows: int) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": [rows]}}


def _rows(count: int) -> Callable[[Path], None]:
    """Declare more rows, in the scan and the manifest."""

    def make(path: Path) -> None:
        _layout(shape=[count])(path)
        edit_manifest(path, lambda document: document["tables"][0].update(rows=10**12))

    return make


def _one_wide_chunk(path: Path) -> None:
    """16 million rows, 128 MB decoded, from a chunk of a few bytes."""

    def change(members: list[Raw]) -> None:
        for member in members:
            if member.name.endswith(b"zarr.json"):
                document = json.loads(member.data)
                inner = document.get("consolidated_metadata", {}).get("metadata", {})
                for layout in inner.values() or [document]:
                    layout |= {"shape": [2**24], "chunk_grid": _grid(2**24)}
                member.data = json.dumps(document).encode()
            else:
                member.data = member.data[:16]

    edit_scan(path, change)
    edit_manifest(path, lambda document: document["tables"][0].update(rows=2**24))


def _root(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        def edit(members: list[Raw]) -> None:
            member = next(member for member in members if member.name == b"zarr.json")
            member.data = change(member.data)

        edit_scan(path, edit)

    return make


def _two_metadata(path: Path) -> None:
    def edit(members: list[Raw]) -> None:
        member = next(member for member in members if member.name == b"m/zarr.json")
        member.data = json.dumps(json.loads(member.data) | {"fill_value": 1.0}).encode()

    edit_scan(path, edit)


def _renamed(path: Path) -> None:
    """Name a column by a path; the manifest does not know it."""

    def edit(members: list[Raw]) -> None:
        for member in members:
            member.name = (
                member.name.replace(b"m/", b"n/", 1) if member.name[:2] == b"m/" else member.name
            )
            if member.name == b"zarr.json":
                member.data = member.data.replace(b'"m":', b'"n":')

    edit_scan(path, edit)


def _case(name: str, wrong: str, make: Callable[[Path], object], message: str) -> Case:
    return Case(f"scan-{name}", wrong, make, "IntegrityError", message)


_PICKLE = [{"name": "bytes"}, {"name": "numcodecs.pickles"}]
_PATH = [{"name": "os.system", "configuration": {"id": "posix:system"}}]

LAYOUTS = (
    _case("rows", "10^15 rows of a few bytes", _rows(10**15), "is missing"),
    _case("wide-chunk", "128 MB from a chunk of 16 bytes", _one_wide_chunk, "allowed a share of"),
    _case("huge-chunk", "one chunk of 10^15 rows", _layout(shape=[10**15], chunk_grid=_grid(10**15)), "chunk shape"),
    _case("zero-chunk", "chunks of no rows", _layout(chunk_grid=_grid(0)), "chunk shape"),
    _case("negative", "a negative number of rows", _layout(shape=[-1]), "shape"),
    _case("matrix", "10^9 by 10^9 values", _layout(shape=[10**9, 10**9]), "shape"),
    _case("codec-unknown", "a codec that unpickles", _layout(codecs=_PICKLE), "codecs"),
    _case("codec-path", "a codec named as a function", _layout(codecs=_PATH), "codecs"),
    _case("dtype-object", "objects, which are unpickled", _layout(data_type="object"), "dtype 'object'"),
    _case("dtype-void", "raw bits of any width", _layout(data_type="r99999999"), "dtype 'r99999999'"),
    _case("transformers", "storage transformers", _layout(storage_transformers=[{"name": "evil"}]), "storage transformers"),
    _case("keys", "chunk keys of another form", _layout(chunk_key_encoding={"name": "v2"}), "chunk grid or keys"),
    _case("other-dtype", "another type than the manifest says", _layout(data_type="int64"), "the manifest says float64"),
    _case("undeclared-column", "a column that the manifest does not know", _renamed, "not declared in the manifest"),
    _case("two-metadata", "a column's own metadata differ from the root's", _two_metadata, "differs from that of the root"),
    _case("json-duplicate", "a name twice in the metadata", _root(lambda data: data.replace(b"{", b'{"node_type": "group",', 1)), "twice in one object"),
    _case("json-nan", "NaN in the metadata", _root(lambda data: data.replace(b"{", b'{"x": NaN,', 1)), "found NaN"),
    _case("json-depth", "metadata nested 100,000 deep", _root(lambda data: b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested deeper"),
    _case("json-size", "metadata of 17 MB", _root(lambda data: b" " * (17 * 2**20) + data), "zarr.json of"),
)  # fmt: skip
