"""Manifests of published bundles: read alone, checked, kept by their MD5, summed up."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from limen import schema
from limen.documents.escaping import clean, flat
from limen.errors import IntegrityError, SchemaError
from limen.journal import MANIFEST
from limen.resources import cache_folder
from limen.schema.loading import parse_json
from limen_zenodo.client import Client
from limen_zenodo.errors import ChecksumError, ServiceUnavailableError
from limen_zenodo.records import Record, RemoteFile
from limen_zenodo.transport import in_words

__all__ = [
    "LARGEST_MANIFEST",
    "Summary",
    "one_line",
    "read_manifest",
    "summarise",
    "summarise_entry",
]

LARGEST_MANIFEST = 4 * 2**20
"""Largest ``bundle.json`` of a published bundle [byte]."""

_log = logging.getLogger("limen.zenodo")

_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """
    What a manifest says of a bundle, in short.

    Parameters
    ----------
    id, version : str
    title : str
    theory : str
        Family of models; empty if not stated.
    parameters : tuple of str
        Columns of the scan that are parameters, in order.
    analyses : tuple of str
        Their names at the experiments.
    points : int
        Rows of the scan.
    models : tuple of dict
        ``name``, ``task`` and ``target`` of each.
    licences : dict of str to str
        Of ``data``, ``models``, ``code``, as far as stated.
    bytes : int
        Size of all files together [bytes].
    """

    id: str
    version: str
    title: str
    theory: str
    parameters: tuple[str, ...]
    analyses: tuple[str, ...]
    points: int
    models: tuple[Mapping[str, str], ...] = ()
    licences: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give it as a JSON document."""
        document = asdict(self)
        return document | {name: list(document[name]) for name in _LISTS}


_LISTS = ("parameters", "analyses", "models")


def one_line(text: object) -> str:
    r"""
    Give text of a stranger on one line, without control characters, bounded.

    >>> one_line("a\x1b[31m title\nof two lines")
    'a[31m title of two lines'
    """
    return flat(clean(str(text)))[:_SHOWN]


def summarise(manifest: Mapping[str, Any]) -> Summary:
    """
    Sum up a manifest.

    Parameters
    ----------
    manifest : dict
        One that fits its schema.

    Returns
    -------
    Summary
    """
    table = next(table for table in manifest["tables"] if table["name"] == "scan")
    return Summary(
        manifest["id"],
        manifest["version"],
        one_line(manifest["title"]),
        one_line(manifest.get("theory", {}).get("family", "")),
        tuple(c["name"] for c in table["columns"] if c["role"] == "parameter"),
        tuple(one_line(analysis["id"]) for analysis in manifest.get("analyses", ())),
        table["rows"],
        tuple(
            {key: card[key] for key in ("name", "task", "target")}
            for card in manifest.get("models", ())
        ),
        dict(manifest.get("licences", {})),
        sum(entry["bytes"] for entry in manifest["files"].values()),
    )


def summarise_entry(entry: Mapping[str, Any]) -> Summary:
    """Give what an entry of the catalogue says."""
    return Summary(
        entry["id"],
        entry["version"],
        one_line(entry["title"]),
        one_line(entry.get("theory", "")),
        tuple(entry["parameters"]),
        tuple(map(one_line, entry.get("analyses", ()))),
        entry["points"],
        tuple(entry.get("models", ())),
        entry.get("licences", {}),
        entry.get("bytes", 0),
    )


def read_manifest(client: Client, record: Record) -> tuple[dict[str, Any], str]:
    """
    Read the manifest of a published bundle, and nothing else of it.

    One whose MD5 is in the cache is not asked for again.

    Parameters
    ----------
    client : Client
    record : Record

    Returns
    -------
    (dict, str)
        The manifest, and the SHA-256 of its bytes.

    Raises
    ------
    AccessError, RecordNotFoundError, NetworkError
        If it cannot be read.
    IntegrityError
        If its size or MD5 is not what the record says, or is no manifest's.
    SchemaError
        If it breaks the schema, or has no table ``scan``.
    """
    where = f"{record.page} {MANIFEST}"
    file = record.file(MANIFEST)
    if not 0 < file.size <= LARGEST_MANIFEST:
        raise IntegrityError(f"{where}: found {file.size} bytes, allowed 1 to {LARGEST_MANIFEST}")
    kept = _kept(file.md5)
    data = kept if kept is not None else _download(client, file, where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"{where}: not UTF-8 at byte {error.start}") from error
    manifest = parse_json(text, where)
    schema.validate(manifest, "bundle", where)
    if not any(table["name"] == "scan" for table in manifest["tables"]):
        raise SchemaError(f"{where} /tables: found no table 'scan', which is required")
    if kept is None and file.md5:
        _keep(file.md5, data)
    return manifest, hashlib.sha256(data).hexdigest()


def _download(client: Client, file: RemoteFile, where: str) -> bytes:
    """Read a small file whole, again where the connection broke."""
    import requests

    waits = client.waits()
    while True:
        data = bytearray()
        try:
            with client.stream(file.url, waits=waits) as response:
                for part in response.iter_content(65_536):
                    data += part
                    if len(data) > file.size:
                        break
        except requests.RequestException as error:
            trouble = f"the connection broke ({in_words(error)})"
        else:
            if len(data) >= file.size:
                return _matching(bytes(data), file, where)
            trouble = f"found {len(data)} of {file.size} bytes"
        waits.wait(None, ServiceUnavailableError(f"{where}: {trouble}; try again later"))


def _matching(data: bytes, file: RemoteFile, where: str) -> bytes:
    if len(data) > file.size:
        raise ChecksumError(f"{where}: found more than the {file.size} bytes of the record")
    found = _md5(data)
    if file.md5 and found != file.md5:
        raise ChecksumError(f"{where}: found MD5 {found}, allowed {file.md5} of the record")
    return data


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _place(md5: str) -> Path:
    return cache_folder() / "manifests" / f"{md5}.json"


def _kept(md5: str) -> bytes | None:
    """Give what the cache holds; what was changed there does not count."""
    if not md5:
        return None
    try:
        with _place(md5).open("rb") as stream:
            data = stream.read(LARGEST_MANIFEST + 1)
    except OSError:
        return None
    return data if _md5(data) == md5 else None


def _keep(md5: str, data: bytes) -> None:
    """Put a manifest into the cache; without one, it is asked for again next time."""
    place = _place(md5)
    fresh = place.with_name(f".{md5}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(data)
        os.replace(fresh, place)
    except OSError as error:
        _log.info("%s: not kept (%s)", place, error.strerror)
        with suppress(OSError):
            fresh.unlink()
