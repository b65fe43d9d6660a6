"""A slice along one parameter, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.manifest import Column
from limen_app.charts.marks import (
    GREY,
    LINES,
    axis_title,
    colour_of,
    is_probability,
    number_title,
    published_words,
    scale_of,
    shape_of,
)
from limen_app.slicing import Line, boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.published import Slab

__all__ = ["line_chart"]


def line_chart(
    predictor: Predictor, line: Line, here: float, slab: Slab | None = None
) -> alt.LayerChart:
    """
    Draw a slice along one parameter.

    Parameters
    ----------
    predictor : Predictor
    line : Line
    here : float
        The point's value of the parameter.
    slab : Slab, optional
        Published points near the slice.

    Returns
    -------
    altair.LayerChart
        The number with its interval, where it decides, the domain's ends, published points.
    """
    column = predictor.columns[line.name]
    classifies = is_probability(predictor)
    title = number_title(predictor)
    table = pd.DataFrame(
        {"x": line.x, "value": line.value, "lower": line.lower, "upper": line.upper}
    )
    # Gaps of the domain stay gaps: each stretch is a line of its own.
    inside = np.isfinite(line.value)
    table["stretch"] = np.cumsum(np.diff(inside.astype(np.int8), prepend=0) != 0)
    table = table[inside]
    x = alt.X(
        "x:Q",
        title=axis_title(column),
        scale=scale_of(column, float(line.x[0]), float(line.x[-1])),
    )
    y_scale = alt.Scale(zero=False)
    if classifies or predictor.card.task != "classification":
        # One published point far away would press the line flat.
        low, high = (-0.06, 1.06) if classifies else line.reach()
        y_scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    y = alt.Y("value:Q", title=title, scale=y_scale)
    layers: list[Any] = [_outside(line, column)]
    if np.isfinite(line.lower).any():
        band = alt.Chart(table).mark_area(aria=False, clip=True, opacity=0.25, color=LINES[0])
        layers.append(
            band.encode(x, alt.Y("lower:Q", title=title), alt.Y2("upper:Q"), detail="stretch:N")
        )
    layers.append(
        alt.Chart(table)
        .mark_line(aria=False, clip=True, color=LINES[0], strokeWidth=2)
        .encode(x, y, detail="stretch:N")
    )
    threshold = boundary(predictor)
    if threshold is not None:
        rule = alt.Chart(pd.DataFrame({"y": [threshold]})).mark_rule(
            aria=False, clip=True, strokeDash=[6, 4], color=GREY
        )
        layers.append(rule.encode(alt.Y("y:Q", title=title)))
    if slab is not None and len(slab.rows):
        layers.append(_points_on_line(predictor, line.name, slab, title))
    place = alt.Chart(pd.DataFrame({"x": [here]}))
    # White below it, so that it is seen on a dark page too.
    for colour, width, dash in (("#FFFFFF", 4, [1, 0]), ("#000000", 2, [5, 4])):
        drawn = place.mark_rule(
            aria=False, clip=True, color=colour, strokeWidth=width, strokeDash=dash
        )
        layers.append(drawn.encode(x))
    return alt.layer(*layers).properties(height=360)


def _outside(line: Line, column: Column) -> alt.Chart:
    """Shade where the model gives no number."""
    outside = ~np.isfinite(line.value)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], outside.astype(np.int8), [0]])))
    last = len(line.x) - 1
    spans = [
        {"x": float(line.x[start]), "x2": float(line.x[min(stop, last)]), "what": "outside domain"}
        for start, stop in changes.reshape(-1, 2).tolist()
    ]
    table = pd.DataFrame(spans, columns=["x", "x2", "what"])
    scale = scale_of(column, float(line.x[0]), float(line.x[-1]))
    return (
        alt.Chart(table)
        .mark_rect(aria=False, color=GREY, opacity=0.3)
        .encode(
            alt.X("x:Q", scale=scale, title=axis_title(column)),
            alt.X2("x2:Q"),
            tooltip=[alt.Tooltip("what:N", title="")],
        )
    )


def _points_on_line(predictor: Predictor, name: str, slab: Slab, title: str) -> alt.Chart:
    table = pd.DataFrame(
        {
            "x": slab.along[name],
            "value": slab.target,
            "row": slab.rows,
            "what": published_words(predictor, slab.target),
        }
    )
    return (
        alt.Chart(table)
        .mark_point(aria=False, clip=True, size=28, opacity=0.75, filled=False)
        .encode(
            alt.X("x:Q"),
            alt.Y("value:Q", title=title),
            shape=shape_of(table),
            color=colour_of(table),
            tooltip=["what:N", "row:Q", "x:Q", "value:Q"],
        )
    )
