"""What a campaign believes at points, as a Dataset with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.active.outputs import Output
from limen.active.problem import Estimate, History, Problem, Strategy
from limen.manifest import Column
from limen.prediction.points import read_points

if TYPE_CHECKING:
    import xarray

__all__ = ["estimates_dataset"]


def estimates_dataset(
    problem: Problem,
    strategy: Strategy,
    history: History,
    points: Any,
    memory: Mapping[str, Any],
) -> xarray.Dataset:
    """
    Estimate the outputs at points of any form.

    Parameters
    ----------
    problem : Problem
    strategy : Strategy
    history : History
    points : mapping, pandas.DataFrame or xarray.Dataset
    memory : mapping

    Returns
    -------
    xarray.Dataset
        NaN, with a reason, for points outside of the space and for rows that are no numbers.

    Raises
    ------
    ColumnError, ShapeError, UnitError
    """
    import xarray as xr

    space = problem.space
    columns = {
        item.name: Column.from_dict({"name": item.name, "role": "parameter", "unit": item.unit})
        for item in space.parameters
    }
    read = read_points(points, list(columns.values()), columns)
    u = space.to_unit(read.X)
    reasons = ["; ".join(read.faults.get(row, ())) for row in range(len(u))]
    kept = np.isfinite(u).all(axis=1) & (u >= -1e-9).all(axis=1) & (u <= 1 + 1e-9).all(axis=1)
    for row in np.flatnonzero(~kept & np.array([not text for text in reasons], dtype=bool)):
        reasons[row] = _outside(problem, read.X[row], u[row])
    places = np.flatnonzero(kept)
    admissible = space.admissible(u[places])
    for row in places[~admissible]:
        reasons[row] = f"breaks the constraints {' and '.join(space.constraints)}"
    places = places[admissible]
    found = None
    if len(places):
        found = strategy.estimate(history, np.clip(u[places], 0.0, 1.0), memory)
    variables: dict[str, Any] = {
        item.name: ("point", read.X[:, i], {"units": item.unit})
        for i, item in enumerate(space.parameters)
    }
    coordinates: dict[str, Any] = {}
    for j, output in enumerate(problem.outputs):
        _add(variables, coordinates, output, j, found, places, len(u))
    variables["reason"] = ("point", np.array(reasons, dtype=object))
    notes = [*read.notes, *(found.notes if found is not None else ())]
    return xr.Dataset(variables, coordinates, {"strategy": strategy.name, "notes": notes})


def _outside(problem: Problem, x: np.ndarray[Any, Any], u: np.ndarray[Any, Any]) -> str:
    texts = []
    for item, value, place in zip(problem.space.parameters, x, u, strict=True):
        if not -1e-9 <= place <= 1 + 1e-9:
            unit = "" if item.unit == "1" else f" {item.unit}"
            texts.append(
                f"{item.name} = {value:g}{unit}, the space ends at {item.low:g} and {item.high:g}"
            )
    return "; ".join(texts)


def _add(
    variables: dict[str, Any],
    coordinates: dict[str, Any],
    output: Output,
    j: int,
    found: Estimate | None,
    places: np.ndarray[Any, Any],
    n: int,
) -> None:
    """Add the variables of one output, in place."""
    mean, std = np.full(n, np.nan), np.full(n, np.nan)
    below = np.full((n, len(output.thresholds)), np.nan)
    if found is not None:
        mean[places] = output.from_model(found.mean[:, j])
        std[places] = found.std[:, j]
        below[places] = found.below[j]
    logarithmic = output.scale != "linear"
    middle = "median" if logarithmic else "mean"
    of = {"log": f"log10 of {output.name}"}
    of["log_deficit"] = f"ln(1 + ({output.top:g} - {output.name}) / {output.width:g})"
    spread = f"standard deviation of {of.get(output.scale, output.name)}"
    told = {"units": output.unit, "long_name": f"{middle} of {output.name}"}
    variables[f"{output.name}_mean"] = ("point", mean, told)
    told = {"units": "1" if logarithmic else output.unit, "long_name": spread}
    variables[f"{output.name}_std"] = ("point", std, told)
    if output.thresholds:
        dimension = f"{output.name}_threshold"
        told = {"units": "1", "long_name": f"probability that {output.name} is below"}
        variables[f"{output.name}_below"] = (("point", dimension), below, told)
        levels = np.array(output.thresholds, dtype=np.float64)
        coordinates[dimension] = (dimension, levels, {"units": output.unit})
