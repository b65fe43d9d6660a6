"""Careful guesses from a column's name and values: what is not evident stays undecided."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from limen.readers.profiles import Profile
from limen.readers.tables import TEXT

__all__ = ["Guess", "column_names", "guess"]

_RESERVED = "split"
_WORDS = (("%", "pct"), ("+", "_plus_"), ("*", "_star_"), ("#", "n_"))
_PARAMETER = re.compile(
    r"M_?[123]|(?i:tan_?b(eta)?)|A_?(t|b|tau|top)|mu|m[LEQUD][13]|C(7|8|9|10|S|P|T)p?_\w+"
)
_BANDS = re.compile(r"exp\w*_(m|p|minus|plus)_?([12])", re.IGNORECASE)

# Role and quantity by the name in lower case, without underscores; the first that fits counts.
_NAMED: tuple[tuple[str, str, str], ...] = (
    (r"log(l|like|likelihood)|lnl(ike)?|ll", "likelihood", "log_likelihood"),
    (r"(m|minus)?2(lnl|loglike|logl|nll)|m2lnl\w*", "likelihood", "minus_2_log_likelihood"),
    (r"(delta|d)chi(2|sq)|chi(2|sq)diff|chisqdiff", "likelihood", "delta_chi2"),
    (r"chi(2|sq)(tot|total)?|chisquared?", "likelihood", "chi2"),
    (r"llr|loglikelihoodratio", "likelihood", "log_likelihood_ratio"),
    (r"clsb((obs|exp)\w*)?", "test", "clsb"),
    (r"clb((obs|exp)\w*)?", "test", "clb"),
    (r"cls((obs|exp)\w*)?", "test", "cls"),
    (r"p(val|value)((obs|exp)\w*)?", "test", "p_value"),
    (r"r(obs|exp|max)", "test", "r"),
    (r"mu(95|ul|up|limit)\w*", "limit", "signal_strength_limit"),
    (r"(xsec|sigma|crosssection)(95|ul|upperlimit|limit)\w*", "limit", "cross_section_limit"),
    (r"(xs|xsec|xsection|crosssection)(pb|fb|nb)?", "observable", "cross_section"),
    (r"br[a-z]*\d*[a-z]*", "observable", "branching_ratio"),
    (r"weights?|mult|multiplicity", "weight", ""),
    (r"seconds|runtime\w*|walltime|cputime|cpuseconds", "cost", ""),
    (r"chain|origin|sample|sampler|source|job|file|filename", "origin", ""),
    (r"fidelity", "fidelity", ""),
)
_UNCERTAINTY = re.compile(
    r"(err|error|unc|uncertainty)_\w+|\w+_(err|error|unc|uncertainty|stat|sys|syst)"
)
_ID = re.compile(r"(.*_)?(id|idx|index|number|event|row|point_?id)|pointid|eventid|event_?number")
_MASK = re.compile(r"(is_?)?valid(_.*)?|.*_(is)?valid")
_PURE = frozenset({"test", "label", "mask", "id", "weight", "likelihood", "origin"})


@dataclass(frozen=True, slots=True)
class Guess:
    """
    What a column may be.

    Parameters
    ----------
    role, quantity, unit : str
        Empty where a human must decide.
    result : str
        "observed" or "expected" if the name says so.
    band : int or None
        Band of an expected result if the name says so.
    side : str
        Side of an uncertainty.
    drop : str
        Why the column cannot be kept, or empty.
    """

    role: str = ""
    quantity: str = ""
    unit: str = ""
    result: str = ""
    band: int | None = None
    side: str = ""
    drop: str = ""


def column_names(names: Iterable[str]) -> dict[str, str]:
    """
    Make valid and different column names of names in files.

    Parameters
    ----------
    names : iterable of str
        As in the files, all different.

    Returns
    -------
    dict of str to str
        By name in the file; those that are valid stay as they are.

    Examples
    --------
    >>> column_names(["M1", "RK_1.1_6", "NLO+", "NLO-", "0nu"])
    {'M1': 'M1', 'RK_1.1_6': 'RK_1_1_6', 'NLO+': 'NLO_plus', 'NLO-': 'NLO_minus', '0nu': 'c_0nu'}
    """
    listed = list(names)
    valid = {name for name in listed if _made_valid(name) == name}
    made: dict[str, str] = {}
    taken = set(valid)
    for name in listed:
        new = name
        if name not in valid:
            base, number = _made_valid(name), 1
            new = base
            while new in taken:
                number += 1
                new = f"{base[:60]}_{number}"
            taken.add(new)
        made[name] = new
    return made


def _made_valid(name: str) -> str:
    text = re.sub(r"-+(?=$|\()", "_minus", name)
    for found, word in _WORDS:
        text = text.replace(found, word)
    if text != name or not re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII):
        text = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", text)).strip("_")
    if not text or not text[0].isalpha():
        text = f"c_{text}".rstrip("_")
    return text[:64]


def guess(name: str, profile: Profile) -> Guess:
    """
    Guess what a column is.

    Parameters
    ----------
    name : str
        Its name in the file.
    profile : Profile
        What it holds.

    Returns
    -------
    Guess

    Examples
    --------
    >>> import numpy as np
    >>> profile = Profile(np.dtype(float))
    >>> profile.see(np.array([-12.5, -13.0]))
    >>> guess("LogLike", profile).quantity
    'log_likelihood'
    """
    lower = name.lower()
    if profile.empty:
        return Guess(drop="no value in any row")
    if lower == _RESERVED:
        return Guess(drop="'split' is the column that limen writes itself")
    if profile.dtype == TEXT and profile.many_texts:
        return Guess(drop=f"text, more than {len(profile.texts) - 1} different values")
    if profile.dtype == TEXT and len(profile.texts) > max(20, profile.rows // 20):
        return Guess(drop=f"text, {len(profile.texts)} different values")
    if profile.dtype == TEXT and len(profile.texts) == profile.rows > 1:
        return Guess(drop="text, different in every row")
    return _role(name, lower, profile)


def _role(name: str, lower: str, profile: Profile) -> Guess:
    whole = profile.dtype.kind in "biu"
    if profile.binary and profile.dtype != TEXT and _MASK.fullmatch(lower) and not profile.missing:
        return Guess("mask", unit="1")
    gaps = profile.missing > 0 and profile.dtype != TEXT
    if profile.dtype == bool or (profile.binary and (whole or gaps) and profile.high > profile.low):
        return Guess("label", unit="1")
    if whole and (profile.consecutive or (_ID.fullmatch(lower) and profile.increasing)):
        return Guess("id", unit="1")
    if _UNCERTAINTY.fullmatch(lower) and not whole and profile.dtype != TEXT:
        return Guess("uncertainty", side=_side(lower))
    flat = re.sub(r"[\W_]", "", lower)
    for pattern, role, quantity in _NAMED:
        if re.fullmatch(pattern, flat) and (role == "origin") == (profile.dtype == TEXT):
            return _statement(name, role, quantity)
    if profile.dtype != TEXT and _PARAMETER.fullmatch(name):
        return Guess("parameter")
    return Guess(unit="1" if profile.dtype == TEXT else "")


def _statement(name: str, role: str, quantity: str) -> Guess:
    """Add what the name says about observed and expected."""
    lower = name.lower()
    unit = "1" if role in _PURE or quantity == "signal_strength_limit" else ""
    if role not in ("test", "limit"):
        return Guess(role, quantity, unit)
    match = _BANDS.search(lower)
    if match:
        band = int(match[2]) * (-1 if match[1] in ("m", "minus") else 1)
        return Guess(role, quantity, unit, "expected", band)
    result = "expected" if "exp" in lower else "observed" if "obs" in lower else ""
    return Guess(role, quantity, unit, result)


def _side(lower: str) -> str:
    if re.search(r"up|plus|hi(gh)?(_|$)", lower):
        return "up"
    return "down" if re.search(r"down|minus|lo(w)?(_|$)", lower) else ""
