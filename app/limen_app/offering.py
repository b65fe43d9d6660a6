"""The one library of this process: what pages and REST both offer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from threading import Lock, Thread

from limen_app.library import Library

__all__ = ["OPENING", "PLACES", "announce", "begin", "may_open", "offered", "offered_now"]

PLACES = "LIMEN_APP_PLACES"
"""Variable with the places as a JSON list: every worker of a server opens the same."""

OPENING = "LIMEN_APP_OPEN"
"""Variable that is ``1`` where the page Bundles may open other places."""

_opening = Lock()
_known: dict[str, Library] = {}


def announce(places: Sequence[str], *, opening: bool = False) -> None:
    """Set what this process, and the workers that it starts, will offer, and if that may grow."""
    os.environ[PLACES] = json.dumps(list(places))
    os.environ[OPENING] = "1" if opening else "0"


def may_open() -> bool:
    """Say if visitors may open other places."""
    return os.environ.get(OPENING) == "1"


def offered() -> Library:
    """Give the library; it is opened at the first call, and others wait for that."""
    text = os.environ.get(PLACES, "[]")
    with _opening:
        if text not in _known:
            _known[text] = Library.open(json.loads(text))
        return _known[text]


def offered_now() -> Library | None:
    """Give the library, or None while it is being opened."""
    return _known.get(os.environ.get(PLACES, "[]"))


def begin() -> None:
    """Begin to open the library, and wait for nothing: a published bundle may take a while."""
    Thread(target=offered, name="limen-open", daemon=True).start()
