"""Results that were computed before, by the SHA-256 of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from limen.active.evaluators.outcomes import Outcome
from limen.journal import storing

__all__ = ["file_digest", "find", "keep", "key_of"]

_log = logging.getLogger(__name__)

_FORMAT = "1.0"
_NUMBERS = ("values", "errors")


def key_of(depends_on: Mapping[str, Any], files: Iterable[Path]) -> str:
    """
    Give the key of a result.

    Parameters
    ----------
    depends_on : mapping
        Plain data: command, input, outputs.
    files : iterable of Path
        Files whose content counts, not their place.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    whole = {"format": _FORMAT, **depends_on, "files": [_digest_of(path) for path in files]}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(path: Path) -> str:
    state = path.stat()
    return file_digest(path, state.st_mtime_ns, state.st_size)


@cache
def file_digest(path: Path, changed: int, size: int) -> str:
    """Give the SHA-256 of a file as it is since it was changed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find(folder: Path, key: str) -> Outcome | None:
    """
    Find a result.

    Returns
    -------
    Outcome or None
        None if there is none that can be read.
    """
    path = _path(folder, key)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        values, errors = ({str(k): float(v) for k, v in told[n].items()} for n in _NUMBERS)
        cost = None if told["cost"] is None else float(told["cost"])
        return Outcome(values, errors, str(told["status"]), str(told["message"]), cost)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s: cannot be read (%s); the point is evaluated again", path, error)
        return None


def keep(folder: Path, key: str, outcome: Outcome) -> None:
    """
    Keep a result, whole or not at all; other processes may do the same at the same time.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    told = {"format": _FORMAT} | asdict(outcome)
    path = _path(folder, key)
    working = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            working.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            os.replace(working, path)
        finally:
            working.unlink(missing_ok=True)


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.json"
