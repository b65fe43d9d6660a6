"""The endpoints of REST: each looks at the request, works in a thread, and answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response

from limen.errors import BundleNotFoundError
from limen_app.limits import Limits
from limen_app.rest import predicting, selecting
from limen_app.rest.bodies import read_body, refuse_other_answer
from limen_app.rest.choosing import bundles, key_of, of_the_server
from limen_app.rest.describing import openapi
from limen_app.rest.files import file_response
from limen_app.rest.listing import describe, summarise
from limen_app.rest.problems import Problem, as_json

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["Desk"]

_JSON = "application/json"
Result = TypeVar("Result")


class Desk:
    """
    Endpoints over the opened bundles.

    Parameters
    ----------
    opened : callable
        Gives the bundles; None while they are being opened.
    limits : Limits
    """

    def __init__(self, opened: Callable[[], Library | None], limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._working = CapacityLimiter(limits.threads)
        self._reading = CapacityLimiter(limits.threads)

    @property
    def library(self) -> Library:
        """
        The opened bundles.

        Raises
        ------
        Problem
            503 while they are being opened.
        """
        library = self._opened()
        if library is None:
            detail = "the bundles are being opened; come back in a moment"
            raise Problem(503, detail, headers={"Retry-After": "2"})
        return library

    async def predict(self, request: Request) -> Response:
        """Answer ``POST /api/v1/predict``."""
        return await self.work(request, predicting.answer)

    async def work(
        self,
        request: Request,
        answer: Callable[[Library, bytes, Limits], bytes],
        *,
        unnamed: bool = False,
    ) -> Response:
        """
        Answer a request that predicts, when it is its turn.

        Parameters
        ----------
        request : Request
        answer : callable
            Gives the body of the answer for that of the request.
        unnamed : bool
            Whether the body may come without its kind, see `read_body`.

        Raises
        ------
        Problem
            503 if too many wait already; what `read_body` and ``answer`` raise.
        """
        refuse_other_answer(request)
        library = self.library
        if self._working.statistics().tasks_waiting >= self._limits.waiting:
            detail = "too many predictions are waiting; come back in a moment"
            raise Problem(503, detail, headers={"Retry-After": "5"})
        body = await read_body(request, self._limits, unnamed=unnamed)
        work = partial(answer, library, body, self._limits)
        found = await anyio.to_thread.run_sync(work, limiter=self._working)
        return Response(found, media_type=_JSON)

    async def select(self, request: Request) -> Response:
        """Answer ``GET`` and ``POST /api/v1/select``."""
        refuse_other_answer(request)
        library = self.library
        if request.method == "POST":
            body = await read_body(request, self._limits)
            work = partial(selecting.selected_by_document, library, body)
        else:
            work = partial(selecting.selected_by_link, library, dict(request.query_params))
        return Response(await self.read(work), media_type=_JSON)

    async def bundles(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles``."""
        refuse_other_answer(request)
        library = self.library

        def work() -> bytes:
            listed = [summarise(key, bundle) for key, bundle in bundles(library)]
            return as_json({"bundles": listed})

        return Response(await self.read(work), media_type=_JSON)

    async def bundle(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles/{key}``."""
        refuse_other_answer(request)
        library, key = self._named(request)

        def work() -> bytes:
            with of_the_server(key):
                return as_json(describe(key, library.get(key)))

        return Response(await self.read(work), media_type=_JSON)

    async def file(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles/{key}/files/{name}``."""
        library, key = self._named(request)

        def work() -> Response:
            with of_the_server(key):
                return file_response(library.get(key), key, request.path_params["name"])

        return await self.read(work)

    async def openapi(self, request: Request) -> Response:
        """Answer ``GET /api/v1/openapi.json``."""
        refuse_other_answer(request)
        library = self.library
        root = str(request.scope.get("app_root_path", ""))
        found = await self.read(lambda: as_json(openapi(library, self._limits, root)))
        return Response(found, media_type=_JSON)

    async def alive(self, _: Request) -> Response:
        """Answer ``GET /healthz``: the process answers."""
        return Response(as_json({"status": "ok"}), media_type=_JSON)

    async def ready(self, _: Request) -> Response:
        """Answer ``GET /readyz``: the bundles are open."""
        number = len(tuple(self.library.keys()))
        return Response(as_json({"status": "ready", "bundles": number}), media_type=_JSON)

    def _named(self, request: Request) -> tuple[Library, str]:
        library = self.library
        try:
            return library, key_of(library, request.path_params["key"])
        except BundleNotFoundError as error:
            raise Problem(404, str(error)) from error

    async def read(self, work: Callable[[], Result]) -> Result:
        """Do in a thread what reads files and predicts nothing."""
        return await anyio.to_thread.run_sync(work, limiter=self._reading)
