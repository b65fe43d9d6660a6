"""Bayesian optimisation: points where the best value may lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.estimating import probabilities
from limen.active.feasibility import chance_of_value
from limen.active.improvement import ACQUISITIONS, acquire
from limen.active.keys import keys
from limen.active.problem import FAILED, INVALID, Estimate, History, Problem, Proposal
from limen.active.streaming import draw_untold, initial_points, joined, taken_keys, untaken
from limen.active.surrogates.averaging import Surrogate
from limen.active.surrogates.fidelity import METHODS, fit_with_approximation
from limen.active.surrogates.multitask import fit_multitask
from limen.errors import UsageError

__all__ = ["Optimise"]

Floats = NDArray[np.float64]

DIRECTIONS = ("maximise", "minimise")
# Steps, in unit coordinates, from good points to candidates near them; each round takes a smaller.
_STEPS = (0.1, 0.03, 0.01, 0.003)
_CENTRES, _NEAR = 8, 32
# Beyond so many rows the worst are left out of the process: they say little about the best.
_MOST_ROWS = 1000


class Optimise:
    """
    Evaluate where the largest or smallest value may lie.

    Parameters
    ----------
    problem : Problem
    output : str, optional
        What is optimised; by default the first output.
    minus : str, optional
        An output to subtract, in the modelled scale: of two ``log`` outputs the logarithm of
        their ratio is optimised, for example observed over expected.
    direction : str
        ``maximise`` or ``minimise``.
    acquisition : str
        ``ei`` (expected improvement), ``pi`` (probability of improvement) or ``ucb`` (confidence
        bound).
    beta : float
        Weight of the standard deviation in ``ucb``, not below 0.
    boldness : float
        Members of a batch take the standard deviation for 1 up to so many times as large, so
        that some make sure of the best and some look elsewhere; 1 for a plain batch.
    initial : int, optional
        Points known before the surrogate chooses; by default max(2 d + 2, 8). For a peak that
        fills a share s of the space, take about 1 / s.
    candidates : int
        Draws from the prior at which the acquisition is looked up first; a pool is looked up
        whole.
    fidelity : str
        What rows of an approximation are for: ``auto``, ``none``, ``ar1``, ``multitask``.

    Raises
    ------
    UsageError
        If an option is not allowed.
    """

    name = "optimise"

    def __init__(
        self,
        problem: Problem,
        *,
        output: str | None = None,
        minus: str | None = None,
        direction: str = "maximise",
        acquisition: str = "ei",
        beta: float = 2.0,
        boldness: float = 4.0,
        initial: int | None = None,
        candidates: int = 2048,
        fidelity: str = "auto",
    ) -> None:
        names = [item.name for item in problem.outputs]
        output = names[0] if output is None else output
        self._problem, self._initial = problem, max(2 * problem.d + 2, 8)
        faults = [
            f"{word}: found {found!r}, allowed {', '.join(map(str, allowed))}"
            for word, found, allowed in (
                ("output", output, names),
                ("minus", minus, [*names, None]),
                ("direction", direction, DIRECTIONS),
                ("acquisition", acquisition, ACQUISITIONS),
                ("fidelity", fidelity, METHODS),
            )
            if found not in allowed
        ]
        for word, number, least in (
            ("beta", beta, 0),
            ("boldness", boldness, 1),
            ("initial", self._initial if initial is None else initial, 2),
            ("candidates", candidates, 1),
        ):
            if not least <= number < math.inf:
                faults.append(f"{word}: found {number}, allowed {least} or more")
        if minus == output:
            faults.append(f"minus: found {minus!r}, allowed another output than {output!r}")
        if faults:
            raise UsageError("strategy optimise: " + "; ".join(map(str, faults)))
        self._column = names.index(output)
        self._minus = None if minus is None else names.index(minus)
        self._sign = 1.0 if direction == "maximise" else -1.0
        self._acquisition, self._beta, self._boldness = acquisition, beta, boldness
        self._initial = self._initial if initial is None else initial
        self._candidates, self._fidelity = candidates, fidelity

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose points of the largest acquisition, each as if those before it had been told."""
        taken = taken_keys(history)
        kept = {"given": 0, "sobol": int(rng.integers(2**32)), **memory}
        told, goal, errors = self._objective(history)
        known = np.isfinite(goal) & (told.fidelity == 0)
        if np.count_nonzero(known) + len(history.pending) < self._initial or known.sum() < 2:
            points = initial_points(self._problem, n, kept["sobol"], kept["given"], rng, taken)
            kept["given"] += n
            return joined([(points, np.full(len(points), np.nan), "initial")], kept)
        posterior = self._fitted(told, goal, errors, kept.get("hyperparameters"))
        kept["hyperparameters"] = dict(posterior.hyperparameters)
        chosen, values = self._batch(posterior, history, told.points[known], n, rng, taken)
        left = draw_untold(
            self._problem, n - len(chosen), rng, np.concatenate([taken, keys(chosen)])
        )
        parts = [(chosen, values, "acquired"), (left, np.full(len(left), np.nan), "random")]
        return joined(parts, kept)

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """Say what the process of each output believes."""
        kept = history.rows(history.fidelity == 0)
        errors = np.where(kept.errors > 0, kept.errors, 0.0)
        mean, std = np.empty((len(points), 0)), np.empty((len(points), 0))
        for i in range(self._problem.m):
            known = kept.known & np.isfinite(kept.values[:, i])
            x, y, e = kept.points[known], kept.values[known, i : i + 1], errors[known, i : i + 1]
            found = _fit(x, y, e).mean_std(points)
            mean, std = np.hstack([mean, found[0]]), np.hstack([std, found[1]])
        return Estimate(mean, std, probabilities(self._problem, mean, std))

    def _objective(self, history: History) -> tuple[History, Floats, Floats]:
        """Give what is maximised, shape (n,), its errors, and the rows; NaN where there is none."""
        goal, errors = history.values[:, self._column], history.errors[:, self._column]
        if self._minus is not None:
            goal = goal - history.values[:, self._minus]
            errors = np.hypot(errors, history.errors[:, self._minus])
        valued = ~np.isin(history.status, (FAILED, INVALID))
        goal = np.where(valued, self._sign * goal, np.nan)
        real = np.flatnonzero(np.isfinite(goal) & (history.fidelity == 0))
        kept = np.ones(len(goal), dtype=bool)
        kept[real[np.argsort(-goal[real], kind="stable")[_MOST_ROWS:]]] = False
        return history.rows(kept), goal[kept], np.where(errors > 0, errors, 0.0)[kept]

    def _fitted(self, told: History, goal: Floats, errors: Floats, previous: Any) -> Surrogate:
        finite = np.isfinite(goal)
        return fit_with_approximation(
            told.points[finite],
            goal[finite, None],
            errors[finite, None],
            told.fidelity[finite],
            _fit,
            method=self._fidelity,
            previous=previous,
        )

    def _batch(
        self,
        posterior: Surrogate,
        history: History,
        told: Floats,
        n: int,
        rng: np.random.Generator,
        taken: NDArray[np.uint64],
    ) -> tuple[Floats, Floats]:
        """Choose up to ``n`` points one by one; pending ones and each chosen one are fantasies."""
        feasible = chance_of_value(history)
        if len(history.pending):
            posterior = posterior.conditioned(history.pending)
        known = np.vstack([told, history.pending])
        chosen = np.empty((0, self._problem.d))
        values: list[float] = []
        candidates = self._first(told, posterior, rng)
        exponents = np.linspace(0, 1, n) if n > 1 else rng.random(1)
        for bold in self._boldness**exponents:
            best = float(posterior.mean_std(np.vstack([known, chosen]))[0].max())
            score = partial(self._score, posterior, best, float(bold), feasible)
            used = np.concatenate([taken, keys(chosen)])
            point, value = self._highest(score, candidates, used, rng)
            if point is None:
                break
            chosen, values = np.vstack([chosen, point]), [*values, value]
            posterior = posterior.conditioned(point[None])
        return chosen, np.array(values)

    def _score(
        self, posterior: Surrogate, best: float, bold: float, feasible: Any, points: Floats
    ) -> Floats:
        mean, std = (array[:, 0] for array in posterior.mean_std(points))
        value = acquire(self._acquisition, mean, bold * std, best, self._beta)
        if feasible is None:
            return value
        chance: Floats = feasible(points)
        if self._acquisition == "ucb":
            # A bound has no zero to be scaled from: where evaluations rather fail, it is no bound.
            return np.where(chance > 0.5, value, value - (1 - chance) * (np.ptp(value) + 1))
        likely: Floats = value + np.log(chance)
        return likely

    def _first(self, told: Floats, posterior: Surrogate, rng: np.random.Generator) -> Floats:
        """Candidates: the pool, or draws from the prior and points near the best ones."""
        if self._problem.pool is not None:
            return self._problem.pool
        drawn = self._problem.space.sobol(self._candidates, int(rng.integers(2**32)))
        order = np.argsort(-posterior.mean_std(told)[0][:, 0], kind="stable")[:_CENTRES]
        near = [self._near(told[order], step, rng) for step in _STEPS]
        return np.vstack([self._problem.space.snap(drawn), *near])

    def _near(self, centres: Floats, step: float, rng: np.random.Generator) -> Floats:
        space = self._problem.space
        moved = np.repeat(centres, _NEAR, axis=0)
        moved = space.snap(moved + step * rng.standard_normal(moved.shape))
        return moved[space.admissible(moved)]

    def _highest(
        self, score: Any, candidates: Floats, used: NDArray[np.uint64], rng: np.random.Generator
    ) -> tuple[Floats | None, float]:
        """Find the point of the highest score that is not used: over candidates, then near them."""
        points = candidates[untaken(candidates, used)]
        if not len(points):
            return None, math.nan
        values = score(points)
        if self._problem.pool is None:
            for step in _STEPS:
                order = np.argsort(-values, kind="stable")[:_CENTRES]
                near = self._near(points[order], step, rng)
                near = near[untaken(near, used)]
                points = np.vstack([points[order], near])
                values = (
                    np.concatenate([values[order], score(near)]) if len(near) else values[order]
                )
        highest = int(np.argmax(values))
        return points[highest], float(values[highest])


def _fit(points: Floats, values: Floats, errors: Floats, *, previous: Any = None) -> Surrogate:
    """Fit a process; an optimum worth seeking varies within the box, so its lengths are shorter."""
    d = points.shape[1]
    return fit_multitask(points, values, errors, prior=(0.5 * math.log(d) - 1.5, 0.5))
