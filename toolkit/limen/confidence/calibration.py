"""Maps from a model's raw probability to a calibrated one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError, UsageError

__all__ = ["MAX_KNOTS", "Calibration", "fit_calibration"]

Floats = NDArray[np.float64]

MAX_KNOTS = 64
"""Most knots of a piecewise calibration, its ends included."""

MIN_ROWS = 50
FOLDS = 5
# A steep map would turn the graph's rounding of p (about 1e-7) into a visible difference.
MAX_SLOPE = 10.0
SAFE_SIGMOID_SLOPE = 30.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    A monotone map from a model's raw probability to a calibrated one.

    Parameters
    ----------
    kind : {"none", "sigmoid", "piecewise"}
        ``sigmoid``: 1 / (1 + exp(-(a logit(p) + b))) with p clipped to ``clip``, 1 - ``clip``.
        ``piecewise``: linear between knots, constant outside.
    a, b : float
        Slope and offset of the sigmoid [1].
    clip : float
        Smallest raw probability that the sigmoid tells apart [1].
    x, y : tuple of float
        Knots, at most 64: raw (strictly increasing) and calibrated probabilities [1].

    Examples
    --------
    >>> Calibration("piecewise", x=(0.0, 0.5, 1.0), y=(0.0, 0.2, 1.0)).apply([0.25, 0.75])
    array([0.1, 0.6])
    """

    kind: Literal["none", "sigmoid", "piecewise"] = "none"
    a: float = 1.0
    b: float = 0.0
    clip: float = 1e-6
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("none", "sigmoid", "piecewise"):
            raise UsageError(
                f"calibration: found kind {self.kind!r}, allowed 'none', 'sigmoid' or 'piecewise'; "
                "correct the kind"
            )
        if self.kind == "piecewise" and not _are_knots(self.x, self.y):
            raise UsageError(
                f"calibration: found {len(self.x)} and {len(self.y)} knots, allowed 2 to "
                f"{MAX_KNOTS} of each, x increasing and y not decreasing; correct the knots"
            )

    def apply(self, p: ArrayLike) -> Floats:
        """
        Calibrate raw probabilities, by the formula that the graph has.

        Parameters
        ----------
        p : array_like, shape (n,)
            Raw probability of the label being 1 [1].

        Returns
        -------
        ndarray, shape (n,)
            Calibrated probability [1].
        """
        raw = np.asarray(p, dtype=np.float64)
        if self.kind == "sigmoid":
            return _sigmoid(self.a * _logit(raw, self.clip) + self.b)
        if self.kind == "piecewise":
            return np.asarray(np.interp(raw, self.x, self.y), dtype=np.float64)
        return raw

    def to_dict(self) -> dict[str, Any]:
        """
        Describe the calibration for a model card.

        Examples
        --------
        >>> Calibration("sigmoid", a=0.9, b=0.1).to_dict()
        {'kind': 'sigmoid', 'a': 0.9, 'b': 0.1, 'clip': 1e-06}
        """
        if self.kind == "sigmoid":
            return {"kind": self.kind, "a": self.a, "b": self.b, "clip": self.clip}
        if self.kind == "piecewise":
            return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote."""
        return cls(
            data["kind"],
            a=float(data.get("a", 1.0)),
            b=float(data.get("b", 0.0)),
            clip=float(data.get("clip", 1e-6)),
            x=tuple(float(value) for value in data.get("x", ())),
            y=tuple(float(value) for value in data.get("y", ())),
        )


def _are_knots(x: Sequence[float], y: Sequence[float]) -> bool:
    if not 2 <= len(x) <= MAX_KNOTS or len(x) != len(y):
        return False
    return bool(np.all(np.diff(x) > 0) and np.all(np.diff(y) >= 0))


def _logit(p: Floats, clip: float) -> Floats:
    clipped = np.clip(p, clip, 1.0 - clip)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def _sigmoid(t: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(t, -500.0, 500.0))), dtype=np.float64)


def _losses(p: Floats, y: Floats) -> Floats:
    """Log loss of each row [nat]."""
    held = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(-(y * np.log(held) + (1 - y) * np.log1p(-held)), dtype=np.float64)


def fit_calibration(p: ArrayLike, y: ArrayLike, rng: np.random.Generator) -> Calibration:
    """
    Choose and fit a calibration by cross-validated log loss.

    The simpler map wins unless the next one is better by more than the standard error of the
    difference.

    Parameters
    ----------
    p : array_like, shape (n,)
        Raw probability of the label being 1, on rows that the model did not learn from [1].
    y : array_like, shape (n,)
        Labels, 0 or 1.
    rng : numpy.random.Generator
        Draws the folds.

    Returns
    -------
    Calibration
        ``none`` if nothing is clearly better, below 50 rows, or if there is one class only.

    Raises
    ------
    ShapeError
        If p and y are not of one shape (n,).
    """
    raw, labels = _pair(p, y)
    rows = min(labels.sum(), labels.size - labels.sum())
    if labels.size < MIN_ROWS or rows < 2:
        return Calibration()
    fold = rng.permutation(labels.size) % FOLDS
    best, best_losses = Calibration(), _losses(raw, labels)
    for fit in (_fit_sigmoid, _fit_piecewise):
        losses = np.empty(labels.size)
        for f in range(FOLDS):
            learnt = fit(raw[fold != f], labels[fold != f])
            losses[fold == f] = _losses(learnt.apply(raw[fold == f]), labels[fold == f])
        gain = best_losses - losses
        if gain.mean() > gain.std() / math.sqrt(gain.size):
            best, best_losses = fit(raw, labels), losses
    return best


def _pair(p: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    raw, labels = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if raw.ndim != 1 or raw.shape != labels.shape:
        raise ShapeError(
            f"confidence: found shapes {raw.shape} and {labels.shape}, allowed (n,) for both; give "
            "one probability and one label per row"
        )
    return raw, labels


def _fit_sigmoid(p: Floats, y: Floats) -> Calibration:
    """
    Fit Platt's map by Newton's method.

    Notes
    -----
    Source: J. Platt 1999, with the smoothed targets of Lin, Lin and Weng, Mach. Learn. 68 (2007).
    """
    positive = float(y.sum())
    negative = y.size - positive
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    target = np.where(y > 0.5, high, low)
    design = np.column_stack([_logit(p, 1e-6), np.ones_like(p)])
    w = np.array([1.0, 0.0])
    loss = _logistic_loss(design @ w, target)
    for _ in range(50):
        said = _sigmoid(design @ w)
        curvature = (design * (said * (1 - said))[:, None]).T @ design + 1e-8 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (said - target))
        while (now := _logistic_loss(design @ (w - step), target)) > loss:
            step = step / 2
        w = w - step
        if loss - now < 1e-10 * loss:
            break
        loss = now
    a, b = float(w[0]), float(w[1])
    return Calibration("sigmoid", a=a, b=b, clip=_safe_clip(a, b)) if a > 0 else Calibration()


def _logistic_loss(t: Floats, target: Floats) -> float:
    return float((np.logaddexp(0.0, t) - target * t).sum())


def _safe_clip(a: float, b: float) -> float:
    """Find a clip at which a flattening map is not so steep near 1 that float32 shows."""
    if a >= 1:
        return 1e-6
    for clip in (1e-6, 1e-5, 1e-4):
        said = float(_sigmoid(np.array(b - a * math.log(clip))))
        if a * said * (1 - said) < SAFE_SIGMOID_SLOPE * clip:
            return clip
    return 1e-3


def _fit_piecewise(p: Floats, y: Floats) -> Calibration:
    """Isotonic regression, its blocks joined at their centres so that the ranking survives."""
    x, rate, weight = _isotonic(p, y)
    x, rate = _thin(x, rate, weight)
    rate = np.clip(rate, 0.5 / (y.size + 1), 1 - 0.5 / (y.size + 1))
    knots, values = [], []
    if x[0] > 0:
        knots.append(0.0)
        values.append(max(0.5 * rate[0], rate[0] - MAX_SLOPE * x[0]))
    knots.extend(x)
    values.extend(rate)
    if x[-1] < 1:
        knots.append(1.0)
        values.append(min(1 - 0.5 * (1 - rate[-1]), rate[-1] + MAX_SLOPE * (1 - x[-1])))
    if len(knots) < 2:
        return Calibration()
    return Calibration(
        "piecewise",
        x=tuple(float(knot) for knot in knots),
        y=tuple(float(value) for value in values),
    )


def _isotonic(p: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Pool adjacent violators: mean p, rate of y and number of rows of each block."""
    x, index = np.unique(p, return_inverse=True)
    weight = np.bincount(index).astype(np.float64)
    rate = np.bincount(index, weights=y) / weight
    blocks: list[tuple[float, float, float]] = []
    for block in zip(x.tolist(), rate.tolist(), weight.tolist(), strict=True):
        # Equal rates may differ in their last digit.
        while blocks and blocks[-1][1] >= block[1] - 1e-12:
            block = _pool(blocks.pop(), block)
        blocks.append(block)
    columns = np.array(blocks).T
    return columns[0], columns[1], columns[2]


