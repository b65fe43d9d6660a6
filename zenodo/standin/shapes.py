"""Records and drafts as JSON, in the Zenodo shape and in the RDM shape."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from standin.answers import field_errors
from standin.call import Call
from standin.files import StoredFile
from standin.legacy import to_legacy
from standin.store import Edit, Entry
from standin.validation import faults_of

__all__ = [
    "describe",
    "draft_document",
    "file_entry",
    "file_list",
    "links_of",
    "quoted",
    "readable",
]


def quoted(key: str) -> str:
    """Give a file name as part of an address; one with dot segments keeps no ``/``."""
    dots = any(part in ("", ".", "..") for part in key.split("/"))
    return quote(key, safe="!$&'()*+,;=:@" if dots else "/!$&'()*+,;=:@")


def readable(call: Call, entry: Entry) -> bool:
    """Tell whether the one who asks may read the files."""
    return entry.status == "open" or call.owns(entry)


def links_of(call: Call, entry: Entry, *, draft: bool) -> dict[str, str]:
    """Give the links of a record or a draft."""
    api, site = f"{call.api}/records/{entry.id}", f"{call.base}/records/{entry.id}"
    here = f"{api}/draft" if draft else api
    parent = entry.concept.id
    links = {
        "self": here,
        "self_html": f"{call.base}/uploads/{entry.id}" if draft else site,
        "files": f"{here}/files",
        "archive": f"{here}/files-archive",
        "latest": f"{api}/versions/latest",
        "latest_html": f"{site}/latest",
        "versions": f"{api}/versions",
        "draft": f"{api}/draft",
        "record": api,
        "record_html": site,
        "parent": f"{call.api}/records/{parent}",
        "parent_html": f"{call.base}/records/{parent}",
        "communities": f"{api}/communities",
        "requests": f"{api}/requests",
        "access_links": f"{api}/access/links",
        "reserve_doi": f"{api}/draft/pids/doi",
    }
    if draft:
        links["publish"] = f"{api}/draft/actions/publish"
        links["review"] = f"{api}/draft/review"
        links["submit-review"] = f"{api}/draft/actions/submit-review"
    doi = _doi(entry.draft if draft else entry.content)
    if doi:
        links |= {"doi": f"{call.resolver}/{doi}", "self_doi": f"{call.resolver}/{doi}"}
        links["self_doi_html"] = f"{call.base}/doi/{doi}"
    if entry.concept.versions:
        mine = call.store.doi(parent)
        links["parent_doi"] = f"{call.resolver}/{mine}"
        links["parent_doi_html"] = f"{call.base}/doi/{mine}"
    return links


def _doi(content: Edit | None) -> str:
    return str(content.pids.get("doi", {}).get("identifier", "")) if content else ""


def file_entry(call: Call, entry: Entry, file: StoredFile, *, draft: bool) -> dict[str, Any]:
    """Give one file as the routes of files have it."""
    here = f"{call.api}/records/{entry.id}{'/draft' if draft else ''}/files/{quoted(file.key)}"
    found: dict[str, Any] = {
        "key": file.key,
        "status": "completed" if file.completed else "pending",
        "transfer": {"type": "L"},
        "storage_class": "L",
        "metadata": None,
        "access": {"hidden": False},
        "created": file.created,
        "updated": file.updated,
        "links": {"self": here, "content": f"{here}/content"},
    }
    if file.completed:
        found |= {
            "file_id": file.id,
            "version_id": file.version_id,
            "bucket_id": str(entry.id),
            "size": file.size,
            "checksum": f"md5:{file.md5}",
            "mimetype": file.mimetype,
        }
    elif file.size is not None:
        found["size"] = file.size
    if draft:
        found["links"]["commit"] = f"{here}/commit"
    return found


def file_list(call: Call, entry: Entry, *, draft: bool) -> dict[str, Any]:
    """Give all files as the routes of files have them."""
    here = f"{call.api}/records/{entry.id}{'/draft' if draft else ''}"
    return {
        "enabled": True,
        "default_preview": None,
        "order": [],
        "links": {"self": f"{here}/files", "archive": f"{here}/files-archive"},
        "entries": [file_entry(call, entry, file, draft=draft) for file in entry.files.values()],
    }


def describe(call: Call, entry: Entry, *, rdm: bool | None = None) -> dict[str, Any]:
    """Give a published record in the shape that is asked for."""
    shape = _rdm if (call.rdm if rdm is None else rdm) else _zenodo
    return shape(call, entry, entry.content, draft=False)


def draft_document(
    call: Call, entry: Entry, faults: list[tuple[str, str]] | None = None
) -> dict[str, Any]:
    """Give a draft in the shape that is asked for; its faults only in the RDM shape."""
    content = entry.draft or entry.content
    if not call.rdm:
        return _zenodo(call, entry, content, draft=True)
    found = _rdm(call, entry, content, draft=True)
    every = (faults or []) + faults_of(content.metadata, content.access)
    if faults is not None and every:
        found["errors"] = field_errors(every)
    return found


def _is_latest(call: Call, entry: Entry) -> bool:
    last = call.store.latest(entry.concept)
    return last is None or last.id == entry.id


def _zenodo(call: Call, entry: Entry, content: Edit, *, draft: bool) -> dict[str, Any]:
    doi, parent = _doi(content), str(entry.concept.id)
    metadata = to_legacy(content.metadata, content.access)
    metadata.pop("upload_type", None)
    kind, _, part = str(content.metadata.get("resource_type", {}).get("id", "")).partition("-")
    if kind:
        metadata["resource_type"] = {"title": kind.capitalize(), "type": kind}
        if part:
            metadata["resource_type"]["subtype"] = part
    if "license" in metadata:
        metadata["license"] = {"id": metadata["license"]}
    if entry.concept.communities:
        metadata["communities"] = [{"id": slug} for slug in entry.concept.communities]
    relation = {
        "index": entry.index - 1,
        "is_last": _is_latest(call, entry),
        "parent": {"pid_type": "recid", "pid_value": parent},
    }
    metadata["relations"] = {"version": [relation]}
    title = metadata.get("title", "")
    found: dict[str, Any] = {
        "created": entry.created,
        "modified": entry.updated,
        "updated": entry.updated,
        "id": entry.id,
        "recid": str(entry.id),
        "conceptrecid": parent,
        "title": title,
        "metadata": metadata,
        "links": links_of(call, entry, draft=draft),
        "revision": entry.revision,
        "status": "draft" if draft else "published",
        "state": "unsubmitted" if draft else "done",
        "submitted": not draft,
        "files": _zenodo_files(call, entry),
        "owners": [{"id": entry.owner}],
        "swh": {},
        "stats": {"downloads": 0, "unique_downloads": 0, "views": 0, "unique_views": 0},
    }
    if doi:
        metadata["doi"] = doi
        found |= {"doi": doi, "doi_url": f"{call.resolver}/{doi}"}
    if not draft:
        found["conceptdoi"] = call.store.doi(entry.concept.id)
    return found


def _zenodo_files(call: Call, entry: Entry) -> list[dict[str, Any]]:
    if not readable(call, entry):
        return []
    here = f"{call.api}/records/{entry.id}{'' if entry.published else '/draft'}/files"
    return [
        {
            "id": file.id,
            "key": file.key,
            "size": file.size,
            "checksum": f"md5:{file.md5}",
            "links": {"self": f"{here}/{quoted(file.key)}/content"},
        }
        for file in entry.files.values()
        if file.completed
    ]


def _rdm(call: Call, entry: Entry, content: Edit, *, draft: bool) -> dict[str, Any]:
    parent: dict[str, Any] = {
        "id": str(entry.concept.id),
        "access": {"owned_by": {"user": entry.owner}},
        "communities": _communities(call, entry),
        "pids": {"doi": call.store.pid(entry.concept.id)} if entry.concept.versions else {},
    }
    if entry.concept.review:
        parent["review"] = {
            "type": "community-submission",
            "receiver": {"community": entry.concept.review},
        }
    access = {**content.access, "status": entry.status}
    return {
        "id": str(entry.id),
        "created": entry.created,
        "updated": entry.updated,
        "revision_id": entry.revision,
        "is_published": entry.published,
        "is_draft": draft,
        "status": entry.stage,
        "pids": _pids(call, entry, content, draft=draft),
        "parent": parent,
        "versions": {"is_latest": _is_latest(call, entry), "index": entry.index},
        "access": access,
        "metadata": _completed(content.metadata),
        "custom_fields": {},
        "files": _rdm_files(call, entry, draft=draft),
        "media_files": {"enabled": False, "count": 0, "entries": {}, "order": [], "total_bytes": 0},
        "deletion_status": {"is_deleted": False, "status": "P"},
        "links": links_of(call, entry, draft=draft),
        "ui": {},
    }


def _communities(call: Call, entry: Entry) -> dict[str, Any]:
    known = [call.store.communities[slug] for slug in entry.concept.communities]
    return {
        "ids": [community.id for community in known],
        "entries": [
            {"id": one.id, "slug": one.slug, "metadata": {"title": one.title}} for one in known
        ],
    }


def _pids(call: Call, entry: Entry, content: Edit, *, draft: bool) -> dict[str, Any]:
    pids = dict(content.pids)
    if not draft:
        host = call.base.partition("://")[2]
        pids["oai"] = {"identifier": f"oai:{host}:{entry.id}", "provider": "oai"}
    return pids


def _completed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Give metadata with what the archive adds: full names and titles of types."""
    found = dict(metadata)
    kind = found.get("resource_type")
    if isinstance(kind, dict) and "id" in kind:
        found["resource_type"] = {"id": kind["id"], "title": {"en": str(kind["id"]).capitalize()}}
    if isinstance(found.get("creators"), list):
        found["creators"] = [_named(creator) for creator in found["creators"]]
    return found


def _named(creator: Any) -> Any:
    person = creator.get("person_or_org") if isinstance(creator, dict) else None
    if not isinstance(person, dict) or person.get("type") != "personal":
        return creator
    names = [str(person[key]) for key in ("family_name", "given_name") if person.get(key)]
    return {**creator, "person_or_org": {**person, "name": ", ".join(names)}}


def _rdm_files(call: Call, entry: Entry, *, draft: bool) -> dict[str, Any]:
    if not readable(call, entry):
        return {"enabled": True}
    kept = [file for file in entry.files.values() if file.completed]
    return {
        "enabled": True,
        "order": [],
        "count": len(kept),
        "total_bytes": sum(file.size or 0 for file in kept),
        "entries": {file.key: _rdm_file(call, entry, file, draft=draft) for file in kept},
    }


def _rdm_file(call: Call, entry: Entry, file: StoredFile, *, draft: bool) -> dict[str, Any]:
    found = file_entry(call, entry, file, draft=draft)
    keys = ("key", "size", "checksum", "mimetype", "storage_class", "metadata", "access", "links")
    kept = {key: found[key] for key in keys}
    ending = file.key.rpartition(".")[2] if "." in file.key else ""
    return {"id": file.id, "ext": ending, **kept}
