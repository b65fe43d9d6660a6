"""Which of the opened bundles, and which of its models, a client means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from limen.errors import GraphError, IntegrityError, LimenError, PartMissingError, StorageError
from limen.schema.wording import nearest, quoted
from limen_app.rest.problems import Detail, Problem

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.prediction import Predictor

__all__ = ["Shelf", "key_of", "model_names", "not_here", "of_the_server"]


class Shelf(Protocol):
    """The opened bundles, as REST needs them; `limen_app.library.Library` is one."""

    def keys(self) -> tuple[str, ...]:
        """Give the keys ``id@version`` of the bundles."""

    def get(self, key: str) -> Bundle:
        """Give a bundle by its key."""

    def predictor(self, key: str, model: str) -> Predictor:
        """Give a loaded model of a bundle."""


def key_of(shelf: Shelf, name: str, version: str | None = None) -> str:
    """
    Find the key of a bundle.

    Parameters
    ----------
    shelf : Shelf
    name : str
        ``id@version``, or ``id`` where one version of it is open.
    version : str, optional

    Raises
    ------
    LookupError
        If none is meant, or several; its text says which there are.
    """
    keys = tuple(shelf.keys())
    alike = [key for key in keys if name in (key, key.rpartition("@")[0])]
    if version is not None:
        alike = [key for key in alike if key.rpartition("@")[2] == version] if alike else []
    if len(alike) == 1:
        return alike[0]
    given = name if version is None or name in keys else f"{name}@{version}"
    if alike:
        raise LookupError(f"found {quoted(given)}, of which {', '.join(alike)} are open; name one")
    ids = [key.rpartition("@")[0] for key in keys]
    hint = nearest(given, [*keys, *ids])
    listed = ", ".join(keys[:20]) or "none"
    raise LookupError(f"found {quoted(given)}, {hint}open are {listed}")


def model_names(bundle: Bundle, name: str | None) -> list[str]:
    """
    Give the models that are asked: one, or with ``all`` every one.

    Raises
    ------
    Problem
        422 if there is no such model, or several and none is named.
    """
    known = list(bundle.models)
    if name == "all" and known:
        return known
    if name is None and len(known) == 1:
        return known
    if name in known:
        return [str(name)]
    found = "found no model named" if name is None else f"found {quoted(name)}"
    listed = f"{', '.join(known)} or all" if known else "none, this bundle holds no model"
    hint = nearest(name or "", known)
    raise Problem.of_faults(422, [Detail("/model", f"{found}, {hint}allowed: {listed}")])


def not_here(error: LookupError) -> Problem:
    """Say that an address names no bundle."""
    return Problem(404, f"bundle: {error.args[0]}")


@contextmanager
def of_the_server(shelf: Shelf, key: str) -> Iterator[None]:
    """
    Answer 503 where a file of the bundle is gone or broken; paths of the server are not told.

    Raises
    ------
    Problem
        503.
    """
    try:
        yield
    except (IntegrityError, GraphError, PartMissingError, StorageError, OSError) as error:
        text = str(error) if isinstance(error, LimenError) else "a file cannot be read"
        place = str(shelf.get(key).path)
        detail = _first_sentence(text.replace(f"{place}/", f"{key} ").replace(place, key))
        raise Problem(503, f"{detail}; other bundles still answer") from error


def _first_sentence(text: str) -> str:
    """Leave out what only the owner of the files can do."""
    return text.partition("; ")[0]
