"""Slices on the pages Predict and Contours: what is told of them, files to keep, their profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.browsing import Axis, columns_for
from limen_app.asking import by_flip, line_of, plane_of, slab_of
from limen_app.downloading import button, figure_buttons
from limen_app.keeping import Slice, figure, numbers
from limen_app.likelihoods import DEEPEST, below_best
from limen_app.pages import link
from limen_app.showing import choice
from limen_app.slicing import Line, Plane
from limen_app.state import Browse, Kind, Panel, ViewState
from limen_app.visiting import Visit

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.published import Slab

__all__ = [
    "LEVEL_WORDS",
    "Point",
    "cross_words",
    "draw_slices",
    "link_profile",
    "offer_files",
    "slab_words",
    "state_of",
]

Point = Mapping[str, float]

LEVEL_WORDS = (
    f"Colour: −2Δ ln L to the best of this slice, up to {DEEPEST:g}; solid 2.30 (68.27 %), dotted "
    "6.18 (95.45 %), asymptotic for two parameters, and relative to the best of this slice, not a "
    "profile."
)


def slab_words(slab: Slab, total: int) -> str:
    """Say which published points are drawn beside a slice."""
    if not len(slab.rows):
        return "No published points to show."
    of = "" if slab.of == total else f", looked for among {slab.of:,} of {total:,}"
    if slab.thickness == 0:
        return f"{len(slab.rows):,} published points{of}."
    return (
        f"The {len(slab.rows):,} published points nearest to the slice{of}: their other parameters "
        f"differ from it by up to {100 * slab.thickness:.2g} % of each trained range, so they need "
        "not agree with it."
    )


def cross_words(drawn: Plane, point: Point) -> str:
    """Say what the white cross of a slice over two parameters is."""
    if drawn.holds(point):
        return "White cross: the point held."
    return "The point held lies beyond the ends of the axes: there is no cross."


def draw_slices(here: Visit, predictor: Predictor, point: Point) -> None:
    """
    Draw a slice through the point of the form, along one or two parameters.

    Parameters
    ----------
    here : Visit
    predictor : Predictor
    point : mapping of str to float
    """
    names = by_flip(here.library, here.key, predictor, point)
    columns = predictor.columns
    first, second = st.columns(2)
    if st.session_state.get(f"slice x {here.key}") not in names:
        st.session_state[f"slice x {here.key}"] = names[0]
    x = first.selectbox(
        "Along",
        sorted(names, key=predictor.card.input_names.index),
        key=f"slice x {here.key}",
        format_func=lambda n: choice(columns[n]),
    )
    others = ["nothing else", *(name for name in names if name != x)]
    y = second.selectbox(
        "and along",
        others,
        key=f"slice y {here.key}",
        format_func=lambda n: choice(columns[n]) if n in columns else n,
    )
    axes = (x,) if y == others[0] else (x, y)
    most = 200 if len(axes) == 1 else 50
    slab = slab_of(here.library, here.key, predictor, point, axes, most)
    name = predictor.card.name
    drawn: Line | Plane
    if len(axes) == 1:
        drawn = line_of(here.library, here.key, predictor, point, x)
        data: dict[str, Any] = {
            x: drawn.x,
            "value": drawn.value,
            "lower": drawn.lower,
            "upper": drawn.upper,
        }
    else:
        drawn = plane_of(here.library, here.key, predictor, point, (x, y))
        data = {x: slab.along[x], y: slab.along[y], "published": slab.target, "row": slab.rows}
    words = "A slice, not a profile: all other parameters are held. "
    words += f"{_more_words(predictor, drawn, point, slab)}{slab_words(slab, here.bundle.n_points)}"
    kept = Slice(((predictor, drawn, name),), point, slab, words)
    label = f"Slice of {name} along {' and '.join(axes)}, all other parameters held"
    st.altair_chart(kept.chart(), width="stretch", alt=label)
    st.caption(words)
    with st.container(horizontal=True, vertical_alignment="center"):
        offer_files(here, kept)
        link_profile(here, predictor, kept)
    with st.expander("Show data"):
        st.dataframe(data, hide_index=True)


def _more_words(predictor: Predictor, drawn: Line | Plane, point: Point, slab: Slab) -> str:
    """Say what the marks of a slice mean."""
    if isinstance(drawn, Line):
        beyond = 0 if predictor.card.task == "classification" else drawn.beyond(slab.target)
        told = f"{beyond:,} of the published points lie above or below the picture. " * (beyond > 0)
        return f"Black dashed line: the point. {told}"
    levels = f"{LEVEL_WORDS} " * (below_best(predictor, drawn) is not None)
    return f"{levels}{cross_words(drawn, point)} "


def offer_files(here: Visit, kept: Slice) -> None:
    """
    Offer a slice as a figure and as numbers; they are made when they are asked for.

    Parameters
    ----------
    here : Visit
    kept : Slice
    """
    stem = "-".join([here.key.partition("@")[0], "slice", *kept.axes])
    with st.popover("Download", icon=":material/download:"):
        st.caption("The figure, with a footer that says of what, and the numbers that it shows.")
        with st.container(horizontal=True):
            figure_buttons(lambda form: figure(here, kept, form), stem)
            button("CSV", lambda: numbers(here.bundle, kept), f"{stem}.csv", "text/csv")


def link_profile(here: Visit, predictor: Predictor, kept: Slice) -> None:
    """
    Lead to the best sampled likelihood along the axes of a slice, where the bundle has one.

    Parameters
    ----------
    here : Visit
    predictor : Predictor
    kept : Slice
    """
    likelihoods = columns_for("best", here.bundle.columns)
    if not likelihoods:
        return
    kind: Kind = "map" if len(kept.axes) == 2 else "histogram"
    panel = Panel(kind, tuple(map(Axis, kept.axes)), "best", likelihoods[0])
    link(
        state_of(here, predictor, kept.point, Browse(charts=(panel,))),
        "Best sampled −2Δ ln L along these axes",
        "The best of the scan's points in each bin, whatever their other parameters; the profile "
        "is at least as likely there",
    )


def state_of(here: Visit, predictor: Predictor, point: Point, browse: Browse) -> ViewState:
    """Give the state of the page Browse that goes with a point."""
    digest = here.library.digest(here.key)
    model = predictor.card.name
    return ViewState(
        "browse", here.key, model, digest, point, here.state.axes, browse, here.state.ranges
    )
