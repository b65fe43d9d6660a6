"""Verdicts as plain rows, the same for the command line, the pages and REST."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limen.prediction.points import is_identifier

if TYPE_CHECKING:
    from limen.prediction.predictor import Predictor
    from limen.prediction.verdict import Verdicts

__all__ = ["Row", "about", "verdict_rows"]

Row = dict[str, Any]
"""Plain JSON values by name."""


def verdict_rows(
    predictor: Predictor, answer: Verdicts, start: int, block: Mapping[str, Any]
) -> list[Row]:
    """
    Give one plain row per point; columns that only name a point are carried along.

    Parameters
    ----------
    predictor : Predictor
    answer : Verdicts
        Its answer, of n points.
    start : int
        Number of the first point.
    block : mapping of str to values
        The points by column, as the predictor was given them.

    Returns
    -------
    list of dict
        ``point``, ``model``, what names the point, the fields of `Verdict`, and ``nearest`` where
        neighbours were asked for.
    """
    carried = [name for name in block if is_identifier(name) and name not in predictor.columns]
    carried = [name for name in carried if name not in ("point", "model")]
    found = []
    for number in range(len(answer)):
        row: Row = {"point": start + number, "model": predictor.card.name}
        row |= {name: str(block[name][number]) for name in carried}
        row |= answer[number].to_dict()
        if answer.neighbours:
            row["nearest"] = _nearest(predictor, answer, number)
        found.append(row)
    return found


def _nearest(predictor: Predictor, answer: Verdicts, number: int) -> list[Row]:
    near = {name: values[number] for name, values in answer.neighbours.items()}
    return [
        {
            "row": int(near["row"][k]),
            "distance": _finite(near["distance"][k]),
            predictor.target.name: _finite(near["target"][k]),
        }
        for k in range(len(near["row"]))
    ]


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def about(predictor: Predictor) -> Row:
    """
    Say once what holds for all answers of a model.

    Returns
    -------
    dict
        Its name, bundle, version, DOI, statistics of the label, meaning and population of the
        confidence, and what to cite; None where nothing is known.
    """
    known = {key: value if value != "" else None for key, value in predictor.attrs.items()}
    return {"name": predictor.card.name} | known
