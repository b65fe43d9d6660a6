"""
Bundles by DOI: fetch from Zenodo, read in parts, search, deposit and publish.

The names below are loaded when they are first used; importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen_zenodo.access import Draft
    from limen_zenodo.depositing import deposit
    from limen_zenodo.errors import ZenodoError
    from limen_zenodo.fetching import fetch
    from limen_zenodo.publishing import publish
    from limen_zenodo.records import Record
    from limen_zenodo.remote import RemoteBundle, open_remote
    from limen_zenodo.searching import Found, search
    from limen_zenodo.sites import Site, known_sites

_HOMES = {
    "Draft": "limen_zenodo.access",
    "Found": "limen_zenodo.searching",
    "Record": "limen_zenodo.records",
    "RemoteBundle": "limen_zenodo.remote",
    "Site": "limen_zenodo.sites",
    "ZenodoError": "limen_zenodo.errors",
    "deposit": "limen_zenodo.depositing",
    "fetch": "limen_zenodo.fetching",
    "known_sites": "limen_zenodo.sites",
    "open_remote": "limen_zenodo.remote",
    "publish": "limen_zenodo.publishing",
    "search": "limen_zenodo.searching",
}

__all__ = [
    "Draft",
    "Found",
    "Record",
    "RemoteBundle",
    "Site",
    "ZenodoError",
    "deposit",
    "fetch",
    "known_sites",
    "open_remote",
    "publish",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'limen_zenodo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
