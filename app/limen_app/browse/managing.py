"""Boxes of the page Browse: which charts there are, and filters on any column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.browsing import Axis, Choice, Filter, Range, columns_for
from limen.browsing.bins import Scale
from limen.browsing.charts import Statistic
from limen.errors import UsageError
from limen_app.browse.beginning import categories_of, drawable
from limen_app.showing import choice, plain
from limen_app.state import Browse, Panel

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["manage_charts", "manage_filters", "number_in"]

_STATISTICS: dict[Statistic, str] = {
    "count": "rows",
    "labels": "rows, split by a label",
    "best": "best sampled −2Δ ln L",
    "excluded": "fraction excluded or outside",
    "weighted": "weighted (posterior)",
    "mean": "mean of another column",
    "least": "least of another column",
    "largest": "largest of another column",
}
_MOST = 24
_NEW = -1
_SCALES: dict[Scale | None, str] = {
    None: "as the column states",
    "linear": "linear",
    "log": "logarithmic",
    "symlog": "symmetric logarithm",
    "quantile": "quantiles",
}


def number_in(text: str, what: str) -> float | None:
    """
    Read the number of a box; an empty box is an open end.

    Raises
    ------
    UsageError
        If it is no number.
    """
    plain_text = text.strip().replace("−", "-")
    if not plain_text:
        return None
    try:
        return float(plain_text)
    except ValueError as error:
        raise UsageError(
            f"{what}: found {text[:40]!r}, allowed a number, or nothing for an open end"
        ) from error


def manage_filters(bundle: Bundle, browse: Browse) -> Browse | None:
    """
    Let a filter be set on any column.

    Returns
    -------
    Browse or None
        The new state; None if nothing was changed.

    Raises
    ------
    UsageError
        If what was typed is no filter.
    """
    columns = drawable(bundle)
    with st.popover("Filters", icon=":material/filter_alt:"):
        name = st.selectbox(
            "Column", list(columns), format_func=lambda n: choice(columns[n]), key="filter column"
        )
        made = _typed_filter(bundle, name, browse.filters.get(name))
        filters = dict(browse.filters)
        given = st.button("Set filter", type="primary")
        less = st.button("Remove this filter", disabled=name not in filters)
        none = st.button("Remove all filters", disabled=not filters)
    if given:
        return replace(browse, filters=filters | {name: made()})
    if less:
        return replace(browse, filters={n: f for n, f in filters.items() if n != name})
    return replace(browse, filters={}) if none else None


def _typed_filter(bundle: Bundle, name: str, known: Filter | None) -> Any:
    column = bundle.columns[name]
    categories = categories_of(column)
    # A box of its own for each column and filter: what was typed for another one is not kept.
    mark = f"{name} {hash(known)}"
    inverted = bool(known is not None and known.inverted)
    if categories:
        chosen = [str(int(v)) for v in known.values] if isinstance(known, Choice) else []
        codes = st.multiselect(
            "Categories",
            list(categories),
            default=[code for code in chosen if code in categories],
            format_func=lambda code: categories[code],
            key=f"categories {mark}",
        )
        other = st.checkbox("all others instead", value=inverted, key=f"invert {mark}")
        return lambda: Choice(tuple(float(code) for code in codes), other)
    unit = "" if column.unit == "1" else f" [{plain(column.unit)}]"
    ends = [getattr(known, end, None) for end in ("low", "high")]
    texts = [
        st.text_input(
            f"{label}{unit}",
            value="" if end is None else f"{end!r}",
            placeholder="open",
            key=f"{label} {mark}",
        )
        for label, end in zip(("From (≥)", "To (≤)"), ends, strict=True)
    ]
    other = st.checkbox("outside of this range instead", value=inverted, key=f"invert {mark}")

    def made() -> Filter:
        low, high = (number_in(text, plain(column.title)) for text in texts)
        kept = isinstance(known, Range) and high == known.high and not known.closed
        return Range(low, high, closed=not kept, inverted=other)

    return made


def manage_charts(bundle: Bundle, browse: Browse) -> Browse | None:
    """
    Let charts be added, changed and removed; answers as `manage_filters`.

    Raises
    ------
    UsageError
        If what was typed makes no chart.
    """
    columns = drawable(bundle)
    drawn = [p for p, panel in enumerate(browse.charts) if panel.kind in ("histogram", "map")]
    with st.popover("Charts", icon=":material/add_chart:"):
        which = st.selectbox(
            "Chart",
            [_NEW, *drawn],
            format_func=lambda p: "a new one" if p == _NEW else _named(bundle, browse.charts[p], p),
            key="chart to change",
        )
        known = None if which == _NEW else browse.charts[which]
        mark = f"{which} {hash(known)}"
        names = list(columns)
        axes = known.axes if known else (Axis(names[0]),)
        x = _axis_boxes(bundle, "x", axes[0], names, mark)
        second = st.checkbox("second axis (a map)", value=len(axes) == 2, key=f"map {mark}")
        start = axes[1] if len(axes) == 2 else Axis(names[min(1, len(names) - 1)])
        y = _axis_boxes(bundle, "y", start, names, mark) if second else None
        statistic, column = _statistic_boxes(bundle, known, second, mark)

        def made() -> Panel:
            both = (x(),) if y is None else (x(), y())
            return Panel("histogram" if y is None else "map", both, statistic, column)

        charts, full = list(browse.charts), len(browse.charts) >= _MOST
        if which == _NEW:
            given, less = st.button("Add chart", type="primary", disabled=full), False
        else:
            given = st.button("Change chart", type="primary")
            less = st.button("Remove chart", disabled=len(charts) < 2)
    place = len(charts) if which == _NEW else which
    if given:
        charts[place : place + 1] = [made()]
        st.toast(f"Chart {place + 1} is drawn below")
    elif less:
        charts.pop(place)
    return replace(browse, charts=tuple(charts)) if given or less else None


def _named(bundle: Bundle, panel: Panel, place: int) -> str:
    titles = " and ".join(plain(bundle.columns[axis.column].title) for axis in panel.axes)
    return f"{place + 1}: {titles}, {_STATISTICS[panel.statistic]}"


def _axis_boxes(bundle: Bundle, which: str, axis: Axis, names: list[str], mark: str) -> Any:
    known: Mapping[str, Any] = bundle.columns
    name = st.selectbox(
        f"Column along {which}",
        names,
        index=names.index(axis.column) if axis.column in names else 0,
        format_func=lambda n: choice(known[n]),
        key=f"{which} column {mark}",
    )
    scales = list(_SCALES)
    left, right = st.columns(2)
    # None among the options would be shown as nothing chosen.
    chosen = left.selectbox(
        f"Scale of {which}",
        range(len(scales)),
        index=scales.index(axis.scale) if axis.scale in scales else 0,
        format_func=lambda at: _SCALES[scales[at]],
        key=f"{which} scale {mark}",
    )
    scale = scales[chosen]
    n = right.number_input(f"Bins of {which}", 1, 250, axis.n, key=f"{which} bins {mark}")
    ends = [
        box.text_input(
            f"{which} {label}",
            value="" if end is None else f"{end!r}",
            placeholder="of the data",
            key=f"{which} {label} {mark}",
        )
        for box, label, end in ((left, "begins", axis.low), (right, "ends", axis.high))
    ]

    def made() -> Axis:
        low, high = (number_in(text, f"axis {which}") for text in ends)
        if low is not None and high is not None and not low < high:
            raise UsageError(f"axis {which}: found {low:g} to {high:g}; exchange the ends")
        return Axis(name, int(n), scale, low, high)

    return made


def _statistic_boxes(
    bundle: Bundle, known: Panel | None, second: bool, mark: str
) -> tuple[Any, str | None]:
    offered = [s for s in _STATISTICS if s == "count" or columns_for(s, bundle.columns)]
    if second:
        offered = [s for s in offered if s != "labels"]
    now = known.statistic if known else "count"
    statistic = st.selectbox(
        "Statistic",
        offered,
        index=offered.index(now) if now in offered else 0,
        format_func=lambda s: _STATISTICS[s],
        key=f"statistic {mark}",
        help="A posterior needs weights that the bundle declares.",
    )
    names = columns_for(statistic, bundle.columns)
    if not names:
        return statistic, None
    at = names.index(known.column) if known and known.column in names else 0
    column = st.selectbox(
        "Of the column",
        names,
        index=at,
        format_func=lambda n: choice(bundle.columns[n]),
        key=f"statistic column {statistic} {mark}",
    )
    return statistic, column
