"""Expressions: the allow-list and the values."""

from __future__ import annotations

import numpy as np
import pytest

from limen.errors import ExpressionError
from limen.expressions import Expression

COLUMNS = {"a": np.array([1.0, 4.0, np.nan]), "b": np.array([2, 3, 5])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b", [5.0, 10.0, np.nan]),
        ("-(a ** 2) / b", [-0.5, -16 / 3, np.nan]),
        ("sqrt(a) + abs(-b)", [3.0, 5.0, np.nan]),
        ("min(a, b) + max(a, b)", [3.0, 7.0, np.nan]),
        ("log10(exp(log(b))) * 0", [0.0, 0.0, 0.0]),
        ("-2 * (a - max_over_points(a))", [6.0, 0.0, np.nan]),
    ],
)
def test_evaluate_gives_the_value(text, expected):
    np.testing.assert_allclose(Expression(text).evaluate(COLUMNS), expected)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.real",
        "a[0]",
        "lambda: 1",
        "[a for a in b]",
        "'text'",
        "True",
        "a if b else 1",
        "f(a)",
        "min(a)",
        "max_over_points(a, b)",
        "a < b",
        "a and b",
        "a; b",
        "",
        "a" * 501,
        "(" * 300 + ")" * 300,
        "a @ b",
        "a // b",
        "a % b",
        "sqrt(x=a)",
        "1j",
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text):
    with pytest.raises(ExpressionError):
        Expression(text)


def test_names_are_the_columns_that_are_read():
    assert Expression("2*a/abs(b)").names == {"a", "b"}


def test_a_missing_column_is_named():
    with pytest.raises(ExpressionError, match="no column 'c'"):
        Expression("a + c").evaluate(COLUMNS)


def test_the_maximum_over_all_points_can_be_given_for_a_block():
    expression = Expression("a - max_over_points(a)")
    assert expression.over_points == {"a"}
    np.testing.assert_allclose(expression.evaluate({"a": np.array([1.0])}, {"a": 10.0}), [-9.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < 2", [True, False, False]),
        ("1 <= a < 4.5 and not b == 3", [True, False, False]),
        ("a > 3 or b >= 5", [False, True, True]),
    ],
)
def test_conditions_select_rows(text, expected):
    np.testing.assert_array_equal(Expression(text, condition=True).evaluate(COLUMNS), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a != 1", [False, False, True]),
        ("not a > 1", [False, True, False]),
        ("not (a > 1 and b > 0)", [False, True, False]),
        ("not (a > 1 and b < 0)", [True, True, True]),
        ("a > 1 or b > 0", [True, True, True]),
    ],
)
def test_what_is_not_known_neither_meets_a_condition_nor_misses_it(text, expected):
    columns = {"a": np.array([np.nan, 1.0, 2.0]), "b": np.ones(3)}
    np.testing.assert_array_equal(Expression(text, condition=True).evaluate(columns), expected)


@pytest.mark.parametrize("text", ["a + b", "a < b < 'x'", "a in b", "a is b"])
def test_a_condition_must_be_a_condition(text):
    with pytest.raises(ExpressionError):
        Expression(text, condition=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a < 1 & b > 2", "use and, or, not"),
        ("(a < 1) | (b > 2)", "use and, or, not"),
        ("a < 1 && b > 2", "use and, or, not"),
        ("a < 1 AND b > 2", "use and, or, not"),
        ("a = 1", "use == in place of a single ="),
        ("a < 1TeV", "leave the unit out"),
        ("a < 1.5e3 GeV", "leave the unit out"),
    ],
)
def test_habits_from_elsewhere_are_told_what_to_write(text, told):
    with pytest.raises(ExpressionError, match=told):
        Expression(text, condition=True)


@pytest.mark.parametrize("text", ["a in b", "a < b < 'x'", "a.b < 1.5E3", "f(a) <= 1 and b != 2"])
def test_no_habit_is_seen_where_there_is_none(text):
    with pytest.raises(ExpressionError) as raised:
        Expression(text, condition=True)
    assert "in place of" not in str(raised.value)
    assert "leave the unit out" not in str(raised.value)


def test_undefined_values_are_nan_without_a_warning():
    assert np.isnan(Expression("log(a)").evaluate({"a": np.array([-1.0])})).all()


@pytest.mark.parametrize("text", ["9" * 400, "m - 1e999", "m - " + "9" * 400])
def test_a_number_beyond_floating_point_is_refused(text):
    with pytest.raises(ExpressionError, match=r"a number above 1\.8e308"):
        Expression(text)


def test_a_tower_of_powers_is_infinite_at_once():
    assert np.isinf(Expression("m * 9**9**9**9").evaluate({"m": np.ones(1)})).all()


@pytest.mark.parametrize("text", ["1 < 2 and m > 2", "not (1 < 2) or 0 < 2 < m"])
def test_a_condition_on_constants_holds_for_all_rows(text):
    columns = {"m": np.array([1.0, 3.0])}
    assert Expression(text, condition=True).evaluate(columns).tolist() == [False, True]
