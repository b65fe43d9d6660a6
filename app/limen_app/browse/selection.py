"""What is selected: its first rows, its lines over all axes, downloads, the same as code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from limen.browsing import Axis, Browser, predicate
from limen_app.browse.beginning import categories_of, drawable
from limen_app.browse.exporting import MOST_BYTES, as_bundle, as_csv, as_parquet, sizes
from limen_app.browse.figures import figure, parallel
from limen_app.browse.reproducing import command_line, python
from limen_app.component import drawn
from limen_app.downloading import button, figure_buttons
from limen_app.printing import rendered, source
from limen_app.showing import plain

if TYPE_CHECKING:
    from limen_app.state import Browse
    from limen_app.visiting import Visit

__all__ = ["footer", "show_selection"]

_PARTS = ("Rows", "Parallel coordinates", "Download", "Code")
_FIRST_ROWS = 1_000
_LINES = 500
_AXES = 10


def show_selection(here: Visit, browser: Browser, browse: Browse, rows: int) -> None:
    """
    Show what is selected, the part of it that is asked for.

    Parameters
    ----------
    here : Visit
    browser : Browser
    browse : Browse
    rows : int
        Selected, at least one.
    """
    part = st.segmented_control("Show", _PARTS, default=_PARTS[0], key="part of the selection")
    if part == "Rows":
        _table(here, browser, browse, rows)
    elif part == "Parallel coordinates":
        _parallel(here, browser, browse)
    elif part == "Download":
        _downloads(here, browser, browse, rows)
    elif part == "Code":
        _code(here, browse)


def _table(here: Visit, browser: Browser, browse: Browse, rows: int) -> None:
    found = browser.rows(browse.filters, _FIRST_ROWS)
    values = browser.index.read(list(here.bundle.columns), found)
    heads = {
        name: plain(name if column.unit == "1" else f"{name} [{column.unit}]")
        for name, column in here.bundle.columns.items()
    }
    frame = pd.DataFrame({heads[name]: column for name, column in values.items()}, index=found)
    frame.index.name = "row"
    if rows > _FIRST_ROWS:
        st.caption(f"The first {_FIRST_ROWS:,} of {rows:,} selected rows.")
    st.dataframe(frame)


def _parallel(here: Visit, browser: Browser, browse: Browse) -> None:
    columns = drawable(here.bundle)
    shown = dict.fromkeys(a.column for panel in browse.charts for a in panel.axes)
    names = st.multiselect(
        "Axes",
        list(columns),
        default=[name for name in shown if name in columns][:_AXES],
        max_selections=_AXES,
        format_func=lambda name: plain(columns[name].title),
        key=f"parallel axes {here.key}",
    )
    if len(names) < 2:
        st.caption("Choose two axes or more.")
        return
    ranked = st.checkbox(
        "by rank", help="Equal shares of all rows along each axis: a long tail does not squeeze it."
    )
    found = browser.spread_rows(browse.filters, _LINES)
    axes = [Axis(name, 250, "quantile") if ranked else Axis(name) for name in names]
    titles = [_axis_title(browser, here, axis) for axis in axes]
    places = [browser.places(axis, found) for axis in axes]
    frame = pd.DataFrame(
        {
            "row": np.tile(found, len(names)),
            "axis": np.repeat(titles, len(found)),
            "place": np.concatenate(places),
        }
    )
    label = next((n for n, c in here.bundle.columns.items() if c.role == "label"), None)
    title = None
    if label is not None:
        told = categories_of(here.bundle.columns[label]) or {}
        codes = browser.index.read([label], found)[label]
        words = [told.get(f"{code:g}", f"{code:g}") for code in codes.astype(float)]
        frame["label"] = np.tile(np.asarray(words, dtype=object), len(names))
        title = plain(here.bundle.columns[label].title)
    st.altair_chart(parallel(frame, titles, title), width="stretch")
    st.caption(
        f"{len(found):,} of the selected rows, spread over the scan, each at the place of its bin"
        f"{' among all rows' if ranked else ''}. "
        "The density of lines is that of the sampling."
    )


def _axis_title(browser: Browser, here: Visit, axis: Axis) -> str:
    fine, _ = browser.fine(axis)
    unit = here.bundle.columns[axis.column].unit
    ends = f"{fine.edges[0]:.3g} to {fine.edges[-1]:.3g}"
    return f"{axis.column} ({ends}{'' if unit == '1' else f' {plain(unit)}'})"


def footer(here: Visit, browse: Browse, rows: int) -> list[str]:
    """Give the lines that say what a figure shows: of which bundle, under which filters."""
    where = predicate(browse.filters, here.bundle.columns) or "none"
    return [
        source(here),
        f"{rows:,} of {here.bundle.n_points:,} rows. Filters: {where}. Density of points reflects "
        "the sampling. Empty: no samples.",
    ]


def _downloads(here: Visit, browser: Browser, browse: Browse, rows: int) -> None:
    bundle, stem = here.bundle, here.key.partition("@")[0]
    st.markdown("**Figure** of the histograms and maps")
    charts = drawn(browse.charts)

    def make(form: str) -> bytes:
        lines = footer(here, browse, rows)
        return rendered(figure(bundle, browser, charts, browse.filters, lines), form)

    with st.container(horizontal=True):
        figure_buttons(make, stem)
    st.markdown(f"**Rows**: {rows:,}")
    about = sizes(bundle, browser, rows)
    ways: dict[str, tuple[str, Callable[[], bytes], str, str]] = {
        "csv": ("CSV", lambda: as_csv(bundle, browser, browse.filters), ".csv", "text/csv"),
        "parquet": (
            "Parquet",
            lambda: as_parquet(bundle, browser, browse.filters),
            ".parquet",
            "application/vnd.apache.parquet",
        ),
        "bundle": (
            "Sub-bundle",
            lambda: as_bundle(bundle, browse.filters),
            "-selection.zip",
            "application/zip",
        ),
    }
    with st.container(horizontal=True):
        for name, (label, work, ending, mime) in ways.items():
            too_large = about[name] > MOST_BYTES
            whole = name == "bundle" and not browse.filters
            named = f"{label}, about {_size(about[name])}"
            button(named, work, stem + ending, mime, off=too_large or whole)
    if max(about.values()) > MOST_BYTES:
        st.caption(
            f"More than {MOST_BYTES // 1_000_000} MB are not made here: use the command under Code."
        )
    st.caption(
        "A sub-bundle names this bundle as its parent, with the condition. Models are not copied: "
        "they were judged on all rows."
    )


def _size(n: int) -> str:
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= least:
            return f"{n / least:.3g} {unit}"
    return f"{n} bytes"


def _code(here: Visit, browse: Browse) -> None:
    line = command_line(here.bundle, browse.filters)
    if line is not None:
        st.caption("The same rows as a bundle:")
        st.code(line, language="bash", wrap_lines=True)
    elif browse.filters:
        st.caption("These filters are too many for one condition: select in two steps.")
    st.caption("In Python:")
    st.code(python(here.bundle, browse.filters), language="python", wrap_lines=True)
