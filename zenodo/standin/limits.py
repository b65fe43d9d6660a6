"""Rate limits: real counting, and the headers that tell of it."""

from __future__ import annotations

import math
import threading
import time

__all__ = ["RateLimit"]

_STATED = 133


class RateLimit:
    """
    Requests per window of time and client.

    Without ``set``, nothing is limited and the headers state a limit that is never reached.
    """

    def __init__(self) -> None:
        self._limit: int | None = None
        self._window = 60.0
        self._counts: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def set(self, limit: int | None, window: float) -> None:
        """Allow so many requests per window [s]; None for any number."""
        with self._lock:
            self._limit, self._window = limit, window
            self._counts.clear()

    def count(self, client: str) -> tuple[dict[str, str], str]:
        """
        Count a request.

        Parameters
        ----------
        client : str
            A user, or one name for all guests.

        Returns
        -------
        headers : dict of str to str
        refusal : str
            Why it is refused; empty if it is not.
        """
        with self._lock:
            now = time.time()
            began, used = self._counts.get(client, (now, 0))
            if now >= began + self._window:
                began, used = now, 0
            self._counts[client] = (began, used + 1)
            limit = _STATED if self._limit is None else self._limit
            left = limit - 1 if self._limit is None else max(limit - used - 1, 0)
            end = began + self._window
            headers = {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(left),
                "X-RateLimit-Reset": str(math.ceil(end)),
                "Retry-After": str(max(math.ceil(end - now), 1)),
            }
            over = self._limit is not None and used >= limit
            return headers, f"{limit} per {self._window:g} seconds" if over else ""
