"""Routes of the old interface for depositing, on the same drafts."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import unquote

from standin.answers import Answer, RefusalError, json_answer
from standin.call import Call
from standin.drafting import begin_edit, check_file, discard, import_files, new_version, publish
from standin.drafts import mine
from standin.files import PIECE, StoredFile
from standin.legacy import from_legacy, to_legacy
from standin.query import parse_query
from standin.searching import page_of
from standin.shapes import describe, quoted
from standin.store import GONE, Edit, Entry
from standin.uploads import receive

__all__ = [
    "action",
    "bucket",
    "create",
    "delete",
    "delete_file",
    "get",
    "index",
    "listing",
    "post_file",
    "put",
]


def _mine(call: Call, number: str) -> Entry:
    call.may("deposit:write")
    entry = call.store.entries.get(int(number))
    if entry is None or entry.tombstone is not None:
        raise RefusalError(404, GONE)
    if not call.owns(entry):
        raise RefusalError(403, "Permission denied.")
    return entry


def document(call: Call, entry: Entry) -> dict[str, Any]:
    """Give a deposition."""
    content = entry.draft or entry.content
    metadata = to_legacy(content.metadata, content.access)
    slugs = entry.legacy_communities or entry.concept.communities
    if slugs:
        metadata["communities"] = [{"identifier": slug} for slug in slugs]
    # The prefix is that of production, also on the sandbox: a trap that clients must know.
    metadata["prereserve_doi"] = {"doi": f"10.5281/zenodo.{entry.id}", "recid": entry.id}
    doi = entry.doi
    found: dict[str, Any] = {
        "id": entry.id,
        "record_id": entry.id,
        "conceptrecid": str(entry.concept.id),
        "created": entry.created,
        "modified": entry.updated,
        "owner": int(entry.owner) if entry.owner.isdigit() else 1,
        "title": metadata.get("title", ""),
        "metadata": metadata,
        "files": [_file(call, entry, file) for file in entry.files.values() if file.completed],
        "links": _links(call, entry),
        "state": _state(entry),
        "submitted": entry.published,
    }
    if doi:
        found |= {"doi": doi, "doi_url": f"{call.resolver}/{doi}"}
        metadata["doi"] = doi
    if entry.published:
        found["conceptdoi"] = call.store.doi(entry.concept.id)
    return found


def _state(entry: Entry) -> str:
    if not entry.published:
        return "unsubmitted"
    return "inprogress" if entry.edit else "done"


def _links(call: Call, entry: Entry) -> dict[str, str]:
    here = f"{call.api}/deposit/depositions/{entry.id}"
    links = {
        "self": here,
        "html": f"{call.base}/deposit/{entry.id}",
        "bucket": f"{call.api}/files/{_bucket(entry.id)}",
        "files": f"{here}/files",
    }
    for name in ("publish", "edit", "discard", "newversion"):
        links[name] = f"{here}/actions/{name}"
    draft = entry.concept.draft or (entry.id if entry.draft else None)
    if draft is not None:
        links["latest_draft"] = f"{call.api}/deposit/depositions/{draft}"
        links["latest_draft_html"] = f"{call.base}/deposit/{draft}"
    if entry.published:
        record = f"{call.api}/records/{entry.id}"
        links |= {"record": record, "record_html": f"{call.base}/records/{entry.id}"}
        links |= {
            "latest": f"{record}/versions/latest",
            "latest_html": f"{call.base}/records/{entry.id}/latest",
        }
        links |= {"doi": f"{call.resolver}/{entry.doi}"}
        links |= {"parent_doi": f"{call.resolver}/{call.store.doi(entry.concept.id)}"}
    return links


def _bucket(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _file(call: Call, entry: Entry, file: StoredFile) -> dict[str, Any]:
    place = f"{call.api}/records/{entry.id}/draft/files/{quoted(file.key)}"
    return {
        "id": file.id,
        "filename": file.key,
        "filesize": file.size,
        "checksum": file.md5,
        "links": {"self": place, "download": f"{place}/content"},
    }


def index(call: Call) -> Answer:
    """List depositions of the one who asks."""
    call.may("deposit:write")
    test = parse_query(call.query.get("q", ""))
    wanted = call.query.get("status", "")
    found = [
        entry
        for entry in reversed(list(call.store.entries.values()))
        if call.owns(entry)
        and entry.tombstone is None
        and (not wanted or (wanted == "published") == entry.published)
        and (
            not entry.published
            or call.flag("all_versions")
            or entry.id == entry.concept.versions[-1]
        )
        and test(describe(call, entry, rdm=True))
    ]
    size, number = page_of(call)
    return json_answer([document(call, e) for e in found[size * (number - 1) : size * number]])


def _metadata(call: Call, entry_communities: list[str]) -> tuple[Edit, list[str]]:
    sent = call.document()
    if not isinstance(sent, dict) or not isinstance(sent.get("metadata", {}), dict):
        raise RefusalError(400, "Unable to decode JSON data in request body.")
    unknown = sorted(sent.keys() - {"metadata"})
    if unknown:
        faults = [(key, "Unknown field.") for key in unknown]
        raise RefusalError(400, "A validation error occurred.", faults)
    old = sent.get("metadata", {})
    metadata, access = from_legacy(old)
    slugs = [str(one.get("identifier", "")) for one in old.get("communities", [])]
    return Edit(metadata, access, {}), slugs or entry_communities


def create(call: Call) -> Answer:
    """Make a deposition."""
    call.may("deposit:write")
    content, slugs = _metadata(call, [])
    entry = call.store.new_entry(call.user, content)
    entry.legacy_communities = slugs
    return json_answer(document(call, entry), 201)


def get(call: Call, number: str) -> Answer:
    """Give a deposition."""
    return json_answer(document(call, _mine(call, number)))


def put(call: Call, number: str) -> Answer:
    """Replace the metadata."""
    _mine(call, number)
    entry = mine(call, number)
    content, entry.legacy_communities = _metadata(call, entry.legacy_communities)
    draft = entry.draft
    if draft is None:
        raise RefusalError(404, GONE)
    draft.metadata, draft.access = content.metadata, content.access
    entry.touch()
    return json_answer(document(call, entry))


def delete(call: Call, number: str) -> Answer:
    """Delete a deposition that was never published."""
    entry = _mine(call, number)
    if entry.published:
        raise RefusalError(404, GONE)
    discard(call.store, entry)
    return Answer(204)


def action(call: Call, number: str, name: str) -> Answer:
    """Publish, edit, discard, or begin a new version."""
    entry = _mine(call, number)
    call.may("deposit:actions")
    if name == "publish":
        publish(call.store, entry)
        return json_answer(document(call, entry), 202)
    if name == "edit":
        begin_edit(entry)
        return json_answer(document(call, entry), 201)
    if name == "discard":
        discard(call.store, entry)
        return Answer(204)
    if not entry.published:
        raise RefusalError(404, GONE)
    fresh = new_version(call.store, entry)
    import_files(call.store, fresh)
    return json_answer(document(call, fresh), 201)


def bucket(call: Call, bucket_id: str, key: str) -> Answer:
    """Take the bytes of a file; one of that name is replaced."""
    entry = mine(call, str(int(bucket_id.rpartition("-")[2])))
    name = unquote(key)
    check_file(call.store, entry, name, call.length)
    file = StoredFile(name)
    receive(call, entry, file)
    file.completed = True
    entry.files[name] = file
    here = f"{call.api}/files/{bucket_id}/{quoted(name)}"
    answer = {
        "key": name,
        "mimetype": file.mimetype,
        "checksum": f"md5:{file.md5}",
        "version_id": file.version_id,
        "size": file.size,
        "created": file.created,
        "updated": file.updated,
        "links": {
            "self": here,
            "version": f"{here}?versionId={file.version_id}",
            "uploads": f"{here}?uploads",
        },
        "is_head": True,
        "delete_marker": False,
    }
    return json_answer(answer, 201)


def listing(call: Call, number: str) -> Answer:
    """List the files."""
    entry = _mine(call, number)
    return json_answer([_file(call, entry, f) for f in entry.files.values() if f.completed])


def post_file(call: Call, number: str) -> Answer:
    """Take a file from a form."""
    entry = mine(call, number)
    if (call.length or 0) > call.store.options.max_body:
        raise RefusalError(413, "413 Request Entity Too Large")
    name, data = _form(call)
    key = re.sub(r"[^A-Za-z0-9_.-]", "", name.replace("/", " ").replace(" ", "_")).strip("._")
    check_file(call.store, entry, key, len(data))
    entry.files[key] = StoredFile.of(key, data)
    return json_answer(_file(call, entry, entry.files[key]), 201)


def _form(call: Call) -> tuple[str, bytes]:
    kind = call.headers.get("Content-Type", "")
    data = b"".join(iter(lambda: call.body.read(PIECE), b""))
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
    name, content = "", None
    for part in form.get_payload() if form.is_multipart() else ():
        if not isinstance(part, Message):
            continue
        field = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if field == "file" and isinstance(payload, bytes):
            content, name = payload, name or part.get_filename() or ""
        elif field == "name" and isinstance(payload, bytes):
            name = payload.decode()
    if content is None or not name:
        raise RefusalError(400, "A validation error occurred.", [("file", "Missing data.")])
    return name, content


def delete_file(call: Call, number: str, file_id: str) -> Answer:
    """Remove a file by its id."""
    entry = mine(call, number)
    if entry.published:
        raise RefusalError(403, "Permission denied.")
    for key, file in entry.files.items():
        if file.id == file_id:
            del entry.files[key]
            return Answer(204)
    raise RefusalError(404, GONE)
