"""The page Browse: linked charts over a whole scan."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

import streamlit as st

from limen.browsing import PREVIEW_ABOVE
from limen_app.browse.beginning import chart_documents, column_documents, first_panels
from limen_app.component import TABLES_PATH, browsers_of, linked_charts, read_filters
from limen_app.restoring import filter_document

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    key = library.keys()[0]
    bundle = library.get(key)
    st.title("Browse")
    panels = first_panels(bundle)
    charts = chart_documents(bundle, panels)
    names = chain.from_iterable([axis["column"] for axis in chart["axes"]] for chart in charts)
    linked_charts(
        {
            "url": f"{TABLES_PATH}/{key}",
            "rows": bundle.n_points,
            "preview": PREVIEW_ABOVE,
            "charts": charts,
            "columns": column_documents(bundle, names),
            "filters": {},
            "revision": 0,
        },
        key="charts",
    )
