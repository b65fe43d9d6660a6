"""Processes whose numbers are known: their graphs say what the numbers say."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from scipy import linalg

from limen.errors import UsageError
from limen.estimators.given import GivenProcess, Term, given_process
from limen.estimators.standardiser import Standardiser

RNG = np.random.default_rng(8)
N, D = 30, 3
INPUTS = Standardiser(
    np.array([False, True, False]),
    np.array([1.0, 1e-3, 1.0]),
    np.array([100.0, np.log(0.1), -1.0]),
    np.array([900.0, np.log(100.0), 2.0]),
)
POINTS = RNG.random((N, D))
VALUES = np.sin(5 * POINTS[:, 0]) + POINTS[:, 1]


def made(*kernels, noise=1e-8, least=0.0):
    """Make a process of some terms, conditioned on the values."""
    terms = tuple(
        Term(kernel, np.array([0.5, 0.8, 1.1]) * (i + 1), np.full(N, 1.5 / (i + 1)))
        for i, kernel in enumerate(kernels)
    )
    slope, constant = np.array([0.2, 0.0, -0.1]), 0.7
    gram = sum(term.covariance(POINTS, POINTS) for term in terms) + noise * np.eye(N)
    factor = linalg.cholesky(gram, lower=True)
    weights = linalg.cho_solve((factor, True), VALUES - constant - POINTS @ slope)
    variance = float(sum(term.gains[0] for term in terms))
    return GivenProcess(terms, variance, constant, slope, POINTS, weights, factor, least)


def physical(u):
    """Give inputs whose standardised values are u."""
    x = INPUTS.centre + u * INPUTS.scale
    x[:, 1] = np.exp(x[:, 1])
    return x


def run(fitted, x):
    """Answer by the graph."""
    data = fitted.raw_graph().SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(["raw", "raw_std"], {"points": x})


@pytest.mark.parametrize(
    "kernels", [("matern",), ("rbf",), ("matern", "rbf")], ids=["matern", "rbf", "sum"]
)
def test_graph_and_numbers_agree(kernels):
    fitted = given_process(made(*kernels), INPUTS, hyperparameters={}, software={})
    x = physical(RNG.random((200, D)))
    mean, std = run(fitted, x)
    assert mean == pytest.approx(fitted.predict(x), abs=1e-8)
    assert std == pytest.approx(fitted.predict_std(x), abs=1e-6)


def test_a_process_knows_its_values_and_forgets_far_away():
    fitted = given_process(made("matern"), INPUTS, hyperparameters={}, software={})
    mean, std = run(fitted, physical(POINTS))
    assert mean == pytest.approx(VALUES, abs=1e-5)
    assert std.max() < 1e-3
    far = physical(np.full((1, D), 60.0))
    mean, std = run(fitted, far)
    assert mean == pytest.approx([0.7 + 60 * (0.2 - 0.1)], rel=1e-6)
    assert std == pytest.approx([np.sqrt(1.5)])


def test_no_less_than_the_least_variance_is_stated():
    fitted = given_process(made("matern", least=0.04), INPUTS, hyperparameters={}, software={})
    _, std = run(fitted, physical(POINTS))
    assert std == pytest.approx(np.full(N, 0.2))


def test_a_graph_that_would_be_too_large_is_refused():
    process = made("matern")
    many = np.zeros((4001, D))
    big = GivenProcess(process.terms, 1.0, 0.0, np.zeros(D), many, process.weights, process.factor)
    with pytest.raises(UsageError, match="found 4001 points, allowed 1 to 4000 in a graph"):
        given_process(big, INPUTS, hyperparameters={}, software={})
