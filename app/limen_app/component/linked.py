"""The component: its parts are files of this package, joined into one module without a build."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["linked_charts", "script"]

_FOLDER = Path(__file__).parent
_PARTS = (
    "numbers.js",
    "statistics.js",
    "cubes.js",
    "axes.js",
    "drawing.js",
    "panels.js",
    "linked.js",
)


def script() -> str:
    """Give the component's JavaScript, one module."""
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _PARTS)


@cache
def _component() -> Any:
    style = (_FOLDER / "linked.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        "limen_linked", js=script(), css=style, html='<div class="limen-root"></div>'
    )


def linked_charts(
    data: dict[str, Any],
    *,
    key: str,
    on_filters: Callable[[], None] | None = None,
    on_options: Callable[[], None] | None = None,
) -> Any:
    """
    Mount the linked charts.

    Parameters
    ----------
    data : dict
        ``url`` of the tables, ``rows`` of the scan, ``preview`` (number of rows above which a
        sample comes first), ``charts``, ``columns`` (title, unit, categories), ``filters``,
        ``options``, and ``revision``, which grows when these were changed outside.
    key : str
    on_filters : callable, optional
        Called when the filters were changed in the charts.
    on_options : callable, optional
        Called when it was changed how all charts are drawn.

    Returns
    -------
    ComponentResult
        Its state ``filters`` holds the filters as `read_request` takes them, ``options`` a list.
    """
    return _component()(
        data=data,
        key=key,
        height="content",
        on_filters_change=on_filters or (lambda: None),
        on_options_change=on_options or (lambda: None),
    )
