"""Figures that only draw into files, with colours for everyone and the same bytes each time."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from limen.active.outputs import Output
from limen.active.parameters import Parameter
from limen.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "LINES",
    "axis_label",
    "drawing",
    "entries",
    "new_figure",
    "plain_ticks",
    "set_axis",
    "to_png",
    "to_svg",
    "value_text",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe, Ito: Color Universal Design, 2008; without yellow, which is lost on white."""

LINES = ("solid", "dashed", "dashdot", "dotted")
_RC = {
    "svg.hashsalt": "limen",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.linewidth": 0.8,
    "figure.dpi": 120,
    "savefig.dpi": 120,
}


def new_figure(size: tuple[float, float]) -> Figure:
    """
    Make a figure of some inches that draws into files only.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "active") from error
    with drawing():
        figure = Figure(figsize=size, layout="constrained")
    # No window and no global state.
    FigureCanvasAgg(figure)
    return figure


def drawing() -> AbstractContextManager[None]:
    """Draw with our settings, whatever the user's are."""
    import matplotlib as mpl

    settings: dict[Any, Any] = dict(mpl.rcParamsDefault) | _RC
    return mpl.rc_context(settings)


def to_svg(figure: Figure) -> str:
    """Give a figure as SVG text: the same bytes for the same figure, no date, no fonts to load."""
    stream = io.StringIO()
    with drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": "limen"})
    return stream.getvalue()


def to_png(figure: Figure) -> bytes:
    """Give a figure as PNG bytes."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="png", metadata={"Software": "limen"})
    return stream.getvalue()


def axis_label(item: Parameter | Output) -> str:
    """
    Give symbol (or name) and unit of an axis.

    Examples
    --------
    >>> axis_label(Parameter("m_s", 0.0, 1.0, unit="GeV", symbol="m_s"))
    '$m_s$ [GeV]'
    """
    name = _name(item)
    return name if item.unit == "1" else f"{name} [{item.unit}]"


def _name(item: Parameter | Output) -> str:
    """Give the symbol, if matplotlib can set it, else the name."""
    from matplotlib.mathtext import MathTextParser

    text = f"${item.symbol}$"
    if not item.symbol or "$" in item.symbol:
        return item.name
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return item.name
    return text


def value_text(item: Parameter | Output, value: float, relation: str = "=") -> str:
    """
    Give symbol, value and unit.

    Examples
    --------
    >>> value_text(Parameter("m", 0.0, 1.0, unit="GeV"), 0.25)
    'm = 0.25 GeV'
    """
    unit = "" if item.unit == "1" else f" {item.unit}"
    return f"{_name(item)} {relation} {value:.4g}{unit}"


def set_axis(axes: Axes, which: str, item: Parameter) -> None:
    """Give an axis, ``x`` or ``y``, the scale, range and label of a parameter."""
    from matplotlib import ticker

    getattr(axes, f"set_{which}scale")("log" if item.scale == "log" else "linear")
    getattr(axes, f"set_{which}lim")(item.low, item.high)
    getattr(axes, f"set_{which}label")(axis_label(item))
    if item.scale == "linear":
        # A panel may be small: three or four numbers fit.
        getattr(axes, f"{which}axis").set_major_locator(ticker.MaxNLocator(4))
    if item.scale == "log" and item.high < 1e4 * item.low and 1e-4 < item.low < item.high < 1e6:
        plain_ticks(getattr(axes, f"{which}axis"), fine=item.high < 30 * item.low)


def plain_ticks(axis: Any, *, fine: bool = True) -> None:
    """Write the numbers of a logarithmic axis as such; between decades if it is ``fine``."""
    from matplotlib import ticker

    plain = ticker.FuncFormatter(lambda value, _: f"{value:g}")
    axis.set_major_formatter(plain)
    axis.set_minor_formatter(ticker.NullFormatter())
    if fine:
        axis.set_minor_locator(ticker.LogLocator(subs=(2.0, 5.0)))
        axis.set_minor_formatter(plain)


def entries(axes: Any) -> dict[str, Any]:
    """Collect the entries of the legends of some axes, each once."""
    import numpy as np

    found: dict[str, Any] = {}
    for one in np.ravel(np.array(axes, dtype=object)):
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return found
