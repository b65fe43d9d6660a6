"""The server: pages and REST in one process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from limen.errors import LimenError, StorageError, UsageError
from limen_app.limits import Limits
from limen_app.offering import announce, begin, offered_now
from limen_app.settings import options

if TYPE_CHECKING:
    from streamlit import App

__all__ = ["application", "serve"]

_log = logging.getLogger("limen.app")


def application() -> App:
    """
    Make the application, for uvicorn: ``uvicorn --factory limen_app.serving:application``.

    What it offers stands in the variable ``LIMEN_APP_PLACES``, its limits in others.

    Returns
    -------
    streamlit.App
        An ASGI application.
    """
    from starlette.middleware import Middleware
    from streamlit import App
    from streamlit.web.bootstrap import load_config_options

    from limen_app.component import table_routes
    from limen_app.headers import PageHeaders
    from limen_app.rest import routes

    limits = Limits.from_environment()
    load_config_options(options(limits))
    begin()
    logging.getLogger("streamlit.error_util").addFilter(_is_no_message_of_ours)
    script = Path(__file__).with_name("main.py")
    return App(
        script,
        routes=[*routes(offered_now, limits), *table_routes(offered_now)],
        middleware=[Middleware(PageHeaders)],
        on_script_error=_tell,
    )


def _is_no_message_of_ours(record: logging.LogRecord) -> bool:
    """Leave out tracebacks of errors whose message says it all; `_tell` logs that in one line."""
    return not (record.exc_info and isinstance(record.exc_info[1], LimenError))


def _tell(error: Exception) -> bool:
    """Show one message for what no page has caught; the rest is for the log of the server."""
    import streamlit as st

    from limen_app.library import one_message

    if isinstance(error, LimenError):
        _log.warning("%s", one_message(error))
        st.error(one_message(error), icon=":material/error:")
    else:
        _log.error("a page failed", exc_info=error)
        st.error(
            "This page failed, which is a fault of Limen. Reload it; if it fails again, please "
            "report what you did. Other pages still work.",
            icon=":material/error:",
        )
    return True


def serve(
    places: Sequence[str], *, host: str = "127.0.0.1", port: int = 8501, opening: bool = False
) -> None:
    """
    Serve until it is stopped.

    Parameters
    ----------
    places : sequence of str
        As `limen_app.library.Library.open` takes them.
    host : str
        Address to listen at; that of this machine alone by default.
    port : int
    opening : bool
        Let the page Bundles open other places too.

    Raises
    ------
    UsageError
        If a limit in the environment is wrong, or the port is taken.
    StorageError
        If the address cannot be listened at.
    """
    import uvicorn

    Limits.from_environment()
    _refuse_taken(host, port)
    announce(places, opening=opening)
    uvicorn.run(
        "limen_app.serving:application",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
    )


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.strerror and "in use" in error.strerror:
                raise UsageError(
                    f"--port: {port} is used by another program; choose one with --port"
                ) from error
            raise StorageError(
                f"--host {host} --port {port}: cannot be listened at ({error.strerror})"
            ) from error
