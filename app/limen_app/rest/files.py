"""Files of bundles to download: those that the manifest lists, and nothing else."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from limen.errors import LimenError
from limen_app.rest.problems import Problem

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["file_response"]

# A stranger's manifest may call a file HTML; a browser must never show it as a page of this server.
_KINDS = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".zip": "application/zip",
}


def file_response(bundle: Bundle, key: str, name: str) -> Response:
    """
    Answer with a file; parts of it where the request asks for a range.

    Parameters
    ----------
    bundle : Bundle
    key : str
        Of the bundle, for messages.
    name : str
        Of the file.

    Raises
    ------
    Problem
        404 if the bundle has no such file, 503 if the file is gone or no plain one.
    """
    entries = bundle.manifest["files"]
    if name != "bundle.json" and name not in entries:
        raise Problem(404, f"{key}: has no file of this name; its list of files has all of them")
    try:
        path = bundle.part(name)
        status = os.stat(path, follow_symlinks=False)
    except (LimenError, OSError) as error:
        raise _gone(key, name) from error
    if not stat.S_ISREG(status.st_mode):
        raise _gone(key, name)
    headers = {"Cache-Control": "no-cache"}
    if name in entries:
        if status.st_size != entries[name]["bytes"]:
            raise _gone(key, name)
        digest = base64.b64encode(bytes.fromhex(entries[name]["sha256"])).decode()
        headers["Repr-Digest"] = f"sha-256=:{digest}:"
    kind = _KINDS.get(path.suffix, "application/octet-stream")
    return _Download(path, headers=headers, media_type=kind, filename=name, stat_result=status)


def _gone(key: str, name: str) -> Problem:
    return Problem(503, f"{key} {name}: is not here, or not as published; try another copy")


class _Download(FileResponse):
    """A file whose refused ranges are problem documents, as every other refusal is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: list[Message] = []

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused.append(message)
            if not refused:
                await send(message)

        try:
            await super().__call__(scope, receive, sender)
        except (FileNotFoundError, RuntimeError) as error:
            raise Problem(503, f"{self.filename}: is not here any more; try again") from error
        if refused:
            found = Request(scope).headers.get("range", "")[:80]
            size = self.stat_result.st_size if self.stat_result else 0
            problem = Problem(
                refused[0]["status"],
                f"Range: found {found!r}, allowed ranges of bytes within {size:,}",
                headers={"Content-Range": f"bytes */{size}"} if refused[0]["status"] == 416 else {},
            )
            await problem.response()(scope, receive, send)
