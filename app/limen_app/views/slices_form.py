"""The form of the page Contours: two axes, and each other parameter held by slider and box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from limen.errors import ColumnError, UnitError
from limen_app.asking import by_flip
from limen_app.reading import read_value, shown_value
from limen_app.showing import choice, column_label, number, quantity, safe, spoken
from limen_app.slicing import clipped, ends
from limen_app.sliding import draw_slider, track_of
from limen_app.views.predict_form import first_point
from limen_app.visiting import Visit, fault

if TYPE_CHECKING:
    from limen.manifest import Column
    from limen.prediction import Predictor

__all__ = ["benchmarks", "choose_axes", "choose_ranges", "fill", "hold"]

_BOX = 100
_ENDS = ("from", "to")


def _box(here: Visit, name: str) -> str:
    return f"held {here.key} {name}"


def _end_box(here: Visit, name: str, end: str) -> str:
    return f"range {here.key} {name} {end}"


def _spans(here: Visit) -> dict[str, tuple[float, float]]:
    """Give the ends that the picture is drawn with, where they are not those of training."""
    found: dict[str, tuple[float, float]] = st.session_state.setdefault(f"ranges {here.key}", {})
    return found


def _values(here: Visit) -> dict[str, float]:
    """Give the values that the picture is drawn with; a box may hold something else."""
    found: dict[str, float] = st.session_state.setdefault(f"values {here.key}", {})
    return found


def fill(here: Visit, predictor: Predictor) -> None:
    """
    Set values and axes by the link, or by the point of the pages before.

    Parameters
    ----------
    here : Visit
    predictor : Predictor
    """
    names = predictor.card.input_names
    beginning = first_point(here, predictor) | dict(here.state.point)
    values = _values(here)
    for name in names:
        linked = here.fresh and name in here.state.point
        wanted = beginning[name] if linked or name not in values else values[name]
        # Another model may be trained on a smaller range.
        if linked or values.get(name) != _inside(predictor, name, wanted):
            _put(here, predictor, {name: wanted})
    if here.fresh:
        _spans(here).clear()
        for name in names:
            texts = map(shown_value, here.state.ranges.get(name, ()))
            for end, text in zip(_ENDS, [*texts, "", ""], strict=False):
                st.session_state[_end_box(here, name, end)] = text
    axes = [name for name in here.state.axes if name in names]
    if len(axes) != 2 and f"axis x {here.key}" not in st.session_state:
        axes = by_flip(here.library, here.key, predictor, beginning)[:2]
    for letter, at in (("x", 0), ("y", 1)):
        key = f"axis {letter} {here.key}"
        if (here.fresh and len(axes) == 2) or st.session_state.get(key) not in names:
            st.session_state[key] = axes[at] if len(axes) == 2 else names[at]
    if st.session_state[f"axis x {here.key}"] == st.session_state[f"axis y {here.key}"]:
        other = next(name for name in names if name != st.session_state[f"axis x {here.key}"])
        st.session_state[f"axis y {here.key}"] = other


def _inside(predictor: Predictor, name: str, value: float) -> float:
    if predictor.columns[name].categories:
        return value
    low, high = ends(predictor, name)
    return min(max(float(value), low), high)


def _put(here: Visit, predictor: Predictor, point: Mapping[str, float]) -> None:
    for name, value in point.items():
        held = _values(here)[name] = _inside(predictor, name, value)
        st.session_state[_box(here, name)] = shown_value(held)


def choose_axes(here: Visit, predictor: Predictor) -> tuple[str, str]:
    """Let the two axes be chosen."""
    columns, names = predictor.columns, list(predictor.card.input_names)
    found = [
        st.selectbox(
            f"Along {letter}",
            names,
            key=f"axis {letter} {here.key}",
            format_func=lambda name: choice(columns[name]),
            on_change=_keep_apart,
            args=(here, letter),
        )
        for letter in ("x", "y")
    ]
    return str(found[0]), str(found[1])


def choose_ranges(
    here: Visit, predictor: Predictor, axes: tuple[str, str]
) -> dict[str, tuple[float, float]]:
    """
    Draw boxes for the ends of both axes; an empty one is the trained end.

    Returns
    -------
    dict of str to (float, float)
        By axis, where it is not the trained range.
    """
    for letter, name in zip("xy", axes, strict=True):
        if not predictor.columns[name].categories:
            _ends_of(here, predictor, letter, name)
    return {name: span for name, span in _spans(here).items() if name in axes}


def _ends_of(here: Visit, predictor: Predictor, letter: str, name: str) -> None:
    """Read the ends of an axis; what cannot be drawn is said, and the ends stay."""
    column, trained = predictor.columns[name], ends(predictor, name)
    unit = "" if column.unit == "1" else f" [{safe(column.unit)}]"
    texts = []
    for place, word, end in zip(st.columns(2), _ENDS, trained, strict=True):
        box = _end_box(here, name, word)
        shown = [shown_value(value) for value in _spans(here).get(name, ())]
        # A box that was not drawn, as its parameter was along no axis, has been forgotten.
        st.session_state.setdefault(box, shown[_ENDS.index(word)] if shown else "")
        told = place.text_input(
            f"{letter} {word}{unit}", key=box, placeholder=number(end, 4), max_chars=60
        )
        texts.append((told or "").strip())
    try:
        low, high = (
            read_value(column, text) if text else end
            for text, end in zip(texts, trained, strict=True)
        )
        span = clipped(predictor, name, low, high)
    except (UnitError, ColumnError) as error:
        fault(f"{letter} axis, {name}: {error}; the picture is as it was")
        return
    if span != (low, high):
        whole = f"{number(trained[0], 8)} to {quantity(trained[1], column.unit, 8)}"
        st.caption(f"{safe(name)} is drawn within its trained range, {safe(whole)}.")
    _spans(here)[name] = span
    if span == trained:
        del _spans(here)[name]


def _keep_apart(here: Visit, changed: str) -> None:
    """Exchange the axes where one becomes the other."""
    other = "y" if changed == "x" else "x"
    chosen = st.session_state[f"axis {changed} {here.key}"]
    if chosen == st.session_state[f"axis {other} {here.key}"]:
        before = st.session_state[f"seen {here.key}"].axes
        st.session_state[f"axis {other} {here.key}"] = before[0 if changed == "x" else 1]


def benchmarks(here: Visit, predictor: Predictor) -> None:
    """Draw buttons that hold the parameters at the bundle's benchmarks."""
    names = predictor.card.input_names
    entries = here.bundle.manifest.get("benchmarks", ())
    whole = [entry for entry in entries if all(name in entry["point"] for name in names)]
    with st.container(horizontal=True):
        for at, entry in enumerate(whole[:4]):
            point = {name: float(entry["point"][name]) for name in names}
            st.button(
                safe(str(entry["name"])[:40]),
                key=f"at {here.key} {at}",
                on_click=_put,
                args=(here, predictor, point),
                help="Hold the parameters at this point",
            )


