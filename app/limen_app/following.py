"""How a campaign stands, for its page: looked at again when its folder has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from limen.active import Campaign
from limen.active.assessing import assess
from limen.active.canvas import to_svg
from limen.active.pictures import draw_slice
from limen.active.progress import draw_progress
from limen.active.report import contour_place
from limen.errors import LimenError, MissingExtraError
from limen_app.library import one_message

if TYPE_CHECKING:
    from limen.active.assessments import Assessment

__all__ = ["Standing", "follow", "slice_svg"]

# matplotlib sets the style of a drawing for the whole process.
_drawing = Lock()
_known: dict[Path, tuple[Any, Standing]] = {}
_pictures: dict[Any, str] = {}
_MOST = 64


@dataclass(slots=True)
class Standing:
    """
    How a campaign stands.

    Attributes
    ----------
    campaign : Campaign
    status : dict
        As `Campaign.status`.
    place : dict of str to float
        The evaluated point nearest to a contour; empty while nothing is told.
    assessment : Assessment or None
        The stated error; None where it cannot be had.
    progress : str
        A picture in SVG; empty where it cannot be had.
    missing : tuple of str
        What cannot be shown, and why.
    """

    campaign: Campaign
    status: dict[str, Any]
    place: dict[str, float] = field(default_factory=dict)
    assessment: Assessment | None = None
    progress: str = ""
    missing: tuple[str, ...] = ()


def follow(folder: Path) -> Standing:
    """
    Look at a campaign; nothing in its folder is changed.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Standing
        Counts always; error and pictures where the libraries for them are installed.

    Raises
    ------
    CampaignNotFoundError, CampaignError, IntegrityError
        If it cannot be opened.
    """
    stamp = _stamp(folder)
    with _drawing:
        known = _known.get(folder)
        if known is not None and known[0] == stamp:
            return known[1]
        campaign = Campaign.open(folder)
        standing = Standing(campaign, campaign.status())
        if campaign.history().known.any():
            standing.place = contour_place(campaign)
        _assess(standing)
        _known[folder] = (stamp, standing)
        return standing


def _stamp(folder: Path) -> Any:
    found = []
    for path in sorted(folder.glob("*.json*")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _assess(standing: Standing) -> None:
    campaign = standing.campaign
    if not standing.place:
        return
    try:
        standing.assessment = assess(campaign, left_out=False)
        standing.progress = to_svg(draw_progress(campaign, assessment=standing.assessment))
    except MissingExtraError as error:
        standing.missing = (f"No stated error and no pictures: {one_message(error)}",)
    except LimenError as error:
        standing.missing = (f"No stated error yet: {one_message(error)}",)


def slice_svg(standing: Standing, x: str, y: str, fixed: Mapping[str, float]) -> str:
    """
    Draw the contours of a slice, with their band and the points near it, as SVG.

    Parameters
    ----------
    standing : Standing
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
    folder = standing.campaign.folder
    asked = (folder, _stamp(folder), x, y, tuple(sorted(held.items())))
    with _drawing:
        if asked not in _pictures:
            if len(_pictures) >= _MOST:
                _pictures.pop(next(iter(_pictures)))
            _pictures[asked] = to_svg(draw_slice(standing.campaign, x, y, fixed=held))
        return _pictures[asked]
