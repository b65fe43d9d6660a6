"""What an evaluation gives, and the door through which whatever an evaluator returns must pass."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from limen.active.problem import STATUSES, Problem
from limen.errors import StorageError

__all__ = ["Evaluator", "Job", "Outcome", "failure", "outcome_of"]

_OK, _FAILED, _, _CENSORED = STATUSES
_NOTES = ("status", "message", "cost")
_ERROR = "_err"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Result of the evaluation of one point.

    Attributes
    ----------
    values, errors : mapping of str to float
        By output, in its unit; of a censored point its bound.
    status : str
        ``ok``, ``failed`` (the evaluation broke), ``invalid`` (the point is unphysical) or
        ``censored`` (no sensitivity; the value is a bound).
    message : str
        Reason, if it is not ``ok``.
    cost : float or None
        Time by the clock [s], or whatever the evaluator counts.

    Examples
    --------
    >>> Outcome({"y": 1.0}).status
    'ok'
    """

    values: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    status: str = _OK
    message: str = ""
    cost: float | None = None


class Evaluator(Protocol):
    """Evaluates points, one at a time; sent to other processes by pickle."""

    def check(self, problem: Problem) -> None:
        """Refuse a problem whose points it cannot evaluate, before any is."""
        ...

    def __call__(self, point: Mapping[str, float], name: str) -> Any:
        """
        Evaluate a point.

        Parameters
        ----------
        point : mapping of str to float
            By parameter, in the units of the space.
        name : str
            Its id.

        Returns
        -------
        object
            What :func:`outcome_of` reads.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """
    What executors run, in this process or another: an evaluator that gives an outcome always.

    Attributes
    ----------
    evaluator : Evaluator
    outputs : tuple of str
        Names that a result needs.
    """

    evaluator: Evaluator
    outputs: tuple[str, ...]

    def __call__(self, name: str, point: Mapping[str, float]) -> Outcome:
        """
        Evaluate a point.

        Raises
        ------
        StorageError
            If the disk is full or cannot be written: no fault of the point.
        """
        started = time.monotonic()
        try:
            outcome = outcome_of(self.evaluator(dict(point), name), self.outputs)
        except StorageError:
            raise
        # An evaluator is foreign code: whatever it raises is the failure of this point.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            outcome = failure(_raised(error))
        if outcome.cost is None:
            outcome = replace(outcome, cost=round(time.monotonic() - started, 4))
        return outcome


def failure(message: str) -> Outcome:
    """Give the outcome of an evaluation that broke."""
    return Outcome(status=_FAILED, message=message)


def outcome_of(returned: Any, outputs: Sequence[str]) -> Outcome:
    """
    Read what an evaluator returned.

    Parameters
    ----------
    returned : object
        A number for a single output; a mapping by output, with standard errors as ``OUTPUT_err``
        and, if you like, ``status``, ``message`` and ``cost``; or an outcome.
    outputs : sequence of str

    Returns
    -------
    Outcome
        Failed, with all reasons, if values are missing, unknown or no finite numbers.

    Examples
    --------
    >>> outcome_of({"y": "2.5e"}, ["y"]).message
    "y: found '2.5e', allowed a finite number"
    """
    if isinstance(returned, Outcome):
        told = {**returned.values, **{f"{k}{_ERROR}": v for k, v in returned.errors.items()}}
        told |= {key: getattr(returned, key) for key in _NOTES}
        return _checked(told, outputs)
    if isinstance(returned, Mapping):
        return _checked(returned, outputs)
    if len(outputs) == 1 and _is_number(returned):
        return _checked({outputs[0]: returned}, outputs)
    single = "a number or " if len(outputs) == 1 else ""
    return failure(
        f"returned {_short(returned)}, allowed {single}a mapping with {', '.join(outputs)}"
    )


def _raised(error: BaseException) -> str:
    """Say what was raised, and where."""
    said = f"raised {type(error).__name__}: {error}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)[1:]
    place = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
    return f"{said[:1500]}{place}"


def _checked(told: Mapping[str, Any], outputs: Sequence[str]) -> Outcome:
    status = told.get("status", _OK)
    message, cost = str(told.get("message") or ""), told.get("cost")
    if status not in STATUSES:
        return failure(f"status: found {_short(status)}, allowed {', '.join(STATUSES)}")
    faults, values, errors = [], {}, {}
    allowed = {*outputs, *(f"{name}{_ERROR}" for name in outputs), *_NOTES}
    unknown = [str(name) for name in told if name not in allowed]
    if unknown:
        faults.append(f"found {', '.join(unknown)}, allowed {', '.join(outputs)}")
    if cost is not None and not (_is_number(cost) and 0 <= float(cost) < math.inf):
        faults.append(f"cost: found {_short(cost)}, allowed a number of 0 or more")
    for name in outputs if status in (_OK, _CENSORED) else ():
        if name not in told:
            faults.append(f"{name}: found nothing, allowed a finite number")
        elif not _is_number(told[name]) or not math.isfinite(told[name]):
            faults.append(f"{name}: found {_short(told[name])}, allowed a finite number")
        else:
            values[name] = float(told[name])
        error = told.get(f"{name}{_ERROR}")
        if error is not None and not (_is_number(error) and 0 <= float(error) < math.inf):
            faults.append(f"{name}_err: found {_short(error)}, allowed a number of 0 or more")
        elif error is not None:
            errors[name] = float(error)
    if faults:
        return failure("; ".join(faults))
    return Outcome(values, errors, status, message, None if cost is None else float(cost))


def _is_number(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "fiu"
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _short(value: Any) -> str:
    if isinstance(value, str | int | float | np.number) or value is None:
        return repr(value if not isinstance(value, np.number) else value.item())[:60]
    return f"{type(value).__name__} {str(value)[:40]!r}"
