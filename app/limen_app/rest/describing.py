"""OpenAPI 3.1 of this server, made from the bundles that are open."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from limen import __version__
from limen_app.limits import Limits
from limen_app.rest.asking import IDENTIFIERS
from limen_app.rest.choosing import bundles, served
from limen_app.rest.problems import MEDIA_TYPE
from limen_app.rest.schemas import NUMBER, OBJECT, SCHEMAS, TEXT, Schema

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.manifest import Column, ModelCard
    from limen_app.library import Library

__all__ = ["openapi"]

_LONGEST_TEXT = 500


def openapi(library: Library, limits: Limits, root: str = "") -> Schema:
    """
    Describe the server.

    Parameters
    ----------
    library : Library
        The opened bundles; their models' inputs become the schemas of points.
    limits : Limits
    root : str
        Path below which the server is mounted.

    Returns
    -------
    dict
        An OpenAPI 3.1 document.
    """
    whole = dict(bundles(library))
    newest = {library.resolve(key.rpartition("@")[0]) for key in whole}
    schemas: Schema = dict(SCHEMAS)
    questions: list[Schema] = []
    for key, bundle in whole.items():
        for card in bundle.models.values():
            name = f"point-{key.replace('@', '-').replace('+', '-')}-{card.name}"
            schemas[name] = _point(bundle, card)
            models = len(bundle.models)
            questions += _questions(key, card, models, name, key in newest, limits)
    named = {"enum": sorted({*whole, *(key.rpartition("@")[0] for key in whole)})}
    schemas["view"] = {
        "type": "object",
        "properties": {"bundle": named, "filters": OBJECT},
        "required": ["bundle"],
    }
    schemas["question"] = {"anyOf": questions} if questions else {"not": {}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Limen",
            "version": __version__,
            "description": "Verdicts on model points, by name and with units, and the bundles "
            "behind them. The numbers are those of `limen predict --json`.",
        },
        "servers": [{"url": root or "/"}],
        "paths": _paths(list(whole), named) | _protocol(served(library)),
        "components": {"schemas": schemas},
    }


def _point(bundle: Bundle, card: ModelCard) -> Schema:
    inputs = {name: _parameter(bundle.columns[name]) for name in card.input_names}
    return {
        "type": "object",
        "description": f"A point of {bundle.manifest['title'][:_LONGEST_TEXT]}: what the model "
        f"{card.name} needs. Names such as id come back with the verdict.",
        "properties": inputs,
        "patternProperties": {
            f"^({IDENTIFIERS})$": {"type": ["string", "number"], "maxLength": 200}
        },
        "required": list(inputs),
        "additionalProperties": False,
    }


def _parameter(column: Column) -> Schema:
    words = [column.label or column.name, f"[{column.unit}]"]
    if column.range is not None:
        words.append(f"stored from {column.range[0]:g} to {column.range[1]:g}")
    if column.description:
        words.append(column.description)
    quantity = {
        "type": "object",
        "properties": {
            "value": NUMBER,
            "unit": {"type": "string", "maxLength": 60, "examples": [column.unit]},
        },
        "required": ["value"],
        "additionalProperties": False,
    }
    return {"description": " ".join(words)[:_LONGEST_TEXT], "anyOf": [NUMBER, quantity]}


def _questions(
    key: str, card: ModelCard, models: int, point: str, newest: bool, limits: Limits
) -> list[Schema]:
    """Give the forms of a question to one model: by its key, and by id with the version."""
    name, _, version = key.rpartition("@")
    base: Schema = {
        "model": {"const": card.name},
        "points": {
            "type": "array",
            "minItems": 1,
            "maxItems": limits.rows,
            "items": {"$ref": f"#/components/schemas/{point}"},
        },
        "nearest": {
            "type": "integer",
            "minimum": 0,
            "maximum": limits.nearest,
            "description": "Nearest rows of the scan to give with each point, "
            f"for at most {limits.nearest_rows} points.",
        },
        "outside": {
            "type": "boolean",
            "description": "Also give numbers outside of the domain, apart: backed by nothing.",
        },
    }
    named = ["bundle", "points"] if models == 1 else ["bundle", "model", "points"]
    forms = [({"bundle": {"const": key}, "version": {"const": version}}, named)]
    short = {"bundle": {"const": name}, "version": {"const": version}}
    forms.append((short, named if newest else [*named, "version"]))
    return [
        {
            "type": "object",
            "title": f"{key} {card.name}",
            "properties": form | base,
            "required": needed,
            "additionalProperties": False,
        }
        for form, needed in forms
    ]


def _paths(keys: list[str], named: Schema) -> Schema:
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "`id@version`, or `id` which means its newest version.",
        "schema": {"type": "string", "examples": keys[:3]},
    }
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    return {
        "/api/v1/predict": {
            "post": {
                "operationId": "predict",
                "summary": "Verdicts on points, one a model, in the order of the points",
                "requestBody": {"required": True, "content": _json("question")},
                "responses": _responses("answer", 400, 406, 408, 413, 415, 422, 429, 503),
            }
        },
        "/api/v1/select": {
            "get": {
                "operationId": "select",
                "summary": "How many rows the view of a link selects",
                "description": "The parameters are those of a link to the page Browse, as "
                "`b` and `f.NAME`; what means nothing is left out and told in `dropped`.",
                "parameters": [{"name": "b", "in": "query", "required": True, "schema": named}],
                "responses": _responses("selection", 400, 406, 422, 429, 503),
            },
            "post": {
                "operationId": "selectView",
                "summary": "How many rows a view selects",
                "description": "A session file of the page Browse, or parts of it.",
                "requestBody": {"required": True, "content": _json("view")},
                "responses": _responses("selection", 400, 406, 408, 413, 415, 422, 429, 503),
            },
        },
        "/api/v1/bundles": {"get": _get("bundles", "The bundles that are open", "bundles", 406)},
        "/api/v1/bundles/{key}": {
            "parameters": [key],
            "get": _get("bundle", "Columns, models and files of a bundle", "bundle", 404, 406),
        },
        "/api/v1/bundles/{key}/files/{name}": {
            "parameters": [key, name],
            "get": {
                "operationId": "file",
                "summary": "A file of a bundle, or ranges of it",
                "responses": _responses(None, 400, 404, 416, 429, 503),
            },
        },
        "/api/v1/openapi.json": {"get": _get("openapi", "This document", "any", 406)},
        "/healthz": {"get": _get("alive", "Whether the process answers", "any")},
        "/readyz": {"get": _get("ready", "Whether the bundles are open", "any", 503)},
    }


def _protocol(models: dict[str, list[str]]) -> Schema:
    """Describe the addresses of the Open Inference Protocol."""
    versions = list(dict.fromkeys(chain.from_iterable(models.values())))
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/refusal"}}}

    def asks(operation: str, summary: str, schema: str, *refusals: int) -> Schema:
        responses = _responses(schema, *refusals, 429, 503, refused=refused)
        return {"operationId": operation, "summary": summary, "responses": responses}

    found: Schema = {
        "/v2": {"get": asks("server", "The server", "serverMetadata", 406)},
        "/v2/health/live": {"get": asks("isLive", "Whether the process answers", "health")},
        "/v2/health/ready": {"get": asks("isReady", "Whether the bundles are open", "health")},
    }
    name = _part("name", "`BUNDLE.MODEL`", list(models))
    version = _part("version", "Of the bundle; without it the newest one.", versions)
    for path, end, parts in (
        ("/v2/models/{name}", "", [name]),
        ("/v2/models/{name}/versions/{version}", "Version", [name, version]),
    ):
        infer = asks(
            f"infer{end}",
            "Verdicts on points, given and answered as named tensors",
            "inferenceResponse",
            *(400, 404, 406, 408, 413, 415),
        )
        infer["requestBody"] = {"required": True, "content": _json("inferenceRequest")}
        model = asks(f"model{end}", "Tensors of a model, with units", "modelMetadata", 404, 406)
        ready = asks(f"isModelReady{end}", "Whether a model is loaded", "health", 404)
        found |= {
            path: {"parameters": parts, "get": model},
            f"{path}/ready": {"parameters": parts, "get": ready},
            f"{path}/infer": {"parameters": parts, "post": infer},
        }
    return found


def _part(name: str, description: str, known: list[str]) -> Schema:
    schema = {"enum": known} if known else TEXT
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


def _get(operation: str, summary: str, schema: str, *refusals: int) -> Schema:
    refused = (*refusals, 429, 503)
    responses = _responses(schema, *refused)
    return {"operationId": operation, "summary": summary, "responses": responses}


def _json(schema: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_REFUSALS = {
    400: "Not readable",
    404: "There is no such thing",
    406: "The client takes no JSON",
    408: "The body did not come in time",
    413: "Too many points or bytes",
    415: "Not JSON",
    416: "No such range",
    422: "A field or a parameter is wrong; `errors` points to it",
    429: "Too many requests; see Retry-After",
    503: "Not now; see Retry-After where it is given",
}


def _responses(schema: str | None, *refusals: int, refused: Schema | None = None) -> Schema:
    found: Schema = {"200": {"description": "The answer"}}
    if schema is None:
        found["200"]["content"] = {"*/*": {}}
        found["206"] = {"description": "A range of the file", "content": {"*/*": {}}}
    else:
        found["200"]["content"] = _json(schema)
    problem = refused or {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}}
    for status in dict.fromkeys(refusals):
        found[str(status)] = {"description": _REFUSALS[status], "content": problem}
    return found
