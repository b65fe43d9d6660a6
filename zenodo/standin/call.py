"""One request, as routes see it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from standin.answers import RefusalError
from standin.files import PIECE
from standin.store import Entry, Store, Token

__all__ = ["RDM", "ZENODO", "Call", "Reader"]

RDM = "application/vnd.inveniordm.v1+json"
ZENODO = "application/vnd.zenodo.v1+json"


class Reader(Protocol):
    """The body of a request, piece by piece; an empty piece ends it."""

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        ...


@dataclass(slots=True)
class Call:
    """
    A request to the archive.

    Parameters
    ----------
    store : Store
    method, path : str
        The path is not decoded and has no query.
    query : dict of str to str
    headers : mapping
    body : Reader
    length : int, optional
        Announced length of the body [byte].
    base, resolver : str
        Addresses for links.
    token : Token, optional
    """

    store: Store
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Reader
    length: int | None
    base: str
    resolver: str
    token: Token | None

    @property
    def api(self) -> str:
        """Address of the interface for programs."""
        return f"{self.base}/api"

    @property
    def user(self) -> str:
        """Who asks; empty for a guest."""
        return self.token.user if self.token else ""

    @property
    def accept(self) -> str:
        """The media type asked for, without parameters."""
        return self.headers.get("Accept", "*/*").split(",")[0].split(";")[0].strip() or "*/*"

    @property
    def rdm(self) -> bool:
        """Whether the answer has the RDM shape."""
        if self.accept == RDM:
            return True
        return self.accept != ZENODO and not self.store.options.zenodo

    def flag(self, *names: str) -> bool:
        """Tell whether one of these parameters is true."""
        return any(self.query.get(name, "").lower() in ("1", "true", "yes") for name in names)

    def may(self, scope: str) -> None:
        """
        Demand a token of a scope.

        Raises
        ------
        RefusalError
            403 without one.
        """
        if self.token is None or scope not in self.token.scopes:
            raise RefusalError(403, "Permission denied.")

    def owns(self, entry: Entry) -> bool:
        """Tell whether a record is of the one who asks."""
        return bool(self.user) and entry.owner == self.user

    def document(self) -> Any:
        """
        Read the body as JSON; an empty body is an empty document.

        Raises
        ------
        RefusalError
            413, 415 or 400.
        """
        limit = int(self.store.options.max_body)
        if (self.length or 0) > limit:
            raise RefusalError(413, "413 Request Entity Too Large")
        data = b"".join(iter(lambda: self.body.read(PIECE), b""))
        if len(data) > limit:
            raise RefusalError(413, "413 Request Entity Too Large")
        if not data:
            return {}
        if self.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            raise RefusalError(
                415, "Invalid 'Content-Type' header. Expected one of: application/json"
            )
        try:
            return json.loads(data)
        except ValueError as error:
            raise RefusalError(400, "Unable to decode JSON data in request body.") from error

    def keep(self, path: Path) -> tuple[str, int]:
        """Write the body to a file; give its MD5 and size [byte]."""
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        stream: BinaryIO
        with path.open("wb") as stream:
            while piece := self.body.read(PIECE):
                digest.update(piece)
                size += len(piece)
                stream.write(piece)
        return digest.hexdigest(), size
