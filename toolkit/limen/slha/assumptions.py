"""What a bundle assumes of decays, checked on the DECAY tables of a spectrum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from limen.slha.spectrum import Spectrum

__all__ = ["violated"]

_SELF_CONJUGATE = frozenset(
    {21, 22, 23, 25, 35, 36, 1000021, 1000022, 1000023, 1000025, 1000035, 1000045, 1000039}
)


def violated(spectrum: Spectrum, assumptions: Iterable[Mapping[str, Any]]) -> list[str]:
    r"""
    Say which assumptions a spectrum does not meet.

    Parameters
    ----------
    spectrum : Spectrum
    assumptions : iterable of mapping
        Entries of a bundle's ``assumptions``; those without a ``kind`` cannot be checked.

    Returns
    -------
    list of str
        Each begins with "topology not covered".

    Examples
    --------
    >>> from limen.slha.parsing import parse
    >>> spectrum = parse(b"DECAY 1000022 1.0E-3\n 1.0 2 22 1000039\n")
    >>> stable = {"text": "Stable.", "kind": "stable", "particle": 1000022}
    >>> violated(spectrum, [stable])[0]
    'topology not covered: 1000022 has a width of 0.001 GeV (line 1), allowed 0 (Stable)'
    """
    said = []
    for entry in assumptions:
        if "kind" not in entry:
            continue
        why = _CHECKS[entry["kind"]](spectrum, entry)
        if why:
            said.append(f"topology not covered: {why} ({entry['text'].rstrip('.')})")
    return said


def _stable(spectrum: Spectrum, entry: Mapping[str, Any]) -> str:
    decay = spectrum.decays.get(entry["particle"])
    if decay is None:
        # Programs leave out the table of a stable particle, but never all tables.
        known = bool(spectrum.decays)
        return "" if known else f"no DECAY at all, so whether {entry['particle']} is stable is open"
    if decay.width == 0.0:
        return ""
    width = f"{entry['particle']} has a width of {decay.width:g} GeV (line {decay.line})"
    return f"{width}, allowed 0"


def _width(spectrum: Spectrum, entry: Mapping[str, Any]) -> str:
    decay = spectrum.decays.get(entry["particle"])
    if decay is None:
        return f"no DECAY of {entry['particle']}, so its width is not known"
    return _range(f"the width of {entry['particle']}", decay.width, " GeV", decay.line, entry)


def _branching_ratio(spectrum: Spectrum, entry: Mapping[str, Any]) -> str:
    decay = spectrum.decays.get(entry["particle"])
    if decay is None:
        return f"no DECAY of {entry['particle']}, so its branching ratios are not known"
    wanted = sorted(entry["products"])
    # Where one decay stands for both charges, its conjugate is the same topology.
    conjugate = sorted(_conjugate(product) for product in wanted)
    both = [wanted] if entry["particle"] not in _SELF_CONJUGATE else [wanted, conjugate]
    ratio = sum(c.ratio for c in decay.channels if sorted(c.products) in both)
    what = f"the branching ratio of {entry['particle']} to {', '.join(map(str, entry['products']))}"
    return _range(what, ratio, "", decay.line, entry)


def _conjugate(number: int) -> int:
    return number if abs(number) in _SELF_CONJUGATE else -number


def _range(what: str, value: float, unit: str, line: int, entry: Mapping[str, Any]) -> str:
    low, high = entry.get("minimum"), entry.get("maximum")
    if low is not None and value < low:
        return f"{what} is {value:g}{unit} (line {line}), allowed at least {low:g}{unit}"
    if high is not None and value > high:
        return f"{what} is {value:g}{unit} (line {line}), allowed at most {high:g}{unit}"
    return ""


_CHECKS = {"branching_ratio": _branching_ratio, "stable": _stable, "width": _width}
