"""The pages of the app: their names, addresses, and how one leads to another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import streamlit as st

from limen_app.offering import offered
from limen_app.state import PAGES, ViewState

__all__ = ["LEFT", "all_pages", "go", "link", "page"]

LEFT = "left {}"
"""Key of the addresses that a page has just replaced, see `limen_app.visiting`."""

_TITLES = {
    "home": ("Home", ":material/home:"),
    "bundles": ("Bundles", ":material/inventory_2:"),
    "bundle": ("Bundle", ":material/description:"),
    "predict": ("Predict", ":material/my_location:"),
    "batch": ("Batch", ":material/table_rows:"),
    "browse": ("Browse", ":material/bar_chart:"),
    "slices": ("Contours", ":material/contrast:"),
    "campaigns": ("Campaigns", ":material/explore:"),
    "code": ("Code", ":material/code:"),
    "about": ("About", ":material/info:"),
}


def all_pages() -> list[st.Page]:
    """Give the pages in the order of the navigation; for `st.navigation`."""
    return [page(name) for name in PAGES if find_spec(f"limen_app.views.{name}") is not None]


def page(name: str) -> st.Page:
    """
    Give one page.

    Parameters
    ----------
    name : str
        One of `limen_app.state.PAGES`.
    """
    title, icon = _TITLES[name]
    home = name == "home"
    return st.Page(_shower(name), title=title, icon=icon, url_path=name, default=home)


def _shower(name: str) -> Callable[[], None]:
    return partial(_show, name)


def _show(name: str) -> None:
    if st.session_state.get("page") != name:
        st.session_state["page"] = name
        _take_any_link(name)
    import_module(f"limen_app.views.{name}").show(offered())


def go(state: ViewState) -> None:
    """Lead to the page of a state, and show the state there. Does not return."""
    _take_any_link(state.page)
    st.switch_page(page(state.page), query_params=state.to_query())


def _take_any_link(name: str) -> None:
    """Let a page take every address for a link, also one that it had a moment ago."""
    st.session_state.pop(LEFT.format(name), None)


def link(state: ViewState, label: str, about: str | None = None) -> None:
    """
    Draw a link to the page of a state, which shows the state there.

    Parameters
    ----------
    state : ViewState
    label : str
    about : str, optional
        Told on hovering.
    """
    target = page(state.page)
    query = state.to_query()
    st.page_link(target, label=label, icon=target.icon, query_params=query, help=about)
