"""What a scan's file from elsewhere must be before any of its chunks is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from limen.errors import IntegrityError, SchemaError
from limen.scan.layout import LARGEST_METADATA, ColumnLayout, read_layout
from limen.schema.loading import parse_json
from limen.zipstore import Member, Read, check_headers, file_reader, read_directory

__all__ = ["LARGEST_RATIO", "audit_scan"]

LARGEST_RATIO = 65_536
"""Largest size of a column decoded, over its size in the file: 134 MB of zeros take 4 kB."""

_FAULTS_SHOWN = 10

Faults = Iterator[tuple[str, str]]


def audit_scan(path: str | os.PathLike[str], declared: Mapping[str, str], rows: int) -> None:
    """
    Refuse a scan's file that is not exactly the declared columns; no chunk is decoded.

    Parameters
    ----------
    path : path
    declared : mapping of str to str
        The manifest's columns and their dtypes.
    rows : int
        The manifest's number of rows.

    Raises
    ------
    StorageError
        If the file cannot be read.
    IntegrityError
        With all faults: of the zip, its headers, the metadata, the columns, members that belong to
        no column, and columns that are far larger than their bytes.
    """
    where = os.fspath(path)
    reader, size = file_reader(path)
    with closing(reader):
        check_headers(reader, size, where=where)
        members = read_directory(reader, size, where=where)
        columns, metadata = read_layout(reader, members, where)[0], members["zarr.json"]
        faults = [*_column_faults(columns, declared, rows), *_member_faults(columns, members)]
        if not faults:
            faults += _metadata_faults(reader, columns, members, metadata)
    if faults:
        raise IntegrityError.from_faults(where, faults[:_FAULTS_SHOWN])


def _column_faults(
    columns: Mapping[str, ColumnLayout], declared: Mapping[str, str], rows: int
) -> Faults:
    for name in sorted({*declared, *columns}):
        column = columns.get(name)
        if column is None:
            yield name, "declared in the manifest, but not in the file; get the file again"
        elif name not in declared:
            yield name[:80], "in the file, but not declared in the manifest; get the file again"
        elif column.dtype != declared[name]:
            yield name, f"found {column.dtype}, the manifest says {declared[name]}"
        elif column.n_points != rows:
            yield name, f"found {column.n_points} rows, the manifest says {rows}"


def _member_faults(columns: Mapping[str, ColumnLayout], members: Mapping[str, Member]) -> Faults:
    expected = {"zarr.json"}
    for name, column in columns.items():
        chunks = [
            f"{name}/c/{number}" for number in range(-(-column.n_points // column.member_rows))
        ]
        expected |= {f"{name}/zarr.json", *chunks}
        stored = sum(members[chunk].size for chunk in chunks)
        decoded = column.n_points * np.dtype(column.dtype).itemsize
        if decoded > LARGEST_RATIO * stored:
            yield (
                name,
                f"found {stored} bytes for {decoded} decoded ones, allowed a share of "
                f"1/{LARGEST_RATIO}; this is no scan",
            )
    for extra in sorted(set(members) - expected)[:_FAULTS_SHOWN]:
        yield extra[:80], "belongs to no column, allowed columns only; write the file again"


def _metadata_faults(
    read: Read, columns: Mapping[str, ColumnLayout], members: Mapping[str, Member], root: Member
) -> Faults:
    """Compare each column's own metadata, which other programs read, with those of the root."""
    whole = _document(read, root)["consolidated_metadata"]["metadata"]
    for name in columns:
        member = members[f"{name}/zarr.json"]
        try:
            same = member.size <= LARGEST_METADATA and _document(read, member) == whole[name]
        except (SchemaError, UnicodeDecodeError):
            same = False
        if not same:
            yield name, "its zarr.json differs from that of the root; get the file again"


def _document(read: Read, member: Member) -> dict[str, Any]:
    return parse_json(read(member.offset, member.size).decode(), "zarr.json")
