"""Evaluators that are Python functions."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from limen.active.problem import Problem
from limen.errors import UsageError

__all__ = ["PythonFunction"]

_ALLOWED = "allowed 'package.module:name' or 'file.py:name'"


class PythonFunction:
    """
    A function that is called with one point.

    It takes the parameters by name, or all of them as one mapping, and returns what
    :func:`limen.active.evaluators.outcome_of` reads.

    Parameters
    ----------
    function : callable or str
        Or where it is found: ``package.module:name``, ``file.py:name``. Other processes find it
        there again.

    Raises
    ------
    UsageError
        If there is no such function.

    Examples
    --------
    >>> PythonFunction(lambda m, g: m * g)({"m": 2.0, "g": 3.0}, "a-000001")
    6.0
    >>> PythonFunction(lambda point: point["m"])({"m": 2.0, "g": 3.0}, "a-000001")
    2.0
    """

    def __init__(self, function: Callable[..., Any] | str) -> None:
        self.place = _settled(function) if isinstance(function, str) else function
        self._function = _find(self.place) if isinstance(self.place, str) else self.place
        if not callable(self._function):
            raise UsageError(f"function {function}: found no function there, {_ALLOWED}")

    def __repr__(self) -> str:
        return f"PythonFunction({self.place!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return PythonFunction, (self.place,)

    def check(self, problem: Problem) -> None:
        """
        Refuse a problem whose parameters the function does not take.

        Raises
        ------
        UsageError
        """
        self._by_name(tuple(problem.space.names))

    def check_portable(self) -> None:
        """
        Refuse a function that other processes cannot find.

        Raises
        ------
        UsageError
        """
        try:
            pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UsageError(
                f"function {self._name}: other processes cannot find it ({error}); define it at "
                "the top of a module and give it as 'package.module:name' or 'file.py:name'"
            ) from error

    def __call__(self, point: Mapping[str, float], name: str) -> Any:
        """Call the function with a point."""
        if self._by_name(tuple(point)):
            return self._function(**point)
        return self._function(dict(point))

    @property
    def _name(self) -> str:
        return str(getattr(self._function, "__name__", self._function))

    def _by_name(self, names: tuple[str, ...]) -> bool:
        """Say whether the function takes the parameters by name."""
        try:
            taken = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):
            return False
        fixed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken)
        named = [p for p in taken if p.kind not in (*fixed, inspect.Parameter.VAR_KEYWORD)]
        free = {p.name for p in named if p.default is not inspect.Parameter.empty}
        needed = [p.name for p in named if p.name not in free]
        known = set(needed) | free
        if (open_ended or known >= set(names)) and set(needed) <= set(names):
            return True
        places = [p for p in taken if p.kind is inspect.Parameter.POSITIONAL_ONLY]
        positional = [p.name for p in places if p.default is inspect.Parameter.empty] + needed
        if not set(needed) & set(names) and (len(positional) == 1 or (taken and not positional)):
            return False
        raise UsageError(
            f"function {self._name}: takes {', '.join(p.name for p in taken) or 'nothing'}, "
            f"allowed the parameters {', '.join(names)} by name, or one mapping of them"
        )


def _settled(place: str) -> str:
    """Give a place that other processes understand, wherever they run."""
    return os.path.abspath(place) if place.rpartition(":")[0].endswith(".py") else place


def _find(place: str) -> Any:
    source, _, name = place.rpartition(":")
    if not source or not name:
        raise UsageError(f"function: found {place!r}, {_ALLOWED}")
    found: Any = _load(Path(source)) if source.endswith(".py") else _import(source)
    for step in name.split("."):
        if not hasattr(found, step):
            raise UsageError(f"function {place}: found no {step!r} there, {_ALLOWED}")
        found = getattr(found, step)
    return found


def _import(source: str) -> ModuleType:
    """Import a module; as for a script, the present folder counts."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(source)
    except ImportError as error:
        raise UsageError(
            f"function {source}: cannot be imported ({error}), {_ALLOWED}; install what it needs"
        ) from error


def _load(path: Path) -> ModuleType:
    """Load a file as a module; as for a script, its neighbours can be imported."""
    if not path.is_file():
        raise UsageError(f"function: found no file {path}, {_ALLOWED}")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"limen_evaluator_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"function: {path} is no Python file, {_ALLOWED}")
    module = importlib.util.module_from_spec(spec)
    if str(path.resolve().parent) not in sys.path:
        sys.path.append(str(path.resolve().parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(
            f"function: {path} cannot be loaded ({type(error).__name__}: {error}); correct it"
        ) from error
    return module
