"""The endpoints of REST: each looks at the request, works in a thread, and answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response

from limen_app.limits import Limits
from limen_app.rest import predicting
from limen_app.rest.bodies import read_body, refuse_other_answer
from limen_app.rest.choosing import Shelf, key_of
from limen_app.rest.describing import openapi
from limen_app.rest.files import file_response
from limen_app.rest.listing import describe, summarise
from limen_app.rest.problems import Problem, as_json

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

    def __init__(self, opened: Callable[[], Shelf | None], limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._working = CapacityLimiter(limits.threads)
        self._reading = CapacityLimiter(limits.threads)

    @property
    def _shelf(self) -> Shelf:
        shelf = self._opened()
        if shelf is None:
            detail = "the bundles are being opened; come back in a moment"
            raise Problem(503, detail, headers={"Retry-After": "2"})
        return shelf

    async def predict(self, request: Request) -> Response:
        """Answer ``POST /api/v1/predict``."""
        refuse_other_answer(request)
        shelf = self._shelf
        if self._working.statistics().tasks_waiting >= self._limits.waiting:
            detail = "too many predictions are waiting; come back in a moment"
            raise Problem(503, detail, headers={"Retry-After": "5"})
        body = await read_body(request, self._limits)
        work = partial(predicting.answer, shelf, body, self._limits)
        found = await anyio.to_thread.run_sync(work, limiter=self._working)
        return Response(found, media_type=_JSON)

    async def bundles(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles``."""
        refuse_other_answer(request)
        shelf = self._shelf

        def work() -> bytes:
            listed = [summarise(key, shelf.get(key)) for key in shelf.keys()]  # noqa: SIM118
            return as_json({"bundles": listed})

        return Response(await self._read(work), media_type=_JSON)

    async def bundle(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles/{key}``."""
        refuse_other_answer(request)
        shelf, key = self._named(request)
        found = await self._read(lambda: as_json(describe(key, shelf.get(key))))
        return Response(found, media_type=_JSON)

    async def file(self, request: Request) -> Response:
        """Answer ``GET /api/v1/bundles/{key}/files/{name}``."""
        shelf, key = self._named(request)
        name = request.path_params["name"]
        return await self._read(lambda: file_response(shelf.get(key), key, name))

    async def openapi(self, request: Request) -> Response:
        """Answer ``GET /api/v1/openapi.json``."""
        refuse_other_answer(request)
        shelf = self._shelf
        root = str(request.scope.get("app_root_path", ""))
        found = await self._read(lambda: as_json(openapi(shelf, self._limits, root)))
        return Response(found, media_type=_JSON)

    async def alive(self, _: Request) -> Response:
        """Answer ``GET /healthz``: the process answers."""
        return Response(as_json({"status": "ok"}), media_type=_JSON)

    async def ready(self, _: Request) -> Response:
        """Answer ``GET /readyz``: the bundles are open."""
        number = len(tuple(self._shelf.keys()))
        return Response(as_json({"status": "ready", "bundles": number}), media_type=_JSON)

    def _named(self, request: Request) -> tuple[Shelf, str]:
        shelf = self._shelf
        try:
            return shelf, key_of(shelf, request.path_params["key"])
        except LookupError as error:
            raise Problem(404, f"bundle: {error.args[0]}") from error

    async def _read(self, work: Callable[[], Result]) -> Result:
        return await anyio.to_thread.run_sync(work, limiter=self._reading)
