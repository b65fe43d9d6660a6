"""The populations of a campaign in words: what a figure measured on them holds for."""

from __future__ import annotations

from limen.active.parameters import Parameter
from limen.active.problem import Problem
from limen.active.spaces import Space

__all__ = ["asked_about_text", "parameter_text", "prior_text", "reserved_text"]

_LISTED = 6


def prior_text(space: Space) -> str:
    """
    Say the prior of a space.

    Parameters
    ----------
    space : Space

    Returns
    -------
    str

    Examples
    --------
    >>> prior_text(Space.from_mapping({"m": (0, 1), "g": {"range": (0.1, 1), "scale": "log"}}))
    'uniform in m from 0 to 1; log-uniform in g from 0.1 to 1'
    >>> prior_text(Space.from_mapping({"a": (0, 2), "b": (0, 2)}, ["a < b"]))
    'uniform in a from 0 to 2; uniform in b from 0 to 2; where a < b'
    """
    texts = [parameter_text(parameter) for parameter in space.parameters[:_LISTED]]
    left = space.parameters[_LISTED:]
    if left:
        kinds = sorted({_kind(parameter) for parameter in left})
        texts.append(f"{', '.join(kinds)} in {', '.join(item.name for item in left)}")
    if space.constraints:
        texts.append(f"where {' and '.join(space.constraints)}")
    return "; ".join(texts)


def _kind(parameter: Parameter) -> str:
    if parameter.values:
        return "equal shares of the values"
    if isinstance(parameter.prior, tuple):
        _, mean, deviation = parameter.prior
        return f"normal({mean:g}, {deviation:g})"
    return str(parameter.prior)


def parameter_text(parameter: Parameter) -> str:
    """
    Say the prior of one parameter.

    Examples
    --------
    >>> parameter_text(Parameter("m", 0.0, 500.0, unit="GeV"))
    'uniform in m from 0 to 500 GeV'
    """
    unit = "" if parameter.unit == "1" else f" {parameter.unit}"
    return (
        f"{_kind(parameter)} in {parameter.name} from {parameter.low:g} to {parameter.high:g}{unit}"
    )


def asked_about_text(problem: Problem) -> str:
    """
    Say what accuracies and stated errors are averages over: the prior, or the members of a pool.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    str
    """
    if problem.pool is None:
        return prior_text(problem.space)
    return f"the {len(problem.pool)} members of a pool, each counting the same"


def reserved_text(campaign: str, problem: Problem, n: int) -> str:
    """
    Say what the reserved points of a campaign are a sample of.

    Parameters
    ----------
    campaign : str
        Its id.
    problem : Problem
    n : int
        Number of reserved points with an answer.

    Examples
    --------
    >>> from limen.active.outputs import outputs_from_mapping
    >>> space = Space.from_mapping({"m": (0, 1)})
    >>> print(reserved_text("3fa2", Problem(space, outputs_from_mapping({"y": {}})), 12))
    12 points drawn from the prior (uniform in m from 0 to 1) of campaign 3fa2, reserved before
    each round
    """
    if problem.pool is not None:
        return (
            f"{n} of the {len(problem.pool)} members of the pool of campaign {campaign}, drawn at "
            "random before the first round"
        )
    return (
        f"{n} points drawn from the prior ({prior_text(problem.space)}) of campaign {campaign}, "
        "reserved before each round"
    )
