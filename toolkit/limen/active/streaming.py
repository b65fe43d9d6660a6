"""
Candidates in blocks: from a user's pool or drawn through the prior, without what is known.

A pool may be of any size: it is scored block by block and only the best are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.keys import keys
from limen.active.problem import History, Problem, Proposal

__all__ = ["best_of", "blocks", "draw_untold", "initial_points", "joined", "taken_keys", "untaken"]

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

BLOCK = 16_384
# A discrete space is given up as exhausted after this many blocks without a new point.
_TRIES = 50


def taken_keys(history: History) -> Keys:
    """Give the keys of all points that are told or pending."""
    return np.unique(keys(np.vstack([history.points, history.pending])))


def untaken(points: Floats, taken: Keys) -> NDArray[np.intp]:
    """Give the rows that are not taken, of equal ones the first."""
    found, first = np.unique(keys(points), return_index=True)
    return np.sort(first[~np.isin(found, taken)])


def blocks(
    problem: Problem, number: int, rng: np.random.Generator, taken: Keys, size: int = BLOCK
) -> Iterator[Floats]:
    """
    Give candidates: all of the pool, or draws from the prior.

    Parameters
    ----------
    problem : Problem
    number : int
        Draws, if there is no pool.
    rng : numpy.random.Generator
    taken : ndarray of uint64
        Keys of points to leave out.
    size : int
        Rows of a block.

    Yields
    ------
    ndarray, shape (at most size, d)
        Unit coordinates, admissible and snapped.
    """
    if problem.pool is not None:
        for start in range(0, len(problem.pool), size):
            block = problem.pool[start : start + size]
            yield block[untaken(block, taken)]
        return
    for start in range(0, number, size):
        block = problem.space.snap(problem.space.draw(min(size, number - start), rng))
        yield block[untaken(block, taken)]


def draw_untold(problem: Problem, n: int, rng: np.random.Generator, taken: Keys) -> Floats:
    """
    Draw points that are not taken from the pool or the prior; fewer if there are no more.

    Parameters
    ----------
    problem : Problem
    n : int
    rng : numpy.random.Generator
    taken : ndarray of uint64

    Returns
    -------
    ndarray, shape (at most n, d)
    """
    if problem.pool is not None:
        left = untaken(problem.pool, taken)
        chosen = rng.choice(left, min(n, len(left)), replace=False)
        return np.asarray(problem.pool[chosen])
    found = np.empty((0, problem.d))
    for _ in range(_TRIES):
        more = problem.space.snap(problem.space.draw(n, rng))
        found = np.vstack([found, more])
        found = found[untaken(found, taken)][:n]
        if len(found) == n:
            break
    return found


def initial_points(
    problem: Problem, n: int, seed: int, start: int, rng: np.random.Generator, taken: Keys
) -> Floats:
    """
    Give points of an initial design: scrambled Sobol through the prior, or draws from the pool.

    Parameters
    ----------
    problem : Problem
    n : int
    seed : int
        Of the sequence, the same at each ask.
    start : int
        Points of the sequence that were given before.
    rng : numpy.random.Generator
        For what the sequence cannot give.
    taken : ndarray of uint64

    Returns
    -------
    ndarray, shape (at most n, d)
    """
    if problem.pool is not None:
        return draw_untold(problem, n, rng, taken)
    points = problem.space.snap(problem.space.sobol(n, seed, start))
    points = points[untaken(points, taken)]
    if len(points) == n:
        return points
    more = draw_untold(problem, n - len(points), rng, np.concatenate([taken, keys(points)]))
    return np.vstack([points, more])


def best_of(
    stream: Iterator[Floats], score: Callable[[Floats], Floats], keep: int
) -> tuple[Floats, Floats]:
    """
    Keep the candidates of a stream with the highest scores.

    Parameters
    ----------
    stream : iterator of ndarray, shape (n, d)
    score : callable
        Scores, shape (n,), of a block.
    keep : int

    Returns
    -------
    points : ndarray, shape (at most keep, d)
        Highest score first; of equal points one.
    scores : ndarray
    """
    points, scores = None, np.empty(0)
    for block in stream:
        if not len(block):
            continue
        points = block if points is None else np.vstack([points, block])
        scores = np.concatenate([scores, score(block)])
        order = np.argsort(-scores, kind="stable")[:keep]
        points, scores = points[order], scores[order]
    if points is None:
        return np.empty((0, 0)), scores
    kept = untaken(points, np.empty(0, np.uint64))
    return points[kept], scores[kept]


def joined(parts: Sequence[tuple[Floats, Floats, str]], memory: Mapping[str, Any]) -> Proposal:
    """Join points, their acquisition values and their common origin, part by part."""
    origin = tuple(word for part in parts for word in [part[2]] * len(part[0]))
    return Proposal(
        np.vstack([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        origin,
        memory,
    )
