"""How far a transfer is, said every few seconds."""

from __future__ import annotations

import logging
import threading
import time

__all__ = ["Progress"]

_log = logging.getLogger("limen.zenodo")

_SAY_EVERY = 3.0


class Progress:
    """
    Bytes of several files that are transferred at once.

    Parameters
    ----------
    what : str
        Of what, in messages.
    total : int
        Bytes of all files.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self.done = what, total, 0
        self._begun = self._said = time.monotonic()
        self._lock = threading.Lock()

    def add(self, number: int) -> None:
        """Count bytes; negative if they have to come again."""
        with self._lock:
            self.done += number
            now = time.monotonic()
            if now - self._said < _SAY_EVERY:
                return
            self._said = now
        rate = max(self.done, 1) / (now - self._begun)
        left = max(self._total - self.done, 0) / rate
        share = 100.0 * self.done / max(self._total, 1)
        _log.info(
            "%s: %.1f of %.1f MB (%.0f %%), %.1f MB/s, %.0f s left",
            self._what,
            self.done / 1e6,
            self._total / 1e6,
            share,
            rate / 1e6,
            left,
        )
