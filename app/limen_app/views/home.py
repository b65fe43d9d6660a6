"""The page Home: what this is, what is open, and where to begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from limen.errors import LimenError
from limen_app.pages import page
from limen_app.showing import paragraphs, safe
from limen_app.visiting import fault

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]

_LEAD = 400


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Limen")
    st.markdown(
        "High-dimensional results on models of new physics, to ask and to look at: type a point "
        "and see whether it is excluded, filter millions of scan points by dragging, draw contours "
        "at any values of the other parameters, share what you see as a link."
    )
    keys = library.keys()
    if not keys and not library.campaigns:
        st.info(
            "No bundle is open. Make the example with `limen demo`, then start "
            "`limen app limen-demo`; or open a published one: `limen app DOI`.",
            icon=":material/inventory_2:",
        )
    for key in keys:
        _card(library, key)
    if library.campaigns:
        count = len(library.campaigns)
        label = f"Look at {count} campaign{'' if count == 1 else 's'}"
        st.page_link(page("campaigns"), label=label, icon=":material/explore:")
    for place, message in library.faults.items():
        if place not in keys:
            fault(message)


def _card(library: Library, key: str) -> None:
    try:
        bundle = library.get(key)
    except LimenError as error:
        fault(str(error))
        return
    document = bundle.manifest
    with st.container(border=True):
        st.subheader(safe(document["title"]))
        doi = document.get("doi")
        st.caption(
            f"{safe(key)}, {f'DOI {safe(doi)}' if doi else f'{bundle.status} without DOI'}: "
            f"{bundle.n_points:,} points, {len(bundle.columns)} columns, "
            f"models: {safe(', '.join(bundle.models) or 'none')}"
        )
        text = str(document.get("description", ""))
        st.markdown(paragraphs(text if len(text) <= _LEAD else f"{text[:_LEAD]}…"))
        query = {"b": key}
        with st.container(horizontal=True):
            for name, label in (
                ("predict", "Predict a point"),
                ("browse", "Browse the scan"),
                ("slices", "Draw contours"),
                ("bundle", "About this bundle"),
            ):
                link = page(name)
                st.page_link(link, label=label, icon=link.icon, query_params=query)
