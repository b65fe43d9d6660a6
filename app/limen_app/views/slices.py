"""The page Contours: two parameters along the axes, a slider for each of the others."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from limen.errors import LimenError
from limen.prediction import label_of
from limen_app.asking import plane_of, slab_of
from limen_app.keeping import Slice
from limen_app.library import one_message
from limen_app.likelihoods import below_best, region_words
from limen_app.showing import number, safe
from limen_app.slicing import Plane, boundary
from limen_app.views.predict_slices import (
    LEVEL_WORDS,
    Point,
    cross_words,
    link_profile,
    offer_files,
    slab_words,
)
from limen_app.views.slices_form import benchmarks, choose_axes, choose_ranges, fill, hold
from limen_app.visiting import Visit, choose_model, fault, predictor_of, remember, share, visit
from limen_app.wording import meaning

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.library import Library
    from limen_app.published import Slab
    from limen_app.state import ViewState

__all__ = ["show"]


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
    fill(here, predictor)
    _explore(here, predictor)


@st.fragment
def _explore(here: Visit, predictor: Predictor) -> None:
    """Draw sliders and picture; runs again, alone, after each change."""
    left, right = st.columns([3, 6], gap="medium")
    with left:
        axes = choose_axes(here, predictor)
        ranges = choose_ranges(here, predictor, axes)
        benchmarks(here, predictor)
        point = hold(here, predictor, axes)
        others = _others(here, predictor)
        most = st.select_slider("Published points shown", [0, 50, 200, 1000], value=50)
    with right:
        model = predictor.card.name
        state = replace(
            here.state, page="slices", model=model, point=point, axes=axes, ranges=ranges
        )
        try:
            kept = _picture(here, predictor, state, others, most)
        except LimenError as error:
            fault(one_message(error))
            kept = None
        state = remember(here, state)
        with st.container(horizontal=True, vertical_alignment="center"):
            if kept is not None:
                offer_files(here, kept)
            share(here, state)
            if kept is not None:
                link_profile(here, predictor, kept)


def _others(here: Visit, predictor: Predictor) -> list[str]:
    """Let other models of the same parameters be drawn too; observed and expected at once."""
    inputs = set(predictor.card.input_names)
    fitting = {}
    for name, card in here.bundle.models.items():
        if name != predictor.card.name and set(card.input_names) == inputs:
            label = label_of(card, here.bundle.columns)
            if label is not None and label.quantity != "category":
                fitting[name] = (label.statistics or {}).get("result", "")
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
    state: ViewState,
    others: list[str],
    most: int,
) -> Slice:
    point, axes, ranges = state.point, (state.axes[0], state.axes[1]), state.ranges
    parts: list[tuple[Predictor, Plane, str]] = []
    for name in (predictor.card.name, *others):
        asked = predictor if name == predictor.card.name else predictor_of(here, name)
        if asked is not None and (not parts or boundary(asked) is not None):
            plane = plane_of(here.library, here.key, asked, point, axes, ranges)
            parts.append((asked, plane, _title(asked)))
    slab = None
    if most:
        slab = slab_of(here.library, here.key, predictor, point, axes, most, ranges)
    words = _words(here, predictor, parts[0][1], point, slab)
    kept = Slice(tuple(parts), point, slab, words)
    names = ", ".join(name for _, _, name in parts)
    words = f"Slice of {names} along {axes[0]} and {axes[1]}"
    st.altair_chart(kept.chart(), width="stretch", alt=words)
    st.html(f'<div role="status" aria-live="polite">{_shares(predictor, parts[0][1])}</div>')
    st.caption(kept.words)
    with st.expander("Show data"):
        held = [name for name in point if name not in axes]
        st.dataframe(
            [{"held": n, "at": number(point[n]), "unit": predictor.columns[n].unit} for n in held],
            hide_index=True,
        )
        if slab is not None:
            rows = dict(slab.along) | {"published": slab.target, "row": slab.rows}
            st.dataframe(rows, hide_index=True)
    return kept


def _words(here: Visit, predictor: Predictor, plane: Plane, point: Point, slab: Slab | None) -> str:
    parts = ["A slice, not a profile: all other parameters are held."]
    if boundary(predictor) is not None:
        dashed = (
            "calibrated probability 5 % and 95 %"
            if predictor.card.task == "classification"
            else "ends of the model's interval"
        )
        parts.append(f"Solid: the boundary; dotted: its uncertainty ({dashed}).")
    if below_best(predictor, plane) is not None:
        parts.append(LEVEL_WORDS)
    parts.append(cross_words(plane, point))
    if slab is not None:
        parts.append(slab_words(slab, here.bundle.n_points))
    return " ".join(parts)


def _title(predictor: Predictor) -> str:
    return _titled(predictor.card.name, predictor.attrs["result"])


def _titled(name: str, result: str) -> str:
    return name if result in name else f"{name} ({result})"


def _shares(predictor: Predictor, plane: Plane) -> str:
    """Say in words what the picture shows, for those who do not see it."""
    regions = region_words(predictor, plane)
    if regions:
        return html.escape(regions)
    parts = [
        f"{meaning(name)[0].lower()} {100 * share:.3g} %" for name, share in plane.shares().items()
    ]
    return f"Of this slice: {', '.join(parts)}."
