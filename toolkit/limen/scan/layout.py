"""How a scan lies in its file: the metadata document, and what of it is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limen.errors import IntegrityError, SchemaError
from limen.schema.loading import parse_json
from limen.zipstore import Member, Read

__all__ = ["ALLOWED_DTYPES", "ColumnLayout", "read_layout"]

ALLOWED_DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
)

# A reader allocates by what the metadata say, so these bound what a hostile file can cost.
LARGEST_METADATA = 16 * 1024 * 1024
LARGEST_CHUNK = 16_777_216
MOST_CHUNKS_PER_SHARD = 65_536

_COMPRESSORS = ("blosc", "zstd", "crc32c")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """
    One column as the file declares it.

    Attributes
    ----------
    dtype : str
        One of `ALLOWED_DTYPES`.
    n_points : int
    member_rows : int
        Rows held by one member of the zip (a shard, or a chunk where there are no shards).
    attrs : mapping
        ``units``, ``long_name``, ``role``.
    chunk_rows : int
        Rows of a chunk within a shard; without shards those of a member.
    index_bytes : int
        Size of a shard's index [byte]; 0 without shards.
    index_first : bool
        Whether the index stands before the chunks of its shard, not after them.
    """

    dtype: str
    n_points: int
    member_rows: int
    attrs: Mapping[str, Any]
    chunk_rows: int
    index_bytes: int = 0
    index_first: bool = False


class _LayoutError(Exception):
    """What is wrong with one array; becomes a fault of the file."""


def read_layout(
    read: Read, members: Mapping[str, Member], where: str
) -> tuple[dict[str, ColumnLayout], dict[str, Any]]:
    """
    Read and check the root metadata of a scan.

    Every chunk that the metadata promise must be there: Zarr would read a missing one as fill.

    Parameters
    ----------
    read : callable
        ``read(offset, length) -> bytes``.
    members : mapping of str to Member
        The directory of the zip.
    where : str
        Name of the file in messages.

    Returns
    -------
    (dict of str to ColumnLayout, dict)
        Columns by name, and the attributes of the scan.

    Raises
    ------
    IntegrityError
        With all faults: metadata missing or broken, dtypes, codecs, chunks or lengths not allowed.
    """
    root = _root_document(read, members, where)
    columns: dict[str, ColumnLayout] = {}
    faults: list[tuple[str, str]] = []
    for name, document in root["consolidated_metadata"]["metadata"].items():
        try:
            columns[name] = _column_layout(document)
            _check_members(name, columns[name], members)
        except _LayoutError as error:
            faults.append((name, str(error)))
    lengths = {column.n_points for column in columns.values()}
    if len(lengths) > 1:
        faults.append(("", f"columns of {sorted(lengths)} rows, allowed one length; pack it again"))
    if not columns and not faults:
        faults.append(("", "no columns, allowed one or more; pack it again"))
    if faults:
        raise IntegrityError.from_faults(where, faults)
    attrs = root.get("attributes")
    return columns, attrs if isinstance(attrs, dict) else {}


def _root_document(read: Read, members: Mapping[str, Member], where: str) -> dict[str, Any]:
    member = members.get("zarr.json")
    if member is None or member.size > LARGEST_METADATA:
        found = "no zarr.json" if member is None else f"zarr.json of {member.size} bytes"
        raise IntegrityError(
            f"{where}: {found}, allowed one of at most {LARGEST_METADATA} bytes; get it again"
        )
    try:
        root = parse_json(read(member.offset, member.size).decode(), f"{where} zarr.json")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{where} zarr.json: not JSON (not UTF-8); get it again") from error
    except SchemaError as error:
        raise IntegrityError(error.message) from error
    metadata = _at(root, "consolidated_metadata", "metadata")
    if not isinstance(metadata, dict) or (root.get("zarr_format"), root.get("node_type")) != (
        3,
        "group",
    ):
        raise IntegrityError(
            f"{where} zarr.json: allowed a Zarr v3 group with inline consolidated metadata; "
            "pack it again"
        )
    return dict(root)


def _at(document: object, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _column_layout(document: object) -> ColumnLayout:
    if _at(document, "node_type") != "array" or _at(document, "zarr_format") != 3:
        raise _LayoutError("not a Zarr v3 array, allowed arrays only; pack it again")
    dtype = _at(document, "data_type")
    if dtype not in ALLOWED_DTYPES:
        raise _LayoutError(f"dtype {dtype!r}, allowed {', '.join(ALLOWED_DTYPES)}; pack it again")
    n_points = _one_int(_at(document, "shape"), "shape", 0, None)
    grid, keys = _at(document, "chunk_grid"), _at(document, "chunk_key_encoding")
    if _at(grid, "name") != "regular" or _at(keys, "name") != "default":
        raise _LayoutError("chunk grid or keys not allowed, only regular and default")
    if (_at(keys, "configuration", "separator") or "/") != "/":
        raise _LayoutError("chunk keys allowed with '/' only; pack it again")
    chunks = _at(grid, "configuration", "chunk_shape")
    rows = _one_int(chunks, "chunk shape", 1, LARGEST_CHUNK)
    if _at(document, "storage_transformers"):
        raise _LayoutError("storage transformers, allowed none; pack it again")
    codecs = _at(document, "codecs")
    _check_codecs(codecs, rows)
    attrs = _at(document, "attributes")
    return ColumnLayout(
        dtype, n_points, rows, attrs if isinstance(attrs, dict) else {}, *_shard(codecs, rows)
    )


def _shard(codecs: Any, rows: int) -> tuple[int, int, bool]:
    """Give rows of a chunk, size and place of the index, of codecs that were checked."""
    settings = _at(codecs[0], "configuration")
    if _codec_names(codecs) != ["sharding_indexed"]:
        return rows, 0, False
    inner = int(settings["chunk_shape"][0])
    checksum = 4 if "crc32c" in _codec_names(settings["index_codecs"]) else 0
    return inner, 16 * (rows // inner) + checksum, settings.get("index_location") == "start"


def _one_int(value: object, what: str, least: int, most: int | None) -> int:
    if isinstance(value, list) and len(value) == 1 and type(value[0]) is int:
        found = value[0]
        if found >= least and (most is None or found <= most):
            return found
    limit = f"{least} or more" if most is None else f"{least} to {most}"
    raise _LayoutError(f"{what} {value!r}, allowed one number, {limit}; pack it again")


def _check_codecs(codecs: Any, rows: int) -> None:
    names = _codec_names(codecs)
    if names != ["sharding_indexed"]:
        _check_plain(names)
        return
    settings = _at(codecs[0], "configuration")
    inner = _one_int(_at(settings, "chunk_shape"), "chunk shape", 1, rows)
    if rows % inner or rows // inner > MOST_CHUNKS_PER_SHARD:
        raise _LayoutError(
            f"shard of {rows} rows in chunks of {inner}, allowed whole chunks, "
            f"at most {MOST_CHUNKS_PER_SHARD}; pack it again"
        )
    if _codec_names(_at(settings, "index_codecs")) not in (["bytes"], ["bytes", "crc32c"]):
        raise _LayoutError("codecs of the shard index, allowed bytes and crc32c; pack it again")
    _check_plain(_codec_names(_at(settings, "codecs")))


def _codec_names(codecs: object) -> list[str]:
    listed = codecs if isinstance(codecs, list) else []
    return [str(_at(codec, "name")) for codec in listed]


def _check_plain(names: list[str]) -> None:
    if names[:1] != ["bytes"] or any(name not in _COMPRESSORS for name in names[1:]):
        raise _LayoutError(
            f"codecs {names}, allowed bytes, then {', '.join(_COMPRESSORS)}; pack it again"
        )


def _check_members(name: str, column: ColumnLayout, members: Mapping[str, Member]) -> None:
    if f"{name}/zarr.json" not in members:
        raise _LayoutError("no zarr.json of its own; pack it again")
    promised = -(-column.n_points // column.member_rows)
    present = 0
    while present < promised and f"{name}/c/{present}" in members:
        present += 1
    if present < promised:
        raise _LayoutError(f"chunk {present} of {promised} is missing; get it again")
