"""Charts of slices and of reliability, for altair; none says anything by colour alone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.manifest import Column
from limen.prediction import VERDICTS
from limen_app.contouring import hatching, segments
from limen_app.pictures import png
from limen_app.settings import SEQUENCE
from limen_app.showing import plain
from limen_app.slicing import Line, Plane, boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.published import Slab

__all__ = ["Layer", "line_chart", "plane_chart", "reliability_chart"]

_GREY = "#8A8A8A"
_FILLS = {
    "excluded": "#E69F00",
    "outside the region": "#E69F00",
    "not excluded": "#56B4E9",
    "inside the region": "#56B4E9",
    "undecided": "#CC79A7",
    "outside domain (hatched)": _GREY,
}
_OPAQUE = 115
_LEGEND = {"labelLimit": 0, "titleLimit": 0, "columns": 1}
_NAMES = {
    "excluded": "excluded",
    "not_excluded": "not excluded",
    "outside_region": "outside the region",
    "inside_region": "inside the region",
    "uncertain": "undecided",
}
_LINES = ("#0072B2", "#D55E00", "#009E73", "#000000")
_LABELS = {
    "excluded": ("excluded", "not excluded"),
    "outside_region": ("outside the region", "inside the region"),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One model in a picture over two parameters.

    Attributes
    ----------
    predictor : Predictor
    plane : Plane
    name : str
        What the legend calls it.
    """

    predictor: Predictor
    plane: Plane
    name: str


def axis_title(column: Column) -> str:
    """Give the title of an axis: name and unit, plain text."""
    unit = "" if column.unit == "1" else f" [{plain(column.unit)}]"
    return f"{column.name}{unit}"


def _scale(column: Column, low: float, high: float) -> alt.Scale:
    kind = "log" if column.scale == "log" and low > 0 else "linear"
    return alt.Scale(type=kind, domain=[low, high], nice=False, zero=False)


def _published(predictor: Predictor, values: Any) -> list[str]:
    """Say what is published of points: their label in words, else that they are published."""
    pair = _LABELS.get(str(predictor.target.quantity))
    label = predictor.answering_label
    if pair is None and label is not None and predictor.card.task != "classification":
        definition = label.definition or {}
        pair = _LABELS.get(str(label.quantity))
        above = definition.get("comparison", ">").startswith(">")
        values = (np.asarray(values) > definition["threshold"]) == above
    if pair is None:
        return ["published point"] * len(values)
    return [f"published: {pair[0] if value else pair[1]}" for value in values]


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
    classifies = boundary(predictor) == 0.5 and predictor.card.task == "classification"
    title = (
        f"probability of {predictor.target.name}" if classifies else axis_title(predictor.target)
    )
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
        scale=_scale(column, float(line.x[0]), float(line.x[-1])),
    )
    y_scale = alt.Scale(domain=[-0.06, 1.06]) if classifies else alt.Scale(zero=False)
    y = alt.Y("value:Q", title=title, scale=y_scale)
    layers: list[Any] = [_outside(line, column)]
    if np.isfinite(line.lower).any():
        band = alt.Chart(table).mark_area(opacity=0.25, color=_LINES[0])
        layers.append(
            band.encode(x, alt.Y("lower:Q", title=title), alt.Y2("upper:Q"), detail="stretch:N")
        )
    layers.append(
        alt.Chart(table).mark_line(color=_LINES[0], strokeWidth=2).encode(x, y, detail="stretch:N")
    )
    threshold = boundary(predictor)
    if threshold is not None:
        rule = alt.Chart(pd.DataFrame({"y": [threshold]})).mark_rule(strokeDash=[6, 4], color=_GREY)
        layers.append(rule.encode(alt.Y("y:Q", title=title)))
    if slab is not None and len(slab.rows):
        layers.append(_points_on_line(predictor, line.name, slab, title))
    place = alt.Chart(pd.DataFrame({"x": [here]})).mark_rule(color="#D55E00", strokeWidth=2)
    layers.append(place.encode(x))
    return alt.layer(*layers).properties(height=300)


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
    scale = _scale(column, float(line.x[0]), float(line.x[-1]))
    return (
        alt.Chart(table)
        .mark_rect(color=_GREY, opacity=0.3)
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
            "what": _published(predictor, slab.target),
        }
    )
    return (
        alt.Chart(table)
        .mark_point(size=28, opacity=0.75, filled=False)
        .encode(
            alt.X("x:Q"),
            alt.Y("value:Q", title=title),
            shape=_shape(table),
            color=_colour(table),
            tooltip=["what:N", "row:Q", "x:Q", "value:Q"],
        )
    )


