"""The staged copy of a bundle: its files as they go to one archive, DOI and documents included."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from limen import journal, resources
from limen.bundle import Bundle, complete
from limen.bundle.changes import GENERATED
from limen.errors import IntegrityError
from limen_zenodo.journals import Deposit, Staged, save_deposit

__all__ = ["stage"]

_BLOCK = 2**20


def stage(deposit: Deposit, bundle: Bundle) -> dict[str, Any]:
    """
    Bring the staged copy up to date: the bundle's files, DOI, frozen, documents made anew.

    What lies there already, unchanged, is not copied again.

    Parameters
    ----------
    deposit : Deposit
        With the reserved DOI; its ``files`` are set.
    bundle : Bundle
        The source, which is only read.

    Returns
    -------
    dict
        The staged manifest.

    Raises
    ------
    IntegrityError
        If a file of the source is not what its manifest says.
    """
    document = bundle.manifest
    document |= {"status": "frozen", "doi": deposit.doi}
    document.pop("concept_doi", None)
    document |= {"concept_doi": deposit.concept_doi} if deposit.concept_doi else {}
    deposit.copy.mkdir(exist_ok=True)
    for name, entry in document["files"].items():
        if name not in GENERATED and not _is_staged(deposit, name, entry["sha256"]):
            deposit.files[name] = _copied(bundle, name, deposit.copy / name)
            save_deposit(deposit)
    staged = complete(document, deposit.copy, {})
    for name in (*GENERATED, journal.MANIFEST):
        found = _hashed(deposit.copy / name)
        old = deposit.files.get(name)
        if old is None or old.md5 != found.md5:
            deposit.files[name] = found
    _remove_others(deposit, {*staged["files"], journal.MANIFEST})
    deposit.source, deposit.source_sha256 = str(bundle.path.resolve()), bundle.manifest_sha256
    save_deposit(deposit)
    return staged


def _is_staged(deposit: Deposit, name: str, sha256: str) -> bool:
    known, path = deposit.files.get(name), deposit.copy / name
    return (
        known is not None
        and known.sha256 == sha256
        and path.is_file()
        and path.stat().st_size == known.bytes
    )


def _copied(bundle: Bundle, name: str, target: Path) -> Staged:
    """Copy a file, hashed on the way."""
    wanted = bundle.manifest["files"][name]
    with journal.new_file(target) as working:
        found = _hashed(bundle.part(name), working)
        if (found.bytes, found.sha256) != (wanted["bytes"], wanted["sha256"]):
            raise IntegrityError(
                f"{bundle.path / name}: is not what the manifest says; the file was changed, "
                "run: limen check"
            )
        resources.sync_file(working)
    return found


def _hashed(path: Path, target: Path | None = None) -> Staged:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream, open(target or os.devnull, "wb") as copy:
        while block := stream.read(_BLOCK):
            sha256.update(block)
            md5.update(block)
            size += copy.write(block)
    return Staged(size, sha256.hexdigest(), md5.hexdigest())


def _remove_others(deposit: Deposit, wanted: set[str]) -> None:
    for path in deposit.copy.iterdir():
        if path.name not in wanted and (path.is_symlink() or path.is_file()):
            path.unlink()
    deposit.files = {name: deposit.files[name] for name in sorted(wanted)}
