"""What an archive's refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limen_zenodo.errors import (
    AccessError,
    ClientBlockedError,
    DepositError,
    RateLimitedError,
    RecordNotFoundError,
    RecordWithdrawnError,
    ServiceUnavailableError,
    ZenodoError,
)
from limen_zenodo.sites import Site

if TYPE_CHECKING:
    import requests

__all__ = ["field_faults", "refusal"]

_LONGEST = 300


def refusal(
    response: requests.Response, data: bytes, site: Site, *, authenticated: bool
) -> ZenodoError:
    """
    Make an error out of an answer of status 400 or more.

    Parameters
    ----------
    response : requests.Response
    data : bytes
        Its body.
    site : Site
    authenticated : bool
        Whether a token was sent.

    Returns
    -------
    ZenodoError
        To be raised by the caller.
    """
    status, where = response.status_code, str(response.url).partition("?")[0]
    document = _document(data)
    facts: dict[str, Any] = {
        "status": status,
        "url": where,
        "request_id": response.headers.get("X-Request-ID", ""),
    }
    said = _short(document.get("message", "")) if document else ""
    if status == 429:
        limit = response.headers.get("X-RateLimit-Limit", said or "unknown")
        return RateLimitedError(
            f"{site.host}: too many requests (limit {limit}), and no new one in the time allowed; "
            "wait, or use a token, which has a higher limit",
            **facts,
        )
    if status >= 500 or status in (408, 425):
        return ServiceUnavailableError(
            f"{where}: {site.host} answered {status}{f' ({said})' if said else ''}; run it again "
            "later, what is complete is kept",
            **facts,
        )
    if status in (401, 403):
        return _access(document, site, where, authenticated, facts)
    if status == 404:
        return RecordNotFoundError(
            f"{where}: not found at {site.host}{f' ({said})' if said else ''}; it may be a draft, "
            "or lie on another archive",
            **facts,
        )
    if status == 410:
        return _withdrawn(document or {}, where, facts)
    faults = field_faults(document or {})
    if faults:
        error = DepositError.from_faults(f"{site.host} does not accept it:", faults)
        return DepositError(error.message, error.faults, **facts)
    return DepositError(f"{where}: {site.host} answered {status} {said or _short(data)}", **facts)


def field_faults(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """
    List what an answer says of single fields, in the words of either shape.

    >>> field_faults({"errors": [{"field": "metadata.title", "messages": ["Missing data."]}]})
    [('metadata.title', 'Missing data.')]
    """
    faults = []
    for entry in document.get("errors") or []:
        if isinstance(entry, Mapping):
            messages = entry.get("messages") or [entry.get("message", "")]
            faults += [(str(entry.get("field", "")), _short(message)) for message in messages]
    return faults


def _access(
    document: Mapping[str, Any] | None,
    site: Site,
    where: str,
    authenticated: bool,
    facts: dict[str, Any],
) -> ZenodoError:
    if document is None:
        return ClientBlockedError(
            f"{where}: {site.host} refuses this program (a {facts['status']} that is no answer on "
            "permissions); wait, or write to its support"
            + (f" with the reference {facts['request_id']}" if facts["request_id"] else ""),
            **facts,
        )
    if authenticated:
        return AccessError(
            f"{where}: {site.host} refuses the token in {site.token_variable}: it lacks the scopes "
            "deposit:write and deposit:actions, belongs to another account or to another archive",
            **facts,
        )
    return AccessError(
        f"{where}: not public; set {site.token_variable} to a token of an account that may see it",
        **facts,
    )


def _withdrawn(document: Mapping[str, Any], where: str, facts: dict[str, Any]) -> ZenodoError:
    tombstone = document.get("tombstone")
    stone = tombstone if isinstance(tombstone, Mapping) else {}
    reason = stone.get("removal_reason")
    reason = reason.get("id") if isinstance(reason, Mapping) else reason
    words = [f"withdrawn on {_short(stone.get('removal_date', ''))[:10] or 'an unknown day'}"]
    words += [f"reason: {_short(reason)}"] if reason else []
    words += [_short(stone["note"])] if stone.get("note") else []
    words += [f"citation: {_short(stone['citation_text'])}"] if stone.get("citation_text") else []
    return RecordWithdrawnError(f"{where}: {'; '.join(words)}", **facts)


def _document(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _short(text: object) -> str:
    """Give text of a stranger on one line, bounded, without control characters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return "".join(c if c.isprintable() else " " for c in " ".join(plain.split()))[:_LONGEST]
