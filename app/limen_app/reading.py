"""Values in boxes: what is typed is read with its unit, what is put in reads back the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from limen.errors import UnitError
from limen.units import convert, parse_quantity

if TYPE_CHECKING:
    from limen.manifest import Column

__all__ = ["read_value", "shown_point", "shown_value"]


def read_value(column: Column, text: str) -> float:
    """
    Read what is typed into the box of a column.

    Parameters
    ----------
    column : Column
    text : str
        A number, with a unit where the visitor likes: ``1.2 TeV``.

    Returns
    -------
    float
        In the column's unit.

    Raises
    ------
    UnitError
        If it holds no finite number, or a unit that does not fit.

    Examples
    --------
    >>> from limen.manifest import Column
    >>> read_value(Column("m", "parameter", "GeV"), "1.2 TeV")
    1200.0
    """
    cleaned = text.strip().replace("−", "-").replace("\u2009", "").replace("\u202f", "")
    if not cleaned:
        raise UnitError("is empty, allowed a number")
    try:
        value, unit = parse_quantity(cleaned)
    except UnitError as error:
        raise UnitError(f"found {cleaned[:40]!r}, allowed a number") from error
    if unit is not None and unit != column.unit:
        value = float(convert(value, unit, column.unit))
    if not math.isfinite(value):
        raise UnitError(f"found {cleaned[:40]!r}, allowed a finite number")
    return value


def shown_value(value: float) -> str:
    """
    Write a value so that it reads back as the same number.

    >>> shown_value(550.0), shown_value(0.1 + 0.2)
    ('550', '0.30000000000000004')
    """
    return repr(float(value)).removesuffix(".0")


def shown_point(point: Mapping[str, float]) -> dict[str, str]:
    """
    Write the values of a point, as :func:`shown_value`.

    >>> shown_point({"m": 550.0})
    {'m': '550'}
    """
    return {name: shown_value(value) for name, value in point.items()}
