"""From a graph's outputs to verdicts: what the card's confidence and the label say of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limen import confidence as confidences
from limen.errors import IntegrityError
from limen.manifest import Column, ModelCard
from limen.prediction.verdict import VERDICTS
from limen.transforms import TargetTransform

__all__ = ["CODE", "Answers", "Judge", "describe", "label_of"]

CODE = {name: np.int8(code) for code, name in enumerate(VERDICTS)}
"""Position of each verdict in ``VERDICTS``."""

_BY_LABEL = {
    "excluded": ("excluded", "not_excluded"),
    "outside_region": ("outside_region", "inside_region"),
}
_COMPARE: dict[str, Callable[[Any, float], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}

# Rounding may leave 0 to 1 by this much, as in the schema of a probe.
_SLACK = 1e-3

Array = np.ndarray[Any, Any]
Outputs = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Answers:
    """
    What is said of n points inside the domain.

    Attributes
    ----------
    verdict : ndarray of int8, shape (n,)
    numbers : dict of str to ndarray, shape (n,)
        Those of ``probability``, ``value``, ``lower``, ``upper``, ``confidence`` that there are.
    reasons : dict of int to str
        Why a point is uncertain, by its position.
    """

    verdict: Array
    numbers: dict[str, Array]
    reasons: dict[int, str] = field(default_factory=dict)


_POSTERIOR = 1.96
"""Standard deviations of a process on each side of its mean: 95 % of a normal distribution."""


class Judge:
    """
    Turn the outputs of one model's graph into verdicts.

    Parameters
    ----------
    card : ModelCard
    columns : mapping of str to Column
        Columns of the scan.

    Attributes
    ----------
    target : Column
    label : Column or None
        The label that names the verdict: the target itself, or the one defined on it.
    """

    def __init__(self, card: ModelCard, columns: Mapping[str, Column]) -> None:
        self.target = columns[card.target]
        self.classifies = card.task == "classification"
        self.label = label_of(card, columns)
        # Codes of the classes, in the order of the graph's columns.
        self._codes = np.array(_classes(card), dtype=np.float64)
        kinds = {entry["kind"]: entry for entry in card.confidence}
        self._table = kinds.get("binned_accuracy", {}).get("table")
        self._conformal = kinds.get("conformal")
        self._quantile = confidences.stated_quantile(self._conformal or {"quantile": None})
        # A process without calibration rows states its own interval.
        self._posterior = self._conformal is None and "gp_posterior" in kinds
        self._transform = TargetTransform.from_dict(card.target_transform or {"kind": "identity"})

    def refuse_other_shape(self, outputs: Outputs, where: str) -> None:
        """
        Refuse a graph whose answers are not those the card describes.

        Raises
        ------
        IntegrityError
            If it gives a mean for a classification, or another number of classes.
        """
        wanted = "probability" if self.classifies else "mean"
        shape = np.shape(outputs.get(wanted, ()))
        if wanted not in outputs or (self.classifies and shape[1:] != self._codes.shape):
            raise IntegrityError(
                f"{where}: found outputs {', '.join(outputs)} of {shape[1:]} classes, allowed "
                f"{wanted!r} of {len(self._codes)} as the card says; get the model again"
            )

    def number(self, outputs: Outputs) -> Array:
        """Give the model's one number per point, shape (n,): probability, category or value."""
        if not self.classifies:
            return np.asarray(outputs["mean"], dtype=np.float64)
        if self.target.quantity == "category":
            return np.asarray(self._codes[outputs["probability"].argmax(axis=1)])
        return np.asarray(outputs["probability"][:, 1], dtype=np.float64)

    def judge(self, outputs: Outputs) -> Answers:
        """
        Judge points inside the domain.

        Parameters
        ----------
        outputs : mapping of str to ndarray, shape (n, ...)
            Of the graph.

        Returns
        -------
        Answers
            No number and ``uncertain`` where the graph gives what the target cannot be.
        """
        answers = self._classify(outputs) if self.classifies else self._regress(outputs)
        if self.classifies:
            p = np.asarray(outputs["probability"])
            broken = ~((p >= -_SLACK) & (p <= 1.0 + _SLACK)).all(axis=1)
        else:
            broken = ~self._transform.takes(outputs["mean"])
        answers.verdict[broken] = CODE["uncertain"]
        for values in answers.numbers.values():
            values[broken] = np.nan
        for position in np.flatnonzero(broken).tolist():
            answers.reasons[position] = "the model gives no possible number here"
        return answers

    def _classify(self, outputs: Outputs) -> Answers:
        table = np.asarray(outputs["probability"], dtype=np.float64)
        binary = table.shape[1] == 2
        p = table[:, 1] if binary else table
        numbers = {"probability": p if binary else table.max(axis=1)}
        if self._table is not None:
            numbers["confidence"] = confidences.classification_confidence(p, self._table)
        if self.target.quantity == "category":
            numbers["value"] = self.number(outputs)
        verdict = np.full(len(table), CODE["predicted"])
        answers = Answers(self._name(p >= 0.5) if binary else verdict, numbers)
        if binary and self._conformal is not None:
            self._doubt_sets(answers, p)
        return answers

    def _doubt_sets(self, answers: Answers, p: Array) -> None:
        """Call points uncertain whose conformal set holds both classes, or none."""
        sizes = confidences.conformal_sets(p, self._quantile).sum(axis=1)
        level = 100 * dict(self._conformal or {})["level"]
        known = math.isfinite(self._quantile)
        why = "too near the boundary to call" if known else "too few calibration rows to call it"
        for position in np.flatnonzero(sizes != 1).tolist():
            answers.verdict[position] = CODE["uncertain"]
            held = "both" if sizes[position] else "no"
            answers.reasons[position] = f"the {level:g} % conformal set holds {held} classes: {why}"

    def _regress(self, outputs: Outputs) -> Answers:
        mean = self.number(outputs)
        mean = np.where(self._transform.takes(mean), mean, np.nan)
        lower, upper = self._interval(mean, outputs.get("std"))
        numbers = {"value": mean, "lower": lower, "upper": upper}
        definition = None if self.label is None else self.label.definition
        if definition is None:
            return Answers(np.full(len(mean), CODE["predicted"]), numbers)
        threshold = float(definition["threshold"])
        answers = Answers(self._name(_COMPARE[definition["comparison"]](mean, threshold)), numbers)
        text = f"the interval of {self.target.name} straddles {threshold:g}"
        text += "" if self.target.unit == "1" else f" {self.target.unit}"
        if not (math.isfinite(self._quantile) or self._posterior):
            text = f"{self.target.name} has no interval: too few calibration rows"
        # Not known to lie on one side: also where there is no interval at all.
        for position in np.flatnonzero(~((lower > threshold) | (upper < threshold))).tolist():
            answers.verdict[position] = CODE["uncertain"]
            answers.reasons[position] = text
        return answers

    def _interval(self, mean: Array, std: Array | None) -> tuple[Array, Array]:
        posterior = self._posterior and std is not None
        if not (posterior or math.isfinite(self._quantile)):
            return np.full(len(mean), np.nan), np.full(len(mean), np.nan)
        u = self._transform.forward(mean)
        scaled = None
        scale = "" if self._conformal is None else self._conformal["scale"]
        if std is not None and (posterior or scale == "standard deviations"):
            scaled = np.asarray(std, dtype=np.float64) / self._transform.slope(u)
        quantile = _POSTERIOR if posterior else self._quantile
        ends = confidences.conformal_interval(u, quantile, scaled)
        return self._transform.inverse_interval(*ends)

    def _name(self, label: Array) -> Array:
        quantity = self.label.quantity if self.label is not None else None
        if quantity not in _BY_LABEL:
            return np.full(len(label), CODE["predicted"])
        yes, no = _BY_LABEL[quantity]
        return np.where(label, CODE[yes], CODE[no])


