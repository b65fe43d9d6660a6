"""Publish a deposited draft: verified first, asked for once, looked up where the answer is lost."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from limen import journal
from limen.bundle import open_bundle
from limen.errors import Fault, LimenError, UsageError
from limen_zenodo import drafts
from limen_zenodo.access import Draft, choose_site, deposit_line, with_token
from limen_zenodo.adopting import adopt
from limen_zenodo.client import Client
from limen_zenodo.errors import (
    ChecksumError,
    DepositError,
    NetworkError,
    PublishUnknownError,
    RecordNotFoundError,
    ServiceUnavailableError,
)
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.journals import (
    Deposit,
    deposit_folder,
    deposits,
    load_deposit,
    open_deposit,
    save_deposit,
)
from limen_zenodo.patience import Patience, Waits
from limen_zenodo.records import Record, parse_record
from limen_zenodo.sites import Site
from limen_zenodo.uploading import server_files

__all__ = ["find_draft", "publish"]

_log = logging.getLogger("limen.zenodo")

# A publication whose answer was lost shows within this time [s], or not at all.
_LOOKED_UP_FOR = 120.0


def find_draft(
    draft: str | Path | Draft, *, production: bool = False, site: Site | str | None = None
) -> Draft:
    """
    Find a draft that was deposited from this machine; no request is made.

    Parameters
    ----------
    draft : str, Path or Draft
        Folder of the bundle, or id, DOI or address of the draft.
    production : bool
        At Zenodo itself instead of its sandbox.
    site : Site or str, optional
        At another archive.

    Returns
    -------
    Draft

    Raises
    ------
    DepositError
        If nothing was deposited there.
    UsageError
        If it lies at another archive.
    """
    if isinstance(draft, Draft):
        return draft
    archive = choose_site(production, site)
    if isinstance(draft, Path) or _is_bundle(draft):
        document = open_bundle(draft).manifest
        name, version = document["id"], document["version"]
        entry = load_deposit(deposit_folder(archive, name, version))
        if entry is None or not entry.record:
            raise DepositError(
                f"{draft}: {name} {version} was not deposited at {archive.host} from this machine; "
                f"run: {deposit_line(draft, archive)}"
            )
        return Draft.of(archive, entry)
    identifier = parse_identifier(draft, archive)
    if identifier.site.url != archive.url:
        raise UsageError(
            f"{draft!r}: lies at {identifier.site.host}, asked for is {archive.host}; add or leave "
            "out --production, or name the --site"
        )
    for entry in deposits(archive):
        if identifier.record and entry.record == identifier.record:
            return Draft.of(archive, entry)
    raise DepositError(
        f"{draft!r}: no such draft was deposited at {archive.host} from this machine, so its files "
        "cannot be verified; run limen deposit BUNDLE, or publish it on its page"
    )


def _is_bundle(draft: str | Path) -> bool:
    # Unlike a Path, this answers for any text.
    return os.path.isfile(os.path.join(draft, journal.MANIFEST))


def publish(
    draft: str | Path | Draft,
    *,
    production: bool = False,
    site: Site | str | None = None,
    token: str | None = None,
    patience: Patience | None = None,
) -> Record | Draft:
    """
    Make a draft public; this cannot be undone. What is public already is only looked at.

    A publication at an archive that is no test archive is adopted by the bundle: its manifest and
    documents become those that were published.

    Parameters
    ----------
    draft : str, Path or Draft
        Folder of the bundle, or id, DOI or address of the draft.
    production : bool
        At Zenodo itself instead of its sandbox.
    site : Site or str, optional
        At another archive.
    token : str, optional
        By default from the environment variable that the site names.
    patience : Patience, optional

    Returns
    -------
    Record or Draft
        The record; the draft where it now waits for its community.

    Raises
    ------
    PublishUnknownError
        If it cannot be told whether the record is public.
    ChecksumError
        If the files of the draft are not those of the staged copy.
    DepositError
        If the archive refuses, the bundle has changed since, or nothing was deposited.
    AccessError, NetworkError, RecordNotFoundError, UsageError
    """
    found = find_draft(draft, production=production, site=site)
    if isinstance(draft, Draft) and choose_site(production, site or found.site) != found.site:
        raise UsageError(f"{found.page}: the draft lies at {found.site.host}")
    given = None if isinstance(draft, Draft) else draft
    with (
        with_token(found.site, token, patience) as client,
        open_deposit(found.folder.parent, found.bundle, found.version) as entry,
    ):
        record = _look(client, entry)
        if record is None:
            _refuse_outdated(entry, given, found.site)
            if not _is_in_review(client, entry):
                _compare(client, entry)
                record = _publish(client, entry)
        if record is None:
            return Draft.of(found.site, entry)
        return _settle(entry, record, found.site)


def _look(client: Client, entry: Deposit) -> Record | None:
    """Give the record if it is public."""
    if not entry.record:
        raise DepositError(f"{entry.folder}: no draft was made yet; run: limen deposit BUNDLE")
    try:
        return parse_record(client.get_json(f"/records/{entry.record}"), client.site)
    except RecordNotFoundError:
        return None


def _refuse_outdated(entry: Deposit, draft: str | Path | None, site: Site) -> None:
    """Refuse a draft that is not the state of the bundle that the user names."""
    if draft is None or not _is_bundle(draft):
        return
    if open_bundle(draft).manifest_sha256 != entry.source_sha256:
        raise DepositError(
            f"{draft}: has changed since it was deposited; run: {deposit_line(draft, site)}"
        )


def _is_in_review(client: Client, entry: Deposit) -> bool:
    """Tell whether the draft waits for its community; refuse one that was declined or is gone."""
    line = deposit_line(entry.source, client.site)
    try:
        waits = drafts.is_in_review(client, entry)
    except RecordNotFoundError as error:
        raise RecordNotFoundError(
            f"{entry.page}: neither a draft nor a record is there any more; run: {line}",
            status=error.status,
            url=error.url,
        ) from error
    if entry.state == "review" and not waits:  # its review is closed
        raise DepositError(
            f"{entry.page}: was declined by the community {entry.community}, or the submission was "
            f"taken back; see why on that page, then run: {line}"
        )
    return waits


def _compare(client: Client, entry: Deposit) -> None:
    """Refuse to publish other files than those of the staged copy."""
    there = server_files(client, entry.record)
    faults = []
    for name in sorted(there.keys() | entry.files.keys()):
        if name not in entry.files:
            faults.append(Fault(name, "is no file of the bundle"))
        elif name not in there:
            faults.append(Fault(name, "was not sent"))
        elif not there[name].equals(entry.files[name]):
            faults.append(Fault(name, "is incomplete, or has another size or MD5"))
    if not entry.described:
        faults.append(Fault("", "the deposit was not finished"))
    if faults:
        raise ChecksumError.from_faults(
            f"{entry.page}: not published; the draft is not the staged copy (run again: "
            f"{deposit_line(entry.source, client.site)}):",
            faults,
        )


def _publish(client: Client, entry: Deposit) -> Record | None:
    """Ask once; where the answer is lost, look what became of it."""
    action = "submit-review" if entry.community else "publish"
    entry.state = "publishing"
    save_deposit(entry)
    try:
        answer = client.send_json("POST", f"/records/{entry.record}/draft/actions/{action}")
    except ServiceUnavailableError as trouble:
        return _found_out(client, entry, trouble)
    except LimenError:
        entry.state = "draft"
        save_deposit(entry)
        raise
    if entry.community:
        entry.state = "review"
        save_deposit(entry)
        return None
    record = _look(client, entry)
    return record if record is not None else parse_record(answer, client.site)


def _found_out(client: Client, entry: Deposit, trouble: ServiceUnavailableError) -> Record | None:
    """Look for a bounded time whether a publication happened whose answer was lost."""
    unknown = PublishUnknownError(
        f"{entry.page}: whether it was published cannot be told ({trouble}); open that page before "
        "you do anything; the same command looks again, and asks once more only if it is a draft",
        status=trouble.status,
        url=trouble.url,
    )
    budget = min(_LOOKED_UP_FOR, client.patience.budget)
    waits = Waits(replace(client.patience, budget=budget, longest=10.0))
    while True:
        try:
            record = _look(client, entry)
            if record is not None:
                return record
            if entry.community and drafts.is_submitted(client, entry.record):
                entry.state = "review"
                save_deposit(entry)
                return None
        except (NetworkError, RecordNotFoundError) as error:
            _log.info("looking for the record: %s", error)
        try:
            waits.wait(None, unknown)
        except PublishUnknownError as error:
            raise error from trouble


def _settle(entry: Deposit, record: Record, site: Site) -> Record:
    """Note a publication, and let the bundle adopt it."""
    wrong = [
        name
        for name, file in entry.files.items()
        if record.files
        and (name not in record.files or record.files[name].md5 not in ("", file.md5))
    ]
    if wrong:
        raise ChecksumError(
            f"{record.page}: is published, but {', '.join(wrong)} are not the files of the staged "
            "copy; look at that page, and write to the archive's support if it was not you"
        )
    if record.concept_doi and entry.concept_doi not in ("", record.concept_doi):
        _log.warning(
            "%s: its concept DOI is %s, the files say %s",
            record.page,
            record.concept_doi,
            entry.concept_doi,
        )
    entry.state, entry.concept = "published", record.concept or entry.concept
    entry.concept_doi = record.concept_doi or entry.concept_doi
    save_deposit(entry)
    if not site.test and not entry.adopted:
        adopt(entry)
    return record
