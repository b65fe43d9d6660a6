"""Which route answers which request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from standin import deposit, drafts, reading, searching, uploads
from standin.answers import Answer, RefusalError
from standin.call import Call

__all__ = ["answer"]

Route = Callable[..., Answer]
_ID = r"(\d+)"
_KEY = r"(.+)"
_TABLE: list[tuple[str, str, Route]] = [
    ("GET", "/", reading.home),
    ("GET", "/api/records/", reading.trailing),
    ("GET", "/api/records", searching.search),
    ("POST", "/api/records", drafts.create),
    ("GET", "/api/user/records", searching.user_records),
    ("GET", r"/api/communities/([\w-]+)", searching.community),
    ("GET", r"/api/communities/([\w-]+)/records", searching.community_records),
    ("GET", f"/api/records/{_ID}", reading.record),
    ("GET", f"/api/records/{_ID}/versions/latest", reading.latest),
    ("GET", f"/api/records/{_ID}/versions", searching.versions),
    ("POST", f"/api/records/{_ID}/versions", drafts.version),
    ("GET", f"/api/records/{_ID}/files", reading.files),
    ("GET", f"/api/records/{_ID}/files-archive", reading.archive),
    ("GET", f"/api/records/{_ID}/files/{_KEY}/content", reading.content),
    ("GET", f"/api/records/{_ID}/files/{_KEY}", reading.file),
    ("GET", f"/api/records/{_ID}/draft", drafts.get),
    ("PUT", f"/api/records/{_ID}/draft", drafts.put),
    ("POST", f"/api/records/{_ID}/draft", drafts.edit),
    ("DELETE", f"/api/records/{_ID}/draft", drafts.delete),
    ("POST", f"/api/records/{_ID}/draft/pids/doi", drafts.reserve_doi),
    ("DELETE", f"/api/records/{_ID}/draft/pids/doi", drafts.release_doi),
    ("POST", f"/api/records/{_ID}/draft/actions/publish", drafts.publish_draft),
    ("POST", f"/api/records/{_ID}/draft/actions/files-import", drafts.put_files),
    ("PUT", f"/api/records/{_ID}/draft/review", drafts.put_review),
    ("POST", f"/api/records/{_ID}/draft/actions/submit-review", drafts.submit_review),
    ("GET", f"/api/records/{_ID}/draft/files", uploads.list_files),
    ("POST", f"/api/records/{_ID}/draft/files", uploads.start),
    ("GET", f"/api/records/{_ID}/draft/files/{_KEY}/content", uploads.draft_content),
    ("PUT", f"/api/records/{_ID}/draft/files/{_KEY}/content", uploads.put_content),
    ("POST", f"/api/records/{_ID}/draft/files/{_KEY}/commit", uploads.commit),
    ("GET", f"/api/records/{_ID}/draft/files/{_KEY}", uploads.get_file),
    ("DELETE", f"/api/records/{_ID}/draft/files/{_KEY}", uploads.delete_file),
    ("GET", "/api/deposit/depositions", deposit.index),
    ("POST", "/api/deposit/depositions", deposit.create),
    ("GET", f"/api/deposit/depositions/{_ID}", deposit.get),
    ("PUT", f"/api/deposit/depositions/{_ID}", deposit.put),
    ("DELETE", f"/api/deposit/depositions/{_ID}", deposit.delete),
    (
        "POST",
        f"/api/deposit/depositions/{_ID}/actions/(publish|edit|discard|newversion)",
        deposit.action,
    ),
    ("GET", f"/api/deposit/depositions/{_ID}/files", deposit.listing),
    ("POST", f"/api/deposit/depositions/{_ID}/files", deposit.post_file),
    ("DELETE", f"/api/deposit/depositions/{_ID}/files/([\\w-]+)", deposit.delete_file),
    ("PUT", r"/api/files/([0-9a-f-]+)/([^/]+)", deposit.bucket),
    ("GET", f"/records/{_ID}", reading.landing),
    ("GET", f"/records/{_ID}/latest", reading.landing_latest),
    ("GET", f"/records/{_ID}/files/{_KEY}", reading.landing_file),
    ("GET", r"/record/(\d+(?:/.*)?)", reading.old_page),
    ("GET", r"/doi/(10\..+)", reading.doi_page),
    ("GET", r"/doi-resolver/(10\..+)", reading.resolve),
]
_ROUTES = [(method, re.compile(pattern), route) for method, pattern, route in _TABLE]


def answer(call: Call) -> Answer:
    """
    Answer a request.

    Raises
    ------
    RefusalError
        404 if no route has the path, 405 if not with this method; and what routes refuse.
    """
    method = "GET" if call.method == "HEAD" else call.method
    found: tuple[Route, tuple[Any, ...]] | None = None
    known = False
    for name, pattern, route in _ROUTES:
        match = pattern.fullmatch(call.path)
        if match is None:
            continue
        known = True
        if name == method:
            found = (route, match.groups())
            break
    if found is None:
        if known:
            raise RefusalError(405, "The method is not allowed for the requested URL.")
        raise RefusalError(404, "The requested URL was not found on the server.")
    route, groups = found
    if method == "PUT":  # takes as long as the client sends
        return route(call, *groups)
    with call.store.lock:
        return route(call, *groups)
