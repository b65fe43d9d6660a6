"""The charts as a figure for print: PDF, PNG, SVG, made without a browser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.browsing import (
    LEVELS,
    Browser,
    Chart,
    Filter,
    Range,
    boundaries,
    highest_density,
    measured,
    symlog_unit,
    wilson,
)
from limen_app.browse.beginning import categories_of
from limen_app.likelihoods import DEEPEST
from limen_app.printing import footed
from limen_app.showing import plain

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["figure", "parallel"]

_BLUE, _GREY, _BLACK, _ORANGE = "#0072B2", "#C8CDD3", "#000000", "#D55E00"
_UNLABELLED = "#6B7078"
_PERCENTS = ("68.27 %", "95.45 %")
_TITLES = {
    "count": "rows per bin",
    "weighted": "sum of weights (posterior)",
    "best": "best sampled −2Δ ln L",
    "excluded": "fraction",
    "labels": "rows per bin",
}
# Above the map, so that all maps have one width.
_BAR = alt.Legend(orient="top", gradientLength=300, gradientThickness=9, titleLimit=300)
_STAR = "M0,-1L.22,-.31L.95,-.31L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31L-.22,-.31Z"
_OF_ANOTHER = ("mean", "least", "largest")


def figure(
    bundle: Bundle,
    browser: Browser,
    charts: Sequence[Chart],
    filters: Mapping[str, Filter],
    footer: Sequence[str],
) -> Any:
    """
    Draw charts under filters, two in a row, with a footer that says of what.

    Parameters
    ----------
    bundle : Bundle
    browser : Browser
    charts : sequence of Chart
    filters : mapping of str to Filter
    footer : sequence of str
        Lines below the charts.

    Returns
    -------
    altair chart
    """
    now, ghosts = browser.view(charts, filters), browser.view(charts, {})
    drawn = [
        _map(bundle, browser, chart, tables, filters)
        if chart.y is not None
        else _histogram(bundle, browser, chart, tables, ghost, filters)
        for chart, tables, ghost in zip(charts, now, ghosts, strict=True)
    ]
    rows = [alt.hconcat(*drawn[k : k + 2]) for k in range(0, len(drawn), 2)]
    return footed(alt.vconcat(*rows), footer)


def _title(bundle: Bundle, name: str) -> str:
    """Name an axis by its column, which is short and is what a reader asks for."""
    unit = bundle.columns[name].unit
    return name if unit == "1" else f"{name} [{plain(unit)}]"


def _axis(bundle: Bundle, browser: Browser, axis: Any) -> dict[str, Any]:
    bins = browser.bins(axis)
    low, high = bins.edges[0], bins.edges[-1]
    options: dict[str, Any] = {"domain": [low, high], "nice": False}
    if bins.scale == "log":
        options["type"] = "log"
    marks: dict[str, Any] = {"tickCount": 6, "format": ".6~g"}
    names = categories_of(bundle.columns[axis.column])
    if bins.scale == "whole" and names:
        marks = {"values": [int(code) for code in names], "format": "d"}
        # JSON is an expression of Vega too, so that words of strangers stay words.
        marks["labelExpr"] = f"({json.dumps(names)})[datum.label]"
    if bins.scale == "symlog":
        options |= {"type": "symlog", "constant": symlog_unit(low, high)}
        marks = {"values": _symlog_ticks(low, high), "format": ".6~g"}
    return {
        "title": _title(bundle, axis.column),
        "scale": alt.Scale(**options),
        "axis": alt.Axis(labelOverlap=True, **marks),
    }


def _symlog_ticks(low: float, high: float) -> list[float]:
    """Give zero, and powers of ten on both sides of it."""
    powers = range(floor(log10(max(abs(low), abs(high)))), -400, -1)
    sizes = [10.0**k for k in powers[:4] if 10.0**k > symlog_unit(low, high)]
    return sorted(t for t in (0.0, *sizes, *(-s for s in sizes)) if low <= t <= high)


def _histogram(
    bundle: Bundle,
    browser: Browser,
    chart: Chart,
    now: dict[str, Any],
    ghost: dict[str, Any],
    filters: Mapping[str, Filter],
) -> Any:
    edges = np.asarray(browser.bins(chart.x).edges)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:]})
    layers = []
    for tables, colour in ((ghost, _GREY), (now, _BLUE)):
        inside = slice(2, -2)
        rows = frame.assign(value=measured(chart.statistic, tables)[inside], zero=0.0)
        if chart.statistic == "excluded":
            _, low, high = wilson(tables["hits"][inside], tables["labelled"][inside])
            rows = rows.assign(low=low, high=high)
        elif chart.statistic == "labels" and tables is now:
            layers.append(_stacked(bundle, browser, chart, tables, frame))
            continue
        rows = rows[np.isfinite(rows["value"])]
        layers += _marks(bundle, browser, chart, rows, colour)
    if chart.statistic == "best":
        levels = pd.DataFrame({"level": LEVELS[1], "name": _PERCENTS})
        rule = alt.Chart(levels).mark_rule(strokeDash=[4, 3]).encode(y="level:Q")
        text = alt.Chart(levels).mark_text(align="right", dy=-5, fontSize=9)
        layers += [rule, text.encode(y="level:Q", x=alt.value(298), text="name:N")]
    layers += _ends(chart, filters)
    return alt.layer(*layers).properties(width=300, height=170)


def _ends(chart: Chart, filters: Mapping[str, Filter]) -> list[alt.Chart]:
    """Give a line at each end of the ranges on the chart's own columns."""
    lines = []
    for letter, axis in zip("xy", chart.axes, strict=False):
        one = filters.get(axis.column)
        ends = [e for e in (one.low, one.high) if e is not None] if isinstance(one, Range) else []
        if ends:
            rule = alt.Chart(pd.DataFrame({"end": ends})).mark_rule(
                color=_ORANGE, strokeWidth=2, clip=True
            )
            lines.append(rule.encode(**{letter: "end:Q"}))
    return lines


