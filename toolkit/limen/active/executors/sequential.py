"""Points one after another, in this process."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import FrameType

from limen.active.evaluators import Job, Outcome, failure
from limen.errors import UsageError

__all__ = ["Sequential"]


class _OutOfTime(BaseException):
    """The alarm rang; no ``except Exception`` of an evaluator may swallow it."""


class Sequential:
    """
    Evaluate points one after another, in the order in which they were submitted.

    Parameters
    ----------
    job : Job
    timeout : float, optional
        Longest time of one evaluation [s]. It interrupts Python code; what hangs in compiled code
        is killed by the executor ``processes`` only.

    Raises
    ------
    UsageError
        If time cannot be limited here: outside of the main thread, or without alarms (Windows).
    """

    parallel = False

    def __init__(self, job: Job, timeout: float | None = None) -> None:
        main = threading.current_thread() is threading.main_thread()
        if timeout is not None and not (main and hasattr(signal, "SIGALRM")):
            raise UsageError(
                "timeout: cannot be kept in this process here, allowed with the executors "
                "processes and dask; choose one of them"
            )
        self._job = job
        self._timeout = timeout
        self._waiting: deque[tuple[str, Mapping[str, float]]] = deque()

    def slots(self) -> int:
        """Say how many points can be evaluated at the same time."""
        return 1

    def submit(self, name: str, point: Mapping[str, float]) -> None:
        """Have a point evaluated."""
        self._waiting.append((name, point))

    def completed(self) -> list[tuple[str, Outcome]]:
        """Evaluate the next point."""
        name, point = self._waiting.popleft()
        # What an evaluator prints must not stand between the lines of an answer.
        with redirect_stdout(sys.stderr):
            try:
                with _alarm(self._timeout):
                    return [(name, self._job(name, point))]
            except _OutOfTime:
                return [(name, failure(f"took longer than {self._timeout:g} s"))]

    def close(self) -> None:
        """Forget what was not evaluated."""
        self._waiting.clear()


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
