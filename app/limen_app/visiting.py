"""What a visitor of a page asks: by its link, or by what was chosen on the page before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.errors import LimenError, ReadError
from limen_app import links
from limen_app.library import Library, one_message
from limen_app.pages import LEFT, go
from limen_app.showing import plain, safe
from limen_app.state import PAGES, ViewState

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.prediction import Predictor

__all__ = [
    "Visit",
    "choose_model",
    "fault",
    "note",
    "origin",
    "predictor_of",
    "remember",
    "share",
    "visit",
]

_LONGEST_FILE = 1_000_000
# So long after it was replaced an address may still come back [s], and so many are noted.
_ECHO, _LEFT = 10.0, 20


@dataclass(frozen=True, slots=True)
class Visit:
    """
    What a visitor asks of a page.

    Attributes
    ----------
    library : Library
    key : str
        Of the bundle.
    bundle : Bundle
    state : ViewState
        By the link; what it does not say is as on the page before.
    fresh : bool
        Whether a link was opened just now, so that boxes are to be filled by the state.
    """

    library: Library
    key: str
    bundle: Bundle
    state: ViewState
    fresh: bool


def fault(message: str) -> None:
    """Show what went wrong, as plain text."""
    st.error(safe(message), icon=":material/error:")


def note(message: str) -> None:
    """Show what a visitor should know, as plain text."""
    st.warning(safe(message), icon=":material/info:")


def visit(library: Library, page: str) -> Visit | None:
    """
    Find out what a visitor asks, and let another bundle be chosen.

    Parameters
    ----------
    library : Library
    page : str
        One of `limen_app.state.PAGES`.

    Returns
    -------
    Visit or None
        None where a message has been shown instead: no bundle is open, or it broke.
    """
    keys = library.keys()
    if not keys:
        _say_nothing_is_open(library)
        return None
    parameters = _parameters()
    fresh = _is_fresh(page, parameters)
    dropped: list[str] = []
    asked = links.asked_bundle(parameters) if fresh else ""
    key, there = _meant(library, asked, dropped)
    if fresh or st.session_state.get("bundle choice") not in keys:
        st.session_state["bundle choice"] = key
    chosen = _choose(library, keys)
    bundle = _opened(library, chosen)
    if bundle is None:
        return None
    st.session_state["key"] = chosen
    state = ViewState(page=page, bundle=chosen)
    if fresh and there and chosen == key:
        state, more = ViewState.from_query(parameters, bundle, page)
        dropped += more
    if fresh:
        st.session_state[f"dropped {page}"] = dropped
    for sentence in st.session_state.get(f"dropped {page}", ()):
        note(sentence)
    return Visit(library, chosen, bundle, _completed(state, chosen), fresh)


def _is_fresh(page: str, parameters: dict[str, Any]) -> bool:
    """
    Tell whether a link was opened, as against what the page wrote into the address itself.

    A browser that is asked twice in a moment sends the address of before with the second request.
    It is no link: taken for one it would undo what the visitor has just done.
    """
    if parameters == st.session_state.get(f"written {page}"):
        return False
    return not any(
        query == parameters and time.monotonic() - until < _ECHO
        for until, query in st.session_state.get(LEFT.format(page), ())
    )


def _leave(page: str, *queries: dict[str, Any] | None) -> None:
    """Note addresses that the page has just replaced."""
    left = [*st.session_state.get(LEFT.format(page), ())]
    left += [(time.monotonic(), query) for query in queries if query is not None]
    st.session_state[LEFT.format(page)] = left[-_LEFT:]


def _say_nothing_is_open(library: Library) -> None:
    for message in library.faults.values():
        fault(message)
    st.info(
        "No bundle is open. Make the example with `limen demo`, then start "
        "`limen app limen-demo`; or open a published one: `limen app DOI`.",
        icon=":material/inventory_2:",
    )


def _parameters() -> dict[str, Any]:
    return {name: st.query_params.get_all(name)[-1] for name in st.query_params}


def _meant(library: Library, asked: str, dropped: list[str]) -> tuple[str, bool]:
    """Give the bundle to show, and whether it is the link's, in whatever version."""
    known = st.session_state.get("key")
    keys = library.keys()
    other = str(known) if known in keys else keys[0]
    if not asked:
        return other, True
    try:
        return library.resolve(asked), True
    except LimenError:
        same = [key for key in keys if key.partition("@")[0] == asked.partition("@")[0]]
        said = f"The link is to {plain(asked)[:80]}, which is not open here"
    if same:
        dropped.append(f"{said}; {same[-1]} is shown instead.")
        return same[-1], True
    dropped.append(f"{said}. This is {other}, and nothing of the link was applied to it.")
    return other, False


def _choose(library: Library, keys: tuple[str, ...]) -> str:
    if len(keys) == 1:
        st.session_state.pop("bundle choice", None)
        return keys[0]
    return str(
        st.sidebar.selectbox("Bundle", keys, key="bundle choice", format_func=_named(library))
    )


