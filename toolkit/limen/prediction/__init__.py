"""Verdicts on model points: the door for points, the predictor, what it answers."""

from limen.prediction.answers import label_of
from limen.prediction.predictor import Predictor
from limen.prediction.rows import about, verdict_rows
from limen.prediction.verdict import VERDICTS, Verdict, Verdicts

__all__ = ["VERDICTS", "Predictor", "Verdict", "Verdicts", "about", "label_of", "verdict_rows"]
