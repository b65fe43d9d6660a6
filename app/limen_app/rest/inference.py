"""The Open Inference Protocol: the verdicts of REST for clients that speak of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from limen import __version__
from limen.errors import ColumnError, DataError, UsageError
from limen.prediction import verdict_rows
from limen.prediction.verdict import MEANINGS
from limen_app.limits import Limits
from limen_app.rest.bodies import parse, refuse_other_answer
from limen_app.rest.choosing import named_model, of_the_server, served
from limen_app.rest.desk import Desk
from limen_app.rest.problems import Detail, Problem, as_json
from limen_app.rest.tensors import OUTPUTS, columns_of, output_unit, outputs_of, read_asked

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["Inference", "answer", "metadata", "told"]

_BINARY = "inference-header-content-length"


def told(problem: Problem) -> Response:
    """
    Answer a problem as the protocol has it: one text, 400 for what is wrong in a request.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Response
    """
    many = len(problem.errors) > 1
    listed = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in problem.errors)
    body = as_json({"error": listed if many else problem.detail})
    status = 400 if problem.status == 422 else problem.status
    return Response(body, status, problem.headers, media_type="application/json")


def answer(name: str, version: str | None, library: Library, body: bytes, limits: Limits) -> bytes:
    """
    Answer an inference request with the numbers of ``POST /api/v1/predict``.

    Parameters
    ----------
    name : str
        ``BUNDLE.MODEL``.
    version : str or None
        Of the bundle; its newest one by default.
    library : Library
    body : bytes
    limits : Limits

    Returns
    -------
    bytes

    Raises
    ------
    Problem
        404 if there is no such model; 400, 413, 422 for what the client did; 503 where the bundle's
        files are gone.
    """
    asked = read_asked(parse(body), name)
    predictor = named_model(library, name, version)
    columns = columns_of(asked.inputs, predictor.inputs, limits)
    version = str(predictor.attrs["version"])
    with of_the_server(f"{predictor.attrs['bundle']}@{version}"):
        try:
            said = predictor.verdicts(columns)
        except (ColumnError, DataError, UsageError) as error:
            raise Problem.of_faults(422, [Detail("/inputs", str(error))]) from error
    found = {
        "model_name": name,
        "model_version": version,
        "parameters": _told_once(predictor) | {"notes": "; ".join(said.notes)},
        "outputs": outputs_of(verdict_rows(predictor, said, 0, {}), asked.outputs),
    }
    return as_json(found if asked.id is None else found | {"id": asked.id})


def _told_once(predictor: Predictor) -> dict[str, Any]:
    """Give what holds for all answers; a parameter of the protocol cannot be null."""
    return {name: value for name, value in predictor.attrs.items() if value != ""}


def metadata(predictor: Predictor, name: str, versions: list[str]) -> dict[str, Any]:
    """
    Describe a model: its tensors, with units, ranges and meanings as their ``parameters``.

    Parameters
    ----------
    predictor : Predictor
    name : str
        ``BUNDLE.MODEL``.
    versions : list of str
        Those that may be asked for.

    Returns
    -------
    dict
    """
    box = {entry["column"]: entry for entry in predictor.card.domain.get("box", ())}
    inputs = []
    for column in predictor.inputs:
        ends = box.get(column.name, {})
        told: dict[str, Any] = {"unit": column.unit, "description": column.title}
        told |= {end: ends[end] for end in ("low", "high") if ends.get(end) is not None}
        inputs.append(_tensor(column.name, "FP64", told))
    outputs = []
    for output, datatype in OUTPUTS.items():
        told = {"description": MEANINGS[output]}
        if datatype == "FP64":
            told["unit"] = output_unit(output, predictor.target.unit)
        outputs.append(_tensor(output, datatype, told))
    return {
        "name": name,
        "versions": versions,
        "platform": "onnx_onnxv1",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": _told_once(predictor),
    }


def _tensor(name: str, datatype: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1], "parameters": dict(parameters)}


class Inference:
    """
    Endpoints of the protocol.

    Parameters
    ----------
    desk : Desk
        Whose bundles, limits and turns they share.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def server(self, request: Request) -> Response:
        """Answer ``GET /v2``."""
        refuse_other_answer(request)
        return _json({"name": "limen", "version": __version__, "extensions": []})

    async def live(self, _: Request) -> Response:
        """Answer ``GET /v2/health/live``: the process answers."""
        return _json({"live": True})

    async def ready(self, _: Request) -> Response:
        """Answer ``GET /v2/health/ready``: the bundles are open."""
        self._desk.library  # noqa: B018
        return _json({"live": True, "ready": True})

    async def model(self, request: Request) -> Response:
        """Answer ``GET /v2/models/{name}``, or of one version."""
        refuse_other_answer(request)
        library = self._desk.library
        name, version = _asked(request)

        def work() -> dict[str, Any]:
            predictor = named_model(library, name, version)
            return metadata(predictor, name, served(library).get(name, []))

        return _json(await self._desk.read(work))

    async def model_ready(self, request: Request) -> Response:
        """Answer ``GET /v2/models/{name}/ready``, or of one version: it is loaded and verified."""
        library = self._desk.library
        name, version = _asked(request)
        await self._desk.read(partial(named_model, library, name, version))
        return _json({"name": name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Answer ``POST /v2/models/{name}/infer``, or of one version."""
        if _BINARY in request.headers:
            raise Problem(
                415,
                "Inference-Header-Content-Length: binary tensors are not taken; send their data as "
                "JSON (in tritonclient: set_data_from_numpy(..., binary_data=False))",
                headers={"Connection": "close"},
            )
        return await self._desk.work(request, partial(answer, *_asked(request)), unnamed=True)


def _asked(request: Request) -> tuple[str, str | None]:
    return request.path_params["name"], request.path_params.get("version")


def _json(document: Mapping[str, Any]) -> Response:
    return Response(as_json(document), media_type="application/json")
