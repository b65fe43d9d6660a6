"""What a campaign seeks, as a file: YAML or JSON with what :meth:`Campaign.start` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from limen import schema
from limen.errors import DataError

__all__ = ["KEYS", "read_quest"]

_Check = tuple[Callable[[Any], bool], str]
_MAPPING: _Check = (lambda told: isinstance(told, Mapping) and bool(told), "a mapping by name")
_FILE: _Check = (lambda told: isinstance(told, str) and bool(told), "the name of a table")

KEYS: dict[str, _Check] = {
    "space": _MAPPING,
    "outputs": _MAPPING,
    "constraints": (
        lambda told: isinstance(told, list) and all(isinstance(text, str) for text in told),
        "a list of conditions",
    ),
    "strategy": (
        lambda told: isinstance(told, str | Mapping),
        "a name, or a mapping of name and options",
    ),
    "seed": (lambda told: isinstance(told, int), "a whole number"),
    "reserve": (lambda told: isinstance(told, int | float), "a share"),
    "warm": _FILE,
    "approximation": _FILE,
    "pool": _FILE,
}
"""What may stand in such a file, each with its check and what it is in words."""


def read_quest(path: str | Path) -> dict[str, Any]:
    """
    Read what a campaign seeks.

    Parameters
    ----------
    path : str or Path
        YAML, or JSON if the name ends in ``.json``.

    Returns
    -------
    dict
        Arguments of :meth:`Campaign.start`; tables by their path, which is relative to the file.

    Raises
    ------
    UsageError
        If the file cannot be read.
    SchemaError
        If it is no YAML or JSON.
    DataError
        With all faults: missing and unknown names, values of the wrong kind. What is wrong within
        a space or an output is found when the campaign starts.
    """
    path = Path(path)
    document = schema.load_json(path) if path.suffix == ".json" else schema.load_yaml(path)
    faults = [
        (f"/{name}", "is missing; name the parameters" if name == "space" else "is missing")
        for name in ("space", "outputs")
        if name not in document
    ]
    for name, told in document.items():
        if name not in KEYS:
            near = get_close_matches(name, KEYS, n=1)
            nearest = f" (nearest: {near[0]})" if near else ""
            faults.append((f"/{name}", f"unknown{nearest}, allowed {', '.join(KEYS)}"))
        elif isinstance(told, bool) or not KEYS[name][0](told):
            faults.append((f"/{name}", f"found {str(told)[:40]!r}, allowed {KEYS[name][1]}"))
    if faults:
        raise DataError.from_faults(str(path), faults)
    tables = {
        name: path.parent / document[name]
        for name in KEYS
        if KEYS[name] is _FILE and name in document
    }
    return document | tables
