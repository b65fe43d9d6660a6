"""Points in processes of this machine; one that hangs or dies takes no other with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from limen.active.evaluators import Job, Outcome, failure
from limen.active.evaluators.launching import kill_running
from limen.errors import StorageError, UsageError

__all__ = ["Processes"]

_GRACE = 2.0
Point = Mapping[str, float]


class Processes:
    """
    Evaluate points in processes that are started afresh.

    Parameters
    ----------
    job : Job
    workers : int, optional
        Number of processes; by default one per core.
    timeout : float, optional
        Longest time of one evaluation [s]; then its process is killed.
    """

    parallel = True

    def __init__(self, job: Job, workers: int | None = None, timeout: float | None = None) -> None:
        self._job, self._timeout = job, timeout
        self._number = workers or _cores()
        self._waiting: deque[tuple[str, Point]] = deque()
        self._workers: list[_Worker] = []

    def slots(self) -> int:
        """Say how many points can be evaluated at the same time."""
        return self._number

    def submit(self, name: str, point: Point) -> None:
        """Have a point evaluated."""
        self._waiting.append((name, dict(point)))
        self._feed()

    def completed(self) -> list[tuple[str, Outcome]]:
        """
        Wait for the next results.

        Raises
        ------
        StorageError
            If an evaluation could not write.
        UsageError
            If processes end before they begin.
        """
        found: list[tuple[str, Outcome]] = []
        while not found:
            self._feed()
            busy = [worker for worker in self._workers if worker.name]
            ready = wait([w.connection for w in busy], self._rest(busy))
            for worker in busy:
                if worker.connection in ready:
                    found += self._hear(worker)
                elif worker.deadline is not None and time.monotonic() > worker.deadline:
                    worker.kill()
                    self._workers.remove(worker)
                    found.append((worker.name, failure(f"took longer than {self._timeout:g} s")))
        return found

    def close(self) -> None:
        """End all processes, busy ones too."""
        for worker in self._workers:
            worker.ask_to_end()
        for worker in self._workers:
            worker.process.join(_GRACE)
            worker.kill()
        self._workers.clear()
        self._waiting.clear()

    def _feed(self) -> None:
        while self._waiting:
            worker = next((w for w in self._workers if not w.name), None)
            if worker is None and len(self._workers) < self._number:
                worker = _Worker(self._job)
                self._workers.append(worker)
            if worker is None:
                return
            try:
                worker.take(*self._waiting[0])
            except (BrokenPipeError, ConnectionResetError):
                # It died while it had nothing to do.
                worker.kill()
                self._workers.remove(worker)
                continue
            self._waiting.popleft()

    def _rest(self, busy: list[_Worker]) -> float | None:
        """Give the time until the next deadline [s]."""
        times = [worker.deadline for worker in busy if worker.deadline is not None]
        return max(min(times) - time.monotonic(), 0.0) + 0.001 if times else None

    def _hear(self, worker: _Worker) -> list[tuple[str, Outcome]]:
        """Take what a worker says, or see that it died."""
        try:
            kind, told = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            return [self._bury(worker)]
        if kind == "begun":
            worker.begun = True
            worker.deadline = None if self._timeout is None else time.monotonic() + self._timeout
            return []
        name, worker.name, worker.deadline = worker.name, "", None
        if kind == "storage":
            raise StorageError(told)
        return [(name, told)]

    def _bury(self, worker: _Worker) -> tuple[str, Outcome]:
        worker.process.join(_GRACE)
        code = worker.process.exitcode
        worker.kill()
        self._workers.remove(worker)
        if not worker.begun:
            raise UsageError(
                f"processes: one ended with exit code {code} before it began; a script that "
                "starts a run needs 'if __name__ == \"__main__\":' around it"
            )
        return worker.name, failure(f"the process that evaluated it died ({_death(code)})")


class _Worker:
    """A process that evaluates points sent to it."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, job))
        self.process.start()
        # Only the process holds the other end now: its death is an end of file.
        theirs.close()
        self.name = ""
        self.begun = False
        self.deadline: float | None = None

    def take(self, name: str, point: Point) -> None:
        """Send a point."""
        self.connection.send((name, point))
        self.name = name

    def ask_to_end(self) -> None:
        """Let it end what it started."""
        with suppress(OSError):
            self.connection.close()
        if self.name and self.process.is_alive():
            self.process.terminate()

    def kill(self) -> None:
        """End it, with what it started, and forget it."""
        pid = self.process.pid
        if pid is not None and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, job: Job) -> None:
    """Evaluate points until the other end is closed; in the process of its own."""
    if hasattr(os, "setsid"):
        # A group of its own: an interrupt from the terminal is for the run, which ends us.
        os.setsid()
    signal.signal(signal.SIGTERM, _end)
    # What an evaluator prints must not stand between the lines of an answer.
    sys.stdout.flush()
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(_Ended, EOFError, BrokenPipeError, ConnectionResetError):
        _answer(connection, job)


def _answer(connection: Connection, job: Job) -> None:
    while True:
        name, point = connection.recv()
        connection.send(("begun", name))
        try:
            answer: tuple[str, Any] = ("done", job(name, point))
        except StorageError as error:
            answer = ("storage", str(error))
        connection.send(answer)


class _Ended(BaseException):
    """The run wants this process to end; no evaluator may swallow it."""


def _end(number: int, frame: Any) -> None:
    raise _Ended


def _end_with_parent() -> None:
    """End at once when the run was killed: its points will be evaluated again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        kill_running()
        if hasattr(os, "killpg"):
            os.killpg(os.getpgid(0), signal.SIGKILL)
        os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
