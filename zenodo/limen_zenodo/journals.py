"""The journal of a deposit: one per archive and version of a bundle, kept on disk."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from limen import journal, resources, schema
from limen.errors import IntegrityError, SchemaError, StorageError
from limen_zenodo.sites import Site

__all__ = [
    "Deposit",
    "Staged",
    "deposit_folder",
    "deposits",
    "load_deposit",
    "open_deposit",
    "release_others",
    "save_deposit",
]

_log = logging.getLogger("limen.zenodo")

_JOURNAL = "deposit.json"
_FILES = "files"


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
    described : bool
        Whether the archive has the whole document of the record.
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
    described: bool = False
    state: str = "draft"
    adopted: bool = False
    files: dict[str, Staged] = field(default_factory=dict)

    @property
    def copy(self) -> Path:
        """Folder of the staged copy."""
        return self.folder / _FILES

    def begin(self) -> None:
        """Forget the record, for there is none any more."""
        self.marker, self.state = uuid.uuid4().urn, "draft"
        self.asked = self.described = self.adopted = False
        self.record = self.concept = self.doi = self.concept_doi = self.page = ""
        self.parent_record = self.community = ""


def deposit_folder(site: Site, name: str, version: str) -> Path:
    """Give the folder of a bundle's deposit at an archive; one per host, id and version."""
    host = site.host.replace(":", "_")
    return resources.cache_folder() / "deposits" / host / f"{name}-{version}"


def deposits(site: Site) -> Iterator[Deposit]:
    """List the deposits at an archive that were begun on this machine; damaged ones are told."""
    for path in sorted(deposit_folder(site, "x", "x").parent.glob(f"*/{_JOURNAL}")):
        try:
            found = load_deposit(path.parent)
        except IntegrityError as error:
            _log.warning("%s", error)
            continue
        if found is not None:
            yield found


def release_others(site: Site, entry: Deposit) -> None:
    """
    Let the other versions forget a draft that a deposit has taken over.

    An archive allows one open draft of a new version, and gives the same again.
    """
    for other in deposits(site):
        if other.record == entry.record and other.folder != entry.folder:
            other.begin()
            save_deposit(other)


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
