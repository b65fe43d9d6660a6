"""
Polynomial trends: what a few hundred coefficients explain, before trees or networks learn the rest.

Rates are quadratic in couplings, so that a chi2 of rates is a quartic, exactly or nearly. A
polynomial of even degree is written as a quadratic form: degree 2 in (1, z), degree 4 in all
products of two of (1, z), z being the standardised inputs. A graph needs one product of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.estimators.fitted import Floats, require
from limen.estimators.standardiser import Standardiser

if TYPE_CHECKING:
    from limen.estimators.building import GraphBuilder

__all__ = ["Trend", "find_margin", "find_trend"]

Indices = NDArray[np.int64]
Link = Literal["identity", "log"]

MOST_TERMS = 1500
ROWS_PER_TERM = 8
MOST_ROWS = 100_000
# To choose a polynomial fewer rows are enough.
CHOICE_ROWS_PER_TERM = 16
MANY_ROWS = 5_000
BLOCK = 4096
# Columns have norm 1: so little steadies a grid's undetermined terms, and two rounds of refinement
# give back what it costs the others.
RIDGE = 1e-11
REFINEMENTS = 2
# exp(u) over more than this spans no range that a polynomial with relative errors could follow.
LONGEST_LOG = 25.0
# A trend that explains less is left to the trees.
LEAST_EXPLAINED = 0.5
# Keeps the slope finite where the polynomial tells the labels apart without fault.
LOGIT_RIDGE = 1e-4


def _products(d: int, order: int) -> Indices:
    """Positions in (1, z) of the factors of each product, shape (k, order)."""
    return np.array(list(combinations_with_replacement(range(d + 1), order)), dtype=np.int64)


def _terms(d: int, degree: int) -> int:
    return math.comb(d + degree, degree)


def _pairs(d: int, degree: int) -> tuple[Indices, Indices]:
    """Two products for each monomial, so that each monomial occurs once."""
    if degree == 2:
        both = _products(d, 2)
        return both[:, 0], both[:, 1]
    place = np.zeros((d + 1, d + 1), dtype=np.int64)
    small = _products(d, 2)
    place[small[:, 0], small[:, 1]] = np.arange(len(small))
    factors = _products(d, 4)
    return place[factors[:, 0], factors[:, 1]], place[factors[:, 2], factors[:, 3]]


def _features(z: Floats, degree: int) -> Floats:
    extended = np.hstack([np.ones((len(z), 1)), z])
    if degree == 2:
        return extended
    first, second = _products(z.shape[1], 2).T
    return extended[:, first] * extended[:, second]


@dataclass(frozen=True, slots=True)
class Trend:
    """
    A fitted polynomial.

    Parameters
    ----------
    inputs : Standardiser
    degree : {2, 4}
    form : ndarray, shape (k, k)
        The quadratic form.
    link : {"identity", "log"}
        Whether the polynomial is the target, or the target is the logarithm of the polynomial.
    floor, ceiling : float
        The polynomial is clipped to these.
    top : float
        Added to the logarithm [1].
    scaling : pair of float
        Factor and offset applied at the end.
    explained : float
        Share of the variance of rows set aside that it explains [1]; NaN if none were.
    """

    inputs: Standardiser
    degree: int
    form: Floats
    link: Link
    floor: float
    ceiling: float
    top: float = 0.0
    scaling: tuple[float, float] = (1.0, 0.0)
    explained: float = math.nan

    def __call__(self, X: NDArray[Any]) -> Floats:
        """Evaluate at points X, shape (n, d) in the units of their columns: shape (n,)."""
        answer = np.empty(len(X))
        for start in range(0, len(X), BLOCK):
            block = np.asarray(X[start : start + BLOCK], dtype=np.float64)
            features = _features(self.inputs.apply(block), self.degree)
            answer[start : start + BLOCK] = ((features @ self.form) * features).sum(axis=1)
        answer = np.clip(answer, self.floor, self.ceiling)
        if self.link == "log":
            answer = np.log(answer) + self.top
        return answer * self.scaling[0] + self.scaling[1]

    def write(self, builder: GraphBuilder) -> str:
        """Do the same in a graph on its points: float64 [N]."""
        z = self.inputs.write(builder)
        d = len(self.inputs.centre)
        features = builder.op("MatMul", z, builder.constant(np.eye(d + 1)[1:]))
        features = builder.op("Add", features, builder.constant(np.eye(d + 1)[0]))
        if self.degree == 4:
            first, second = _products(d, 2).T
            features = builder.op(
                "Mul",
                builder.op("Gather", features, builder.constant(first, "int64"), axis=1),
                builder.op("Gather", features, builder.constant(second, "int64"), axis=1),
            )
        product = builder.op("MatMul", features, builder.constant(self.form))
        value = builder.total(builder.op("Mul", product, features))
        value = builder.clip(value, self.floor, self.ceiling)
        if self.link == "log":
            value = builder.op("Add", builder.op("Log", value), builder.constant(self.top))
        return builder.affine(value, *self.scaling)

    def to_card(self) -> dict[str, Any]:
        """Say for a model card what it is."""
        terms = _terms(len(self.inputs.centre), self.degree)
        return {
            "degree": self.degree,
            "link": self.link,
            "terms": terms,
            "explained": round(self.explained, 9),
        }

    def refitted(self, X: Floats, u: Floats) -> Trend:
        """Fit the same kind of polynomial to other rows, with the same rescaling."""
        log_inputs = np.flatnonzero(self.inputs.log).tolist()
        with require("threadpoolctl").threadpool_limits(1):
            rows = _some(np.arange(len(X)), MOST_ROWS)
            new = fit_trend(X[rows], u[rows], self.degree, self.link, log_inputs)
        return replace(new.rescaled(*self.scaling), explained=self.explained)

    def rescaled(self, factor: float, offset: float) -> Trend:
        """Multiply its answer by a factor, then add an offset."""
        return replace(self, scaling=(self.scaling[0] * factor, self.scaling[1] * factor + offset))


def _blocks(z: Floats, degree: int, weights: Floats) -> Iterator[tuple[slice, Floats]]:
    first, second = _pairs(z.shape[1], degree)
    for start in range(0, len(z), BLOCK):
        part = slice(start, start + BLOCK)
        features = _features(z[part], degree)
        yield part, features[:, first] * features[:, second] * weights[part, None]


def _solve(z: Floats, degree: int, target: Floats, weights: Floats) -> Floats:
    """Least squares of weighted rows by normal equations, refined: one number per monomial."""
    linalg = require("scipy.linalg")
    terms = _terms(z.shape[1], degree)
    gram = np.zeros((terms, terms))
    for _, design in _blocks(z, degree, weights):
        gram += design.T @ design
    norm = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    factor = linalg.cho_factor(gram / np.outer(norm, norm) + RIDGE * np.eye(terms))
    found = np.zeros(terms)
    rest = target * weights
    for _ in range(1 + REFINEMENTS):
        slope = np.zeros(terms)
        for part, design in _blocks(z, degree, weights):
            slope += design.T @ rest[part]
        step = linalg.cho_solve(factor, slope / norm) / norm
        found += step
        for part, design in _blocks(z, degree, weights):
            rest[part] -= design @ step
    return found


def fit_trend(
    X: Floats, u: Floats, degree: int, link: Link, log_inputs: Sequence[int] = ()
) -> Trend:
    """
    Fit a polynomial.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    u : ndarray, shape (n,)
        Target [1].
    degree : {2, 4}
    link : {"identity", "log"}
        With ``log`` exp(u) is fitted, with relative errors.
    log_inputs : sequence of int
        Inputs whose logarithm is taken first.
    """
    inputs = Standardiser.fit(X, log_inputs)
    top = float(u.max()) if link == "log" else 0.0
    value = np.exp(u - top) if link == "log" else u
    weights = 1.0 / value if link == "log" else np.ones(len(u))
    coefficients = _solve(inputs.apply(X), degree, value, weights)
    first, second = _pairs(X.shape[1], degree)
    k = int(max(first.max(), second.max())) + 1
    form = np.zeros((k, k))
    form[first, second] = coefficients
    span = float(np.ptp(value))
    floor = 0.5 * float(value.min()) if link == "log" else float(value.min()) - span
    return Trend(inputs, degree, form, link, floor, float(value.max()) + span, top)


def _some(rows: Indices, most: int) -> Indices:
    """At most so many of the rows, drawn by a fixed seed."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def find_trend(
    X: Floats, u: Floats, held: NDArray[np.bool_], log_inputs: Sequence[int] = ()
) -> Trend | None:
    """
    Fit the polynomial that does best on rows set aside, if any does well.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    u : ndarray, shape (n,)
        Target [1].
    held : ndarray of bool, shape (n,)
        Rows set aside.
    log_inputs : sequence of int
        Inputs whose logarithm is taken first.

    Returns
    -------
    Trend or None
        Fitted on rows not set aside. None if there are too few rows or too many inputs, or
        if none explains half of the variance of the rows set aside.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> trend = find_trend(X, X[:, 0] * X[:, 1], np.arange(500) < 50)
    >>> round(float(trend([[2.0, 3.0]])[0]), 6)
    6.0
    """
    kept = np.flatnonzero(~held)
    if not held.any() or np.ptp(u[held]) == 0:
        return None
    d = X.shape[1]
    degrees = [n for n in (2, 4) if _terms(d, n) <= min(MOST_TERMS, len(kept) / ROWS_PER_TERM)]
    links: list[Link] = ["identity"]
    if np.ptp(u) < LONGEST_LOG:
        links.append("log")
    best, most, variance = None, LEAST_EXPLAINED, float(np.var(u[held]))
    with require("threadpoolctl").threadpool_limits(1):
        for degree in degrees:
            rows = _some(kept, max(MANY_ROWS, CHOICE_ROWS_PER_TERM * _terms(d, degree)))
            for link in links:
                trend = fit_trend(X[rows], u[rows], degree, link, log_inputs)
                explained = 1.0 - float(np.mean((u[held] - trend(X[held])) ** 2)) / variance
                if explained > most:
                    best, most = replace(trend, explained=explained), explained
    return best


