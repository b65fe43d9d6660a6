"""
Several outputs in one Gaussian process: what is learnt of one contour serves the others.

The covariance is B_rr' k(θ, θ') + σ_r² δ_rr' δ_θθ': one kernel over the parameters and one matrix
over the outputs. Any output may lack in any row, for example an expensive observed limit beside a
cheap expected one, or the real thing beside its approximation.

Source: E. Bonilla, K. Chai, C. Williams, Multi-task Gaussian Process Prediction, NIPS 2007,
equations 1 to 3; ATLAS, ATL-PHYS-PUB-2022-045, for the form that is called ``espejo`` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.coregional import CoregionalPosterior, posterior_of
from limen.active.surrogates.tasks import fit_tasks
from limen.errors import ShapeError, TrainingError, UsageError

__all__ = ["FORMS", "MOST_ROWS", "fit_multitask"]

Floats = NDArray[np.float64]

FORMS = ("free", "espejo")
"""
``free``: any positive definite B, Matern 5/2, a constant mean per output. ``espejo``: the talk's
k_rr' = 2 l_r l_r' / (l_r² + l_r'²), squared exponential, linear mean wθ + b per output.
"""

MOST_ROWS = 4000
"""Values, over all outputs, that one process takes."""


def fit_multitask(
    points: Floats,
    values: Floats,
    errors: Floats | None = None,
    *,
    form: str = "free",
    previous: Mapping[str, Any] | None = None,
    prior: tuple[float, float] | None = None,
) -> CoregionalPosterior:
    """
    Fit one process to several outputs by marginal likelihood (GPyTorch), with weak priors.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.
    values : ndarray, shape (n, m)
        In the modelled scale; NaN where an output was not evaluated. Each output is needed
        at two points at least.
    errors : ndarray, shape (n, m), optional
        Standard errors in the modelled scale; 0 where none was stated.
    form : str
        One of ``FORMS``.
    previous : mapping, optional
        Hyper-parameters from which the fit starts.
    prior : tuple of float, optional
        Centre and width of the normal prior of the lengths' logarithms; without it, that of
        BoTorch: √2 + log(d)/2 and √3, which expects smooth functions.

    Returns
    -------
    CoregionalPosterior

    Raises
    ------
    UsageError
        If there is no such form.
    ShapeError
        If the arrays do not fit one another.
    TrainingError
        If an output has fewer than two values, or there are more than ``MOST_ROWS``.
    MissingExtraError
        If torch or gpytorch is not installed.

    Examples
    --------
    >>> x = np.linspace(0, 1, 9)[:, None]
    >>> y = np.hstack([np.sin(3 * x), np.sin(3 * x) + 0.2])
    >>> y[4:, 1] = np.nan
    >>> mean, _ = fit_multitask(x, y).mean_std(np.array([[0.8]]))
    >>> bool(abs(mean[0, 1] - np.sin(2.4) - 0.2) < 0.05)
    True
    """
    if form not in FORMS:
        raise UsageError(f"multitask: found form {form!r}, allowed {', '.join(FORMS)}")
    stated = np.zeros_like(values) if errors is None else errors
    if values.ndim != 2 or len(values) != len(points) or stated.shape != values.shape:
        raise ShapeError(
            f"multitask: found {values.shape} values and {stated.shape} errors at {len(points)} "
            "points, allowed (n, m) of each"
        )
    told = np.isfinite(values)
    if told.sum(axis=0).min() < 2 or told.sum() > MOST_ROWS:
        raise TrainingError(
            f"multitask: found {list(told.sum(axis=0))} values of the outputs, allowed 2 of each "
            f"at least and {MOST_ROWS} at most in all"
        )
    task, row = np.nonzero(told.T)
    centre, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    residual = ((values - centre) / scale)[row, task]
    error = (stated / scale)[row, task]
    fitted = fit_tasks(points[row], task, residual, error, form, previous, prior)
    hyperparameters = fitted | {"centre": centre.tolist(), "scale": scale.tolist()}
    outputs = tuple(range(values.shape[1]))
    return posterior_of(
        hyperparameters, points[row], task, values[row, task], stated[row, task], outputs
    )
