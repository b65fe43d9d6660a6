"""Where points are evaluated: in this process, in others of this machine, on a Dask cluster."""

from __future__ import annotations

from limen.active.executors.choosing import EXECUTORS, executor_of
from limen.active.executors.interface import Executor

__all__ = ["EXECUTORS", "Executor", "executor_of"]
