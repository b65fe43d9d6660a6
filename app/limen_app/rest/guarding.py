"""What stands before every answer: a limit for each client, and headers for browsers."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limen_app.rest.problems import Problem

__all__ = ["Guard", "Rate"]

_CLIENTS = 10_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Rate:
    """
    Requests of each client in a minute: a bucket that fills again as time passes.

    Parameters
    ----------
    per_minute : int
        0 for no limit.
    clock : callable, optional
        Gives seconds.

    Examples
    --------
    >>> rate = Rate(1, clock=lambda: 0.0)
    >>> rate.wait("192.0.2.1"), rate.wait("192.0.2.1"), rate.wait("127.0.0.1")
    (0, 60, 0)
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, host: str | None) -> int:
        """
        Count a request of a client.

        Parameters
        ----------
        host : str or None
            Its address; this machine itself and None are not limited.

        Returns
        -------
        int
            0 if it may go on, else how long it has to wait [s].
        """
        name = _network(host)
        if not self._per_minute or name is None:
            return 0
        now, full = self._clock(), float(self._per_minute)
        left, then = self._buckets.pop(name, (full, now))
        left = min(full, left + (now - then) * full / 60.0)
        self._buckets[name] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if left >= 1.0 else max(1, math.ceil((1.0 - left) * 60.0 / full))


def _network(host: str | None) -> str | None:
    """Name the client; of IPv6 the network, since one machine has all of its addresses."""
    if host is None:
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.is_loopback:
        return None
    if address.version == 6:
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host


class Guard:
    """
    Middleware of REST: refuses who asks too often, sets headers.

    Parameters
    ----------
    app : ASGI application
    rate : Rate
    answer : callable
        Gives the answer of a problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        rate: Rate,
        answer: Callable[[Problem], Response] = Problem.response,
    ) -> None:
        self._app = app
        self._rate = rate
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        seconds = self._rate.wait(client[0] if client else None)
        if seconds:
            found = f"too many requests; come back in {seconds} s, or send many points in one"
            problem = Problem(429, found, headers={"Retry-After": str(seconds)})
            refusal = self._answer(problem)
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    """Add what a browser has to know to the headers of an answer."""

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sender
