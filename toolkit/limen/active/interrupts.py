"""Interrupts of a run: they end it between two results, never while one is written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupts"]


class Interrupts:
    """
    Turn SIGINT and SIGTERM into a ``KeyboardInterrupt``, but not inside of :meth:`held`.

    Outside of the main thread it does nothing.
    """

    def __init__(self) -> None:
        self._held = False
        self._came = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Be responsible for interrupts."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, self._take)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let an interrupt wait until what is inside is done."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._came:
            raise KeyboardInterrupt

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if not self._held:
            raise KeyboardInterrupt
