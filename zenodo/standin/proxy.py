"""A proxy that leads the names of the archives to this machine, and everything else nowhere."""

from __future__ import annotations

import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from standin.site import StandIn

__all__ = ["HOSTS", "Proxy", "behind_proxy"]

HOSTS = ("zenodo.org", "doi.org", "sandbox.zenodo.org")


class Proxy(socketserver.ThreadingTCPServer):
    """
    A CONNECT proxy.

    Parameters
    ----------
    port : int
        Where the known hosts are served over TLS.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        self.target = port
        self.refused: list[str] = []
        super().__init__(("127.0.0.1", 0), _Tunnel)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        words = self.rfile.readline().decode("latin-1").split()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass
        proxy = cast(Proxy, self.server)
        host = words[1] if len(words) > 1 else ""
        if words[:1] != ["CONNECT"] or host not in [f"{name}:443" for name in HOSTS]:
            proxy.refused.append(host)
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", proxy.target)) as other:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(self.connection, other)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until one side ends."""
    ends = {one: other, other: one}
    while True:
        for source in select.select(list(ends), [], [])[0]:
            try:
                data = source.recv(1 << 16)
                if not data:
                    return
                ends[source].sendall(data)
            except ConnectionError:
                return


@contextmanager
def behind_proxy(site: StandIn, folder: Path) -> Iterator[tuple[dict[str, str], Proxy]]:
    """
    Serve an archive under the real names, for clients that use the environment given.

    Parameters
    ----------
    site : StandIn
        Started.
    folder : Path
        Where the certificate of the throw-away authority is written.

    Yields
    ------
    environment : dict of str to str
        What a client's process needs.
    proxy : Proxy
    """
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    certificate = folder / "authority.pem"
    authority.cert_pem.write_to_path(certificate)
    with Proxy(site.serve_tls(context)) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        environment = dict.fromkeys(
            ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy.url
        )
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
            environment[name] = str(certificate)
        yield environment, proxy
        proxy.shutdown()
        thread.join()
