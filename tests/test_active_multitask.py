"""Processes over several outputs: what is learnt of one serves the others."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limen.active.surrogates.coregional import correlation, posterior_of
from limen.active.surrogates.multitask import FORMS, fit_multitask
from limen.errors import ShapeError, TrainingError, UsageError

pytest.importorskip("gpytorch")


def _smooth(x):
    """Two related outputs over two parameters."""
    first = np.sin(4 * x[:, 0]) + x[:, 1] ** 2
    return np.column_stack([first, 0.5 * first + 0.3 * x[:, 0] + 2])


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(1)
    x = rng.random((24, 2))
    y = _smooth(x)
    y[8:, 1] = np.nan
    return x, y


@pytest.fixture(scope="module")
def fitted(told):
    return {form: fit_multitask(*told, form=form) for form in FORMS}


@pytest.fixture(scope="module")
def asked():
    return np.random.default_rng(2).random((300, 2))


def _error(posterior, points, output):
    return np.sqrt(
        np.mean((posterior.mean_std(points)[0][:, output] - _smooth(points)[:, output]) ** 2)
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_output_told_at_few_points_learns_from_the_other(form, told, fitted, asked):
    x, y = told
    alone = fit_multitask(x[:8], y[:8, 1:])
    spread = _smooth(asked)[:, 1].std()
    assert _error(fitted[form], asked, 1) < 0.5 * np.sqrt(
        np.mean((alone.mean_std(asked)[0][:, 0] - _smooth(asked)[:, 1]) ** 2)
    )
    assert _error(fitted[form], asked, 1) < 0.2 * spread


@pytest.mark.parametrize("form", FORMS)
def test_the_numbers_are_plain_data_and_make_the_same_posterior_again(form, told, fitted, asked):
    x, y = told
    numbers = json.loads(json.dumps(dict(fitted[form].hyperparameters)))
    task, row = np.nonzero(np.isfinite(y).T)
    again = posterior_of(numbers, x[row], task, y[row, task], np.zeros(len(row)), (0, 1))
    for ours, theirs in zip(again.mean_std(asked), fitted[form].mean_std(asked), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_same_arguments_give_the_same_bits(told, fitted):
    assert fit_multitask(*told).hyperparameters == fitted["free"].hyperparameters


def test_a_fit_that_starts_from_an_earlier_one_stays_there(told, fitted):
    again = fit_multitask(*told, previous=fitted["free"].hyperparameters)
    first, second = (p.hyperparameters["log_likelihood"] for p in (fitted["free"], again))
    assert second == pytest.approx(first, abs=0.5)


def test_the_talks_correlation_of_outputs_has_unit_diagonal_and_is_positive(fitted):
    (term,) = fitted["espejo"].hyperparameters["terms"]
    tasks = np.array(term["tasks"])
    correlations = tasks / np.sqrt(np.outer(np.diag(tasks), np.diag(tasks)))
    lengths = np.exp(fitted["espejo"].hyperparameters["raw"]["tasks"])
    expected = 2 * np.outer(lengths, lengths) / np.add.outer(lengths**2, lengths**2)
    assert term["kernel"] == "rbf"
    np.testing.assert_allclose(correlations, expected, rtol=1e-10)


def test_the_talks_linear_mean_goes_on_where_there_are_no_points():
    x = np.random.default_rng(3).random((20, 1)) * 0.4
    y = np.column_stack([3 * x[:, 0] - 1, 3 * x[:, 0] + 1])
    far = np.array([[1.0]])
    linear = fit_multitask(x, y, form="espejo").mean_std(far)[0]
    np.testing.assert_allclose(linear, [[2.0, 4.0]], atol=0.3)


def test_predictions_are_those_of_the_dense_formulas(told, fitted, asked):
    x, y = told
    numbers = fitted["free"].hyperparameters
    (term,) = numbers["terms"]
    tasks, lengths = np.array(term["tasks"]), np.array(term["lengths"])
    task, row = np.nonzero(np.isfinite(y).T)
    centre, scale = np.array(numbers["centre"]), np.array(numbers["scale"])
    constants = np.array(numbers["constants"])
    k = correlation("matern", x[row], x[row], lengths) * tasks[np.ix_(task, task)]
    k += np.diag(np.array(numbers["noise"])[task])
    crossed = correlation("matern", asked, x[row], lengths) * tasks[1, task]
    residual = (y[row, task] - centre[task]) / scale[task] - constants[task]
    mean = (constants[1] + crossed @ np.linalg.solve(k, residual)) * scale[1] + centre[1]
    left = tasks[1, 1] - np.einsum("ij,ji->i", crossed, np.linalg.solve(k, crossed.T))
    ours = fitted["free"].mean_std(asked)
    np.testing.assert_allclose(ours[0][:, 1], mean, atol=2e-4)
    np.testing.assert_allclose(ours[1][:, 1], np.sqrt(np.maximum(left, 0)) * scale[1], atol=1e-3)
    covariance = fitted["free"].covariance(asked[:5], asked[:5], 1)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), ours[1][:5, 1], rtol=1e-6)


def test_conditioning_keeps_means_and_takes_the_spread_at_the_points(fitted, asked):
    before, spread = fitted["free"].mean_std(asked)
    mean, std = fitted["free"].conditioned(asked[:3]).mean_std(asked)
    np.testing.assert_allclose(mean, before, atol=1e-9)
    assert (std <= spread + 1e-9).all()
    noise = (
        np.sqrt(fitted["free"].hyperparameters["noise"]) * fitted["free"].hyperparameters["scale"]
    )
    assert (std[:3] <= 1.5 * noise + 1e-3).all()


def test_leaving_one_out_is_predicting_it_from_the_others(told, fitted):
    x, y = told
    numbers = fitted["free"].hyperparameters
    task, row = np.nonzero(np.isfinite(y).T)
    densities = fitted["free"].leave_one_out(1)
    gone = np.flatnonzero(task == 1)[2]
    kept = np.arange(len(row)) != gone
    zeros = np.zeros(kept.sum())
    rest = posterior_of(numbers, x[row][kept], task[kept], y[row, task][kept], zeros, (0, 1))
    mean, std = (array[0, 1] for array in rest.mean_std(x[row[gone]][None]))
    variance = std**2 + numbers["noise"][1] * numbers["scale"][1] ** 2
    expected = -0.5 * (y[row[gone], 1] - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)
    assert densities[2] == pytest.approx(expected, abs=0.02)


def test_stated_errors_smooth_the_values_that_have_them():
    rng = np.random.default_rng(4)
    x = np.linspace(0, 1, 30)[:, None]
    y = np.sin(3 * x) + rng.normal(0, 0.3, x.shape)
    posterior = fit_multitask(x, y, np.full_like(y, 0.3))
    assert np.abs(posterior.mean_std(x)[0] - np.sin(3 * x)).max() < 0.3
    assert np.abs(posterior.mean_std(x)[0] - y).max() > 0.3


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"form": "other"}, UsageError, "allowed free, espejo"),
        ({"values": np.ones((3, 2))}, ShapeError, r"found \(3, 2\) values"),
        ({"values": np.full((24, 2), np.nan)}, TrainingError, "allowed 2 of each at least"),
    ],
    ids=["form", "shape", "no-values"],
)
def test_what_cannot_be_fitted_is_refused(change, error, match, told):
    x, y = told
    options = {"form": change.get("form", "free")}
    with pytest.raises(error, match=match):
        fit_multitask(x, change.get("values", y), **options)
