"""An executor by its name."""

from __future__ import annotations

from typing import Any

from limen.active.evaluators import Job
from limen.active.executors.interface import Executor
from limen.active.executors.sequential import Sequential
from limen.errors import UsageError

__all__ = ["EXECUTORS", "executor_of"]

EXECUTORS = ("sequential", "processes", "dask")
"""Names that a run takes."""


def executor_of(
    which: Any,
    job: Job,
    *,
    workers: int | None = None,
    timeout: float | None = None,
    address: str | None = None,
) -> Executor:
    """
    Start an executor.

    Parameters
    ----------
    which : str or distributed.Client
        One of ``EXECUTORS``, or a client of a Dask cluster.
    job : Job
    workers : int, optional
    timeout : float, optional
        Longest time of one evaluation [s].
    address : str, optional
        Of a Dask scheduler.

    Raises
    ------
    UsageError
        For an unknown name, or options that do not fit it.
    """
    if workers is not None and (isinstance(workers, bool) or not 1 <= workers <= 10_000):
        raise UsageError(f"workers: found {workers!r}, allowed 1 to 10000")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"timeout: found {timeout:g} s, allowed more than 0 s")
    if address is not None and which != "dask":
        raise UsageError(f"address: found {address!r} with {which}, allowed with dask only")
    if which == "sequential":
        if workers not in (None, 1):
            raise UsageError(
                f"workers: found {workers} with the executor sequential, allowed 1; choose "
                "processes or dask"
            )
        return Sequential(job, timeout)
    check = getattr(job.evaluator, "check_portable", None)
    if check is not None:
        check()
    if which == "processes":
        from limen.active.executors.processes import Processes

        return Processes(job, workers, timeout)
    if which == "dask" or hasattr(which, "scheduler_info"):
        from limen.active.executors.cluster import Cluster

        return Cluster(job, address if which == "dask" else which, workers, timeout)
    raise UsageError(
        f"executor: found {which!r}, allowed {', '.join(EXECUTORS)} or a distributed.Client"
    )
