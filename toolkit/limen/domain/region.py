"""
The region in which a model was trained, its score and its reasons in words.

The score of a point is the largest of three parts, each 1 at the edge. With
z = clip((x - centre) / scale) they are

- box: max over inputs of abs(x - middle) / half;
- density: sqrt(max(0, mean of the k smallest (r·r - 2 z·r) + z·z)) / threshold, over the
  reference rows r;
- subspaces: min over subspaces of max over their normals of abs(n·z - offset) / tolerance.

A graph has the same formula in MatMul, TopK, ReduceMax and Min.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.domain.words import number, quantity, relation
from limen.errors import ShapeError, UsageError

__all__ = ["MAX_SCALED", "AffineSubspace", "Domain"]

Floats = NDArray[np.float64]

MAX_SCALED = 1e6
"""Scaled coordinates are clipped to plus or minus this, so that float32 squares stay finite."""

# Rounding an input and the edge itself to float32 moves the edge by at most about 2e-7 of its size.
BOX_MARGIN = 1e-5
ROUNDING_MARGIN = 4e-7
ZERO_MARGIN = 1e-9
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class AffineSubspace:
    """
    A lower-dimensional set near which some training rows lie.

    Parameters
    ----------
    normals : ndarray, shape (q, d)
        Normals in scaled coordinates, of such length that a residual of 1 is the range of the
        columns that take part.
    offsets : ndarray, shape (q,)
        ``normals @ z`` on the subspace [1].
    tolerance : float
        Largest residual inside, as a share of that range [1].
    rows : int
        Training rows within the tolerance.
    """

    normals: Floats
    offsets: Floats
    tolerance: float
    rows: int

    def part(self, z: Floats) -> Floats:
        """Largest residual over the tolerance, shape (n,), of scaled rows z, shape (n, d)."""
        residual = np.abs(z @ self.normals.T - self.offsets)
        return np.asarray(residual.max(axis=1) / self.tolerance, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """
    The region in which a model was trained.

    Parameters
    ----------
    low, high : ndarray, shape (d,)
        Smallest and largest training value of each input, in its unit.
    centre, scale : ndarray, shape (d,)
        z = (x - centre) / scale, in the input's unit.
    reference : ndarray, shape (m, d)
        Scaled training rows that the density part measures distances to; none in a domain read
        from a card, which can give reasons but no score.
    k : int
        Number of nearest reference rows that a distance is the root mean square of.
    threshold : float
        Distance that is the edge [1, scaled].
    quantile : float
        Share of training rows within the threshold.
    subspaces : tuple of AffineSubspace
        The union that the training rows lie on; empty if they fill the box.
    """

    low: Floats
    high: Floats
    centre: Floats
    scale: Floats
    reference: Floats
    k: int
    threshold: float
    quantile: float
    subspaces: tuple[AffineSubspace, ...] = ()
    reference_rows: int = -1

    def __post_init__(self) -> None:
        if self.reference_rows < 0:
            object.__setattr__(self, "reference_rows", len(self.reference))

    @property
    def middle(self) -> Floats:
        """Middle of the box, shape (d,), in the inputs' units."""
        return 0.5 * self.low + 0.5 * self.high

    @property
    def half(self) -> Floats:
        """
        Half the width of the box, shape (d,), in the inputs' units.

        Wider than the data by a margin, so that a row on the edge is inside in float32 as well.
        """
        span = 0.5 * self.high - 0.5 * self.low
        size = np.maximum(np.abs(self.low), np.abs(self.high))
        half = span * (1 + BOX_MARGIN) + size * ROUNDING_MARGIN
        return np.where(half > 0, half, ZERO_MARGIN)

    def score(self, X: ArrayLike) -> Floats:
        """
        Score points; at most 1 inside.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points, in the inputs' units. NaN gives NaN, which is not inside.

        Returns
        -------
        ndarray, shape (n,)
            Domain score [1].

        Raises
        ------
        ShapeError
            If X has not d columns.
        UsageError
            If the domain holds no reference rows.
        """
        points = self._points(X)
        if len(self.reference) == 0:
            raise UsageError(
                "domain: found no reference rows, allowed a domain that was fitted; take "
                "domain_score from the model's graph"
            )
        z = self._scaled(points)
        with np.errstate(over="ignore"):
            score: Floats = np.maximum(self.box_part(points).max(axis=1), self._density_part(z))
        if self.subspaces:
            score = np.maximum(score, self._subspace_parts(z).min(axis=0))
        return score

    def box_part(self, X: ArrayLike) -> Floats:
        """Distance from the middle of the box over its half width, shape (n, d) [1]."""
        # A value near the largest float is as far outside as infinity.
        with np.errstate(over="ignore"):
            part: Floats = np.abs(self._points(X) - self.middle) / self.half
        return part

    def _points(self, X: ArrayLike) -> Floats:
        points = np.asarray(X, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != len(self.low):
            raise ShapeError(
                f"points: found shape {points.shape}, allowed (n, {len(self.low)}); give one "
                "column per input"
            )
        return points

    def _scaled(self, points: Floats) -> Floats:
        with np.errstate(over="ignore"):
            scaled: Floats = np.clip((points - self.centre) / self.scale, -MAX_SCALED, MAX_SCALED)
        return scaled

    def _density_part(self, z: Floats) -> Floats:
        score = np.empty(len(z))
        squares = np.einsum("md,md->m", self.reference, self.reference)
        doubled = -2.0 * self.reference.T
        for start in range(0, len(z), BLOCK):
            block = z[start : start + BLOCK]
            gram = block @ doubled
            gram += squares
            nearest = np.partition(gram, self.k - 1, axis=1)[:, : self.k].mean(axis=1)
            square = nearest + np.einsum("nd,nd->n", block, block)
            score[start : start + BLOCK] = np.sqrt(np.maximum(square, 0.0)) / self.threshold
        return score

    def _subspace_parts(self, z: Floats) -> Floats:
        return np.stack([subspace.part(z) for subspace in self.subspaces])

    def reasons(
        self,
        x: ArrayLike,
        names: Sequence[str],
        units: Sequence[str],
        symbols: Sequence[str | None] | None = None,
        *,
        score: float | None = None,
    ) -> list[str]:
        """
        Say in words why one point lies outside.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point, in the inputs' units.
        names, units : sequence of str
            Name and unit of each input.
        symbols : sequence of str or None
            What to call the inputs instead of their names.
        score : float, optional
            The graph's domain score, for a domain without reference rows.

        Returns
        -------
        list of str
            One sentence for each input outside its range; else for the nearest subspace that is
            missed; else for the distance to the training points. Empty inside.
        """
        point = self._points(np.atleast_2d(np.asarray(x, dtype=np.float64)))
        words = [symbol or name for name, symbol in zip(names, symbols or names, strict=True)]
        outside = np.flatnonzero(self.box_part(point)[0] > 1).tolist()
        if outside:
            return [self._box_reason(point[0, j], j, words[j], units[j]) for j in outside]
        z = self._scaled(point)
        if self.subspaces:
            parts = self._subspace_parts(z)[:, 0]
            if parts.min() > 1:
                return self._subspace_reasons(z[0], int(parts.argmin()), words, units)
        if score is None:
            score = float(self._density_part(z)[0]) if len(self.reference) else 0.0
        if score > 1:
            distance, edge = number(score * self.threshold, 3), number(self.threshold, 3)
            return [
                f"far from every training point: distance {distance}, training points lie within "
                f"{edge} (scaled)"
            ]
        return []

    def _box_reason(self, value: float, j: int, word: str, unit: str) -> str:
        low, high = float(self.low[j]), float(self.high[j])
        said = quantity(value, unit, apart_from=(low, high))
        if low == high:
            return f"{word} = {said}, trained on {quantity(low, unit, apart_from=(value,))} only"
        edge = quantity(high, unit, apart_from=(value,))
        return f"{word} = {said}, trained on {number(low, apart_from=(value,))} to {edge}"

    def _subspace_reasons(
        self, z: Floats, index: int, words: Sequence[str], units: Sequence[str]
    ) -> list[str]:
        subspace = self.subspaces[index]
        residual = np.abs(subspace.normals @ z - subspace.offsets) / subspace.tolerance
        normals, offsets = self._natural(subspace)
        x = z * self.scale + self.centre
        said = []
        for i in np.flatnonzero(residual > 1):
            text, factor, unit = relation(normals[i], float(offsets[i]), words, units)
            value = float(normals[i] @ x) * factor
            trained = [offset * factor for offset in self._parallel(normals[i], float(offsets[i]))]
            values = " or ".join(number(one, apart_from=(value,)) for one in trained[:-1])
            last = quantity(trained[-1], unit, apart_from=(value,))
            found = quantity(value, unit, apart_from=trained)
            where = f"{values} or {last}" if values else last
            said.append(f"{text} = {found}, trained on {where}")
        if said:
            said[-1] += self._elsewhere(subspace, words, units)
        return said

    def _elsewhere(
        self, nearest: AffineSubspace, words: Sequence[str], units: Sequence[str]
    ) -> str:
        """Name the other sets of a union: on them the nearest one's equation need not hold."""
        others = []
        normals, _ = self._natural(nearest)
        for subspace in self.subspaces:
            forms, offsets = self._natural(subspace)
            size = np.linalg.norm(forms[0]) * np.linalg.norm(normals[0])
            parallel = len(forms) == 1 and abs(float(forms[0] @ normals[0])) > size * (1 - 1e-9)
            if subspace is nearest or parallel:
                continue
            equations = []
            for form, offset in zip(forms, offsets, strict=True):
                text, factor, unit = relation(form, float(offset), words, units)
                equations.append(f"{text} = {quantity(float(offset) * factor, unit)}")
            others.append(" and ".join(equations))
        return "".join(f", or with {equation}" for equation in others)

    def _parallel(self, normal: Floats, offset: float) -> list[float]:
        """Offsets, in natural units, of all subspaces that are parallel to this one."""
        offsets = [offset]
        for subspace in self.subspaces:
            others, values = self._natural(subspace)
            size = np.linalg.norm(others[0]) * np.linalg.norm(normal)
            cosine = float(others[0] @ normal / size)
            if len(others) == 1 and abs(cosine) > 1 - 1e-9:
                ratio = float(np.linalg.norm(normal) / np.linalg.norm(others[0]))
                offsets.append(float(values[0]) * ratio * float(np.sign(cosine)))
        return sorted({float(f"{value:.9g}") for value in offsets})

    def _natural(self, subspace: AffineSubspace) -> tuple[Floats, Floats]:
        """Give normals and offsets in the inputs' units; residuals stay the same."""
        normals = subspace.normals / self.scale
        return normals, subspace.offsets + normals @ self.centre

    def to_card(self, names: Sequence[str]) -> dict[str, Any]:
        """
        Describe the domain for a model card; the reference rows stay in the graph.

        Parameters
        ----------
        names : sequence of str
            Names of the inputs.

        Returns
        -------
        dict
            ``box``, ``density`` and ``subspaces``, in the inputs' units.
        """
        box = [
            {"column": name, "low": float(low), "high": float(high)}
            for name, low, high in zip(names, self.low, self.high, strict=True)
        ]
        density = {
            "method": "root mean square distance to the k nearest reference rows, scaled",
            "threshold": self.threshold,
            "quantile": self.quantile,
            "k": self.k,
            "reference_rows": self.reference_rows,
        }
        subspaces = [self._subspace_card(subspace, names) for subspace in self.subspaces]
        return {"box": box, "density": density, "subspaces": subspaces}

    def _subspace_card(self, subspace: AffineSubspace, names: Sequence[str]) -> dict[str, Any]:
        normals, offsets = self._natural(subspace)
        return {
            "normals": [
                {name: float(n) for name, n in zip(names, row, strict=True) if n != 0}
                for row in normals
            ],
            "offsets": [float(offset) for offset in offsets],
            "tolerance": subspace.tolerance,
            "rows": subspace.rows,
        }

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Domain:
        """
        Read what `to_card` wrote: enough for `reasons`, not for `score`.

        Parameters
        ----------
        card : mapping
            The ``domain`` of a model card.

        Returns
        -------
        Domain
            Without reference rows.
        """
        names = [entry["column"] for entry in card["box"]]
        low = np.array([entry["low"] for entry in card["box"]], dtype=np.float64)
        high = np.array([entry["high"] for entry in card["box"]], dtype=np.float64)
        # Not the scale that the model was trained with: any of the box's size serves the reasons.
        centre, scale = 0.5 * low + 0.5 * high, np.where(high > low, high - low, 1.0)
        density = card["density"]
        return cls(
            low=low,
            high=high,
            centre=centre,
            scale=scale,
            reference=np.empty((0, len(names))),
            k=int(density["k"]),
            threshold=float(density["threshold"]),
            quantile=float(density["quantile"]),
            subspaces=tuple(
                _read_subspace(entry, names, centre, scale) for entry in card.get("subspaces", ())
            ),
            reference_rows=int(density["reference_rows"]),
        )


def _read_subspace(
    entry: Mapping[str, Any], names: Sequence[str], centre: Floats, scale: Floats
) -> AffineSubspace:
    normals = np.array([[row.get(name, 0.0) for name in names] for row in entry["normals"]])
    offsets = np.array(entry["offsets"], dtype=np.float64) - normals @ centre
    return AffineSubspace(normals * scale, offsets, float(entry["tolerance"]), int(entry["rows"]))
