"""The form of the page Predict: a box for each parameter, made from the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from limen.errors import LimenError, UnitError
from limen.manifest import Column
from limen_app.library import one_message
from limen_app.limits import Limits
from limen_app.published import random_row, rows_of
from limen_app.reading import read_value, shown_point
from limen_app.showing import column_label, number, plain, quantity, safe, spoken
from limen_app.slicing import ends
from limen_app.sliding import draw_slider, track_of
from limen_app.spectra import fill, takes_spectra
from limen_app.uploads import Upload
from limen_app.visiting import Visit, fault, note

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Given", "box_of", "draw_form", "examples", "first_point", "put", "spectrum_box"]


@dataclass(slots=True)
class Given:
    """
    What the boxes hold.

    Attributes
    ----------
    point : dict of str to float
        The values that are numbers, in the units of the columns.
    faults : dict of str to str
        What is wrong with the others, by parameter.
    """

    point: dict[str, float] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def box_of(here: Visit, name: str) -> str:
    """Give the key of a parameter's box."""
    return f"value {here.key} {name}"


def put(here: Visit, point: Mapping[str, float]) -> None:
    """Write a point into the boxes; before they are drawn, or from a button."""
    for name, text in shown_point(point).items():
        st.session_state[box_of(here, name)] = text


def first_point(here: Visit, predictor: Predictor) -> dict[str, float]:
    """Give the point that the form begins with: a benchmark, else the middle of the ranges."""
    names = predictor.card.input_names
    for _, point in _benchmarks(here, names):
        return point
    return dict(zip(names, predictor.domain.middle.tolist(), strict=True))


def _benchmarks(here: Visit, names: Sequence[str]) -> list[tuple[str, dict[str, float]]]:
    found = []
    for entry in here.bundle.manifest.get("benchmarks", ()):
        if all(name in entry["point"] for name in names):
            point = {name: float(entry["point"][name]) for name in names}
            found.append((plain(entry["name"]), point))
    return found


def examples(here: Visit, predictor: Predictor) -> None:
    """Draw the buttons that fill the form: benchmarks, and a published point at random."""
    names = predictor.card.input_names
    with st.container(horizontal=True):
        st.markdown("Examples:")
        for at, (title, point) in enumerate(_benchmarks(here, names)[:6]):
            key = f"example {here.key} {at}"
            st.button(safe(title[:40]), key=key, on_click=put, args=(here, point))
        st.button(
            "Random published point",
            icon=":material/casino:",
            key=f"random {here.key}",
            on_click=_put_random,
            args=(here, names),
        )


def _put_random(here: Visit, names: Sequence[str]) -> None:
    try:
        row = random_row(here.bundle, names, np.random.default_rng())
        if row is None:
            fault("no published point with all parameters was found; try again")
            return
        values = rows_of(here.bundle, names, [row])
    except LimenError as error:
        fault(one_message(error))
        return
    put(here, {name: float(values[name][0]) for name in names})
    st.toast(f"Row {row:,} of the scan")


def spectrum_box(here: Visit, predictor: Predictor) -> tuple[str, ...]:
    """
    Draw the box for a spectrum; one that is given fills the form, and its mapping is shown.

    Returns
    -------
    tuple of str
        Assumptions that the spectrum in the form does not meet.
    """
    if not takes_spectra(predictor):
        return ()
    limits = Limits.from_environment()
    with st.expander("Fill from an SLHA spectrum", icon=":material/upload_file:"):
        given = st.file_uploader(
            "SLHA file of one point",
            key=f"spectrum {here.key}",
            help=f"At most {limits.spectrum_bytes // 1_000_000} MB. Read on this server, not kept.",
        )
        if given is None:
            st.session_state.pop("filled", None)
            return ()
        upload = Upload(given.name, given.getvalue())
        try:
            filled = fill(predictor, upload, here.bundle.manifest, limits.spectrum_bytes)
        except LimenError as error:
            fault(one_message(error))
            st.caption("The boxes are as they were.")
            return ()
        if st.session_state.get("filled") != given.file_id:
            st.session_state["filled"] = given.file_id
            put(here, filled.point)
        total = len(filled.mapping)
        st.markdown(f"Filled {len(filled.point)} of {total} parameters:")
        st.dataframe(filled.mapping, hide_index=True, width="stretch")
        for text in filled.notes:
            note(text)
    return filled.uncovered


def draw_form(here: Visit, predictor: Predictor) -> Given:
    """
    Draw the boxes, grouped as the columns are, and read them.

    Returns
    -------
    Given
    """
    groups: dict[str, list[Column]] = {}
    for column in predictor.inputs:
        groups.setdefault(plain(column.group or ""), []).append(column)
    given = Given()
    for title, columns in groups.items():
        with st.container(border=bool(title)):
            if title:
                st.markdown(f"**{safe(title)}**")
            for start in range(0, len(columns), 2):
                for place, column in zip(st.columns(2), columns[start : start + 2], strict=False):
                    with place:
                        _draw_box(here, predictor, column, given)
    return given


def _draw_box(here: Visit, predictor: Predictor, column: Column, given: Given) -> None:
    low, high = ends(predictor, column.name)
    key = box_of(here, column.name)
    if column.categories:
        _draw_choice(column, key, given)
        return
    allowed = f"{number(low, 4)} to {quantity(high, column.unit, 4)}"
    text = st.text_input(
        f"{column_label(column)} ({safe(allowed)})",
        key=key,
        help=safe(_about(column, allowed)),
        max_chars=60,
    )
    value = None
    try:
        value = read_value(column, text or "")
    except UnitError as error:
        given.faults[column.name] = f"{column.name}: {error}; trained on {allowed}"
    track = track_of(column, low, high)
    if track is not None:
        draw_slider(column, track, value, box=key, label=spoken(column), shown=False)
    if value is None:
        st.markdown(f":material/error: {safe(given.faults[column.name])}")
        return
    given.point[column.name] = value
    if not low <= value <= high:
        st.markdown(f":material/warning: outside the trained range {safe(allowed)}")


def _draw_choice(column: Column, key: str, given: Given) -> None:
    meanings = column.categories or {}
    codes = sorted(meanings, key=int)
    if st.session_state.get(key) not in codes:
        st.session_state[key] = codes[0]
    code = st.selectbox(
        column_label(column), codes, key=key, format_func=lambda c: f"{c}: {plain(meanings[c])}"
    )
    given.point[column.name] = float(code)


def _about(column: Column, allowed: str) -> str:
    parts = [plain(column.title), plain(column.description or ""), f"Trained on {allowed}."]
    for source in column.source:
        if source.get("format") == "slha":
            keys = " ".join(map(str, source.get("key", ())))
            parts.append(f"SLHA {plain(source.get('block', ''))} {keys}.")
    return " ".join(part for part in parts if part)
