"""One SLHA spectrum as a point: which block, key, scale and line filled which parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limen.errors import ReadError
from limen.slha import addresses, looks_like_spectra, read_points
from limen.units import convert
from limen_app.uploads import Upload, kept

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Filled", "fill", "takes_spectra"]


@dataclass(frozen=True, slots=True)
class Filled:
    """
    A spectrum as a point.

    Attributes
    ----------
    point : dict of str to float
        In the units of the columns.
    mapping : list of dict
        Per parameter: its name, value, unit, and the place in the file that it was read from.
    uncovered : tuple of str
        Assumptions of the bundle that the spectrum does not meet.
    notes : tuple of str
    """

    point: dict[str, float]
    mapping: list[dict[str, Any]]
    uncovered: tuple[str, ...]
    notes: tuple[str, ...]


def takes_spectra(predictor: Predictor) -> bool:
    """Tell whether every input of a model states where a spectrum has it."""
    return all(addresses(column.source) for column in predictor.inputs)


def fill(predictor: Predictor, upload: Upload, document: Mapping[str, Any], most: int) -> Filled:
    """
    Read a spectrum.

    Parameters
    ----------
    predictor : Predictor
    upload : Upload
    document : mapping
        The bundle's manifest.
    most : int
        Allowed size [bytes].

    Returns
    -------
    Filled

    Raises
    ------
    ReadError
        If it is no spectrum, or lacks a parameter; all its faults at once.
    ColumnError
        If the bundle does not say where a spectrum has a parameter.
    """
    name = upload.plain_name
    with kept(upload, most) as path:
        if path.is_dir() or not looks_like_spectra(path):
            raise ReadError(f"{name}: is no SLHA spectrum; give the file of one point")
        family = document.get("theory", {}).get("family", "")
        parts = list(
            read_points(
                [path],
                predictor.inputs,
                assumptions=document.get("assumptions", ()),
                equal_generations=family.lower().startswith("pmssm"),
                workers=1,
            )
        )
    rows = sum(len(part.columns["file"]) for part in parts)
    if rows != 1:
        raise ReadError(f"{name}: holds {rows} spectra; several go to the page Batch")
    part = parts[0]
    if part.faults:
        faults = part.faults[0]
        if len(faults) == 1:
            raise ReadError(f"{name}: {faults[0]}")
        raise ReadError.from_faults(name, [("", fault) for fault in faults])
    served = part.served[0]
    point, mapping = {}, []
    for column in predictor.inputs:
        values, unit = part.columns[column.name]
        value = float(values[0])
        point[column.name] = value if unit == column.unit else convert(value, unit, column.unit)
        mapping.append(
            {
                "parameter": column.name,
                "value": point[column.name] if math.isfinite(value) else None,
                "unit": column.unit,
                "read from": served.get(column.name, ""),
            }
        )
    return Filled(point, mapping, tuple(part.uncovered.get(0, ())), tuple(part.notes))
