"""
The example bundle ``bsll10``: a real likelihood in ten dimensions, drawn afresh.

Everything that is said of it follows from :mod:`limen.bsll`; nothing is stored but the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limen.bsll import BsllLikelihood, likelihood
from limen.bundle import Bundle
from limen.errors import UsageError
from limen.packing import make_bundle

__all__ = ["Facts", "draw", "make_example", "scan_document"]

Array = np.ndarray[Any, Any]

LEVEL = 0.95
ORIGINS = {"0": "uniform", "1": "broad", "2": "posterior", "3": "benchmark"}
# ln L divided by this in the broad sample: it fills the band around the 95 % boundary.
TEMPERATURE = 4.0
_FEWEST_ROWS = 400
_SYMBOLS = {
    "C7_bs": "C_7",
    "C7p_bs": "C_7'",
    "C9_bsmumu": "C_9^{\\mu}",
    "C9p_bsmumu": "C_9'^{\\mu}",
    "C10_bsmumu": "C_{10}^{\\mu}",
    "C10p_bsmumu": "C_{10}'^{\\mu}",
    "CS_bsmumu": "C_S^{\\mu}",
    "CSp_bsmumu": "C_S'^{\\mu}",
    "CP_bsmumu": "C_P^{\\mu}",
    "CPp_bsmumu": "C_P'^{\\mu}",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What was computed once: best fit and threshold.

    Attributes
    ----------
    best_fit : ndarray, shape (10,)
    best_log_likelihood : float
    threshold : float
        Delta chi2 that 95 % of the toys at the best fit stay below.
    toys : int
        Pseudo-experiments at each of the two points.
    coverage : float
        Share of the toys at the Standard Model within the threshold.
    """

    best_fit: Array
    best_log_likelihood: float
    threshold: float
    toys: int
    coverage: float


def find_facts(rng: np.random.Generator, toys: int = 1000) -> Facts:
    """Find the best fit, and the toy threshold of the joint 95 % likelihood-ratio region."""
    model = likelihood()
    point, value = model.best_fit(rng)
    at_best = model.toys(point, toys, rng, starts=3)
    at_standard = model.toys(np.zeros(len(point)), toys, rng, starts=3)
    threshold = float(np.quantile(at_best, LEVEL))
    return Facts(point, value, threshold, toys, float((at_standard <= threshold).mean()))


