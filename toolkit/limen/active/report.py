"""
A page about a campaign: what was asked, what came back, how good it is, and how to go on.

One file of HTML that loads nothing: figures are drawn into it, and whatever came from outside is
escaped. The same campaign gives the same bytes.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import journal
from limen.active.assessing import assess, history_after
from limen.active.assessments import Assessment
from limen.active.canvas import to_svg
from limen.active.pictures import draw_slice, draw_slices
from limen.active.progress import draw_progress
from limen.active.sections import escaped, onwards, pending, percent, points, question, stated_error

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["contour_place", "report_html", "write_report"]

# More parameters than that make a picture that nobody reads.
_MOST_SHOWN = 4
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid #ddd; } th { font-weight: 600; }
td, p { overflow-wrap: anywhere; }
.wide { overflow-x: auto; } svg { max-width: 100%; height: auto; }
code, pre { font: 13px/1.5 ui-monospace, monospace; background: #f5f5f5; }
pre { padding: .7rem 1rem; overflow-x: auto; } .note { border-left: 3px solid #d55e00;
  padding-left: .8rem; } .small { color: #555; font-size: 13px; }
"""


def write_report(
    campaign: Campaign, path: str | Path, *, fixed: Mapping[str, float] | None = None
) -> Path:
    """
    Write the page of a campaign.

    Parameters
    ----------
    campaign : Campaign
    path : str or Path
        A file of this name is replaced.
    fixed : mapping of str to float, optional
        Where the slices lie, in the parameters' units; by default in the evaluated point that is
        nearest to a threshold (the best one where no contour is sought).

    Returns
    -------
    Path

    Raises
    ------
    ColumnError, UsageError
        If ``fixed`` is not a point of the space.
    MissingExtraError
        If matplotlib is not installed.
    StorageError
        If the file cannot be written.
    """
    page = report_html(campaign, fixed=fixed)
    with journal.new_file(Path(path)) as working:
        working.write_text(page, encoding="utf-8")
    return Path(path)


def report_html(campaign: Campaign, *, fixed: Mapping[str, float] | None = None) -> str:
    """
    Give the page of a campaign as text.

    Parameters
    ----------
    campaign, fixed
        As for :func:`write_report`.

    Returns
    -------
    str
    """
    found = assess(campaign)
    title = f"Campaign {escaped(campaign.id)}"
    parts = [
        f"<h1>{title}</h1>",
        *_lead(found),
        *question(campaign),
        *points(campaign.queries),
        *stated_error(found),
        *_progress(campaign, found),
        *_slices(campaign, fixed),
        *pending(campaign),
        *onwards(campaign),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _lead(found: Assessment) -> Iterator[str]:
    """Say in one sentence where the campaign stands."""
    counts = found.counts
    told = [f"{counts[name]} {name}" for name in counts if counts[name] or name == "ok"]
    yield f"<p>{found.asked} points asked: {', '.join(told)}.</p>"
    if found.labels:
        errors = [
            f"{x.output} at {x.threshold:g}: {percent(x.mass)}" for x in found.labels[:_MOST_SHOWN]
        ]
        more = " and more below" if len(found.labels) > _MOST_SHOWN else ""
        yield f"<p>Expected misclassified prior mass: {'; '.join(errors)}{more}.</p>"


def _figure(drawn: Any, what: str) -> str:
    """Take the drawing out of a file of SVG, which has a head that HTML has no place for."""
    svg = to_svg(drawn)
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{what}"', 1)


def _progress(campaign: Campaign, found: Assessment) -> Iterator[str]:
    if len(campaign.queries):
        yield "<h2>Progress</h2>"
        yield _figure(draw_progress(campaign, assessment=found), "progress by points asked")


def _slices(campaign: Campaign, fixed: Mapping[str, float] | None) -> Iterator[str]:
    space, history = campaign.problem.space, campaign.history()
    if space.d < 2 or not history.known.any():
        return
    place = contour_place(campaign) | dict(fixed or {})
    names = space.names
    if len(names) > _MOST_SHOWN:
        names = _lively(campaign)
    yield "<h2>Slices</h2>"
    if len(names) == 2:
        figure = draw_slice(campaign, names[0], names[1], fixed=place)
    else:
        figure = draw_slices(campaign, names=names, fixed=place)
    if len(names) < space.d:
        others = {name: value for name, value in place.items() if name not in names}
        listed = ", ".join(f"{name} = {value:.4g}" for name, value in others.items())
        yield (
            f"<p>The {len(names)} parameters that matter most to the surrogate here; "
            f"beside them {html.escape(listed)}.</p>"
        )
    yield _figure(figure, "contours in slices of the space")


def contour_place(campaign: Campaign) -> dict[str, float]:
    """
    Give the evaluated point nearest to a threshold; the best one where there is none.

    Parameters
    ----------
    campaign : Campaign
        With at least one value told.

    Returns
    -------
    dict of str to float
        By parameter, in its unit.
    """
    problem, history = campaign.problem, campaign.history()
    known = history.rows(history.known)
    output = problem.outputs[0]
    values = known.values[:, 0]
    gap = np.abs(values - output.levels[0]) if len(output.levels) else -values
    nearest = int(np.nanargmin(gap)) if np.isfinite(gap).any() else 0
    physical = problem.space.to_physical(known.points[[nearest]])[0]
    return dict(zip(problem.space.names, map(float, physical), strict=True))


def _lively(campaign: Campaign) -> list[str]:
    """Name the four parameters along which the estimate varies most through the place shown."""
    space = campaign.problem.space
    names = space.names
    centre = space.to_unit([[contour_place(campaign)[name] for name in names]])
    along = np.linspace(0.02, 0.98, 25)
    points = np.tile(centre, (space.d * len(along), 1))
    for i in range(space.d):
        points[i * len(along) : (i + 1) * len(along), i] = along
    found = campaign.strategy.estimate(history_after(campaign), space.snap(points), campaign.memory)
    spread = np.ptp(found.mean[:, 0].reshape(space.d, len(along)), axis=1)
    return [names[i] for i in sorted(np.argsort(-spread, kind="stable")[:_MOST_SHOWN])]
