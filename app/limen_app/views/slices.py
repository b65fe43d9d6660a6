"""The page Contours: two parameters along the axes, a slider for each of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from limen.errors import LimenError
from limen_app.asking import by_flip, plane_of, slab_of
from limen_app.charts import Layer, plane_chart
from limen_app.library import one_message
from limen_app.showing import choice, column_label, number, quantity, safe
from limen_app.slicing import Plane, boundary, ends
from limen_app.views.predict_details import slab_words
from limen_app.views.predict_form import first_point
from limen_app.visiting import Visit, choose_model, fault, predictor_of, remember, share, visit
from limen_app.wording import meaning

if TYPE_CHECKING:
    from limen.manifest import Column
    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["show"]

_STEPS = 200


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Contours")
    here = visit(library, "slices")
    if here is None:
        return
    st.caption(
        f"{safe(here.bundle.manifest['title'])}, version {safe(here.bundle.manifest['version'])}"
    )
    model = choose_model(here)
    predictor = None if model is None else predictor_of(here, model)
    if predictor is None:
        return
    if len(predictor.inputs) < 2:
        st.info("This model has one input; the page Predict draws it.")
        return
    _fill(here, predictor)
    _explore(here, predictor)


def _key(here: Visit, name: str) -> str:
    return f"held {here.key} {name}"


def _fill(here: Visit, predictor: Predictor) -> None:
    """Set sliders and axes by the link, or by the point of the pages before."""
    names = predictor.card.input_names
    beginning = first_point(here, predictor) | dict(here.state.point)
    for column in predictor.inputs:
        key = _key(here, column.name)
        linked = here.fresh and column.name in here.state.point
        if linked or key not in st.session_state:
            _put(here, predictor, {column.name: beginning[column.name]})
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


def _put(here: Visit, predictor: Predictor, point: Mapping[str, float]) -> None:
    for name, value in point.items():
        column = predictor.columns[name]
        low, high = ends(predictor, name)
        held: float | str = min(max(float(value), low), high)
        if column.categories:
            held = f"{value:g}"
        st.session_state[_key(here, name)] = held


@st.fragment
def _explore(here: Visit, predictor: Predictor) -> None:
    """Draw sliders and picture; runs again, alone, after each change."""
    names = list(predictor.card.input_names)
    left, right = st.columns([2, 5], gap="large")
    with left:
        axes = _axes(here, predictor, names)
        _benchmarks(here, predictor)
        point = _held(here, predictor, axes)
        others = _others(here, predictor)
        most = st.select_slider("Published points shown", [0, 50, 200, 1000], value=200)
    with right:
        state = replace(
            here.state, page="slices", model=predictor.card.name, point=point, axes=axes
        )
        try:
            _picture(here, predictor, point, axes, others, most)
        except LimenError as error:
            fault(one_message(error))
        share(here, remember(here, state))


def _axes(here: Visit, predictor: Predictor, names: list[str]) -> tuple[str, str]:
    columns = predictor.columns
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


def _keep_apart(here: Visit, changed: str) -> None:
    """Exchange the axes where one becomes the other."""
    other = "y" if changed == "x" else "x"
    chosen = st.session_state[f"axis {changed} {here.key}"]
    if chosen == st.session_state[f"axis {other} {here.key}"]:
        before = st.session_state[f"seen {here.key}"].axes
        st.session_state[f"axis {other} {here.key}"] = before[0 if changed == "x" else 1]


def _benchmarks(here: Visit, predictor: Predictor) -> None:
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


def _held(here: Visit, predictor: Predictor, axes: tuple[str, str]) -> dict[str, float]:
    """Draw a slider for each parameter that is no axis, and give all values."""
    point = {}
    for column in predictor.inputs:
        key = _key(here, column.name)
        if column.name in axes:
            point[column.name] = float(st.session_state[key])
            # What is not drawn would be forgotten.
            st.session_state[key] = st.session_state[key]
            continue
        if column.categories:
            codes = sorted(column.categories, key=int)
            point[column.name] = float(st.selectbox(column_label(column), codes, key=key))
            continue
        point[column.name] = _slider(predictor, column, key)
    return point


def _slider(predictor: Predictor, column: Column, key: str) -> float:
    low, high = ends(predictor, column.name)
    if not high > low:
        st.caption(f"{safe(column.name)} is {quantity(low, column.unit)} everywhere")
        return low
    step = 10.0 ** math.floor(math.log10((high - low) / _STEPS))
    value = st.slider(column_label(column), low, high, step=step, key=key, format="%.4g")
    return float(value)


def _others(here: Visit, predictor: Predictor) -> list[str]:
    """Let other models of the same parameters be drawn too; observed and expected at once."""
    inputs = set(predictor.card.input_names)
    fitting = {}
    for name, card in here.bundle.models.items():
        if name != predictor.card.name and set(card.input_names) == inputs:
            column = here.bundle.columns[card.target]
            fitting[name] = (column.statistics or {}).get("result", "")
    if not fitting:
        return []
    mine = predictor.attrs["result"]
    default = [name for name, result in fitting.items() if result and result != mine]
    return st.pills(
        "Also draw",
        list(fitting),
        selection_mode="multi",
        default=default[:2],
        key=f"also {here.key} {predictor.card.name}",
        format_func=lambda name: _titled(name, fitting[name]),
    )


def _picture(
    here: Visit,
    predictor: Predictor,
    point: Mapping[str, float],
    axes: tuple[str, str],
    others: list[str],
    most: int,
) -> None:
    layers: list[Layer] = []
    for name in (predictor.card.name, *others):
        asked = predictor if name == predictor.card.name else predictor_of(here, name)
        if asked is not None and (not layers or boundary(asked) is not None):
            plane = plane_of(here.library, here.key, asked, point, axes)
            layers.append(Layer(asked, plane, _title(asked)))
    slab = None
    if most:
        slab = slab_of(here.library, here.key, predictor, point, axes, most)
    words = f"Slice of {', '.join(layer.name for layer in layers)} along {axes[0]} and {axes[1]}"
    st.altair_chart(plane_chart(layers, point, slab), width="stretch", alt=words)
    st.html(f'<div role="status" aria-live="polite">{_shares(layers[0].plane)}</div>')
    drawn = "" if slab is None else f" {slab_words(slab, here.bundle.n_points)}"
    dashed = (
        "calibrated probability 5 % and 95 %"
        if predictor.card.task == "classification"
        else "ends of the model's interval"
    )
    if boundary(predictor) is not None:
        drawn = f" Solid: the boundary; dotted: its uncertainty ({dashed}).{drawn}"
    st.caption(f"A slice, not a profile: all other parameters are held.{drawn}")
    with st.expander("Show data"):
        names = [name for name in point if name not in axes]
        st.dataframe(
            [{"held": n, "at": number(point[n]), "unit": predictor.columns[n].unit} for n in names],
            hide_index=True,
        )
        if slab is not None:
            rows = dict(slab.along) | {"published": slab.target, "row": slab.rows}
            st.dataframe(rows, hide_index=True)


def _title(predictor: Predictor) -> str:
    return _titled(predictor.card.name, predictor.attrs["result"])


def _titled(name: str, result: str) -> str:
    return name if result in name else f"{name} ({result})"


def _shares(plane: Plane) -> str:
    """Say in words what the picture shows, for those who do not see it."""
    parts = [
        f"{meaning(name)[0].lower()} {100 * share:.3g} %" for name, share in plane.shares().items()
    ]
    return f"Of this slice: {', '.join(parts)}."
