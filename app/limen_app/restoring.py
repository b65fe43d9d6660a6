"""Plain JSON values of a view: how they are written, and what is left out when they are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from limen.browsing.charts import STATISTICS, Axis
from limen.browsing.filters import Choice, Filter, Range
from limen.errors import UsageError
from limen.schema.wording import quoted

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["OPTIONS", "axis_document", "filter_document", "read"]

KINDS = {"histogram": (1, 1), "map": (2, 2), "parallel": (1, 12), "table": (0, 40)}
OPTIONS = ("log", "fit")
"""Of the page Browse: counts on a logarithmic scale, heights that fit what is selected."""
_SCALES = ("linear", "log", "symlog", "quantile")
_MOST_BINS = 250
_MOST_CHARTS = 40
_TEXTS = ("page", "bundle", "model", "digest")

Document = dict[str, Any]


def filter_document(one: Filter) -> Document:
    """
    Write a filter; what it has by default is left out.

    >>> filter_document(Range(0.0, None, inverted=True))
    {'low': 0.0, 'inverted': True}
    """
    if isinstance(one, Choice):
        found: Document = {"values": sorted(set(map(float, one.values)))}
    else:
        found = {end: getattr(one, end) for end in ("low", "high")}
        found = {end: float(value) for end, value in found.items() if value is not None}
        found |= {} if one.closed else {"closed": False}
    return found | ({"inverted": True} if one.inverted else {})


def axis_document(axis: Axis) -> Document:
    """
    Write an axis; what it has by default is left out.

    >>> axis_document(Axis("m", low=0.0))
    {'column': 'm', 'low': 0.0}
    """
    plain = Axis(axis.column)
    names = ("column", "n", "scale", "low", "high")
    return {
        name: getattr(axis, name)
        for name in names
        if name == "column" or getattr(axis, name) != getattr(plain, name)
    }


def read(document: Mapping[str, Any], bundle: Bundle | None) -> tuple[Document, list[str]]:
    """
    Read the plain values of a view.

    Parameters
    ----------
    document : mapping
        From a link or a session file: anything.
    bundle : Bundle or None
        Whose columns and models there are; None takes every name.

    Returns
    -------
    (dict, list of str)
        Those of ``page``, ``bundle``, ``model``, ``digest``, ``point``, ``axes``, ``ranges``,
        ``filters`` and ``charts`` (each the parameters of a panel) that there are, and as
        ``wrong`` the parameters of the point whose values are no numbers; a sentence for each
        thing left out.
    """
    reader = _Reader(bundle)
    found: Document = {}
    for name, value in document.items():
        if name in _TEXTS:
            if isinstance(value, str) and len(value) <= 200:
                found[name] = value
            else:
                reader.drop(f"{name} is {quoted(value)} and not a text; it was left out.")
        elif name in reader.parts:
            kept = reader.parts[name](value)
            if kept:
                found[name] = kept
        else:
            reader.drop(f"{quoted(name)} means nothing here and was left out.")
    if reader.wrong:
        found["wrong"] = tuple(reader.wrong)
    reader.compare(found)
    return found, reader.dropped


class _Reader:
    """Reads the parts of a view and notes what it leaves out."""

    def __init__(self, bundle: Bundle | None) -> None:
        self._bundle = bundle
        self.dropped: list[str] = []
        self.wrong: list[str] = []
        self.parts: dict[str, Callable[[Any], Any]] = {
            "point": self._point,
            "axes": self._axes,
            "ranges": self._ranges,
            "filters": self._filters,
            "charts": self._charts,
            "options": self._options,
        }

    def drop(self, sentence: str) -> None:
        """Note what was left out."""
        self.dropped.append(sentence)

    def compare(self, found: Document) -> None:
        """Leave out a model that the bundle has not; say if the bundle has changed."""
        if self._bundle is None:
            return
        model = found.get("model", "")
        if model and model not in self._bundle.models:
            self.drop(f"The bundle has no model {quoted(model)}; the first one is shown.")
            found["model"] = ""
        digest = found.get("digest", "")
        if digest and not self._bundle.manifest_sha256.startswith(digest):
            self.drop("The bundle has changed since this view was saved: numbers may differ.")

    def _known(self, name: Any, what: str) -> bool:
        known = isinstance(name, str) and (self._bundle is None or name in self._bundle.columns)
        if not known:
            self.drop(f"The bundle has no column {quoted(name)}; {what} was left out.")
        return known

    def _point(self, value: Any) -> dict[str, float]:
        if not isinstance(value, Mapping):
            self.drop(f"The point is {quoted(value)} and was left out.")
            return {}
        point: dict[str, float] = {}
        for name in sorted(value, key=str):
            if not self._known(name, "its value"):
                continue
            number = _finite(value[name])
            if number is None:
                self.drop(f"{name} is {quoted(value[name])}, which is no number; left out.")
                self.wrong.append(name)
            else:
                point[name] = number
        return point

    def _axes(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or len(value) > 2:
            self.drop(f"The axes are {quoted(value)}, allowed are one or two; left out.")
            return ()
        known = tuple(name for name in value if self._known(name, "its axis"))
        if len(set(known)) < len(known):
            self.drop(f"{known[0]} is on both axes; one of them was left out.")
            known = known[:1]
        return known

    def _ranges(self, value: Any) -> dict[str, tuple[float, float]]:
        if not isinstance(value, Mapping):
            self.drop(f"The ranges are {quoted(value)} and were left out.")
            return {}
        kept: dict[str, tuple[float, float]] = {}
        for name in sorted(value, key=str):
            if not self._known(name, "its range"):
                continue
            ends = value[name]
            whole = isinstance(ends, list | tuple) and len(ends) == 2
            low, high = map(_finite, ends) if whole else (None, None)
            if low is None or high is None or not low < high:
                self.drop(
                    f"The range of {name} is {quoted(ends)}, allowed are two numbers, the lower "
                    "one first; left out."
                )
            else:
                kept[name] = (low, high)
        return kept

    def _filters(self, value: Any) -> dict[str, Filter]:
        if not isinstance(value, Mapping):
            self.drop(f"The filters are {quoted(value)} and were left out.")
            return {}
        kept: dict[str, Filter] = {}
        for name in sorted(value, key=str):
            if self._known(name, "its filter"):
                try:
                    kept[name] = _filter(value[name])
                except (UsageError, ValueError) as error:
                    self.drop(f"The filter on {name} was left out: {error}.")
        return kept

    def _options(self, value: Any) -> tuple[str, ...]:
        listed = value if isinstance(value, list | tuple) else (value,)
        for one in listed[:_MOST_CHARTS]:
            if one not in OPTIONS:
                self.drop(f"The option {quoted(one)} means nothing here and was left out.")
        return tuple(name for name in OPTIONS if name in listed)

    def _charts(self, value: Any) -> list[Document]:
        if not isinstance(value, list | tuple):
            self.drop(f"The charts are {quoted(value)} and were left out.")
            return []
        if len(value) > _MOST_CHARTS:
            self.drop(f"Of {len(value)} charts only the first {_MOST_CHARTS} are shown.")
        kept = []
        for number, chart in enumerate(value[:_MOST_CHARTS], start=1):
            try:
                panel = _panel(chart)
            except ValueError as error:
                self.drop(f"Chart {number} was left out: {error}.")
                continue
            names = [*(axis.column for axis in panel["axes"])]
            names += [panel["column"]] if panel["column"] is not None else []
            known = [self._known(name, f"chart {number}") for name in names]
            if all(known):
                kept.append(panel)
        return kept


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _end(value: Mapping[str, Any], name: str) -> float | None:
    if value.get(name) is None:
        return None
    number = _finite(value[name])
    if number is None:
        raise ValueError(f"{name} is {quoted(value[name])}, which is no number")
    return number


def _only(value: Any, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it is {quoted(value)}")
    more = sorted(set(map(str, value)) - set(allowed))
    if more:
        raise ValueError(f"{quoted(more[0])} means nothing here")
    return value


def _flag(value: Mapping[str, Any], name: str, default: bool) -> bool:
    found = value.get(name, default)
    if not isinstance(found, bool):
        raise ValueError(f"{name} is {quoted(found)}, allowed are true and false")
    return found


def _filter(value: Any) -> Filter:
    given = _only(value, ("values", "low", "high", "closed", "inverted"))
    inverted = _flag(given, "inverted", False)
    if "values" not in given:
        ends = _end(given, "low"), _end(given, "high")
        return Range(*ends, closed=_flag(given, "closed", True), inverted=inverted)
    values = given["values"]
    if not isinstance(values, list | tuple) or len(values) > 1000:
        raise ValueError(f"its values are {quoted(values)}")
    numbers = [_finite(item) for item in values]
    if None in numbers:
        raise ValueError("one of its values is no number")
    return Choice(tuple(sorted({number for number in numbers if number is not None})), inverted)


def _panel(value: Any) -> Document:
    given = _only(value, ("kind", "axes", "statistic", "column"))
    kind, axes = given.get("kind"), given.get("axes", ())
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"its kind is {quoted(kind)}, allowed are {', '.join(KINDS)}")
    low, high = KINDS[kind]
    if not isinstance(axes, list | tuple) or not low <= len(axes) <= high:
        raise ValueError(f"a {kind} has {low if low == high else f'{low} to {high}'} axes")
    statistic, column = given.get("statistic", "count"), given.get("column")
    if not isinstance(statistic, str) or statistic not in STATISTICS:
        raise ValueError(f"its statistic is {quoted(statistic)}")
    if statistic == "labels" and kind == "map":
        raise ValueError("only a histogram is split by labels")
    return {
        "kind": kind,
        "axes": tuple(map(_axis, axes)),
        "statistic": statistic,
        "column": column,
    }


def _axis(value: Any) -> Axis:
    given = _only(value, ("column", "n", "scale", "low", "high"))
    name, n, scale = given.get("column"), given.get("n", 50), given.get("scale")
    if not isinstance(name, str):
        raise ValueError(f"the column of an axis is {quoted(name)}")
    if type(n) is not int or not 1 <= n <= _MOST_BINS:
        raise ValueError(f"{name} has {quoted(n)} bins, allowed are 1 to {_MOST_BINS}")
    if scale is not None and not (isinstance(scale, str) and scale in _SCALES):
        raise ValueError(f"the scale of {name} is {quoted(scale)}")
    low, high = _end(given, "low"), _end(given, "high")
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the axis of {name} ends at {high:g} and begins at {low:g}")
    return Axis(name, n, cast("Any", scale), low, high)
