"""Numbers, quantities and linear relations in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["number", "quantity", "relation"]


def number(value: float, digits: int = 4, *, apart_from: Sequence[float] = ()) -> str:
    """
    Write a number shortly, yet so that it differs from others where the values do.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        Significant digits to begin with.
    apart_from : sequence of float
        Numbers that stand beside it.

    Returns
    -------
    str
        With a true minus sign.

    Examples
    --------
    >>> number(-3999.99), number(4000.4, apart_from=[3999.83])
    ('−4000', '4000.4')
    """
    while digits < 17 and any(
        _rounded(value, digits) == _rounded(other, digits) and value != other
        for other in apart_from
    ):
        digits += 1
    shown = _rounded(value, digits) + 0.0
    plain = shown == 0 or 1e-4 <= abs(shown) < 1e7
    text = f"{shown:.15g}" if plain else f"{value:.{digits}g}"
    return text.replace("-", "−")


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def quantity(value: float, unit: str, *, apart_from: Sequence[float] = ()) -> str:
    """Write a number with its unit, which is left out where it is 1."""
    text = number(value, apart_from=apart_from)
    return text if unit in ("", "1") else f"{text} {unit}"


def relation(
    normal: NDArray[np.float64], offset: float, words: Sequence[str], units: Sequence[str]
) -> tuple[str, float, str]:
    """
    Write a linear form of the inputs.

    Parameters
    ----------
    normal : ndarray, shape (d,)
        Coefficients, one over the inputs' units.
    offset : float
        Value of the form on the subspace; it decides the sign of a form of several inputs.
    words, units : sequence of str
        What the inputs are called, and their units.

    Returns
    -------
    text : str
        ``m_N2 − m_N1`` or ``a + 0.5·b``.
    factor : float
        What to multiply the form's value by, for the text to be right.
    unit : str
        Unit of the value, ``1`` where the inputs' units differ.

    Examples
    --------
    >>> relation(np.array([0.0, -0.5, 0.5]), -65.0, ["a", "b", "c"], ["1", "GeV", "GeV"])
    ('b − c', -2.0, 'GeV')
    """
    weight = np.abs(normal)
    used = np.flatnonzero(weight > 1e-9 * weight.max()).tolist()
    factor = 1.0 / float(weight.max())
    if len(used) == 1 or offset == 0:
        factor *= float(np.sign(normal[used[0]]))
    elif offset < 0:
        factor = -factor
    coefficients = [(float(normal[j]) * factor, words[j]) for j in used]
    coefficients.sort(key=lambda pair: pair[0] < 0)
    text = ""
    for coefficient, word in coefficients:
        size = number(abs(coefficient))
        term = word if size == "1" else f"{size}·{word}"
        sign = "−" if coefficient < 0 else "+"
        text += f" {sign} {term}" if text else (f"−{term}" if coefficient < 0 else term)
    same = {units[j] for j in used}
    return text, factor, same.pop() if len(same) == 1 else "1"
