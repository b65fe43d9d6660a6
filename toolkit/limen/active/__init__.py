"""
Campaigns: extend a bundle with the points that teach most.

A campaign asks points, whoever can evaluates them, and tells; strategies choose what to ask.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.active.campaign import Campaign
    from limen.active.extending import extend
    from limen.active.parameters import Parameter
    from limen.active.problem import (
        Estimate,
        History,
        Output,
        Problem,
        Proposal,
        Strategy,
        outputs_from_mapping,
    )
    from limen.active.report import write_report
    from limen.active.running import run
    from limen.active.spaces import Space
    from limen.active.strategies import build
    from limen.active.telling import Told

__all__ = [
    "Campaign",
    "Estimate",
    "History",
    "Output",
    "Parameter",
    "Problem",
    "Proposal",
    "Space",
    "Strategy",
    "Told",
    "build",
    "extend",
    "outputs_from_mapping",
    "run",
    "write_report",
]

_MODULES = {
    "Campaign": "campaign",
    "Estimate": "problem",
    "History": "problem",
    "Output": "problem",
    "Parameter": "parameters",
    "Problem": "problem",
    "Proposal": "problem",
    "Space": "spaces",
    "Strategy": "problem",
    "Told": "telling",
    "build": "strategies",
    "extend": "extending",
    "outputs_from_mapping": "problem",
    "run": "running",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
