"""A bundle takes over what was published of it: DOI, frozen, documents."""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path

from limen import journal
from limen.bundle import Bundle, open_bundle
from limen.bundle.changes import GENERATED
from limen.errors import BundleNotFoundError
from limen_zenodo.errors import ChecksumError
from limen_zenodo.journals import Deposit, save_deposit

__all__ = ["adopt"]

_log = logging.getLogger("limen.zenodo")


def adopt(entry: Deposit) -> None:
    """
    Put manifest and documents as they were published into the bundle, in one commit.

    A bundle that has changed since is left alone, with a warning.

    Parameters
    ----------
    entry : Deposit
        Published; its journal notes what was done.

    Raises
    ------
    ChecksumError
        If the staged copy was changed since it was sent.
    StorageError
        If the bundle cannot be written.
    """
    source = Path(entry.source)
    try:
        bundle = open_bundle(source)
    except BundleNotFoundError:
        bundle = None
    if bundle is None or not _is_source(bundle, entry):
        if bundle is None or not _is_adopted(bundle, entry):
            _log.warning(
                "%s: is not there any more or has changed since, and is left alone; what was "
                "published lies in %s",
                source,
                entry.copy,
            )
            return
    else:
        with journal.editing(source) as folder:
            for name in (*GENERATED, journal.MANIFEST):
                shutil.copyfile(entry.copy / name, folder / name)
                if _sha256(folder / name) != entry.files[name].sha256:
                    raise ChecksumError(
                        f"{entry.copy / name}: was changed since it was sent; get the published "
                        f"bundle: limen fetch {entry.doi}"
                    )
    entry.adopted = True
    save_deposit(entry)


def _is_source(bundle: Bundle, entry: Deposit) -> bool:
    return bundle.manifest_sha256 == entry.source_sha256


def _is_adopted(bundle: Bundle, entry: Deposit) -> bool:
    return bundle.manifest_sha256 == entry.files[journal.MANIFEST].sha256


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