def _classes(card: ModelCard) -> tuple[int, ...]:
    given = (entry["classes"] for entry in card.outputs if "classes" in entry)
    return tuple(next(given, (0, 1)))


def label_of(card: ModelCard, columns: Mapping[str, Column]) -> Column | None:
    """
    Find the label that a model decides.

    Parameters
    ----------
    card : ModelCard
    columns : mapping of str to Column

    Returns
    -------
    Column or None
        A classifier's target; of a regressor the label that is defined on its target, the one that
        the card names first.
    """
    if card.task == "classification":
        return columns[card.target]
    defined = [
        column
        for column in columns.values()
        if column.role == "label"
        and (column.definition or {}).get("column") == card.target
        and "threshold" in (column.definition or {})
        and column.quantity in _BY_LABEL
    ]
    named = [column for column in defined if column.name == card.label]
    return next(iter(named or defined), None)


def describe(card: ModelCard, label: Column, document: Mapping[str, Any]) -> dict[str, Any]:
    """
    Say what all answers of a model are of, for the attributes of a Dataset.

    Parameters
    ----------
    card : ModelCard
    label : Column
        The column whose statistics count.
    document : mapping
        The manifest.

    Returns
    -------
    dict of str to str or float
        Bundle, model, statistics of the label, meaning and population of the confidence, what to
        cite.
    """
    statistics = dict(label.statistics or {})
    meanings = [f"{entry['kind']}: {entry['meaning']}" for entry in card.confidence]
    populations = sorted({entry["population"] for entry in card.confidence})
    doi = document.get("doi")
    analyses = [f"{a['experiment']} {a['id']}" for a in document.get("analyses", [])]
    return {
        "bundle": document["id"],
        "version": document["version"],
        "doi": doi or "",
        "model": card.name,
        "target": card.target,
        "confidence_level": statistics.get("confidence_level", ""),
        "result": statistics.get("result", ""),
        "analyses": ", ".join(analyses),
        "confidence_meaning": " ".join(meanings),
        "confidence_population": " ".join(populations),
        "cite": f"https://doi.org/{doi}" if doi else f"{document['title']} (draft, no DOI yet)",
    }
