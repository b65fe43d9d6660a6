"""What a run asks of an executor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from limen.active.evaluators import Outcome

__all__ = ["Executor"]


class Executor(Protocol):
    """
    Evaluates points somewhere, and hands them back as they complete.

    Attributes
    ----------
    parallel : bool
        Whether points are evaluated while others are chosen. If not, a run is the same bit for
        bit whenever it is repeated.
    """

    parallel: bool

    def slots(self) -> int:
        """Say how many points can be evaluated at the same time."""
        ...

    def submit(self, name: str, point: Mapping[str, float]) -> None:
        """Have a point evaluated."""
        ...

    def completed(self) -> list[tuple[str, Outcome]]:
        """
        Wait for the next results, by id.

        Raises
        ------
        StorageError
            If an evaluation could not write.
        """
        ...

    def close(self) -> None:
        """End all evaluations that are not complete."""
        ...
