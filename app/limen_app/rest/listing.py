"""What bundles say of themselves: short in a list, in full each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.manifest import ModelCard

__all__ = ["describe", "summarise"]

_FACTS = ("id", "version", "status", "title", "description", "doi", "concept_doi", "created")
_MORE = ("keywords", "creators", "licences", "theory", "analyses", "assumptions", "related")
_CARD = ("task", "target", "label", "limitations", "intended_use", "out_of_scope", "licence")


def summarise(key: str, bundle: Bundle) -> dict[str, Any]:
    """
    Say in short what a bundle is.

    Returns
    -------
    dict
        What identifies and describes it, its number of points, names of its columns and models.
    """
    document = bundle.manifest
    return {
        "key": key,
        **{name: document[name] for name in _FACTS if name in document},
        "points": bundle.n_points,
        "columns": list(bundle.columns),
        "models": list(bundle.models),
    }


def describe(key: str, bundle: Bundle) -> dict[str, Any]:
    """
    Say in full what a bundle is.

    Returns
    -------
    dict
        As `summarise`, and columns with units, ranges and sources; models with inputs, measured
        quality and what their confidence means; files with sizes and hashes.
    """
    document = bundle.manifest
    return {
        **summarise(key, bundle),
        **{name: document[name] for name in _MORE if name in document},
        "manifest_sha256": bundle.manifest_sha256,
        "columns": [column.to_dict() for column in bundle.columns.values()],
        "models": [_model(card) for card in bundle.models.values()],
        "files": [{"name": name, **entry} for name, entry in document["files"].items()],
    }


def _model(card: ModelCard) -> dict[str, Any]:
    document = card.to_dict()
    box = {entry["column"]: entry for entry in card.domain.get("box", ())}
    return {
        "name": card.name,
        **{name: document[name] for name in _CARD if name in document},
        "inputs": [
            {**entry, **{end: box.get(entry["column"], {}).get(end) for end in ("low", "high")}}
            for entry in document["inputs"]
        ],
        "metrics": document["metrics"],
        "confidence": document["confidence"],
    }