def _marks(
    bundle: Bundle, browser: Browser, chart: Chart, rows: pd.DataFrame, colour: str
) -> list[alt.Chart]:
    base = alt.Chart(rows)
    x = alt.X("from:Q", **_axis(bundle, browser, chart.x))
    title = _TITLES.get(chart.statistic, "")
    if chart.statistic == "excluded":
        title = f"fraction, {_title(bundle, str(chart.column))}"
        y = alt.Y("value:Q", title=title, scale=alt.Scale(domain=[0, 1]))
        bar = base.mark_bar(opacity=0.4, color=colour).encode(x=x, x2="to", y="low:Q", y2="high")
        return [bar, base.mark_rule(color=colour, strokeWidth=2).encode(x=x, x2="to", y=y)]
    if chart.statistic in _OF_ANOTHER:
        y = alt.Y("value:Q", title=_another(bundle, chart), scale=alt.Scale(zero=False))
        return [base.mark_rule(color=colour, strokeWidth=2).encode(x=x, x2="to", y=y)]
    if chart.statistic == "best":
        y = alt.Y("value:Q", title=title, scale=alt.Scale(domain=[0, DEEPEST], clamp=True))
        return [base.mark_rule(color=colour, strokeWidth=2).encode(x=x, x2="to", y=y)]
    y = alt.Y("value:Q", title=title)
    return [base.mark_bar(color=colour, clip=True).encode(x=x, x2="to", y=y, y2="zero")]


def _another(bundle: Bundle, chart: Chart) -> str:
    return f"{chart.statistic} of {_title(bundle, str(chart.column))}"


