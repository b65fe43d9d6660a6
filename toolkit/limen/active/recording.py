"""What the manifest says of a campaign: record, sampling, population; and a first scan document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.active.gathering import ORIGINS, Rows, origin_meanings
from limen.active.populations import asked_about_text, reserved_text
from limen.active.problem import STATUSES

if TYPE_CHECKING:
    from limen.active.assessments import Assessment
    from limen.active.campaign import Campaign

__all__ = ["campaign_record", "first_document", "note_population", "note_sampling"]

_LONGEST = 300


def campaign_record(campaign: Campaign, rows: Rows, assessment: Assessment) -> dict[str, Any]:
    """
    Give the manifest's record of a campaign; surrogates and notes are added by whoever knows them.

    Parameters
    ----------
    campaign : Campaign
    rows : Rows
        Rows that were added.
    assessment : Assessment

    Returns
    -------
    dict
    """
    from limen import __version__

    document = campaign.document
    table = campaign.queries
    status, origin = list(table["status"]), list(table["origin"])
    counts = {"asked": len(table), "rows": len(rows)}
    counts |= {name: status.count(name) for name in (*STATUSES, "pending")}
    counts |= {name: origin.count(name) for name in ORIGINS}
    record: dict[str, Any] = {
        "id": campaign.id,
        "created": document["created"],
        "seed": campaign.seed,
        "strategy": {
            "name": document["strategy"]["name"],
            "options": dict(document["strategy"].get("options", {})),
        },
        "space": campaign.problem.space.to_dict(),
        "outputs": {output.name: output.to_dict() for output in campaign.problem.outputs},
        "reserve": float(document["reserve"]),
        "rounds": assessment.rounds,
        "counts": counts,
        "software": {"limen": __version__} | dict(document.get("software", {})),
    }
    parent = document.get("parent") or {}
    if "manifest_sha256" in parent:
        kept = ("id", "version", "doi", "manifest_sha256")
        record["parent"] = {key: parent[key] for key in kept if parent.get(key)}
    if assessment.labels:
        record["assessment"] = assessment.to_dict()
    plain: dict[str, Any] = json.loads(json.dumps(record, default=float))
    return plain


def note_sampling(table: dict[str, Any], campaign: Campaign, rows: Rows) -> None:
    """Add to a table's entry, in place, how the campaign's rows were drawn."""
    from limen import __version__

    strategy = campaign.document["strategy"]["name"]
    prior = asked_about_text(campaign.problem)
    for origin, meaning in origin_meanings(campaign.id).items():
        number = int(np.count_nonzero(rows.origin == origin))
        if not number:
            continue
        entry: dict[str, Any] = {
            "name": meaning,
            "sampler": f"Limen campaign, strategy {strategy}",
            "version": __version__,
            "settings": {"seed": campaign.seed},
        }
        if origin == "acquired":
            entry["selection"] = "chosen by the acquisition to teach most; no sample of a density"
        else:
            entry["prior"] = prior
        table.setdefault("sampling", []).append(entry | {"rows": number})


def note_population(
    table: dict[str, Any], campaign: Campaign, rows: Rows, before: str, *, column: str
) -> None:
    """
    Say in a table's entry, in place, which rows calibration and test may come from.

    Parameters
    ----------
    table : dict
    campaign : Campaign
    rows : Rows
    before : str
        The population of the rows so far; empty if there are none.
    column : str
        The column of role origin.
    """
    split = table.setdefault("split", {})
    categories = next(c for c in table["columns"] if c["name"] == column)["categories"]
    meanings = origin_meanings(campaign.id)
    codes = {text: int(code) for code, text in categories.items()}
    old = split.get("population", {}).get("codes")
    if old is None:
        mine = set(meanings.values())
        old = [code for text, code in codes.items() if text not in mine] if before else []
    number = int(np.count_nonzero(rows.origin == "reserved"))
    texts = [before] if before else []
    if number or not before:
        texts.append(reserved_text(campaign.id, campaign.problem, number))
    split["population"] = {
        "text": "; and ".join(texts),
        "column": column,
        "codes": sorted({*old, codes[meanings["reserved"]]}),
    }


def first_document(campaign: Campaign, name: str) -> dict[str, Any]:
    """
    Describe a first scan that holds nothing but a campaign's points.

    Every threshold becomes a label of quantity ``category``: what it means in statistics is not
    known here.

    Parameters
    ----------
    campaign : Campaign
    name : str
        Made into the id of the bundle.

    Returns
    -------
    dict
        A scan document without ``read``.
    """
    space = campaign.problem.space
    columns: list[dict[str, Any]] = []
    for item in space.parameters:
        column = {"name": item.name, "role": "parameter", "unit": item.unit, "scale": item.scale}
        words = {key: getattr(item, key)[:_LONGEST] for key in ("symbol", "label", "description")}
        columns.append(column | {key: text for key, text in words.items() if text})
        columns[-1]["range"] = [item.low, item.high]
    for output in campaign.problem.outputs:
        column = {"name": output.name, "role": "observable", "unit": output.unit}
        words = {key: getattr(output, key)[:_LONGEST] for key in ("symbol", "label")}
        columns.append(column | {key: text for key, text in words.items() if text})
        for number, threshold in enumerate(output.thresholds):
            suffix = f"_{number + 1}" if len(output.thresholds) > 1 else ""
            columns.append(_label(f"{output.name}_below{suffix}", output.name, threshold))
    slug = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "campaign"
    outputs = ", ".join(output.name for output in campaign.problem.outputs)
    return {
        "id": slug[:64],
        "version": "0.1.0",
        "title": f"{outputs} over {', '.join(space.names)}"[:_LONGEST],
        "tables": [{"name": "scan", "columns": columns}],
    }


def _label(name: str, output: str, threshold: float) -> dict[str, Any]:
    return {
        "name": name[:64],
        "role": "label",
        "quantity": "category",
        "unit": "1",
        "categories": {"0": f"not below {threshold:g}", "1": f"below {threshold:g}"},
        "statistics": {"construction": "none"},
        "definition": {
            "text": f"{output} is below {threshold:g}",
            "column": output,
            "comparison": "<",
            "threshold": threshold,
        },
    }
