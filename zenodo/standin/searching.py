"""Search of records, and communities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from standin.answers import Answer, RefusalError, json_answer
from standin.call import RDM, Call
from standin.query import Test, parse_query
from standin.shapes import describe, draft_document
from standin.store import Community, Entry

__all__ = ["community", "community_records", "page_of", "search", "user_records", "versions"]

_SORTS = frozenset(
    [
        "bestmatch",
        "newest",
        "oldest",
        "version",
        "mostviewed",
        "mostdownloaded",
        "publication-desc",
        "publication-asc",
        "updated-desc",
        "updated-asc",
        "mostrecent",
        "-mostrecent",
        "-bestmatch",
        "-version",
    ]
)
_INVALID = "Invalid querystring parameters."


def search(call: Call) -> Answer:
    """Search published records; a community that does not exist is ignored, as there."""
    wanted = {slug for slug in call.query.get("communities", "").split(",") if slug}
    wanted &= call.store.communities.keys()
    found = _published(call, everything=call.flag("all_versions", "allversions"))
    if wanted:
        found = [entry for entry in found if wanted & set(entry.concept.communities)]
    return _answer(call, f"{call.api}/records", found)


def community(call: Call, slug: str) -> Answer:
    """Give a community."""
    return json_answer(_community(call, _known(call, slug)))


def community_records(call: Call, slug: str) -> Answer:
    """Search records of a community."""
    known = _known(call, slug)
    found = _published(call, everything=call.flag("all_versions", "allversions"))
    found = [entry for entry in found if known.slug in entry.concept.communities]
    return _answer(call, f"{call.api}/communities/{slug}/records", found)


def versions(call: Call, number: str) -> Answer:
    """Search the published versions of a record."""
    entry = call.store.entries.get(int(number))
    concept = entry.concept if entry and entry.public else call.store.concepts.get(int(number))
    if concept is None or call.store.latest(concept) is None:
        raise RefusalError(404, "The persistent identifier does not exist.")
    found = [e for e in _published(call, everything=True) if e.concept is concept]
    return _answer(call, f"{call.api}/records/{number}/versions", found)


def user_records(call: Call) -> Answer:
    """Search records and drafts of the one who asks."""
    if call.token is None:
        raise RefusalError(403, "Permission denied.")
    mine = [entry for entry in call.store.entries.values() if call.owns(entry)]
    mine = [entry for entry in mine if entry.tombstone is None]
    return _answer(call, f"{call.api}/user/records", mine)


def _known(call: Call, slug: str) -> Community:
    for one in call.store.communities.values():
        if slug in (one.slug, one.id):
            return one
    raise RefusalError(404, "The persistent identifier does not exist.")


def _community(call: Call, one: Community) -> dict[str, Any]:
    here = f"{call.api}/communities/{one.slug}"
    policy = {
        "visibility": "public",
        "record_submission_policy": "open",
        "members_visibility": "public",
    }
    policy["review_policy"] = "open" if one.open else "closed"
    links = {
        "self": here,
        "self_html": f"{call.base}/communities/{one.slug}",
        "records": f"{here}/records",
    }
    return {
        "id": one.id,
        "slug": one.slug,
        "access": policy,
        "metadata": {"title": one.title},
        "links": links,
    }


def _published(call: Call, *, everything: bool) -> list[Entry]:
    found = [e for e in call.store.entries.values() if e.public and e.tombstone is None]
    return found if everything else [e for e in found if call.store.latest(e.concept) is e]


def _number(call: Call, name: str, default: int) -> int:
    try:
        value = int(call.query.get(name, default))
    except ValueError as error:
        raise RefusalError(400, _INVALID, [(name, "Not a valid integer.")]) from error
    if value < 1:
        raise RefusalError(400, _INVALID, [(name, "Must be greater than or equal to 1.")])
    return value


def page_of(call: Call) -> tuple[int, int]:
    """Give size and number of the page asked for, if they are allowed."""
    options = call.store.options
    limit = options.member_page if call.token else options.guest_page
    size, number = _number(call, "size", min(25, limit)), _number(call, "page", 1)
    if size > limit:
        message = f"Page size cannot be greater than {limit}."
        if not call.token:
            message += (
                " Please use authenticated requests to increase the limit to "
                f"{options.member_page}."
            )
        raise RefusalError(400, "A validation error occurred.", [("size", message)])
    if size * number > options.window:
        raise RefusalError(400, _INVALID)
    return size, number


def _answer(call: Call, here: str, entries: Iterable[Entry]) -> Answer:
    size, number = page_of(call)
    order = call.query.get("sort", "bestmatch" if call.query.get("q") else "newest")
    if order not in _SORTS:
        raise RefusalError(400, _INVALID, [("sort", f"Invalid sort option '{order}'.")])
    test = parse_query(call.query.get("q", ""), old_names=call.store.options.zenodo)
    kept = _sorted([entry for entry in entries if _asked(call, entry, test)], order)
    shown = kept[size * (number - 1) : size * number]
    links = {"self": _page_link(call, here, number, size)}
    if size * number < min(len(kept), call.store.options.window):
        links["next"] = _page_link(call, here, number + 1, size)
    if number > 1:
        links["prev"] = _page_link(call, here, number - 1, size)
    hits = [describe(call, e) if e.public else draft_document(call, e) for e in shown]
    document = {
        "hits": {"hits": hits, "total": len(kept)},
        "aggregations": {},
        "sortBy": order,
        "links": links,
    }
    return json_answer(document, kind=RDM if call.accept == RDM else "application/json")


def _asked(call: Call, entry: Entry, test: Test) -> bool:
    kind = call.query.get("type", "") or call.query.get("resource_type", "")
    content = entry.content.metadata.get("resource_type", {}).get("id", "")
    if kind and content.partition("-")[0] != kind.partition("-")[0]:
        return False
    status = call.query.get("access_status", "")
    return (not status or entry.status == status) and test(describe(call, entry, rdm=True))


def _sorted(entries: list[Entry], order: str) -> list[Entry]:
    day = order.startswith("publication")
    found = sorted(
        entries,
        key=lambda e: (
            e.content.metadata.get("publication_date", "") if day else "",
            e.updated if order.startswith("updated") else "",
            e.index if "version" in order else 0,
            e.id,
        ),
    )
    rising = order in ("oldest", "publication-asc", "updated-asc", "-mostrecent", "-version")
    return found if rising else found[::-1]


def _page_link(call: Call, here: str, number: int, size: int) -> str:
    given = {k: v for k, v in call.query.items() if k not in ("page", "size", "access_token")}
    return f"{here}?{urlencode(sorted({**given, 'page': number, 'size': size}.items()))}"
