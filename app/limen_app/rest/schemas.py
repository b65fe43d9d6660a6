"""Schemas of answers, the same for all bundles."""

from __future__ import annotations

from typing import Any

from limen.prediction import VERDICTS
from limen.prediction.verdict import NUMBERS

__all__ = ["NUMBER", "OBJECT", "SCHEMAS", "TEXT", "Schema"]

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": ["number", "null"]}
OBJECT: Schema = {"type": "object"}
_COUNT: Schema = {"type": "integer", "minimum": 0}


def _object(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


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
SCHEMAS: Schema = {
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
