"""What the numbers of a manifest mean, in the words of the physicist who reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from limen.documents.escaping import flat

__all__ = [
    "analysis_text",
    "campaign_text",
    "column_text",
    "confidence_text",
    "count",
    "describe",
    "domain_text",
    "label_values",
    "metric_text",
    "number",
    "with_interval",
]

_DECIMALS = 8
# What rounding errors alone keep from one is one.
_ONE = 1 - 1e-12
# Further nines of a metric tell nobody more.
_ALMOST_ONE = 0.9999
_VALUES = {
    "excluded": ("excluded", "not excluded (which endorses nothing)"),
    "outside_region": ("outside the region (which is not exclusion)", "inside the region"),
}


def number(value: object) -> str:
    """
    Number to read: six digits, a true minus sign; text stays, nothing becomes "none".

    >>> number(-4000.0), number(0.000354), number(None)
    ('−4000', '0.000354', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**15:
        return f"{value}".replace("-", "−")
    if isinstance(value, int | float):
        return f"{value:.6g}".replace("-", "−")
    return flat(value)


def count(value: object) -> str:
    """
    Number of rows or toys, in groups of three digits; what is no whole number as `number` has it.

    >>> count(1234567), count(None)
    ('1,234,567', 'none')
    """
    return f"{value:,}" if isinstance(value, int) else number(value)


def describe(value: Any) -> str:
    """
    One line for any part of a manifest: texts as they are, fields as "name value".

    >>> describe({"name": "flavio", "version": "2.6"}), describe(["a", 0.5])
    ('flavio 2.6', 'a, 0.5')
    """
    if isinstance(value, Mapping):
        lead = [flat(value[key]) for key in ("name", "id", "version") if value.get(key)]
        rest = [
            f"{flat(key).replace('_', ' ')} {describe(item)}"
            for key, item in value.items()
            if key not in ("name", "id", "version") and item not in (None, "", [], {})
        ]
        return "; ".join([*([" ".join(lead)] if lead else []), *rest])
    if isinstance(value, list | tuple):
        return ", ".join(describe(item) for item in value)
    return number(value)


def label_values(column: Mapping[str, Any]) -> str:
    """
    What the values of a label say.

    >>> label_values({"quantity": "outside_region"})
    '1 = outside the region (which is not exclusion), 0 = inside the region'
    """
    pair = _VALUES.get(str(column.get("quantity")))
    if pair:
        return f"1 = {pair[0]}, 0 = {pair[1]}"
    codes = column.get("categories") or {}
    return ", ".join(f"{flat(key)} = {flat(meaning)}" for key, meaning in codes.items())


def column_text(column: Mapping[str, Any]) -> str:
    """
    What a column holds, in one line: label, description, meaning of codes, origin.

    Parameters
    ----------
    column : mapping
        A column of the manifest.

    Returns
    -------
    str

    Examples
    --------
    >>> column_text({"name": "e", "role": "uncertainty", "of": "xsec", "kind": "theory"})
    'theory uncertainty of xsec'
    """
    parts = [flat(column.get("label") or ""), flat(column.get("description") or "")]
    definition = column.get("definition") or {}
    parts.append(flat(definition.get("text") or ""))
    if column.get("role") != "split" or column.get("categories"):
        parts.append(label_values(column))
    if column.get("of"):
        side = column.get("side")
        words = [column.get("kind"), side if side != "both" else "", "uncertainty of", column["of"]]
        parts.append(flat(" ".join(str(word) for word in words if word)))
    if column.get("derived"):
        parts.append(f"derived: {flat(column['derived'])}")
    if column.get("valid"):
        parts.append(f"where {flat(column['valid'])} is true")
    return "; ".join(dict.fromkeys(part.rstrip(".") for part in parts if part))


def analysis_text(analysis: Mapping[str, Any]) -> str:
    """
    An analysis in one line, with the identifiers under which it is cited.

    >>> analysis_text({"experiment": "ATLAS", "id": "SUSY-2018-31", "inspire": 1748602})
    'ATLAS SUSY-2018-31; INSPIRE 1748602 (https://inspirehep.net/literature/1748602)'
    """
    name, experiment = flat(analysis.get("id") or ""), flat(analysis.get("experiment") or "")
    parts = [name if name.startswith(experiment) else flat(f"{experiment} {name}")]
    if analysis.get("sqrt_s") is not None:
        parts.append(f"√s = {describe(analysis['sqrt_s'])} TeV")
    if analysis.get("luminosity") is not None:
        parts.append(f"{describe(analysis['luminosity'])} fb⁻¹")
    inspire = analysis.get("inspire")
    if inspire:
        parts.append(f"INSPIRE {inspire} (https://inspirehep.net/literature/{inspire})")
    if analysis.get("hepdata"):
        parts.append(f"HEPData {describe(analysis['hepdata'])}")
    if analysis.get("role"):
        parts.append(f"role: {describe(analysis['role'])}")
    return "; ".join(part for part in parts if part)


def campaign_text(campaign: Mapping[str, Any]) -> str:
    """
    Which points a campaign added, and its stated error.

    >>> campaign_text({"id": "3fa2", "strategy": {"name": "level-set"}, "counts": {"rows": 7}})
    'Campaign 3fa2 (level-set): 7 new rows; the table queries has every point it asked'
    """
    counts = campaign.get("counts") or {}
    name = flat((campaign.get("strategy") or {}).get("name") or "unknown strategy")
    said = f"Campaign {flat(campaign.get('id') or '?')} ({name}): "
    said += f"{count(counts.get('rows', 0))} new rows; the table queries has every point it asked"
    for label in (campaign.get("assessment") or {}).get("labels") or ():
        mass = f"{100 * float(label.get('expected_misclassified_prior_mass', math.nan)):.2g}"
        where = f"{flat(label.get('output'))} at {number(label.get('threshold'))}"
        said += f"; {where}: {mass} % expected misclassified prior mass"
        right = label.get("accuracy") or {}
        if right.get("n"):
            said += (
                f", accuracy {with_interval(right.get('value'), right.get('interval'))} on "
                f"{count(right['n'])} reserved points"
            )
    return said


def with_interval(value: Any, interval: Any) -> str:
    """
    Number with its interval, rounded to two digits of the interval's half width.

    What is below one never reads as one.

    >>> with_interval(0.98712, [0.98533, 0.98891]), with_interval(0.99999999, None)
    ('0.9871 [0.9853, 0.9889]', '> 0.99999')
    >>> with_interval(0.99999999998, [0.99999999997, 0.99999999999])
    '> 0.9999'
    >>> with_interval(None, None)
    'undefined'
    """
    if value is None:
        return "undefined"
    decimals = _decimals(interval)
    told = _rounded(value, decimals)
    if not interval:
        return told
    ends = [_rounded(bound, decimals) for bound in interval]
    if all(one.startswith(">") for one in (told, *ends)) and min(value, *interval) > _ALMOST_ONE:
        return f"> {_ALMOST_ONE}"
    return f"{told} [{', '.join(ends)}]"


def _decimals(interval: Any) -> int | None:
    if not interval or not all(isinstance(bound, int | float) for bound in interval):
        return None
    half = abs(interval[1] - interval[0]) / 2
    if not 0 < half < math.inf:
        return None
    # Rounded first: 0.00999999 counts as 0.01.
    return 1 - math.floor(math.log10(float(f"{half:.1e}")))


def _rounded(value: Any, decimals: int | None) -> str:
    if decimals is None or isinstance(value, bool) or not isinstance(value, int | float):
        told = number(value)
    elif 0 <= decimals <= _DECIMALS:
        told = f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
    else:
        told = number(float(round(value, decimals)))
    if told.rstrip("0") in ("1", "1.") and value < _ONE and decimals != 0:
        return f"> 0.{'9' * (5 if decimals is None else decimals)}"
    return told


def metric_text(metric: Mapping[str, Any]) -> str:
    """
    A metric with its interval, unit, split, region and population.

    >>> metric_text({"name": "accuracy", "value": 0.95, "interval": [0.94, 0.96],
    ...              "split": "test", "population": "uniform in the box"})
    'accuracy 0.950 [0.940, 0.960] (test; uniform in the box)'
    """
    unit = metric.get("unit")
    value = with_interval(metric.get("value"), metric.get("interval"))
    where = [flat(metric[key]) for key in ("split", "region", "population") if metric.get(key)]
    name = flat(metric.get("name") or "").replace("_", " ")
    suffix = f" {flat(unit)}" if unit and unit != "1" else ""
    return f"{name} {value}{suffix}" + (f" ({'; '.join(where)})" if where else "")


def domain_text(domain: Mapping[str, Any]) -> str:
    """
    What keeps a model from answering where it was not trained.

    >>> domain_text({"box": [{}, {}], "density": {"method": "nearest rows"}})
    'box of 2 inputs, density (nearest rows)'
    """
    parts = [f"box of {len(domain['box'])} inputs" if domain.get("box") else ""]
    if domain.get("density"):
        parts.append(f"density ({flat(domain['density'].get('method') or 'score')})")
    sets = len(domain.get("subspaces") or ())
    if sets:
        parts.append(f"{sets} lower-dimensional set{'' if sets == 1 else 's'}")
    return ", ".join(part for part in parts if part)


def confidence_text(entry: Mapping[str, Any], known: str = "") -> str:
    """
    Meaning, population and measured coverage of a stated confidence.

    The population ``known``, said before, is not said again.

    >>> confidence_text({"kind": "conformal", "meaning": "Holds the truth.", "population": "flat"})
    'conformal: Holds the truth; population: flat'
    """
    kind = flat(entry.get("kind") or "").replace("_", " ")
    parts = [f"{kind}: {flat(entry.get('meaning') or '').rstrip('.')}"]
    population = flat(entry.get("population") or "")
    if population and population != known:
        parts.append(f"population: {population.rstrip('.')}")
    coverage = dict(entry.get("coverage") or {})
    if flat(coverage.get("population") or "") in (population, known):
        coverage.pop("population", None)
    if coverage.get("value") is not None:
        measured = metric_text({"name": "measured coverage", **coverage})
        parts.append(f"{measured} on {count(coverage.get('n'))} points")
    return "; ".join(parts)
