"""Level sets: points that teach most about on which side of a threshold the others lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.acquisitions import (
    ACQUISITIONS,
    entropy,
    misclassification,
    straddle,
    targeted_variance,
)
from limen.active.batches import BATCHES, greedy, poisson_disc
from limen.active.estimating import SURROGATES, estimate_by_process, fit_history
from limen.active.feasibility import chance_of_value
from limen.active.keys import keys
from limen.active.problem import Estimate, History, Problem, Proposal
from limen.active.streaming import draw_untold, initial_points, joined, taken_keys, untaken
from limen.active.surrogates.averaging import Surrogate
from limen.active.surrogates.fidelity import METHODS
from limen.errors import UsageError

__all__ = ["LevelSet"]

Floats = NDArray[np.float64]

# Candidates, of the most promising, that a batch is chosen from jointly.
_JOINT = 512
# Of them, those by which the variance at contours falls most are looked at one step ahead.
_AHEAD = 128
# Variance of an evaluation, in units of the spread of the values.
_NUGGET = 1e-6
# Standard deviations within which a point lies in the uncertain band.
_BAND = 2.0


class LevelSet:
    """
    Evaluate where it is least known on which side of a threshold the value lies.

    Parameters
    ----------
    problem : Problem
        Each threshold of each output is sought; at least one output has one.
    acquisition : str
        ``misclassification`` (of all points, expected after the evaluation), ``timse`` (targeted
        variance), ``entropy`` (of the exclusion) or ``straddle``.
    batch : str
        ``greedy`` (joint conditioning), ``poisson`` (Poisson disc in the uncertain band) or
        ``top``.
    surrogate : str
        ``process``: one for each output; ``rough``: the same for functions with kinks and values
        that scatter; ``multitask``: one over all; ``espejo``: the form of
        ATL-PHYS-PUB-2022-045.
    fidelity : str
        What rows of an approximation are for: ``auto``, ``none``, ``ar1``, ``multitask``.
    initial : int, optional
        Points known before the surrogate chooses; by default 2 d + 2.
    candidates : int
        Draws from the prior among which points are chosen; a pool is looked up whole.

    Raises
    ------
    UsageError
        If an option is not allowed, or no output has a threshold.
    """

    name = "level-set"

    def __init__(
        self,
        problem: Problem,
        *,
        acquisition: str = "misclassification",
        batch: str = "greedy",
        surrogate: str = "process",
        fidelity: str = "auto",
        initial: int | None = None,
        candidates: int = 4096,
    ) -> None:
        faults = [
            f"{word}: found {found!r}, allowed {', '.join(allowed)}"
            for word, found, allowed in (
                ("acquisition", acquisition, ACQUISITIONS),
                ("batch", batch, BATCHES),
                ("surrogate", surrogate, SURROGATES),
                ("fidelity", fidelity, METHODS),
            )
            if found not in allowed
        ]
        for word, number, least in (
            ("initial", 2 * problem.d + 2 if initial is None else initial, 2),
            ("candidates", candidates, 16),
        ):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                faults.append(f"{word}: found {number!r}, allowed {least} or more")
        if not any(output.thresholds for output in problem.outputs):
            faults.append("outputs: found no threshold, allowed one or more: whose contour?")
        if faults:
            raise UsageError("strategy level-set: " + "; ".join(faults))
        self._problem, self._candidates = problem, candidates
        self._acquisition, self._batch = acquisition, batch
        self._surrogate, self._fidelity = surrogate, fidelity
        self._initial = 2 * problem.d + 2 if initial is None else initial

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """Propose points near the contours; a scrambled Sobol sequence before values are known."""
        taken = taken_keys(history)
        kept = {"given": 0, "sobol": int(rng.integers(2**32)), **memory}
        real = np.isfinite(history.values[history.known]).sum(axis=0)
        started = len(history.points) + len(history.pending) - int((history.fidelity > 0).sum())
        missing = min(max(self._initial - started, 0), n)
        if real.min(initial=0 if not history.known.any() else 2**31) < 2:
            missing = n
        parts = []
        if missing:
            points = initial_points(
                self._problem, missing, kept["sobol"], kept["given"], rng, taken
            )
            kept["given"] += missing
            parts.append((points, np.full(len(points), np.nan), "initial"))
            taken = np.concatenate([taken, keys(points)])
        if n > missing:
            posterior = self.posterior(history, memory)
            kept["hyperparameters"] = dict(posterior.hyperparameters)
            waiting = [history.pending, *(part[0] for part in parts)]
            points, values = self._chosen(
                posterior, history, np.vstack(waiting), n - missing, rng, taken
            )
            left = draw_untold(
                self._problem,
                n - missing - len(points),
                rng,
                np.concatenate([taken, keys(points)]),
            )
            parts += [(points, values, "acquired"), (left, np.full(len(left), np.nan), "random")]
        return joined(parts, kept)

    def posterior(self, history: History, memory: Mapping[str, Any]) -> Surrogate:
        """Give the surrogate of what is known."""
        return fit_history(self._problem, history, memory, self._surrogate, self._fidelity)

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """Say what the surrogate believes at points."""
        return estimate_by_process(
            self._problem, history, points, memory, self._surrogate, self._fidelity
        )

    def _chosen(
        self,
        posterior: Surrogate,
        history: History,
        pending: Floats,
        n: int,
        rng: np.random.Generator,
        taken: NDArray[np.uint64],
    ) -> tuple[Floats, Floats]:
        if len(pending):
            posterior = posterior.conditioned(pending)
        if self._problem.pool is not None:
            candidates = self._problem.pool
        else:
            space = self._problem.space
            candidates = space.snap(space.sobol(self._candidates, int(rng.integers(2**32))))
        candidates = candidates[untaken(candidates, taken)]
        if not len(candidates):
            return candidates, np.empty(0)
        mean, std = posterior.mean_std(candidates)
        # The label of a member is what its own evaluation says, with what no neighbour foretells.
        pooled = self._problem.pool is not None
        own = np.array([pooled * posterior.noise(j) for j in range(self._problem.m)])
        std = np.sqrt(std**2 + own)
        scale = self._scales(history)
        feasible = chance_of_value(history)
        chance = np.ones(len(candidates)) if feasible is None else feasible(candidates)
        first = self._score(mean, std**2, scale, chance)
        if self._batch == "poisson":
            inside = np.flatnonzero(self._inside(mean, std))
            if len(inside) >= n:
                apart = inside[poisson_disc(candidates[inside], first[inside], n, pending)]
                return candidates[apart], first[apart]
        if self._batch == "top":
            highest = np.argsort(-first, kind="stable")[:n]
            return candidates[highest], first[highest]
        joint = np.argsort(-first, kind="stable")[: max(_JOINT, 2 * n)]
        points, mean, chance = candidates[joint], mean[joint], chance[joint]
        covariances = [posterior.covariance(points, points, j) for j in range(self._problem.m)]
        for covariance, noise in zip(covariances, own, strict=True):
            covariance[np.diag_indices_from(covariance)] += noise

        def score(left: Sequence[Floats]) -> Floats:
            variance = np.column_stack([covariance.diagonal() for covariance in left])
            return self._score(mean, variance, scale, chance, left)

        some, values = greedy(score, covariances, n)
        return points[some], np.array(values)

    def _scales(self, history: History) -> Floats:
        """Spread of the known values of each output, by which distances are comparable."""
        values = history.values[history.known]
        spread = np.array([np.nanstd(column) for column in values.T])
        return np.where(spread > 0, spread, 1.0)

    def _inside(self, mean: Floats, std: Floats) -> NDArray[np.bool_]:
        inside = np.zeros(len(mean), dtype=bool)
        for j, output in enumerate(self._problem.outputs):
            for level in output.levels:
                inside |= np.abs(mean[:, j] - level) < _BAND * std[:, j]
        return inside

    def _score(
        self,
        mean: Floats,
        variance: Floats,
        scale: Floats,
        chance: Floats,
        covariances: Sequence[Floats] = (),
    ) -> Floats:
        """Value of the acquisition for the contour that each candidate teaches most about."""
        # By output and threshold, in units of the spread of the values.
        contours = [
            (mean[:, j] / scale[j], variance[:, j] / scale[j] ** 2, level / scale[j])
            for j, output in enumerate(self._problem.outputs)
            for level in output.levels
        ]
        shares = [
            covariance / scale[j] ** 2
            for j, covariance in enumerate(covariances)
            for _ in self._problem.outputs[j].levels
        ]
        if self._acquisition == "entropy":
            best = np.max([entropy(m, v, at) for m, v, at in contours], axis=0)
        elif not shares or self._acquisition == "straddle":
            best = np.max([straddle(m, v, at) for m, v, at in contours], axis=0)
        else:
            falls = [
                targeted_variance(m, v, c, at, _NUGGET)
                for (m, v, at), c in zip(contours, shares, strict=True)
            ]
            best = np.sum(falls, axis=0)
        # Where evaluations rather fail, a point is worth less, whatever the sign of its value.
        best = best - (1 - chance) * (np.ptp(best) + np.abs(best))
        if not shares or self._acquisition != "misclassification":
            return np.asarray(best)
        rows = np.argsort(-best, kind="stable")[:_AHEAD]
        ahead = np.full(len(best), -np.inf)
        falls = [
            misclassification(m, v, c, at, _NUGGET, rows)
            for (m, v, at), c in zip(contours, shares, strict=True)
        ]
        ahead[rows] = chance[rows] * np.sum(falls, axis=0)
        return ahead
