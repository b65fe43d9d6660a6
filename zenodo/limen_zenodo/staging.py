"""The staged copy of a bundle: what goes to one archive, with the journal of its deposit."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from limen import journal, resources, schema
from limen.bundle import Bundle, complete
from limen.bundle.changes import GENERATED
from limen.errors import IntegrityError, SchemaError, StorageError
from limen_zenodo.sites import Site

__all__ = [
    "Deposit",
    "Staged",
    "deposit_folder",
    "deposits",
    "load_deposit",
    "open_deposit",
    "save_deposit",
    "stage",
]

_JOURNAL = "deposit.json"
_FILES = "files"
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Staged:
    """
    A file of the staged copy.

    Parameters
    ----------
    bytes : int
        Size.
    sha256, md5 : str
        Hexadecimal.
    sent : bool
        Whether the archive has confirmed it.
    """

    bytes: int
    sha256: str
    md5: str
    sent: bool = False


@dataclass(slots=True)
class Deposit:
    """
    Journal of a deposit: kept on disk, so that an interrupted one goes on.

    Attributes
    ----------
    folder : Path
        Where journal and staged copy lie.
    bundle, version : str
        Id and version of the bundle.
    source : str
        Folder of the bundle.
    source_sha256 : str
        SHA-256 of its manifest when it was staged.
    checked_sha256 : str
        SHA-256 of the manifest that the deep check passed; empty if none did.
    marker : str
        Tells the draft from all others.
    asked : bool
        Whether a draft may have been asked for.
    record, concept, doi, concept_doi, page : str
        As the archive gave them; empty until it has.
    parent_record : str
        Record that this one is the next version of; empty if it is the first.
    community : str
        Community that the draft is submitted to.
    state : str
        ``draft``, ``publishing``, ``review`` or ``published``.
    adopted : bool
        Whether the bundle has taken over what was published.
    files : dict of str to Staged
    """

    folder: Path
    bundle: str
    version: str
    source: str = ""
    source_sha256: str = ""
    checked_sha256: str = ""
    marker: str = ""
    asked: bool = False
    record: str = ""
    concept: str = ""
    doi: str = ""
    concept_doi: str = ""
    page: str = ""
    parent_record: str = ""
    community: str = ""
    state: str = "draft"
    adopted: bool = False
    files: dict[str, Staged] = field(default_factory=dict)

    @property
    def copy(self) -> Path:
        """Folder of the staged copy."""
        return self.folder / _FILES

    def begin(self) -> None:
        """Forget the record, for there is none any more."""
        self.marker, self.asked, self.state = uuid.uuid4().urn, False, "draft"
        self.record = self.concept = self.doi = self.concept_doi = self.page = ""
        self.parent_record = ""


def deposit_folder(site: Site, name: str, version: str) -> Path:
    """Give the folder of a bundle's deposit at an archive; one per host, id and version."""
    host = site.host.replace(":", "_")
    return resources.cache_folder() / "deposits" / host / f"{name}-{version}"


def deposits(site: Site) -> Iterator[Deposit]:
    """List the deposits at an archive that were begun on this machine."""
    for path in sorted(deposit_folder(site, "x", "x").parent.glob(f"*/{_JOURNAL}")):
        found = load_deposit(path.parent)
        if found is not None:
            yield found


def load_deposit(folder: Path) -> Deposit | None:
    """
    Read the journal of a deposit.

    Returns
    -------
    Deposit or None
        None if there is none.

    Raises
    ------
    IntegrityError
        If it is damaged.
    """
    path = folder / _JOURNAL
    if not path.is_file():
        return None
    try:
        document = schema.load_json(path)
        files = {name: Staged(**entry) for name, entry in document.pop("files").items()}
        return Deposit(folder=folder, files=files, **document)
    except (SchemaError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{path}: found a damaged journal; look on your page of the archive for the draft, "
            f"then remove {folder}"
        ) from error


def save_deposit(deposit: Deposit) -> None:
    """Write the journal; it is on the disk, whole, when this returns."""
    names = [entry.name for entry in fields(deposit) if entry.name not in ("folder", "files")]
    document = {name: getattr(deposit, name) for name in names}
    document["files"] = {name: asdict(entry) for name, entry in deposit.files.items()}
    path = deposit.folder / _JOURNAL
    with journal.new_file(path) as working:
        working.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
        resources.sync_file(working)
    resources.sync_folder(deposit.folder)


@contextmanager
def open_deposit(folder: Path, bundle: str, version: str) -> Iterator[Deposit]:
    """
    Hold a deposit: one process at a time.

    Yields
    ------
    Deposit
        As its journal says, or a new one.

    Raises
    ------
    StorageError
        If another process holds it, or the cache cannot be written.
    """
    with journal.storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with resources.folder_lock(folder, wait=False) as locked:
            if not locked:
                raise StorageError(
                    f"{folder}: another process is depositing or publishing it; wait for it"
                )
            deposit = load_deposit(folder)
            if deposit is None:
                deposit = Deposit(folder, bundle, version)
                deposit.begin()
            yield deposit


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
