"""Hyper-parameters of what an approximation leaves over, by GPyTorch and BoTorch."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.coregional import CoregionalPosterior
from limen.active.surrogates.layers import one_thread
from limen.active.surrogates.tasks import LEAST_NOISE, libraries

__all__ = ["fit_difference"]

Floats = NDArray[np.float64]

_ITERATIONS = 200
# Normal priors (centre, width): of the factor, the constant, the logarithms of amplitude and noise.
_PRIORS = {
    "factor": (0.0, 1.0),
    "constant": (0.0, 1.0),
    "amplitude": (-1.0, 1.5),
    "noise": (-8.0, 3.0),
}
# A step of the line search beyond them may make the covariance singular.
_BOUNDS = {
    "factor": (-5.0, 5.0),
    "constant": (-10.0, 10.0),
    "amplitude": (-14.0, 6.0),
    "noise": (-14.0, 2.0),
    "lengths": (math.log(0.02), math.log(100.0)),
    "mixing": (-3.0, 3.0),
}
# Of the mixtures about those of the approximation.
_MIXING = 0.3
# Of the logarithms of the lengths about those of the approximation. At 0.1 and 0.3 the accuracy
# with twenty expensive points was 4 points less than at 1, and at 2 the same.
_WIDTH = 1.0


def fit_difference(
    points: Floats,
    residual: Floats,
    error: Floats,
    source: CoregionalPosterior,
) -> dict[str, Any]:
    """
    Fit y = ρ f + b + δ, where f is the approximation's process given its values.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates of values of the real thing.
    residual, error : ndarray, shape (n,)
        These values, standardised, and their standard errors.
    source : CoregionalPosterior
        Of the approximation alone, a single output.

    Returns
    -------
    dict
        ``factor`` (ρ) and ``constant`` (b) for standardised f, ``noise`` (a variance), and
        ``terms`` of δ, one for each of the approximation: ``kernel``, ``lengths`` (d,),
        ``amplitude`` (a variance) and ``mixing`` (d, d) where the approximation has one.

    Notes
    -----
    Source: M. Kennedy and A. O'Hagan, Predicting the output from a complex computer code when
    fast approximations are available, Biometrika 87 (2000) 1, equation 1; fitted level by level
    as by L. Le Gratiet and J. Garnier, arXiv:1210.0686. That δ varies over similar
    lengths, in the same mixtures of the parameters, is our own assumption: three hundred cheap
    points know them better than twenty dear ones.
    """
    torch, gpytorch, botorch = libraries()
    told, d = source.hyperparameters, points.shape[1]
    centre, scale = told["centre"][0], told["scale"][0]
    mean = (source.mean_std(points)[0][:, 0] - centre) / scale
    spread = source.covariance(points, points, 0) / scale**2
    lengths = np.log([term["lengths"] for term in told["terms"]])
    mixing = np.array([term.get("mixing", np.eye(d)) for term in told["terms"]])
    free = np.array(["mixing" in term for term in told["terms"]])[:, None, None] * (1 - np.eye(d))
    arrays = (points, residual, error, mean, spread, lengths, mixing, free)
    x, y, e, f, c, start, mixed, loose = (torch.tensor(a, dtype=torch.float64) for a in arrays)
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(e**2 + LEAST_NOISE)
    told_to = (x, y, f, c, start, mixed, loose)
    model = _model((torch, gpytorch, botorch), told_to, likelihood)
    with torch.no_grad():
        slope = float((y * f).sum() / (f * f).sum()) if float((f * f).sum()) > 0 else 0.0
        model.factor.fill_(max(-1.5, min(1.5, slope)))
        model.amplitude.fill_(-2.0)
        model.noise.fill_(math.log(1e-3))
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    with warnings.catch_warnings(), one_thread():
        # A length at its end or the last evaluation reached is no news for the user.
        warnings.simplefilter("ignore")
        bounds = {f"model.{name}": ends for name, ends in _BOUNDS.items()}
        botorch.optim.fit.fit_gpytorch_mll_scipy(
            objective, bounds=bounds, options={"maxiter": _ITERATIONS}
        )
    with torch.no_grad():
        fitted = (model.lengths.exp(), model.amplitude.exp(), model.mixture())
        return {
            "factor": model.factor.item(),
            "constant": model.constant.item(),
            "terms": [
                {"kernel": "matern", "lengths": own.tolist(), "amplitude": float(size)}
                | ({"mixing": mixture.tolist()} if "mixing" in term else {})
                for term, own, size, mixture in zip(told["terms"], *fitted, strict=True)
            ],
            "noise": model.noise.exp().item() + LEAST_NOISE,
        }


def _model(libraries: tuple[Any, Any, Any], told: Any, likelihood: Any) -> Any:
    """Build the process; ``told``: points, values, f, its covariance, lengths, mixtures, free."""
    torch, gpytorch, botorch = libraries
    x, y, f, c, start, mixed, loose = told
    process, mixin = gpytorch.models.ExactGP, botorch.models.gpytorch.GPyTorchModel

    class Difference(process, mixin):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__(x, y, likelihood)
            normal = gpytorch.priors.NormalPrior
            for name, (centre, spread) in _PRIORS.items():
                shape = start.shape[:1] if name == "amplitude" else ()
                self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape, dtype=x.dtype)))
                self.register_prior(f"{name}_prior", normal(centre, spread), name)
            self.register_parameter("lengths", torch.nn.Parameter(start.clone()))
            # The prior of BoTorch's lengths, and closeness to those of the approximation
            wide = normal(math.sqrt(2) + math.log(x.shape[1]) / 2, math.sqrt(3))
            self.register_prior("lengths_prior", wide, "lengths")
            close = normal(start, torch.full_like(start, _WIDTH))
            self.register_prior("close_prior", close, "lengths")

            self.register_parameter("mixing", torch.nn.Parameter(torch.zeros_like(mixed)))
            self.register_prior("mixing_prior", normal(0.0, _MIXING), "mixing")

        def mixture(self) -> Any:
            return mixed + loose * self.mixing

        def forward(self, points: Any) -> Any:
            mixtures = points @ self.mixture().transpose(1, 2)
            scaled = mixtures / self.lengths.exp()[:, None, :]
            squared = (scaled[:, :, None, :] - scaled[:, None, :, :]).square().sum(-1)
            distance = torch.sqrt(5 * squared + 1e-12)
            matern = (1 + distance + distance**2 / 3) * torch.exp(-distance)
            covariance = (self.amplitude.exp()[:, None, None] * matern).sum(0) + self.factor**2 * c
            covariance = covariance + self.noise.exp() * torch.eye(len(points), dtype=x.dtype)
            mean = self.factor * f + self.constant
            return gpytorch.distributions.MultivariateNormal(mean, covariance)

    return Difference()
