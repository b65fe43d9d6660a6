"""What a route gives back: an answer, or a refusal that becomes one."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Body", "RefusalError", "json_answer", "page", "redirect", "refused"]

Body = Callable[[int, int], Iterator[bytes]]


@dataclass(slots=True)
class Answer:
    """
    One HTTP answer.

    Parameters
    ----------
    status : int
    headers : dict of str to str
    content : bytes
        The body, if it is small.
    stream : callable, optional
        Gives the bytes from an offset, so many of them.
    offset, size : int
        The part of ``stream`` that is sent [byte].
    chunked : bool
        Whether the body is sent in chunks, without its length.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    stream: Body | None = None
    offset: int = 0
    size: int = 0
    chunked: bool = False

    def pieces(self) -> Iterable[bytes]:
        """Give the body piece by piece."""
        if self.stream is not None:
            return self.stream(self.offset, self.size)
        return (self.content,) if self.content else ()

    @property
    def length(self) -> int:
        """Length of the body [byte]."""
        return self.size if self.stream is not None else len(self.content)


class RefusalError(Exception):
    """
    A request that the archive refuses.

    Parameters
    ----------
    status : int
    message : str
    errors : list of (str, str)
        Field and message of each fault.
    """

    def __init__(
        self, status: int, message: str, errors: Iterable[tuple[str, str]] = (), **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.more = more


def json_answer(
    document: object,
    status: int = 200,
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> Answer:
    """Give a JSON document as an answer."""
    data = json.dumps(document, ensure_ascii=False).encode()
    return Answer(status, {"Content-Type": kind, **(headers or {})}, data)


def page(title: str, text: str = "", status: int = 200, head: str = "") -> Answer:
    """Give a page for people; ``text`` and ``head`` are HTML."""
    name = html.escape(title)
    data = (
        f"<!DOCTYPE html><html><head><title>{name}</title>{head}</head>"
        f"<body><h1>{name}</h1>{text}</body></html>"
    )
    return Answer(status, {"Content-Type": "text/html; charset=utf-8"}, data.encode())


def redirect(location: str, status: int = 302, document: object = None) -> Answer:
    """Give a redirect, with a JSON body if there is one."""
    if document is not None:
        return json_answer(document, status, {"Location": location})
    return Answer(status, {"Location": location, "Content-Type": "text/html; charset=utf-8"})


def refused(error: RefusalError, *, pages: bool = False) -> Answer:
    """Give a refusal as an answer: a page for people, else JSON."""
    if pages or error.status == 413:
        return page(error.message, status=error.status)
    document: dict[str, Any] = {"status": error.status, "message": error.message, **error.more}
    if error.errors:
        document["errors"] = field_errors(error.errors)
    return json_answer(document, error.status)


def field_errors(faults: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Give faults by field as the archive lists them."""
    found: dict[str, list[str]] = {}
    for name, message in faults:
        found.setdefault(name, []).append(message)
    return [{"field": name, "messages": messages} for name, messages in found.items()]
