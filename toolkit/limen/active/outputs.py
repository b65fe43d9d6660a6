"""Quantities that an evaluation gives: their thresholds, and the scale they are modelled in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.active.parameters import name_faults
from limen.errors import DataError, UnitError
from limen.transforms import TargetTransform
from limen.units import parse_unit

__all__ = ["Output", "outputs_from_mapping"]

Floats = NDArray[np.float64]

_KEYS = ("censored", "label", "scale", "symbol", "threshold", "top", "unit", "width")
_SCALES = ("linear", "log", "log_deficit")


@dataclass(frozen=True, slots=True)
class Output:
    """
    One quantity that an evaluation gives.

    Attributes
    ----------
    name : str
    thresholds : tuple of float
        Levels whose contours are sought [unit]; empty if there is none (optimisation).
    unit : str
    scale : str
        ``linear``, ``log``: modelled as its log10, or ``log_deficit``, for a log-likelihood with a
        long tail: modelled as −ln(1 + (top − y) / width).
    censored : str
        ``above`` or ``below``: on which side of its bound a censored value lies.
    symbol, label : str
    top, width : float
        Of ``log_deficit``: the best value known, and the distance from it up to which the modelled
        scale is about linear [unit]; negative where small is best (χ²).
    """

    name: str
    thresholds: tuple[float, ...] = ()
    unit: str = "1"
    scale: str = "linear"
    censored: str = "above"
    symbol: str = ""
    label: str = ""
    top: float = 0.0
    width: float = 1.0

    @property
    def deficit(self) -> TargetTransform:
        """The map of ``log_deficit``; it falls where the modelled scale rises, if large is best."""
        return TargetTransform("log_deficit", top=self.top, scale=self.width)

    @property
    def levels(self) -> Floats:
        """Thresholds in the modelled scale, shape (t,)."""
        return self.to_model(np.array(self.thresholds, dtype=np.float64))

    def to_model(self, y: ArrayLike) -> Floats:
        """Give values in the modelled scale; what has no logarithm is NaN."""
        values = np.asarray(y, dtype=np.float64)
        if self.scale == "linear":
            return values
        if self.scale == "log_deficit":
            return -math.copysign(1.0, self.width) * self.deficit.forward(values)
        with np.errstate(all="ignore"):
            return np.where(values > 0, np.log10(values), np.nan)

    def from_model(self, z: ArrayLike) -> Floats:
        """Give values [unit] of modelled ones."""
        values = np.asarray(z, dtype=np.float64)
        if self.scale == "log_deficit":
            return self.deficit.inverse(-math.copysign(1.0, self.width) * values)
        with np.errstate(over="ignore"):
            return values if self.scale == "linear" else np.power(10.0, values)

    def error_to_model(self, y: ArrayLike, error: ArrayLike) -> Floats:
        """Give errors in the modelled scale, to first order: error / (y ln 10) for ``log``."""
        values, errors = np.asarray(y, np.float64), np.asarray(error, np.float64)
        if self.scale == "linear":
            return errors
        if self.scale == "log_deficit":
            return errors / self.deficit.slope(self.deficit.forward(values))
        with np.errstate(all="ignore"):
            return errors / np.abs(values) / math.log(10)

    def to_dict(self) -> dict[str, Any]:
        """Give what :func:`outputs_from_mapping` reads, without the name."""
        words = {key: getattr(self, key) for key in ("symbol", "label") if getattr(self, key)}
        return {
            "threshold": list(self.thresholds),
            "unit": self.unit,
            "scale": self.scale,
            "censored": self.censored,
            **({"top": self.top, "width": self.width} if self.scale == "log_deficit" else {}),
            **words,
        }


def outputs_from_mapping(outputs: Mapping[str, Any]) -> tuple[Output, ...]:
    """
    Make outputs from plain data.

    Parameters
    ----------
    outputs : mapping
        Name to a mapping with ``threshold`` (a number or a list) and, where not the default,
        ``unit``, ``scale`` (linear, log, log_deficit with ``top`` and ``width``), ``censored``
        (above, below), ``symbol``, ``label``.

    Returns
    -------
    tuple of Output

    Raises
    ------
    DataError
        With all faults.

    Examples
    --------
    >>> outputs_from_mapping({"mu": {"threshold": 1.0, "scale": "log"}})[0].levels
    array([0.])
    """
    if not isinstance(outputs, Mapping) or not 0 < len(outputs) <= 100:
        raise DataError(f"outputs: found {str(outputs)[:60]!r}, allowed 1 to 100 named outputs")
    faults: list[tuple[str, str]] = []
    made = [_output(name, told or {}, faults) for name, told in outputs.items()]
    if faults:
        raise DataError.from_faults("outputs", faults)
    return tuple(output for output in made if output)


def _deficit_faults(
    told: Mapping[Any, Any], where: str, kinds: tuple[type, ...]
) -> list[tuple[str, str]]:
    """Say what is wrong with ``top`` and ``width``."""
    given = [key for key in ("top", "width") if key in told]
    if told.get("scale") != "log_deficit":
        return [(f"{where}/{key}", "goes with scale log_deficit only") for key in given]
    faults = [
        (where, f"found no {key}, which scale log_deficit needs")
        for key in ("top", "width")
        if key not in told
    ]
    for key in given:
        cell = told[key]
        real = isinstance(cell, kinds) and not isinstance(cell, bool)
        number = real and math.isfinite(float(cell))
        if not number or (key == "width" and cell == 0):
            allowed = "a finite number other than 0" if key == "width" else "a finite number"
            faults.append((f"{where}/{key}", f"found {cell!r}, allowed {allowed}"))
    return faults


def _output(name: Any, told: Any, faults: list[tuple[str, str]]) -> Output | None:
    where, before = f"/{name}", len(faults)
    faults += name_faults(name, where)
    if not isinstance(told, Mapping):
        faults.append((where, f"found {told!r}, allowed a mapping such as {{threshold: 0.05}}"))
        return None
    unknown = sorted(set(map(str, told)) - set(_KEYS))
    if unknown:
        faults.append((where, f"found {', '.join(unknown)}, allowed {', '.join(_KEYS)}"))
    threshold = told.get("threshold", [])
    listed = list(threshold) if isinstance(threshold, list | tuple | np.ndarray) else [threshold]
    kinds = (int, float, np.integer, np.floating)
    if any(isinstance(x, bool) or not isinstance(x, kinds) or not math.isfinite(x) for x in listed):
        faults.append((f"{where}/threshold", f"found {threshold!r}, allowed finite numbers"))
        listed = []
    for key, allowed in (("scale", _SCALES), ("censored", ("above", "below"))):
        if told.get(key, allowed[0]) not in allowed:
            text = f"found {told[key]!r}, allowed {' or '.join(allowed)}"
            faults.append((f"{where}/{key}", text))
    if told.get("scale") == "log" and any(x <= 0 for x in listed):
        text = f"found {threshold!r} with scale log, allowed numbers above 0"
        faults.append((f"{where}/threshold", text))
    faults += _deficit_faults(told, where, kinds)
    try:
        parse_unit(told.get("unit", "1"))
    except UnitError as error:
        faults.append((f"{where}/unit", str(error)))
    if len(faults) > before:
        return None
    words = {key: told[key] for key in _KEYS if key in told and key != "threshold"}
    return Output(name, tuple(sorted({float(x) for x in listed})), **words)
