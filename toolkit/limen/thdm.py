"""
Two-Higgs-doublet model at tree level, with the oblique parameters at one loop, in closed form.

The potential, CP conserving with a softly broken Z2, is that of the model files of SARAH::

    V = m11² |φ1|² + m22² |φ2|² + m12² (φ1†φ2 + h.c.)
        + λ1 |φ1|⁴ + λ2 |φ2|⁴ + λ3 |φ1|² |φ2|² + λ4 |φ1†φ2|² + ½ λ5 [(φ1†φ2)² + h.c.]

λ1 and λ2 come *without* a half and m12² with a plus: with Λ1 = 2 λ1, Λ2 = 2 λ2 and -m12² these are
the equations of most papers. m11² and m22² follow from the minimum, tan β = v2 / v1. No Yukawa
coupling enters, so that the type of the model does not matter here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.errors import ShapeError

__all__ = [
    "BOX",
    "COLUMNS",
    "bounded_from_below",
    "evaluate",
    "masses",
    "oblique",
    "oblique_chi2",
    "unitarity_eigenvalues",
]

Array = NDArray[np.float64]

BOX: dict[str, tuple[float, float]] = {
    "lambda1": (0.0, 10.0),
    "lambda2": (0.0, 0.2),
    "lambda3": (-10.0, 10.0),
    "lambda4": (-10.0, 10.0),
    "lambda5": (-10.0, 10.0),
    "tan_beta": (5.0, 45.0),
    "m12_2": (-3000.0, 0.0),
}
"""Ranges of the scan [1, m12_2 in GeV²], as shown for MLscanner (arXiv:2207.09959)."""
COLUMNS: tuple[str, ...] = tuple(BOX)

V = 246.22
M_W = 80.377
M_Z = 91.1876
ALPHA = 1 / 127.951
M_H_REFERENCE = 125.25

# Fit of all three, Particle Data Group 2024, "Electroweak model and constraints on new physics".
_STU = np.array([-0.04, 0.01, -0.01])
_STU_ERRORS = np.array([0.10, 0.12, 0.09])
_STU_CORRELATIONS = np.array([[1.0, 0.93, -0.70], [0.93, 1.0, -0.87], [-0.70, -0.87, 1.0]])
# Equal masses make differences of 0 / 0; formulas are then taken this far apart.
_APART = 1e-6


def evaluate(points: Array) -> dict[str, Array]:
    """
    Evaluate points of the model.

    Parameters
    ----------
    points : ndarray, shape (n, 7)
        In the order of ``COLUMNS`` [1; m12_2 in GeV²].

    Returns
    -------
    dict of ndarray, shape (n,)
        ``m_h``, ``m_H``, ``m_A``, ``m_Hp`` [GeV], NaN where a squared mass is not positive;
        ``cos_ba``, cos(β - α) [1]; ``stability`` [1], above 0 where the potential is bounded from
        below; ``unitarity`` [1], largest eigenvalue over its bound 8π, allowed up to 1; ``S``,
        ``T``, ``U`` [1] and their ``chi2`` [1].

    Raises
    ------
    ShapeError
        If there are not seven columns.

    Examples
    --------
    >>> told = evaluate(np.array([[1.0, 0.13, 1.0, -0.2, -0.2, 20.0, -2000.0]]))
    >>> round(float(told["m_h"][0]), 1), bool(told["stability"][0] > 0)
    (125.8, True)
    """
    found = masses(points)
    stu = oblique(found["m_h"], found["m_H"], found["m_A"], found["m_Hp"], found["cos_ba"])
    return found | {
        "stability": bounded_from_below(points),
        "unitarity": np.abs(unitarity_eigenvalues(points)).max(axis=1) / (8 * np.pi),
        **dict(zip("STU", stu.T, strict=True)),
        "chi2": oblique_chi2(stu),
    }


def masses(points: Array) -> dict[str, Array]:
    """
    Give the masses at tree level and the mixing.

    Parameters
    ----------
    points : ndarray, shape (n, 7)

    Returns
    -------
    dict of ndarray, shape (n,)
        ``m_h``, ``m_H``, ``m_A``, ``m_Hp`` [GeV], ``cos_ba`` [1].

    Notes
    -----
    Gunion and Haber, hep-ph/0207010, in the convention of the module: with M² = -m12² / (sβ cβ),
    m_A² = M² - λ5 v², m_H±² = M² - ½ (λ4 + λ5) v², and for the CP-even fields along v1, v2
    the matrix M² (sβ², -sβ cβ; cβ²) + v² (2 λ1 cβ², λ345 sβ cβ; 2 λ2 sβ²). α is the angle of
    H = cos α ρ1 + sin α ρ2, h = -sin α ρ1 + cos α ρ2, with sin(β - α) from 0 to 1.
    """
    l1, l2, l3, l4, l5, tan_beta, m12_2 = _columns(points)
    beta = np.arctan(tan_beta)
    s, c = np.sin(beta), np.cos(beta)
    heavy = -m12_2 / (s * c)
    first = heavy * s**2 + 2 * l1 * V**2 * c**2
    second = heavy * c**2 + 2 * l2 * V**2 * s**2
    mixed = (-heavy + (l3 + l4 + l5) * V**2) * s * c
    middle, half = (first + second) / 2, np.hypot((first - second) / 2, mixed)
    alpha = 0.5 * np.arctan2(2 * mixed, first - second)
    squares = {
        "m_h": middle - half,
        "m_H": middle + half,
        "m_A": heavy - l5 * V**2,
        "m_Hp": heavy - 0.5 * (l4 + l5) * V**2,
    }
    found = {k: np.sqrt(np.where(square > 0, square, np.nan)) for k, square in squares.items()}
    sign = np.where(np.sin(beta - alpha) < 0, -1.0, 1.0)
    return found | {"cos_ba": sign * np.cos(beta - alpha)}


def bounded_from_below(points: Array) -> Array:
    """
    Give the least of four margins, all above 0 where the potential is bounded from below.

    Parameters
    ----------
    points : ndarray, shape (n, 7)

    Returns
    -------
    ndarray, shape (n,)
        Margin [1].

    Notes
    -----
    Deshpande and Ma, Phys. Rev. D 18 (1978) 2574: λ1, λ2, λ3 + 2√(λ1 λ2) and
    λ3 + λ4 - |λ5| + 2√(λ1 λ2).
    """
    l1, l2, l3, l4, l5, _, _ = _columns(points)
    root = 2 * np.sqrt(np.maximum(l1, 0) * np.maximum(l2, 0))
    return np.asarray(np.min([l1, l2, l3 + root, l3 + l4 - np.abs(l5) + root], axis=0))


def unitarity_eigenvalues(points: Array) -> Array:
    """
    Give the eigenvalues of the scattering of two scalars at high energy.

    Parameters
    ----------
    points : ndarray, shape (n, 7)

    Returns
    -------
    ndarray, shape (n, 12)
        Eigenvalues [1]; unitarity at tree level wants each below 8π in size.

    Notes
    -----
    Akeroyd, Arhrib and Naimi, hep-ph/0006035; Ginzburg and Ivanov, hep-ph/0508020.
    """
    l1, l2, l3, l4, l5, _, _ = _columns(points)
    total, apart = 2 * (l1 + l2), 2 * (l1 - l2)
    pairs = (
        (1.5 * total, np.sqrt(2.25 * apart**2 + (2 * l3 + l4) ** 2)),
        (0.5 * total, np.sqrt(0.25 * apart**2 + l4**2)),
        (0.5 * total, np.sqrt(0.25 * apart**2 + l5**2)),
    )
    split = [middle + sign * half for middle, half in pairs for sign in (1, -1)]
    single = [
        l3 + 2 * l4 - 3 * l5,
        l3 - l5,
        l3 + 2 * l4 + 3 * l5,
        l3 + l5,
        l3 + l4,
        l3 - l4,
    ]
    return np.stack(split + single, axis=1)


def oblique(m_h: Array, m_H: Array, m_A: Array, m_Hp: Array, cos_ba: Array) -> Array:
    """
    Give the oblique parameters relative to the Standard Model with a Higgs boson of 125.25 GeV.

    Parameters
    ----------
    m_h, m_H, m_A, m_Hp : ndarray, shape (n,)
        Masses [GeV].
    cos_ba : ndarray, shape (n,)
        cos(β - α) [1].

    Returns
    -------
    ndarray, shape (n, 3)
        S, T, U [1]; NaN where a mass is.

    Notes
    -----
    Grimus, Lavoura, Ogreid and Osland, arXiv:0802.4353, for two doublets.
    """
    h, H, A, P = (np.asarray(m, dtype=np.float64) ** 2 for m in (m_h, m_H, m_A, m_Hp))
    w, z, ref = (np.array(m**2) for m in (M_W, M_Z, M_H_REFERENCE))
    c: Array = np.asarray(cos_ba, dtype=np.float64) ** 2
    s = 1 - c
    # sin² θ_W is that of the masses; this is (2 sin² θ_W - 1)².
    weak = (1 - 2 * w / z) ** 2
    t = _f(P, A) + s * (_f(P, H) - _f(A, H)) + c * (_f(P, h) - _f(A, h))
    t += 3 * (s * (_f(z, h) - _f(w, h)) + c * (_f(z, H) - _f(w, H)) - _f(z, ref) + _f(w, ref))
    neutral = weak * _g(P, P, z) + s * _g(A, H, z) + c * _g(A, h, z)
    at_z = s * _g_hat(h, z) + c * _g_hat(H, z) - _g_hat(ref, z)
    at_w = s * _g_hat(h, w) + c * _g_hat(H, w) - _g_hat(ref, w)
    with np.errstate(invalid="ignore"):
        logs = np.log(h) + np.log(H) + np.log(A) - 2 * np.log(P) - np.log(ref)
    charged = _g(P, A, w) + s * _g(P, H, w) + c * _g(P, h, w)
    S = (neutral + logs + at_z) / (24 * np.pi)
    U = (charged - neutral + at_w - at_z) / (24 * np.pi)
    return np.stack([S, t / (16 * np.pi**2 * ALPHA * V**2), U], axis=-1)


def oblique_chi2(stu: Array) -> Array:
    """
    Give the chi-squared of S, T, U with the fit of the Particle Data Group (2024).

    Parameters
    ----------
    stu : ndarray, shape (n, 3)

    Returns
    -------
    ndarray, shape (n,)
        [1], of three degrees of freedom: 7.81 at 95 %.
    """
    covariance = _STU_CORRELATIONS * np.outer(_STU_ERRORS, _STU_ERRORS)
    apart = np.asarray(stu) - _STU
    return np.asarray(((apart @ np.linalg.inv(covariance)) * apart).sum(axis=-1))


def _columns(points: Array) -> Array:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(COLUMNS):
        raise ShapeError(
            f"points: found shape {array.shape}, allowed (n, {len(COLUMNS)}): {', '.join(COLUMNS)}"
        )
    return array.T


def _separate(x: Array, y: Array) -> Array:
    """Give ``y``, a little apart from ``x`` where they are equal to rounding."""
    return np.where(np.abs(x - y) < _APART * x, x * (1 + _APART), y)


def _f(x: Array, y: Array) -> Array:
    """F of arXiv:0802.4353: 0 for equal squared masses [GeV²]."""
    near = np.abs(x - y) < _APART * x
    y = _separate(x, y)
    return np.where(near, 0.0, (x + y) / 2 - x * y / (x - y) * np.log(x / y))


def _root_log(t: Array, r: Array) -> Array:
    """Function f(t, r) of arXiv:0802.4353, on the branch that is continuous at t = 0."""
    root = np.sqrt(np.abs(r))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = root * np.log(np.abs((t - root) / (t + root)))
    return np.where(r > 0, above, np.where(r < 0, 2 * root * np.arctan2(root, t), 0.0))


def _g(x: Array, y: Array, q: Array) -> Array:
    """G(x, y, q) of arXiv:0802.4353, of squared masses [GeV²]."""
    y = _separate(x, y)
    total, apart = x + y, x - y
    log = np.log(x / y) * ((x**2 + y**2) / apart - (x**2 - y**2) / q + apart**3 / (3 * q**2))
    r = q**2 - 2 * q * total + apart**2
    polynomial = -16 / 3 + 5 * total / q - 2 * apart**2 / q**2
    return np.asarray(polynomial + 3 / q * log + r / q**3 * _root_log(total - q, r))


def _g_hat(x: Array, q: Array) -> Array:
    """Ĝ(x, q) of arXiv:0802.4353, of squared masses [GeV²]."""
    x = _separate(q, x)
    ratio = x / q
    log = -10 + 18 * ratio - 6 * ratio**2 + ratio**3 - 9 * (x + q) / (x - q)
    last = (12 - 4 * ratio + ratio**2) * _root_log(x, x**2 - 4 * x * q) / q
    return np.asarray(-79 / 3 + 9 * ratio - 2 * ratio**2 + log * np.log(ratio) + last)
