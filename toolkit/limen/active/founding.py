"""A new campaign's folder, whole or not at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limen import journal
from limen.active import definitions
from limen.active import warm as known
from limen.active.problem import Problem
from limen.active.strategies import build

__all__ = ["DOCUMENT", "LOG", "WARM", "found", "read_known"]

_log = logging.getLogger(__name__)

DOCUMENT, LOG, WARM = "campaign.json", "queries.jsonl", "warm.npz"
"""Files of a campaign's folder."""


def found(
    folder: Path,
    document: dict[str, Any],
    problem: Problem,
    parts: Sequence[known.Rows],
    pool: Any = None,
) -> None:
    """
    Write the folder of a new campaign.

    Parameters
    ----------
    folder : Path
    document : dict
        What is sought; gets the id and what is known, in place.
    problem : Problem
        That of the document.
    parts : sequence of dict
        Rows that are known, as :func:`limen.active.warm.read_rows` gives them.
    pool : mapping or pandas.DataFrame, optional
        The only points that can be evaluated.

    Raises
    ------
    UsageError
        If the strategy does not take its options, the space or a pool.
    ColumnError, DataError
        If the pool does not fit.
    StorageError
        If there is something in the folder, or it cannot be written.
    """
    members = None if pool is None else known.pool_rows(pool, problem)
    if members is not None:
        unit = problem.space.snap(problem.space.to_unit(members))
        problem = replace(problem, pool=unit)
    # What the strategy does not take is refused before anything is written.
    build(document["strategy"]["name"], problem, document["strategy"]["options"])
    with journal.new_folder(folder) as made:
        sha256 = known.save(made / WARM, list(parts), members)
        if sha256 is not None:
            cheap = sum(int((part["fidelity"] > 0).sum()) for part in parts)
            document["warm"] = {
                "rows": sum(len(part["x"]) for part in parts) - cheap,
                "approximation": cheap,
                "pool": 0 if members is None else len(members),
                "sha256": sha256,
            }
        document["id"] = definitions.campaign_id(document)
        text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
        (made / DOCUMENT).write_text(text + "\n", encoding="utf-8")
        (made / LOG).touch()


def read_known(table: Any, problem: Problem, fidelity: int, where: str) -> known.Rows:
    """Read a user's table of known points, and say how many lie outside of the space."""
    rows = known.read_rows(table, problem, fidelity, where)
    left = len(table[problem.space.names[0]]) - len(rows["x"])
    if left:
        _log.warning("%s: %d rows outside of the space are not used", where, left)
    return rows
