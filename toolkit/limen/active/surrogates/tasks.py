"""Hyper-parameters of a process over parameters and outputs, by GPyTorch and BoTorch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.layers import one_thread
from limen.errors import MissingExtraError

__all__ = ["LEAST_NOISE", "fit_tasks", "libraries"]

Floats = NDArray[np.float64]

# Of standardised values: a simulation has little noise of its own, but may have some.
LEAST_NOISE = 1e-6
_ITERATIONS = 200
# Where the rows of the root of the outputs' correlations start.
_CORRELATED = 0.7
# Normal priors (centre, width): logarithms of the noise and of the amplitudes, of l for
# ``espejo``; the rows of the root for ``free``.
_PRIORS = {"noise": (-8.0, 3.0), "amplitude": (0.0, 1.0), "tasks": (0.0, 2.0)}


def libraries() -> tuple[Any, Any, Any]:
    """Import torch, gpytorch and botorch, or say how to install them."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of("torch", "active") from error
    try:
        import botorch
        import gpytorch
    except ImportError as error:
        raise MissingExtraError.of("botorch and gpytorch", "active") from error
    return torch, gpytorch, botorch


def fit_tasks(
    points: Floats,
    task: NDArray[np.intp],
    residual: Floats,
    error: Floats,
    form: str,
    previous: Mapping[str, Any] | None = None,
    prior: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """
    Find the hyper-parameters of the largest marginal likelihood, times weak priors.

    Parameters
    ----------
    points : ndarray, shape (N, d)
        Unit coordinates, one row for each value.
    task : ndarray of int, shape (N,)
        Which output each value is of.
    residual, error : ndarray, shape (N,)
        Standardised values and their standard errors.
    form : str
        ``free`` or ``espejo``.
    previous : mapping, optional
        What an earlier fit of the same form gave: the fit starts from there.
    prior : tuple of float, optional
        Centre and width of the normal prior of the lengths' logarithms.

    Returns
    -------
    dict
        ``form``, ``terms``, ``noise``, ``slopes``, ``constants``, ``raw`` (as fitted),
        ``log_likelihood`` (without priors).

    Raises
    ------
    MissingExtraError
        If torch, gpytorch or botorch is not installed.

    Notes
    -----
    Lengths have the prior of C. Hvarfner, E. Hellsten, L. Nardi, arXiv:2402.02229: log-normal,
    √2 + log(d)/2 and √3.
    """
    torch, gpytorch, botorch = libraries()
    x, y, e = (torch.tensor(array, dtype=torch.float64) for array in (points, residual, error))
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(e**2 + LEAST_NOISE)
    model = _model((torch, gpytorch, botorch), (x, y, torch.tensor(task)), likelihood, form, prior)
    _start(torch, model, task, residual, previous if (previous or {}).get("form") == form else None)
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    model.train()
    likelihood.train()
    with warnings.catch_warnings(), one_thread():
        # A length at its end or the last evaluation reached is no news for the user.
        warnings.simplefilter("ignore")
        botorch.optim.fit.fit_gpytorch_mll_scipy(objective, options={"maxiter": _ITERATIONS})
        with torch.no_grad():
            likely = float(likelihood(model(x)).log_prob(y))
            return _told(model, form) | {"log_likelihood": likely}


def _model(
    libraries: tuple[Any, Any, Any],
    told: Any,
    likelihood: Any,
    form: str,
    prior: tuple[float, float] | None,
) -> Any:
    """Build the process with its priors; ``told`` holds points, values and outputs."""
    torch, gpytorch, botorch = libraries
    x, y, task = told
    d, m = x.shape[1], int(task.max()) + 1
    priors = gpytorch.priors
    process, mixin = gpytorch.models.ExactGP, botorch.models.gpytorch.GPyTorchModel

    class Process(process, mixin):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__(x, y, likelihood)
            lengths = priors.LogNormalPrior(
                *(prior or (math.sqrt(2) + math.log(d) / 2, math.sqrt(3)))
            )
            bounds = gpytorch.constraints.GreaterThan(0.02, None, initial_value=lengths.mode)
            kind = gpytorch.kernels.RBFKernel if form == "espejo" else _matern(gpytorch)
            self.kernel = kind(
                ard_num_dims=d, lengthscale_prior=lengths, lengthscale_constraint=bounds
            )
            shape = {"free": (m, m), "espejo": (m,)}[form]
            for name, size in (("tasks", shape), ("amplitude", (m,)), ("noise", (m,))):
                self.register_parameter(name, torch.nn.Parameter(torch.zeros(size, dtype=x.dtype)))
            self.constants = torch.nn.Parameter(torch.zeros(m, dtype=x.dtype))
            if form == "espejo":
                self.slopes = torch.nn.Parameter(torch.zeros((m, d), dtype=x.dtype))
            for name, (centre, width) in _PRIORS.items():
                self.register_prior(
                    f"{name}_prior",
                    priors.NormalPrior(centre, width),
                    lambda self, n=name: getattr(self, n),
                )

        def covariance_of_tasks(self) -> Any:
            if form == "espejo":
                # 2 l l' / (l² + l'²) of the logarithms of l; one amplitude for all outputs
                correlation = 1 / torch.cosh(self.tasks[:, None] - self.tasks[None, :])
                return correlation * torch.exp(2 * self.amplitude[0])
            root = torch.tril(self.tasks, -1) + torch.eye(m, dtype=x.dtype)
            root = root / torch.linalg.norm(root, dim=1, keepdim=True)
            size = torch.exp(self.amplitude)
            return (root @ root.T) * size[:, None] * size[None, :]

        def forward(self, points: Any) -> Any:
            mean = self.constants[task]
            if form == "espejo":
                mean = mean + (points * self.slopes[task]).sum(-1)
            tasks = self.covariance_of_tasks()[task][:, task]
            noise = torch.exp(self.noise)[task]
            covariance = self.kernel(points).to_dense() * tasks + torch.diag(noise)
            return gpytorch.distributions.MultivariateNormal(mean, covariance)

    return Process()


def _matern(gpytorch: Any) -> Any:
    return partial(gpytorch.kernels.MaternKernel, nu=2.5)


def _start(
    torch: Any,
    model: Any,
    task: NDArray[np.intp],
    residual: Floats,
    previous: Mapping[str, Any] | None,
) -> None:
    """Start from an earlier fit, or from correlated outputs with little noise."""
    raw = dict(previous["raw"]) if previous else {}
    with torch.no_grad():
        model.noise.fill_(math.log(1e-3))
        if model.tasks.ndim == 2:
            model.tasks.copy_(torch.tril(torch.full_like(model.tasks, _CORRELATED), -1))
        for name, values in raw.items():
            parameter = dict(model.named_parameters())[name]
            if list(parameter.shape) == list(np.shape(values)):
                parameter.copy_(torch.tensor(values, dtype=parameter.dtype))


def _told(model: Any, form: str) -> dict[str, Any]:
    """Give the fitted numbers as plain data."""
    m, d = len(model.noise), model.train_inputs[0].shape[1]
    slopes = model.slopes.tolist() if form == "espejo" else [[0.0] * d] * m
    return {
        "form": form,
        "terms": [
            {
                "kernel": "rbf" if form == "espejo" else "matern",
                "lengths": model.kernel.lengthscale.reshape(-1).tolist(),
                "tasks": model.covariance_of_tasks().tolist(),
            }
        ],
        "noise": (model.noise.exp() + LEAST_NOISE).tolist(),
        "slopes": slopes,
        "constants": model.constants.tolist(),
        "raw": {name: parameter.tolist() for name, parameter in model.named_parameters()},
    }
