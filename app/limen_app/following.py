"""
How a campaign stands, for its page: looked at again when its folder has changed.

Fits take seconds and all cores, so they are made in a process of their own: pages stay quick.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from limen.active import Campaign
from limen.active.assessing import assess
from limen.active.canvas import to_svg
from limen.active.pictures import draw_slice
from limen.active.progress import draw_progress
from limen.active.report import contour_place
from limen.errors import CampaignError, LimenError, MissingExtraError
from limen.remembering import Lately
from limen_app.library import one_message

if TYPE_CHECKING:
    import pandas as pd

    from limen.active.assessments import Assessment

__all__ = ["Quality", "Standing", "follow", "quality_of", "slice_svg"]

_MOST = 64
_lock = Lock()
_pool: list[ProcessPoolExecutor] = []
_answers = Lately(_MOST)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How far a campaign is.

    Attributes
    ----------
    status : dict
        As `Campaign.status`.
    parameters : dict of str to str
        Units by parameter.
    place : dict of str to float
        The evaluated point nearest to a contour; empty while nothing is told.
    pending : pandas.DataFrame
        The points that are asked and not told.
    """

    status: dict[str, Any]
    parameters: dict[str, str]
    place: dict[str, float]
    pending: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Quality:
    """
    How good a campaign is.

    Attributes
    ----------
    assessment : Assessment or None
        The stated error; None where it cannot be had.
    progress : str
        A picture in SVG; empty where it cannot be had.
    missing : tuple of str
        What cannot be shown, and why.
    """

    assessment: Assessment | None = None
    progress: str = ""
    missing: tuple[str, ...] = field(default=())


def follow(folder: Path) -> Standing:
    """
    Look at a campaign; nothing in its folder is changed.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Standing

    Raises
    ------
    CampaignNotFoundError, CampaignError, IntegrityError
        If it cannot be opened.
    """

    def look() -> Standing:
        campaign = Campaign.open(folder)
        known = campaign.history().known.any()
        units = {item.name: item.unit for item in campaign.problem.space.parameters}
        place = contour_place(campaign) if known else {}
        return Standing(campaign.status(), units, place, campaign.pending)

    return _answers.get(("standing", folder, _stamp(folder)), look)


def quality_of(folder: Path) -> Quality:
    """
    State the error of a campaign, and draw how it came along.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Quality
        Says what is missing where a library for it is not installed.
    """
    return _answers.get(("quality", folder, _stamp(folder)), lambda: _beside(_judge, folder))


def slice_svg(folder: Path, x: str, y: str, fixed: Mapping[str, float]) -> str:
    """
    Draw the contours of a slice, with their band and the points near it, as SVG.

    Parameters
    ----------
    folder : Path
    x, y : str
        Parameters along the axes.
    fixed : mapping of str to float
        Values of the others, in their units.

    Raises
    ------
    MissingExtraError
        If a library for it is not installed.
    ColumnError, UsageError
        If a name is no parameter, or a value lies outside its range.
    """
    held = {name: value for name, value in fixed.items() if name not in (x, y)}
    asked = ("slice", folder, _stamp(folder), x, y, tuple(sorted(held.items())))
    return _answers.get(asked, lambda: _beside(_draw, folder, x, y, held))


def _stamp(folder: Path) -> tuple[Any, ...]:
    found = []
    for path in sorted(folder.glob("*.json*")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _beside(work: Callable[..., Result], folder: Path, *more: Any) -> Result:
    """Work in the process for fits, which is started when it is first needed."""
    with _lock:
        if not _pool:
            # A fork of a process with threads may hang; a fresh one does not.
            context = multiprocessing.get_context("spawn")
            begun = (os.getpid(),)
            _pool.append(ProcessPoolExecutor(1, context, initializer=_begin, initargs=begun))
        pool = _pool[0]
    try:
        return pool.submit(work, folder, *more).result()
    except BrokenProcessPool as error:
        with _lock:
            _pool.clear()
        raise CampaignError(
            f"{folder}: the process for its fits was ended from outside; look again"
        ) from error


def _begin(server: int) -> None:
    """Let pages go first, and do not outlive the server, whatever ended it."""
    if hasattr(os, "nice"):
        os.nice(10)

    def watch() -> None:
        while os.getppid() == server:
            time.sleep(2)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


_here: dict[Path, tuple[Any, Campaign]] = {}


def _campaign(folder: Path) -> Campaign:
    """Open a campaign in the process for fits, or give the one whose fits are there already."""
    stamp = _stamp(folder)
    known = _here.get(folder)
    if known is None or known[0] != stamp:
        known = (stamp, Campaign.open(folder))
        _here[folder] = known
    return known[1]


def _judge(folder: Path) -> Quality:
    campaign = _campaign(folder)
    if not campaign.history().known.any():
        return Quality()
    try:
        found = assess(campaign, left_out=False)
        return Quality(found, to_svg(draw_progress(campaign, assessment=found)))
    except MissingExtraError as error:
        return Quality(missing=(f"No stated error and no pictures: {one_message(error)}",))
    except LimenError as error:
        return Quality(missing=(f"No stated error yet: {one_message(error)}",))


def _draw(folder: Path, x: str, y: str, held: Mapping[str, float]) -> str:
    return to_svg(draw_slice(_campaign(folder), x, y, fixed=held))
