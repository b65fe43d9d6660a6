"""Errors in a HEPData table: symmetric or not, absolute or in per cent, one by one checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from limen.errors import Fault
from limen.readers.hepdata.values import percentage

__all__ = ["Error", "errors_of", "line", "shortened"]

_WORST = 20

Error = tuple[float, float, bool, bool]
"""Up, down, whether it is symmetric, whether it is in per cent."""


def errors_of(
    cells: Sequence[Mapping[str, Any]], place: str, faults: list[Fault]
) -> dict[tuple[str, int], dict[int, Error]]:
    """
    Collect the uncertainties of a dependent variable.

    Parameters
    ----------
    cells : sequence of mapping
        Its values.
    place : str
        Table and column, for messages.
    faults : list of Fault
        What is no uncertainty is added.

    Returns
    -------
    dict
        By label and its how-many-th error of that label, then by row.
    """
    found: dict[tuple[str, int], dict[int, Error]] = {}
    bad = 0
    for row, cell in enumerate(cells):
        seen: dict[str, int] = {}
        for error in cell.get("errors", []):
            label = line(error.get("label", "")) if _is_labelled(error) else ""
            seen[label] = seen.get(label, 0) + 1
            try:
                found.setdefault((label, seen[label]), {})[row] = _error_of(error)
            except ValueError:
                bad += 1
                if bad <= _WORST:
                    text = (
                        f"found the error {shortened(error)}, allowed a symerror, or an asymerror "
                    )
                    text += "with plus and minus, of numbers or per cent; correct it"
                    faults.append(Fault(f"{place} row {row + 1}", text))
    return found


def _is_labelled(error: Any) -> bool:
    return isinstance(error, dict) and isinstance(error.get("label"), str)


def shortened(value: Any) -> str:
    """Show a value in a message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _error_of(error: Any) -> Error:
    """Read one uncertainty: up, down, whether symmetric, whether in per cent."""
    if not isinstance(error, dict):
        raise ValueError(error)
    if isinstance(error.get("symerror"), str):
        value, percent = percentage(error["symerror"])
        return value, value, True, percent
    sides = error.get("asymerror")
    if not isinstance(sides, dict) or not all(
        isinstance(sides.get(side), str) for side in ("plus", "minus")
    ):
        raise ValueError(error)
    plus, percent = percentage(sides["plus"])
    minus, also = percentage(sides["minus"])
    if percent != also and plus != 0 and minus != 0:
        raise ValueError(error)
    # HEPData gives the shift: minus is negative where the lower side lies below.
    return plus, -minus + 0.0, False, percent or also


def line(text: str) -> str:
    """Put text on one line."""
    return re.sub(r"\s+", " ", text).strip()
