"""What a picture over two parameters is filled with: what is decided, or the number."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from limen.prediction import VERDICTS
from limen_app.charts.marks import GREY, LEGEND, axis_title
from limen_app.likelihoods import DEEPEST, below_best
from limen_app.pictures import png
from limen_app.settings import SEQUENCE
from limen_app.slicing import Plane, boundary

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Layer", "filling"]

_FILLS = {
    "excluded": "#E69F00",
    "outside the region": "#E69F00",
    "not excluded": "#56B4E9",
    "inside the region": "#56B4E9",
    "undecided": "#CC79A7",
    "outside domain (hatched)": GREY,
}
_OPAQUE = 115
_NAMES = {
    "excluded": "excluded",
    "not_excluded": "not excluded",
    "outside_region": "outside the region",
    "inside_region": "inside the region",
    "uncertain": "undecided",
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


def filling(layer: Layer) -> alt.LayerChart | alt.Chart:
    """
    Fill by what is decided; by the number where nothing is.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    altair.LayerChart
        A picture of the cells, and its legend.
    """
    if boundary(layer.predictor) is None:
        return _shaded(layer)
    verdict = layer.plane.verdict
    names = {code: _NAMES[v] for code, v in enumerate(VERDICTS) if v in _NAMES}
    colours = np.zeros((*verdict.shape, 4), dtype=np.uint8)
    for code, name in names.items():
        red, green, blue = bytes.fromhex(_FILLS[name][1:])
        colours[verdict == code] = (red, green, blue, _OPAQUE)
    kinds = [name for code, name in names.items() if (verdict == code).any()]
    if (verdict == VERDICTS.index("outside_domain")).any():
        kinds.append("outside domain (hatched)")
    legend = alt.Legend(orient="bottom", symbolType="square", symbolOpacity=_OPAQUE / 255, **LEGEND)
    scale = alt.Scale(domain=kinds, range=[_FILLS[kind] for kind in kinds])
    key = alt.Chart(pd.DataFrame({"what": kinds})).mark_point(aria=False, opacity=0, filled=True)
    colour = alt.Color("what:N", title=f"{layer.name} says", scale=scale, legend=legend)
    return alt.layer(_image(colours), key.encode(color=colour))


def _image(colours: Any) -> alt.Chart:
    """Lay a picture of the cells over the whole plot; its first row is the lowest."""
    url = f"data:image/png;base64,{b64encode(png(colours[::-1])).decode()}"
    mark = alt.Chart(pd.DataFrame({"url": [url]})).mark_image(
        aria=False,
        # Else the page shows what the picture is made of, all its bytes as text, on hovering.
        tooltip=None,
        align="left",
        baseline="top",
        aspect=False,
        smooth=False,
        width={"expr": "width"},
        height={"expr": "height"},
    )
    return mark.encode(x=alt.value(0), y=alt.value(0), url="url:N")


def _shaded(layer: Layer) -> alt.LayerChart:
    value, colours_by, title = layer.plane.value, SEQUENCE, axis_title(layer.predictor.target)
    inside = np.isfinite(value)
    low, high = (
        (float(np.min(value[inside])), float(np.max(value[inside]))) if inside.any() else (0.0, 1.0)
    )
    below = below_best(layer.predictor, layer.plane)
    if below is not None:
        # The best is bright, as in Browse.
        value, low, high, colours_by = below, 0.0, DEEPEST, SEQUENCE[::-1]
        title = f"{layer.name}: −2Δ ln L to the best of this slice"
    share = np.clip((np.nan_to_num(value, nan=low) - low) / (high - low or 1.0), 0.0, 1.0)
    steps = np.array([tuple(bytes.fromhex(one[1:])) for one in colours_by], dtype=np.float64)
    at = np.arange(len(steps)) / (len(steps) - 1)
    colours = np.stack(
        [np.interp(share, at, steps[:, i]) for i in range(3)] + [inside * 255.0], axis=-1
    )
    scale = alt.Scale(domain=[low, high], range=list(colours_by), interpolate="rgb")
    key = alt.Chart(pd.DataFrame({"value": [low, high]})).mark_point(
        aria=False, opacity=0, filled=True
    )
    bar = alt.Legend(
        orient="bottom",
        gradientLength=240,
        tickCount=4,
        labelOverlap="greedy",
        labelSeparation=6,
        **LEGEND,
    )
    colour = alt.Color("value:Q", title=title, scale=scale, legend=bar)
    return alt.layer(_image(colours.astype(np.uint8)), key.encode(color=colour))
