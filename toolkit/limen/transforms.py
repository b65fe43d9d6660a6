"""
Target transforms: what a regressor learns instead of the target itself.

A graph holds the inverse, in operators that ONNX has in both precisions (Exp, Clip, Where and
polynomials); the functions here use the same formulas, so both give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import DataError, UsageError

__all__ = [
    "CDF_DENOMINATOR",
    "CDF_NUMERATOR",
    "MAX_EXPONENT",
    "MAX_PROBIT",
    "TargetTransform",
    "normal_cdf",
    "normal_quantile",
]

Kind = Literal["identity", "log", "probit", "log_deficit"]

MAX_EXPONENT = 700.0
"""Arguments of Exp are clipped to plus or minus this, so that float64 never overflows [1]."""

MAX_PROBIT = 7.07106781186547
"""The inverse probit is clipped to plus or minus this, the range of the rational formula [1]."""

SMALLEST_PROBABILITY = 1e-12
LONG_TAIL = 20.0
LINEAR_DEFICIT = 5.0
LOG_DECADES = 1.5

CDF_NUMERATOR = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
"""Coefficients of the numerator in |x|, highest power first (Hart 1968, no. 5666)."""

CDF_DENOMINATOR = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)
"""Coefficients of the denominator in |x|, highest power first."""

_PROBABILITIES = frozenset({"cls", "clsb", "clb", "p_value"})
_LARGE_IS_BEST = frozenset({"log_likelihood", "log_likelihood_ratio"})
_SMALL_IS_BEST = frozenset({"minus_2_log_likelihood", "chi2", "delta_chi2"})


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def normal_cdf(x: ArrayLike) -> NDArray[np.float64]:
    """
    Cumulative distribution of the standard normal, Φ(x).

    Parameters
    ----------
    x : array_like, any shape
        Clipped to plus or minus ``MAX_PROBIT`` [1].

    Returns
    -------
    ndarray, same shape
        Probability [1]; error below 1e-14 absolute, below 1e-8 relative in the lower tail.

    Notes
    -----
    Source: J. F. Hart et al., Computer Approximations, Wiley 1968, no. 5666, as in G. West,
    Better approximations to cumulative normal functions, Wilmott Magazine 2005. A graph repeats
    it with Abs, Mul, Add, Exp, Div and Where: onnxruntime has Erf in float32 only.

    Examples
    --------
    >>> normal_cdf([0.0, -1.6448536269514722]).round(12)
    array([0.5 , 0.05])
    """
    clipped = np.clip(np.asarray(x, dtype=np.float64), -MAX_PROBIT, MAX_PROBIT)
    size = np.abs(clipped)
    ratio = _polynomial(CDF_NUMERATOR, size) / _polynomial(CDF_DENOMINATOR, size)
    tail = np.exp(-0.5 * size * size) * ratio
    return np.where(clipped > 0, 1.0 - tail, tail)


def normal_quantile(p: ArrayLike) -> NDArray[np.float64]:
    """
    Quantile of the standard normal, the inverse of `normal_cdf`.

    Parameters
    ----------
    p : array_like, any shape
        Probability [1], clipped to 1e-12 and 1 - 1e-12.

    Returns
    -------
    ndarray, same shape
        Quantile [1], from about -7.03 to 7.03; error below 1e-9.

    Notes
    -----
    Source: P. J. Acklam's rational approximation (1e-9), then two steps of Halley's method.

    Examples
    --------
    >>> normal_quantile([0.5, 0.975]).round(6)
    array([0.      , 1.959964])
    """
    share = np.clip(np.asarray(p, dtype=np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    lower = np.minimum(share, 1.0 - share)
    x = _acklam(lower)
    for _ in range(2):
        error = (normal_cdf(x) - lower) * math.sqrt(2 * math.pi) * np.exp(0.5 * x * x)
        x = x - error / (1.0 + 0.5 * x * error)
    return np.where(share > 0.5, -x, x)


def _acklam(lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """Approximate the quantile for probabilities up to 1/2."""
    centre = lower - 0.5
    square = centre * centre
    a = (
        -3.969683028665376e01,
        2.209460984245205e02,
        -2.759285104469687e02,
        1.383577518672690e02,
        -3.066479806614716e01,
        2.506628277459239e00,
    )
    b = (
        -5.447609879822406e01,
        1.615858368580409e02,
        -1.556989798598866e02,
        6.680131188771972e01,
        -1.328068155288572e01,
        1.0,
    )
    c = (
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e00,
        -2.549732539343734e00,
        4.374664141464968e00,
        2.938163982698783e00,
    )
    d = (
        7.784695709041462e-03,
        3.224671290700398e-01,
        2.445134137142996e00,
        3.754408661907416e00,
        1.0,
    )
    middle = centre * _polynomial(a, square) / _polynomial(b, square)
    root = np.sqrt(-2.0 * np.log(lower))
    tail = _polynomial(c, root) / _polynomial(d, root)
    return np.where(lower < 0.02425, tail, middle)


@dataclass(frozen=True, slots=True)
class TargetTransform:
    """
    A monotone map from the target y to the quantity u that a regressor learns.

    Parameters
    ----------
    kind : {"identity", "log", "probit", "log_deficit"}
        ``log``: u = ln y, for positive y over decades. ``probit``: u = Φ⁻¹(y), for probabilities.
        ``log_deficit``: u = ln(1 + (top - y) / scale), for a log-likelihood with a long tail.
    top : float
        The best value of the target, in its unit (log_deficit only).
    scale : float
        Distance from ``top`` up to which u is about linear, in the target's unit (log_deficit
        only). Negative where small is best (χ²): u then measures y - top in units of ``-scale``.

    Examples
    --------
    >>> transform = TargetTransform("log_deficit", top=-10.0, scale=5.0)
    >>> transform.inverse(transform.forward([-10.0, -1000.0])).round(9)
    array([  -10., -1000.])
    """

    kind: Kind = "identity"
    top: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("identity", "log", "probit", "log_deficit"):
            raise UsageError(
                f"target transform: found kind {self.kind!r}, allowed 'identity', 'log', 'probit' "
                "or 'log_deficit'; correct the kind"
            )
        if not math.isfinite(self.top) or not math.isfinite(self.scale) or self.scale == 0:
            raise UsageError(
                f"target transform: found top {self.top} and scale {self.scale}, allowed finite "
                "numbers and a scale other than 0; correct them"
            )

    @property
    def increasing(self) -> bool:
        """Whether u grows with y; if not, the ends of an interval swap."""
        return self.kind != "log_deficit" or self.scale < 0

    def takes(self, y: ArrayLike) -> NDArray[np.bool_]:
        """
        Tell which targets are finite and can be mapped.

        Examples
        --------
        >>> TargetTransform("log").takes([1e-9, 0.0, np.inf]).tolist()
        [True, False, False]
        """
        values = np.asarray(y, dtype=np.float64)
        low = {"log": np.nextafter(0.0, 1.0), "probit": 0.0}.get(self.kind, -np.inf)
        high = 1.0 if self.kind == "probit" else np.inf
        return np.asarray(np.isfinite(values) & (values >= low) & (values <= high))

    def forward(self, y: ArrayLike) -> NDArray[np.float64]:
        """
        Map targets to what the regressor learns.

        Parameters
        ----------
        y : array_like, shape (n,)
            Target, in its unit. NaN stays NaN.

        Returns
        -------
        ndarray, shape (n,)
            u [1].

        Raises
        ------
        DataError
            If y is zero or negative (log) or outside 0 to 1 (probit).
        """
        values = np.asarray(y, dtype=np.float64)
        if self.kind == "log":
            _refuse(values <= 0, "log", "positive numbers", values)
            return np.log(values)
        if self.kind == "probit":
            _refuse((values < 0) | (values > 1), "probit", "0 to 1", values)
            return normal_quantile(values)
        if self.kind == "log_deficit":
            # A target better than the best one known is held just inside the logarithm.
            return np.log1p(np.maximum((self.top - values) / self.scale, -0.999))
        return values

    def inverse(self, u: ArrayLike) -> NDArray[np.float64]:
        """
        Map what the regressor says back to the target, by the formula that the graph has.

        Parameters
        ----------
        u : array_like, shape (n,)
            Transformed target [1].

        Returns
        -------
        ndarray, shape (n,)
            Target, in its unit.
        """
        values = np.asarray(u, dtype=np.float64)
        if self.kind == "log":
            return np.exp(np.clip(values, -MAX_EXPONENT, MAX_EXPONENT))
        if self.kind == "probit":
            return normal_cdf(values)
        if self.kind == "log_deficit":
            clipped = np.clip(values, -MAX_EXPONENT, MAX_EXPONENT)
            return self.top - self.scale * (np.exp(clipped) - 1.0)
        return values

    def slope(self, u: ArrayLike) -> NDArray[np.float64]:
        """
        Give the absolute change of the target with u.

        Parameters
        ----------
        u : array_like, shape (n,)
            Transformed target [1].

        Returns
        -------
        ndarray, shape (n,)
            |dy/du| in the target's unit, positive.
        """
        values = np.asarray(u, dtype=np.float64)
        if self.kind == "probit":
            return np.exp(-0.5 * values * values) / math.sqrt(2.0 * math.pi)
        power = np.exp(np.clip(values, -MAX_EXPONENT, MAX_EXPONENT))
        if self.kind == "log":
            return power
        if self.kind == "log_deficit":
            return abs(self.scale) * power
        return np.ones_like(values)

    def inverse_interval(
        self, lower_u: ArrayLike, upper_u: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map an interval in u to (lower, upper) in the target's unit, each of shape (n,)."""
        first, second = self.inverse(lower_u), self.inverse(upper_u)
        return (first, second) if self.increasing else (second, first)

    def to_dict(self) -> dict[str, Any]:
        """
        Describe the transform for a model card.

        Examples
        --------
        >>> TargetTransform("log").to_dict()
        {'kind': 'log'}
        """
        if self.kind == "log_deficit":
            return {"kind": self.kind, "top": self.top, "scale": self.scale}
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TargetTransform:
        """Read what `to_dict` wrote."""
        return cls(data["kind"], float(data.get("top", 0.0)), float(data.get("scale", 1.0)))

    @classmethod
    def choose(cls, quantity: str | None, role: str, y: ArrayLike) -> TargetTransform:
        """
        Pick the transform for a target by its role, quantity and spread.

        Parameters
        ----------
        quantity : str or None
            Quantity of the target column (``cls``, ``log_likelihood``, ...).
        role : str
            Role of the target column.
        y : array_like, shape (n,)
            Training targets, in their unit; not finite ones are left out.

        Returns
        -------
        TargetTransform
            ``probit`` for p-values, ``log`` for positive limits, r and observables over more than
            1.5 decades, ``log_deficit`` for likelihoods with a long tail, else ``identity``.

        Examples
        --------
        >>> TargetTransform.choose("cls", "test", [0.0, 0.3]).kind
        'probit'
        """
        values = np.asarray(y, dtype=np.float64)
        values = values[np.isfinite(values)]
        if values.size == 0:
            return cls()
        low, high = float(values.min()), float(values.max())
        if quantity in _PROBABILITIES and low >= 0 and high <= 1:
            return cls("probit")
        if quantity in _LARGE_IS_BEST and high - low > LONG_TAIL * LINEAR_DEFICIT:
            return cls("log_deficit", top=high, scale=LINEAR_DEFICIT)
        if quantity in _SMALL_IS_BEST and high - low > LONG_TAIL * 2 * LINEAR_DEFICIT:
            return cls("log_deficit", top=low, scale=-2 * LINEAR_DEFICIT)
        spread = role in ("limit", "observable") or quantity == "r"
        if spread and low > 0 and math.log10(high) - math.log10(low) > LOG_DECADES:
            return cls("log")
        return cls()


def _refuse(wrong: NDArray[np.bool_], kind: str, allowed: str, values: NDArray[np.float64]) -> None:
    if wrong.any():
        raise DataError(
            f"target transform '{kind}': found {int(wrong.sum())} rows such as "
            f"{float(values[wrong][0]):g}, allowed {allowed}; mask these rows or choose 'identity'"
        )
