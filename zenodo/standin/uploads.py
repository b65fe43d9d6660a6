"""Routes of a draft's files: announce, send, commit, delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from standin.answers import Answer, RefusalError, json_answer
from standin.call import Call
from standin.drafting import TOO_MANY, check_file
from standin.drafts import mine
from standin.files import StoredFile
from standin.serving import serve_file
from standin.shapes import file_entry, file_list
from standin.store import Entry

__all__ = [
    "commit",
    "delete_file",
    "draft_content",
    "get_file",
    "list_files",
    "put_content",
    "receive",
    "start",
]


def list_files(call: Call, number: str) -> Answer:
    """List the files of a draft."""
    return json_answer(file_list(call, mine(call, number), draft=True))


def start(call: Call, number: str) -> Answer:
    """Announce files."""
    entry = mine(call, number)
    wanted = call.document()
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise RefusalError(
            400, "A validation error occurred.", [("_schema", "Invalid input type.")]
        )
    keys = [str(one.get("key", "")) for one in wanted]
    if len(entry.files) + len(set(keys)) > call.store.options.max_files:
        raise RefusalError(400, TOO_MANY)
    for key, one in zip(keys, wanted, strict=True):
        if key in entry.files or keys.count(key) > 1:
            raise RefusalError(400, f"File with key {key} already exists.")
        if (one.get("transfer") or {}).get("type", "L") != "L":
            raise RefusalError(403, "Permission denied.")
        check_file(call.store, entry, key, _size(one))
    for key, one in zip(keys, wanted, strict=True):
        entry.files[key] = StoredFile(key, size=_size(one))
    return json_answer(file_list(call, entry, draft=True), 201)


def _size(one: dict[str, Any]) -> int | None:
    return int(one["size"]) if one.get("size") is not None else None


def _file(entry: Entry, key: str) -> StoredFile:
    name = unquote(key)
    if name not in entry.files:
        raise RefusalError(404, f"Record '{entry.id}' has no file '{name}'.")
    return entry.files[name]


def get_file(call: Call, number: str, key: str) -> Answer:
    """Describe a file of a draft."""
    entry = mine(call, number)
    return json_answer(file_entry(call, entry, _file(entry, key), draft=True))


def draft_content(call: Call, number: str, key: str) -> Answer:
    """Give the bytes of a draft's file."""
    return serve_file(call, _file(mine(call, number), key))


def put_content(call: Call, number: str, key: str) -> Answer:
    """Take the bytes of an announced file; one that breaks off is forgotten."""
    entry = mine(call, number)
    file = _file(entry, key)
    if call.headers.get("Content-Type", "").split(";")[0] != "application/octet-stream":
        raise RefusalError(
            415, "Invalid 'Content-Type' header. Expected one of: application/octet-stream"
        )
    if file.completed:
        raise RefusalError(400, f'File with key "{file.key}" is committed.')
    check_file(call.store, entry, file.key, call.length)
    if file.size is not None and call.length is not None and file.source is None:
        _same(file.size, call.length)
    receive(call, entry, file)
    return json_answer(file_entry(call, entry, file, draft=True))


def _same(announced: int, sent: int) -> None:
    if announced != sent:
        raise RefusalError(400, "Content-Length does not match file size.")


def receive(call: Call, entry: Entry, file: StoredFile) -> None:
    """Take the body of a request as the bytes of a file."""
    path = call.store.upload_path()
    try:
        md5, size = call.keep(path)
    except ConnectionError:
        entry.files.pop(file.key, None)
        path.unlink(missing_ok=True)
        raise
    check_file(call.store, entry, file.key, size)
    file.fill(path, md5, size)


def commit(call: Call, number: str, key: str) -> Answer:
    """Complete an upload."""
    entry = mine(call, number)
    file = _file(entry, key)
    if file.completed:
        raise RefusalError(400, f'File with key "{file.key}" is committed.')
    if file.source is None:
        raise RefusalError(400, f'File with key "{file.key}" has no content.')
    file.completed = True
    return json_answer(file_entry(call, entry, file, draft=True))


def delete_file(call: Call, number: str, key: str) -> Answer:
    """Remove a file from a draft."""
    entry = mine(call, number)
    if entry.published:
        raise RefusalError(403, "Permission denied.")
    del entry.files[_file(entry, key).key]
    return Answer(204)
