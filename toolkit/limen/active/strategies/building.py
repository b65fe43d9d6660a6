"""Making a strategy of its name and options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from limen.active.problem import Problem, Strategy
from limen.errors import UsageError

__all__ = ["NAMES", "build"]

_CLASSES = {
    "committee": "limen.active.strategies.committee:Committee",
    "grid": "limen.active.strategies.baselines:Grid",
    "latin-hypercube": "limen.active.strategies.baselines:LatinHypercube",
    "level-set": "limen.active.strategies.levelset:LevelSet",
    "optimise": "limen.active.strategies.optimising:Optimise",
    "random": "limen.active.strategies.baselines:Random",
    "scan": "limen.active.strategies.scanning:NetworkScan",
    "sobol": "limen.active.strategies.baselines:Sobol",
}

NAMES = tuple(_CLASSES)


def build(name: str, problem: Problem, options: Mapping[str, Any] | None = None) -> Strategy:
    """
    Make a strategy.

    Parameters
    ----------
    name : str
        One of ``NAMES``.
    problem : Problem
    options : mapping, optional
        Plain data for JSON; what they are is said by the strategy's class.

    Returns
    -------
    Strategy

    Raises
    ------
    UsageError
        If there is no such strategy, or it has no such option.
    MissingExtraError
        If its libraries are not installed.
    """
    if name not in _CLASSES:
        raise UsageError(f"strategy: found {name!r}, allowed {', '.join(NAMES)}")
    module, _, word = _CLASSES[name].partition(":")
    kind = getattr(import_module(module), word)
    allowed = [option for option in inspect.signature(kind).parameters if option != "problem"]
    unknown = sorted(set(options or {}) - set(allowed))
    if unknown:
        found = ", ".join(map(repr, unknown))
        told = f"allowed {', '.join(allowed)}" if allowed else "it has no options"
        raise UsageError(f"strategy {name}: found option {found}; {told}")
    return cast(Strategy, kind(problem, **(options or {})))
