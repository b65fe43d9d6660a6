"""
Limen: publish, query and extend high-dimensional results on new-physics models.

The names below are loaded when they are first used; importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.bundle import Bundle, open_bundle
    from limen.checking import Report, check
    from limen.comparing import diff, export, select
    from limen.errors import LimenError
    from limen.manifest import Column, ModelCard
    from limen.packing import make_bundle, pack
    from limen.prediction import Predictor, Verdict, Verdicts
    from limen.readers import read_columns as read
    from limen.training import add_model, train

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "limen.bundle",
    "Column": "limen.manifest",
    "LimenError": "limen.errors",
    "ModelCard": "limen.manifest",
    "Predictor": "limen.prediction",
    "Report": "limen.checking",
    "Verdict": "limen.prediction",
    "Verdicts": "limen.prediction",
    "add_model": "limen.training",
    "check": "limen.checking",
    "diff": "limen.comparing",
    "export": "limen.comparing",
    "make_bundle": "limen.packing",
    "open_bundle": "limen.bundle",
    "pack": "limen.packing",
    "read": "limen.readers",
    "select": "limen.comparing",
    "train": "limen.training",
}
_NAMED = {"read": "read_columns"}

__all__ = [
    "Bundle",
    "Column",
    "LimenError",
    "ModelCard",
    "Predictor",
    "Report",
    "Verdict",
    "Verdicts",
    "add_model",
    "check",
    "diff",
    "export",
    "make_bundle",
    "open_bundle",
    "pack",
    "read",
    "select",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'limen' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), _NAMED.get(name, name))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
