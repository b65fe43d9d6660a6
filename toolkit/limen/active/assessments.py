"""The stated error of a campaign, as values: what was foretold and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Assessment", "Foretold", "LabelError"]


@dataclass(frozen=True, slots=True)
class Foretold:
    """
    Misclassification foretold and seen on the same points.

    Attributes
    ----------
    predicted : float
        Mean of the smaller of P(below) and P(above); NaN without points.
    seen : float
        Share of points whose label was wrong; NaN without points.
    interval : tuple of float
        95 % interval of ``seen`` (Wilson).
    n : int
    method : str
    """

    predicted: float
    seen: float
    interval: tuple[float, float]
    n: int
    method: str

    @property
    def agrees(self) -> bool:
        """Whether what was foretold lies in the interval of what was seen."""
        return bool(self.n and self.interval[0] <= self.predicted <= self.interval[1])

    def to_dict(self) -> dict[str, Any]:
        """Give the entry of a manifest."""
        known = {"predicted": self.predicted} if self.n else {}
        value = self.seen if self.n else None
        return {**known, "value": value, "interval": list(self.interval), "n": self.n} | {
            "method": self.method
        }


@dataclass(frozen=True, slots=True)
class LabelError:
    """
    Stated error of one label: an output below a threshold.

    Attributes
    ----------
    output : str
    threshold : float
        In the output's unit.
    mass : float
        Expected misclassified prior mass.
    below : float
        Share of the prior that is predicted below the threshold.
    crossed : bool
        Whether the values told so far lie on both sides.
    changed : tuple of float
        Share of the sample whose label changed in each of the last rounds, the latest last.
    reserved, left_out : Foretold
        On the reserved points, which the surrogate never saw; on the others, each left out.
    """

    output: str
    threshold: float
    mass: float
    below: float
    crossed: bool
    changed: tuple[float, ...]
    reserved: Foretold
    left_out: Foretold

    @property
    def accuracy(self) -> tuple[float, tuple[float, float]]:
        """Accuracy on the reserved points and its interval."""
        low, high = self.reserved.interval
        return 1.0 - self.reserved.seen, (1.0 - high, 1.0 - low)

    def to_dict(self) -> dict[str, Any]:
        """Give the entry of a manifest."""
        value, interval = self.accuracy
        n = self.reserved.n
        accuracy = {"value": value if n else None, "interval": list(interval), "n": n}
        return {
            "output": self.output,
            "threshold": self.threshold,
            "expected_misclassified_prior_mass": self.mass,
            "share_below": self.below,
            "labels_changed": list(self.changed),
            "accuracy": accuracy,
            "misclassified_reserved": self.reserved.to_dict(),
            "misclassified_left_out": self.left_out.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """
    Stated error of a campaign.

    Attributes
    ----------
    labels : tuple of LabelError
        One for each output and threshold; empty where no contour is sought.
    sample : int
        Number of points of the prior that masses are averaged over.
    population : str
        What the reserved points are a sample of.
    rounds, asked : int
    counts : dict of str to int
        Asked points by status.
    notes : tuple of str
        What a reader has to know: thresholds that nothing crossed, few reserved points.
    """

    labels: tuple[LabelError, ...]
    sample: int
    population: str
    rounds: int
    asked: int
    counts: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def mass(self) -> float:
        """Largest expected misclassified prior mass of the labels; NaN if there is none."""
        return max((label.mass for label in self.labels), default=float("nan"))

    @property
    def changed(self) -> tuple[float, ...]:
        """Largest share of labels changed in each of the last rounds."""
        columns = zip(*(label.changed for label in self.labels), strict=True)
        return tuple(max(column) for column in columns)

    def to_dict(self) -> dict[str, Any]:
        """Give the record of a manifest."""
        told = {"sample": self.sample, "population": self.population}
        labels = [label.to_dict() for label in self.labels]
        return {**told, "labels": labels, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        said = []
        for label in self.labels:
            where = f"{label.output} at {label.threshold:g}"
            said.append(f"{where}: expected misclassified prior mass {100 * label.mass:.3g} %")
            if label.reserved.n:
                value, (low, high) = label.accuracy
                said.append(
                    f"{where}: accuracy {100 * value:.4g} % [{100 * low:.4g}, {100 * high:.4g}] "
                    f"on {self.population}"
                )
            if label.left_out.n:
                seen = label.left_out
                said.append(
                    f"{where}: {100 * seen.predicted:.3g} % foretold and {100 * seen.seen:.3g} % "
                    f"seen wrong among {seen.n} points, {seen.method}"
                )
        return [*said, *self.notes]
