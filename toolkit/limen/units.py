"""
Units of columns: parsing, compatibility, conversion.

The grammar is small on purpose: ``1``, or factors joined by ``*`` and ``/``, each ``SYMBOL`` or
``SYMBOL^INT``; a leading ``1/`` is allowed. Natural units are not assumed: GeV and 1/fm do not mix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.errors import UnitError

__all__ = ["SYMBOLS", "Unit", "convert", "factor", "parse_quantity", "parse_unit"]

# Powers of ten to the base of each dimension: energy GeV, area pb, length m, time s, angle rad.
SYMBOLS: dict[str, tuple[str, int]] = {
    "eV": ("energy", -9),
    "keV": ("energy", -6),
    "MeV": ("energy", -3),
    "GeV": ("energy", 0),
    "TeV": ("energy", 3),
    "b": ("area", 12),
    "mb": ("area", 9),
    "ub": ("area", 6),
    "nb": ("area", 3),
    "pb": ("area", 0),
    "fb": ("area", -3),
    "ab": ("area", -6),
    "m": ("length", 0),
    "cm": ("length", -2),
    "mm": ("length", -3),
    "um": ("length", -6),
    "nm": ("length", -9),
    "pm": ("length", -12),
    "fm": ("length", -15),
    "s": ("time", 0),
    "ms": ("time", -3),
    "us": ("time", -6),
    "ns": ("time", -9),
    "ps": ("time", -12),
    "rad": ("angle", 0),
    "deg": ("angle", 0),
    "%": ("", -2),
}
_DEGREE = np.pi / 180.0
_FACTOR = re.compile(r"([A-Za-z%]+)(?:\^(-?[0-9]{1,2}))?\Z")
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?)\s*(.*)\Z")


@dataclass(frozen=True, slots=True)
class Unit:
    """
    A parsed unit.

    Attributes
    ----------
    text : str
        The unit as it was written.
    dimensions : tuple of (str, int)
        Dimension and power, sorted; empty for a pure number.
    exponent : int
        Power of ten to the base units (GeV, pb, m, s, rad).
    degrees : int
        Power of (pi/180) to the base units.
    """

    text: str
    dimensions: tuple[tuple[str, int], ...]
    exponent: int
    degrees: int = 0

    def compatible(self, other: Unit) -> bool:
        """Tell whether values can be converted from one unit to the other."""
        return self.dimensions == other.dimensions


def parse_unit(text: str) -> Unit:
    """
    Parse a unit.

    Parameters
    ----------
    text : str
        For example ``GeV``, ``1``, ``1/fb``, ``GeV^2``, ``pb/GeV``.

    Returns
    -------
    Unit

    Raises
    ------
    UnitError
        If the text is not a unit of the grammar.

    Examples
    --------
    >>> parse_unit("TeV").compatible(parse_unit("GeV"))
    True
    >>> parse_unit("gev")
    Traceback (most recent call last):
    limen.errors.UnitError: unit: found 'gev', do you mean 'GeV'?; write '1' for a pure number
    """
    if text == "1":
        return Unit("1", (), 0)
    powers: dict[str, int] = {}
    exponent = degrees = 0
    for sign, factor in _factors(text):
        match = _FACTOR.match(factor)
        if match is None or match.group(1) not in SYMBOLS:
            raise UnitError(f"unit: found {text!r}, {_advice(factor)}; write '1' for a pure number")
        power = sign * int(match.group(2) or 1)
        dimension, ten = SYMBOLS[match.group(1)]
        exponent += ten * power
        degrees += power if match.group(1) == "deg" else 0
        if dimension:
            powers[dimension] = powers.get(dimension, 0) + power
    dimensions = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Unit(text, dimensions, exponent, degrees)


def _factors(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"([*/])", text)
    if not isinstance(text, str) or not text or len(text) > 60:
        raise UnitError(
            f"unit: found {text!r}, allowed 1 to 60 characters; write '1' for a pure number"
        )
    factors = []
    for position in range(0, len(parts), 2):
        sign = -1 if position and parts[position - 1] == "/" else 1
        if position == 0 and parts[0] == "1" and len(parts) > 1 and parts[1] == "/":
            continue
        factors.append((sign, parts[position]))
    return factors


def _advice(factor: str) -> str:
    symbol = re.split(r"[\^ ]", factor)[0]
    alike = [known for known in SYMBOLS if known.lower() == symbol.lower()]
    if alike:
        return f"do you mean {alike[0]!r}?"
    return f"{factor!r} is none of {' '.join(SYMBOLS)} (with a power as in GeV^2)"


def factor(source: Unit, target: Unit) -> float:
    """
    Give the number that a value in ``source`` is multiplied by to be in ``target``.

    Raises
    ------
    UnitError
        If the two are not compatible.
    """
    if not source.compatible(target):
        raise UnitError(
            f"unit: found {source.text!r}, allowed {target.text!r} or a unit of the same kind; "
            f"convert the values or correct the unit"
        )
    shift = source.exponent - target.exponent
    scale = 10.0**shift if shift >= 0 else 1.0 / 10.0**-shift
    return float(scale * _DEGREE ** (source.degrees - target.degrees))


def convert(values: Any, source: str, target: str) -> Any:
    """
    Convert values from one unit to another.

    Parameters
    ----------
    values : float or ndarray
        Values in ``source``.
    source, target : str
        Units.

    Returns
    -------
    float or ndarray
        Values in ``target``, float64.

    Raises
    ------
    UnitError
        If a unit does not parse or the two are not compatible.

    Examples
    --------
    >>> convert(1.2, "TeV", "GeV")
    1200.0
    """
    if source == target:
        return values
    scale = factor(parse_unit(source), parse_unit(target))
    if isinstance(values, (int, float)):
        return float(values) * scale if scale >= 1 else float(values) / (1 / scale)
    return np.asarray(values, dtype=np.float64) * scale


def parse_quantity(text: str) -> tuple[float, str | None]:
    """
    Split ``1.2TeV`` into a number and a unit (None if there is none).

    Raises
    ------
    UnitError
        If there is no number in front, or the rest is no unit.

    Examples
    --------
    >>> parse_quantity("1.2TeV"), parse_quantity("-3e2")
    ((1.2, 'TeV'), (-300.0, None))
    """
    stripped = text.strip()
    if stripped.lower() in {"nan", "inf", "+inf", "-inf", "infinity", "-infinity"}:
        return float(stripped), None
    match = _QUANTITY.match(stripped)
    if match is None:
        raise UnitError(f"value: found {text!r}, allowed a number with an optional unit, as 1.2TeV")
    unit = match.group(2).strip()
    if unit:
        parse_unit(unit)
    return float(match.group(1).replace("D", "e").replace("d", "e")), unit or None