def _named(library: Library) -> Any:
    def name(key: str) -> str:
        try:
            return f"{plain(library.get(key).manifest['title'])[:60]} ({key})"
        except LimenError:
            return f"{key} (cannot be read)"

    return name


def _opened(library: Library, key: str) -> Bundle | None:
    try:
        bundle = library.get(key)
    except LimenError as error:
        fault(one_message(error))
        if len(library.keys()) > 1:
            st.caption("Other bundles still work: choose one in the list.")
        return None
    notice = library.notices.get(key)
    if notice:
        note(notice)
    return bundle


def _completed(state: ViewState, key: str) -> ViewState:
    """Fill in what was known of this bundle from the pages before."""
    known: ViewState | None = st.session_state.get(f"seen {key}")
    if known is None:
        return replace(state, bundle=key)
    return replace(
        state,
        bundle=key,
        model=state.model or known.model,
        point=state.point or known.point,
        axes=state.axes or known.axes,
        ranges=state.ranges if state.axes else known.ranges,
    )


def choose_model(here: Visit) -> str | None:
    """
    Let a model be chosen.

    Returns
    -------
    str or None
        None where the bundle has none, which is said.
    """
    models = list(here.bundle.models)
    if not models:
        st.info(
            "This bundle holds no model yet, so that nothing can be predicted; its points can be "
            "browsed. Train one: `limen train BUNDLE --target COLUMN`.",
            icon=":material/model_training:",
        )
        return None
    box = f"model of {here.key}"
    if here.fresh or box not in st.session_state:
        st.session_state[box] = here.state.model or models[0]
    if st.session_state[box] not in models:
        st.session_state[box] = models[0]
    cards = here.bundle.models

    def named(name: str) -> str:
        column = here.bundle.columns[cards[name].target]
        return f"{name}: {plain(column.title)[:70]}"

    return str(st.selectbox("Model", models, key=box, format_func=named))


def predictor_of(here: Visit, model: str) -> Predictor | None:
    """Load a model; None where a message has been shown instead."""
    try:
        return here.library.predictor(here.key, model)
    except LimenError as error:
        fault(one_message(error))
        st.caption(
            "This model cannot be asked until its file is as published: run `limen check BUNDLE`, "
            "or get the bundle again. Other models and bundles still work."
        )
        return None


def remember(here: Visit, state: ViewState) -> ViewState:
    """
    Keep a state for the other pages, and write it into the address.

    Returns
    -------
    ViewState
        With the digest of the bundle's manifest.
    """
    state = replace(state, bundle=here.key, digest=here.library.digest(here.key))
    query = state.to_query()
    st.session_state[f"seen {here.key}"] = state
    before = st.session_state.get(f"written {state.page}")
    st.session_state[f"written {state.page}"] = query
    if _parameters() != query:
        _leave(state.page, before, _parameters())
        st.query_params.from_dict(query)
    return state


def share(here: Visit, state: ViewState) -> None:
    """Offer the link and the session file of a state, and to open another one."""
    with st.popover("Share", icon=":material/share:"):
        link = state.link(origin())
        if len(link) <= links.LONGEST:
            st.caption("This link opens the same view; copy it with the button at its right end:")
            st.code(link, language=None, wrap_lines=True)
            if links.is_loopback(link):
                st.caption("This address works on this machine only.")
        else:
            st.caption("This view is too long for a link: save it as a file.")
        st.download_button(
            "Save this view as a file",
            state.to_json(),
            file_name=f"{here.key.partition('@')[0]}-{state.page}.limen-view.json",
            mime="application/json",
            on_click="ignore",
        )
        given = st.file_uploader("Open a saved view", type=["json"], key=f"view {state.page}")
        if given is not None:
            _open_view(here.library, given.getvalue())


def origin() -> str:
    """Give the address of this server, as the visitor's browser has it, with a proxy's path."""
    address = (st.context.url or "").partition("?")[0].partition("#")[0].rstrip("/")
    head, _, last = address.rpartition("/")
    return head if last in PAGES else address


def _open_view(library: Library, data: bytes) -> None:
    try:
        if len(data) > _LONGEST_FILE:
            raise ReadError("session file: found more than 1 MB; give a file that Share made")
        state, _ = ViewState.from_json(data.decode("utf-8"), None)
    except UnicodeDecodeError:
        fault("session file: is not UTF-8 text; give a file that Share made")
        return
    except LimenError as error:
        fault(one_message(error))
        return
    if state.bundle.partition("@")[0] not in {k.partition("@")[0] for k in library.keys()}:  # noqa: SIM118
        fault(f"session file: it is of {state.bundle[:80] or 'no bundle'}, which is not open here")
        return
    if st.button("Open it", type="primary"):
        go(state)
