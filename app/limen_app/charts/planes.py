"""A slice over two parameters, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.prediction import VERDICTS
from limen_app.charts.fillings import Layer, filling
from limen_app.charts.marks import (
    GREY,
    LEGEND,
    LINES,
    axis_title,
    colour_of,
    published_words,
    scale_of,
    shape_of,
)
from limen_app.contouring import hatching, segments
from limen_app.likelihoods import REGIONS, below_best
from limen_app.slicing import Plane, boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.published import Slab

__all__ = ["plane_chart"]


def plane_chart(
    layers: Sequence[Layer], point: Mapping[str, float], slab: Slab | None = None
) -> alt.LayerChart:
    """
    Draw a slice over two parameters.

    Parameters
    ----------
    layers : sequence of Layer
        The first is filled; all are drawn as lines, with dashed ones for their uncertainty.
    point : mapping of str to float
    slab : Slab, optional
        Published points near the slice, with what the first model predicts.

    Returns
    -------
    altair.LayerChart
    """
    first = layers[0]
    plane = first.plane
    columns = [first.predictor.columns[name] for name in plane.names]
    x_axis = alt.X(
        "x:Q",
        title=axis_title(columns[0]),
        scale=scale_of(columns[0], float(plane.x[0]), float(plane.x[-1])),
    )
    y_axis = alt.Y(
        "y:Q",
        title=axis_title(columns[1]),
        scale=scale_of(columns[1], float(plane.y[0]), float(plane.y[-1])),
    )
    parts: list[Any] = [filling(first), _hatched(plane, x_axis, y_axis)]
    lines = _contours(layers)
    if len(lines):
        parts.append(_drawn(lines, [layer.name for layer in layers], x_axis, y_axis))
    regions = _regions(first)
    if len(regions):
        parts.append(_drawn_regions(regions, x_axis, y_axis))
    if slab is not None and len(slab.rows):
        parts.append(_points_on_plane(first.predictor, plane.names, slab, x_axis, y_axis))
    if plane.holds(point):
        parts.append(_cross(plane, point).encode(x_axis, y_axis))
    scales = {"color": "independent", "shape": "independent", "strokeDash": "independent"}
    return alt.layer(*parts).resolve_scale(**scales).properties(height=600)


def _cross(plane: Plane, point: Mapping[str, float]) -> alt.Chart:
    here = pd.DataFrame({"x": [point[plane.names[0]]], "y": [point[plane.names[1]]]})
    return alt.Chart(here).mark_point(
        aria=False,
        shape="cross",
        size=160,
        color="#000000",
        fill="#FFFFFF",
        strokeWidth=1.5,
        opacity=1,
    )


def _segments_table(found: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(found).reshape(-1, 4), columns=["x", "y", "x2", "y2"])


def _hatched(plane: Plane, x: alt.X, y: alt.Y) -> alt.Chart:
    outside = plane.verdict == VERDICTS.index("outside_domain")
    table = _segments_table(hatching(plane.x, plane.y, outside))
    chart = alt.Chart(table).mark_rule(aria=False, strokeWidth=1, clip=True, color=GREY)
    return chart.encode(x, y, alt.X2("x2:Q"), alt.Y2("y2:Q"))


def _contours(layers: Sequence[Layer]) -> pd.DataFrame:
    tables = []
    for layer in layers:
        level = boundary(layer.predictor)
        if level is None:
            continue
        plane = layer.plane
        if layer.predictor.card.task == "classification":
            drawn = [(plane.value, 0.5, "boundary"), (plane.value, 0.05, "uncertainty")]
            drawn.append((plane.value, 0.95, "uncertainty"))
        else:
            drawn = [(plane.value, level, "boundary"), (plane.lower, level, "uncertainty")]
            drawn.append((plane.upper, level, "uncertainty"))
        for z, at, kind in drawn:
            table = _segments_table(segments(plane.x, plane.y, z, at))
            table["line"], table["model"] = kind, layer.name
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else _segments_table([])


def _drawn(lines: pd.DataFrame, names: Sequence[str], x: alt.X, y: alt.Y) -> alt.Chart:
    colours = [LINES[number % len(LINES)] for number in range(len(names))]
    legend = alt.Legend(orient="top", symbolType="stroke", **LEGEND)
    return (
        alt.Chart(lines)
        .mark_rule(aria=False, strokeWidth=2.2, clip=True, strokeCap="round")
        .encode(
            x,
            y,
            alt.X2("x2:Q"),
            alt.Y2("y2:Q"),
            color=alt.Color(
                "model:N",
                title="model",
                scale=alt.Scale(domain=list(names), range=colours),
                legend=legend,
            ),
            strokeDash=alt.StrokeDash(
                "line:N",
                title=None,
                scale=alt.Scale(domain=["boundary", "uncertainty"], range=[[1, 0], [2, 4]]),
                legend=legend,
            ),
        )
    )


def _regions(layer: Layer) -> pd.DataFrame:
    """Give the lines of the usual levels, where the slice is of a likelihood."""
    below = below_best(layer.predictor, layer.plane)
    if below is None:
        return _segments_table([])
    tables = []
    for name, level in REGIONS.items():
        table = _segments_table(segments(layer.plane.x, layer.plane.y, below, level))
        table["line"] = f"{name} ({level:.2f})"
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _drawn_regions(lines: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    names = [f"{name} ({level:.2f})" for name, level in REGIONS.items()]
    # Lines are black on the picture; on a dark page their legend could not be seen so.
    legend = alt.Legend(
        orient="top", symbolType="stroke", symbolStrokeColor=GREY, symbolStrokeWidth=2.2, **LEGEND
    )
    dash = alt.StrokeDash(
        "line:N",
        title="to the best of this slice",
        scale=alt.Scale(domain=names, range=[[1, 0], [1.5, 2.5]]),
        legend=legend,
    )
    mark = alt.Chart(lines).mark_rule(aria=False, strokeWidth=2, clip=True, color="#000000")
    return mark.encode(x, y, alt.X2("x2:Q"), alt.Y2("y2:Q"), strokeDash=dash)


def _points_on_plane(
    predictor: Predictor, names: tuple[str, str], slab: Slab, x: alt.X, y: alt.Y
) -> alt.Chart:
    table = pd.DataFrame(
        {
            "x": slab.along[names[0]],
            "y": slab.along[names[1]],
            "row": slab.rows,
            "value": slab.target,
            "what": published_words(predictor, slab.target),
        }
    )
    chart = alt.Chart(table).mark_point(aria=False, size=32, opacity=0.9, filled=False, clip=True)
    return chart.encode(
        x,
        y,
        shape=shape_of(table),
        color=colour_of(table),
        tooltip=["what:N", "row:Q", "x:Q", "y:Q", "value:Q"],
    )
