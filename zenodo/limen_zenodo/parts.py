"""Parts of a published bundle: which files they are, and whether record and manifest agree."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limen import manifest, schema
from limen.errors import IntegrityError, SchemaError, UsageError
from limen.journal import MANIFEST
from limen.schema.loading import parse_json
from limen_zenodo.catalogue import pinned_manifest
from limen_zenodo.errors import ChecksumError, RecordChangedError, UnsafeNameError
from limen_zenodo.manifests import LARGEST_MANIFEST
from limen_zenodo.names import name_faults
from limen_zenodo.records import Record
from limen_zenodo.trust import refuse_listing

__all__ = ["DEFAULT_PARTS", "check_listing", "check_record", "load_manifest", "wanted_files"]

DEFAULT_PARTS = ("manifest", "models")

_log = logging.getLogger("limen.zenodo")

_ROLES = {
    "manifest": ("document",),
    "models": ("model", "probe"),
    "scan": ("scan",),
    "preview": ("preview",),
    "documents": ("document",),
    "attachments": ("attachment",),
    "all": ("scan", "model", "probe", "preview", "document", "attachment"),
}
_SINGULAR = {name.removesuffix("s"): name for name in ("models", "documents", "attachments")}
_SHOWN = 20


def wanted_files(files: Mapping[str, Mapping[str, Any]], parts: Sequence[str]) -> list[str]:
    """
    List the files that parts consist of, without the manifest.

    Parameters
    ----------
    files : mapping
        The manifest's ``files``.
    parts : sequence of str
        Names of parts or of files; documents come too, unless ``bundle.json`` itself is named.

    Returns
    -------
    list of str
        In the order of the manifest.

    Raises
    ------
    UsageError
        If one is neither.

    Examples
    --------
    >>> wanted_files({"scan.zarr.zip": {"role": "scan"}, "x.txt": {"role": "attachment"}}, ["scan"])
    ['scan.zarr.zip']
    """
    roles: set[str] = set() if MANIFEST in parts else {"document"}
    names: set[str] = set()
    for part in parts:
        known = _SINGULAR.get(part, part)
        if part in files:
            names.add(part)
        elif known in _ROLES:
            roles |= set(_ROLES[known])
        elif part != MANIFEST:
            raise UsageError(
                f"parts: found {part!r}, allowed {', '.join(_ROLES)} or a file of the bundle: "
                f"{', '.join(sorted(files)[:_SHOWN])}"
            )
    return [name for name, entry in files.items() if name in names or entry["role"] in roles]


def check_record(record: Record) -> None:
    """
    Refuse a record that cannot be a bundle, before any file is fetched.

    Raises
    ------
    AccessError, RecordNotFoundError
        If its manifest cannot be had, or there is none.
    UnsafeNameError, IntegrityError
        If a name could leave its folder, or the manifest is too large.
    """
    size = record.file(MANIFEST).size
    faults = name_faults(record.files)
    if faults:
        raise UnsafeNameError.from_faults(record.page, faults[:_SHOWN])
    if not 0 < size <= LARGEST_MANIFEST:
        raise IntegrityError(
            f"{record.page} {MANIFEST}: found {size:,} bytes, allowed 1 to {LARGEST_MANIFEST:,}; "
            "this is no bundle"
        )


def load_manifest(path: Path, record: str) -> dict[str, Any]:
    """
    Load a manifest that has just arrived.

    Parameters
    ----------
    path : Path
    record : str
        Page of the record, for messages.

    Raises
    ------
    FormatVersionError, SchemaError, IntegrityError
        If it is none; all its faults at once.
    """
    where = f"{record} {MANIFEST}"
    try:
        text = path.read_bytes()[: LARGEST_MANIFEST + 1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"{where}: not UTF-8 at byte {error.start}") from error
    document = parse_json(text, where)
    faults = manifest.check_manifest(document)
    if faults:
        schema.refuse_later_format(document, where)
        raise SchemaError.from_faults(where, faults)
    refuse_listing(document["files"], where)
    return dict(document)


def check_listing(record: Record, document: Mapping[str, Any], sha256: str) -> None:
    """
    Compare a manifest with the record that it came from.

    Raises
    ------
    IntegrityError
        If the record holds files that the manifest does not list, or other sizes, or the bundle
        says that it is another record's.
    RecordChangedError
        If the catalogue knows another manifest of this DOI.
    """
    files = document["files"]
    faults = [
        (name, "this file is not in the manifest")
        for name in sorted(record.files.keys() - files.keys() - {MANIFEST})
    ]
    faults += [
        (name, f"found {record.files[name].size:,} bytes, the manifest says {entry['bytes']:,}")
        for name, entry in files.items()
        if name in record.files and record.files[name].size != entry["bytes"]
    ]
    if faults:
        raise ChecksumError.from_faults(record.page, faults[:_SHOWN])
    pinned = pinned_manifest(record.doi) if record.doi else None
    if pinned not in (None, sha256):
        raise RecordChangedError(
            f"{record.page}: its manifest is not the one that the catalogue pins; it was changed "
            "after it was published, ask its authors"
        )
    _check_doi(record, document)


def _check_doi(record: Record, document: Mapping[str, Any]) -> None:
    stated = str(document.get("doi") or "")
    if not stated or not record.doi or stated.lower() == record.doi.lower():
        return
    text = f"{record.page}: its DOI is {record.doi}, the bundle says {stated}"
    if not record.site.test:
        raise IntegrityError(f"{text}; it is a copy, fetch the original: limen fetch {stated}")
    _log.warning("%s (a test archive; taken all the same)", text)
