"""Errors as problem documents of RFC 9457: one clear answer, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["MEDIA_TYPE", "Detail", "Problem", "as_json", "handlers"]

MEDIA_TYPE = "application/problem+json"
_LISTED = 20
_ROUTED = {
    404: "nothing is here; see /api/v1/openapi.json for what is",
    405: "this method is not for this address; see the header Allow",
}


class Detail(NamedTuple):
    """One fault of a request: a JSON pointer into its body, and what is wrong there."""

    pointer: str
    detail: str


class Problem(Exception):
    """
    A request that gets no answer.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        Where, what was found, what is allowed, what to do.
    errors : sequence of Detail
        Faults by place, where there are several or the place is known.
    headers : mapping of str to str, optional
        More headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @classmethod
    def of_faults(cls, status: int, faults: Sequence[Detail]) -> Problem:
        """Make one problem of several faults; the first ones are listed."""
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return cls(status, f"{first.pointer}: {first.detail}{more}", faults[:_LISTED])

    def response(self) -> Response:
        """Give the answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [fault._asdict() for fault in self.errors]
        return Response(as_json(document), self.status, self.headers, media_type=MEDIA_TYPE)


def as_json(document: Any) -> bytes:
    """Write an answer; ASCII, since a text of a stranger may hold what UTF-8 cannot."""
    return json.dumps(document, allow_nan=False).encode("ascii")


def handlers(answer: Callable[[Problem], Response] = Problem.response) -> dict[Any, Any]:
    """
    Give what Starlette answers errors with.

    Parameters
    ----------
    answer : callable
        Gives the answer of a problem.

    Returns
    -------
    dict of type to callable
        By the kind of error.
    """

    def refused(_: Request, error: Problem) -> Response:
        return answer(error)

    def routed(_: Request, error: HTTPException) -> Response:
        detail = _ROUTED.get(error.status_code, error.detail)
        return answer(Problem(error.status_code, detail, headers=error.headers))

    def failed(_: Request, __: Exception) -> Response:
        return answer(Problem(500, "the server failed; this is its fault, please report it"))

    return {Problem: refused, HTTPException: routed, Exception: failed}