def draw(n: int, rng: np.random.Generator, best_fit: Array) -> tuple[Array, Array, Array]:
    """
    Draw the scan: 40 % uniform in the box, 30 % tempered posterior, 30 % posterior.

    Parameters
    ----------
    n : int
        Rows, about; two benchmark rows (Standard Model, best fit) come on top.
    rng : numpy.random.Generator
    best_fit : ndarray, shape (10,)

    Returns
    -------
    points : ndarray, shape (m, 10)
    origin : ndarray of int8, shape (m,)
    walker : ndarray of int32, shape (m,)
        The chain a row is from; its own number for rows that are from none.

    Raises
    ------
    UsageError
        If the rows are too few for three parts.
    """
    if n < _FEWEST_ROWS:
        raise UsageError(f"rows: found {n}, allowed {_FEWEST_ROWS} or more")
    model = likelihood()
    each = max(n // 10 * 3 // 10, 10) * 10
    uniform = rng.uniform(model.low, model.high, (n - 2 * each, len(best_fit)))
    parts, origins, walkers = [uniform], [0] * len(uniform), list(range(len(uniform)))
    for origin, temperature in ((1, TEMPERATURE), (2, 1.0)):
        points, walker = _sample(model, each, temperature, best_fit, rng)
        parts.append(points)
        origins += [origin] * len(points)
        walkers += (walker + max(walkers) + 1).tolist()
    parts.append(np.vstack([np.zeros(len(best_fit)), best_fit]))
    origins += [3, 3]
    walkers += [max(walkers) + 1, max(walkers) + 2]
    return np.vstack(parts), np.array(origins, dtype=np.int8), np.array(walkers, dtype=np.int32)


def _sample(
    model: BsllLikelihood, n: int, temperature: float, best_fit: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """
    Sample L^(1/temperature) in the box by affine-invariant stretch moves.

    Source: Goodman and Weare 2010, doi:10.2140/camcos.2010.5.65, in two half-ensembles. The
    walkers start from minimisations with random starts, so that they know every valley.
    """
    keep, spacing, burn_in = 10, 40, 160
    size = -(-n // (2 * keep)) * 2
    starts = rng.uniform(model.low, model.high, (size, len(best_fit)))
    points, _ = model.minimise(starts, iterations=12)
    points += 1e-3 * (model.high - model.low) * rng.standard_normal(points.shape)
    points = np.clip(points, model.low, model.high)
    value = model.log_likelihood(points) / temperature
    half = size // 2
    kept: list[Array] = []
    for step in range(burn_in + keep * spacing):
        for first in (0, half):
            own = np.arange(first, first + half)
            other = points[rng.integers(half, size=half) + (half - first)]
            stretch = (1.0 + rng.random(half)) ** 2 / 2.0
            trial = other + stretch[:, None] * (points[own] - other)
            inside = ((trial >= model.low) & (trial <= model.high)).all(axis=1)
            new = np.full(half, -np.inf)
            new[inside] = model.log_likelihood(trial[inside]) / temperature
            gain = (trial.shape[1] - 1) * np.log(stretch) + new - value[own]
            taken = np.log(rng.random(half)) < gain
            points[own[taken]], value[own[taken]] = trial[taken], new[taken]
        if step >= burn_in and (step - burn_in) % spacing == spacing - 1:
            kept.append(points.copy())
    walker = np.tile(np.arange(size), len(kept))
    return np.vstack(kept)[:n], walker[:n]


def make_example(path: str | Path, n: int = 50_000, seed: int = 0, toys: int = 1000) -> Bundle:
    """
    Draw the scan and pack the example bundle.

    Parameters
    ----------
    path : str or Path
        The new bundle's folder.
    n : int
        Rows.
    seed : int
        The same seed gives the same bytes.
    toys : int
        Pseudo-experiments behind the threshold.

    Returns
    -------
    Bundle
    """
    rng = np.random.default_rng(seed)
    facts = find_facts(rng, toys)
    points, origin, walker = draw(n, rng, facts.best_fit)
    model = likelihood()
    columns: dict[str, Any] = {name: points[:, i] for i, name in enumerate(model.names)}
    observables = model.predict(points)
    for name, position in _OBSERVABLES.items():
        columns[name] = observables[:, model.observables.index(position)]
    columns |= {"loglike": model.log_likelihood(points), "origin": origin, "walker": walker}
    return make_bundle(scan_document(facts, len(points)), columns, path)


_OBSERVABLES = {
    "BR_Bs_mumu": "BR(Bs->mumu)",
    "BR_B_Xsgamma": "BR(B->Xsgamma)",
    "R_K": "R_K[1.1,6]",
    "R_Kst": "R_K*[1.1,6]",
}


def scan_document(facts: Facts, rows: int) -> dict[str, Any]:
    """Describe the example: columns, statistics, sampling, benchmarks, provenance."""
    model = likelihood()
    chi2_best = -2.0 * facts.best_log_likelihood
    chi2_standard = float(-2.0 * model.log_likelihood(np.zeros((1, 10)))[0])
    best = {name: float(value) for name, value in zip(model.names, facts.best_fit, strict=True)}
    standard = dict.fromkeys(model.names, 0.0)
    delta = chi2_standard - chi2_best
    region = "outside_region" if delta > facts.threshold else "inside_region"
    return {
        "id": "bsll10",
        "version": "1.0.0",
        "title": "A ten-dimensional likelihood of b -> s transitions",
        "description": (
            "Reduced likelihood of 20 measured observables of b -> s mu mu and b -> s gamma decays "
            "as a function of ten real Wilson coefficients. It holds no angular observables and is "
            "no global fit. Rates are exactly quadratic in the coefficients; they were fixed from "
            "flavio, with experimental and theory uncertainties in one covariance that does not "
            "depend on the coefficients."
        ),
        "keywords": ["flavour physics", "Wilson coefficients", "likelihood", "b -> s mu mu"],
        "licences": {"data": "BSD-3-Clause", "models": "BSD-3-Clause", "code": "BSD-3-Clause"},
        "creators": [{"name": "Limen developers"}],
        "related": [
            {"relation": "IsDerivedFrom", "identifier": "1810.08132", "scheme": "arxiv"},
            {"relation": "References", "identifier": "1810.07698", "scheme": "arxiv"},
        ],
        "theory": {
            "family": "WET",
            "convention": (
                "New-physics parts of real Wilson coefficients of the weak effective theory, basis "
                "'flavio' of WCxf, at 4.8 GeV; zero is the Standard Model"
            ),
        },
        "toolchain": [
            {"role": "theory predictions and measurements", "name": "flavio", "version": "2.7.1"},
            {"role": "basis translation", "name": "wilson", "version": "2.5.2"},
            {"role": "theory covariance", "name": "smelli", "version": "2.4.3"},
        ],
        "assumptions": [
            {"text": "Theory uncertainties are those at the Standard Model everywhere."},
            {"text": "R_K and R_K* are uncorrelated with all other observables."},
        ],
        "tables": [
            {
                "name": "scan",
                "sampling": _sampling(rows),
                "columns": _columns(facts, chi2_best),
            }
        ],
        "benchmarks": [
            {
                "name": "Standard Model",
                "point": standard,
                "expected": {"loglike": -0.5 * chi2_standard, "outside_95cr": region},
                "reference": "evaluated from the likelihood",
            },
            {
                "name": "best fit",
                "point": best,
                "expected": {"loglike": facts.best_log_likelihood, "outside_95cr": "inside_region"},
                "reference": "minimised from 65 starts inside the box",
            },
        ],
        "split": {
            "seed": 0,
            "stratify": "outside_95cr",
            "group": "walker",
            "population": {
                "text": (
                    "mixture of 40 % uniform in the box, 30 % posterior at temperature 4 and 30 % "
                    "posterior with a flat prior in the box"
                ),
                "column": "origin",
                "codes": [0, 1, 2],
            },
        },
    }


def _sampling(rows: int) -> list[dict[str, Any]]:
    each = max((rows - 2) // 10 * 3 // 10, 10) * 10
    moves = {"sampler": "affine-invariant stretch moves", "settings": {"burn_in": 160, "thin": 40}}
    return [
        {
            "name": "uniform",
            "sampler": "independent draws",
            "prior": "uniform in the box",
            "rows": rows - 2 - 2 * each,
        },
        {"name": "broad", **moves, "prior": "L^(1/4) with a flat prior in the box", "rows": each},
        {"name": "posterior", **moves, "prior": "L with a flat prior in the box", "rows": each},
        {
            "name": "benchmark",
            "sampler": "chosen points",
            "selection": "the Standard Model and the best fit",
            "rows": 2,
        },
    ]


def _columns(facts: Facts, chi2_best: float) -> list[dict[str, Any]]:
    model = likelihood()
    parameters = [
        {
            "name": name,
            "symbol": _SYMBOLS[name],
            "label": f"new-physics part of the Wilson coefficient {name}",
            "group": _group(name),
            "role": "parameter",
            "unit": "1",
            "range": [float(low), float(high)],
        }
        for name, low, high in zip(model.names, model.low, model.high, strict=True)
    ]
    observables = [
        {
            "name": name,
            "label": f"predicted {observable}",
            "role": "observable",
            "unit": "1",
            **({"quantity": "branching_ratio"} if name.startswith("BR") else {}),
        }
        for name, observable in _OBSERVABLES.items()
    ]
    fit = {
        "chi2": round(chi2_best, 3),
        "dof": len(model.observables) - len(model.names),
        "at": "best fit",
    }
    return [*parameters, *observables, *_statistical(facts, fit), *_bookkeeping()]


def _group(name: str) -> str:
    return {
        "C7": "dipole",
        "C9": "vector",
        "C1": "axial vector",
        "CS": "scalar",
        "CP": "pseudoscalar",
    }[name[:2]]


def _statistical(facts: Facts, fit: dict[str, Any]) -> list[dict[str, Any]]:
    best = dict(zip(likelihood().names, map(float, facts.best_fit), strict=True))
    reference = {"value": -2.0 * facts.best_log_likelihood, "point": best, "set": "refined"}
    common = {"nuisances": "fixed", "tool": "flavio", "version": "2.7.1", "result": "observed"}
    text = (
        "outside the joint 95 % likelihood-ratio region of the ten coefficients: delta chi2 to "
        f"the best fit above {facts.threshold:.2f}, the 95 % quantile of {facts.toys} toys at the "
        "best fit"
    )
    return [
        {
            "name": "loglike",
            "symbol": "\\ln L",
            "label": "log-likelihood of 20 observables",
            "role": "likelihood",
            "quantity": "log_likelihood",
            "unit": "1",
            "statistics": common
            | {
                "normalisation": "constants_dropped",
                "terms": list(likelihood().observables),
                "goodness_of_fit": fit,
            },
        },
        {
            "name": "delta_chi2",
            "symbol": "\\Delta\\chi^2",
            "label": "delta chi2 to the best fit in the box",
            "role": "likelihood",
            "quantity": "delta_chi2",
            "unit": "1",
            "derived": "2 * (max_over_points(loglike) - loglike)",
            "statistics": common
            | {"normalisation": "ratio_to_best", "reference": reference, "goodness_of_fit": fit},
        },
        {
            "name": "outside_95cr",
            "label": "outside the joint 95 % likelihood-ratio region",
            "role": "label",
            "quantity": "outside_region",
            "unit": "1",
            "categories": {"0": "inside", "1": "outside"},
            "definition": {
                "text": text,
                "column": "delta_chi2",
                "comparison": ">",
                "threshold": facts.threshold,
            },
            "statistics": common
            | {
                "confidence_level": LEVEL,
                "construction": "likelihood_ratio",
                "test_statistic": "delta chi2 to the best fit in the box",
                "calculator": "toys",
                "toys": facts.toys,
                "excluded_when": "above",
                "goodness_of_fit": fit,
                "coverage": {
                    "value": facts.coverage,
                    "n": facts.toys,
                    "at": "Standard Model",
                },
            },
        },
    ]


def _bookkeeping() -> list[dict[str, Any]]:
    return [
        {
            "name": "origin",
            "label": "density that the row was drawn from",
            "role": "origin",
            "unit": "1",
            "dtype": "int8",
            "categories": ORIGINS,
        },
        {
            "name": "walker",
            "label": "chain of the row; rows of one chain stay in one split",
            "role": "id",
            "unit": "1",
            "dtype": "int32",
        },
    ]
