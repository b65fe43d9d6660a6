"""
What a campaign's folder holds of its points: the log, who may write it, a summary for readers.

``queries.jsonl`` is the log and only grows; ``state.json`` follows from it. Several processes may
read and write at once: each takes in what the others wrote before it acts.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limen import journal, resources
from limen.active import events
from limen.active.founding import LOG
from limen.active.problem import Problem
from limen.active.queries import Queries
from limen.errors import CampaignError, IntegrityError, StorageError

__all__ = ["Logbook"]

_log = logging.getLogger(__name__)

_STATE = "state.json"
_POINTS = "points"


class Logbook:
    """
    The log of a campaign.

    Parameters
    ----------
    folder : Path
    problem : Problem
    id : str
        Of the campaign, for the summary.

    Attributes
    ----------
    queries : Queries
        What was asked and told, as far as it was read.
    """

    def __init__(self, folder: Path, problem: Problem, id: str) -> None:
        self.queries = Queries(problem)
        self._folder, self._id = folder, id
        self._end = 0

    def refresh(self) -> None:
        """
        Take in what was written since.

        Raises
        ------
        IntegrityError
            If another program changed the log.
        """
        path = self._folder / LOG
        news, end = events.read(path, self._end)
        try:
            self.queries.add(news)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"{path}: found an event that no ask or tell wrote, after byte {self._end} "
                f"({error}); the file was changed by another program: restore it from a copy"
            ) from error
        self._end = end

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that writes, with all that was written in view."""
        with journal.storing(self._folder), resources.folder_lock(self._folder, wait=True):
            self.refresh()
            yield

    def record(self, event: Mapping[str, Any]) -> None:
        """
        Write an event, and the summary after it; to be called `alone`.

        Raises
        ------
        StorageError
            If it cannot be written; then the log is as it was.
        """
        events.append(self._folder / LOG, event)
        self.refresh()
        self._summarise()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """
        Hold the right to evaluate pending points.

        Raises
        ------
        CampaignError
            If another run holds it.
        """
        points = self._folder / _POINTS
        with journal.storing(points):
            points.mkdir(exist_ok=True)
            with resources.folder_lock(points, wait=False) as held:
                if not held:
                    raise CampaignError(
                        f"{self._folder}: another run evaluates the points of this campaign; wait "
                        "for it, or stop it"
                    )
                yield

    def _summarise(self) -> None:
        state = {
            "id": self._id,
            "rounds": self.queries.asks,
            "asked": len(self.queries),
            "counts": self.queries.counts(),
            "memory": self.queries.memory,
            "log_bytes": self._end,
        }
        working = self._folder / f".{_STATE}.part"
        try:
            working.write_text(json.dumps(state, ensure_ascii=False, indent=1), encoding="utf-8")
            os.replace(working, self._folder / _STATE)
        except OSError as error:
            # The log holds everything already; the summary follows with the next event.
            _log.warning("%s", StorageError(f"{working}: {error.strerror}; the log is complete"))
