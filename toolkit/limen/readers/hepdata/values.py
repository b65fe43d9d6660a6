"""Values as HEPData tables write them: numbers, gaps, errors, units; and notes for the way back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limen.errors import UnitError
from limen.units import SYMBOLS, parse_unit

__all__ = [
    "Notes",
    "kind_of",
    "limen_unit",
    "number",
    "percentage",
    "plain",
    "spdx",
    "statement",
]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?\.?inf")
_GAPS = frozenset({"", "-", "--", "nan", ".nan", "null", "~", "n/a"})
_PREFIX = "HEPData "
_ODD_SYMBOLS = {"MUB": "ub", "MICROBARN": "ub", "MICRON": "um", "SEC": "s", "PCT": "%"}
_ODD_SYMBOLS |= {"PERCENT": "%", "DEGREES": "deg", "RADIANS": "rad", "BARN": "b"}
# Where only the case differs, the particle physicist's unit comes later.
_SYMBOLS = {symbol.upper(): symbol for symbol in SYMBOLS} | _ODD_SYMBOLS
_POWER = re.compile(r"([A-Za-z%]+)(?:(?:\*\*|\^)?\(?(-?[0-9]+)\)?)?")
_PURE = frozenset({"1", "-", "none", "dimensionless", "unitless"})
_KINDS = (
    (r"stat", "stat"),
    (r"sys", "syst"),
    (r"theo", "theory"),
)
_LICENCES = (
    (r"cc0|publicdomain/zero|zero[ /]1\.0", "CC0-1.0"),
    (r"cc[ -]by[ -]sa[ -]?4\.0|licenses/by-sa/4\.0", "CC-BY-SA-4.0"),
    (r"cc[ -]by[ -]?4\.0|licenses/by/4\.0", "CC-BY-4.0"),
    (r"apache(-| license,? (version )?)?2\.0", "Apache-2.0"),
    (r"bsd[ -]3", "BSD-3-Clause"),
    (r"\bmit\b", "MIT"),
)


def number(text: str) -> float:
    """
    Give the number of a cell, NaN where HEPData writes that there is none.

    Raises
    ------
    ValueError
        If it is neither, or too large for a float.

    Examples
    --------
    >>> number("1.20E-3"), number("-")
    (0.0012, nan)
    """
    stripped = text.strip()
    if stripped.lower() in _GAPS:
        return math.nan
    if _NUMBER.fullmatch(stripped) is None:
        raise ValueError(text)
    value = float(stripped.replace(".inf", "inf"))
    if math.isinf(value) and "inf" not in stripped:
        raise ValueError(text)
    return value


def percentage(text: str) -> tuple[float, bool]:
    """
    Give the number of an error and whether it is in per cent of the value.

    Raises
    ------
    ValueError
        If it is no number.

    Examples
    --------
    >>> percentage("-12.5 %"), percentage("0.3")
    ((-12.5, True), (0.3, False))
    """
    stripped = text.strip()
    if stripped.endswith("%"):
        return number(stripped[:-1]), True
    return number(stripped), False


def plain(text: str) -> str:
    r"""
    Strip the LaTeX of units and names down to what compares.

    Examples
    --------
    >>> plain(r"$\mathrm{GeV}^{2}$"), plain(r"$m(\tilde\chi_1^0)$")
    ('GeV^2', 'm(tilde chi_1^0)')
    """
    bare = re.sub(r"\\(?:mathrm|text|textrm|rm|mathit|it)\b", "", text)
    bare = re.sub(r"[${}~\\]", "", re.sub(r"\\([A-Za-z]+)", r"\1 ", bare.replace("\\,", " ")))
    return re.sub(r"\s+(?=[\s)\]_^,])", "", re.sub(r"\s+", " ", bare)).strip()


def limen_unit(text: str) -> str | None:
    """
    Write a unit of HEPData in Limen's grammar, or give None where it is none.

    Examples
    --------
    >>> limen_unit("GEV"), limen_unit("FB-1"), limen_unit("PB/GEV**2"), limen_unit("EVENTS")
    ('GeV', '1/fb', 'pb/GeV^2', None)
    """
    bare = plain(text.replace("\\mu", "u")).replace("**", "^").replace(" ", "")
    if bare.lower() in _PURE:
        return "1"
    parts = re.split(r"([*/])", bare)
    above: list[str] = []
    below: list[str] = []
    for position in range(0, len(parts), 2):
        part = parts[position]
        if part == "1" and position == 0 and len(parts) > 1:
            continue
        match = _POWER.fullmatch(part)
        symbol = match and (match[1] if match[1] in SYMBOLS else _SYMBOLS.get(match[1].upper()))
        if match is None or symbol is None:
            return None
        power = int(match[2] or 1) * (-1 if position and parts[position - 1] == "/" else 1)
        size = abs(power)
        (above if power > 0 else below).append(symbol if size == 1 else f"{symbol}^{size}")
    made = "/".join(["*".join(above) or "1", *below])
    try:
        return parse_unit(made).text
    except UnitError:
        return None


def kind_of(label: str) -> str | None:
    """
    Tell the kind of an uncertainty from its label, None where the label does not.

    Examples
    --------
    >>> kind_of("stat"), kind_of("sys,lumi"), kind_of("total")
    ('stat', 'syst', None)
    """
    lower = label.strip().lower()
    return next((kind for start, kind in _KINDS if re.match(start, lower)), None)


def statement(said: str, unit: str) -> dict[str, Any]:
    """
    Tell limits and CLs values from what a header and its qualifiers say.

    Parameters
    ----------
    said : str
        Header and values of qualifiers, without LaTeX.
    unit : str
        In Limen's grammar, or empty.

    Returns
    -------
    dict
        ``role``, ``quantity``, ``unit`` and what is said of the ``statistics``; empty if neither.

    Examples
    --------
    >>> statement("Expected 95% CL upper limit -1 sigma", "fb")["statistics"]
    {'confidence_level': 0.95, 'result': 'expected', 'band': -1}
    """
    limit = re.search(r"\blimits?\b|\bUL\b", said, re.IGNORECASE)
    area = bool(unit) and parse_unit(unit).dimensions == (("area", 1),)
    if limit and area:
        found: dict[str, Any] = {"role": "limit", "quantity": "cross_section_limit", "unit": unit}
    elif limit and re.search(r"signal strength|\bmu\b", said, re.IGNORECASE):
        found = {"role": "limit", "quantity": "signal_strength_limit", "unit": "1"}
    elif re.match(r"(observed |expected )?CL ?_?s\b", said, re.IGNORECASE):
        found = {"role": "test", "quantity": "cls", "unit": "1"}
    else:
        return {}
    statistics: dict[str, Any] = {}
    level = re.search(r"\b([5-9][0-9](?:\.[0-9]+)?) ?%", said)
    if limit and level:
        statistics["confidence_level"] = round(float(level[1]) / 100, 6)
    if re.search(r"\bCL ?_?s\b", said):
        statistics["construction"] = "CLs"
    results = [word for word in ("observed", "expected") if word in said.lower()]
    if len(results) == 1:
        statistics["result"] = results[0]
    band = re.search(r"(?<![\w+/-])([+-]) ?([12]) ?(?:sigma|σ|s\.? ?d\.?)", said)
    if limit and band and results == ["expected"]:
        # The limit that lies lower excludes more.
        statistics["band"] = int(band[1] + band[2])
    return found | ({"statistics": statistics} if statistics else {})


def spdx(licence: Mapping[str, Any]) -> str | None:
    """
    Name a licence of HEPData (``name``, ``url``) as SPDX does, None where it is not known.

    Examples
    --------
    >>> spdx({"name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"})
    'CC-BY-4.0'
    """
    said = f"{licence.get('url', '')} {licence.get('name', '')}".lower()
    return next((name for found, name in _LICENCES if re.search(found, said)), None)


@dataclass(frozen=True, slots=True)
class Notes:
    """
    What a column's description remembers of HEPData, so that the way back gives the same table.

    Parameters
    ----------
    header : str
        Name of the column in the table.
    units : str
        Its units as the table writes them.
    qualifiers : tuple of (str, str, str)
        Name, value and units of each qualifier.
    errors : str or None
        Label of an uncertainty.
    percent : bool
        Its values were per cent of the value.
    bin : str
        "low" or "high" for an edge of a bin.
    table : str
        The table, if it is one.

    Examples
    --------
    >>> notes = Notes("Limit", "PB", (("SQRT(S)", "13000", "GEV"),))
    >>> Notes.read("Observed. " + notes.text()) == notes
    True
    """

    header: str = ""
    units: str = ""
    qualifiers: tuple[tuple[str, str, str], ...] = ()
    errors: str | None = None
    percent: bool = False
    bin: str = ""
    table: str = ""

    def text(self) -> str:
        """Write the notes for people, a part each."""
        said = [f"{_PREFIX}column: {self.header}"] if self.header else []
        if self.units:
            said.append(f"{_PREFIX}units: {self.units}")
        for name, value, units in self.qualifiers:
            # An empty bracket keeps one that belongs to the value from being taken for units.
            bracket = f" [{units}]" if units or value.endswith("]") else ""
            said.append(f"{_PREFIX}qualifier {name}: {value}{bracket}")
        if self.errors is not None:
            said.append(f"{_PREFIX}error: {self.errors or '(no label)'}")
        if self.percent:
            said.append(f"{_PREFIX}error in: per cent of the value")
        if self.bin:
            said.append(f"{_PREFIX}bin edge: {self.bin}")
        if self.table:
            said.append(f"{_PREFIX}table: {self.table}")
        return " | ".join(said)

    @classmethod
    def read(cls, description: str) -> Notes:
        """Find the notes in a description; what people wrote before them is passed over."""
        found: dict[str, str] = {}
        qualifiers = []
        start = description.find(_PREFIX)
        parts = description[start:].split(f" | {_PREFIX}") if start >= 0 else []
        for part in parts:
            key, _, value = part.removeprefix(_PREFIX).partition(": ")
            if key.startswith("qualifier "):
                match = re.fullmatch(r"(.*?)(?: \[([^\[\]]*)\])?", value, re.DOTALL)
                text, units = (match[1], match[2] or "") if match else (value, "")
                qualifiers.append((key.removeprefix("qualifier "), text, units))
            else:
                found[key] = value
        label = found.get("error")
        return cls(
            found.get("column", ""),
            found.get("units", ""),
            tuple(qualifiers),
            "" if label == "(no label)" else label,
            "error in" in found,
            found.get("bin edge", ""),
            found.get("table", ""),
        )
