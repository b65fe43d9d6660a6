"""How a valid bundle is turned into a hostile one whose hashes are right all the same."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Case",
    "Raw",
    "attach",
    "column",
    "edit_column_layout",
    "edit_manifest",
    "edit_model",
    "edit_probe",
    "edit_scan",
    "join",
    "raw_members",
    "sign",
    "zip_bytes",
]

SCAN, MODEL, PROBE = "scan.zarr.zip", "region.onnx", "region.probe.json"


@dataclass(frozen=True)
class Case:
    """One hostile bundle: what is wrong, how it is made, and how it must be refused."""

    name: str
    wrong: str
    make: Callable[[Path], object]
    error: str
    message: str


@dataclass
class Raw:
    """One member of a zip, each field of it free to lie."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    size: int | None = None
    extra: bytes = b""
    local_name: bytes | None = None
    offset: int | None = None


def sign(path: Path, *names: str) -> None:
    """Correct the manifest's hashes and sizes of changed files, as a hostile publisher would."""

    def correct(document: dict[str, Any]) -> None:
        for name in names:
            data = (path / name).read_bytes()
            entry = document["files"].setdefault(
                name, {"media_type": "text/plain", "role": "attachment"}
            )
            entry |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    edit_manifest(path, correct)


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest in place."""
    place = path / "bundle.json"
    document = json.loads(place.read_text(encoding="utf-8"))
    change(document)
    place.write_text(json.dumps(document, indent=1), encoding="utf-8")


def attach(path: Path, name: str, data: bytes | None = b"x") -> None:
    """List an attachment; without data, the manifest only says that there is one."""
    if data is not None:
        (path / name).write_bytes(data)
        sign(path, name)
        return
    entry = {"sha256": "0" * 64, "bytes": 1, "media_type": "text/plain", "role": "attachment"}
    edit_manifest(path, lambda document: document["files"].update({name: entry}))


def column(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Find a column's entry in a manifest."""
    return next(c for c in document["tables"][0]["columns"] if c["name"] == name)


def edit_probe(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the probe in place, its hash with it."""
    document = json.loads((path / PROBE).read_text(encoding="utf-8"))
    change(document)
    (path / PROBE).write_text(json.dumps(document), encoding="utf-8")
    sign(path, PROBE)


def edit_model(path: Path, change: Callable[[Any], object]) -> None:
    """Change the graph in place, its hash with it."""
    import onnx

    model = onnx.load_model(path / MODEL)
    change(model)
    (path / MODEL).write_bytes(model.SerializeToString())
    sign(path, MODEL)


def raw_members(path: Path) -> list[Raw]:
    """Take the scan's zip apart."""
    with zipfile.ZipFile(path / SCAN) as scan:
        return [Raw(name.encode(), scan.read(name)) for name in scan.namelist()]


def zip_bytes(members: Iterable[Raw], *, count: int | None = None) -> bytes:
    """Join members to a zip, lies included."""
    out, directory, number = b"", b"", 0
    for member in members:
        crc, stored = zlib.crc32(member.data), len(member.data)
        size = stored if member.size is None else member.size
        sizes = (crc, stored if member.method else size, size)
        offset = len(out) if member.offset is None else member.offset
        local = member.name if member.local_name is None else member.local_name
        fixed = (member.flags, member.method, 0, 33, *sizes)
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *fixed, len(local), 0) + local
        out += member.data
        tail = (len(member.name), len(member.extra), 0, 0, 0, member.mode << 16, offset)
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, 20, *fixed, *tail)
        directory += member.name + member.extra
        number += 1
    said = number if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, said, said, len(directory), len(out), 0)
    return out + directory + end


def join(path: Path, members: Iterable[Raw], **options: Any) -> None:
    """Write a scan's zip anew, its hash with it."""
    (path / SCAN).write_bytes(zip_bytes(members, **options))
    sign(path, SCAN)


def edit_scan(path: Path, change: Callable[[list[Raw]], object], **options: Any) -> None:
    """Change the list of the scan's members in place."""
    members = raw_members(path)
    change(members)
    join(path, members, **options)


def edit_column_layout(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the metadata of the column ``m``, its own and those of the root."""

    def both(members: list[Raw]) -> None:
        for member in members:
            if member.name in (b"zarr.json", b"m/zarr.json"):
                document = json.loads(member.data)
                inner = document.get("consolidated_metadata", {}).get("metadata", {}).get("m")
                change(inner if inner is not None else document)
                member.data = json.dumps(document).encode()

    edit_scan(path, both)