def _kinds(table: pd.DataFrame) -> list[str]:
    return sorted(set(table["what"]))


def _shape(table: pd.DataFrame) -> alt.Shape:
    shapes = ["triangle-up" if _is_out(kind) else "circle" for kind in _kinds(table)]
    scale = alt.Scale(domain=_kinds(table), range=shapes)
    return alt.Shape(
        "what:N", title=None, scale=scale, legend=alt.Legend(orient="bottom", **_LEGEND)
    )


def _colour(table: pd.DataFrame) -> alt.Color:
    colours = ["#D55E00" if _is_out(kind) else "#009E73" for kind in _kinds(table)]
    return alt.Color("what:N", title=None, scale=alt.Scale(domain=_kinds(table), range=colours))


def _is_out(kind: str) -> bool:
    return kind.removeprefix("published: ") in ("excluded", "outside the region")


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
        scale=_scale(columns[0], float(plane.x[0]), float(plane.x[-1])),
    )
    y_axis = alt.Y(
        "y:Q",
        title=axis_title(columns[1]),
        scale=_scale(columns[1], float(plane.y[0]), float(plane.y[-1])),
    )
    parts: list[Any] = [_filling(first, x_axis, y_axis), _hatched(plane, x_axis, y_axis)]
    lines = _contours(layers)
    if len(lines):
        parts.append(_drawn(lines, [layer.name for layer in layers], x_axis, y_axis))
    if slab is not None and len(slab.rows):
        parts.append(_points_on_plane(first.predictor, plane.names, slab, x_axis, y_axis))
    here = pd.DataFrame({"x": [point[plane.names[0]]], "y": [point[plane.names[1]]]})
    cross = alt.Chart(here).mark_point(
        shape="cross", size=160, color="#000000", fill="#FFFFFF", strokeWidth=1.5, opacity=1
    )
    parts.append(cross.encode(x_axis, y_axis))
    scales = {"color": "independent", "shape": "independent", "strokeDash": "independent"}
    return alt.layer(*parts).resolve_scale(**scales).properties(height=600)


def _filling(layer: Layer, x: alt.X, y: alt.Y) -> alt.LayerChart | alt.Chart:
    """Fill by what is decided; by the number where nothing is."""
    if boundary(layer.predictor) is None:
        return _shaded(layer, x, y)
    verdict = layer.plane.verdict
    names = {code: _NAMES[v] for code, v in enumerate(VERDICTS) if v in _NAMES}
    colours = np.zeros((*verdict.shape, 4), dtype=np.uint8)
    for code, name in names.items():
        red, green, blue = bytes.fromhex(_FILLS[name][1:])
        colours[verdict == code] = (red, green, blue, _OPAQUE)
    kinds = [name for code, name in names.items() if (verdict == code).any()]
    if (verdict == VERDICTS.index("outside_domain")).any():
        kinds.append("outside domain (hatched)")
    legend = alt.Legend(
        orient="bottom", symbolType="square", symbolOpacity=_OPAQUE / 255, **_LEGEND
    )
    scale = alt.Scale(domain=kinds, range=[_FILLS[kind] for kind in kinds])
    key = alt.Chart(pd.DataFrame({"what": kinds})).mark_point(opacity=0, filled=True)
    colour = alt.Color("what:N", title=f"{layer.name} says", scale=scale, legend=legend)
    return alt.layer(_image(colours), key.encode(color=colour))


def _image(colours: Any) -> alt.Chart:
    """Lay a picture of the cells over the whole plot; its first row is the lowest."""
    url = f"data:image/png;base64,{b64encode(png(colours[::-1])).decode()}"
    mark = alt.Chart(pd.DataFrame({"url": [url]})).mark_image(
        align="left",
        baseline="top",
        aspect=False,
        smooth=False,
        width={"expr": "width"},
        height={"expr": "height"},
    )
    return mark.encode(x=alt.value(0), y=alt.value(0), url="url:N")