def _stacked(
    bundle: Bundle, browser: Browser, chart: Chart, tables: dict[str, Any], frame: pd.DataFrame
) -> alt.Chart:
    """Draw the rows of each label above those of the one before."""
    inside = slice(2, -2)
    names = categories_of(bundle.columns[str(chart.column)]) or {}
    words = [names.get("1", "1"), names.get("0", "0"), "without a label"]
    hits, labelled = tables["hits"][inside], tables["labelled"][inside]
    rows, base, parts = tables["count"][inside], np.zeros(len(frame)), []
    for word, part in zip(words, (hits, labelled - hits, rows - labelled), strict=True):
        parts.append(frame.assign(base=base, value=base + part, label=word)[part > 0])
        base = base + part
    colours = alt.Scale(domain=words, range=[_ORANGE, _BLUE, _UNLABELLED])
    return (
        alt.Chart(pd.concat(parts, ignore_index=True))
        .mark_bar(clip=True)
        .encode(
            x=alt.X("from:Q", **_axis(bundle, browser, chart.x)),
            x2="to",
            y=alt.Y("value:Q", title=_TITLES["labels"]),
            y2="base",
            color=alt.Color("label:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
        )
    )


def _map(
    bundle: Bundle,
    browser: Browser,
    chart: Chart,
    tables: dict[str, Any],
    filters: Mapping[str, Filter],
) -> Any:
    if chart.y is None:
        raise TypeError("a map has two axes")
    x, y = (np.asarray(browser.bins(axis).edges) for axis in chart.axes)
    value, scale, title = _shown(bundle, chart, tables)
    i, j = np.nonzero(np.isfinite(value))
    frame = pd.DataFrame(
        {"x": x[i], "x2": x[i + 1], "y": y[j], "y2": y[j + 1], "value": value[i, j]}
    )
    axes = [_axis(bundle, browser, axis) for axis in chart.axes]
    cells = (
        alt.Chart(frame)
        .mark_rect(clip=True)
        .encode(
            x=alt.X("x:Q", **axes[0]),
            x2="x2",
            y=alt.Y("y:Q", **axes[1]),
            y2="y2",
            color=alt.Color("value:Q", scale=scale, title=title, legend=_BAR),
        )
    )
    layers = [cells]
    for inside, name, dash in _regions(chart, tables):
        segments = boundaries(inside)
        lines = pd.DataFrame(
            [(x[a], x[c], y[b], y[d], name) for a, b, c, d in segments],
            columns=["x", "x2", "y", "y2", "region"],
        )
        layers.append(
            alt.Chart(lines)
            .mark_rule(color=_BLACK, strokeDash=dash, strokeWidth=1.5)
            .encode(x="x:Q", x2="x2", y="y:Q", y2="y2")
        )
    if chart.statistic == "best" and len(frame):
        layers.append(_best_sample(frame))
    layers += _ends(chart, filters)
    return alt.layer(*layers).properties(width=300, height=240).resolve_scale(color="independent")


def _best_sample(frame: pd.DataFrame) -> alt.Chart:
    """Mark the cell with the best sampled point."""
    best = frame.loc[[frame["value"].idxmin()]]
    place = best.assign(x=(best["x"] + best["x2"]) / 2, y=(best["y"] + best["y2"]) / 2)
    star = alt.Chart(place).mark_point(shape=_STAR, size=60, filled=True, color=_ORANGE, opacity=1)
    return star.encode(x="x:Q", y="y:Q")


def _shown(bundle: Bundle, chart: Chart, tables: dict[str, Any]) -> tuple[Any, alt.Scale, str]:
    value = measured(chart.statistic, tables)
    if chart.statistic in _OF_ANOTHER:
        return value, alt.Scale(scheme="cividis", zero=False), _another(bundle, chart)
    if chart.statistic == "best":
        scale = alt.Scale(scheme="cividis", domain=[DEEPEST, 0], clamp=True)
        return value, scale, f"{_TITLES['best']}; solid 68.27 %, dotted 95.45 %"
    if chart.statistic == "excluded":
        scale = alt.Scale(scheme="cividis", domain=[0, 1])
        return value, scale, f"fraction, {_title(bundle, str(chart.column))}"
    positive = value[value > 0]
    if not positive.size:
        return value, alt.Scale(scheme="cividis"), _TITLES[chart.statistic]
    value[value <= 0] = np.nan
    domain = [float(positive.min()), float(max(positive.max(), positive.min() * 1.01))]
    return value, alt.Scale(scheme="cividis", type="log", domain=domain), _TITLES[chart.statistic]


def _regions(chart: Chart, tables: dict[str, Any]) -> list[tuple[Any, str, list[float]]]:
    # Dashes begin anew at each bin.
    dashes: tuple[list[float], ...] = ([1, 0], [1.5, 2.5])
    if chart.statistic == "best":
        return [
            (tables["best"] <= level, name, dash)
            for level, name, dash in zip(LEVELS[2], _PERCENTS, dashes, strict=True)
        ]
    if chart.statistic == "weighted":
        limits = highest_density(tables["sum"], (0.6827, 0.9545))
        return [
            ((tables["sum"] >= limit) & (tables["sum"] > 0), name, dash)
            for limit, name, dash in zip(limits, _PERCENTS, dashes, strict=True)
        ]
    return []


def parallel(frame: pd.DataFrame, order: Sequence[str], colour: str | None) -> Any:
    """
    Draw rows as lines over axes.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``row``, ``axis``, ``place`` (0 to 1) and, for colours, ``label``.
    order : sequence of str
        The axes.
    colour : str or None
        Title of the label.
    """
    base = alt.Chart(frame).mark_line(strokeWidth=1, opacity=0.25)
    kinds: dict[str, Any] = {}
    if colour is not None:
        below = alt.Legend(orient="bottom", titleLimit=0, labelLimit=0)
        colours = alt.Scale(range=["#0072B2", "#E69F00", "#999999"])
        kinds["color"] = alt.Color("label:N", title=colour, scale=colours, legend=below)
        kinds["strokeDash"] = alt.StrokeDash("label:N", title=colour, legend=below)
    return base.encode(
        x=alt.X(
            "axis:N",
            sort=list(order),
            title=None,
            axis=alt.Axis(labelAngle=-20, labelLimit=320, labelOverlap=False),
        ),
        y=alt.Y("place:Q", title="place along the axis", scale=alt.Scale(domain=[0, 1])),
        detail="row:N",
        **kinds,
    ).properties(height=320)
