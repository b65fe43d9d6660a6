"""Faults on demand: what goes wrong, for which requests, how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Fault", "Faults"]


@dataclass(slots=True)
class Fault:
    """
    Something that goes wrong.

    Parameters
    ----------
    method : str
        Of the requests that it hits; ``*`` for all.
    path : str
        Regular expression that the whole path matches, with or without its query.
    times : int, optional
        How often; None for always.
    status : int, optional
        Answer this status instead, with ``body`` and ``headers``.
    body : str or bytes, optional
        Answer this instead; of status 200 if none is given.
    headers : mapping
        Added to the answer.
    html : bool
        Answer an HTML page instead.
    cut : int, optional
        Close after so many bytes of the body, although more were announced.
    flip : int, optional
        Change the byte at this offset of the body.
    stall : float
        Wait before the body, or after ``cut`` bytes and then go on with the rest [s].
    reset : bool
        Close the connection before any answer.
    drop_range : bool
        Ignore ``Range``.
    wrong_range : bool
        Answer a ``Content-Range`` that is off by one.
    redirect : str
        Lead to this address.
    delay_after : bool
        Do the work and then answer 504.
    """

    method: str = "*"
    path: str = ".*"
    times: int | None = 1
    status: int | None = None
    body: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False
    cut: int | None = None
    flip: int | None = None
    stall: float = 0.0
    reset: bool = False
    drop_range: bool = False
    wrong_range: bool = False
    redirect: str = ""
    delay_after: bool = False

    def hits(self, method: str, path: str) -> bool:
        """Tell whether it hits a request."""
        if self.method not in ("*", method):
            return False
        short = path.partition("?")[0]
        return any(re.fullmatch(self.path, text) for text in (short, path))

    @property
    def replaces(self) -> bool:
        """Whether the request is not done at all."""
        instead = self.status is not None or self.body is not None or self.html or self.redirect
        return bool(instead) and not self.delay_after


class Faults:
    """The faults that are set; the first that hits a request is used."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, list[int]]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Set a fault."""
        with self._lock:
            self._faults.append((fault, [0]))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Give the fault of a request and count its use."""
        with self._lock:
            for fault, used in self._faults:
                if (fault.times is None or used[0] < fault.times) and fault.hits(method, path):
                    used[0] += 1
                    return fault
        return None
