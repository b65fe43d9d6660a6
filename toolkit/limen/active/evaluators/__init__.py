"""Who evaluates the points of a campaign: Python functions, external programs, other people."""

from __future__ import annotations

from limen.active.evaluators.documents import Description, described, read_description
from limen.active.evaluators.drops import Drop, read_drop, tell_drop, write_drop
from limen.active.evaluators.exchange import Input, Output
from limen.active.evaluators.functions import PythonFunction
from limen.active.evaluators.outcomes import Evaluator, Job, Outcome, failure, outcome_of
from limen.active.evaluators.programs import Program

__all__ = [
    "Description",
    "Drop",
    "Evaluator",
    "Input",
    "Job",
    "Outcome",
    "Output",
    "Program",
    "PythonFunction",
    "described",
    "failure",
    "outcome_of",
    "read_description",
    "read_drop",
    "tell_drop",
    "write_drop",
]
