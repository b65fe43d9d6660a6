"""How many rows a view selects: the state of a link or a session file, counted exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limen.browsing import predicate
from limen.errors import BundleNotFoundError, ColumnError, UsageError
from limen_app.component.browsers import browsers_of
from limen_app.links import asked_bundle
from limen_app.rest.bodies import parse
from limen_app.rest.choosing import of_the_server
from limen_app.rest.problems import Detail, Problem, as_json
from limen_app.state import ViewState

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen_app.library import Library

__all__ = ["selected_by_document", "selected_by_link"]


def selected_by_link(library: Library, parameters: Mapping[str, Any]) -> bytes:
    """
    Count the rows that the parameters of a link select.

    Raises
    ------
    Problem
        422 if no bundle is named, or one that is not open; 503 if its files are gone.
    """
    key = _key(library, asked_bundle(parameters), "b")
    with of_the_server(key):
        bundle = library.get(key)
        return _count(library, key, bundle, *ViewState.from_query(parameters, bundle, "browse"))


def selected_by_document(library: Library, body: bytes) -> bytes:
    """
    Count the rows that a view selects, given as plain JSON or as a session file.

    Raises
    ------
    Problem
        As `selected_by_link`; 400 if the body is no JSON.
    """
    document = {name: value for name, value in parse(body).items() if not name.startswith("format")}
    key = _key(library, document.get("bundle", ""), "/bundle")
    with of_the_server(key):
        bundle = library.get(key)
        return _count(library, key, bundle, *ViewState.from_document(document, bundle))


def _key(library: Library, name: Any, pointer: str) -> str:
    try:
        if not isinstance(name, str) or not name:
            raise BundleNotFoundError(f"bundle: found none, open are {', '.join(library.keys())}")
        return library.resolve(name)
    except BundleNotFoundError as error:
        detail = str(error).removeprefix("bundle: ")
        raise Problem.of_faults(422, [Detail(pointer, detail)]) from error


def _count(
    library: Library, key: str, bundle: Bundle, state: ViewState, dropped: list[str]
) -> bytes:
    filters = state.browse.filters
    try:
        selected = browsers_of(library).get(key).count(filters)
        where = predicate(filters, bundle.columns)
    except (ColumnError, UsageError) as error:
        raise Problem.of_faults(422, [Detail("/filters", str(error))]) from error
    return as_json(
        {
            "bundle": key,
            "selected": selected,
            "rows": bundle.n_points,
            "where": where,
            "link": state.link(),
            "view": state.to_document(),
            "dropped": dropped,
        }
    )
