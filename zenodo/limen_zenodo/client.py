"""The HTTP client of an InvenioRDM archive: documents and files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urljoin

from limen_zenodo.answers import refusal
from limen_zenodo.errors import ServiceUnavailableError, ZenodoError
from limen_zenodo.patience import Patience, Waits
from limen_zenodo.sites import Site, public_url
from limen_zenodo.transport import REDIRECTS, Transport

if TYPE_CHECKING:
    import requests

__all__ = ["Client"]

RDM = "application/vnd.inveniordm.v1+json"


class Client:
    """
    Requests to one archive.

    Parameters
    ----------
    site : Site
    token : str, optional
        The user's; by default from the environment variable that the site names.
    patience : Patience, optional
    timeout : (float, float)
        Longest wait for a connection and for the next bytes [s].

    Raises
    ------
    UsageError
        If the token cannot be one.
    """

    def __init__(
        self,
        site: Site,
        token: str | None = None,
        *,
        patience: Patience | None = None,
        timeout: tuple[float, float] = (10.0, 60.0),
    ) -> None:
        self.site = site
        self.patience = patience or Patience()
        given = os.environ.get(site.token_variable, "") if token is None else token
        self._transport = Transport(site, given, self.patience, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def authenticated(self) -> bool:
        """Whether there is a token."""
        return self._transport.authenticated

    def waits(self) -> Waits:
        """Begin to count the waits of one piece of work."""
        return Waits(self.patience)

    def get_json(self, place: str, params: Mapping[str, str] | None = None) -> Any:
        """
        Read a JSON document.

        Parameters
        ----------
        place : str
            A path below the interface for programs, or a whole address there.
        params : mapping, optional
            Query.

        Returns
        -------
        object

        Raises
        ------
        RecordNotFoundError, RecordWithdrawnError, AccessError, NetworkError
        """
        return self.send_json("GET", place, params=params)

    def send_json(
        self,
        method: str,
        place: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """
        Send a JSON document and read the answer; None if it is empty.

        What is not safe to repeat (POST) is not repeated, except where the server did not take it.

        Raises
        ------
        DepositError
            If the server refuses the document; ``faults`` by field.
        RecordNotFoundError, RecordWithdrawnError, AccessError, NetworkError
        """
        sent = {"Accept": RDM, **(headers or {})}
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        waits = self.waits()
        while True:
            response = self._transport.send(
                method, self._address(place, params), sent, lambda: content, waits
            )
            try:
                return self._answer(response)
            except ServiceUnavailableError as trouble:
                # A body that broke off or is a proxy's page; a refusal stays one.
                if method == "POST" or (trouble.status or 200) >= 400:
                    raise
                waits.wait(None, trouble)

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str] | None = None, *, waits: Waits | None = None
    ) -> Iterator[requests.Response]:
        """
        Open a file for reading; the body is the caller's to read, and may break.

        Yields
        ------
        requests.Response
            Of status 200, 206 or 416, never decoded.

        Raises
        ------
        RecordNotFoundError, RecordWithdrawnError, AccessError, NetworkError
        """
        sent = {"Accept": "*/*", **(headers or {})}
        response = self._transport.send("GET", url, sent, lambda: None, waits)
        with response:
            if response.status_code >= 400 and response.status_code != 416:
                data = self._transport.body(response)
                raise self._refused(response, data)
            yield response

    def send_bytes(self, place: str, content: Callable[[], Any], size: int) -> Any:
        """
        Send a file (PUT), again from its beginning after each failure.

        Parameters
        ----------
        place : str
        content : callable
            Gives a fresh stream of the bytes for each attempt.
        size : int
            Bytes.

        Returns
        -------
        object
            The answer's JSON.
        """
        sent = {
            "Accept": RDM,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
        }
        return self._answer(self._transport.send("PUT", self._address(place, None), sent, content))

    def location(self, url: str) -> str:
        """Give where an address leads, without going there; empty if nowhere."""
        response = self._transport.send("GET", url, {"Accept": "*/*"}, lambda: None, follow=False)
        with response:
            if response.status_code not in REDIRECTS:
                return ""
            return urljoin(url, response.headers.get("Location", ""))

    def _address(self, place: str, params: Mapping[str, str] | None) -> str:
        url = place if "://" in place else f"{self.site.api}{place}"
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params)
        return url

    def _answer(self, response: requests.Response) -> Any:
        with response:
            data = self._transport.body(response)
            if response.status_code >= 400:
                raise self._refused(response, data)
            return self._parsed(response, data)

    def _parsed(self, response: requests.Response, data: bytes) -> Any:
        if not data:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "no type")
            raise ServiceUnavailableError(
                f"{public_url(response.url)}: found {kind} where JSON was expected (a page of a "
                "proxy or of a login?); try again later",
                status=response.status_code,
                url=public_url(response.url),
            ) from error

    def _refused(self, response: requests.Response, data: bytes) -> ZenodoError:
        return refusal(response, data, self.site, authenticated=self.authenticated)
