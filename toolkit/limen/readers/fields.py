"""Fields of text tables: which numbers they mean, and which dtype a whole column has."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from limen.errors import Fault
from limen.readers.tables import TEXT, Array

__all__ = ["Survey", "convert"]

_Kind = Literal["missing", "bool", "int", "float", "text"]

_MISSING = re.compile(r"(?:[+-]?nan)?", re.IGNORECASE)
_BOOL = re.compile(r"true|false", re.IGNORECASE)
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?)", re.IGNORECASE
)
_FORTRAN = re.compile(r"[+-]?[0-9]*\.?[0-9]*[dD][+-]?[0-9]+")
_PATTERNS: tuple[tuple[_Kind, re.Pattern[str]], ...] = (
    ("missing", _MISSING),
    ("bool", _BOOL),
    ("int", _INT),
    ("float", _FLOAT),
)
_LISTED = 20


def _kind(text: str) -> _Kind:
    """Say what one field is, blanks around it aside."""
    stripped = text.strip()
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(stripped)), "text")


def _number(text: str) -> float:
    """Give the float that a field means; ``_kind`` has shown that it means one."""
    stripped = text.strip().lower()
    if not stripped:
        return math.nan
    return float(stripped == "true") if stripped in ("true", "false") else float(stripped)


def _odd(column: Sequence[str]) -> bool:
    """Tell whether Python's own conversion would accept more than we do: 1_000, other digits."""
    joined = "".join(column)
    return "_" in joined or not joined.isascii()


def convert(column: Sequence[str], dtype: np.dtype[Any]) -> Array:
    """
    Convert the fields of a surveyed column.

    Parameters
    ----------
    column : sequence of str, length n
        Fields that `Survey` has seen.
    dtype : dtype
        The dtype that `Survey.dtype` gave.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> convert(("1.5", "", "inf"), np.dtype(float))
    array([1.5, nan, inf])
    """
    if dtype == TEXT:
        return np.array([value.strip() for value in column], dtype=object)
    if dtype.kind == "b":
        return np.array([value.strip().lower() == "true" for value in column], dtype=bool)
    if dtype.kind in "iu":
        return np.array([int(value) for value in column], dtype=dtype)
    try:
        return np.array([float(value) if value else math.nan for value in column])
    except ValueError:
        return np.array([_number(value) for value in column])


@dataclass(slots=True)
class Survey:
    """
    What the fields of one column have been so far.

    Parameters
    ----------
    name : str
        The column.
    as_text : bool
        Read it as text whatever it holds.

    Examples
    --------
    >>> survey = Survey("n")
    >>> survey.see(("1", "2", ""), (2, 3, 4))
    >>> survey.dtype()
    dtype('float64')
    """

    name: str
    as_text: bool = False
    kinds: set[_Kind] = field(default_factory=set)
    low: int = 0
    high: int = 0
    inexact: tuple[int, str] | None = None
    texts: list[tuple[int, str]] = field(default_factory=list)
    bools: list[tuple[int, str]] = field(default_factory=list)
    overflows: list[tuple[int, str]] = field(default_factory=list)

    def see(self, column: Sequence[str], lines: Sequence[int]) -> None:
        """
        Take in the fields of some lines.

        Parameters
        ----------
        column : sequence of str, length n
        lines : sequence of int, length n
            Their line numbers.
        """
        if self.as_text:
            return
        if _odd(column) or not (self._integers(column, lines) or self._floats(column, lines)):
            self._each(column, lines)

    def dtype(self) -> np.dtype[Any]:
        """Give the dtype of the whole column, once `faults` is empty."""
        if self.as_text or "text" in self.kinds:
            return TEXT
        if self.kinds == {"bool"}:
            return np.dtype(bool)
        if self.kinds == {"int"} and self.low >= -(2**63) and self.high < 2**63:
            return np.dtype(np.int64)
        if self.kinds == {"int"} and self.low == 0 and self.high < 2**64:
            return np.dtype(np.uint64)
        return np.dtype(np.float64)

    def faults(self) -> list[Fault]:
        """List what no dtype can hold, at most 20 of each sort."""
        found = [
            Fault(
                f"line {line}, column '{self.name}'",
                f"found '{value}', beyond the range of float64; correct it, or write inf",
            )
            for line, value in self.overflows
        ]
        if self.kinds & {"int", "float"}:
            found += [self._misplaced(line, value) for line, value in self.texts + self.bools]
        if self.inexact and "float" not in self.kinds and self.dtype().kind == "f":
            line, value = self.inexact
            found.append(
                Fault(
                    f"line {line}, column '{self.name}'",
                    f"found the integer {value}, which float64 cannot hold; the column must be "
                    "complete and within 64 bits to stay integer; complete or drop it",
                )
            )
        return sorted(found, key=lambda fault: int(fault.pointer.split()[1].rstrip(",")))

    def _misplaced(self, line: int, value: str) -> Fault:
        shown = value if len(value) <= 40 else value[:37] + "..."
        advice = "correct it, or list the column under the option 'drop' or 'categories'"
        if _FORTRAN.fullmatch(value.strip()):
            advice = "write the exponent with E"
        text = f"found '{shown}', allowed a number, an empty field or nan; {advice}"
        return Fault(f"line {line}, column '{self.name}'", text)

    def _integers(self, column: Sequence[str], lines: Sequence[int]) -> bool:
        try:
            values = [int(value) for value in column]
        except ValueError:
            return False
        self.kinds.add("int")
        self._widen(values, column, lines)
        return True

    def _widen(self, values: Sequence[int], column: Sequence[str], lines: Sequence[int]) -> None:
        """Note the range of some integers, and the first that float64 cannot hold."""
        low, high = min(values, default=0), max(values, default=0)
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self.inexact is None and max(-low, high) > 2**53:
            self.inexact = next(
                (
                    (line, value)
                    for line, value in zip(lines, column, strict=True)
                    if _INT.fullmatch(value.strip()) and not _exact(int(value))
                ),
                None,
            )

    def _floats(self, column: Sequence[str], lines: Sequence[int]) -> bool:
        try:
            values = np.array([float(value) if value else math.nan for value in column])
        except ValueError:
            return False
        present = values[~np.isnan(values)]
        if present.size == values.size or np.any(present != np.rint(present)):
            self.kinds.add("float")
        elif present.size and np.abs(present).max() >= 2**53:
            return False
        elif present.size:
            self.kinds.add("int")
        if present.size < values.size:
            self.kinds.add("missing")
        if np.isinf(present).any():
            self._find_overflows(column, lines)
        return True

    def _each(self, column: Sequence[str], lines: Sequence[int]) -> None:
        known = {value: _kind(value) for value in set(column)}
        self.kinds.update(known.values())
        integers = [int(value) for value, kind in known.items() if kind == "int"]
        self._widen(integers, column, lines)
        self._find_overflows([v if known[v] == "float" else "0" for v in column], lines)
        for kind, places in (("text", self.texts), ("bool", self.bools)):
            if kind in known.values() and len(places) < _LISTED:
                pairs = zip(lines, column, strict=True)
                places += [(line, value) for line, value in pairs if known[value] == kind]
                del places[_LISTED:]

    def _find_overflows(self, column: Sequence[str], lines: Sequence[int]) -> None:
        for line, value in zip(lines, column, strict=True):
            if len(self.overflows) == _LISTED:
                return
            if math.isinf(_number(value)) and "inf" not in value.lower():
                self.overflows.append((line, value))


def _exact(value: int) -> bool:
    """Tell whether float64 holds an integer exactly."""
    try:
        return int(float(value)) == value
    except OverflowError:
        return False
