"""
Spaces: the parameters that a campaign varies, with unit, range, scale, prior and constraints.

Strategies see unit coordinates: each parameter from 0 to 1 along its scale, so that a distance
means the same in every direction. The prior says where the physics is asked about: accuracies
and stated errors are averages over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.active.parameters import Parameter, parameter_from
from limen.active.priors import from_quantiles
from limen.errors import DataError, ExpressionError, MissingExtraError, ShapeError
from limen.expressions import Expression

__all__ = ["MOST_PARAMETERS", "Space"]

Floats = NDArray[np.float64]

MOST_PARAMETERS = 1000
# Below this share of the box the constraints are taken for a mistake.
LEAST_SHARE = 1e-4
_BLOCK = 1024


class Space:
    """
    Parameters and the constraints among them.

    Parameters
    ----------
    parameters : sequence of Parameter
    constraints : sequence of str
        Conditions over the parameters in their units, such as ``m_n1 < m_n2``; all must hold.

    Examples
    --------
    >>> space = Space.from_mapping({"m": (0.0, 2.0), "g": {"range": (0.01, 1), "scale": "log"}})
    >>> space.to_physical(np.array([[0.5, 0.5]])).round(6)
    array([[1. , 0.1]])
    """

    def __init__(self, parameters: Sequence[Parameter], constraints: Sequence[str] = ()) -> None:
        self.parameters = tuple(parameters)
        self.constraints = tuple(constraints)
        self._conditions = _conditions(self.constraints, self.names)

    @classmethod
    def from_mapping(cls, space: Mapping[str, Any], constraints: Iterable[str] = ()) -> Space:
        """
        Make a space from plain data.

        Parameters
        ----------
        space : mapping
            Name to ``(low, high)``, or to a mapping with ``range`` or ``values`` and, where not
            the default, ``unit``, ``scale`` (linear, log), ``prior`` (uniform, log-uniform or
            ``["normal", mean, sd]``; by default uniform along the scale), ``symbol``, ``label``,
            ``description``.
        constraints : iterable of str

        Raises
        ------
        DataError
            With all faults: bad names, ranges, units, priors, values, constraints.
        """
        faults: list[tuple[str, str]] = []
        if not isinstance(space, Mapping) or not 0 < len(space) <= MOST_PARAMETERS:
            found = f"{len(space)} parameters" if isinstance(space, Mapping) else repr(space)[:60]
            raise DataError(
                f"space: found {found}, allowed 1 to {MOST_PARAMETERS} named parameters"
            )
        made = [parameter_from(name, told, faults) for name, told in space.items()]
        if isinstance(constraints, str):
            constraints = [constraints]
        texts = [str(text) for text in constraints]
        try:
            _conditions(texts, [str(name) for name in space])
        except DataError as error:
            faults += error.faults or [("/constraints", str(error))]
        if faults:
            raise DataError.from_faults("space", faults)
        return cls([parameter for parameter in made if parameter], texts)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Space:
        """Read what :meth:`to_dict` gave."""
        return cls.from_mapping(told["parameters"], told.get("constraints", ()))

    def to_dict(self) -> dict[str, Any]:
        """Give the space as plain data for JSON."""
        return {
            "parameters": {item.name: item.to_dict() for item in self.parameters},
            "constraints": list(self.constraints),
        }

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in order."""
        return [parameter.name for parameter in self.parameters]

    @property
    def d(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    @property
    def discrete(self) -> NDArray[np.bool_]:
        """Which parameters take declared values only, shape (d,)."""
        return np.array([bool(parameter.values) for parameter in self.parameters])

    def to_unit(self, x: ArrayLike) -> Floats:
        """
        Give unit coordinates.

        Parameters
        ----------
        x : array_like, shape (n, d)
            Points, each parameter in its unit.

        Returns
        -------
        ndarray, shape (n, d)
            From 0 to 1 inside the ranges.
        """
        points = self._shaped(x)
        columns = [item.to_unit(points[:, i]) for i, item in enumerate(self.parameters)]
        return np.column_stack(columns)

    def to_physical(self, u: ArrayLike) -> Floats:
        """
        Give points in physical units, inside the ranges; discrete parameters are snapped.

        Parameters
        ----------
        u : array_like, shape (n, d)

        Returns
        -------
        ndarray, shape (n, d)
        """
        points = self._shaped(u)
        columns = [item.to_physical(points[:, i]) for i, item in enumerate(self.parameters)]
        return np.column_stack(columns)

    def snap(self, u: ArrayLike) -> Floats:
        """Move unit coordinates, shape (n, d), into the box and onto allowed values."""
        points = np.clip(self._shaped(u), 0.0, 1.0)
        if not self.discrete.any():
            return points
        return np.where(self.discrete, self.to_unit(self.to_physical(points)), points)

    def admissible(self, u: ArrayLike) -> NDArray[np.bool_]:
        """Say which points, unit coordinates of shape (n, d), meet the constraints."""
        points = self._shaped(u)
        kept = np.ones(len(points), dtype=bool)
        if self._conditions and len(points):
            physical = self.to_physical(points)
            columns = {name: physical[:, i] for i, name in enumerate(self.names)}
            for condition in self._conditions:
                kept &= np.broadcast_to(condition.evaluate(columns), kept.shape)
        return kept

    def from_quantiles(self, p: ArrayLike) -> Floats:
        """Give unit coordinates, shape (n, d), of quantiles of the prior, constraints apart."""
        quantiles = self._shaped(p)
        columns = []
        for i, item in enumerate(self.parameters):
            x = from_quantiles(quantiles[:, i], item.low, item.high, item.prior, item.values)
            columns.append(item.to_unit(x))
        return np.clip(np.column_stack(columns), 0.0, 1.0)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """
        Draw from the prior, within the constraints.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n, d)
            Unit coordinates.

        Raises
        ------
        DataError
            If the constraints leave next to nothing of the box.
        """
        return self._kept(n, lambda size: rng.random((size, self.d)))

    def sobol(self, n: int, seed: int | Sequence[int], start: int = 0) -> Floats:
        """
        Give points of a scrambled Sobol sequence through the prior, within the constraints.

        Parameters
        ----------
        n : int
        seed : int or sequence of int
            Of the scrambling; the same seed gives the same sequence.
        start : int
            How many admissible points of the sequence to skip.

        Returns
        -------
        ndarray, shape (n, d)
            Unit coordinates.

        Raises
        ------
        DataError
            If the constraints leave next to nothing of the box.
        MissingExtraError
            If scipy is not installed.
        """
        try:
            from scipy.stats import qmc
        except ImportError as error:
            raise MissingExtraError.of("scipy", "active") from error
        sequence = qmc.Sobol(self.d, scramble=True, rng=np.random.default_rng(seed))
        return self._kept(start + n, lambda size: sequence.random(size))[start:]

    def _kept(self, n: int, more: Any) -> Floats:
        """Collect ``n`` admissible points of a stream of quantiles, in blocks of powers of two."""
        found: list[Floats] = []
        number = tried = 0
        while number < n:
            size = _BLOCK
            while size < 2 * (n - number) and size < 2**16:
                size *= 2
            u = self.from_quantiles(more(size))
            if self._conditions:
                u = u[self.admissible(u)]
            found.append(u)
            number, tried = number + len(u), tried + size
            if tried >= 2 / LEAST_SHARE and number < tried * LEAST_SHARE:
                raise DataError(
                    f"constraints {' and '.join(self.constraints)}: {number} of {tried} points of "
                    f"the prior meet them, at least {LEAST_SHARE:g} of it must; correct the "
                    "constraints or narrow the ranges"
                )
        return np.vstack(found)[:n] if found else np.empty((0, self.d))

    def _shaped(self, points: ArrayLike) -> Floats:
        array = np.asarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != self.d:
            raise ShapeError(f"points: found shape {array.shape}, allowed (n, {self.d})")
        return array


def _conditions(texts: Sequence[str], names: Sequence[str]) -> tuple[Expression, ...]:
    """Parse constraints and check their names; raise with all faults."""
    found, faults = [], []
    for i, text in enumerate(texts):
        try:
            condition = Expression(text, condition=True)
        except ExpressionError as error:
            faults.append((f"/constraints/{i}", str(error)))
            continue
        strangers = sorted(condition.names - set(names))
        if strangers or condition.over_points:
            what = ", ".join(map(repr, strangers)) or "max_over_points"
            told = f"found {what} in {text!r}, allowed the parameters {', '.join(names)}"
            faults.append((f"/constraints/{i}", told))
        found.append(condition)
    if faults:
        raise DataError.from_faults("constraints", faults)
    return tuple(found)
