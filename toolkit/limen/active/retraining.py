"""Train the models of a bundle again on its next version, by the settings that their cards hold."""

from __future__ import annotations

import logging
import shlex
from typing import Any

from limen.bundle import Bundle
from limen.errors import LimenError
from limen.manifest import ModelCard

__all__ = ["recorded_settings", "retrain_models"]

_log = logging.getLogger(__name__)

_START = ["limen", "train", "BUNDLE"]
_NAMES = {
    "--target": "target",
    "--estimator": "estimator",
    "--name": "name",
    "--seed": "seed",
    "--nuisances": "nuisances",
}


def recorded_settings(card: ModelCard) -> dict[str, Any] | None:
    """
    Read from a card how its model was trained.

    Parameters
    ----------
    card : ModelCard

    Returns
    -------
    dict or None
        Arguments of :func:`limen.train` except the bundle; None for a model that was not trained
        by it.

    Examples
    --------
    >>> class Card:
    ...     training = {"rebuild": "limen train BUNDLE --target y --seed 3 --option trend=linear"}
    >>> recorded_settings(Card())
    {'options': {'trend': 'linear'}, 'target': 'y', 'seed': 3}
    """
    import yaml

    try:
        words = shlex.split(str(card.training.get("rebuild", "")))
    except ValueError:
        return None
    if words[:3] != _START:
        return None
    found: dict[str, Any] = {"options": {}}
    waiting = words[3:]
    while waiting:
        word = waiting.pop(0)
        if word == "--allow-derived":
            found["allow_derived"] = True
        elif word == "--inputs" and waiting:
            found["inputs"] = waiting.pop(0).split(",")
        elif word == "--option" and waiting:
            key, _, value = waiting.pop(0).partition("=")
            found["options"][key] = yaml.safe_load(value)
        elif word in _NAMES and waiting:
            found[_NAMES[word]] = waiting.pop(0)
        else:
            return None
    if "seed" in found:
        found["seed"] = int(found["seed"])
    return found if "target" in found else None


def retrain_models(parent: Bundle, bundle: Bundle) -> list[str]:
    """
    Train the parent's models on a draft.

    Parameters
    ----------
    parent : Bundle
    bundle : Bundle
        A draft of its next version.

    Returns
    -------
    list of str
        Models that are not in the draft, and why.
    """
    from limen.training import train

    notes = []
    version = parent.manifest["version"]
    for name, card in parent.models.items():
        if card.training["estimator"] == "campaign":
            # The surrogate of an earlier campaign: the later one has its own.
            continue
        settings = recorded_settings(card)
        if settings is None:
            how = card.training["estimator"]
            notes.append(
                f"model {name} ({how}) was not made by 'limen train' and is not trained again; it "
                f"stays with version {version}"
            )
            continue
        _log.info("training %s again", name)
        try:
            train(bundle, settings.pop("target"), **settings)
        except LimenError as error:
            notes.append(f"model {name} could not be trained again: {error}"[:2000])
    return notes
