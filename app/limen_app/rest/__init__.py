"""REST: predictions and bundles for programs, beside the pages."""

from limen_app.rest.routing import routes

__all__ = ["routes"]
