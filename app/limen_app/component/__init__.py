"""Linked charts of the page Browse: the component in the browser, and the tables it draws."""

from limen_app.component.browsers import Browsers, browsers_of
from limen_app.component.linked import linked_charts
from limen_app.component.requests import Asked, drawn, read_filters, read_request
from limen_app.component.routing import TABLES_PATH, table_routes
from limen_app.component.tables import answer

__all__ = [
    "TABLES_PATH",
    "Asked",
    "Browsers",
    "answer",
    "browsers_of",
    "drawn",
    "linked_charts",
    "read_filters",
    "read_request",
    "table_routes",
]
