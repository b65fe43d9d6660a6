"""
Requests to one archive: sent again where that helps, held back where asked, led nowhere else.

Redirects are followed within the archive only, and the token goes to no other origin.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from limen import __version__
from limen.errors import UsageError
from limen_zenodo.answers import refusal
from limen_zenodo.errors import NetworkError, ServiceUnavailableError, ZenodoError
from limen_zenodo.patience import Patience, Waits, demanded_wait
from limen_zenodo.sites import Site, origin, public_url

if TYPE_CHECKING:
    import requests

__all__ = [
    "REDIRECTS",
    "StandstillError",
    "Transport",
    "blocks",
    "broken_bodies",
    "in_words",
]

# Zenodo refuses programs that do not say what they are.
USER_AGENT = f"limen/{__version__} (bundles of new-physics scans)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAXIMUM_REDIRECTS = 5
_BLOCK = 2**18
_SLOW_SECONDS = 300.0
_SLOW_BYTES = 100_000
_MAXIMUM_JSON = 64 * 2**20
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


class Transport:
    """
    A session with one archive.

    Parameters
    ----------
    site : Site
    token : str
        Empty for none.
    patience : Patience
    timeout : (float, float)
        Longest wait for a connection and for the next bytes [s].

    Raises
    ------
    UsageError
        If the token cannot be one.
    """

    def __init__(
        self, site: Site, token: str, patience: Patience, timeout: tuple[float, float]
    ) -> None:
        import requests

        self.site = site
        self.patience = patience
        self.timeout = timeout
        self._token = token.strip()
        if self._token and not _TOKEN.fullmatch(self._token):
            raise UsageError(f"{site.token_variable}: found spaces or other signs; copy the token")
        self._session = requests.Session()
        # An own callable keeps requests from taking a password out of a .netrc file.
        self._session.auth = self._authorise
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        certificates = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        given = [os.environ[name] for name in certificates if os.environ.get(name)]
        self._session.verify = given[0] if given else True
        self._hold_until = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def authenticated(self) -> bool:
        """Whether there is a token."""
        return bool(self._token)

    def _authorise(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token and origin(str(request.url)) == origin(self.site.url):
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], Any],
        waits: Waits | None = None,
        *,
        follow: bool = True,
    ) -> requests.Response:
        """
        Send until there is an answer that trying again would not change.

        Parameters
        ----------
        method, url : str
        headers : mapping
        content : callable
            Gives the body, anew for each attempt.
        waits : Waits, optional
            Counts the waits of a larger piece of work.
        follow : bool
            Whether redirects are followed.

        Returns
        -------
        requests.Response
            Its body not read yet; to be closed.

        Raises
        ------
        NetworkError
            After all attempts, or where a redirect leads elsewhere.
        """
        import requests

        waits = waits or Waits(self.patience)
        while True:
            self._hold_back(waits)
            try:
                response = self._followed(method, url, headers, content, follow)
            except (requests.ConnectionError, requests.Timeout) as error:
                trouble: ZenodoError = ServiceUnavailableError(
                    f"{public_url(url)}: no answer ({in_words(error)}); check the connection and "
                    "run it again, what is complete is kept",
                    url=public_url(url),
                )
                demanded, taken = None, method != "POST"
            except requests.RequestException as error:
                raise NetworkError(f"{public_url(url)}: {in_words(error)}") from error
            else:
                self._note(response.headers)
                status = response.status_code
                # The server says of these that it did nothing; of other failures it may have.
                taken = method != "POST" or status == 429
                if status not in _RETRIED:
                    return response
                with response:
                    data = self.body(response)
                trouble = refusal(response, data, self.site, authenticated=self.authenticated)
                demanded = demanded_wait(response.headers, status=status)
            if not taken:
                raise trouble
            waits.wait(demanded, trouble)

    def _followed(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], Any],
        follow: bool,
    ) -> requests.Response:
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            response = self._session.request(
                method,
                url,
                headers=headers,
                data=content(),
                timeout=self.timeout,
                stream=True,
                allow_redirects=False,
            )
            if not follow or response.status_code not in REDIRECTS:
                return response
            response.close()
            target = urljoin(url, response.headers.get("Location", ""))
            if not self.site.trusts(target):
                raise NetworkError(
                    f"{public_url(url)}: leads to {origin(target)}, allowed {self.site.host}; if "
                    "it is right, list it as an origin of the site",
                    url=public_url(url),
                )
            url = target
        raise NetworkError(f"{public_url(url)}: leads on more than {_MAXIMUM_REDIRECTS} times")

    def _note(self, headers: Mapping[str, str]) -> None:
        """Remember when no request is left."""
        if headers.get("X-RateLimit-Remaining", "").strip() == "0":
            wait = demanded_wait({"X-RateLimit-Reset": headers.get("X-RateLimit-Reset", "")})
            self._hold_until = time.time() + (wait or 0.0)

    def _hold_back(self, waits: Waits) -> None:
        """Wait for new requests where the last answer said that none is left."""
        rest = self._hold_until - time.time()
        if 0.0 < rest <= waits.patience.budget:
            time.sleep(rest)

    def body(self, response: requests.Response) -> bytes:
        """Read a body that is a document, bounded in size."""
        import requests

        data = bytearray()
        try:
            for part in response.iter_content(65_536):
                data += part
                if len(data) > _MAXIMUM_JSON:
                    raise NetworkError(
                        f"{public_url(response.url)}: more than {_MAXIMUM_JSON >> 20} MiB of JSON"
                    )
        except requests.RequestException as error:
            raise ServiceUnavailableError(
                f"{public_url(response.url)}: the answer broke off ({in_words(error)}); try again",
                url=public_url(response.url),
            ) from error
        return bytes(data)


class StandstillError(Exception):
    """So few bytes of a body come that waiting for the rest is no use."""


def blocks(response: requests.Response) -> Iterator[bytes]:
    """
    Give the bytes of a body as they come: what arrived before a break counts.

    Yields
    ------
    bytes

    Raises
    ------
    StandstillError
        If far too few come; and those of :func:`broken_bodies`.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        yield from response.iter_content(_BLOCK)
        return
    read = getattr(response.raw, "read1", response.raw.read)
    begun, arrived = time.monotonic(), 0
    while block := read(_BLOCK):
        yield block
        arrived += len(block)
        if time.monotonic() - begun > _SLOW_SECONDS:
            if arrived < _SLOW_BYTES:
                raise StandstillError(
                    f"{arrived:,} bytes in {_SLOW_SECONDS:.0f} s are a standstill"
                )
            begun, arrived = time.monotonic(), 0


def broken_bodies() -> tuple[type[Exception], ...]:
    """Name what is raised where a body breaks off."""
    import requests
    import urllib3

    return (requests.RequestException, urllib3.exceptions.HTTPError)


def in_words(error: Exception) -> str:
    """Say what failed, without addresses and their secrets."""
    import requests
    import urllib3

    kinds = (
        (requests.exceptions.SSLError, "the certificate is not accepted"),
        (requests.exceptions.ProxyError, "the proxy refused"),
        (requests.exceptions.ConnectTimeout, "no connection in time"),
        (requests.exceptions.ReadTimeout, "no bytes in time"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke"),
        (requests.exceptions.ConnectionError, "no connection, or it broke"),
        (urllib3.exceptions.ReadTimeoutError, "no bytes in time"),
        (urllib3.exceptions.HTTPError, "the connection broke"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)