def find_margin(
    X: Floats,
    guide: Floats,
    y: NDArray[Any],
    held: NDArray[np.bool_],
    log_inputs: Sequence[int] = (),
) -> Trend | None:
    """
    Make the log-odds of a label from a polynomial of the quantity that it is cut on.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    guide : ndarray, shape (n,)
        The quantity [1].
    y : ndarray of int, shape (n,)
        Labels, 0 or 1.
    held : ndarray of bool, shape (n,)
        Rows set aside: they choose the polynomial and tell how far to trust it.
    log_inputs : sequence of int
        Inputs whose logarithm is taken first.

    Returns
    -------
    Trend or None
        Log-odds [1], fitted as `find_trend` does.
    """
    trend = find_trend(X, guide, held, log_inputs)
    if trend is None or len(np.unique(y[held])) < 2:
        return None
    return trend.rescaled(*_log_odds(trend(X[held]), y[held]))


def _log_odds(t: Floats, y: NDArray[Any]) -> tuple[float, float]:
    """Slope and offset of a logistic regression on one number, by Newton's method."""
    scale = float(np.std(t)) or 1.0
    # Starting at the cut: where the label changes, most slopes fit.
    centre = 0.5 * float(np.quantile(t[y == 0], 0.5) + np.quantile(t[y == 1], 0.5))
    rows = np.column_stack([(t - centre) / scale, np.ones(len(t))])
    found = np.zeros(2)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(rows @ found, -30, 30)))
        slope = rows.T @ (p - y) + LOGIT_RIDGE * found
        curve = (rows * (p * (1.0 - p))[:, None]).T @ rows + LOGIT_RIDGE * np.eye(2)
        step = np.linalg.solve(curve, slope)
        found -= step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-300))
        if float(np.abs(step).max()) < 1e-8:
            break
    factor = float(found[0]) / scale
    return factor, float(found[1]) - factor * centre
