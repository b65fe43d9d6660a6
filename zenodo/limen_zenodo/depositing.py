"""Deposit a bundle: a draft at an archive, with its DOI in the files, and nothing public yet."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from limen.bundle import Bundle, open_bundle
from limen.checking import check
from limen.errors import DataError, Fault, IntegrityError, UsageError
from limen_zenodo import drafts
from limen_zenodo.access import Draft, choose_site, with_token
from limen_zenodo.client import Client
from limen_zenodo.errors import DepositError, RecordNotFoundError
from limen_zenodo.journals import (
    Deposit,
    deposit_folder,
    load_deposit,
    open_deposit,
    release_others,
    save_deposit,
)
from limen_zenodo.metadata import deposit_faults, record_document
from limen_zenodo.patience import Patience
from limen_zenodo.sites import Site
from limen_zenodo.staging import stage
from limen_zenodo.uploading import upload
from limen_zenodo.versions import refuse_identical, version_before

__all__ = ["deposit"]

_log = logging.getLogger("limen.zenodo")

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def deposit(
    bundle: Bundle | str | Path,
    *,
    production: bool = False,
    site: Site | str | None = None,
    token: str | None = None,
    new_version_of: str | None = None,
    community: str | None = None,
    deep: bool = True,
    patience: Patience | None = None,
) -> Draft:
    """
    Deposit a bundle as a draft, or go on with a deposit that was interrupted.

    The bundle is only read; what is sent is a staged copy, which bears the reserved DOI.

    Parameters
    ----------
    bundle : Bundle, str or Path
    production : bool
        Zenodo itself instead of its sandbox.
    site : Site or str, optional
        Another archive.
    token : str, optional
        By default from the environment variable that the site names.
    new_version_of : str, optional
        Record or DOI whose next version this is; by default that of the bundle's parent, or of
        the version of it deposited before.
    community : str, optional
        Community that it is submitted to when it is published.
    deep : bool
        Check labels, metrics and benchmark points anew.
    patience : Patience, optional

    Returns
    -------
    Draft

    Raises
    ------
    DataError, IntegrityError
        If the bundle does not pass the check.
    DepositError
        If the archive would not or does not accept it, or it is published already; all faults.
    AccessError, NetworkError, RecordNotFoundError, StorageError, UsageError
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    archive = choose_site(production, site)
    if community is not None and not _SLUG.fullmatch(community):
        raise UsageError(f"--community: found {community!r}, allowed letters, digits, - and _")
    document = opened.manifest
    _refuse_unfit(opened, archive)
    with with_token(archive, token, patience) as client:
        folder = deposit_folder(archive, document["id"], document["version"])
        _check(opened, folder, deep)
        with open_deposit(folder, document["id"], document["version"]) as entry:
            entry.checked_sha256 = opened.manifest_sha256
            _note_other_source(entry, opened)
            _settle_past(client, entry)
            sent = _carry_out(client, entry, opened, new_version_of, community)
            return Draft.of(archive, entry, tuple(sent))


def _refuse_unfit(bundle: Bundle, site: Site) -> None:
    """Refuse what needs no look at the files, all at once."""
    document = bundle.manifest
    faults = deposit_faults(document)
    doi = document.get("doi")
    if doi and not site.test:
        text = (
            f"found {doi}: this version is published already; make the next one: "
            f"limen edit {bundle.path} --set ... -o NEW_BUNDLE"
        )
        faults.append(Fault("/doi", text))
    if faults:
        raise DepositError.from_faults(f"{bundle.path}: cannot be deposited:", faults)


def _check(bundle: Bundle, folder: Path, deep: bool) -> None:
    """Check the bundle, unless this state of it has passed already."""
    known = load_deposit(folder)
    if known is not None and known.checked_sha256 == bundle.manifest_sha256:
        return
    report = check(bundle, deep=deep, complete=True)
    if not report.passed:
        kind = IntegrityError if report.integrity else DataError
        raise kind.from_faults(f"{bundle.path}: not deposited, the check found", report.faults)


def _settle_past(client: Client, entry: Deposit) -> None:
    """Look what became of a record that is known from before."""
    if not entry.record:
        return
    published = _published(client, entry.record)
    if published:
        raise DepositError(
            f"{entry.bundle} {entry.version}: is published already, at "
            f"{client.site.page(entry.record)}; give what you changed a new version: limen edit "
            "BUNDLE --set version=... (a frozen one: -o NEW_BUNDLE)"
        )
    try:
        if drafts.is_in_review(client, entry):
            raise DepositError(
                f"{entry.page}: waits for the community {entry.community}; it cannot be changed now"
            )
    except RecordNotFoundError:
        _log.warning(
            "%s: the draft %s is gone; a new one is made, with another DOI",
            client.site.host,
            entry.record,
        )
        entry.begin()


def _published(client: Client, record: str) -> bool:
    try:
        client.get_json(f"/records/{record}")
    except RecordNotFoundError:
        return False
    return True


def _note_other_source(entry: Deposit, bundle: Bundle) -> None:
    """Say that a draft was made of another folder; id and version tell bundles apart."""
    if entry.record and entry.source not in ("", str(bundle.path.resolve())):
        _log.warning(
            "%s: %s %s was deposited from %s before; its draft becomes that of this folder (give "
            "it another id or version if it is another bundle)",
            bundle.path,
            entry.bundle,
            entry.version,
            entry.source,
        )


def _carry_out(
    client: Client,
    entry: Deposit,
    bundle: Bundle,
    new_version_of: str | None,
    community: str | None,
) -> list[str]:
    """Draft, DOI, staged copy, files, document."""
    site, day = client.site, _today()
    entry.described = False
    save_deposit(entry)
    if not entry.record:
        before = version_before(client, entry, bundle, new_version_of)
        if before is not None:
            refuse_identical(client, before, bundle)
            entry.parent_record = before.id
    first = record_document(bundle.manifest, site, marker=entry.marker, day=day)
    drafts.make_draft(client, entry, first)
    release_others(site, entry)
    # A review that was declined is closed; naming the community again opens the next one.
    _submit(client, entry, community or entry.community)
    pids = drafts.reserve_doi(client, entry)
    staged = stage(entry, bundle)
    if entry.parent_record:
        drafts.import_files(client, entry)
    document = record_document(staged, site, marker=entry.marker, day=day, pids=pids)
    sent = upload(client, entry)
    drafts.describe(client, entry, document)
    entry.described, entry.state = True, "draft"
    save_deposit(entry)
    return sent


def _submit(client: Client, entry: Deposit, community: str) -> None:
    if not community:
        return
    if entry.parent_record:
        _log.warning("--community: left out; a new version stays in the communities of its record")
        return
    drafts.submit_to(client, entry, community)
    entry.community = community
    save_deposit(entry)


def _today() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = int(epoch) if epoch.isdigit() else time.time()
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