def hold(here: Visit, predictor: Predictor, axes: tuple[str, str]) -> dict[str, float]:
    """
    Draw slider and box for each parameter that is no axis.

    Parameters
    ----------
    here : Visit
    predictor : Predictor
    axes : tuple of str

    Returns
    -------
    dict of str to float
        A value for each input, those of the axes as they were before.
    """
    values = _values(here)
    for column in predictor.inputs:
        if column.name not in axes:
            values[column.name] = _field(here, predictor, column, values[column.name])
    return {name: values[name] for name in predictor.card.input_names}


def _field(here: Visit, predictor: Predictor, column: Column, value: float) -> float:
    """Draw one parameter; what cannot be read is said, and the value stays."""
    box = _box(here, column.name)
    # A box that was not drawn, as its parameter was along an axis, has been forgotten.
    st.session_state.setdefault(box, shown_value(value))
    if column.categories:
        codes = sorted(column.categories, key=int)
        if st.session_state[box] not in codes:
            st.session_state[box] = codes[0]
        return float(st.selectbox(column_label(column), codes, key=box))
    low, high = ends(predictor, column.name)
    track = track_of(column, low, high)
    if track is None:
        st.caption(f"{safe(column.name)} is {quantity(low, column.unit)} everywhere")
        return low
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.container()
        text = st.text_input(
            spoken(column), key=box, label_visibility="collapsed", max_chars=60, width=_BOX
        )
    wrong = ""
    try:
        value = _read(column, text or "", low, high)
    except UnitError as error:
        wrong = f"{column.name}: {error}; the picture is as it was"
    with place:
        draw_slider(column, track, value, box=box, label=column_label(column), shown=True)
    if wrong:
        fault(wrong)
    return value


def _read(column: Column, text: str, low: float, high: float) -> float:
    allowed = f"{number(low, 8)} to {quantity(high, column.unit, 8)}"
    try:
        value = read_value(column, text)
    except UnitError as error:
        raise UnitError(f"{error}; trained on {allowed}") from error
    if not low <= value <= high:
        raise UnitError(f"found {quantity(value, column.unit, 8)}, allowed {allowed}")
    return value
