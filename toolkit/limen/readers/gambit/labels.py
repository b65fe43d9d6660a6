"""GAMBIT's labels: what they say of a column, and short names made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from limen.readers.pages import TODO

__all__ = ["hint_of", "is_nuisance", "parameter_of", "runtime_unit", "short_names"]

_PARAMETER = re.compile(r"#(\w+)_parameters @\1::primary_parameters::(.+)", re.DOTALL)
_FUNCTOR = re.compile(r"#(.+?) @(\w+)::(\w+)(.*)", re.DOTALL)
_RUNTIME = re.compile(r"Runtime\((\w+)\)\s*(?:for\s+)?(.+)", re.DOTALL)
_NUISANCES = re.compile(r"StandardModel_|nuclear_params|Halo_|nuisance", re.IGNORECASE)
_LOGARITHM = re.compile(r"log_?like|lnl|lnlike", re.IGNORECASE)
_IDS = {"pointID", "MPIrank", "scanID"}
_CODES = {"Invalidation Code", "Suspicious Point Code"}
_TIMES = {"s", "ms", "us", "ns"}
_LOOPS = {"Runtime(ms) interloop", "Runtime(ms) totalloop"}
# With "valid_" before it, a name has at most 64 characters.
_LONGEST = 58
_ADDRESS = 300


def parameter_of(label: str) -> tuple[str, str] | None:
    """
    Give model and parameter if a label is that of a model's parameter.

    Examples
    --------
    >>> parameter_of("#MSSM7atQ_parameters @MSSM7atQ::primary_parameters::M2")
    ('MSSM7atQ', 'M2')
    >>> parameter_of("LogLike")
    """
    match = _PARAMETER.fullmatch(label)
    return (match[1], match[2]) if match else None


def is_nuisance(model: str) -> bool:
    """
    Tell whether a model holds nuisance parameters.

    Examples
    --------
    >>> is_nuisance("StandardModel_SLHA2"), is_nuisance("MSSM7atQ")
    (True, False)
    """
    return _NUISANCES.match(model) is not None


def runtime_unit(label: str) -> str | None:
    """
    Give the unit that the label of a run time states, or None if it is no run time.

    Examples
    --------
    >>> runtime_unit("Runtime(ms) interloop"), runtime_unit("LogLike")
    ('ms', None)
    """
    match = _RUNTIME.fullmatch(label)
    return match[1] if match else None


def short_names(labels: Iterable[str]) -> dict[str, str]:
    """
    Make short, valid and different names of labels.

    Parameters
    ----------
    labels : iterable of str
        All different.

    Returns
    -------
    dict of str to str
        By label, at most 58 letters, digits and ``_``. Labels whose shortest names agree get
        longer ones, whatever their order.

    Examples
    --------
    >>> short_names(["#CMSSM_parameters @CMSSM::primary_parameters::M0", "#a @Bit::f"])
    {'#CMSSM_parameters @CMSSM::primary_parameters::M0': 'M0', '#a @Bit::f': 'a'}
    """
    listed = list(labels)
    names: dict[str, str] = {}
    left = listed
    for make in (_shortest, _longer):
        made = {label: _valid(make(label)) for label in left}
        count = Counter([*made.values(), *names.values()])
        names |= {label: name for label, name in made.items() if count[name] == 1}
        left = [label for label in listed if label not in names]
    taken = set(names.values())
    for label in left:
        base, number = _valid(_longer(label)), 2
        name = base
        while name in taken:
            name = f"{base[:50]}_{number}"
            number += 1
        taken.add(name)
        names[label] = name
    return {label: names[label] for label in listed}


def _shortest(label: str) -> str:
    if found := parameter_of(label):
        return found[1]
    if match := _RUNTIME.fullmatch(label):
        return f"runtime_{_shortest(match[2])}"
    if match := _FUNCTOR.fullmatch(label):
        return f"{match[1]}{match[4]}"
    return label


def _longer(label: str) -> str:
    if found := parameter_of(label):
        return f"{found[0]}_{found[1]}"
    if match := _RUNTIME.fullmatch(label):
        return f"runtime_{match[1]}_{_longer(match[2])}"
    if match := _FUNCTOR.fullmatch(label):
        return f"{match[1]}_{match[2]}_{match[3]}{match[4]}"
    return label


def _valid(text: str) -> str:
    name = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", text)).strip("_")
    if not name or not name[0].isalpha() or name == "split":
        name = f"c_{name}".rstrip("_")
    return name[:_LONGEST].rstrip("_")


def hint_of(label: str, name: str, mask: str, priors: Mapping[str, Any]) -> dict[str, Any]:
    """
    Declare a column as far as its label tells.

    Parameters
    ----------
    label : str
        Its label in the file.
    name : str
        Its short name.
    mask : str
        Label of its mask.
    priors : mapping
        Prior in words, by ``model::parameter``.

    Returns
    -------
    dict
        Fields of its declaration in a scan document.

    Examples
    --------
    >>> hint_of("pointID", "pointID", "pointID_isvalid", {})["role"]
    'id'
    """
    declared: dict[str, Any] = {"name": name}
    if label.isprintable() and len(label) <= _ADDRESS:
        declared["source"] = [{"format": "gambit", "label": label}]
    elif label.isprintable():
        declared["description"] = f"GAMBIT's label: {label}"[:20_000]
    for kind in (_parameter, _likelihood, _bookkeeping, _runtime):
        if stated := kind(label, priors):
            return {**declared, "valid": mask, **stated}
    unit = "1" if _LOGARITHM.search(label) or label in _CODES else TODO
    return {**declared, "valid": mask, "role": "observable", "unit": unit}


def _parameter(label: str, priors: Mapping[str, Any]) -> dict[str, Any] | None:
    found = parameter_of(label)
    if found is None:
        return None
    stated: dict[str, Any] = {"role": "nuisance" if is_nuisance(found[0]) else "parameter"}
    stated |= {"unit": TODO, "label": f"{found[1]} of {found[0]}"[:300]}
    prior = priors.get("::".join(found), "")
    if prior:
        stated["description"] = f"Prior: {prior}."
    if prior.startswith("log "):
        stated["scale"] = "log"
    return stated


def _likelihood(label: str, priors: Mapping[str, Any]) -> dict[str, Any] | None:
    if label != "LogLike":
        return None
    statistics: dict[str, Any] = {"normalisation": TODO, "nuisances": TODO}
    return {
        "role": "likelihood",
        "quantity": "log_likelihood",
        "unit": "1",
        "statistics": statistics,
    }


def _bookkeeping(label: str, priors: Mapping[str, Any]) -> dict[str, Any] | None:
    if label in _IDS:
        return {"role": "id", "unit": "1"}
    if label in ("Posterior", "mult"):
        return {"role": "weight", "unit": "1"}
    if label.startswith("unitCubeParameters["):
        return {"role": "observable", "unit": "1"}
    return None


def _runtime(label: str, priors: Mapping[str, Any]) -> dict[str, Any] | None:
    unit = runtime_unit(label)
    if unit is None:
        return None
    stated: dict[str, Any] = {"role": "cost", "unit": unit if unit in _TIMES else TODO}
    if label in _LOOPS:
        stated["description"] = (
            "The first point of a process may hold the time since 1970 in place of a duration."
        )
    return stated
