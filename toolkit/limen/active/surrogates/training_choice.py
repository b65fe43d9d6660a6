"""Which rows train a network, and how much each counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.active.problem import FAILED, INVALID, History
from limen.active.surrogates.layers import Settings
from limen.active.surrogates.network_training import fit_network
from limen.active.surrogates.networks import Network

__all__ = ["CHOICES", "choose_rows", "feasibility"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHOICES = ("all", "balanced")
# Fewer broken points than these say nothing about where they lie.
_LEAST_BROKEN = 5
_FEASIBILITY = Settings(
    layers=(64, 64),
    activation="silu",
    dropout=0.2,
    classify=True,
    rate=5e-3,
    epochs=20,
    steps=400,
    patience=0,
)


def choose_rows(
    inside: Bools, wrong: Bools, choice: str, rectify: float, most: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Floats]:
    """
    Choose the rows that train.

    Parameters
    ----------
    inside : ndarray of bool, shape (n,)
        Rows in the target.
    wrong : ndarray of bool, shape (n,)
        Rectifying rows: predicted in the target and not there.
    choice : str
        ``all``, or ``balanced``: of the rows outside only as many as are inside (and at least as
        many as are rectifying), rectifying ones first.
    rectify : float
        How much a rectifying row counts.
    most : int
        Rows, at most; of more a random choice, rows inside and rectifying ones first.
    rng : numpy.random.Generator

    Returns
    -------
    rows : ndarray of int, shape (r,)
    weights : ndarray, shape (r,)
    """
    # Within a class the order is random, so that what is cut off is a random part of it.
    order = rng.permutation(len(inside))
    order = order[np.argsort(~(inside | wrong)[order], kind="stable")]
    if choice == "balanced":
        first = int(np.count_nonzero(inside | wrong))
        order = order[: max(first, 2 * int(np.count_nonzero(inside)), 20)]
    rows = np.sort(order[:most])
    return rows, np.where(wrong[rows], rectify, 1.0)


def feasibility(history: History, seed: int) -> Network | None:
    """Train a small classifier of where evaluations give a value; None if too few did not."""
    broken = np.isin(history.status, (FAILED, INVALID)) & (history.fidelity == 0)
    kept = broken | history.known
    if np.count_nonzero(broken) < _LEAST_BROKEN or not history.known.any():
        return None
    labels = (~broken[kept]).astype(np.float64)[:, None]
    return fit_network(history.points[kept], labels, _FEASIBILITY, seed=seed)
