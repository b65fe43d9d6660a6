"""What a statistical column states: level, construction, result, reference, goodness of fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from limen.documents.escaping import flat
from limen.documents.wording import count, describe, number, with_interval

__all__ = ["statistics_text", "with_fit"]

_CONSTRUCTIONS = {
    "CLs": "CLs",
    "CLs+b": "CLs+b",
    "delta_chi2": "Δχ² region (not CLs)",
    "credible": "credible region (Bayesian; not CLs)",
    "likelihood_ratio": "likelihood-ratio region (not CLs)",
}
_NORMALISATIONS = {
    "full": "full normalisation",
    "constants_dropped": "constants dropped",
    "ratio_to_background": "ratio to the background hypothesis",
    "ratio_to_best": "ratio to the best point",
}
_SETS = {"scan": "the scan", "box": "the box", "refined": "a refined fit"}


def statistics_text(statistics: Mapping[str, Any], quantity: str = "") -> str:
    """
    Meaning of a statistical column, with the goodness of fit beside it.

    Parameters
    ----------
    statistics : mapping
        ``statistics`` of a column.
    quantity : str
        Quantity of the column: a point is excluded, or only outside a region.

    Returns
    -------
    str
        Empty where nothing is stated.

    Examples
    --------
    >>> statistics_text({"confidence_level": 0.95, "construction": "CLs", "result": "expected"})
    '95 % CL; CLs; expected (median)'
    """
    parts = [_level(statistics), _CONSTRUCTIONS.get(str(statistics.get("construction")), "")]
    parts += [_result(statistics), _test(statistics), _likelihood(statistics)]
    parts += [_rule(statistics, quantity), _reference(statistics)]
    parts += [_tool(statistics), _coverage(statistics), _goodness(statistics)]
    return "; ".join(part for part in parts if part)


def _level(statistics: Mapping[str, Any]) -> str:
    level = statistics.get("confidence_level")
    if level is None:
        return ""
    word = "credibility" if statistics.get("construction") == "credible" else "CL"
    return f"{number(round(100 * level, 10))} % {word}"


def _result(statistics: Mapping[str, Any]) -> str:
    result, band = statistics.get("result"), statistics.get("band")
    if result != "expected":
        return flat(result or "")
    if not band:
        return "expected (median)"
    return f"expected, {band:+d}σ band (−nσ is the stronger exclusion)".replace("-", "−")


def _test(statistics: Mapping[str, Any]) -> str:
    words = [flat(statistics.get("test_statistic") or "")]
    if statistics.get("sided"):
        words.append(f"{statistics['sided']}-sided")
    if statistics.get("calculator") == "toys":
        toys = statistics.get("toys")
        words.append(f"{count(toys)} toys" if toys else "toys")
    elif statistics.get("calculator"):
        words.append(flat(statistics["calculator"]))
    return ", ".join(word for word in words if word)


def _likelihood(statistics: Mapping[str, Any]) -> str:
    words = [_NORMALISATIONS.get(str(statistics.get("normalisation")), "")]
    nuisances = statistics.get("nuisances")
    if nuisances:
        words.append(f"nuisances {nuisances}" if nuisances != "none" else "no nuisances")
    if statistics.get("terms"):
        words.append(f"terms: {describe(statistics['terms'])}")
    if statistics.get("pruning"):
        words.append(f"pruning: {flat(statistics['pruning'])}")
    return ", ".join(word for word in words if word)


def _rule(statistics: Mapping[str, Any], quantity: str) -> str:
    verdict = "outside" if quantity == "outside_region" else "excluded"
    rule = statistics.get("rule")
    texts = {
        "best_expected": "decided by the analysis with the best expected result",
        "any": f"{verdict} if any analysis says so, hence not a test at the stated level",
        "combined": "analyses combined",
    }
    words = [texts.get(str(rule), "")]
    if statistics.get("excluded_when"):
        words.append(f"{verdict} {statistics['excluded_when']} the threshold")
    return ", ".join(word for word in words if word)


def _reference(statistics: Mapping[str, Any]) -> str:
    reference = statistics.get("reference")
    if not reference:
        return ""
    words = ["relative to"]
    if reference.get("value") is not None:
        words += [number(reference["value"]), "at"]
    words.append("the best point")
    if reference.get("set"):
        words.append(f"of {_SETS.get(reference['set'], flat(reference['set']))}")
    if reference.get("point"):
        place = ", ".join(f"{key} = {number(item)}" for key, item in reference["point"].items())
        words.append(f"({flat(place)})")
    return " ".join(words)


def _tool(statistics: Mapping[str, Any]) -> str:
    words = [flat(statistics[key]) for key in ("tool", "version") if statistics.get(key)]
    return f"computed with {' '.join(words)}" if words else ""


def _coverage(statistics: Mapping[str, Any]) -> str:
    coverage = statistics.get("coverage")
    if not coverage:
        return ""
    if not isinstance(coverage, Mapping) or coverage.get("value") is None:
        return f"coverage: {describe(coverage)}"
    words = [f"coverage {with_interval(coverage['value'], coverage.get('interval'))}"]
    if coverage.get("n"):
        words.append(f"from {count(coverage['n'])}")
    words += [f"({flat(coverage[key])})" for key in ("at", "population") if coverage.get(key)]
    return " ".join(words)


def _goodness(statistics: Mapping[str, Any]) -> str:
    fit = statistics.get("goodness_of_fit")
    if not fit:
        return ""
    words = []
    if fit.get("chi2") is not None:
        words.append(f"χ² = {number(fit['chi2'])}")
    if fit.get("dof") is not None:
        words.append(f"for {number(fit['dof'])} degrees of freedom")
    if fit.get("p_value") is not None:
        words.append(f"(p = {number(fit['p_value'])})")
    if fit.get("at"):
        words.append(f"at {flat(fit['at'])}")
    return f"goodness of fit: {' '.join(words)}" if words else ""


def with_fit(
    column: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """
    Statistics of a column; a goodness of fit it lacks is taken from what it is made of.

    No region or interval is shown without saying how well anything fits at all.

    Parameters
    ----------
    column : mapping
    columns : mapping of str to mapping
        All columns of the table by name.

    Returns
    -------
    mapping
    """
    statistics: Mapping[str, Any] = column.get("statistics") or {}
    if not statistics:
        return statistics
    waiting, seen = [column], set()
    while waiting:
        current = waiting.pop(0)
        fit = (current.get("statistics") or {}).get("goodness_of_fit")
        if fit:
            return {**statistics, "goodness_of_fit": fit}
        made_of = re.findall(r"[A-Za-z][A-Za-z0-9_]*", str(current.get("derived") or ""))
        made_of.append(str((current.get("definition") or {}).get("column")))
        fresh = [name for name in made_of if name in columns and name not in seen]
        seen.update(fresh)
        waiting += [columns[name] for name in fresh]
    return statistics
