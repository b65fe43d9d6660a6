"""Fields of an object in a request: known names, right types, all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from limen.schema.wording import nearest, pointer, quoted
from limen_app.rest.problems import Detail

__all__ = ["MOST_FAULTS", "Place", "fields_of"]

Place = tuple[str | int, ...]
"""Names and positions on the way to a value."""

MOST_FAULTS = 20
"""Faults of an object or a list that are looked for; a hostile one has millions."""

_LONGEST = 200
_WORDS = {str: "text", list: "a list", dict: "an object", bool: "true or false"}


def fields_of(
    found: Any,
    allowed: Mapping[str, type],
    required: Sequence[str],
    place: Place,
    faults: list[Detail],
) -> dict[str, Any]:
    """
    Give the fields of an object that are as they should be; null is one that is not there.

    Parameters
    ----------
    found : object
        Should be an object.
    allowed : mapping of str to type
        Types of its fields by name.
    required : sequence of str
    place : tuple of str and int
        Where it stands in the request.
    faults : list of Detail
        What is wrong is added here.

    Returns
    -------
    dict
    """
    if type(found) is not dict:
        faults.append(Detail(pointer(place), f"found {quoted(found)}, allowed an object"))
        return {}
    given = {name: value for name, value in found.items() if value is not None}
    faults += [Detail(pointer([*place, name]), "missing") for name in required if name not in given]
    right: dict[str, Any] = {}
    for name, value in given.items():
        if len(faults) >= MOST_FAULTS:
            break
        where = pointer([*place, name[:_LONGEST]])
        if name not in allowed:
            hint = nearest(name, allowed) or f"allowed: {', '.join(allowed)}"
            faults.append(Detail(where, f"unknown name, {hint.rstrip()}"))
        elif type(value) is not allowed[name]:
            found = f"found {quoted(value)}, allowed {_WORDS[allowed[name]]}"
            faults.append(Detail(where, found))
        else:
            right[name] = value
    return right
