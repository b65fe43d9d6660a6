"""Drafts at an archive: made once, found again, given a DOI, described, put before a community."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from limen_zenodo.answers import field_faults
from limen_zenodo.client import Client
from limen_zenodo.errors import DepositError, NetworkError, RecordNotFoundError, ZenodoError
from limen_zenodo.journals import Deposit, save_deposit
from limen_zenodo.metadata import marker_text
from limen_zenodo.sites import PRODUCTION, SANDBOX
from limen_zenodo.uploading import once, server_files

__all__ = [
    "describe",
    "import_files",
    "is_in_review",
    "is_submitted",
    "make_draft",
    "read_draft",
    "reserve_doi",
    "submit_to",
]

_log = logging.getLogger("limen.zenodo")

_DOI = re.compile(r"10\.[0-9]{4,9}/[!-~]{1,180}")
_RECORD = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
_PAGES_OF_DRAFTS = 20
# New drafts may be missing in lists for some seconds.
_LOOKS = 4


def make_draft(client: Client, deposit: Deposit, document: Mapping[str, Any]) -> None:
    """
    Make the draft of a deposit, or find the one that was made before.

    Parameters
    ----------
    client : Client
    deposit : Deposit
        ``record`` and what else the archive says are set, and its journal is saved.
    document : mapping
        The record's, with the deposit's marker.

    Raises
    ------
    DepositError, AccessError, NetworkError, RecordNotFoundError
    """
    parent = deposit.parent_record
    if deposit.record:
        draft = read_draft(client, deposit.record)
    elif parent:
        # The archive gives the same draft again as long as it is not published.
        place = f"/records/{parent}/versions"
        draft = once(client, lambda: client.send_json("POST", place), lambda: None)
    else:
        draft = _new(client, deposit, document)
    _take(client, deposit, draft)


def _new(client: Client, deposit: Deposit, document: Mapping[str, Any]) -> Any:
    if deposit.asked:
        # A process before this one may have made it and not lived to note it.
        found = _look(client, deposit)
        if found is not None:
            return found
    deposit.asked = True
    save_deposit(deposit)
    return once(
        client,
        lambda: client.send_json("POST", "/records", document),
        lambda: _look(client, deposit),
    )


def _look(client: Client, deposit: Deposit) -> Any | None:
    """Look among one's own drafts for that of a deposit."""
    waits, unseen = client.waits(), ZenodoError("not among the drafts yet")
    for attempt in range(_LOOKS):
        found = _with_marker(client, deposit.marker)
        if found is not None:
            return found
        try:
            if attempt + 1 < _LOOKS:
                waits.wait(None, unseen)
        except ZenodoError:
            break
    return None


def _with_marker(client: Client, marker: str) -> Any | None:
    params = {"q": "is_published:false", "size": "25", "sort": "newest"}
    answer = client.get_json("/user/records", params)
    for _ in range(_PAGES_OF_DRAFTS):
        for hit in _at(answer, "hits", "hits") or []:
            texts = _at(hit, "metadata", "additional_descriptions") or []
            if any(marker_text(marker) in str(_at(text, "description")) for text in texts):
                return read_draft(client, str(_at(hit, "id")))
        following = _at(answer, "links", "next")
        if not (isinstance(following, str) and client.site.trusts(following)):
            return None
        answer = client.get_json(following)
    return None


def _take(client: Client, deposit: Deposit, draft: Any) -> None:
    """Note what the archive says of a draft."""
    record, doi = str(_at(draft, "id")), str(_at(draft, "parent", "pids", "doi", "identifier"))
    page = str(_at(draft, "links", "self_html"))
    if not _RECORD.fullmatch(record) or _at(draft, "is_published"):
        raise NetworkError(f"{client.site.host}: found an answer that is no draft; try again later")
    deposit.record, deposit.asked = record, True
    deposit.concept = str(_at(draft, "parent", "id") or "")
    deposit.concept_doi = doi if _DOI.fullmatch(doi) else ""
    trusted = client.site.trusts(page) and page.isprintable()
    deposit.page = page if trusted else f"{client.site.url}/uploads/{record}"
    save_deposit(deposit)


