"""A slice to keep: its figure with a footer that says of what, and the numbers that it shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.comparing.extracts import cell_texts
from limen.prediction import VERDICTS
from limen_app.browse.exporting import guarded
from limen_app.charts import Layer, line_chart, plane_chart
from limen_app.charts.marks import axis_title, number_title
from limen_app.printing import footed, rendered, source
from limen_app.published import rows_of
from limen_app.showing import plain, quantity
from limen_app.slicing import Line, Plane

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.prediction import Predictor
    from limen_app.published import Slab
    from limen_app.visiting import Visit

__all__ = ["Slice", "figure", "footer", "numbers"]

_WIDTH, _HEIGHTS = 480, {1: 280, 2: 420}


@dataclass(frozen=True, slots=True)
class Slice:
    """
    A slice as it is drawn.

    Attributes
    ----------
    parts : tuple of (Predictor, Line or Plane, str)
        Models, what they say, and what the legend calls them; several only over two parameters.
    point : mapping of str to float
        A value for each input; those along the axes are where the mark is.
    slab : Slab or None
        Published points that are drawn with it.
    words : str
        What is said below the picture.
    """

    parts: tuple[tuple[Predictor, Line | Plane, str], ...]
    point: Mapping[str, float]
    slab: Slab | None
    words: str

    @property
    def axes(self) -> tuple[str, ...]:
        """The one or two parameters along the axes."""
        drawn = self.parts[0][1]
        return (drawn.name,) if isinstance(drawn, Line) else drawn.names

    def chart(self) -> Any:
        """Draw it, for a page."""
        predictor, drawn, _ = self.parts[0]
        if isinstance(drawn, Line):
            return line_chart(predictor, drawn, self.point[drawn.name], self.slab)
        layers = [Layer(p, d, name) for p, d, name in self.parts if isinstance(d, Plane)]
        return plane_chart(layers, self.point, self.slab)


def footer(here: Visit, kept: Slice) -> list[str]:
    """
    Give the lines that say what a figure shows: of which bundle, which models, held at what.

    Parameters
    ----------
    here : Visit
    kept : Slice

    Returns
    -------
    list of str
    """
    columns = kept.parts[0][0].columns
    names = [f"{p.card.name} of {p.target.name}" for p, _, _ in kept.parts]
    held = [
        f"{name} = {quantity(value, columns[name].unit)}"
        for name, value in kept.point.items()
        if name not in kept.axes
    ]
    lines = [source(here), f"{'Models' if len(names) > 1 else 'Model'}: {plain(', '.join(names))}."]
    lines += [f"Held: {', '.join(held)}."] if held else []
    return [*lines, kept.words]


def figure(here: Visit, kept: Slice, form: str) -> bytes:
    """
    Give the figure as a file, with its footer.

    Parameters
    ----------
    here : Visit
    kept : Slice
    form : {"pdf", "png", "svg"}
    """
    chart = kept.chart().properties(width=_WIDTH, height=_HEIGHTS[len(kept.axes)])
    return rendered(footed(chart, footer(here, kept)), form)


def numbers(bundle: Bundle, kept: Slice) -> bytes:
    """
    Give the numbers that are drawn as CSV, units in the header.

    Each row is a whole point with what a model says of it, or what is published of it.

    Parameters
    ----------
    bundle : Bundle
    kept : Slice
    """
    first = kept.parts[0][0]
    inputs = {column.name: axis_title(column) for column in first.inputs}
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    heads = ["what", "model", "quantity", *inputs.values()]
    writer.writerow(map(guarded, [*heads, "value", "lower", "upper", "verdict", "row"]))
    for predictor, drawn, _ in kept.parts:
        writer.writerows(_said(predictor, drawn, kept.point, list(inputs)))
    if kept.slab is not None and len(kept.slab.rows):
        writer.writerows(_published(bundle, first, list(inputs), kept.slab.rows.tolist()))
    return stream.getvalue().encode("utf-8")


def _said(
    predictor: Predictor, drawn: Line | Plane, point: Mapping[str, float], names: list[str]
) -> Iterator[tuple[str, ...]]:
    if isinstance(drawn, Line):
        along = {drawn.name: drawn.x}
    else:
        x, y = drawn.names
        along = {x: np.tile(drawn.x, len(drawn.y)), y: np.repeat(drawn.y, len(drawn.x))}
    n = drawn.value.size
    texts = [
        cell_texts(along[name]) if name in along else [str(float(point[name]))] * n
        for name in names
    ]
    told = [cell_texts(v.ravel()) for v in (drawn.value, drawn.lower, drawn.upper)]
    verdicts = [VERDICTS[code] for code in drawn.verdict.ravel().tolist()]
    head = [["slice"] * n, [guarded(predictor.card.name)] * n]
    head.append([guarded(number_title(predictor))] * n)
    return zip(*head, *texts, *told, verdicts, [""] * n, strict=True)


def _published(
    bundle: Bundle, predictor: Predictor, names: list[str], rows: list[int]
) -> Iterator[tuple[str, ...]]:
    target = predictor.target
    values = rows_of(bundle, [*names, target.name], rows)
    n = len(rows)
    head = [["published"] * n, [""] * n, [guarded(axis_title(target))] * n]
    texts = [cell_texts(values[name]) for name in (*names, target.name)]
    return zip(*head, *texts, *[[""] * n] * 3, map(str, rows), strict=True)
