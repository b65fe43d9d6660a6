"""The page Browse: linked charts over a whole scan, and what is selected in them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st

from limen.browsing import PREVIEW_ABOVE, Browser, columns_for
from limen.errors import LimenError, UsageError
from limen_app.browse.beginning import chart_documents, column_documents, first_panels
from limen_app.browse.managing import manage_charts, manage_filters
from limen_app.browse.selection import show_selection
from limen_app.component import TABLES_PATH, browsers_of, linked_charts, read_filters
from limen_app.library import one_message
from limen_app.restoring import filter_document, read
from limen_app.showing import safe
from limen_app.state import Browse
from limen_app.visiting import Visit, fault, origin, remember, share, visit

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Browse")
    here = visit(library, "browse")
    if here is None:
        return
    _restore(here)
    try:
        browser = browsers_of(library).get(here.key)
        with st.container(horizontal=True):
            _manage(here)
            place = st.container()
        _charts(here)
        state = remember(here, replace(here.state, browse=_known(here)))
        with place:
            share(here, state)
        _selected(here, browser)
    except LimenError as error:
        fault(one_message(error))
    except OSError:
        fault("The scan of this bundle cannot be read: it was moved or deleted. Open it again.")


def _restore(here: Visit) -> None:
    """Take what the link says; else go on with what was there before."""
    given, known = here.state.browse, _slot(here) in st.session_state
    if known and not (here.fresh and (given.filters or given.charts or given.options)):
        return
    charts = given.charts or first_panels(here.bundle)
    _keep(here, replace(given, charts=charts))


def _slot(here: Visit) -> str:
    return f"browse {here.key}"


def _known(here: Visit) -> Browse:
    found: Browse = st.session_state[_slot(here)]
    return found


def _keep(here: Visit, browse: Browse) -> None:
    """Keep what was changed outside of the charts, and have the charts take it over."""
    st.session_state[_slot(here)] = browse
    revision = f"revision {here.key}"
    st.session_state[revision] = st.session_state.get(revision, 0) + 1


def _manage(here: Visit) -> None:
    browse = _known(here)
    for manage in (manage_charts, manage_filters):
        try:
            changed = manage(here.bundle, browse)
        except UsageError as error:
            fault(one_message(error))
            continue
        if changed is not None:
            _keep(here, changed)
            st.rerun()


def _charts(here: Visit) -> None:
    bundle, browse, key = here.bundle, _known(here), f"charts {here.key}"
    charts = chart_documents(bundle, browse.charts)

    def take() -> None:
        told = getattr(st.session_state.get(key), "filters", None)
        if told:
            found = read_filters(json.loads(told), bundle)
            st.session_state[_slot(here)] = replace(_known(here), filters=found)

    def take_options() -> None:
        told = getattr(st.session_state.get(key), "options", None)
        if told:
            found, _ = read({"options": json.loads(told)}, bundle)
            st.session_state[_slot(here)] = replace(_known(here), options=found.get("options", ()))

    names = [axis["column"] for chart in charts for axis in chart["axes"]]
    linked_charts(
        {
            "url": f"{_base()}{TABLES_PATH}/{here.key}",
            "rows": bundle.n_points,
            "preview": PREVIEW_ABOVE,
            "charts": charts,
            "columns": column_documents(bundle, [*names, *browse.filters]),
            "filters": {name: filter_document(one) for name, one in browse.filters.items()},
            "options": list(browse.options),
            "revision": st.session_state.get(f"revision {here.key}", 0),
        },
        key=key,
        on_filters=take,
        on_options=take_options,
    )


def _base() -> str:
    return urlsplit(origin()).path


def _selected(here: Visit, browser: Browser) -> None:
    browse = _known(here)
    rows = browser.count(browse.filters)
    share_of = 100 * rows / max(1, browser.n_points)
    st.subheader("Selection")
    st.markdown(
        f"**{rows:,} of {browser.n_points:,} rows selected ({share_of:.1f} %)**, counted exactly."
    )
    for name in columns_for("weighted", here.bundle.columns):
        whole = browser.weight(name, {})
        if whole > 0:
            part = 100 * browser.weight(name, browse.filters) / whole
            st.markdown(f"By {safe(name)}: {part:.1f} % of the sum of all weights.")
    if not rows:
        st.info("No row passes all filters. Remove one of them, or all, under Filters.")
        return
    show_selection(here, browser, browse, rows)
