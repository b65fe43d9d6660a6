"""
Iterative scan by networks: points inside a target region, many and all over it.

After Hammad, Park, Ramos and Saha, "Exploration of parameter spaces assisted by machine learning"
(MLscanner), arXiv:2207.09959.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.diversity import farthest_first
from limen.active.keys import keys
from limen.active.oversampling import smote_points, surroundings
from limen.active.problem import OK, Estimate, History, Problem, Proposal
from limen.active.streaming import (
    best_of,
    blocks,
    draw_untold,
    initial_points,
    joined,
    taken_keys,
    untaken,
)
from limen.active.surrogates.layers import Settings
from limen.active.surrogates.network_estimates import (
    all_below,
    estimate_by_labels,
    estimate_by_values,
    values_of,
)
from limen.active.surrogates.network_training import fit_network
from limen.active.surrogates.networks import Network
from limen.active.surrogates.training_choice import CHOICES, choose_rows, feasibility
from limen.active.targets import Target, in_all
from limen.errors import UsageError

__all__ = ["NetworkScan"]

Floats = NDArray[np.float64]

MODES = ("regressor", "classifier")
# Candidates inside the target from which a diverse batch is chosen, for each point of it.
_CHOICE = 10
# Deeper than any candidate that is expected to give a value lies outside the target.
_BROKEN = 1e6
# Known points, for each parameter, around which candidates are drawn.
_PARENTS = 3


class NetworkScan:
    """
    Scan for a target region by a network that is trained again in each round.

    Each round a network learns from all that was told, predicts many candidates, and those it
    places inside the target are proposed, far from one another and from what is known.

    Parameters
    ----------
    problem : Problem
    target : sequence or mapping, optional
        ``[low, high]`` in the unit of the only output, or name of output to ``[low, high]``; an
        end may be None. By default between the thresholds of the outputs that declare two.
    mode : str
        ``regressor`` (the network learns the outputs) or ``classifier`` (it learns what lies
        inside; for outputs that jump).
    initial : int, optional
        Points known before the network chooses; by default max(2 d + 2, 8).
    random_share : float
        Share of a batch drawn from the prior or the pool, with origin "random".
    candidates : int
        Draws from the prior that are predicted in a round; a pool is predicted whole.
    local_share : float
        Further candidates, as a share of those, between and around known points in the target.
    diversity : bool
        Choose points far from known ones and from one another; else those predicted deepest
        inside.
    training : str
        ``all`` rows, or ``balanced``: of those outside only as many as are inside, rectifying
        ones (predicted inside by the last network, and outside) first.
    rectify : float
        How much a rectifying row counts in training, where others count 1.
    rows : int
        Rows that train, at most.
    smote_rounds : int, optional
        Rounds in which SMOTE makes proposals, which are evaluated like any other; by default 3
        for the classifier and none for the regressor. With a pool there are none.
    smote_share : float
        Share of a batch that SMOTE proposes in these rounds.
    layers, activation, rate, batch, steps, epochs
        See Settings of the networks; ``steps`` and ``epochs`` are per round, and training goes on
        from the last round's weights.

    Raises
    ------
    UsageError
        If an option is not allowed, or no target is declared.
    """

    name = "scan"

    def __init__(
        self,
        problem: Problem,
        *,
        target: Sequence[float | None] | Mapping[str, Sequence[float | None]] | None = None,
        mode: str = "regressor",
        initial: int | None = None,
        random_share: float = 0.1,
        candidates: int = 100_000,
        local_share: float = 0.2,
        diversity: bool = True,
        training: str = "all",
        rectify: float = 2.0,
        rows: int = 100_000,
        smote_rounds: int | None = None,
        smote_share: float = 0.5,
        layers: Sequence[int] = (100, 100, 100, 100),
        activation: str = "silu",
        rate: float = 4e-3,
        batch: int = 256,
        steps: int = 500,
        epochs: int = 5,
    ) -> None:
        self._problem = problem
        self._target = Target.of(problem, target)
        self._initial = max(2 * problem.d + 2, 8) if initial is None else initial
        self._random, self._local, self._smote = random_share, local_share, smote_share
        self._candidates, self._diversity, self._rows = candidates, bool(diversity), rows
        self._training, self._rectify = training, rectify
        self._classify = mode == "classifier"
        usual = 3 if self._classify else 0
        self._smote_rounds = usual if smote_rounds is None else smote_rounds
        self._settings = Settings(
            layers=tuple(layers),
            activation=activation,
            classify=self._classify,
            rate=rate,
            batch=batch,
            epochs=epochs,
            steps=steps,
            patience=0,
        )
        faults = _faults(mode, training, random_share, local_share, smote_share)
        for word, number, least in (
            ("initial", self._initial, 4),
            ("candidates", candidates, 1),
            ("rows", rows, 4),
            ("smote_rounds", self._smote_rounds, 0),
        ):
            if number < least:
                faults.append(f"{word}: found {number}, allowed {least} or more")
        if faults:
            raise UsageError("strategy scan: " + "; ".join(faults))

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """
        Propose points predicted inside the target, with a share of random ones.

        Reserved rows do not train: the network that is kept may later judge them.
        """
        taken = taken_keys(history)
        kept = {"rounds": 0, "given": 0, "sobol": int(rng.integers(2**32)), **memory}
        told = history.without_reserved()
        told = told.rows(told.fidelity == 0)
        parts = self._target.labels(told)
        inside = in_all(parts)
        if np.count_nonzero(told.known) < self._initial or (self._classify and _unmet(parts)):
            points = initial_points(self._problem, n, kept["sobol"], kept["given"], rng, taken)
            kept["given"] += n
            return joined([(points, np.full(len(points), np.nan), "initial")], kept)
        network = self._trained(told, parts, kept, rng)
        kept["network"], kept["rounds"] = network.to_dict(), kept["rounds"] + 1
        drawn = draw_untold(self._problem, int(n * self._random + rng.random()), rng, taken)
        taken = np.concatenate([taken, keys(drawn)])
        smote = np.empty((0, self._problem.d))
        if kept["rounds"] <= self._smote_rounds and self._problem.pool is None:
            number = min(int(n * self._smote), n - len(drawn))
            smote = smote_points(self._problem.space, told.points, inside, number, rng)
            smote = smote[untaken(smote, taken)]
            taken = np.concatenate([taken, keys(smote)])
        known = np.vstack([history.points, history.pending, drawn, smote])
        wanted = n - len(drawn) - len(smote)
        chosen, depth = self._chosen(network, told, inside, wanted, known, taken, rng)
        left = draw_untold(
            self._problem, wanted - len(chosen), rng, np.concatenate([taken, keys(chosen)])
        )
        return joined(
            [
                (chosen, depth, "acquired"),
                (smote, self._depth(network, smote), "acquired"),
                (drawn, np.full(len(drawn), np.nan), "random"),
                (left, np.full(len(left), np.nan), "random"),
            ],
            kept,
        )

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """
        Say what the network believes.

        Notes
        -----
        The spread of a regressor is that of its residuals at held-out rows with a like prediction.
        These are rows of the scan, which crowd in the target.
        """
        told = history.rows(~history.reserved & (history.fidelity == 0))
        network = self._trained(told, self._target.labels(told), memory, np.random.default_rng(0))
        if not self._classify:
            return estimate_by_values(self._problem, network, told, points)
        return estimate_by_labels(
            self._problem,
            told,
            network.predict(told.points)[:, len(self._target.intervals) :],
            network.predict(points)[:, len(self._target.intervals) :],
            self._settings.held_out,
        )

    def _trained(
        self, told: History, parts: Floats, memory: Mapping[str, Any], rng: np.random.Generator
    ) -> Network:
        """Train on, from the network that memory holds."""
        start = None
        if "network" in memory:
            start = Network.from_dict(memory["network"], self._settings)
        if self._classify:
            targets = np.column_stack([parts, all_below(self._problem, told)])
        else:
            targets = values_of(told)
        usable = np.isfinite(targets).any(axis=1)
        points, targets, joint = told.points[usable], targets[usable], in_all(parts[usable])
        inside, wrong = joint == 1, np.zeros(len(points), dtype=bool)
        if start is not None:
            wrong = (self._depth(start, points) >= 0) & (joint == 0)
        rows, weights = choose_rows(inside, wrong, self._training, self._rectify, self._rows, rng)
        seed = int(rng.integers(2**62))
        return fit_network(
            points[rows], targets[rows], self._settings, seed=seed, weights=weights, start=start
        )

    def _depth(self, network: Network, points: Floats) -> Floats:
        """Say how deep inside the target points are predicted; 0 on its edge."""
        predicted = network.predict(points)
        if not self._classify:
            return self._target.depth(predicted, network.scale)
        return np.asarray(predicted[:, : len(self._target.intervals)].prod(axis=1) - 0.5)

    def _nearest(self, told: History, inside: Floats, scale: Floats) -> NDArray[np.intp]:
        """Give the rows in the target; while they are few, with those that came nearest to it."""
        members = np.flatnonzero(inside == 1)
        wanted = _PARENTS * self._problem.d
        if self._classify or len(members) >= wanted:
            return members
        told_values = np.flatnonzero(told.status == OK)
        depth = self._target.depth(told.values[told_values], scale)
        nearest = told_values[np.argsort(-depth, kind="stable")[:wanted]]
        return np.union1d(members, nearest)

    def _chosen(
        self,
        network: Network,
        told: History,
        inside: Floats,
        n: int,
        known: Floats,
        taken: NDArray[np.uint64],
        rng: np.random.Generator,
    ) -> tuple[Floats, Floats]:
        """Choose among the candidates: diverse ones inside, then the nearest outside."""
        feasible = feasibility(told, int(rng.integers(2**62)))

        def score(points: Floats) -> Floats:
            depth = self._depth(network, points)
            if feasible is not None:
                # However near the target: what will break comes after all that will not.
                works = feasible.predict(points)[:, 0]
                depth = np.where(works >= 0.5, depth, np.minimum(depth, 0.0) - _BROKEN / works)
            if self._diversity:
                # All inside are alike; which of them are kept is left to chance.
                depth = np.where(depth >= 0, rng.random(len(depth)), depth)
            return depth

        def stream() -> Any:
            yield from blocks(self._problem, self._candidates, rng, taken)
            if self._problem.pool is None:
                number = int(self._local * self._candidates)
                parents = told.points[self._nearest(told, inside, network.scale)]
                near = surroundings(self._problem.space, parents, number, rng)
                yield near[untaken(near, taken)]

        points, scores = best_of(stream(), score, _CHOICE * n)
        within = np.flatnonzero(scores >= 0)
        rows = list(range(min(n, len(points))))
        if self._diversity and len(within) > n:
            rows = farthest_first(points[within], n, known)
        points = points[rows].reshape(-1, self._problem.d)
        return points, self._depth(network, points)


def _unmet(labels: Floats) -> bool:
    """Say whether a classifier has nothing to learn: an interval never met, or no point outside."""
    return not (labels == 1).any(axis=0).all() or not (labels == 0).any()


def _faults(mode: str, training: str, *shares: float) -> list[str]:
    faults = []
    if mode not in MODES:
        faults.append(f"mode: found {mode!r}, allowed {' or '.join(MODES)}")
    if training not in CHOICES:
        faults.append(f"training: found {training!r}, allowed {' or '.join(CHOICES)}")
    if not all(0 <= share <= 1 for share in shares):
        faults.append(f"shares: found {list(shares)}, allowed 0 to 1")
    return faults
