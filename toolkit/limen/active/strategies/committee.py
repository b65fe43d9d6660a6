"""
Query by committee: points on whose labels the members of a committee of networks disagree.

After Caron, Heskes, Otten and Stienen, "Constraining the parameters of high-dimensional models with
active learning", arXiv:1905.08628.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.diversity import farthest_first
from limen.active.keys import keys
from limen.active.problem import Estimate, History, Problem, Proposal
from limen.active.streaming import (
    best_of,
    blocks,
    draw_untold,
    initial_points,
    joined,
    taken_keys,
)
from limen.active.surrogates.layers import Settings
from limen.active.surrogates.network_estimates import all_below, estimate_by_labels
from limen.active.surrogates.network_training import fit_network
from limen.active.surrogates.networks import Network
from limen.active.surrogates.training_choice import feasibility
from limen.errors import UsageError

__all__ = ["SCORES", "Committee", "disagreement"]

Floats = NDArray[np.float64]

SCORES = ("nearest", "bald", "vote")
KINDS = ("dropout", "networks")
# Candidates of a high score from which a diverse batch is chosen, for each point of it.
_CHOICE = 4
# Keeps "vote" finite where the members agree or their mean is 0.5: a thousandth of a probability.
_FLOOR = 1e-3


class Committee:
    """
    Evaluate where a committee disagrees on which side of a threshold an output lies.

    Parameters
    ----------
    problem : Problem
        With at least one threshold.
    committee : str
        ``dropout`` (one network whose units are left out at random) or ``networks`` (several
        networks from different starts).
    members : int
        Size of the committee; 25 in the paper for ``dropout``.
    score : str
        ``nearest`` (mean probability nearest to 0.5), ``bald`` (mutual information of label and
        member) or ``vote`` (the paper's released code: distance of the mean from 0.5 over the
        standard deviation of the members, the smallest first; kept finite where they agree).
    initial : int, optional
        Points known before the committee chooses; by default max(2 d + 2, 8).
    random_share : float
        Share of a batch drawn from the prior or the pool, with origin "random".
    candidates : int
        Draws from the prior that are scored in a round; a pool is scored whole.
    diversity : bool
        Choose, among candidates of a high score, points far from one another.
    layers, activation, dropout, rate, batch, steps, epochs, patience, held_out
        See Settings of the networks; ``steps`` and ``epochs`` are per round.
    fresh : bool
        Train from a new start in each round; else go on from the last round's weights.

    Raises
    ------
    UsageError
        If an option is not allowed, or no output has a threshold.
    """

    name = "committee"

    def __init__(
        self,
        problem: Problem,
        *,
        committee: str = "dropout",
        members: int | None = None,
        score: str = "nearest",
        initial: int | None = None,
        random_share: float = 0.1,
        candidates: int = 50_000,
        diversity: bool = False,
        layers: Sequence[int] = (500, 100, 100, 50),
        activation: str = "selu",
        dropout: float = 0.2,
        rate: float = 1e-2,
        batch: int = 256,
        steps: int = 1600,
        epochs: int = 20,
        patience: int = 0,
        held_out: float = 0.05,
        fresh: bool = True,
    ) -> None:
        self._problem = problem
        self._several = committee == "networks"
        self._members = (5 if self._several else 25) if members is None else members
        self._score, self._random, self._candidates = score, random_share, candidates
        self._initial = max(2 * problem.d + 2, 8) if initial is None else initial
        self._diversity, self._fresh = bool(diversity), bool(fresh)
        self._settings = Settings(
            layers=tuple(layers),
            activation=activation,
            dropout=dropout,
            classify=True,
            rate=rate,
            batch=batch,
            epochs=epochs,
            steps=steps,
            patience=patience,
            held_out=held_out,
        )
        faults = []
        for word, found, allowed in (("committee", committee, KINDS), ("score", score, SCORES)):
            if found not in allowed:
                faults.append(f"{word}: found {found!r}, allowed {', '.join(allowed)}")
        if not 0 <= random_share <= 1:
            faults.append(f"random_share: found {random_share}, allowed 0 to 1")
        if not self._several and not dropout > 0:
            faults.append("dropout: found 0, allowed above 0 for a committee by dropout")
        for word, number, least in (
            ("members", self._members, 2),
            ("initial", self._initial, 4),
            ("candidates", candidates, 1),
        ):
            if number < least:
                faults.append(f"{word}: found {number}, allowed {least} or more")
        if not any(output.thresholds for output in problem.outputs):
            faults.append("outputs: found no threshold, allowed one or more; declare one")
        if faults:
            raise UsageError("strategy committee: " + "; ".join(faults))

    def propose(
        self, history: History, n: int, rng: np.random.Generator, memory: Mapping[str, Any]
    ) -> Proposal:
        """
        Propose points of disagreement, with a share of random ones.

        Reserved rows do not train: the networks that are kept may later judge them.
        """
        taken = taken_keys(history)
        kept = {"given": 0, "sobol": int(rng.integers(2**32)), **memory}
        told = history.rows(~history.reserved & (history.fidelity == 0))
        labels = all_below(self._problem, told)
        if np.count_nonzero(told.known) < self._initial or _one_sided(labels):
            points = initial_points(self._problem, n, kept["sobol"], kept["given"], rng, taken)
            kept["given"] += n
            return joined([(points, np.full(len(points), np.nan), "initial")], kept)
        networks = self._trained(told, labels, kept, rng)
        kept["networks"] = [network.to_dict() for network in networks]
        kept["seed"] = int(rng.integers(2**62))
        feasible = feasibility(told, int(rng.integers(2**62)))
        drawn = draw_untold(self._problem, int(n * self._random + rng.random()), rng, taken)
        taken = np.concatenate([taken, keys(drawn)])
        wanted = n - len(drawn)

        def score(points: Floats) -> Floats:
            found = disagreement(self._votes(networks, points, kept["seed"]), self._score)
            return found if feasible is None else found * feasible.predict(points)[:, 0]

        stream = blocks(self._problem, self._candidates, rng, taken)
        points, scores = best_of(stream, score, (_CHOICE if self._diversity else 1) * wanted)
        rows = list(range(min(wanted, len(points))))
        if self._diversity and len(points) > wanted:
            rows = farthest_first(points, wanted, np.vstack([history.pending, drawn]))
        chosen = points[rows].reshape(-1, self._problem.d)
        left = draw_untold(
            self._problem, wanted - len(chosen), rng, np.concatenate([taken, keys(chosen)])
        )
        return joined(
            [
                (chosen, scores[rows], "acquired"),
                (drawn, np.full(len(drawn), np.nan), "random"),
                (left, np.full(len(left), np.nan), "random"),
            ],
            kept,
        )

    def estimate(self, history: History, points: Floats, memory: Mapping[str, Any]) -> Estimate:
        """
        Say what the committee believes: the mean probability of its members.

        Notes
        -----
        Networks are trained again from the rows that are given.
        """
        told = history.rows(~history.reserved & (history.fidelity == 0))
        labels = all_below(self._problem, told)
        networks = self._trained(told, labels, memory, np.random.default_rng(0))

        def mean(at: Floats) -> Floats:
            # With all units a network answers as the mean of its members does, and faster.
            return np.asarray(np.mean([network.predict(at) for network in networks], axis=0))

        share = self._settings.held_out
        return estimate_by_labels(self._problem, told, mean(told.points), mean(points), share)

    def _trained(
        self, told: History, labels: Floats, memory: Mapping[str, Any], rng: np.random.Generator
    ) -> list[Network]:
        usable = np.isfinite(labels).any(axis=1)
        kept = [] if self._fresh else memory.get("networks", [])
        starts = [Network.from_dict(item, self._settings) for item in kept]
        return [
            fit_network(
                told.points[usable],
                labels[usable],
                self._settings,
                seed=int(rng.integers(2**62)),
                start=starts[i] if i < len(starts) else None,
            )
            for i in range(self._members if self._several else 1)
        ]

    def _votes(self, networks: Sequence[Network], points: Floats, seed: int) -> Floats:
        """Give the probabilities of each member, shape (members, n, labels)."""
        if self._several:
            return np.stack([network.predict(points) for network in networks])
        return networks[0].members(points, self._members, seed)


def disagreement(votes: Floats, score: str) -> Floats:
    """
    Score how much members disagree, or how undecided they are.

    Parameters
    ----------
    votes : ndarray, shape (members, n, labels)
        Probabilities.
    score : str
        One of ``SCORES``.

    Returns
    -------
    ndarray, shape (n,)
        Not negative; the largest over the labels. ``nearest`` from 0 to 1, ``bald`` in bit,
        ``vote`` a ratio.

    Notes
    -----
    BALD: Houlsby et al., arXiv:1112.5745. ``vote``: arXiv:1905.08628 as released divides by the
    standard deviation of the votes, which is zero where members agree.

    Examples
    --------
    >>> votes = np.array([[[0.9], [0.5]], [[0.1], [0.5]]])
    >>> disagreement(votes, "nearest"), disagreement(votes, "bald").round(3)
    (array([1., 1.]), array([0.531, 0.   ]))
    """
    mean = votes.mean(axis=0)
    if score == "nearest":
        found = 1 - 2 * np.abs(mean - 0.5)
    elif score == "bald":
        found = np.maximum(_entropy(mean) - _entropy(votes).mean(axis=0), 0.0)
    else:
        found = (votes.std(axis=0) + _FLOOR) / (np.abs(mean - 0.5) + _FLOOR)
    return np.asarray(found.max(axis=1))


def _entropy(p: Floats) -> Floats:
    """Entropy of a label [bit]."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def _one_sided(labels: Floats) -> bool:
    """Say whether no label is known to differ between two rows."""
    return not ((labels == 1).any(axis=0) & (labels == 0).any(axis=0)).any()
