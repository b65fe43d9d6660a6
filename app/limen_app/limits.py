"""Limits of a server: rows, bytes and requests that it takes from one visitor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from limen.errors import UsageError

__all__ = ["Limits"]

_PREFIX = "LIMEN_APP_"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one visitor may ask of a server, in the pages and over REST alike.

    Attributes
    ----------
    rows : int
        Points of one request to REST.
    batch_rows : int
        Points of one file on the page Batch.
    spectrum_bytes : int
        One SLHA spectrum [bytes].
    upload_bytes : int
        One file of points, or archive of spectra [bytes].
    body_bytes : int
        Body of one request to REST [bytes].
    body_seconds : int
        Time in which a body has to arrive [s].
    nearest : int
        Nearest rows of the scan given with one point.
    nearest_rows : int
        Points of one request for which nearest rows are looked up.
    requests_per_minute : int
        Requests of one client; 0 for no limit. The machine itself is never limited.
    waiting : int
        Predictions in work or waiting at once; more are told to come back.
    threads : int
        Predictions that are computed at once.

    Examples
    --------
    >>> Limits.from_environment({"LIMEN_APP_ROWS": "500"}).rows
    500
    """

    rows: int = 10_000
    batch_rows: int = 100_000
    spectrum_bytes: int = 5_000_000
    upload_bytes: int = 50_000_000
    body_bytes: int = 16_000_000
    body_seconds: int = 30
    nearest: int = 100
    nearest_rows: int = 100
    requests_per_minute: int = 600
    waiting: int = 256
    threads: int = 2

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """
        Read limits from variables such as ``LIMEN_APP_ROWS``; the defaults where there is none.

        Parameters
        ----------
        environment : mapping of str to str, optional
            The process's own by default.

        Raises
        ------
        UsageError
            If a variable is no whole number, or too small.
        """
        given = os.environ if environment is None else environment
        found: dict[str, int] = {}
        for field in fields(cls):
            name = _PREFIX + field.name.upper()
            if name in given:
                found[field.name] = _whole(name, given[name], field.name)
        return cls(**found)


def _whole(name: str, text: str, field: str) -> int:
    least = 0 if field in ("requests_per_minute", "nearest") else 1
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < least:
        raise UsageError(f"{name}: found {text[:40]!r}, allowed a whole number from {least}")
    return value
