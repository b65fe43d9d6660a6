"""Learning a model from a scan, and turning it into a graph that gives the same answers."""

from __future__ import annotations

from limen.estimators.adoption import adopt
from limen.estimators.assembly import assemble, reference
from limen.estimators.fitted import FittedModel, require
from limen.estimators.fitting import KINDS, fit
from limen.estimators.verification import probe_rows, threshold_rows, verify

__all__ = [
    "KINDS",
    "FittedModel",
    "adopt",
    "assemble",
    "fit",
    "probe_rows",
    "reference",
    "require",
    "threshold_rows",
    "verify",
]
