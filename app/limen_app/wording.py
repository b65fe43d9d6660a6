"""Verdicts in words: what is said of a point, how sure that is, and what it does not mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limen.confidence import stated_quantile
from limen_app.showing import number, plain, quantity

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdict

__all__ = [
    "Saying",
    "accuracy_at",
    "confidence_sentences",
    "doubt_sentence",
    "headline",
    "meaning",
    "share",
]

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
        "The point lies outside the likelihood-ratio region. That is not exclusion: a region of a "
        "fit compares points with the best fit of this model, well or badly as that describes the "
        "data; exclusion tests the point itself, for example by CLs.",
    ),
    "inside_region": (
        "INSIDE THE REGION",
        "adjust",
        "The point lies inside the likelihood-ratio region. That does not say whether it is "
        "excluded: a region of a fit compares points with the best fit of this model; exclusion "
        "tests the point itself, for example by CLs.",
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


_ASKED = {"excluded": "excluded", "outside_region": "outside the region"}


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
        text = f"{text}; {result}" if result else text
        asked = _ASKED.get(str(label.quantity))
        details.append(f"Asked: is the point {asked}? ({text})" if asked else text)
    if math.isfinite(verdict.probability):
        of = f" of being {_ASKED[kind]}" if (kind := predictor.target.quantity) in _ASKED else ""
        details.append(f"calibrated probability{of}: {share(verdict.probability)}")
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


def doubt_sentence(predictor: Predictor, verdict: Verdict) -> str:
    """
    Say why a classifier names no side of a point; empty where it names one.

    Its probability alone would mislead: the accuracy measured at it is that of an answer.
    """
    if verdict.verdict != "uncertain" or not math.isfinite(verdict.probability):
        return ""
    said = "No side is named, and so no classification confidence applies: "
    entry = next((e for e in predictor.card.confidence if e["kind"] == "conformal"), None)
    quantile = math.inf if entry is None else stated_quantile(entry)
    if entry is None or not math.isfinite(quantile):
        return f"{said}too few points were left to measure from which probability on to name one."
    low, high = sorted((quantile, 1.0 - quantile))
    which = "neither answer has" if quantile < 0.5 else "both answers have"
    return (
        f"{said}the calibrated probability lies between {_edge(low)} and {_edge(high)}. For "
        f"{100 * entry['level']:g} % of the points that this was measured on, the true answer has "
        f"a probability of at least {_edge(1.0 - quantile)}; here {which} one, as happens close "
        "to the boundary."
    )


def _edge(value: float) -> str:
    """
    Write a probability in full, be it next to nothing or to one.

    >>> _edge(4.9526e-5), _edge(0.99995047), _edge(3e-9)
    ('0.00005', '0.99995', '3e-09')
    """
    text = f"{value:.5f}".rstrip("0")
    return f"{value:.2g}" if text in ("0.", "1.") else text


def confidence_sentences(predictor: Predictor, verdict: Verdict) -> list[str]:
    """
    Say how sure a verdict is, and among which points.

    Returns
    -------
    list of str
        The accuracy measured at this probability, or why no side is named; what the intervals and
        sets hold, and the population; empty where there is no verdict.
    """
    if verdict.verdict in ("outside_domain", "invalid_input"):
        return []
    said = []
    doubt = doubt_sentence(predictor, verdict)
    measured = accuracy_at(predictor, verdict.probability)
    if doubt:
        said.append(doubt)
    elif measured is not None:
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
