"""Schemas of answers, the same for all bundles."""

from __future__ import annotations

from typing import Any

from limen.prediction import VERDICTS
from limen.prediction.verdict import NUMBERS
from limen_app.rest.tensors import DATATYPES, OUTPUTS

__all__ = ["NUMBER", "OBJECT", "SCHEMAS", "TEXT", "Schema"]

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": ["number", "null"]}
OBJECT: Schema = {"type": "object"}
_MAYBE: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}


def _object(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return schema if "null" in schema["type"] else schema | {"type": [schema["type"], "null"]}


_VERDICT = _object(
    {
        "point": _COUNT | {"description": "Position in the question, from 0."},
        "model": TEXT,
        "verdict": {"enum": list(VERDICTS)},
        **dict.fromkeys(NUMBERS, NUMBER),
        "unit": TEXT | {"description": "Of value, lower and upper."},
        "reasons": _list(TEXT),
    },
    extrapolated=NUMBER | {"description": "Outside of the domain, backed by nothing."},
    nearest=_list(_object({"row": {"type": "integer"}, "distance": NUMBER})),
)
_PARAMETERS = OBJECT | {"additionalProperties": {"type": ["string", "number", "boolean"]}}
_HINTS = {"content_type": TEXT, "binary_data": _MAYBE, "binary_data_output": _MAYBE}
_SHAPE = _list({"type": "integer", "minimum": 1})


def _tensor(shape: Schema, **data: Schema) -> Schema:
    known = {"name": TEXT, "datatype": TEXT, "shape": shape, **data}
    return _object(known, parameters=_PARAMETERS)


def _hints(**more: Schema) -> Schema:
    """Describe the parameters of a request, all of which may be left out or null."""
    known = {name: _or_null(schema) for name, schema in (_HINTS | more).items()}
    return {"type": ["object", "null"], "properties": known, "additionalProperties": False}


def _asked(required: dict[str, Schema], **optional: Schema) -> Schema:
    known = {name: _or_null(schema) for name, schema in optional.items()}
    return _object(required, **known) | {"additionalProperties": False}


_INPUT = _asked(
    {
        "name": TEXT | {"description": "Name of the column."},
        "datatype": {"enum": list(DATATYPES)},
        "shape": _list({"type": "integer", "minimum": 1})
        | {"minItems": 1, "maxItems": 2, "description": "[n] or [n, 1]; n the same for all."},
        "data": {"type": "array", "minItems": 1, "description": "n numbers, or null for none."},
    },
    parameters=_hints(unit=TEXT | {"maxLength": 60, "description": "By default the column's."}),
)
_PROTOCOL: Schema = {
    "serverMetadata": _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}),
    "modelMetadata": _object(
        {
            "name": TEXT,
            "versions": _list(TEXT),
            "platform": TEXT,
            "inputs": _list(_tensor(_list({"const": -1}))),
            "outputs": _list(_tensor(_list({"const": -1}))),
        },
        parameters=_PARAMETERS,
    ),
    "health": _object({}, live=_MAYBE, ready=_MAYBE, name=TEXT),
    "inferenceRequest": _asked(
        {"inputs": _list(_INPUT) | {"minItems": 1, "description": "One for each parameter."}},
        id=TEXT | {"maxLength": 200},
        model_name=TEXT | {"description": "As in the address."},
        outputs=_list(_asked({"name": {"enum": list(OUTPUTS)}}, parameters=_hints())),
        parameters=_hints(),
    ),
    "inferenceResponse": _object(
        {
            "model_name": TEXT,
            "model_version": TEXT,
            "outputs": _list(_tensor(_SHAPE, data=_list({"type": ["string", "number", "null"]}))),
        },
        id=TEXT,
        parameters=_PARAMETERS,
    ),
    "refusal": _object({"error": TEXT}),
}
SCHEMAS: Schema = _PROTOCOL | {
    "any": OBJECT,
    "answer": _object(
        {
            "models": _list(
                _object(
                    {
                        "name": TEXT,
                        "bundle": TEXT,
                        "version": TEXT,
                        "cite": TEXT,
                        "doi": {"type": ["string", "null"]},
                        "confidence_meaning": {"type": ["string", "null"]},
                        "confidence_population": {"type": ["string", "null"]},
                    }
                )
            ),
            "points": _list(_VERDICT),
            "notes": _list(TEXT) | {"description": "What was done to the points, as conversions."},
        }
    ),
    "bundles": _object({"bundles": _list({"$ref": "#/components/schemas/summary"})}),
    "summary": _object(
        {"key": TEXT, "id": TEXT, "version": TEXT, "title": TEXT, "points": _COUNT},
        columns=_list(TEXT),
        models=_list(TEXT),
    ),
    "bundle": _object(
        {
            "key": TEXT,
            "columns": _list(_object({"name": TEXT, "role": TEXT, "unit": TEXT})),
            "models": _list(_object({"name": TEXT, "inputs": _list(OBJECT)})),
            "files": _list(_object({"name": TEXT, "bytes": _COUNT, "sha256": TEXT})),
        }
    ),
    "selection": _object(
        {
            "bundle": TEXT,
            "selected": _COUNT,
            "rows": _COUNT,
            "where": TEXT | {"description": "The same condition for `limen select --where`."},
            "link": TEXT,
            "view": OBJECT,
            "dropped": _list(TEXT),
        }
    ),
    "problem": _object(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
        },
        errors=_list(_object({"pointer": TEXT, "detail": TEXT})),
    ),
}
