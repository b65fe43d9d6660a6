"""Apply a signal patch to a background, and say what is wrong with it in words."""

from __future__ import annotations

from typing import Any

from limen.readers.tables import library

__all__ = ["apply_patch", "patch_fault"]

_WRONG = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def apply_patch(background: Any, operations: Any) -> dict[str, Any]:
    """
    Give the workspace with signal; the background stays as it is.

    Raises
    ------
    ValueError
        If the patch does not fit the background.
    """
    jsonpatch = library("jsonpatch", "io")
    pointers = library("jsonpointer", "io")
    try:
        answer: dict[str, Any] = jsonpatch.apply_patch(background, operations)
    except (jsonpatch.JsonPatchException, pointers.JsonPointerException, *_WRONG) as error:
        raise ValueError(" ".join(str(error).split())[:300] or type(error).__name__) from error
    return answer


def patch_fault(background: Any, operations: Any) -> str:
    """
    Say why a patch cannot be used; empty if nothing seems wrong.

    Parameters
    ----------
    background : dict
        The workspace.
    operations : list
        The JSON patch.

    Returns
    -------
    str
        What was found, what is allowed, what to do.
    """
    try:
        reason = _inconsistency(apply_patch(background, operations))
    except ValueError as error:
        return (
            f"found a patch that does not fit the background ({error}), allowed one made for it; "
            "fetch both from the same record"
        )
    except _WRONG as error:
        reason = f"no workspace ({type(error).__name__} {str(error)[:100]})"
    if not reason:
        return ""
    return f"found a patch that makes {reason}, allowed a valid workspace; correct or leave it out"


def _inconsistency(workspace: dict[str, Any]) -> str:
    """Find what pyhf would stumble over, without building a model."""
    observed = {entry["name"]: len(entry["data"]) for entry in workspace["observations"]}
    channels = {channel["name"] for channel in workspace["channels"]}
    # Data of a channel that a patch removes, as ATLAS does with validation regions, do no harm.
    if channels - observed.keys():
        return f"a channel '{min(channels - observed.keys())}' without data"
    poi = workspace["measurements"][0]["config"]["poi"]
    modifiers = set()
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            if len(sample["data"]) != observed[channel["name"]]:
                return (
                    f"a sample '{sample['name']}' of {len(sample['data'])} bins in the channel "
                    f"'{channel['name']}' of {observed[channel['name']]}"
                )
            modifiers |= {modifier["name"] for modifier in sample["modifiers"]}
    return "" if poi in modifiers else f"no sample with the parameter of interest '{poi}'"
