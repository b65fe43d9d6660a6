"""The same question elsewhere: as Python, on the command line, with curl."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["command_line", "curl", "place_of", "python", "where_to_run"]


def place_of(bundle: Bundle) -> str:
    """Give what a visitor may name a bundle by: its DOI, or the name of its folder."""
    doi = bundle.manifest.get("doi")
    # What was opened as "." has a name too.
    return str(doi) if doi else os.path.basename(os.path.abspath(bundle.path))


def where_to_run(bundle: Bundle) -> str:
    """Say where Python and the command line find a bundle; empty for one with a DOI."""
    if bundle.manifest.get("doi"):
        return ""
    return f"Run these in the folder that holds the bundle's folder {place_of(bundle)}."


def python(bundle: Bundle, model: str, point: Mapping[str, float]) -> str:
    """
    Write the question as Python.

    Parameters
    ----------
    bundle : Bundle
    model : str
    point : mapping of str to float
        In the units of the columns.

    Returns
    -------
    str
    """
    doi = bundle.manifest.get("doi")
    values = "".join(f"    {json.dumps(name)}: {value!r},\n" for name, value in point.items())
    if doi:
        opening = f"import limen_zenodo\n\nbundle = limen_zenodo.fetch({json.dumps(str(doi))})"
    else:
        opening = f"import limen\n\nbundle = limen.open_bundle({json.dumps(place_of(bundle))})"
    return (
        f"{opening}\npredict = bundle.predictor({json.dumps(model)})\n"
        f"verdict = predict.one({{\n{values}}})\nprint(verdict)\n"
    )


def command_line(bundle: Bundle, model: str, point: Mapping[str, float]) -> str:
    """Write the question for a shell; parameters as :func:`python`."""
    values = " ".join(f"--set {name}={value!r}" for name, value in point.items())
    return f"limen predict {shlex.quote(place_of(bundle))} --model {model} {values} --json"


def curl(origin: str, key: str, model: str, point: Mapping[str, float]) -> str:
    """
    Write the question for curl.

    Parameters
    ----------
    origin : str
        Address of the server, as ``http://localhost:8501``.
    key : str
        Of the bundle, ``id@version``.
    model : str
    point : mapping of str to float
    """
    body = {"bundle": key, "model": model, "points": [dict(point)]}
    return (
        f"curl -s {shlex.quote(f'{origin}/api/v1/predict')} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(body))}"
    )