def _shaded(layer: Layer, x: alt.X, y: alt.Y) -> alt.LayerChart:
    value = layer.plane.value
    inside = np.isfinite(value)
    low, high = (
        (float(np.min(value[inside])), float(np.max(value[inside]))) if inside.any() else (0.0, 1.0)
    )
    share = (np.nan_to_num(value, nan=low) - low) / (high - low or 1.0)
    steps = np.array([tuple(bytes.fromhex(one[1:])) for one in SEQUENCE], dtype=np.float64)
    at = np.arange(len(steps)) / (len(steps) - 1)
    colours = np.stack(
        [np.interp(share, at, steps[:, i]) for i in range(3)] + [inside * 255.0], axis=-1
    )
    scale = alt.Scale(domain=[low, high], range=list(SEQUENCE), interpolate="rgb")
    key = alt.Chart(pd.DataFrame({"value": [low, high]})).mark_point(opacity=0, filled=True)
    title = axis_title(layer.predictor.target)
    colour = alt.Color(
        "value:Q", title=title, scale=scale, legend=alt.Legend(orient="bottom", **_LEGEND)
    )
    return alt.layer(_image(colours.astype(np.uint8)), key.encode(color=colour))


def _segments_table(found: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(found).reshape(-1, 4), columns=["x", "y", "x2", "y2"])


def _hatched(plane: Plane, x: alt.X, y: alt.Y) -> alt.Chart:
    outside = plane.verdict == VERDICTS.index("outside_domain")
    table = _segments_table(hatching(plane.x, plane.y, outside))
    chart = alt.Chart(table).mark_rule(strokeWidth=1, clip=True, color=_GREY)
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
    colours = [_LINES[number % len(_LINES)] for number in range(len(names))]
    legend = alt.Legend(orient="top", symbolType="stroke", **_LEGEND)
    return (
        alt.Chart(lines)
        .mark_rule(strokeWidth=2.2, clip=True, strokeCap="round")
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


def _points_on_plane(
    predictor: Predictor, names: tuple[str, str], slab: Slab, x: alt.X, y: alt.Y
) -> alt.Chart:
    table = pd.DataFrame(
        {
            "x": slab.along[names[0]],
            "y": slab.along[names[1]],
            "row": slab.rows,
            "value": slab.target,
            "what": _published(predictor, slab.target),
        }
    )
    chart = alt.Chart(table).mark_point(size=32, opacity=0.9, filled=False, clip=True)
    return chart.encode(
        x,
        y,
        shape=_shape(table),
        color=_colour(table),
        tooltip=["what:N", "row:Q", "x:Q", "y:Q", "value:Q"],
    )


def reliability_chart(table: Sequence[Mapping[str, Any]], target: str) -> alt.LayerChart:
    """
    Draw how often the label is 1, by the probability that the model gave it.

    Parameters
    ----------
    table : sequence of mapping
        A card's accuracy, in bins of the probability.
    target : str
        The label.

    Returns
    -------
    altair.LayerChart
    """
    rows = []
    for row in table:
        if row["accuracy"] is None:
            continue
        low, high = row["interval"]
        upwards = 0.5 * (row["low"] + row["high"]) >= 0.5
        share, ends = (
            (row["accuracy"], (low, high))
            if upwards
            else (1 - row["accuracy"], (1 - high, 1 - low))
        )
        rows.append(
            {
                "from": row["low"],
                "to": row["high"],
                "middle": 0.5 * (row["low"] + row["high"]),
                "share": share,
                "lower": ends[0],
                "upper": ends[1],
                "points": row["n"],
            }
        )
    base = alt.Chart(pd.DataFrame(rows))
    x = alt.X("from:Q", title="probability", scale=alt.Scale(domain=[0, 1]))
    y_title = f"share of points with {target} = 1"
    y = alt.Y("share:Q", title=y_title, scale=alt.Scale(domain=[0, 1]))
    told = ["from:Q", "to:Q", "share:Q", "lower:Q", "upper:Q", "points:Q"]
    bars = base.mark_rule(color=_LINES[0], strokeWidth=3).encode(x, alt.X2("to:Q"), y, tooltip=told)
    spread = base.mark_rule(color=_LINES[0]).encode(
        alt.X("middle:Q", title="probability"), alt.Y("lower:Q", title=y_title), alt.Y2("upper:Q")
    )
    ideal = alt.Chart(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})).mark_line(
        color=_GREY, strokeDash=[4, 4]
    )
    diagonal = ideal.encode(alt.X("x:Q", title="probability"), alt.Y("y:Q", title=y_title))
    return alt.layer(diagonal, bars, spread).properties(height=280)
