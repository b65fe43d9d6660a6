"""What a campaign's owner should notice: thresholds that nothing crosses, contradictions."""

from __future__ import annotations

import numpy as np

from limen.active.keys import keys
from limen.active.problem import History, Problem

__all__ = ["contradictions", "uncrossed"]

# Standard errors by which equal points may differ.
_ROOM = 5.0


def uncrossed(history: History, problem: Problem) -> list[str]:
    """
    Say which thresholds no known value crosses.

    Parameters
    ----------
    history : History
    problem : Problem

    Returns
    -------
    list of str
        None before anything is known.
    """
    notes, known = [], history.known
    for j, output in enumerate(problem.outputs):
        values = history.values[known, j]
        values = values[np.isfinite(values)]
        for threshold, level in zip(output.thresholds, output.levels, strict=True):
            if not len(values) or ((values < level).any() and (values >= level).any()):
                continue
            side = "below" if (values < level).all() else "at or above"
            low, high = output.from_model([values.min(), values.max()])
            notes.append(
                f"{output.name}: all {len(values)} known values ({low:.6g} to {high:.6g}) lie "
                f"{side} the threshold {threshold:g}; is it in the unit {output.unit!r}, and "
                "does it cross the space at all?"
            )
    return notes


def contradictions(history: History, problem: Problem) -> list[str]:
    """
    Say where equal points have values that differ by more than their stated errors.

    Parameters
    ----------
    history : History
    problem : Problem

    Returns
    -------
    list of str
    """
    real = np.flatnonzero(history.known)
    if len(real) < 2:
        return []
    _, group = np.unique(keys(history.points[real]), return_inverse=True)
    if group.max() + 1 == len(real):
        return []
    notes = []
    for j, output in enumerate(problem.outputs):
        values, errors = history.values[real, j], history.errors[real, j]
        order = np.argsort(group, kind="stable")
        same = group[order][1:] == group[order][:-1]
        gap = np.abs(np.diff(values[order]))
        room = _ROOM * np.hypot(errors[order][1:], errors[order][:-1])
        number = int((same & (gap > room + 1e-9 * np.abs(values[order][1:]))).sum())
        if number:
            notes.append(
                f"{output.name}: {number} repeated points have values that differ by more than "
                "their stated errors; the surrogate takes the difference for noise"
            )
    return notes
