"""Baselines: designs that look at no value, with the interface of the strategies that do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.keys import keys
from limen.active.problem import Estimate, History, Problem, Proposal
from limen.active.streaming import draw_untold, initial_points, joined, taken_keys, untaken
from limen.errors import MissingExtraError, UsageError

__all__ = ["Grid", "LatinHypercube", "Random", "Sobol"]

Floats = NDArray[np.float64]

_LEAST_EDGE, _MOST_NODES = 2, 10_000_000
# Blocks of a grid that are looked through at a time.
_BLOCK = 65_536


class _Design:
    """What the designs share: they estimate by a Gaussian process and give samples of the prior."""

    name = "design"
    origin = "random"

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """Say what a Gaussian process of each output believes."""
        # A design asks without the libraries that an estimate needs.
        from limen.active.estimating import estimate_by_process

        return estimate_by_process(self._problem, history, points, memory)

    def _proposal(self, points: Floats, memory: Mapping[str, Any]) -> Proposal:
        return joined([(points, np.full(len(points), np.nan), self.origin)], memory)


class Sobol(_Design):
    """
    A scrambled Sobol sequence through the prior; of a pool, random members.

    Parameters
    ----------
    problem : Problem
    """

    name = "sobol"

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose the next points of the sequence."""
        kept = {"given": 0, "sobol": int(rng.integers(2**32)), **memory}
        taken = taken_keys(history)
        points = initial_points(self._problem, n, kept["sobol"], kept["given"], rng, taken)
        return self._proposal(points, kept | {"given": kept["given"] + n})


class Random(_Design):
    """
    Draws from the prior; of a pool, random members.

    Parameters
    ----------
    problem : Problem
    """

    name = "random"

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose draws."""
        points = draw_untold(self._problem, n, rng, taken_keys(history))
        return self._proposal(points, memory)


class LatinHypercube(_Design):
    """
    Latin hypercubes, one for each batch; of a pool, the members nearest to them.

    Parameters
    ----------
    problem : Problem
    """

    name = "latin-hypercube"

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose a Latin hypercube of ``n`` points; what breaks a constraint is drawn instead."""
        try:
            from scipy.stats import qmc
        except ImportError as error:
            raise MissingExtraError.of("scipy", "active") from error
        space, taken = self._problem.space, taken_keys(history)
        cube = space.snap(space.from_quantiles(qmc.LatinHypercube(space.d, rng=rng).random(n)))
        if self._problem.pool is not None:
            points = _nearest(self._problem.pool, cube, taken)
        else:
            points = cube[space.admissible(cube)]
            points = points[untaken(points, taken)]
        left = draw_untold(
            self._problem, n - len(points), rng, np.concatenate([taken, keys(points)])
        )
        return self._proposal(np.vstack([points, left]), memory)


def _nearest(pool: Floats, wanted: Floats, taken: NDArray[np.uint64]) -> Floats:
    """Members of a pool, each nearest to one of the wanted points, without repetition."""
    from scipy.spatial import cKDTree

    free = pool[untaken(pool, taken)]
    chosen: dict[int, None] = {}
    if not len(free):
        return free
    tree = cKDTree(free)
    for point in wanted:
        for k in (1, 8, len(free)):
            _, found = tree.query(point, k=range(1, min(k, len(free)) + 1))
            new = [int(i) for i in found if int(i) not in chosen]
            if new:
                chosen[new[0]] = None
                break
    return free[list(chosen)]


class Grid(_Design):
    """
    Nodes of a regular grid, in an order that covers the space early.

    A coarse grid is walked first, then ever finer ones; with ``edge`` there is one grid and an
    end.

    Parameters
    ----------
    problem : Problem
    edge : int, optional
        Nodes along each parameter, the ends of its range included. Discrete parameters take all
        their values.

    Raises
    ------
    UsageError
        If the edge is below 2, or the grid has more than ten million nodes.
    """

    name = "grid"
    origin = "acquired"

    def __init__(self, problem: Problem, *, edge: int | None = None) -> None:
        super().__init__(problem)
        if problem.pool is not None:
            raise UsageError("strategy grid: found a pool; allowed for spaces without one")
        if edge is not None and (not isinstance(edge, int) or edge < _LEAST_EDGE):
            raise UsageError(f"strategy grid: found edge {edge!r}, allowed {_LEAST_EDGE} or more")
        self._edge = edge
        self._refuse_huge(edge or _LEAST_EDGE)

    def _refuse_huge(self, edge: int) -> None:
        number = math.prod(self._axis_length(i, edge) for i in range(self._problem.d))
        if number > _MOST_NODES:
            raise UsageError(
                f"strategy grid: found a grid of {number:g} nodes ({self._problem.d} parameters), "
                f"allowed {_MOST_NODES:g}; take sobol, or fewer parameters"
            )

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose nodes that are neither told nor pending."""
        taken, found = taken_keys(history), np.empty((0, self._problem.d))
        edges = [self._edge] if self._edge else (2**k + 1 for k in count(0))
        last = 0
        for edge in edges:
            number = math.prod(self._axis_length(i, edge) for i in range(self._problem.d))
            if number > _MOST_NODES or number == last:
                break
            last = number
            found = np.vstack([found, self._free(edge, number, n - len(found), taken)])
            taken = np.concatenate([taken, keys(found)])
            if len(found) >= n:
                break
        return self._proposal(found, memory)

    def _free(self, edge: int, number: int, n: int, taken: NDArray[np.uint64]) -> Floats:
        """Give up to ``n`` admissible nodes of one grid, in an order that scatters them."""
        axes = [self._axis(i, edge) for i in range(self._problem.d)]
        lengths = [len(axis) for axis in axes]
        # A stride without a common divisor visits every node once, far from the last one.
        stride = next(s for s in count(int(number * 0.6180339887)) if math.gcd(s, number) == 1)
        kept: list[Floats] = []
        have = 0
        for start in range(0, number, _BLOCK):
            order = np.arange(start, min(start + _BLOCK, number), dtype=object) * stride % number
            places = np.unravel_index(order.astype(np.int64), lengths)
            u = np.column_stack([axis[place] for axis, place in zip(axes, places, strict=True)])
            u = u[self._problem.space.admissible(u)]
            u = u[untaken(u, taken)]
            kept.append(u)
            have += len(u)
            if have >= n:
                break
        return np.vstack(kept)[:n] if kept else np.empty((0, self._problem.d))

    def _axis_length(self, i: int, edge: int) -> int:
        values = self._problem.space.parameters[i].values
        return len(values) if values else edge

    def _axis(self, i: int, edge: int) -> Floats:
        parameter = self._problem.space.parameters[i]
        if parameter.values:
            return parameter.to_unit(np.array(parameter.values))
        return np.linspace(0.0, 1.0, edge)