def _pool(
    one: tuple[float, float, float], two: tuple[float, float, float]
) -> tuple[float, float, float]:
    total = one[2] + two[2]
    x = (one[0] * one[2] + two[0] * two[2]) / total
    return x, (one[1] * one[2] + two[1] * two[2]) / total, total


def _thin(x: Floats, rate: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Pool blocks until the map is nowhere too steep and has few enough knots."""
    blocks: list[tuple[float, float, float]] = []
    share = float(weight.sum()) / (MAX_KNOTS - 2)
    steps = list(zip(x.tolist(), rate.tolist(), weight.tolist(), strict=True))
    fewer = len(steps) > MAX_KNOTS - 2
    for block in steps:
        while blocks and block[1] - blocks[-1][1] > MAX_SLOPE * (block[0] - blocks[-1][0]):
            block = _pool(blocks.pop(), block)
        if fewer and blocks and blocks[-1][2] + block[2] <= share:
            block = _pool(blocks.pop(), block)
        blocks.append(block)
    while len(blocks) > MAX_KNOTS - 2:
        i = min(range(len(blocks) - 1), key=lambda j: blocks[j][2] + blocks[j + 1][2])
        blocks[i : i + 2] = [_pool(blocks[i], blocks[i + 1])]
    columns = np.array(blocks).T
    return columns[0], columns[1]
