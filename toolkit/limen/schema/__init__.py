"""
Documents and the schemas they must fit: loading, checking, writing.

The schemas in ``schemas/1.0`` are the one source of truth; nothing of them is repeated here.
"""

from limen.schema.loading import canonical_json, load_json, load_yaml, yaml_lines
from limen.schema.validation import KINDS, Kind, faults, refuse_later_format, validate

__all__ = [
    "KINDS",
    "Kind",
    "canonical_json",
    "faults",
    "load_json",
    "load_yaml",
    "refuse_later_format",
    "validate",
    "yaml_lines",
]
