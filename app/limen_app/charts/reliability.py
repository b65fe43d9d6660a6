"""How reliable probabilities are, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from limen_app.charts.marks import GREY, LINES

__all__ = ["reliability_chart"]


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
    bars = base.mark_rule(aria=False, color=LINES[0], strokeWidth=3).encode(
        x, alt.X2("to:Q"), y, tooltip=told
    )
    spread = base.mark_rule(aria=False, color=LINES[0]).encode(
        alt.X("middle:Q", title="probability"), alt.Y("lower:Q", title=y_title), alt.Y2("upper:Q")
    )
    ideal = alt.Chart(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})).mark_line(
        aria=False, color=GREY, strokeDash=[4, 4]
    )
    diagonal = ideal.encode(alt.X("x:Q", title="probability"), alt.Y("y:Q", title=y_title))
    return alt.layer(diagonal, bars, spread).properties(height=280)
