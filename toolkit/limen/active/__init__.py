"""
Campaigns: extend a bundle with the points that teach most.

A campaign asks points, whoever can evaluates them, and tells; strategies choose what to ask.
"""

from limen.active.campaign import Campaign
from limen.active.extending import extend
from limen.active.outputs import Output, outputs_from_mapping
from limen.active.parameters import Parameter
from limen.active.problem import Estimate, History, Problem, Proposal, Strategy
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
