"""The page Campaigns: how far they are, how good they are, what they ask next; read-only."""

from __future__ import annotations

import html
import math
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from limen.errors import LimenError, install_line
from limen_app.library import one_message
from limen_app.showing import plain, safe
from limen_app.visiting import fault, note

if TYPE_CHECKING:
    from limen.active.assessments import LabelError
    from limen_app.following import Quality, Standing
    from limen_app.library import Library

__all__ = ["show"]

_LISTED = 200


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Campaigns")
    st.markdown(
        "A campaign asks, round by round, for the points whose evaluation teaches a model most, "
        "and keeps what is asked and told in a folder. This page shows how far it is. Start one "
        "with `limen campaign start BUNDLE -o CAMPAIGN`."
    )
    if not library.campaigns:
        st.info(
            "No campaign is open. Give the folder of one: `limen app BUNDLE CAMPAIGN`.",
            icon=":material/explore:",
        )
        return
    folder = library.campaigns[0]
    if len(library.campaigns) > 1:
        folder = st.selectbox("Campaign", library.campaigns, format_func=lambda path: path.name)
    try:
        from limen_app.following import follow

        standing = follow(folder)
    except ImportError as error:
        fault(f"Campaigns need more libraries: {error}; {install_line('active')}")
        return
    except LimenError as error:
        fault(one_message(error))
        return
    st.button("Look again", icon=":material/refresh:")
    _counts(standing)
    for text in standing.status["notes"]:
        note(text)
    _pending(standing)
    if standing.place:
        _quality(folder, standing)


def _quality(folder: Path, standing: Standing) -> None:
    """Draw what needs fits, which takes a while."""
    from limen_app.following import quality_of

    try:
        with st.spinner("Fitting, which may take a minute", show_time=True):
            quality = quality_of(folder)
    except LimenError as error:
        fault(one_message(error))
        return
    for text in quality.missing:
        note(text)
    _error(quality)
    if quality.progress:
        st.subheader("Progress")
        _draw(quality.progress, "Stated error and values by points asked")
        st.caption("By points asked; each figure by what is told now of the points until then.")
    if not quality.missing:
        _slice(folder, standing)


def _counts(standing: Standing) -> None:
    status = standing.status
    st.caption(
        f"Campaign {safe(status['id'])}, strategy {safe(status['strategy'])}, "
        f"{status['warm']:,} rows known before"
    )
    with st.container(horizontal=True):
        st.metric("rounds", f"{status['rounds']:,}")
        st.metric("points asked", f"{status['asked']:,}")
        for name, count in status["counts"].items():
            if count:
                st.metric(name, f"{count:,}")
    if status["failures"]:
        rows = [{"why": plain(why)[:200], "points": n} for why, n in status["failures"].items()]
        st.dataframe(rows, hide_index=True, width="stretch")


def _error(quality: Quality) -> None:
    if quality.assessment is None or not quality.assessment.labels:
        return
    st.subheader("Stated error")
    st.dataframe(
        [_label(label) for label in quality.assessment.labels], hide_index=True, width="stretch"
    )
    st.caption(
        f"Accuracy on {safe(quality.assessment.population)}, which the surrogate never saw; the "
        "expected misclassified mass is what the surrogate foretells over the prior."
    )
    for text in quality.assessment.notes:
        note(text)


def _label(label: LabelError) -> dict[str, str | int]:
    value, (low, high) = label.accuracy
    known = label.reserved.n and math.isfinite(value)
    said = f"{100 * value:.3g} % [{100 * low:.3g}, {100 * high:.3g}]" if known else "not yet"
    return {
        "label": f"{label.output} at {label.threshold:g}",
        "expected misclassified mass": f"{100 * label.mass:.3g} %",
        "accuracy, 95 % interval": said,
        "on points": label.reserved.n,
        "labels changed in the last round": (
            f"{100 * label.changed[-1]:.3g} %" if label.changed else ""
        ),
    }


def _draw(svg: str, words: str) -> None:
    """Show a picture, with words for those who do not see it."""
    data = b64encode(svg.encode()).decode()
    style = "width: 100%; background: white"
    source = f"data:image/svg+xml;base64,{data}"
    st.html(f'<img alt="{html.escape(words)}" style="{style}" src="{source}">')


@st.fragment
def _slice(folder: Path, standing: Standing) -> None:
    from limen_app.following import slice_svg

    names = list(standing.parameters)
    if len(names) < 2:
        return
    st.subheader("Contours")
    left, right = st.columns([2, 5], gap="large")
    with left:
        x = st.selectbox("Along x", names, key=f"campaign x {folder}")
        y = st.selectbox("Along y", [n for n in names if n != x], key=f"campaign y {folder}")
        held = {}
        for name, unit in standing.parameters.items():
            if name not in (x, y):
                held[name] = st.number_input(
                    safe(name if unit == "1" else f"{name} [{unit}]"),
                    value=float(standing.place[name]),
                    format="%.6g",
                    key=f"campaign at {folder} {name}",
                )
    with right:
        try:
            with st.spinner("Drawing", show_time=True):
                _draw(slice_svg(folder, str(x), str(y), held), f"Contours along {x} and {y}")
        except LimenError as error:
            fault(one_message(error))
        st.caption(
            "Contours of the surrogate with their band; points near the slice, and the pending "
            "ones. The slice begins at the evaluated point nearest to a contour."
        )


def _pending(standing: Standing) -> None:
    table = standing.pending
    st.subheader(f"Next: {len(table):,} points pending")
    if not len(table):
        st.caption("None; ask with: limen campaign ask CAMPAIGN -n 10")
        return
    st.dataframe(table.head(_LISTED), hide_index=True, width="stretch")
    if len(table) > _LISTED:
        st.caption(f"The first {_LISTED} of {len(table):,}.")
