"""What was computed lately, by a key of all that it was computed from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Lately"]

Found = TypeVar("Found")


class Lately(Generic[Found]):
    """
    The last results of a long computation, as many as fit.

    Parameters
    ----------
    room : int
        Sum of the sizes that are kept; the last result stays, whatever its size.

    Examples
    --------
    >>> lately = Lately(10)
    >>> lately.get(b"a", 6, lambda: "found"), lately.get(b"a", 6, lambda: "anew")
    ('found', 'found')
    >>> lately.get(b"b", 6, lambda: "other"), lately.get(b"a", 6, lambda: "anew")
    ('other', 'anew')
    """

    def __init__(self, room: int) -> None:
        self._room, self._lock = room, threading.Lock()
        self._known: OrderedDict[bytes, tuple[int, Found]] = OrderedDict()

    def get(self, key: bytes, size: int, compute: Callable[[], Found]) -> Found:
        """Give the result of this key; compute it if it is not known."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key][1]
        found = compute()
        with self._lock:
            self._known[key] = (size, found)
            while len(self._known) > 1 and sum(s for s, _ in self._known.values()) > self._room:
                self._known.popitem(last=False)
        return found
