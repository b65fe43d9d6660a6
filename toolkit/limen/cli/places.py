"""Bundles by folder or, where none of that name is, by DOI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["open_place", "place_argument"]

place_argument = click.argument("bundle", metavar="BUNDLE|DOI")


def open_place(text: str) -> Bundle:
    """
    Open a bundle in a folder, or a published one of which only what is used is fetched.

    Parameters
    ----------
    text : str
        A folder; else id, DOI or address of a record.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleNotFoundError
        If it is neither.
    LimenError
        As `limen.open_bundle` and `limen_zenodo.open_remote`.
    """
    from limen.bundle import open_bundle
    from limen_zenodo.errors import IdentifierError
    from limen_zenodo.identifiers import parse_identifier
    from limen_zenodo.remote import open_remote

    if not Path(text).exists():
        try:
            parse_identifier(text)
        except IdentifierError:
            return open_bundle(text)
        return open_remote(text)
    return open_bundle(text)
