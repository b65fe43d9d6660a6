"""One parameter of a space: its unit, range, scale, prior and values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.priors import prior_faults
from limen.errors import UnitError
from limen.units import parse_unit

__all__ = ["Parameter", "name_faults", "parameter_from"]

Floats = NDArray[np.float64]

_KEYS = ("description", "label", "prior", "range", "scale", "symbol", "unit", "values")
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,63}")
_WORDS = ("unit", "scale", "symbol", "label", "description")


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter of a space.

    Attributes
    ----------
    name : str
    low, high : float
        Range [unit].
    unit : str
    scale : str
        ``linear`` or ``log``: how distances are meant.
    prior : str or tuple
        ``uniform``, ``log-uniform`` or ``("normal", mean, standard deviation)``, cut at the range.
    values : tuple of float
        The values that are allowed, if the parameter is discrete.
    symbol, label, description : str
        For pictures and pages; the symbol is LaTeX.
    """

    name: str
    low: float
    high: float
    unit: str = "1"
    scale: str = "linear"
    prior: str | tuple[str, float, float] = "uniform"
    values: tuple[float, ...] = ()
    symbol: str = ""
    label: str = ""
    description: str = ""

    def to_unit(self, x: Floats) -> Floats:
        """Give unit coordinates of values ``x`` [unit]."""
        if self.scale == "log":
            with np.errstate(all="ignore"):
                return np.log(x / self.low) / math.log(self.high / self.low)
        return (x - self.low) / (self.high - self.low)

    def to_physical(self, u: Floats) -> Floats:
        """Give values [unit] of unit coordinates ``u``; a discrete parameter takes the nearest."""
        if self.values:
            levels = self.to_unit(np.array(self.values))
            nearest = np.abs(u[:, None] - levels[None, :]).argmin(axis=1)
            return np.asarray(np.array(self.values)[nearest], dtype=np.float64)
        if self.scale == "log":
            x = self.low * np.exp(u * math.log(self.high / self.low))
        else:
            x = self.low + u * (self.high - self.low)
        return np.clip(x, self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """Give what :meth:`Space.from_mapping` reads, without the name."""
        prior = self.prior if isinstance(self.prior, str) else list(self.prior)
        told: dict[str, Any] = {
            "unit": self.unit,
            "range": [self.low, self.high],
            "scale": self.scale,
            "prior": prior,
        }
        if self.values:
            told["values"] = list(self.values)
        words = ("symbol", "label", "description")
        return told | {key: getattr(self, key) for key in words if getattr(self, key)}


def name_faults(name: Any, where: str) -> list[tuple[str, str]]:
    """Say what is wrong with a name: it has to be that of a column of a scan too."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return []
    return [(where, "not a name; allowed are a letter, then up to 63 letters, digits and _")]


def parameter_from(name: Any, told: Any, faults: list[tuple[str, str]]) -> Parameter | None:
    """Make one parameter of plain data; append what is wrong with it."""
    where, before = f"/{name}", len(faults)
    faults += name_faults(name, where)
    if not isinstance(told, Mapping):
        told = {"range": told}
    told = dict(told)
    unknown = sorted(set(map(str, told)) - set(_KEYS))
    if unknown:
        found = ", ".join(map(repr, unknown))
        faults.append((where, f"found {found}, allowed {', '.join(_KEYS)}"))
    words = {key: told[key] for key in _WORDS if key in told}
    faults += [
        (f"{where}/{key}", f"found {word!r}, allowed a text")
        for key, word in words.items()
        if not isinstance(word, str)
    ]
    values = _numbers(told.get("values", ()), f"{where}/values", faults)
    limits = told.get("range", (min(values), max(values)) if values else None)
    ends = _numbers(limits, f"{where}/range", faults)
    scale = told.get("scale", "linear")
    if scale not in ("linear", "log"):
        faults.append((f"{where}/scale", f"found {scale!r}, allowed linear or log"))
    prior = told.get("prior", "log-uniform" if scale == "log" else "uniform")
    prior = tuple(prior) if isinstance(prior, list | tuple) else prior
    if isinstance(told.get("unit", "1"), str):
        try:
            parse_unit(told.get("unit", "1"))
        except UnitError as error:
            faults.append((f"{where}/unit", str(error)))
    if len(faults) == before:
        faults += _range_faults(where, ends, values, scale)
    if len(faults) == before:
        faults += [(f"{where}/prior", text) for text in prior_faults(prior, *ends)]
    if len(faults) > before:
        return None
    return Parameter(
        name,
        low=ends[0],
        high=ends[1],
        scale=scale,
        prior=prior,
        values=tuple(sorted(set(values))),
        **{key: word for key, word in words.items() if key != "scale"},
    )


def _numbers(told: Any, where: str, faults: list[tuple[str, str]]) -> list[float]:
    """Read a list of finite numbers; append what is wrong with it."""
    listed = list(told) if isinstance(told, list | tuple | np.ndarray) else None
    kinds = (int, float, np.integer, np.floating)
    if listed is None or any(isinstance(x, bool) or not isinstance(x, kinds) for x in listed):
        faults.append((where, f"found {told!r}, allowed numbers: [low, high] or a list of values"))
        return []
    numbers = [float(x) for x in listed]
    if not all(map(math.isfinite, numbers)):
        faults.append((where, f"found {told!r}, allowed finite numbers"))
    return numbers


def _range_faults(
    where: str, ends: Sequence[float], values: Sequence[float], scale: str
) -> list[tuple[str, str]]:
    if len(ends) != 2 or not ends[0] < ends[1]:
        told = f"found {list(ends)}, allowed [low, high] with low below high"
        return [(f"{where}/range", told)]
    faults = []
    if scale == "log" and ends[0] <= 0:
        told = f"found {list(ends)} with scale log, allowed numbers above 0"
        faults.append((f"{where}/range", told))
    outside = [x for x in values if not ends[0] <= x <= ends[1]]
    if outside:
        faults.append((f"{where}/values", f"found {outside[0]:g} outside the range {list(ends)}"))
    return faults
