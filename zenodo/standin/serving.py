"""Bytes of files: ranges, conditions, compression and headers."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from standin.answers import Answer, RefusalError
from standin.call import Call
from standin.files import StoredFile
from standin.store import Entry

__all__ = ["serve_archive", "serve_file"]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_AS_TEXT = ("application/json", "text/csv", "text/html", "application/xml", "text/xml")


def serve_file(call: Call, file: StoredFile) -> Answer:
    """
    Give the bytes of a file, or the part asked for.

    Raises
    ------
    RefusalError
        404 if its bytes are not there.
    """
    if file.source is None or file.size is None:
        raise RefusalError(404, f"File '{file.key}' has no content.")
    options = call.store.options
    size = file.size
    headers = _headers(call, file)
    if options.gzip and headers["Content-Type"].startswith("text/"):
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in call.headers.get("Accept-Encoding", ""):
            return _compressed(file, headers)
    part = _part(call, headers, size)
    if part is None:
        return Answer(200, headers, stream=file.pieces, size=size, chunked=options.chunked)
    start, stop = part
    if start >= size or stop <= start:
        headers["Content-Range"] = f"bytes */{size}"
        return Answer(416, headers | {"Content-Type": "text/html"}, b"<h1>416</h1>")
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Answer(206, headers, stream=file.pieces, offset=start, size=stop - start)


def _headers(call: Call, file: StoredFile) -> dict[str, str]:
    kind = file.mimetype
    if kind in _AS_TEXT:
        kind = "text/plain; charset=utf-8"
    elif not kind.startswith(("image/", "text/", "audio/", "video/", "application/pdf")):
        kind = "application/octet-stream"
    name = quote(file.key.rpartition("/")[2], safe="")
    headers = {
        "Content-Type": kind,
        "Content-Disposition": f"attachment; filename={name}",
        "Last-Modified": format_datetime(datetime.fromisoformat(file.updated), usegmt=True),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none';",
    }
    if call.store.options.etag:
        headers |= {"ETag": f'"md5:{file.md5}"', "Content-MD5": file.md5}
    if call.store.options.ranges:
        headers["Accept-Ranges"] = "bytes"
    return headers


def _part(call: Call, headers: dict[str, str], size: int) -> tuple[int, int] | None:
    """Give start and stop of the range asked for; None for the whole file."""
    match = _RANGE.fullmatch(call.headers.get("Range", "").replace(" ", ""))
    if (
        not call.store.options.ranges
        or call.method != "GET"
        or not match
        or not any(match.groups())
    ):
        return None
    condition = call.headers.get("If-Range")
    if condition and condition not in (headers.get("ETag"), headers["Last-Modified"]):
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size if int(last) else 0
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    return int(first), stop


def _compressed(file: StoredFile, headers: dict[str, str]) -> Answer:
    headers["Content-Encoding"] = "gzip"
    headers.pop("Accept-Ranges", None)
    headers.pop("Content-MD5", None)
    if "ETag" in headers:
        headers["ETag"] = f"W/{headers['ETag']}"
    return Answer(200, headers, gzip.compress(file.read(), mtime=0), chunked=True)


def serve_archive(call: Call, entry: Entry) -> Answer:
    """
    Give all files of a record as a zip, in chunks.

    Raises
    ------
    RefusalError
        400 if they are too large.
    """
    limit = int(call.store.options.archive_limit)
    if entry.size > limit:
        raise RefusalError(
            400,
            "Archive download is only available for records with total file size up to "
            f"{limit} bytes.",
        )
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f"attachment; filename={entry.id}.zip",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for file in entry.files.values():
            archive.writestr(file.key, file.read())

    def pieces(offset: int, size: int) -> Iterator[bytes]:
        yield data.getvalue()[offset : offset + size]

    return Answer(200, headers, stream=pieces, size=data.getbuffer().nbytes, chunked=True)
