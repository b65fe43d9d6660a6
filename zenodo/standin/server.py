"""The HTTP side: requests in, answers out, and everything that can go wrong between."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from standin.answers import Answer, RefusalError, json_answer, page, redirect, refused
from standin.call import Call, Reader
from standin.faults import Fault
from standin.files import PIECE, identifier
from standin.routing import answer

if TYPE_CHECKING:
    from standin.site import StandIn

__all__ = ["Handler", "Request", "Server"]


@dataclass(slots=True)
class Request:
    """
    A request that was answered.

    Parameters
    ----------
    method, path : str
        The path with its query.
    headers : dict of str to str
    status : int
        0 if the connection was closed before an answer.
    sent_bytes : int
        Bytes of the body that were sent.
    """

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    sent_bytes: int = 0


class Server(ThreadingHTTPServer):
    """A server of one archive, with TLS if there is a context."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, site: StandIn, port: int, context: ssl.SSLContext | None = None) -> None:
        self.site = site
        self.context = context
        super().__init__(("127.0.0.1", port), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is made by its own thread."""
        connection, address = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away; anything else is shown."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Body:
    """The body of a request, with a length or in chunks."""

    def __init__(self, stream: Any, length: int | None, chunked: bool) -> None:
        self._stream = stream
        self._left = length or 0
        self._chunked = chunked

    def read(self, size: int) -> bytes:
        if self._chunked and not self._left:
            self._left = int(self._stream.readline().split(b";")[0] or b"0", 16)
            if not self._left:
                self._stream.readline()
                self._chunked = False
        if not self._left:
            return b""
        data: bytes = self._stream.read(min(size, self._left))
        if not data:
            raise ConnectionResetError("the body broke off")
        self._left -= len(data)
        if self._chunked and not self._left:
            self._stream.readline()
        return data


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    server_version = "nginx"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: requests are in the log of the site."""

    def do_GET(self) -> None:
        """Answer any request."""
        site = self.server.site
        entry = Request(self.command, self.path, dict(self.headers.items()))
        fault = site.faults.take(self.command, self.path)
        if site.options.added_latency:
            time.sleep(site.options.added_latency)
        body = self._body()
        if fault and fault.reset:
            site.log.append(entry)
            self._reset()
            return
        given = self._given(body, fault)
        self._drain(body)
        if fault:
            given = _broken(given, fault)
        entry.status = given.status
        site.log.append(entry)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self._send(given, entry, fault)
            return
        self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def _body(self) -> _Body:
        length = self.headers.get("Content-Length")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        return _Body(self.rfile, int(length) if length else None, chunked)

    def _drain(self, body: Reader) -> None:
        """Read what a route left of the body, else the connection cannot go on."""
        try:
            for _ in range(256):
                if not body.read(PIECE):
                    return
        except (ConnectionError, ValueError):
            pass
        self.close_connection = True

    def _given(self, body: Reader, fault: Fault | None) -> Answer:
        site = self.server.site
        path, token_value, query = self._address()
        token = site.store.tokens.get(token_value)
        headers, over = site.limit.count(token.user if token else "guest")
        if over:
            given = json_answer({"status": 429, "message": over}, 429)
        elif fault and fault.replaces:
            given = _instead(fault)
        elif token_value and token is None:
            given = refused(RefusalError(401, "The access token is not valid."))
        else:
            given = self._routed(path, query, body, fault, token)
        given.headers = {"X-Request-ID": identifier(), **headers, **given.headers}
        return given

    def _address(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path if self.path.startswith("http") else f"http://x{self.path}")
        path = parts.path
        if self.headers.get("Host", "").partition(":")[0] == "doi.org":
            path = f"/doi-resolver{path}"
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return path, value if scheme == "Bearer" else query.get("access_token", ""), query

    def _routed(
        self, path: str, query: dict[str, str], body: Reader, fault: Fault | None, token: Any
    ) -> Answer:
        site = self.server.site
        sent = self.headers
        if fault and fault.drop_range:
            del sent["Range"]
        length = sent.get("Content-Length")
        base, resolver = self._base()
        call = Call(
            site.store,
            self.command,
            path,
            query,
            sent,  # type: ignore[arg-type]
            body,
            int(length) if length else None,
            base,
            resolver,
            token,
        )
        try:
            return answer(call)
        except RefusalError as error:
            return refused(error, pages=not path.startswith("/api"))
        except ConnectionError:
            self.close_connection = True
            return page("400 Bad Request", status=400)

    def _base(self) -> tuple[str, str]:
        site = self.server.site
        if self.server.context is not None:
            host = self.headers.get("Host", "zenodo.org")
            return f"https://{'zenodo.org' if host == 'doi.org' else host}", "https://doi.org"
        return site.options.base or site.url, site.resolver

    def _reset(self) -> None:
        """Close so that the other side sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.close()

    def _send(self, given: Answer, entry: Request, fault: Fault | None) -> None:
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        bare = given.status in (204, 304)
        if given.chunked and not bare:
            self.send_header("Transfer-Encoding", "chunked")
        elif not bare:
            self.send_header("Content-Length", str(given.length))
        if fault and fault.cut is not None and not fault.stall:
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD" or bare:
            return
        if fault and fault.stall and fault.cut is None:
            time.sleep(fault.stall)
        for piece in _spoilt(given.pieces(), fault):
            entry.sent_bytes += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if given.chunked else piece)
        cut_short = fault is not None and fault.cut is not None and not fault.stall
        if given.chunked and not cut_short:
            self.wfile.write(b"0\r\n\r\n")


def _instead(fault: Fault) -> Answer:
    if fault.redirect:
        given = redirect(fault.redirect, fault.status or 302)
    elif fault.body is not None:
        data = fault.body.encode() if isinstance(fault.body, str) else fault.body
        kind = "text/html; charset=utf-8" if fault.html else "text/plain; charset=utf-8"
        if data[:1] in b"{[" and data:
            kind = "application/json"
        given = Answer(fault.status or 200, {"Content-Type": kind}, data)
    elif fault.html or (fault.status or 0) >= 500:
        given = page(f"{fault.status or 200} Something went wrong", status=fault.status or 200)
    else:
        text = "60 per 1 minute" if fault.status == 429 else "Permission denied."
        given = json_answer({"status": fault.status, "message": text}, fault.status or 200)
    given.headers.update(fault.headers)
    return given


def _broken(given: Answer, fault: Fault) -> Answer:
    """Give the answer after the fault, headers only."""
    if fault.delay_after:
        status = fault.status or 504
        late = page(f"{status} Gateway Time-out", status=status)
        late.headers = {**given.headers, **late.headers}
        return late
    if fault.wrong_range and "Content-Range" in given.headers:
        start, stop = given.offset + 1, given.offset + given.size
        total = given.headers["Content-Range"].rpartition("/")[2]
        given.headers["Content-Range"] = f"bytes {start}-{stop}/{total}"
    given.headers.update(fault.headers)
    return given


def _spoilt(pieces: Iterable[bytes], fault: Fault | None) -> Iterator[bytes]:
    """Give the body as the fault leaves it."""
    place = 0
    for piece in pieces:
        start, place = place, place + len(piece)
        data = piece
        if fault and fault.flip is not None and start <= fault.flip < place:
            i = fault.flip - start
            data = data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1 :]
        if fault and fault.cut is not None and start <= fault.cut < place:
            yield data[: fault.cut - start]
            if not fault.stall:
                return
            time.sleep(fault.stall)
            data = data[fault.cut - start :]
        yield data
