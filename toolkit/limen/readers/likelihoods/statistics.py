"""CLs from the test statistic and its Asimov value (asymptotic formulae)."""

from __future__ import annotations

import math

from limen.readers.tables import library

__all__ = ["BANDS", "cls_expected", "cls_observed"]

BANDS = (-2, -1, 0, 1, 2)
"""Bands of an expected result; -n is the stronger exclusion."""


def _log_tail(value: float) -> float:
    """Give the logarithm of the upper tail of the standard normal distribution."""
    return float(library("scipy.special", "io").log_ndtr(-value))


def cls_observed(q: float, q_asimov: float) -> tuple[float, float, float]:
    """
    Give CLs, CLs+b and CLb of an observed test statistic.

    Parameters
    ----------
    q : float
        Observed value of qtilde_mu [1], not negative.
    q_asimov : float
        Its value on the background-only Asimov data [1], not negative.

    Returns
    -------
    tuple of float
        CLs, CLs+b, CLb. Without sensitivity (``q_asimov`` is 0) CLs is 1 at q = 0.

    Notes
    -----
    Source: G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727, equations 64 to 67, and
    A. Read, J. Phys. G 28 (2002) 2693 for CLs.

    Examples
    --------
    >>> [round(value, 4) for value in cls_observed(2.0, 4.0)]
    [0.1091, 0.0786, 0.721]
    """
    root, root_asimov = math.sqrt(q), math.sqrt(q_asimov)
    if root <= root_asimov or root_asimov == 0.0:
        shift = root - root_asimov
    else:
        shift = (q - q_asimov) / (2.0 * root_asimov)
    signal, background = _log_tail(shift + root_asimov), _log_tail(shift)
    return math.exp(signal - background), math.exp(signal), math.exp(background)


def cls_expected(q_asimov: float, band: int) -> float:
    """
    Give the expected CLs of a background-only experiment.

    Parameters
    ----------
    q_asimov : float
        Value of the test statistic on the background-only Asimov data [1].
    band : int
        0 for the median, -n for the n sigma stronger exclusion.

    Returns
    -------
    float

    Notes
    -----
    Source: arXiv:1007.1727, equation 89.

    Examples
    --------
    >>> round(cls_expected(4.0, 0), 4), round(cls_expected(4.0, -1), 4)
    (0.0455, 0.0085)
    """
    return math.exp(_log_tail(math.sqrt(q_asimov) - band) - _log_tail(-float(band)))
