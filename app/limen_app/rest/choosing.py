"""Which of the opened bundles, and which of its models, a client means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from limen.errors import BundleNotFoundError, LimenError, PartMissingError
from limen.schema.wording import nearest, quoted
from limen_app.rest.problems import Detail, Problem
from limen_app.versions import order

if TYPE_CHECKING:
    from limen.bundle import Bundle
    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["bundles", "key_of", "model_names", "named_model", "of_the_server", "served"]


def key_of(library: Library, name: str, version: str | None = None) -> str:
    """
    Find the key of a bundle.

    Parameters
    ----------
    library : Library
    name : str
        ``id@version``, or ``id``, which means its newest version.
    version : str, optional

    Raises
    ------
    BundleNotFoundError
        If none of that name is open; its text says which are.
    """
    if version is not None and not name.endswith(f"@{version}"):
        name = f"{name}@{version}"
    return library.resolve(name)


def bundles(library: Library) -> Iterator[tuple[str, Bundle]]:
    """Give the bundles that are whole, with their keys."""
    for key in library.keys():  # noqa: SIM118
        try:
            yield key, library.get(key)
        except (LimenError, OSError):
            continue


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


def served(library: Library) -> dict[str, list[str]]:
    """
    Give the models that are open.

    Returns
    -------
    dict of str to list of str
        By name ``BUNDLE.MODEL``, since ids of bundles and names of models hold no point: their
        versions, the newest last.
    """
    found: dict[str, list[str]] = {}
    for key, bundle in bundles(library):
        name, _, version = key.rpartition("@")
        for model in bundle.models:
            found.setdefault(f"{name}.{model}", []).append(version)
    return {name: sorted(versions, key=order) for name, versions in found.items()}


def named_model(library: Library, name: str, version: str | None = None) -> Predictor:
    """
    Load a model by its name.

    Parameters
    ----------
    library : Library
    name : str
        ``BUNDLE.MODEL``.
    version : str, optional
        Of the bundle; its newest one by default.

    Raises
    ------
    Problem
        404 if there is no such model; 503 if its files are gone or broken.
    """
    bundle, _, model = name.partition(".")
    try:
        key = library.resolve(bundle if version is None else f"{bundle}@{version}")
    except BundleNotFoundError as error:
        raise _unknown(library, name, version) from error
    with of_the_server(key):
        if model in library.get(key).models:
            return library.predictor(key, model)
    raise _unknown(library, name, version)


def _unknown(library: Library, name: str, version: str | None) -> Problem:
    known = served(library)
    hint = "" if name in known else nearest(name, known)
    listed = ", ".join(f"{each} ({', '.join(versions)})" for each, versions in known.items())
    which = "" if version is None else f" of version {quoted(version)}"
    return Problem(404, f"model: found {quoted(name)}{which}, {hint}open are {listed or 'none'}")


@contextmanager
def of_the_server(key: str) -> Iterator[None]:
    """
    Answer 503 where files of a bundle are gone or broken; places on the server are not told.

    Raises
    ------
    Problem
        503.
    """
    try:
        yield
    except BundleNotFoundError as error:
        raise _not_now(key, "was deleted or moved while it was open") from error
    except (PartMissingError, FileNotFoundError) as error:
        raise _not_now(key, "a file of it is not here") from error
    except (LimenError, OSError) as error:
        raise _not_now(key, "a file of it is broken or was changed") from error


def _not_now(key: str, what: str) -> Problem:
    return Problem(503, f"bundle {key}: {what}; other bundles still answer")
