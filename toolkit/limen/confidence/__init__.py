"""
What a probability is worth: calibration, SUSY-AI's binned accuracy and split-conformal sets.

Three things with three names: a *calibrated probability* of the label being 1, the
*classification confidence* (how often this classification is right among points of the same
population with a similar probability), and *conformal coverage* (how often a set or interval holds
the truth, on average over a population).
"""

from __future__ import annotations

from limen.confidence.accuracy import (
    accuracy_bins,
    classification_confidence,
    coverage,
    populated_edges,
    wilson_interval,
)
from limen.confidence.calibration import MAX_KNOTS, Calibration, fit_calibration
from limen.confidence.conformal import (
    class_scores,
    conformal_interval,
    conformal_quantile,
    conformal_sets,
    interval_scores,
    stated_quantile,
)

__all__ = [
    "MAX_KNOTS",
    "Calibration",
    "accuracy_bins",
    "class_scores",
    "classification_confidence",
    "conformal_interval",
    "conformal_quantile",
    "conformal_sets",
    "coverage",
    "fit_calibration",
    "interval_scores",
    "populated_edges",
    "stated_quantile",
    "wilson_interval",
]
