"""Options of a ``read`` entry: what every format understands, checked before a file is touched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from limen.errors import Fault

__all__ = ["COMMON_OPTIONS", "MAX_CATEGORIES", "Selection", "check_options", "nearest"]

MAX_CATEGORIES = 256
_RECORD = re.compile(r"ins[1-9][0-9]{0,11}|(https://doi\.org/)?10\.[0-9]{4,9}/\S{1,200}")
COMMON_OPTIONS = frozenset({"categories", "columns", "drop"})


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which columns of the files are wanted, and under which names.

    Parameters
    ----------
    rename : mapping of str to str
        Option ``columns``: name in the file to name in the scan.
    drop : frozenset of str
        Option ``drop``: names in the file that are not read.
    categories : mapping of str to mapping of str to int
        Option ``categories``: for a column of text (name in the file), the code of each text.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Selection:
        """
        Take the common options out of a ``read`` entry that `check_options` has passed.

        Examples
        --------
        >>> Selection.from_options({"drop": ["job"], "columns": {"m(h)": "mh"}}).rename
        {'m(h)': 'mh'}
        """
        return cls(
            options.get("columns", {}),
            frozenset(options.get("drop", ())),
            options.get("categories", {}),
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """
    Suggest what a name may have been meant to be, as the end of a message.

    Examples
    --------
    >>> nearest("delimeter", ["comment", "delimiter"])
    "did you mean 'delimiter'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed {', '.join(repr(n) for n in names[:20])}{', ...' if len(names) > 20 else ''}"


def check_options(options: Mapping[str, Any], allowed: Iterable[str]) -> list[Fault]:
    """
    List what is wrong with the options of a ``read`` entry.

    Parameters
    ----------
    options : mapping
        As written in the scan document.
    allowed : iterable of str
        Options of the format, beside the common ones.

    Returns
    -------
    list of Fault

    Examples
    --------
    >>> print(check_options({"drop": "job"}, ())[0])
    option 'drop': found 'job', allowed a list of column names; correct it
    """
    known = COMMON_OPTIONS.union(allowed)
    faults = []
    for name, value in options.items():
        if name not in known:
            faults.append(Fault(f"option '{name}'", f"not known; {nearest(str(name), known)}"))
            continue
        fits, expected = _CHECKS[name]
        if not fits(value):
            text = f"found {value!r}, allowed {expected}; correct it"
            faults.append(Fault(f"option '{name}'", text))
    return faults


def _is_names(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) and v for v in value):
        return False
    return len(set(value)) == len(value)


def _is_burn(value: object) -> bool:
    if type(value) is float:
        return 0 <= value < 1
    return type(value) is int and value >= 0


def _is_renaming(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(new, str) and new for name, new in value.items()
    )


def _is_categories(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(codes, Mapping) and _is_codes(codes)
        for name, codes in value.items()
    )


def _is_codes(codes: Mapping[Any, Any]) -> bool:
    return 0 < len(codes) <= MAX_CATEGORIES and all(
        isinstance(text, str) and type(code) is int and -(2**15) <= code < 2**15
        for text, code in codes.items()
    )


def _is_delimiter(value: object) -> bool:
    if value in ("tab", "whitespace", " "):
        return True
    return isinstance(value, str) and len(value) == 1 and (value == "\t" or not _plain(value))


def _is_addresses(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name and (isinstance(text, str) or (_is_names(text) and text))
        for name, text in value.items()
    )


def _plain(character: str) -> bool:
    """Tell whether a character is part of fields or lines, and so cannot separate them."""
    return character.isalnum() or character.isspace() or character in '"+-._'


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "burn": (_is_burn, "a number of draws, or a fraction from 0 to below 1"),
    "categories": (
        _is_categories,
        f"{{column: {{text: code}}}} with 1 to {MAX_CATEGORIES} quoted texts and 16-bit codes",
    ),
    "columns": (_is_renaming, "{name in the file: name in the scan}"),
    "columns_at": (_is_addresses, "{column: SLHA address, or a list of them, as 'HMIX 2@Q=1000'}"),
    "comment": (lambda value: isinstance(value, str) and len(value) == 1, "one character"),
    "delimiter": (_is_delimiter, "one character such as ',' or ';', 'tab' or 'whitespace'"),
    "drop": (_is_names, "a list of column names"),
    "generations": (lambda value: value in ("equal", "any"), "equal or any"),
    "group": (lambda value: isinstance(value, str) and value != "", "the name of a group"),
    "limits": (lambda value: isinstance(value, bool), "true or false"),
    "masses": (
        lambda value: isinstance(value, bool) or _is_names(value),
        "true, or a list of masses such as m_gluino",
    ),
    "names": (_is_names, "a list of different column names"),
    "preset": (lambda value: value in ("pmssm19",), "pmssm19"),
    "record": (
        lambda value: isinstance(value, str) and _RECORD.fullmatch(value) is not None,
        "a record such as ins1765529 or 10.17182/hepdata.12345.v1",
    ),
    "regions": (
        lambda value: bool(value) and (_is_names(value) or _is_renaming(value)),
        "a list of folders, or {name: folder}",
    ),
    "sample_stats": (_is_names, "a list of different variables"),
    "skip_lines": (lambda value: type(value) is int and value >= 0, "a number of lines"),
    "table": (
        lambda value: (
            (isinstance(value, str) and value != "") or (_is_names(value) and bool(value))
        ),
        "the name of a table, or a list of different names",
    ),
    "truncate": (lambda value: isinstance(value, bool), "true or false"),
    "workers": (lambda value: type(value) is int and 0 < value <= 1024, "a number of processes"),
}
