"""Bodies of requests: their kind, size and time are looked at before anything is parsed."""

from __future__ import annotations

import re
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request

from limen.errors import SchemaError
from limen.schema.loading import parse_json
from limen_app.limits import Limits
from limen_app.rest.problems import Problem

__all__ = ["parse", "read_body", "refuse_other_answer"]

_JSON = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?\Z", re.IGNORECASE)
_UNNAMED = ("", "application/octet-stream")
_TAKES = ("*/*", "application/*", "application/json")
_EXAMPLE = "send -H 'Content-Type: application/json'"


def refuse_other_answer(request: Request) -> None:
    """
    Refuse a client that takes no JSON.

    Raises
    ------
    Problem
        406.
    """
    accept = ",".join(request.headers.getlist("accept")) or "*/*"
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        refused = any(re.fullmatch(r"q\s*=\s*0(\.0*)?", text) for text in parameters)
        if kind in _TAKES and not refused:
            return
    raise Problem(406, f"Accept: found {accept[:80]!r}, allowed application/json")


async def read_body(request: Request, limits: Limits, *, unnamed: bool = False) -> bytes:
    """
    Read a JSON body as bytes; it is given up as soon as it is too large or too slow.

    Parameters
    ----------
    request : Request
    limits : Limits
    unnamed : bool
        Take a body without a kind, or said to be some bytes, too: clients of the Open Inference
        Protocol send their JSON so.

    Returns
    -------
    bytes

    Raises
    ------
    Problem
        408, 413, 415; 400 if the client went away.
    """
    _refuse_other_kind(request, unnamed)
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated[:20]) > limits.body_bytes:
        raise _too_large(limits)
    parts, size = [], 0
    try:
        with anyio.fail_after(limits.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError as error:
        detail = f"body: not here after {limits.body_seconds} s; send fewer points at once"
        raise Problem(408, detail, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(400, "body: the connection ended before it") from error
    return b"".join(parts)


def _refuse_other_kind(request: Request, unnamed: bool) -> None:
    kind = request.headers.get("content-type", "")
    if not (_JSON.match(kind) or (unnamed and kind.lower() in _UNNAMED)):
        raise Problem(
            415, f"Content-Type: found {kind[:80]!r}, allowed application/json; {_EXAMPLE}"
        )
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise Problem(415, f"Content-Encoding: found {coding[:40]!r}, allowed none; send it plain")


def _too_large(limits: Limits) -> Problem:
    detail = f"body: found more than {limits.body_bytes:,} bytes, which is the most; send parts"
    return Problem(413, detail, headers={"Connection": "close"})


def parse(body: bytes) -> dict[str, Any]:
    """
    Parse a JSON object, strictly: UTF-8, no name twice, finite numbers, bounded depth.

    Raises
    ------
    Problem
        400, with the place.
    """
    try:
        return parse_json(body.decode("utf-8"), "body", rounded=True)
    except UnicodeDecodeError as error:
        raise Problem(400, f"body: not UTF-8 at byte {error.start}; send UTF-8") from error
    except SchemaError as error:
        raise Problem(400, str(error).replace("correct the file", "correct it")) from error
