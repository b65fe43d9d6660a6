"""What the computed columns are, as a scan document declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from limen.readers.likelihoods.fits import MINIMISERS, SETTINGS, TOLERANCE
from limen.readers.likelihoods.opening import Collection
from limen.readers.likelihoods.points import LEVEL, MU_MAX
from limen.readers.likelihoods.statistics import BANDS
from limen.readers.pages import TODO

__all__ = ["BAND_NAMES", "NO_REGION", "describe", "hints_of", "region_column"]

BAND_NAMES = dict(zip(BANDS, ("exp_m2", "exp_m1", "exp", "exp_p1", "exp_p2"), strict=True))
"""How the columns of the expected bands end."""

NO_REGION = -1
"""Code of ``decided_by`` where no fit can be believed."""

_OURS = (
    "our numbers from the experiment's published likelihood, not numbers that the experiment "
    "published"
)
_BEST = "; of the region with the smallest expected CLs"


def region_column(name: str, region: str) -> str:
    """Name a column of one region."""
    return f"{name} {region}"


def hints_of(
    collection: Collection, version: str, *, limits: bool, sets: Mapping[int, str]
) -> dict[str, dict[str, Any]]:
    """
    Declare all columns.

    Parameters
    ----------
    collection : Collection
    version : str
        Version of pyhf.
    limits : bool
        Whether upper limits are computed.
    sets : mapping of int to str
        Codes of the column ``regions``, if there are several regions.

    Returns
    -------
    dict of str to dict
    """
    several = len(collection.regions) > 1
    common = _common(version, several)
    hints: dict[str, dict[str, Any]] = {
        label: {"role": "parameter", "source": [{"format": "pyhf", "label": label}]}
        for label in collection.labels
    }
    hints |= _tests(common, _BEST if several else "")
    if limits:
        hints |= _limits(common, _BEST if several else "")
    hints["excluded"] = _excluded(common, _BEST if several else "")
    hints |= _quality(limits)
    if several:
        hints |= _origins(collection, sets)
        for region in collection.regions:
            hints |= _of_region(region.name, _common(version, several=False))
    return hints


def _common(version: str, several: bool) -> dict[str, Any]:
    return {
        "test_statistic": "qtilde_mu",
        "sided": "one",
        "calculator": "asymptotic",
        "nuisances": "profiled",
        "tool": "pyhf",
        "version": version,
        "rule": "best_expected" if several else "single",
    }


def _test(
    quantity: str, construction: str, common: Mapping[str, Any], label: str, band: int | None
) -> dict[str, Any]:
    result = {"result": "observed"} if band is None else {"result": "expected", "band": band}
    level = {"confidence_level": 1 - LEVEL, "excluded_when": "below"} if quantity == "cls" else {}
    return {
        "role": "test",
        "quantity": quantity,
        "unit": "1",
        "label": label,
        "valid": "fit_ok",
        "statistics": {"construction": construction, **result, **level, **common},
    }


def _tests(common: Mapping[str, Any], of: str) -> dict[str, dict[str, Any]]:
    hints = {
        "CLs_obs": _test("cls", "CLs", common, f"observed CLs at signal strength 1{of}", None),
        "CLsb_obs": _test("clsb", "CLs+b", common, f"observed CLs+b{of}", None),
        "CLb_obs": _test("clb", "none", common, f"observed CLb{of}", None),
    }
    for band, ending in BAND_NAMES.items():
        hints[f"CLs_{ending}"] = _test("cls", "CLs", common, f"expected CLs{of}", band)
    hints["CLs_obs"]["description"] = _OURS[0].upper() + _OURS[1:] + "."
    return hints


def _limits(common: Mapping[str, Any], of: str) -> dict[str, dict[str, Any]]:
    hints: dict[str, dict[str, Any]] = {}
    for band, ending in ((None, "obs"), *BAND_NAMES.items()):
        result = {"result": "observed"} if band is None else {"result": "expected", "band": band}
        statistics = {"construction": "CLs", "confidence_level": 1 - LEVEL, **result, **common}
        name = f"mu95_{ending}"
        words = f"{result['result']} upper limit on the signal strength at 95 % CL{of}"
        hints[name] = {
            "role": "limit",
            "quantity": "signal_strength_limit",
            "unit": "1",
            "label": words,
            "description": f"Infinite where no signal strength up to {MU_MAX:g} is excluded.",
            "scale": "log",
            "valid": "limits_ok",
            "statistics": statistics,
        }
        hints[f"{name}_censored"] = {
            "role": "label",
            "quantity": "category",
            "unit": "1",
            "label": f"whether {name} is beyond the largest signal strength looked at",
            "valid": "limits_ok",
            "categories": {"0": "found", "1": "beyond"},
            "definition": {
                "text": f"no signal strength up to {MU_MAX:g} is excluded",
                "column": name,
                "comparison": ">",
                "threshold": MU_MAX,
            },
            "statistics": statistics,
        }
    return hints


def _excluded(common: Mapping[str, Any], of: str) -> dict[str, Any]:
    return {
        "role": "label",
        "quantity": "excluded",
        "unit": "1",
        "label": f"excluded at 95 % CL{of}",
        "valid": "fit_ok",
        "categories": {"0": "not excluded", "1": "excluded"},
        "definition": {
            "text": f"observed CLs below {LEVEL:g}{of}; {_OURS}",
            "column": "CLs_obs",
            "comparison": "<",
            "threshold": LEVEL,
        },
        "statistics": {
            "confidence_level": 1 - LEVEL,
            "construction": "CLs",
            "result": "observed",
            "excluded_when": "below",
            **common,
        },
    }


def _quality(limits: bool) -> dict[str, dict[str, Any]]:
    hints: dict[str, dict[str, Any]] = {
        "fit_ok": {"role": "mask", "unit": "1", "label": "whether all fits can be believed"},
        "minimiser": {
            "role": "origin",
            "unit": "1",
            "label": "last minimiser that was needed",
            "categories": {str(code): name for code, name in enumerate(MINIMISERS)},
        },
    }
    if limits:
        text = "whether the fits of the limits can be believed"
        hints["limits_ok"] = {"role": "mask", "unit": "1", "label": text}
    words = {
        "fit_gap": "-2 ln L of the free fit above that of the fixed ones at most",
        "fit_distance": "estimated distance of -2 ln L to its minimum, the largest of all fits",
        "mu_hat": "best-fit signal strength within its bounds",
    }
    for name, label in words.items():
        hints[name] = {"role": "observable", "unit": "1", "label": label, "valid": "fit_ok"}
    hints["fit_gap"]["description"] = f"At most {TOLERANCE:g} in a fit that can be believed."
    return hints


def _origins(collection: Collection, sets: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    names = {str(code): region.name for code, region in enumerate(collection.regions)}
    names[str(NO_REGION)] = "none, since a fit failed"
    return {
        "decided_by": {
            "role": "origin",
            "unit": "1",
            "label": "region with the smallest expected CLs, which decides",
            "categories": names,
        },
        "regions": {
            "role": "origin",
            "unit": "1",
            "label": "regions that the point has a signal in",
            "categories": {str(code): text for code, text in sets.items()},
        },
    }


def _of_region(region: str, common: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    mask = region_column("fit_ok", region)
    hints = {
        region_column("CLs_obs", region): _test(
            "cls", "CLs", common, f"observed CLs of {region} alone", None
        ),
        region_column("CLs_exp", region): _test(
            "cls", "CLs", common, f"expected CLs of {region} alone", 0
        ),
    }
    for hint in hints.values():
        hint["valid"] = mask
    text = f"whether the fits of {region} are there and can be believed"
    return {**hints, mask: {"role": "mask", "unit": "1", "label": text}}


def describe(collection: Collection, version: str, libraries: Sequence[str]) -> dict[str, Any]:
    """
    Give the fields of the scan document that patch sets state and the computation fixes.

    Parameters
    ----------
    collection : Collection
    version : str
        Version of pyhf.
    libraries : sequence of str
        Minimisers with their versions.

    Returns
    -------
    dict
    """
    settings = {
        "backend": "numpy",
        "interpcodes": ", ".join(setting["interpcode"] for setting in SETTINGS.values()),
        "minimisers": ", ".join(libraries),
        "tolerance": TOLERANCE,
    }
    analysis: dict[str, Any] = {"experiment": TODO, "id": TODO}
    hepdata = collection.references.get("hepdata")
    if hepdata:
        analysis["hepdata"] = hepdata
    arxiv = collection.references.get("arXiv", collection.references.get("arxiv"))
    answer: dict[str, Any] = {
        "toolchain": [
            {
                "role": "statistical inference",
                "name": "pyhf",
                "version": version,
                "settings": settings,
            }
        ],
        "analyses": [{**analysis, "role": "likelihood"}],
        "sampling": [
            {
                "sampler": "grid",
                "prior": "signal points for which the likelihood has patches",
                "selection": "every patch that can be applied",
            }
        ],
    }
    if arxiv:
        answer["related"] = [{"relation": "IsDerivedFrom", "identifier": arxiv, "scheme": "arxiv"}]
    return answer
