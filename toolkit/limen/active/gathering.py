"""The told points of a campaign as rows of a scan: which, in which columns, in which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.active.outputs import Output
from limen.errors import DataError, UnitError
from limen.units import convert

if TYPE_CHECKING:
    import pandas as pd

    from limen.active.campaign import Campaign

__all__ = ["ORIGINS", "Rows", "gather", "origin_meanings", "row_keys", "told_rows"]

Array = NDArray[Any]

ORIGINS = ("initial", "acquired", "random", "reserved")
_MEANINGS = {
    "initial": "initial design of campaign {}",
    "acquired": "acquired by campaign {}",
    "random": "drawn at random by campaign {}",
    "reserved": "reserved by campaign {}",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """
    Rows that a campaign adds to a scan.

    Attributes
    ----------
    columns : dict of str to ndarray, shape (n,)
        Parameters, outputs (NaN where there is none) and stated errors (``OUTPUT_err``, only where
        one was stated).
    origin : ndarray of str, shape (n,)
        One of ``ORIGINS``.
    query : ndarray of int, shape (n,)
        Position in the table of queries.
    """

    columns: dict[str, Array]
    origin: Array
    query: Array

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, kept: Array) -> Rows:
        """Keep some rows, by mask or position."""
        columns = {name: values[kept] for name, values in self.columns.items()}
        return Rows(columns, self.origin[kept], self.query[kept])


def origin_meanings(campaign: str) -> dict[str, str]:
    """
    Give the meaning of each origin of a campaign's points, as the scan's categories have it.

    Examples
    --------
    >>> origin_meanings("3fa2")["reserved"]
    'reserved by campaign 3fa2'
    """
    return {origin: text.format(campaign) for origin, text in _MEANINGS.items()}


def told_rows(table: pd.DataFrame) -> Array:
    """Say which queries become rows: evaluated or censored ones of the real thing, shape (n,)."""
    told = table["status"].isin(["ok", "censored"])
    return np.asarray(told & (table["fidelity"] == 0), dtype=bool)


def gather(campaign: Campaign, columns: Mapping[str, Mapping[str, Any]]) -> Rows:
    """
    Turn the told points of a campaign into rows, in the units of the scan's columns.

    Reserved points come first, so that of two equal points the one of the test part is kept.

    Parameters
    ----------
    campaign : Campaign
    columns : mapping of str to mapping
        Entries of the scan's columns, by name.

    Returns
    -------
    Rows

    Raises
    ------
    DataError
        With all faults: a parameter or output that is no column of the scan, or of another unit.
    """
    table = campaign.queries
    space, outputs = campaign.problem.space, campaign.problem.outputs
    units = {item.name: item.unit for item in space.parameters}
    units |= {output.name: output.unit for output in outputs}
    faults = [fault for name, unit in units.items() for fault in _faults(name, unit, columns)]
    if faults:
        raise DataError.from_faults("extend", faults)
    places = np.flatnonzero(told_rows(table))
    order = np.argsort(table["origin"].to_numpy()[places] != "reserved", kind="stable")
    places = places[order]
    told = table.iloc[places]
    made: dict[str, Array] = {}
    for name in space.names:
        made[name] = _converted(told[name], units[name], columns[name])
    for output in outputs:
        made[output.name] = _values(told, output, columns)
        stated = f"{output.name}_err"
        if stated in told and told[stated].notna().any():
            made[stated] = _converted(told[stated], output.unit, columns[output.name])
    return Rows(made, told["origin"].to_numpy(dtype=str), places)


def _faults(
    name: str, unit: str, columns: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str]]:
    if name not in columns:
        known = ", ".join(columns)
        return [(f"/{name}", f"found no column of this name in the scan, which has {known}")]
    column = columns[name]
    if "derived" in column or (column["role"] == "label" and "column" in column["definition"]):
        told = "found a column that derives from others, allowed one that is evaluated"
        return [(f"/{name}", f"{told}; start the campaign with what it derives from")]
    try:
        convert(np.ones(1), unit, column["unit"])
    except UnitError as error:
        return [(f"/{name}", str(error))]
    return []


def _converted(values: Any, unit: str, column: Mapping[str, Any]) -> Array:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers if unit == column["unit"] else np.asarray(convert(numbers, unit, column["unit"]))


def _values(told: Any, output: Output, columns: Mapping[str, Mapping[str, Any]]) -> Array:
    """
    Give the values of an output; a bound is none, but may say 'beyond every threshold'.

    A limit that is censored above, beyond all thresholds of the labels on it, is infinite as the
    format has it for points without sensitivity. Any other bound is masked.
    """
    y = _converted(told[output.name], output.unit, columns[output.name])
    bound = np.asarray(told["status"] == "censored")
    levels = [
        float(column["definition"]["threshold"])
        for column in columns.values()
        if column["role"] == "label" and column["definition"].get("column") == output.name
    ]
    infinite = np.zeros(len(y), dtype=bool)
    if columns[output.name]["role"] == "limit" and output.censored == "above":
        infinite = bound & (y > max(levels, default=-np.inf))
    return np.where(infinite, np.inf, np.where(bound, np.nan, y))


def row_keys(columns: Mapping[str, Array], names: list[str]) -> Array:
    """Make keys of rows, shape (n,): equal if all named columns are, to the bit; -0.0 is 0.0."""
    stacked = np.stack([np.asarray(columns[name], np.float64) + 0.0 for name in names], axis=1)
    key = np.ascontiguousarray(stacked).view(np.dtype((np.void, stacked.itemsize * len(names))))
    return key.ravel()
