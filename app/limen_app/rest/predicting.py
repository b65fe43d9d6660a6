"""Verdicts over REST: what `limen predict --json` says, for points in a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limen.errors import BundleNotFoundError, ColumnError, DataError, UsageError
from limen.prediction import about, verdict_rows
from limen.schema.wording import pointer
from limen_app.limits import Limits
from limen_app.rest.asking import Asked, columns_of, read_question
from limen_app.rest.bodies import parse
from limen_app.rest.choosing import key_of, model_names, of_the_server
from limen_app.rest.problems import Detail, Problem, as_json

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["answer", "verdicts_document"]


def answer(library: Library, body: bytes, limits: Limits) -> bytes:
    """
    Answer the body of a request with the body of its answer.

    Raises
    ------
    Problem
        400, 413, 422 for what the client did; 503 where the bundle's files are gone.
    """
    return as_json(verdicts_document(library, read_question(parse(body), limits), limits))


def verdicts_document(library: Library, asked: Asked, limits: Limits) -> dict[str, Any]:
    """
    Give the verdicts on points.

    Parameters
    ----------
    library : Library
    asked : Asked
    limits : Limits

    Returns
    -------
    dict
        ``models`` and ``points`` as ``limen predict --json`` has them, and ``notes``.

    Raises
    ------
    Problem
    """
    try:
        key = key_of(library, asked.bundle, asked.version)
    except BundleNotFoundError as error:
        detail = str(error).removeprefix("bundle: ")
        raise Problem.of_faults(422, [Detail("/bundle", detail)]) from error
    with of_the_server(key):
        names = model_names(library.get(key), asked.model)
    if len(asked.points) * len(names) > limits.rows:
        many = f"points: found {len(asked.points):,} for {len(names)} models"
        raise Problem(413, f"{many}, allowed {limits.rows:,} verdicts; ask for one model")
    rows: list[dict[str, Any]] = []
    notes: dict[str, None] = {}
    models = []
    for name in names:
        with of_the_server(key):
            predictor = library.predictor(key, name)
            found, said = _one_model(predictor, asked)
        rows += found
        notes |= dict.fromkeys(said)
        models.append(about(predictor))
    rows.sort(key=lambda row: row["point"])
    return {"models": models, "points": rows, "notes": list(notes)}


def _one_model(predictor: Predictor, asked: Asked) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    columns = columns_of(asked.points, predictor.inputs)
    try:
        said = predictor.verdicts(columns, nearest=asked.nearest, extrapolate=asked.outside)
    except ColumnError as error:
        raise _names(error, asked) from error
    except (DataError, UsageError) as error:
        raise Problem.of_faults(422, [Detail("/points", str(error))]) from error
    return verdict_rows(predictor, said, 0, columns), said.notes


def _names(error: ColumnError, asked: Asked) -> Problem:
    """Say which names are wrong, each where it first stands."""
    if not error.faults:
        return Problem.of_faults(422, [Detail("/points", str(error))])
    known = {name: row for row, point in reversed([*enumerate(asked.points)]) for name in point}
    # A name that stands there, misspelt, explains one that is missing.
    listed = sorted(error.faults, key=lambda fault: fault.pointer not in known)
    return Problem.of_faults(
        422,
        [Detail(pointer(["points", known.get(name, 0), name]), text) for name, text in listed],
    )
