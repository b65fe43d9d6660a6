"""Buttons for files that are made when they are asked for, not before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from limen.errors import LimenError
from limen_app.library import one_message
from limen_app.printing import FORMS
from limen_app.visiting import fault

__all__ = ["button", "figure_buttons"]


def button(
    label: str, make: Callable[[], bytes], name: str, mime: str, *, off: bool = False
) -> None:
    """
    Draw a button for one file.

    Parameters
    ----------
    label : str
    make : callable
        Gives the file; a `LimenError` is shown as one message.
    name : str
        Of the file.
    mime : str
    off : bool
        Whether it is shown but cannot be pressed.
    """

    def guarded() -> bytes:
        try:
            return make()
        except LimenError as error:
            fault(one_message(error))
            raise

    st.download_button(
        label,
        guarded,
        file_name=name,
        mime=mime,
        on_click="ignore",
        disabled=off,
        key=f"get {name}",
    )


def figure_buttons(make: Callable[[str], bytes], stem: str) -> None:
    """
    Draw a button for each kind of file that a figure can be.

    Parameters
    ----------
    make : callable
        Gives the file; takes ``"pdf"``, ``"png"`` or ``"svg"``.
    stem : str
        Name of the files without their endings.
    """
    for form, mime in FORMS.items():
        button(form.upper(), partial(make, form), f"{stem}.{form}", mime)
