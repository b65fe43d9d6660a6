"""The two-Higgs-doublet evaluator against derivatives of its potential and one-loop integrals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from limen import thdm
from limen.errors import ShapeError

scipy_integrate = pytest.importorskip("scipy.integrate")

LOW, HIGH = np.array(list(thdm.BOX.values())).T
# Real fields: φ = ((f0 + i f1)/√2, (f2 + i f3)/√2), and likewise φ2 of f4 to f7.
FIELDS = 8


def points(n, seed=0):
    return LOW + np.random.default_rng(seed).random((n, 7)) * (HIGH - LOW)


def potential(fields, point, m11_2=0.0, m22_2=0.0):
    l1, l2, l3, l4, l5, _, m12_2 = point
    f = np.asarray(fields) / np.sqrt(2)
    one = np.array([f[0] + 1j * f[1], f[2] + 1j * f[3]])
    two = np.array([f[4] + 1j * f[5], f[6] + 1j * f[7]])
    a, b, ab = (abs(one) ** 2).sum(0), (abs(two) ** 2).sum(0), (one.conj() * two).sum(0)
    quartic = l1 * a**2 + l2 * b**2 + l3 * a * b + l4 * abs(ab) ** 2 + l5 * (ab**2).real
    return m11_2 * a + m22_2 * b + 2 * m12_2 * ab.real + quartic


def derivatives(of, at, order, step):
    """Give all derivatives of a polynomial of fourth degree, by central differences."""
    found = np.zeros((FIELDS,) * order)
    for indices in itertools.combinations_with_replacement(range(FIELDS), order):
        total = 0.0
        for signs in itertools.product((1, -1), repeat=order):
            x = at.copy()
            for i, sign in zip(indices, signs, strict=True):
                x[i] += sign * step
            total += np.prod(signs) * of(x)
        for permuted in itertools.permutations(indices):
            found[permuted] = total / (2 * step) ** order
    return found


def vacuum(point):
    beta = np.arctan(point[5])
    v1, v2 = thdm.V * np.cos(beta), thdm.V * np.sin(beta)
    l1, l2, l3, l4, l5, _, m12_2 = point
    l345 = l3 + l4 + l5
    m11_2 = -m12_2 * v2 / v1 - l1 * v1**2 - l345 * v2**2 / 2
    m22_2 = -m12_2 * v1 / v2 - l2 * v2**2 - l345 * v1**2 / 2
    at = np.zeros(FIELDS)
    at[2], at[6] = v1, v2
    return at, m11_2, m22_2


def valid_points(n):
    many = points(4000)
    told = thdm.masses(many)
    kept = np.all([np.isfinite(told[name]) for name in ("m_h", "m_A", "m_Hp")], axis=0)
    return many[kept][:n]


def test_masses_are_the_curvatures_of_the_potential_at_its_minimum():
    for point in valid_points(3):
        at, m11_2, m22_2 = vacuum(point)

        def of(x, point=point, m11_2=m11_2, m22_2=m22_2):
            return potential(x, point, m11_2, m22_2)

        slope = [(of(at + e) - of(at - e)) / 2e-3 for e in 1e-3 * np.eye(FIELDS)]
        assert np.abs(slope).max() < 1.0  # GeV³, of terms of a size of 10⁷
        squares = np.linalg.eigvalsh(derivatives(of, at, 2, 0.1))
        told = {name: float(value[0]) for name, value in thdm.masses(point[None]).items()}
        masses = [told["m_h"], told["m_H"], told["m_A"], told["m_Hp"], told["m_Hp"]]
        expected = np.sort([0.0, 0.0, 0.0, *np.square(masses)])
        assert np.allclose(squares, expected, rtol=1e-3, atol=30.0)


def test_masses_and_mixing_give_the_couplings_back():
    many = valid_points(50)
    told = thdm.masses(many)
    beta = np.arctan(many[:, 5])
    alpha = beta - np.arccos(told["cos_ba"])
    s, c, sa, ca = np.sin(beta), np.cos(beta), np.sin(alpha), np.cos(alpha)
    v2, heavy = thdm.V**2, -many[:, 6] / (s * c)
    h, H, A, P = (told[name] ** 2 for name in ("m_h", "m_H", "m_A", "m_Hp"))
    assert np.allclose((H * ca**2 + h * sa**2 - heavy * s**2) / (2 * v2 * c**2), many[:, 0])
    assert np.allclose((H * sa**2 + h * ca**2 - heavy * c**2) / (2 * v2 * s**2), many[:, 1])
    assert np.allclose((heavy - A) / v2, many[:, 4])
    assert np.allclose((heavy + A - 2 * P) / v2, many[:, 3])
    l3 = (H - h) * ca * sa / (v2 * s * c) + (2 * P - heavy) / v2
    assert np.allclose(l3, many[:, 2])


def test_a_light_higgs_of_125_gev_needs_the_convention_without_a_half():
    told = thdm.evaluate(np.array([[1.0, 0.13, 1.0, -0.2, -0.2, 45.0, -3000.0]]))
    assert told["m_h"][0] == pytest.approx(thdm.V * np.sqrt(2 * 0.13), rel=0.01)


def test_unitarity_eigenvalues_are_those_of_the_quartic_couplings():
    pairs = list(itertools.combinations_with_replacement(range(FIELDS), 2))
    norm = np.array([1 / np.sqrt(2) if i == j else 1.0 for i, j in pairs])
    for point in points(2, seed=1):
        quartic = derivatives(lambda x, p=point: potential(x, p), np.zeros(FIELDS), 4, 1.0)
        matrix = np.array([[quartic[(*a, *b)] for b in pairs] for a in pairs])
        numeric = np.linalg.eigvalsh(matrix * np.outer(norm, norm))
        told = thdm.unitarity_eigenvalues(point[None])[0]
        apart = np.abs(numeric[:, None] - told[None, :])
        assert apart.min(axis=0).max() < 1e-8
        assert apart.min(axis=1).max() < 1e-8


def test_stability_is_the_sign_of_the_quartic_potential_in_every_direction():
    rng = np.random.default_rng(2)
    many = points(60, seed=3)
    many[:, :5] *= 0.3
    margins = thdm.bounded_from_below(many)
    directions = rng.standard_normal((3000, FIELDS))
    # Little of the sphere lies where one doublet is much the smaller, as λ1 and λ2 ask for.
    directions[:, :4] *= np.exp(rng.uniform(-4, 4, (3000, 1)))
    directions[1000:, :4] *= np.array([0, 0, 1, 0])
    directions[1000:, 4:] *= rng.permuted(np.tile([0, 0, 1.0, 0], (2000, 1)), axis=1)
    for point, margin in zip(many, margins, strict=True):
        quartic = potential(directions.T, np.r_[point[:6], 0.0])
        if margin > 0:
            assert quartic.min() > 0
        elif margin < -0.3:
            assert quartic.min() < 0


def test_without_splitting_and_mixing_there_is_no_t():
    m = np.array([300.0, 500.0])
    stu = thdm.oblique(np.full(2, thdm.M_H_REFERENCE), m, m, m, np.zeros(2))
    assert np.abs(stu[:, 1]).max() < 1e-12
    assert np.abs(stu).max() < 1e-2


def test_t_vanishes_in_the_custodial_limits():
    h, H, A = (np.array([m]) for m in (thdm.M_H_REFERENCE, 400.0, 250.0))
    aligned = np.zeros(1)
    assert abs(thdm.oblique(h, H, A, A, aligned)[0, 1]) < 1e-12
    assert abs(thdm.oblique(h, H, A, H, aligned)[0, 1]) < 1e-12
    assert thdm.oblique(h, H, A, np.array([600.0]), aligned)[0, 1] > 0.5


def _integrals(q, x, y):
    """Give B22(q) - B22(0) and B0(0) - B0(q), by Feynman's parameter."""

    def square(t, at):
        return x * t + y * (1 - t) - at * t * (1 - t)

    def of(power):
        def integrand(t):
            a, b = square(t, q), square(t, 0.0)
            return a**power * np.log(abs(a)) - b**power * np.log(abs(b))

        return scipy_integrate.quad(integrand, 0, 1, limit=400)[0]

    return -0.5 * of(1), of(0)