def _at(document: Any, *path: str) -> Any:
    """Give a part of an answer; None if it is not there."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def read_draft(client: Client, record: str) -> Any:
    """
    Read a draft.

    Raises
    ------
    RecordNotFoundError
        If there is none; it may be published.
    """
    return client.get_json(f"/records/{record}/draft")


def is_submitted(client: Client, record: str) -> bool:
    """Tell whether a draft waits for its community; also where the archive does not say."""
    return (_at(read_draft(client, record), "status") or "in_review") == "in_review"


def is_in_review(client: Client, deposit: Deposit) -> bool:
    """
    Tell whether a deposit was submitted to its community, and was not declined.

    Raises
    ------
    RecordNotFoundError
        If there is no draft.
    """
    submitted = is_submitted(client, deposit.record)
    return deposit.state == "review" and submitted


def reserve_doi(client: Client, deposit: Deposit) -> Mapping[str, Any]:
    """
    Reserve the DOI of a draft, unless that was done.

    Returns
    -------
    mapping
        ``pids`` of the draft, to be sent back with its document.

    Raises
    ------
    DepositError
        If the archive refuses, or gives another DOI than before.
    """

    def look() -> Any | None:
        draft = read_draft(client, deposit.record)
        return draft if _doi(draft) else None

    def ask() -> Any:
        try:
            return client.send_json("POST", f"/records/{deposit.record}/draft/pids/doi")
        except DepositError:
            # It is refused where there is one already.
            draft = look()
            if draft is None:
                raise
            return draft

    draft = look() or once(client, ask, look)
    doi, site = _doi(draft), client.site
    if not doi:
        draft = read_draft(client, deposit.record)
        doi = _doi(draft)
    if not _DOI.fullmatch(doi):
        raise NetworkError(f"{site.host}: found no DOI in its answer; try again later")
    deposit.doi = doi
    zenodo = site.name in (PRODUCTION.name, SANDBOX.name) and doi == site.doi(deposit.record)
    if zenodo and deposit.concept and not deposit.concept_doi:
        # Zenodo makes both DOIs from the ids, but shows that of the concept after publication only.
        deposit.concept_doi = site.doi(deposit.concept)
    save_deposit(deposit)
    return dict(_at(draft, "pids") or {})


def _doi(draft: Any) -> str:
    return str(_at(draft, "pids", "doi", "identifier") or "")


def import_files(client: Client, deposit: Deposit) -> None:
    """Let a new version begin with the files of the version before, which spares sending them."""
    if server_files(client, deposit.record):
        return
    place = f"/records/{deposit.record}/draft/actions/files-import"
    try:
        once(
            client,
            lambda: client.send_json("POST", place),
            lambda: server_files(client, deposit.record) or None,
        )
    except (DepositError, RecordNotFoundError) as error:
        _log.info("the files of the version before are not taken over (%s): all are sent", error)


def describe(client: Client, deposit: Deposit, document: Mapping[str, Any]) -> None:
    """
    Write the whole document of a draft and read what the archive thinks of it.

    Raises
    ------
    DepositError
        With all that the archive finds wrong; the draft stays.
    """
    answer = client.send_json("PUT", f"/records/{deposit.record}/draft", document)
    faults = field_faults(answer) if isinstance(answer, dict) else []
    if faults:
        raise DepositError.from_faults(
            f"{deposit.page}: the draft is there, but {client.site.host} does not accept of it:",
            faults,
        )


def submit_to(client: Client, deposit: Deposit, community: str) -> None:
    """
    Say to which community a draft is to be submitted when it is published.

    Raises
    ------
    DepositError
        If there is no such community.
    """
    try:
        found = client.get_json(f"/communities/{community}")
    except RecordNotFoundError as error:
        raise DepositError(
            f"--community: found {community!r}, which {client.site.host} does not know; give the "
            "last part of the community's address",
            status=error.status,
            url=error.url,
        ) from error
    body = {"receiver": {"community": str(_at(found, "id"))}, "type": "community-submission"}
    client.send_json("PUT", f"/records/{deposit.record}/draft/review", body)
