"""Sections of a campaign's page, as HTML in which whatever came from outside is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from limen.active.assessments import Assessment, Foretold
from limen.active.gathering import ORIGINS
from limen.active.populations import parameter_text
from limen.active.problem import STATUSES
from limen.active.queries import PENDING

if TYPE_CHECKING:
    import pandas as pd

    from limen.active.campaign import Campaign

__all__ = ["escaped", "onwards", "pending", "percent", "points", "question", "stated_error"]

_LISTED = 20
_MOST_COLUMNS = 6
_LONGEST = 200


def escaped(value: Any) -> str:
    """Escape what came from outside; long texts are cut."""
    words = " ".join(str(value).split())
    return html.escape(words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write a table without the columns that are empty in every row."""
    kept = [i for i in range(len(head)) if any(str(row[i]) for row in rows)]
    top = "".join(f"<th>{escaped(head[i])}</th>" for i in kept)
    body = "".join(f"<tr>{''.join(f'<td>{escaped(r[i])}</td>' for i in kept)}</tr>" for r in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def percent(share: float) -> str:
    """
    Give a share in percent.

    Examples
    --------
    >>> percent(0.0123), percent(1.6e-9), percent(0.0)
    ('1.2 %', '< 0.01 %', '0 %')
    """
    return "< 0.01 %" if 0.0 < share < 1e-4 else f"{100 * share:.2g} %"


def question(campaign: Campaign) -> Iterator[str]:
    """Say what the campaign is asked: outputs, parameters, constraints, strategy."""
    document, space = campaign.document, campaign.problem.space
    strategy = document["strategy"]
    options = strategy.get("options") or {}
    told = f" with {json.dumps(options, sort_keys=True)}" if options else ""
    yield "<h2>What is asked</h2>"
    rows = []
    for output in campaign.problem.outputs:
        levels = ", ".join(f"{level:g}" for level in output.thresholds) or "none: the best value"
        unit = "" if output.unit == "1" else output.unit
        rows.append([output.name, output.label, levels, unit, output.scale])
    yield _table(["output", "label", "thresholds", "unit", "scale"], rows)
    rows = [[p.name, p.label, parameter_text(p)] for p in space.parameters]
    yield _table(["parameter", "label", "prior"], rows)
    if space.constraints:
        yield f"<p>Constraints: {escaped('; '.join(space.constraints))}</p>"
    parent = document.get("parent") or {}
    start = f"; started from {parent['id']} {parent['version']}" if parent.get("id") else ""
    warm = campaign.history().warm
    start += f"; {warm:,} rows known before the first round" if warm else ""
    yield (
        f"<p>Strategy {escaped(strategy['name'] + told)}; seed {campaign.seed}; "
        f"{100 * float(document['reserve']):g} % of each round reserved as a sample of the prior"
        f"{escaped(start)}; begun {escaped(document['created'])}.</p>"
    )


def points(table: pd.DataFrame) -> Iterator[str]:
    """Count the points by origin and status, and say why some failed."""
    rounds = int(table["round"].max()) if len(table) else 0
    yield f"<h2>Points: {len(table)} asked in {rounds} rounds</h2>"
    words = (*STATUSES, PENDING)
    rows = []
    for origin in (name for name in ORIGINS if (table["origin"] == name).any()):
        own = table[table["origin"] == origin]
        rows.append([origin, *((own["status"] == word).sum() for word in words), len(own)])
    rows.append(["all", *((table["status"] == word).sum() for word in words), len(table)])
    yield _table(["chosen", *words, "sum"], rows)
    if table["cost"].notna().any():
        yield f"<p>Cost told so far: {table['cost'].sum():g}.</p>"
    bad = table[table["status"].isin(["failed", "invalid"])]
    if len(bad):
        reasons = bad.groupby(["status", "message"], sort=False)["id"].agg(["size", "first"])
        reasons = reasons.sort_values("size", ascending=False, kind="stable")
        rows = [
            [status, message or "no reason told", number, first]
            for (status, message), (number, first) in zip(
                reasons.index, reasons.to_numpy(), strict=True
            )
        ]
        yield "<h3>What failed</h3>"
        yield _table(["status", "reason", "points", "for example"], rows[:_LISTED])
        if len(rows) > _LISTED:
            yield f"<p>and {len(rows) - _LISTED} reasons more</p>"


def stated_error(found: Assessment) -> Iterator[str]:
    """State the error of each label, and whether to believe it."""
    if not found.labels:
        return
    yield "<h2>Stated error</h2>"
    rows = [
        [
            f"{label.output} at {label.threshold:g}",
            percent(label.mass),
            _percents(label.changed) or "–",
            _share(label.accuracy, label.reserved.n),
            _seen(label.reserved),
            _seen(label.left_out),
        ]
        for label in found.labels
    ]
    head = [
        "label",
        "expected misclassified prior mass",
        "labels changed in the last rounds",
        "accuracy on reserved points [95 % interval]",
        "foretold and seen wrong: reserved points",
        "foretold and seen wrong: points left out",
    ]
    yield _table(head, rows)
    yield (
        f'<p class="small">The expected misclassified prior mass is the mean of the smaller of '
        f"P(below) and P(above) over {found.sample:,} points of the prior, or members of a pool: "
        "what the surrogate says of itself. The reserved points tell whether to believe it: "
        f"{html.escape(found.population)}, never learnt from. Points left out in turn were chosen "
        "to learn from, near the contour; they are no sample of the prior.</p>"
    )
    for note in found.notes:
        yield f'<p class="note">{html.escape(note)}</p>'


def _percents(shares: Iterable[float]) -> str:
    return ", ".join(map(percent, shares))


def _share(accuracy: tuple[float, tuple[float, float]], n: int) -> str:
    if not n:
        return "no reserved point yet"
    value, (low, high) = accuracy
    return f"{100 * value:.3g} % [{100 * low:.3g}, {100 * high:.3g}], {n} points"


def _seen(found: Foretold) -> str:
    if not found.n:
        return "–"
    return f"{percent(found.predicted)} and {percent(found.seen)} of {found.n}"


def pending(campaign: Campaign) -> Iterator[str]:
    """List the points that are asked and not told."""
    table = campaign.queries
    table = table[table["status"] == PENDING]
    if not len(table):
        return
    yield f"<h2>Pending: {len(table)} points</h2>"
    names = campaign.problem.space.names[:_MOST_COLUMNS]
    rows = [
        [row["id"], row["round"], *(f"{row[name]:.6g}" for name in names), row["task"] or ""]
        for _, row in table.head(_LISTED).iterrows()
    ]
    yield _table(["id", "round", *names, "task"], rows)
    if len(table) > _LISTED:
        yield f"<p>and {len(table) - _LISTED} more</p>"


def onwards(campaign: Campaign) -> Iterator[str]:
    """Say how to go on."""
    outputs = ",".join(output.name for output in campaign.problem.outputs)
    lines = [
        "# the next points, pending from now on",
        "limen campaign ask CAMPAIGN -n 10 -o batch.csv",
        f"# results.csv has the columns id,{outputs} and, where wanted, status,message",
        "limen campaign tell CAMPAIGN results.csv",
        "# or a loop that asks, evaluates and tells",
        'limen campaign run CAMPAIGN --command "prog {input} {output}" --budget N',
    ]
    if campaign.document.get("parent"):
        lines += ["# the next version of the bundle", "limen extend BUNDLE CAMPAIGN -o BUNDLE2"]
    else:
        lines += ["# a first bundle of these points", "limen extend CAMPAIGN -o BUNDLE"]
    yield "<h2>How to go on</h2>"
    yield f"<pre>{html.escape(chr(10).join(lines))}</pre>"
    yield '<p class="small">Points may be told in any order, in part, and twice.</p>'
