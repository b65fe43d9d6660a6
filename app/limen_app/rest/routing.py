"""The addresses of REST, to stand beside the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from limen_app.limits import Limits
from limen_app.rest.desk import Desk
from limen_app.rest.guarding import Guard, Rate
from limen_app.rest.problems import handlers

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["routes"]


def routes(
    library: Library | Callable[[], Library | None], limits: Limits | None = None
) -> list[BaseRoute]:
    """
    Give the routes of REST: all of ``/api``, ``/healthz`` and ``/readyz``.

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
    api = [
        Route("/v1/predict", desk.predict, methods=["POST"]),
        Route("/v1/select", desk.select, methods=["GET", "POST"]),
        Route("/v1/bundles", desk.bundles),
        Route("/v1/bundles/{key}", desk.bundle),
        Route("/v1/bundles/{key}/files/{name}", desk.file),
        Route("/v1/openapi.json", desk.openapi),
    ]
    health = [Route("/healthz", desk.alive), Route("/readyz", desk.ready)]
    watched = _application(health, 0)
    mount = Mount("/api", app=_application(api, bounds.requests_per_minute))
    # A line break in an address is a letter too; without it the pages would answer.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return [
        mount,
        *(Route(route.path, watched) for route in health),
    ]


def _application(inner: list[Route], per_minute: int) -> Starlette:
    """Make an application that words its own refusals, whatever it is mounted in."""
    guard = Middleware(Guard, rate=Rate(per_minute))
    application = Starlette(routes=inner, middleware=[guard], exception_handlers=handlers())
    application.router.redirect_slashes = False
    return application
