"""The lock of a fetched record: what was asked for, what it led to, and the hashes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from limen.journal import MANIFEST
from limen_zenodo.records import Record

__all__ = ["Lock", "Locked"]


@dataclass(frozen=True, slots=True)
class Locked:
    """
    A file of a pinned record.

    Parameters
    ----------
    size : int
        Bytes.
    md5, sha256 : str
        Of the record and of the manifest; empty if not stated.
    """

    size: int
    md5: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """
    What was asked for and what it led to.

    Parameters
    ----------
    asked : tuple of str
        Every spelling that led here.
    site, host : str
        Name and host of the archive.
    record, concept : str
        Ids of the version and of its concept.
    doi, concept_doi : str
    title, version, updated : str
        As the record had them.
    resolved : str
        When it was pinned (UTC).
    manifest_sha256 : str
        Of ``bundle.json``.
    files : dict of str to Locked
        All files of the record.
    seen : dict of str to list
        Size and time of change of the files in the cache that were verified and examined.
    tried : bool
        Whether the probes of all models seen were run.
    """

    asked: tuple[str, ...]
    site: str
    host: str
    record: str
    concept: str
    doi: str
    concept_doi: str
    title: str
    version: str
    updated: str
    resolved: str
    manifest_sha256: str
    files: Mapping[str, Locked] = field(default_factory=dict)
    seen: Mapping[str, list[int]] = field(default_factory=dict)
    tried: bool = False

    @classmethod
    def of(
        cls, record: Record, asked: str, sha256: str, manifest: Mapping[str, Mapping[str, Any]]
    ) -> Lock:
        """Pin a record whose manifest has this SHA-256 and these ``files``."""
        files = {
            name: Locked(file.size, file.md5, str(manifest.get(name, {}).get("sha256", "")))
            for name, file in record.files.items()
        }
        files[MANIFEST] = replace(files[MANIFEST], sha256=sha256)
        return cls(
            (asked,),
            record.site.name,
            record.site.host,
            record.id,
            record.concept,
            record.doi,
            record.concept_doi,
            record.title,
            record.version,
            record.updated,
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            sha256,
            files,
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Lock:
        """
        Read it from its JSON document.

        Raises
        ------
        KeyError, TypeError
            If it is none.
        """
        given = {key: document[key] for key in cls.__dataclass_fields__}
        given["asked"] = tuple(given["asked"])
        given["files"] = {name: Locked(**entry) for name, entry in given["files"].items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Give it as a JSON document."""
        document = asdict(self)
        return {"format": "1.0"} | document | {"asked": list(self.asked)}
