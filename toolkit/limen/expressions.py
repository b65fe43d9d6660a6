"""
Expressions over columns: ``-2 * (loglike - max_over_points(loglike))``, ``cls < 0.05 and r > 1``.

A text is parsed by :mod:`ast` and walked over an allow-list of nodes; nothing is ever evaluated
as Python. Arithmetic expressions define derived columns; comparisons select rows.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from limen.errors import ExpressionError

__all__ = ["FUNCTIONS", "MAXIMUM_LENGTH", "THRESHOLDS", "Expression"]

MAXIMUM_LENGTH = 500

FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "exp": (1, np.exp),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_OVER_POINTS = "max_over_points"
_LARGEST = sys.float_info.max
_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
# How a label's definition compares its column with its threshold.
THRESHOLDS: dict[str, Callable[..., Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}
_COMPARISONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
# What people write by habit, and what to write here.
_HABITS = (
    (re.compile(r"[&|]|!(?!=)|\b(?:AND|OR|NOT)\b"), "use and, or, not in place of &, |, !"),
    (re.compile(r"(?<![<>=!])=(?!=)"), "use == in place of a single ="),
    (
        re.compile(
            r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*(?!and\b|or\b|[eE][-+]?\d)[A-Za-z]"
        ),
        "numbers are in the columns' units; leave the unit out",
    ),
)


class Expression:
    """
    A checked expression.

    Parameters
    ----------
    text : str
        Names, numbers, ``+ - * / **``, ``abs sqrt exp log log10 min max`` and
        ``max_over_points``; at most 500 characters. With ``condition=True`` also comparisons
        joined by ``and``, ``or``, ``not``.
    condition : bool
        Whether the expression selects rows, that is, must be a condition.

    Attributes
    ----------
    text : str
    names : frozenset of str
        Columns that the expression reads.
    over_points : frozenset of str
        Arguments, as text, of ``max_over_points``: they need all points.

    Raises
    ------
    ExpressionError
        If the text is too long, does not parse or uses what is not allowed.

    Examples
    --------
    >>> Expression("2 * abs(m1) / m2").evaluate({"m1": np.array([-3.0]), "m2": np.array([2.0])})
    array([3.])
    >>> sorted(Expression("chi2 - max_over_points(chi2)").names)
    ['chi2']
    """

    __slots__ = ("_condition", "_tree", "names", "over_points", "text")

    def __init__(self, text: str, *, condition: bool = False) -> None:
        if not isinstance(text, str) or not 0 < len(text) <= MAXIMUM_LENGTH:
            raise ExpressionError(
                f"expression: found {str(text)[:60]!r}, allowed 1 to {MAXIMUM_LENGTH} characters"
            )
        self.text = text
        self._condition = condition
        try:
            self._tree: ast.expr = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            told = hint(text) or getattr(error, "msg", str(error))
            raise ExpressionError(f"expression {text!r}: does not parse; {told}") from error
        names: set[str] = set()
        over: set[str] = set()
        self._check(self._tree, names, over, condition)
        self.names = frozenset(names)
        self.over_points = frozenset(over)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def _refuse(self, node: ast.AST, what: str) -> ExpressionError:
        told = hint(self.text)
        if told:
            return ExpressionError(f"expression {self.text!r}: {told}")
        piece = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
        allowed = "names, numbers, + - * / **, " + ", ".join([*FUNCTIONS, _OVER_POINTS])
        if self._condition:
            allowed += ", comparisons, and, or, not"
        return ExpressionError(f"expression {self.text!r}: {what} {piece!r}; allowed are {allowed}")

    def _check(self, node: ast.AST, names: set[str], over: set[str], condition: bool) -> None:
        if condition:
            self._check_condition(node, names, over)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            self._check(node.left, names, over, False)
            self._check(node.right, names, over, False)
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _ARITHMETIC:
            self._check(node.operand, names, over, False)
        elif isinstance(node, ast.Call):
            self._check_call(node, names, over)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        else:
            self._check_number(node)

    def _check_number(self, node: ast.AST) -> None:
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(node, "found")
        if not value <= _LARGEST:
            raise self._refuse(node, "a number above 1.8e308:")

    def _check_condition(self, node: ast.AST, names: set[str], over: set[str]) -> None:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                self._check(value, names, over, True)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._check(node.operand, names, over, True)
        elif isinstance(node, ast.Compare) and all(type(op) in _COMPARISONS for op in node.ops):
            for value in (node.left, *node.comparators):
                self._check(value, names, over, False)
        else:
            raise self._refuse(node, "not a condition:")

    def _check_call(self, node: ast.Call, names: set[str], over: set[str]) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name != _OVER_POINTS and name not in FUNCTIONS:
            raise self._refuse(node, "unknown function")
        wanted = 1 if name == _OVER_POINTS else FUNCTIONS[name][0]
        if len(node.args) != wanted or node.keywords:
            raise self._refuse(node, f"{wanted} argument(s) wanted in")
        if name == _OVER_POINTS:
            over.add(ast.unparse(node.args[0]))
        for argument in node.args:
            self._check(argument, names, over, False)

    def evaluate(
        self, columns: Mapping[str, Any], maxima: Mapping[str, float] | None = None
    ) -> np.ndarray[Any, Any]:
        """
        Evaluate over columns.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (n,)
            At least the columns in ``names``.
        maxima : mapping of str to float, optional
            Values of ``max_over_points`` by the text in ``over_points``; taken over the given
            rows (NaN left out) where absent.

        Returns
        -------
        ndarray, shape (n,)
            float64, or bool for a condition. What is undefined (log of a negative number) is NaN.
            A comparison with NaN is neither met nor, by ``not`` or ``!=``, missed.

        Raises
        ------
        ExpressionError
            If a name is no column.
        """
        missing = sorted(self.names - set(columns))
        if missing:
            raise ExpressionError(
                f"expression {self.text!r}: no column {', '.join(map(repr, missing))}; "
                f"columns are {', '.join(sorted(columns))}"
            )
        with np.errstate(all="ignore"):
            if self._condition:
                return np.asarray(self._truth(self._tree, columns, maxima or {})[0])
            return np.asarray(self._value(self._tree, columns, maxima or {}))

    def _truth(
        self, node: ast.AST, columns: Mapping[str, Any], maxima: Mapping[str, float]
    ) -> tuple[Any, Any]:
        """Give where a condition is met, and where it is missed; NaN is neither."""
        if isinstance(node, ast.UnaryOp):
            met, missed = self._truth(node.operand, columns, maxima)
            return missed, met
        if isinstance(node, ast.BoolOp):
            parts = [self._truth(child, columns, maxima) for child in node.values]
            either = isinstance(node.op, ast.Or)
        else:
            parts, either = self._compare(node, columns, maxima), False
        # A condition on constants alone is one truth value for all rows.
        ways = (np.logical_or, np.logical_and) if either else (np.logical_and, np.logical_or)
        mets, misses = zip(*parts, strict=True)
        return reduce(ways[0], mets), reduce(ways[1], misses)

    def _compare(
        self, node: Any, columns: Mapping[str, Any], maxima: Mapping[str, float]
    ) -> list[tuple[Any, Any]]:
        terms = [self._value(child, columns, maxima) for child in (node.left, *node.comparators)]
        parts = []
        for op, left, right in zip(node.ops, terms[:-1], terms[1:], strict=True):
            known = ~(np.isnan(left) | np.isnan(right))
            met = _COMPARISONS[type(op)](left, right)
            parts.append((met & known, ~met & known))
        return parts

    def _value(self, node: ast.AST, columns: Mapping[str, Any], maxima: Mapping[str, float]) -> Any:
        def value(child: ast.AST) -> Any:
            return self._value(child, columns, maxima)

        if isinstance(node, ast.Constant):
            return np.float64(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            column = np.asarray(columns[node.id])
            return column if column.dtype.kind in "iu" and self._condition else column.astype(float)
        if isinstance(node, ast.BinOp):
            return _ARITHMETIC[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            return _ARITHMETIC[type(node.op)](value(node.operand))
        return self._call(node, value, maxima)

    @staticmethod
    def _call(node: Any, value: Callable[[ast.AST], Any], maxima: Mapping[str, float]) -> Any:
        if node.func.id == _OVER_POINTS:
            text = ast.unparse(node.args[0])
            return maxima[text] if text in maxima else _maximum(value(node.args[0]))
        return FUNCTIONS[node.func.id][1](*map(value, node.args))


def hint(text: str) -> str:
    """
    Say what to write in place of what other languages would.

    >>> hint("a < 1 & b = 2")
    'use and, or, not in place of &, |, !; use == in place of a single ='
    >>> hint("a < 1.5e3")
    ''
    """
    return "; ".join(told for pattern, told in _HABITS if pattern.search(text))


def _maximum(values: Any) -> float:
    array = np.asarray(values, dtype=float)
    finite = array[np.isfinite(array)]
    return float(finite.max()) if finite.size else float("nan")
