"""Variables of a netCDF group along chain and draw, and the columns that they become."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limen.errors import ReadError
from limen.readers.options import Selection
from limen.readers.tables import TEXT, Array, storable

__all__ = ["Variable", "variables"]

_MOST = 4096
_PACKED = ("scale_factor", "add_offset")
_log = logging.getLogger("limen.readers.chains.variables")


@dataclass(frozen=True, slots=True)
class Variable:
    """
    One variable of shape (chain, draw, ...).

    Parameters
    ----------
    member : str
        Its path in the file.
    name : str
        What its columns are called after.
    shape : tuple of int
        Shape of one draw.
    dtype : dtype
        Of its columns.
    labels : tuple of str
        One for each element; empty for a single number.
    summed : bool
        The column is the sum over its elements.
    """

    member: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    labels: tuple[str, ...] = ()
    summed: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        if not self.shape or self.summed:
            return [self.name]
        return [f"{self.name}_{i}" for i in range(math.prod(self.shape))]

    @property
    def row_bytes(self) -> int:
        """Size of one draw [byte]."""
        return 8 * math.prod(self.shape)

    @property
    def signature(self) -> tuple[Any, ...]:
        """What must be the same in all files."""
        shape = () if self.summed else self.shape
        return self.name, shape, self.dtype, () if self.summed else self.labels

    def named(self, name: str) -> Variable:
        """Give the same variable under another name."""
        return replace(self, name=name)

    def read(self, file: Any, chain: int, start: int, stop: int) -> dict[str, Array]:
        """
        Read some draws of one chain.

        Parameters
        ----------
        file : h5py.File
        chain, start, stop : int
            Position of the chain; first draw and the one after the last.

        Returns
        -------
        dict of str to ndarray, each of shape (stop - start,)
        """
        values = np.asarray(file[self.member][chain, start:stop]).reshape(stop - start, -1)
        if self.summed:
            return {self.name: values.sum(axis=1, dtype=float)}
        return dict(zip(self.columns, values.T, strict=True))

    def hints(self) -> dict[str, dict[str, Any]]:
        """Declare its columns as far as the file tells."""
        group, _, variable = self.member.strip("/").rpartition("/")
        hint: dict[str, Any] = {"role": "TODO"}
        if group == "log_likelihood" or variable == "lp":
            said = "ln(posterior) of the draw up to a constant, in the sampler's own variables. It "
            said += "is not ln(likelihood)."
            if group == "log_likelihood":
                over = f", summed over its {math.prod(self.shape)} terms" if self.shape else ""
                said = f"ln(likelihood) of {variable!r}{over}."
            hint = {
                "role": "likelihood",
                "quantity": "TODO" if variable == "lp" else "log_likelihood",
                "unit": "1",
                "description": said,
            }
        elif group == "sample_stats":
            hint["description"] = f"{variable!r} of the sampler."
        labels = self.labels or ("",) * len(self.columns)
        return {
            name: {**hint, "label": label[:300]} if label else dict(hint)
            for name, label in zip(self.columns, labels, strict=False)
        }


def variables(
    path: Path,
    group: Any,
    shape: tuple[int, int],
    selection: Selection,
    *,
    only: Collection[str] | None = None,
    summed: bool = False,
) -> Iterator[Variable]:
    """
    List the variables of a group that run along chain and draw.

    Parameters
    ----------
    path : Path
        The file, for messages.
    group : h5py.Group
    shape : tuple of int
        Numbers of chains and draws.
    selection : Selection
        Variables to drop.
    only : collection of str, optional
        Variables to look at; all if None.
    summed : bool
        Sum over further dimensions instead of making columns of them.

    Yields
    ------
    Variable

    Raises
    ------
    ReadError
        If a variable has too many elements, is packed, or runs along other axes first.
    """
    for name in group:
        data = group[name]
        if name in selection.drop or (only is not None and name not in only):
            continue
        if not isinstance(data, h5py.Dataset) or data.attrs.get("CLASS") == b"DIMENSION_SCALE":
            continue
        where = f"{path} '{data.name}'"
        dimensions = _dimensions(data)
        if tuple(data.shape[:2]) != shape or dimensions[:2] not in (["chain", "draw"], ["", ""]):
            if {"chain", "draw"} <= set(dimensions) or len(data.shape) >= 2:
                raise ReadError(
                    f"{where}: found the dimensions {dimensions} of shape {data.shape}, allowed "
                    f"chain and draw {shape} first; transpose the variable, or drop it"
                )
            continue
        dtype = _dtype(data)
        if dtype is None:
            _log.warning("%s: not read, its type %s is no number", where, data.dtype)
            continue
        _check(where, name, data, summed=summed)
        labels = () if summed else _labels(group, name, data, dimensions)
        kind = np.dtype(float) if summed else dtype
        yield Variable(data.name, name, tuple(data.shape[2:]), kind, labels, summed)


def _check(where: str, name: str, data: Any, *, summed: bool) -> None:
    if any(key in data.attrs for key in _PACKED):
        raise ReadError(
            f"{where}: found packed values (scale_factor, add_offset), allowed plain numbers; "
            "write them without"
        )
    elements = math.prod(data.shape[2:])
    if not summed and not 0 < elements <= _MOST:
        raise ReadError(
            f"{where}: found {elements} elements, allowed 1 to {_MOST}; drop it by the option "
            f"drop: [{name}]"
        )


def _dtype(data: Any) -> np.dtype[Any] | None:
    if data.attrs.get("dtype") in ("bool", b"bool"):
        return np.dtype(bool)
    dtype = storable(data.dtype)
    return None if dtype == TEXT else dtype


def _dimensions(data: Any) -> list[str]:
    """Name the dimensions by their scales, as netCDF does; "" where there is none."""
    return [
        next((scale.name.rpartition("/")[2] for scale in dimension.values()), "")
        for dimension in data.dims
    ]


def _labels(group: Any, name: str, data: Any, dimensions: list[str]) -> tuple[str, ...]:
    """Name the elements by the coordinates of their dimensions."""
    if len(data.shape) == 2:
        return ()
    axes = []
    for length, dimension in zip(data.shape[2:], dimensions[2:], strict=True):
        found = [str(i) for i in range(length)]
        scale = group.get(dimension) if dimension else None
        if scale is not None and scale.shape == (length,):
            values = (
                scale.asstr("utf-8", "replace")[...] if scale.dtype.kind in "OS" else scale[...]
            )
            found = [str(value) for value in values.tolist()]
        axes.append(found)
    grid = np.indices(data.shape[2:]).reshape(len(axes), -1).T
    return tuple(
        f"{name}[{', '.join(axis[i] for axis, i in zip(axes, index, strict=True))}]"
        for index in grid.tolist()
    )