@pytest.mark.parametrize(
    ("x", "y"), [(200.0, 300.0), (40.0, 70.0), (30.0, 300.0), (30.0, 40.0), (60.0, 65.0)]
)
def test_the_function_of_s_is_a_one_loop_integral(x, y):
    x, y, q = x**2, y**2, 91.0**2
    loop, _ = _integrals(q, x, y)
    assert 24 * loop / q == pytest.approx(thdm._g(x, y, q) + np.log(x * y) + 2, abs=1e-6)


@pytest.mark.parametrize("x", [80.0, 125.0, 170.0, 500.0])
def test_the_function_of_the_higgs_bosons_is_a_one_loop_integral(x):
    x, q = x**2, 91.0**2
    _, loop = _integrals(q, x, q)
    higgs = thdm._g(x, q, q) + 24 * loop
    assert thdm._g_hat(x, q) == pytest.approx(higgs, abs=1e-4)


def test_functions_are_continuous_where_masses_are_equal():
    x, q = np.float64(91.0**2), np.float64(91.0**2)
    for function in (
        lambda y: thdm._f(x, y),
        lambda y: thdm._g(x, y, q),
        lambda y: thdm._g_hat(y, q),
    ):
        assert function(x) == pytest.approx(function(x * (1 + 1e-4)), abs=2e-2 * 91)
        assert np.isfinite(function(x))


def test_tachyonic_points_have_no_mass_and_no_oblique_parameters():
    told = thdm.evaluate(points(200))
    none = np.isnan(told["m_A"]) | np.isnan(told["m_h"])
    assert 0 < none.sum() < 200
    assert np.isnan(told["chi2"][none]).all()
    assert np.isfinite(told["unitarity"]).all()


def test_points_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"allowed \(n, 7\)"):
        thdm.evaluate(np.zeros((3, 6)))
