"""Verdicts in words: what is said of a point, how sure that is, and what it does not mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limen_app.showing import number, plain, quantity

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdict

__all__ = ["Saying", "accuracy_at", "confidence_sentences", "headline", "meaning", "share"]

_WORDS = {
    "excluded": ("EXCLUDED", "block", "A test at the stated confidence level excludes this point."),
    "not_excluded": (
        "NOT EXCLUDED",
        "radio_button_unchecked",
        "No test behind this label excludes this point. That is no endorsement of it.",
    ),
    "outside_region": (
        "OUTSIDE THE REGION",
        "output",
        "The point lies outside the likelihood-ratio region. That is not exclusion.",
    ),
    "inside_region": (
        "INSIDE THE REGION",
        "adjust",
        "The point lies inside the likelihood-ratio region.",
    ),
    "uncertain": ("UNDECIDED", "help", "The model cannot tell on which side this point lies."),
    "predicted": ("PREDICTED", "calculate", "The model gives a number and decides nothing."),
    "outside_domain": (
        "OUTSIDE DOMAIN",
        "wrong_location",
        "The model was not trained for such points: it gives no number for this one.",
    ),
    "invalid_input": ("NOT EVALUATED", "error", "The point is not complete or not valid."),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """
    A verdict to show.

    Attributes
    ----------
    words : str
        The verdict, in words.
    icon : str
        Name of its icon, so that colour does not say it alone.
    meaning : str
        One sentence on what it means.
    details : tuple of str
        The numbers that go with it.
    """

    words: str
    icon: str
    meaning: str
    details: tuple[str, ...]


def meaning(verdict: str) -> tuple[str, str, str]:
    """Give words, icon and meaning of a verdict."""
    return _WORDS[verdict]


def share(value: float) -> str:
    """
    Write a share of one; what is not quite nothing or all does not read so.

    >>> share(0.97312), share(0.99999), share(1e-6)
    ('0.9731', '> 0.9999', '< 0.0001')
    """
    if 0.9999 < value < 1:
        return "> 0.9999"
    return "< 0.0001" if 0 < value < 0.0001 else number(value, 4)


def headline(predictor: Predictor, verdict: Verdict) -> Saying:
    """
    Say the verdict on a point.

    Parameters
    ----------
    predictor : Predictor
    verdict : Verdict

    Returns
    -------
    Saying
        Without any number where the point is outside the domain or not valid.
    """
    words, icon, what = _WORDS[verdict.verdict]
    details = []
    label = predictor.answering_label
    level = predictor.attrs["confidence_level"]
    if verdict.verdict in ("excluded", "not_excluded") and isinstance(level, int | float):
        words += f" at {100 * level:g} % CL"
    if label is not None and verdict.verdict not in ("outside_domain", "invalid_input"):
        result = predictor.attrs["result"]
        text = plain((label.definition or {}).get("text", label.title))
        details.append(f"{text}{f' ({result})' if result else ''}")
    if math.isfinite(verdict.probability):
        details.append(f"probability {share(verdict.probability)} (calibrated)")
    if math.isfinite(verdict.value):
        details.append(_value(predictor, verdict))
    return Saying(words, icon, what, tuple(details))


def _value(predictor: Predictor, verdict: Verdict) -> str:
    target = predictor.target
    if target.categories:
        code = f"{verdict.value:g}"
        return f"{plain(target.title)}: {plain(target.categories.get(code, code))}"
    text = f"{plain(target.title)} = {quantity(verdict.value, verdict.unit)}"
    if math.isfinite(verdict.lower) and math.isfinite(verdict.upper):
        text += (
            f", interval {number(verdict.lower)} to {quantity(verdict.upper, verdict.unit)}"
            " (error of the model)"
        )
    return text


def accuracy_at(predictor: Predictor, probability: float) -> Mapping[str, Any] | None:
    """
    Give the bin of the measured accuracy that a probability lies in.

    Returns
    -------
    dict or None
        ``low``, ``high``, ``n``, ``accuracy``, ``interval``; None where nothing was measured.
    """
    if not math.isfinite(probability):
        return None
    for entry in predictor.card.confidence:
        if entry["kind"] == "binned_accuracy":
            bins: list[dict[str, Any]] = entry["table"]
            for row in bins:
                last = row is bins[-1]
                if row["low"] <= probability < row["high"] or (last and probability == row["high"]):
                    return row if row["accuracy"] is not None else None
    return None


def confidence_sentences(predictor: Predictor, verdict: Verdict) -> list[str]:
    """
    Say how sure a verdict is, and among which points.

    Returns
    -------
    list of str
        The accuracy measured at this probability, what the intervals and sets hold, and the
        population; empty where there is no verdict.
    """
    if verdict.verdict in ("outside_domain", "invalid_input"):
        return []
    said = []
    measured = accuracy_at(predictor, verdict.probability)
    if measured is not None:
        low, high = measured["interval"]
        said.append(
            f"Classification confidence {share(verdict.confidence)}: of {measured['n']:,} "
            f"points with a probability from {measured['low']:g} to {measured['high']:g}, "
            f"{100 * measured['accuracy']:.4g} % were classified correctly (95 % interval "
            f"{100 * low:.4g} to {100 * high:.4g} %)."
        )
    elif math.isfinite(verdict.probability):
        said.append("No classification confidence: no points like this one were measured.")
    for entry in predictor.card.confidence:
        if entry["kind"] != "binned_accuracy":
            said.append(plain(entry["meaning"]))
    population = plain(predictor.attrs["confidence_population"])
    if population:
        said.append(f"Measured among: {population}.")
    return said
