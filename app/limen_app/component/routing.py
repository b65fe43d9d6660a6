"""The address that tables are asked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from limen.errors import BundleNotFoundError, LimenError
from limen.remembering import Lately
from limen_app.component.browsers import Browsers, browsers_of
from limen_app.component.requests import read_request
from limen_app.component.tables import answer
from limen_app.rest.problems import Problem

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["TABLES_PATH", "table_routes"]

TABLES_PATH = "/tables"
_LONGEST = 200_000
_AT_ONCE = 2
_LOOK = 0.1
_WAITING = 64
_REMEMBERED_BYTES = 64_000_000


class _GoneError(Exception):
    """Nobody waits for the answer any more."""


async def _unless_gone(
    request: Request, limiter: CapacityLimiter, work: Callable[[Callable[[float], None]], bytes]
) -> bytes:
    """Work in a thread, and stop when the browser has gone on to something else."""
    gone = Event()
    made: list[bytes] = []
    failed: list[Exception] = []

    def tick(_: float) -> None:
        if gone.is_set():
            raise _GoneError

    async def watch() -> None:
        while not await request.is_disconnected():
            await anyio.sleep(_LOOK)
        gone.set()

    def guarded() -> None:
        try:
            tick(0.0)
            made.append(work(tick))
        except (LimenError, OSError, _GoneError) as error:
            failed.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await anyio.to_thread.run_sync(guarded, limiter=limiter)
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return made[0]


def table_routes(opened: Callable[[], Library | None]) -> list[BaseRoute]:
    """
    Give the route of the tables, to stand beside the pages.

    Parameters
    ----------
    opened : callable
        Gives the bundles; None while they are being opened.

    Returns
    -------
    list of BaseRoute
    """
    limiter = CapacityLimiter(_AT_ONCE)
    # For other visitors who look at the same.
    answers = Lately(_REMEMBERED_BYTES)

    def work(found: Browsers, key: str, body: bytes, tick: Callable[[float], None]) -> bytes:
        asked = read_request(body, found.library.get(key))
        digest = found.library.digest(key)
        browser = found.get(key)
        return answers.get((digest, body), lambda: answer(browser, asked, tick), len)

    def browsers() -> Browsers | None:
        library = opened()
        return None if library is None else browsers_of(library)

    async def tables(request: Request) -> Response:
        found = browsers()
        if found is None or limiter.statistics().tasks_waiting >= _WAITING:
            return Problem(503, "the server is busy; try again in a moment").response()
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST:
                return Problem(413, f"tables: allowed {_LONGEST} bytes").response()
        key = request.path_params["key"]
        try:
            made = await _unless_gone(request, limiter, partial(work, found, key, body))
        except BundleNotFoundError as error:
            return Problem(404, str(error)).response()
        except LimenError as error:
            return Problem(422, str(error)).response()
        except _GoneError:
            return Response(status_code=499)
        except OSError:
            return Problem(500, "the scan cannot be read; open the bundle again").response()
        return Response(made, media_type="application/octet-stream", headers=_HEADERS)

    async def progress(request: Request) -> Response:
        found = browsers()
        if found is None:
            return Problem(503, "the bundles are being opened").response()
        try:
            what, share = found.progress(request.path_params["key"])
        except LimenError as error:
            return Problem(404, str(error)).response()
        return Response(f"{what}\n{share:.4f}", media_type="text/plain", headers=_HEADERS)

    return [
        Route(f"{TABLES_PATH}/{{key}}", tables, methods=["POST"]),
        Route(f"{TABLES_PATH}/{{key}}", progress, methods=["GET"]),
    ]


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
