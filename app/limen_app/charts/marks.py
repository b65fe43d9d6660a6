"""What the charts of slices share: axes, and published points by shape, colour and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.manifest import Column
from limen_app.showing import plain
from limen_app.slicing import boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = [
    "GREY",
    "LEGEND",
    "LINES",
    "axis_title",
    "colour_of",
    "is_probability",
    "number_title",
    "published_words",
    "scale_of",
    "shape_of",
]

GREY = "#8A8A8A"
LINES = ("#0072B2", "#D55E00", "#009E73", "#000000")
LEGEND = {"labelLimit": 0, "titleLimit": 0, "columns": 1}
_PUBLISHED = "published"
_LABELS = {
    "excluded": ("excluded", "not excluded"),
    "outside_region": ("outside the region", "inside the region"),
}


def axis_title(column: Column) -> str:
    """Give the title of an axis: name and unit, plain text."""
    unit = "" if column.unit == "1" else f" [{plain(column.unit)}]"
    return f"{column.name}{unit}"


def is_probability(predictor: Predictor) -> bool:
    """Tell whether a model's number is a probability, which decides at one half."""
    return predictor.card.task == "classification" and boundary(predictor) is not None


def number_title(predictor: Predictor) -> str:
    """Give the title of a model's number: a probability, or the target with its unit."""
    if is_probability(predictor):
        return f"probability of {predictor.target.name}"
    return axis_title(predictor.target)


def scale_of(column: Column, low: float, high: float) -> alt.Scale:
    """Give the scale of an axis, as its column states."""
    kind = "log" if column.scale == "log" and low > 0 else "linear"
    return alt.Scale(type=kind, domain=[low, high], nice=False, zero=False)


def published_words(predictor: Predictor, values: Any) -> list[str]:
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
    return [f"{_PUBLISHED}: {pair[0] if value else pair[1]}" for value in values]


def _kinds(table: pd.DataFrame) -> list[str]:
    return sorted(set(table["what"]))


def shape_of(table: pd.DataFrame) -> alt.Shape:
    """Give the shapes of published points, by what is published of them."""
    shapes = ["triangle-up" if _is_out(kind) else "circle" for kind in _kinds(table)]
    scale = alt.Scale(domain=_kinds(table), range=shapes)
    return alt.Shape("what:N", title=_PUBLISHED, scale=scale, legend=_legend())


def colour_of(table: pd.DataFrame) -> alt.Color:
    """Give the colours of published points, which say the same as their shapes."""
    colours = ["#D55E00" if _is_out(kind) else "#009E73" for kind in _kinds(table)]
    scale = alt.Scale(domain=_kinds(table), range=colours)
    return alt.Color("what:N", title=_PUBLISHED, scale=scale, legend=_legend())


def _legend() -> alt.Legend:
    """Say "published" once, above: beside another legend, long lines are cut on a phone."""
    short = f"replace(replace(datum.label, '{_PUBLISHED}: ', ''), ' the region', '')"
    return alt.Legend(orient="bottom", labelExpr=short, **LEGEND)


def _is_out(kind: str) -> bool:
    return kind.removeprefix(f"{_PUBLISHED}: ") in ("excluded", "outside the region")
