"""Rows of the scan that lie nearest to given points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.manifest import Column

if TYPE_CHECKING:
    from limen.domain import Domain
    from limen.scan import Scan

__all__ = ["Neighbours"]

Array = np.ndarray[Any, Any]


class Neighbours:
    """
    The scan's valid rows, read when they are first asked for.

    Parameters
    ----------
    open_scan : callable
        Opens the scan.
    inputs : sequence of Column
    target : Column
    domain : Domain
        Its box is the measure of distance: each input counts in units of its range.
    """

    def __init__(
        self,
        open_scan: Callable[[], Scan],
        inputs: Sequence[Column],
        target: Column,
        domain: Domain,
    ) -> None:
        self._open = open_scan
        self._inputs = tuple(inputs)
        self._target = target
        self._domain = domain

    def nearest(self, X: Array, k: int) -> dict[str, Array]:
        """
        Find the k nearest rows of each point.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Points, in the inputs' units; a row with NaN gets none.
        k : int
            How many; fewer where the scan has fewer valid rows.

        Returns
        -------
        dict of str to ndarray, shape (n, k)
            ``row`` of the scan (-1 for none), ``distance`` [1] in units of the inputs' ranges, and
            ``target`` of that row, NaN where it is masked; the nearest first.
        """
        rows, scaled, target = self._rows
        k = min(k, len(rows))
        found = {
            "row": np.full((len(X), k), -1),
            "distance": np.full((len(X), k), np.nan),
            "target": np.full((len(X), k), np.nan),
        }
        for position in np.flatnonzero(np.isfinite(X).all(axis=1) & (k > 0)):
            with np.errstate(over="ignore"):  # Of a point beyond any scale all rows are far.
                square = ((scaled - self._scaled(X[position])) ** 2).sum(axis=1)
            near = np.argpartition(square, k - 1)[:k]
            near = near[np.lexsort((rows[near], square[near]))]
            found["row"][position] = rows[near]
            found["distance"][position] = np.sqrt(square[near])
            found["target"][position] = target[near]
        return found

    def _scaled(self, points: Array) -> Array:
        centred = (points - self._domain.centre) / self._domain.scale
        return np.asarray(centred, dtype=np.float32)

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array]:
        names = [column.name for column in self._inputs]
        masks = {c.name: c.valid for c in (*self._inputs, self._target) if c.valid is not None}
        with self._open() as scan:
            table = scan.read(list(dict.fromkeys([*names, self._target.name, *masks.values()])))
        X = np.stack([table[name].astype(np.float64) for name in names], axis=1)
        valid = np.isfinite(X).all(axis=1)
        for name in names:
            valid &= table[masks[name]] if name in masks else True
        target = table[self._target.name].astype(np.float64)
        if self._target.name in masks:
            target[~table[masks[self._target.name]]] = np.nan
        rows = np.flatnonzero(valid)
        return rows, self._scaled(X[rows]), target[rows]
