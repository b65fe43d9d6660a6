"""What a prediction answers: verdicts as plain arrays, as one value, as an xarray Dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray

__all__ = ["MEANINGS", "NUMBERS", "VERDICTS", "Verdict", "Verdicts"]

VERDICTS: tuple[str, ...] = (
    "excluded",
    "not_excluded",
    "outside_region",
    "inside_region",
    "uncertain",
    "predicted",
    "outside_domain",
    "invalid_input",
)

NUMBERS: tuple[str, ...] = (
    "probability",
    "value",
    "lower",
    "upper",
    "confidence",
    "domain_score",
)
"""Numbers of a verdict; NaN where nothing is said."""

MEANINGS = {
    "verdict": "what is said of the point",
    "probability": "calibrated probability of the label being 1",
    "value": "predicted target",
    "lower": "lower end of the 95 % interval: conformal, or else the process's own",
    "upper": "upper end of the 95 % interval: conformal, or else the process's own",
    "confidence": "classification confidence",
    "domain_score": "domain score, at most 1 inside the training domain",
    "reasons": "why there is no verdict, or what to know about it",
    "extrapolated": "answer outside the training domain, backed by nothing",
}
"""What each part of a verdict is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The verdict on one point.

    Attributes
    ----------
    verdict : str
        One of ``VERDICTS``.
    probability : float
        Calibrated probability of the label being 1 [1]; NaN for regressors.
    value, lower, upper : float
        Predicted target and its interval in ``unit`` (conformal; that of a Gaussian process where
        the card has no other); NaN for classifiers of a label.
    confidence : float
        Classification confidence [1]: how often this classification is right in its population;
        NaN where nothing is known.
    domain_score : float
        At most 1 inside the training domain [1].
    reasons : tuple of str
    unit : str
        Unit of ``value``.
    extrapolated : float or None
        Only with ``extrapolate=True``: the answer outside the domain, backed by nothing.
    """

    verdict: str
    probability: float
    value: float
    lower: float
    upper: float
    confidence: float
    domain_score: float
    reasons: tuple[str, ...]
    unit: str
    extrapolated: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values; NaN becomes None."""
        answer: dict[str, Any] = {"verdict": self.verdict}
        answer |= {name: _plain(getattr(self, name), _DIGITS.get(name, 12)) for name in NUMBERS}
        answer |= {"unit": self.unit, "reasons": list(self.reasons)}
        if self.extrapolated is not None:
            answer["extrapolated"] = _plain(self.extrapolated, 12)
        return answer


@dataclass(frozen=True, slots=True)
class Verdicts:
    """
    Verdicts on n points, as plain arrays.

    Attributes
    ----------
    verdict : ndarray of int8, shape (n,)
        Positions in ``VERDICTS``.
    probability, value, lower, upper, confidence, domain_score : ndarray, shape (n,)
        As in :class:`Verdict`.
    reasons : list of tuple of str
    attrs : dict
        Bundle, model, meaning and population of the confidence, what to cite.
    unit : str
        Unit of ``value``.
    notes : tuple of str
        What was done to the whole input: units converted, columns passed through.
    neighbours : dict of str to ndarray, shape (n, k)
        ``row``, ``distance``, ``target`` of the nearest rows of the scan, where asked for.
    extrapolated : ndarray, shape (n,), or None
    """

    verdict: np.ndarray[Any, np.dtype[np.int8]]
    probability: np.ndarray[Any, Any]
    value: np.ndarray[Any, Any]
    lower: np.ndarray[Any, Any]
    upper: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any]
    domain_score: np.ndarray[Any, Any]
    reasons: list[tuple[str, ...]]
    attrs: dict[str, Any]
    unit: str
    notes: tuple[str, ...] = ()
    neighbours: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    extrapolated: np.ndarray[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self.verdict)

    def __getitem__(self, row: int) -> Verdict:
        return Verdict(
            VERDICTS[self.verdict[row]],
            **{name: float(getattr(self, name)[row]) for name in NUMBERS},
            reasons=self.reasons[row],
            unit=self.unit,
            extrapolated=None if self.extrapolated is None else float(self.extrapolated[row]),
        )

    def counts(self) -> dict[str, int]:
        """Count the points per verdict, those that occur."""
        numbers = np.bincount(self.verdict, minlength=len(VERDICTS))
        return {name: int(n) for name, n in zip(VERDICTS, numbers, strict=True) if n}

    def to_dataset(self) -> xarray.Dataset:
        """
        Give an xarray Dataset, dimension ``point`` in the order of the input.

        ``verdict`` is int8 with ``flag_values`` and ``flag_meanings``; with neighbours there is a
        second dimension ``neighbour``.
        """
        import xarray

        variables: dict[str, Any] = {
            "verdict": (
                "point",
                self.verdict,
                {
                    "long_name": MEANINGS["verdict"],
                    "flag_values": np.arange(len(VERDICTS), dtype=np.int8),
                    "flag_meanings": " ".join(VERDICTS),
                },
            )
        }
        for name in NUMBERS:
            unit = self.unit if name in ("value", "lower", "upper") else "1"
            attrs = {"long_name": MEANINGS[name], "units": unit}
            variables[name] = ("point", getattr(self, name), attrs)
        text = np.array(["; ".join(reasons) for reasons in self.reasons], dtype=object)
        variables["reasons"] = ("point", text, {"long_name": MEANINGS["reasons"]})
        if self.extrapolated is not None:
            attrs = {"long_name": MEANINGS["extrapolated"], "units": self.unit}
            variables["extrapolated"] = ("point", self.extrapolated, attrs)
        for name, values in self.neighbours.items():
            variables[f"neighbour_{name}"] = (("point", "neighbour"), values)
        return xarray.Dataset(variables, attrs=self.attrs | {"notes": "; ".join(self.notes)})


# Shares and scores are no better than float32; more digits are noise.
_DIGITS = {"probability": 7, "confidence": 7, "domain_score": 7}


def _plain(number: float, digits: int) -> float | None:
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None
