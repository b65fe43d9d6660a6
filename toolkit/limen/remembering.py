"""What was computed lately, by a key of all that it was computed from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

__all__ = ["Lately"]

Found = TypeVar("Found")


def _one(_: Any) -> int:
    return 1


class Lately:
    """
    The last results of long computations, as many as fit; for several threads.

    Parameters
    ----------
    room : int
        Number of results that are kept, or the sum of their sizes where these are given. The
        last one stays, whatever its size.

    Examples
    --------
    >>> lately = Lately(1)
    >>> lately.get("a", lambda: "found"), lately.get("a", lambda: "anew")
    ('found', 'found')
    >>> lately.get("b", lambda: "other"), lately.get("a", lambda: "anew")
    ('other', 'anew')
    """

    def __init__(self, room: int) -> None:
        self._room, self._lock = room, Lock()
        self._known: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()

    def get(
        self,
        key: Hashable,
        compute: Callable[[], Found],
        size: Callable[[Found], int] = _one,
    ) -> Found:
        """
        Give the result of a key; compute it if it is not known.

        Others are not held up meanwhile: two that ask for the same may both compute it.
        """
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                known: Found = self._known[key][1]
                return known
        found = compute()
        with self._lock:
            self._known[key] = (size(found), found)
            while len(self._known) > 1 and sum(n for n, _ in self._known.values()) > self._room:
                self._known.popitem(last=False)
        return found
