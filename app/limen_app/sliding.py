"""Sliders that go in step with boxes: a box holds any number, its slider the nearest place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from limen_app.reading import shown_value
from limen_app.showing import quantity

if TYPE_CHECKING:
    from limen.manifest import Column

__all__ = ["Track", "draw_slider", "track_of"]

_STEPS = 200


@dataclass(frozen=True, slots=True)
class Track:
    """
    Where a slider goes.

    Attributes
    ----------
    low, high : float
        Ends of the trained range, in the column's unit.
    step : float
        Between two places; a power of ten. Without a meaning where there are marks.
    marks : tuple of float
        The places of a logarithmic column, round numbers but for the ends; else empty.
    """

    low: float
    high: float
    step: float
    marks: tuple[float, ...] = ()

    def place(self, value: float) -> float:
        """
        Give where the slider stands for a value; its end for one outside of the range.

        >>> Track(0.0, 4.2, 0.01).place(7.0), Track(1.0, 100.0, 0.1, (1.0, 10.0, 100.0)).place(40.0)
        (4.2, 100.0)
        """
        inside = min(max(value, self.low), self.high)
        if not self.marks:
            return inside
        return min(self.marks, key=lambda mark: abs(math.log(mark / inside)))

    def meant(self, place: float) -> float:
        """
        Give the number that a place stands for: a round one, or an end of the range.

        >>> Track(-3999.87, 4000.0, 10.0).meant(-3989.87), Track(0.0, 1.0, 0.001).meant(0.1 + 0.2)
        (-3990.0, 0.3)
        """
        if self.marks or place in (self.low, self.high):
            return place
        digits = max(0, -math.floor(math.log10(self.step)))
        nearest = round(round(place / self.step) * self.step, digits)
        return min(max(nearest, self.low), self.high)

    def holds(self, place: float, value: float) -> bool:
        """Tell whether a slider at a place is in step with a value."""
        if self.marks:
            return place == self.place(value)
        there = self.low <= place <= self.high
        return there and (value == self.meant(place) or place == self.place(value))


def track_of(column: Column, low: float, high: float) -> Track | None:
    """
    Give the places of a slider over a trained range; None where there is but one value.

    Parameters
    ----------
    column : Column
        A logarithmic one has places that are evenly spread in the logarithm.
    low, high : float
    """
    if not high > low:
        return None
    step = 10.0 ** math.floor(math.log10((high - low) / _STEPS))
    marks = _marks(low, high) if column.scale == "log" and low > 0 else ()
    return Track(low, high, step, marks)


@lru_cache(256)
def _marks(low: float, high: float) -> tuple[float, ...]:
    inner = (float(f"{value:.3g}") for value in np.geomspace(low, high, _STEPS + 1)[1:-1])
    # Streamlit tells places apart by their words.
    ends = [f"{end:.4g}" for end in (low, high)]
    kept = [mark for mark in inner if low < mark < high and f"{mark:.4g}" not in ends]
    return (low, *dict.fromkeys(kept), high)


@lru_cache(256)
def _words(marks: tuple[float, ...], unit: str) -> dict[float, str]:
    return {mark: quantity(mark, unit, 4) for mark in marks}


def draw_slider(
    column: Column, track: Track, value: float | None, *, box: str, label: str, shown: bool
) -> None:
    """
    Draw the slider of a box; moved, it writes into the box.

    Parameters
    ----------
    column : Column
    track : Track
    value : float or None
        What the box holds; None leaves the slider where it is.
    box : str
        Key of the box.
    label : str
        Which screen readers say.
    shown : bool
        Whether the label is seen too.
    """
    key = f"slider of {box}"
    now = float(st.session_state.get(key, track.low))
    value = now if value is None else value
    if key not in st.session_state or not track.holds(now, value):
        st.session_state[key] = track.place(value)
    more: dict[str, Any] = {
        "key": key,
        "label_visibility": "visible" if shown else "collapsed",
        "on_change": _write,
        "args": (key, box, track),
    }
    if track.marks:
        words = _words(track.marks, column.unit)
        st.select_slider(label, track.marks, format_func=words.__getitem__, **more)
    else:
        st.slider(label, track.low, track.high, step=track.step, format="%.4g", **more)


def _write(key: str, box: str, track: Track) -> None:
    st.session_state[box] = shown_value(track.meant(st.session_state[key]))
