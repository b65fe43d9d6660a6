"""Routes of drafts: metadata, DOI, publishing, versions and reviews."""

from __future__ import annotations

from typing import Any

from standin.answers import Answer, RefusalError, json_answer
from standin.call import Call
from standin.drafting import begin_edit, discard, import_files, new_version, publish, reserve
from standin.reading import record_answer
from standin.shapes import describe, draft_document, file_list
from standin.store import OPEN, Edit, Entry
from standin.validation import known_fields

__all__ = [
    "create",
    "delete",
    "edit",
    "get",
    "mine",
    "publish_draft",
    "put",
    "put_files",
    "put_review",
    "release_doi",
    "reserve_doi",
    "submit_review",
    "version",
]


def mine(call: Call, number: str, scope: str = "deposit:write") -> Entry:
    """
    Give a draft of the one who asks.

    Raises
    ------
    RefusalError
        403 if it is of another, 404 if there is none.
    """
    call.may(scope)
    entry = call.store.drafted(int(number))
    if not call.owns(entry):
        raise RefusalError(403, "Permission denied.")
    return entry


def _answer(
    call: Call, entry: Entry, status: int = 200, faults: list[tuple[str, str]] | None = None
) -> Answer:
    document = draft_document(call, entry, faults)
    return json_answer(document, status, {"ETag": f'"{entry.revision}"'})


def _content(document: Any) -> tuple[Edit, list[tuple[str, str]]]:
    if not isinstance(document, dict):
        raise RefusalError(400, "Unable to decode JSON data in request body.")
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise RefusalError(
            400, "A validation error occurred.", [("metadata", "Invalid input type.")]
        )
    kept, faults = known_fields(metadata)
    access = {**OPEN, **(document.get("access") or {})}
    access.pop("status", None)
    pids = {k: v for k, v in (document.get("pids") or {}).items() if k == "doi" and v}
    enabled = (document.get("files") or {}).get("enabled", True) is not False
    if not enabled:
        faults.append(("files.enabled", "Metadata-only records are disabled."))
    return Edit(kept, access, pids, enabled), faults


def create(call: Call) -> Answer:
    """Make a draft."""
    call.may("deposit:write")
    content, faults = _content(call.document())
    return _answer(call, call.store.new_entry(call.user, content), 201, faults)


def get(call: Call, number: str) -> Answer:
    """Give a draft."""
    return _answer(call, mine(call, number), faults=[])


def put(call: Call, number: str) -> Answer:
    """Replace the document of a draft; its faults do not fail the request."""
    entry = mine(call, number)
    wanted = call.headers.get("If-Match", "").strip('"')
    if wanted and wanted != str(entry.revision):
        raise RefusalError(412, "The revision does not match the current one.")
    content, faults = _content(call.document())
    if entry.published:
        entry.edit = content
    else:
        entry.content = content
    entry.touch()
    return _answer(call, entry, faults=faults)


def delete(call: Call, number: str) -> Answer:
    """Discard an edit or delete a draft."""
    entry = mine(call, number)
    if entry.draft is None:
        raise RefusalError(404, "The persistent identifier does not exist.")
    if entry.stage == "in_review":
        raise RefusalError(400, "You cannot delete a draft with an open review.")
    discard(call.store, entry)
    return Answer(204)


def edit(call: Call, number: str) -> Answer:
    """Open an edit of a published record."""
    call.may("deposit:write")
    entry = call.store.entries.get(int(number))
    if entry is None or not entry.published:
        entry = mine(call, number)
    if not call.owns(entry):
        raise RefusalError(403, "Permission denied.")
    begin_edit(entry)
    return _answer(call, entry, 201, [])


def reserve_doi(call: Call, number: str) -> Answer:
    """Reserve the DOI."""
    entry = mine(call, number)
    reserve(call.store, entry)
    return _answer(call, entry, 201, [])


def release_doi(call: Call, number: str) -> Answer:
    """Give a reserved DOI back."""
    entry = mine(call, number)
    if entry.published or not entry.content.pids.pop("doi", None):
        raise RefusalError(404, "The persistent identifier does not exist.")
    entry.reserved = ""
    entry.touch()
    return _answer(call, entry, 200, [])


def publish_draft(call: Call, number: str) -> Answer:
    """Publish."""
    entry = mine(call, number, "deposit:actions")
    if entry.stage in ("draft_with_review", "in_review"):
        raise RefusalError(400, "The draft is to be reviewed and cannot be published directly.")
    publish(call.store, entry)
    if entry.public:
        return record_answer(call, entry, 202)
    return json_answer(describe(call, entry), 202)


def version(call: Call, number: str) -> Answer:
    """Begin a new version; a concept has none."""
    call.may("deposit:write")
    entry = call.store.published(int(number))
    if not call.owns(entry):
        raise RefusalError(403, "Permission denied.")
    return _answer(call, new_version(call.store, entry), 201, [])


def put_files(call: Call, number: str) -> Answer:
    """Link the files of the version before."""
    entry = mine(call, number)
    import_files(call.store, entry)
    return json_answer(file_list(call, entry, draft=True), 201)


def put_review(call: Call, number: str) -> Answer:
    """Name the community that reviews the draft."""
    entry = mine(call, number)
    wanted = (call.document().get("receiver") or {}).get("community")
    if wanted not in [one.id for one in call.store.communities.values()]:
        faults = [("receiver.community", "Invalid value.")]
        raise RefusalError(400, "A validation error occurred.", faults)
    if entry.stage == "in_review":
        raise RefusalError(400, "You cannot update a review that is open.")
    entry.concept.review, entry.concept.review_status = wanted, "created"
    return json_answer(_review(call, entry))


def submit_review(call: Call, number: str) -> Answer:
    """Ask the community; the record is public when it accepts."""
    entry = mine(call, number, "deposit:actions")
    if not entry.concept.review:
        raise RefusalError(400, "No review was requested for this draft.")
    if entry.concept.review_status != "created":
        raise RefusalError(400, "The review was submitted already, or is closed.")
    entry.concept.review_status = "submitted"
    return json_answer(_review(call, entry), 202)


def _review(call: Call, entry: Entry) -> dict[str, Any]:
    return {
        "id": f"review-{entry.id}",
        "type": "community-submission",
        "status": entry.concept.review_status,
        "is_open": entry.concept.review_status == "submitted",
        "receiver": {"community": entry.concept.review},
        "topic": {"record": str(entry.id)},
        "links": {"self": f"{call.api}/records/{entry.id}/draft/review"},
    }
