"""Which record a bundle is the next version of, and whether there is anything new in it."""

from __future__ import annotations

import logging
from typing import Any

from limen import journal
from limen.bundle import Bundle
from limen.bundle.changes import GENERATED
from limen.errors import IntegrityError, SchemaError, UsageError
from limen_zenodo.client import Client
from limen_zenodo.errors import DepositError, RecordNotFoundError
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.journals import Deposit, deposits
from limen_zenodo.manifests import read_manifest
from limen_zenodo.records import Record, find_record

__all__ = ["refuse_identical", "version_before"]

_log = logging.getLogger("limen.zenodo")

# What a new version has of its own although nothing was changed in it.
_OWN = ("version", "status", "doi", "concept_doi", "parent", "created")


def version_before(
    client: Client, entry: Deposit, bundle: Bundle, asked: str | None
) -> Record | None:
    """
    Find the record that a deposit is the next version of.

    Parameters
    ----------
    client : Client
    entry : Deposit
    bundle : Bundle
    asked : str or None
        Record that the user names.

    Returns
    -------
    Record or None
        That, or the record of the bundle's parent, or of a version of it deposited before; None
        if it is the first.
    """
    site, parent = client.site, bundle.manifest.get("parent") or {}
    if asked is not None:
        identifier = parse_identifier(asked, site)
        if identifier.site != site:
            raise UsageError(f"{asked!r}: lies at {identifier.site.host}, not at {site.host}")
        return find_record(client, identifier)
    same = parent.get("id") == entry.bundle
    if same and parent.get("doi"):
        identifier = parse_identifier(parent["doi"], site)
        if identifier.site == site and identifier.record:
            return find_record(client, identifier)
    earlier = [
        known.record
        for known in deposits(site)
        if known.bundle == entry.bundle
        and known.version != entry.version
        and known.state == "published"
    ]
    if not earlier:
        return None
    try:
        return find_record(client, parse_identifier(max(earlier, key=_age), site))
    except RecordNotFoundError:
        if not site.test:
            raise
        _log.warning("%s: the version before is gone; this one begins a new record", site.host)
        return None


def _age(record: str) -> tuple[int, str]:
    return (int(record), "") if record.isdigit() else (0, record)


def refuse_identical(client: Client, before: Record, bundle: Bundle) -> None:
    """
    Refuse a version that differs from the one before in nothing but its number.

    Raises
    ------
    DepositError
    """
    if journal.MANIFEST not in before.files:
        return
    try:
        old, _ = read_manifest(client, before)
    except (IntegrityError, SchemaError):
        # What lies there is no manifest, and so not the same one.
        return
    if _substance(old) == _substance(bundle.manifest):
        raise DepositError(
            f"{bundle.path}: differs from {before.page} (version {before.version}) in nothing but "
            "its version; there is nothing new to publish"
        )


def _substance(manifest: dict[str, Any]) -> dict[str, Any]:
    bare = {key: value for key, value in manifest.items() if key not in _OWN}
    bare["files"] = {k: v for k, v in manifest["files"].items() if k not in GENERATED}
    return bare
