"""The addresses of REST, to stand beside the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from limen_app.limits import Limits
from limen_app.rest.desk import Desk
from limen_app.rest.guarding import Guard, Rate
from limen_app.rest.inference import Inference, told
from limen_app.rest.problems import Problem, handlers

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["routes"]


def routes(
    library: Library | Callable[[], Library | None], limits: Limits | None = None
) -> list[BaseRoute]:
    """
    Give the routes of REST: all of ``/api`` and ``/v2``, ``/healthz`` and ``/readyz``.

    Parameters
    ----------
    library : Library, or callable
        The opened bundles; a callable may give None while they are being opened.
    limits : Limits, optional
        Those of the environment by default.

    Returns
    -------
    list of BaseRoute
        For ``Starlette(routes=...)`` or ``streamlit.App(routes=...)``.
    """
    bounds = Limits.from_environment() if limits is None else limits
    desk = Desk(library if callable(library) else lambda: library, bounds)
    # One count for both faces, or a client would have twice the requests.
    rate = Rate(bounds.requests_per_minute)
    api = [
        Route("/v1/predict", desk.predict, methods=["POST"]),
        Route("/v1/select", desk.select, methods=["GET", "POST"]),
        Route("/v1/bundles", desk.bundles),
        Route("/v1/bundles/{key}", desk.bundle),
        Route("/v1/bundles/{key}/files/{name}", desk.file),
        Route("/v1/openapi.json", desk.openapi),
    ]
    health = [Route("/healthz", desk.alive), Route("/readyz", desk.ready)]
    watched = _application(health, Rate(0))
    return [
        _below("/api", _application(api, rate)),
        *(Route(route.path, watched) for route in health),
        *_protocol(Inference(desk), rate),
    ]


def _protocol(inference: Inference, rate: Rate) -> list[BaseRoute]:
    """Give the routes of the Open Inference Protocol: all of ``/v2``."""
    health = [
        Route("/v2/health/live", inference.live),
        Route("/v2/health/ready", inference.ready),
    ]
    server = Route("/v2", inference.server)
    models = [Route("/", inference.server)]
    for model in ("/models/{name}", "/models/{name}/versions/{version}"):
        models += [
            Route(model, inference.model),
            Route(f"{model}/ready", inference.model_ready),
            Route(f"{model}/infer", inference.infer, methods=["POST"]),
        ]
    watched = _application(health, Rate(0), told)
    return [
        *(Route(route.path, watched) for route in health),
        Route(server.path, _application([server], rate, told)),
        _below("/v2", _application(models, rate, told)),
    ]


def _below(path: str, application: Starlette) -> Mount:
    mount = Mount(path, app=application)
    # A line break in an address is a letter too; without it the pages would answer.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


def _application(
    inner: list[Route], rate: Rate, answer: Callable[[Problem], Response] = Problem.response
) -> Starlette:
    """Make an application that words its own refusals, whatever it is mounted in."""
    guard = Middleware(Guard, rate=rate, answer=answer)
    refusals = handlers(answer)
    application = Starlette(routes=inner, middleware=[guard], exception_handlers=refusals)
    application.router.redirect_slashes = False
    return application
