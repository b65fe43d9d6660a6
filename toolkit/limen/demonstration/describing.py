"""Describe the example: columns, statistics, sampling, benchmarks, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from limen.bsll import likelihood
from limen.demonstration.drawing import LEVEL, Facts

__all__ = ["OBSERVABLES", "ORIGINS", "scan_document"]

ORIGINS = {"0": "uniform", "1": "broad", "2": "posterior", "3": "benchmark"}
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
# As in the basis "flavio" of the Wilson coefficient exchange format, arXiv:1712.05298.
_HAMILTONIAN = "H_eff = -4 G_F/sqrt(2) V_tb V_ts* sum_i C_i O_i"
_OPERATORS = {
    "C7": "e/(16 pi^2) m_b (sbar sigma^{mu nu} P_R b) F_{mu nu}",
    "C9": "e^2/(16 pi^2) (sbar gamma^nu P_L b)(mubar gamma_nu mu)",
    "C10": "e^2/(16 pi^2) (sbar gamma^nu P_L b)(mubar gamma_nu gamma_5 mu)",
    "CS": "e^2/(16 pi^2) m_b (sbar P_R b)(mubar mu)",
    "CP": "e^2/(16 pi^2) m_b (sbar P_R b)(mubar gamma_5 mu)",
}
_OTHER_CHIRALITY = str.maketrans({"L": "R", "R": "L"})
OBSERVABLES = {
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
            "depend on the coefficients. The observables: "
            f"{_listed(model.observables)}. The region's threshold is {facts.threshold:.2f}, from "
            "toys, and not 18.31, the 95 % quantile of chi2 with ten degrees of freedom: four of "
            "the ten directions are flat, where Wilks' theorem does not hold."
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
            "description": _operator(name),
            "group": _group(name),
            "role": "parameter",
            # The operators of the scalar ones hold m_b.
            "unit": "1/GeV" if name.startswith(("CS", "CP")) else "1",
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
        for name, observable in OBSERVABLES.items()
    ]
    fit = {
        "chi2": round(chi2_best, 3),
        "dof": len(model.observables) - len(model.names),
        "at": "best fit",
    }
    return [*parameters, *observables, *_statistical(facts, fit), *_bookkeeping()]


def _operator(name: str) -> str:
    """
    Say which operator a coefficient is of, and how it is normalised.

    >>> _operator("CSp_bsmumu").partition(" in ")[0]
    'Coefficient of e^2/(16 pi^2) m_b (sbar P_L b)(mubar mu)'
    """
    short = name.partition("_")[0]
    operator = _OPERATORS[short.removesuffix("p")]
    if short.endswith("p"):
        quarks = operator.index("(sbar")
        end = operator.index(")", quarks)
        turned = operator[quarks:end].translate(_OTHER_CHIRALITY)
        operator = operator[:quarks] + turned + operator[end:]
    return (
        f"Coefficient of {operator} in {_HAMILTONIAN}, MS-bar at 4.8 GeV; 0 is the Standard Model"
    )


def _listed(observables: Sequence[str]) -> str:
    """
    List observables, the bins of a spectrum together.

    >>> _listed(["<dBR/dq2>(a)|1.1|2.0", "S", "<dBR/dq2>(a)|4.0|5.0"])
    'mean dBR/dq2 of a for q2 in 1.1-2.0, 4.0-5.0 GeV^2; S'
    """
    bins: dict[str, list[str]] = {}
    for observable in observables:
        name, *ends = observable.split("|")
        bins.setdefault(name, []).extend(["-".join(ends)] if ends else [])
    return "; ".join(
        f"mean dBR/dq2 of {name.partition('(')[2][:-1]} for q2 in {', '.join(found)} GeV^2"
        if found
        else name
        for name, found in bins.items()
    )


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
