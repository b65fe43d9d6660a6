"""Ranges of a file that threads are reading now, so that none of them is read twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from limen_zenodo.spans import joined

__all__ = ["Claim", "Claims"]

Range = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """
    What one thread reads.

    Parameters
    ----------
    ranges : list of (int, int)
        Starts and stops [byte], joined.
    others : tuple of Claim
        Those of other threads that hold more of what is wanted.
    ended : threading.Event
        Set when the thread is done, whether it succeeded or not.
    """

    ranges: list[Range]
    others: tuple[Claim, ...] = ()
    ended: threading.Event = field(default_factory=threading.Event)


class Claims:
    """The claims of all threads on one file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[Claim] = []

    @contextmanager
    def claimed(
        self, wanted: Iterable[Range], missing: Callable[[int, int], list[Range]]
    ) -> Iterator[Claim]:
        """
        Claim what is missing and no other thread reads; on leaving, it must be there.

        Parameters
        ----------
        wanted : iterable of (int, int)
            Starts and stops [byte].
        missing : callable
            Gives the parts of a range that are not there.

        Yields
        ------
        Claim
        """
        with self._lock:
            gaps = [gap for start, stop in wanted for gap in missing(start, stop)]
            others = [claim for claim in self._held if _without(gaps, claim.ranges) != gaps]
            for claim in others:
                gaps = _without(gaps, claim.ranges)
            own = Claim(joined(gaps), tuple(others))
            self._held.append(own)
        try:
            yield own
        finally:
            with self._lock:
                self._held.remove(own)
            own.ended.set()


def _without(ranges: list[Range], taken: Iterable[Range]) -> list[Range]:
    """Cut ranges out of others."""
    for first, last in taken:
        parts = [
            part
            for start, stop in ranges
            for part in ((start, min(stop, first)), (max(start, last), stop))
        ]
        ranges = [part for part in parts if part[0] < part[1]]
    return ranges
