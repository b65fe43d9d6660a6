"""Points on the workers of a Dask cluster."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

from limen.active.evaluators import Job, Outcome, failure
from limen.errors import MissingExtraError, StorageError, UsageError

__all__ = ["Cluster"]

_EVERY = 1.0
_STARTING = 60.0


class Cluster:
    """
    Evaluate points on a Dask cluster; those of a worker that dies run again elsewhere.

    Parameters
    ----------
    job : Job
        Its evaluator must be found on the workers: the same environment, the same files.
    client : distributed.Client or str, optional
        A client, or the address of a scheduler; by default a cluster on this machine.
    workers : int, optional
        Of the cluster on this machine; otherwise how many points may run at a time.
    timeout : float, optional
        Longest time of one evaluation [s], counted from when it begins on its worker: loading
        the evaluator there does not count. Then the process of the worker is started again.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    UsageError
        If no scheduler answers at the address.
    """

    parallel = True

    def __init__(
        self,
        job: Job,
        client: Any = None,
        workers: int | None = None,
        timeout: float | None = None,
    ) -> None:
        distributed = _library()
        self._job, self._timeout, self._workers = job, timeout, workers
        self._own = client is None or isinstance(client, str)
        if client is None:
            options = {"threads_per_worker": 1, "dashboard_address": ":0"}
            cluster = distributed.LocalCluster(n_workers=workers, processes=True, **options)
            self._client = distributed.Client(cluster)
            self._cluster: Any = cluster
        else:
            self._client = _connected(client) if isinstance(client, str) else client
            self._cluster = None
        self._futures: dict[str, Any] = {}
        self._topic = f"limen-{uuid4().hex}"
        # When its worker said so (that one's clock), and when we heard it (ours).
        self._begun: dict[str, tuple[float, float]] = {}
        self._sent: dict[str, float] = {}

    def slots(self) -> int:
        """Say how many points can be evaluated at the same time; workers may come and go."""
        if self._workers:
            return self._workers
        return max(int(sum(self._client.nthreads().values())), 1)

    def submit(self, name: str, point: Mapping[str, float]) -> None:
        """Have a point evaluated."""
        key = f"limen-{name}-{uuid4().hex[:8]}"
        self._futures[name] = self._client.submit(
            _evaluated, self._job, name, dict(point), self._topic, key, key=key, pure=False
        )

    def completed(self) -> list[tuple[str, Outcome]]:
        """
        Wait for the next results.

        Raises
        ------
        StorageError
            If an evaluation could not write.
        """
        wait = _library().wait
        while True:
            listed = list(self._futures.values())
            rest = None if self._timeout is None else min(_EVERY, self._timeout / 4)
            with suppress(TimeoutError):
                wait(listed, timeout=rest, return_when="FIRST_COMPLETED")
            done = [name for name, future in self._futures.items() if future.done()]
            if done:
                return [(name, self._result(name)) for name in done]
            if late := self._late():
                return late

    def close(self) -> None:
        """End all evaluations that are not complete, and the cluster if it is ours."""
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()
        if self._own:
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def _result(self, name: str) -> Outcome:
        future = self._forget(name)
        try:
            outcome: Outcome = future.result()
        except StorageError:
            raise
        except _library().scheduler.KilledWorker as error:
            return failure(f"the workers that evaluated it died ({error.allowed_failures + 1})")
        # Whatever a worker could not load or send back is the failure of this point.
        except Exception as error:  # noqa: BLE001
            return failure(f"on its worker: {type(error).__name__}: {error}")
        return outcome

    def _late(self) -> list[tuple[str, Outcome]]:
        """End evaluations that took too long: their workers start again."""
        if self._timeout is None:
            return []
        running = {
            str(key): address for address, keys in self._client.processing().items() for key in keys
        }
        now, late = time.monotonic(), []
        for stamp, key in self._client.get_events(self._topic):
            # A point whose worker died begins again.
            if stamp > self._begun.get(key, (-math.inf, 0.0))[0]:
                self._begun[key] = (stamp, now)
        for name, future in list(self._futures.items()):
            key = str(future.key)
            if key not in running:
                continue
            if key in self._begun:
                ends = self._begun[key][1] + self._timeout
            else:
                ends = self._sent.setdefault(key, now) + self._timeout + _STARTING
            if now > ends:
                self._forget(name).cancel(force=True)
                self._client.restart_workers(
                    [running[key]], timeout=_STARTING, raise_for_error=False
                )
                late.append((name, failure(f"took longer than {self._timeout:g} s")))
        return late

    def _forget(self, name: str) -> Any:
        future = self._futures.pop(name)
        self._begun.pop(str(future.key), None)
        self._sent.pop(str(future.key), None)
        return future


def _evaluated(job: Job, name: str, point: Mapping[str, float], topic: str, key: str) -> Outcome:
    """Evaluate a point; on a worker, whose output may be that of the run."""
    _library().get_worker().log_event(topic, key)
    with redirect_stdout(sys.stderr):
        return job(name, point)


def _library() -> Any:
    """Import Dask; it has no types."""
    try:
        return import_module("distributed")
    except ImportError as error:
        raise MissingExtraError.of("distributed", "scale") from error


def _connected(address: str) -> Any:
    try:
        return _library().Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"address: no scheduler answers at {address} ({error}); start one with: dask scheduler"
        ) from error
