"""Tables that campaigns take: whole, by name, in the units that are declared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limen.cli.asking import table_blocks
from limen.errors import ColumnError, DataError

if TYPE_CHECKING:
    from limen.active import Problem

__all__ = ["declared_units", "read_numbers", "read_table"]

_HEADER = re.compile(r"(.+?)\s*\[([^\]]*)\]")


def declared_units(problem: Problem) -> dict[str, str]:
    """Give the units of parameters, outputs and stated errors by name."""
    found = {item.name: item.unit for item in problem.space.parameters}
    for output in problem.outputs:
        found |= {output.name: output.unit, f"{output.name}_err": output.unit}
    return found


def read_table(name: str, units: Mapping[str, str]) -> dict[str, list[Any]]:
    """
    Read a table; ``-`` is CSV on stdin.

    Parameters
    ----------
    name : str
    units : mapping of str to str
        By name. A header such as ``m [TeV]`` is converted to the unit here.

    Returns
    -------
    dict of str to list
        Cells by name, as text where they came as text.

    Raises
    ------
    ReadError
        If it cannot be read.
    ColumnError
        If a column comes twice, once with its unit.
    UnitError
        If a unit does not fit.
    """
    whole: dict[str, list[Any]] = {}
    for block in table_blocks(name):
        for header, cells in block.items():
            whole.setdefault(str(header), []).extend(cells)
    found: dict[str, list[Any]] = {}
    for header, cells in whole.items():
        match = None if header in units else _HEADER.fullmatch(header)
        column = match[1] if match and match[1] in units else header
        if column in found:
            raise ColumnError(f"{name}: found {column} twice; leave one of the two out")
        given = match[2].strip() if match and column != header else units.get(column)
        if given != units.get(column):
            cells = _converted(cells, f"{name} {column}", str(given), units[column])
        found[column] = cells
    return found


def _converted(cells: list[Any], where: str, given: str, wanted: str) -> list[Any]:
    from limen.units import convert

    return [
        cell if _is_blank(cell) else convert(_number(cell, where), given, wanted) for cell in cells
    ]


def _number(cell: Any, where: str) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: found {str(cell)[:40]!r}, allowed a number") from error


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def read_numbers(name: str, units: Mapping[str, str]) -> dict[str, list[Any]]:
    """Read a table whose empty cells are numbers that are not there."""
    return {
        column: [float("nan") if _is_blank(cell) else cell for cell in cells]
        for column, cells in read_table(name, units).items()
    }
