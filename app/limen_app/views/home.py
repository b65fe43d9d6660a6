"""The page Home: what this is, what is open, and where to begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Limen")
    st.write("Is this point of a model excluded, and what does the whole scan say?")
    for key in library.keys():  # noqa: SIM118
        st.text(f"{library.get(key).manifest['title']} ({key})")
    for message in library.faults.values():
        st.error(message)
