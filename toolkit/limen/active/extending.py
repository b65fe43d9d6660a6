"""
The points of a campaign become the next version of its bundle.

The version is built in a folder beside its place and moved there when it is complete: scan,
queries, models and documents together, or nothing.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen import journal
from limen.active.assessing import assess
from limen.active.gathering import gather, told_rows
from limen.active.merging import Merged, merge
from limen.active.querying import write_queries
from limen.active.recording import campaign_record, note_population, note_sampling
from limen.active.referring import note_moved_best
from limen.active.starting import first_scan
from limen.bundle import Bundle, next_minor, open_bundle
from limen.errors import DataError, UsageError
from limen.packing import QUERIES, write_bundle

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["extend"]

_log = logging.getLogger(__name__)
_INNER = "bundle"


def extend(
    bundle: Bundle | str | Path | None,
    campaign: Campaign | str | Path,
    path: str | Path,
    *,
    version: str | None = None,
    retrain: bool = True,
    seed: int = 0,
    document: str | Path | None = None,
) -> Bundle:
    """
    Make the next version of a bundle, with the told points of a campaign as rows.

    Points that failed, are unphysical or of low fidelity stand in the table ``queries`` only;
    points that the scan has already are not repeated. Acquired points train, reserved ones test;
    none calibrates. Derived columns and labels are made anew.

    Parameters
    ----------
    bundle : Bundle, str, Path or None
        Without one, the campaign's points make a first bundle.
    campaign : Campaign, str or Path
    path : str or Path
        The new bundle's folder; nothing may be there.
    version : str, optional
        The next minor version by default.
    retrain : bool
        Train the parent's models again, by the settings of their cards. Else they stay with the
        parent: they were judged on other rows.
    seed : int
        Of what is drawn to verify and judge the campaign's surrogate.
    document : str or Path, optional
        Without a bundle: a scan document (its ``read`` is not used) that says what the columns
        mean.

    Returns
    -------
    Bundle
        A draft; notes on what was not done are in ``manifest["campaign"]["notes"]``.

    Raises
    ------
    UsageError
        If a campaign that was started from a bundle is given none.
    DataError
        If no point was told, or parameters and outputs are not columns of the scan.
    StorageError
        If the folder cannot be written; nothing is left behind.
    """
    parent = bundle if bundle is None or isinstance(bundle, Bundle) else open_bundle(bundle)
    if parent is not None and document is not None:
        raise UsageError("extend: found a scan document beside a bundle, allowed without one")
    opened = _opened(campaign)
    started = opened.document.get("parent") or {}
    if parent is None and started.get("id"):
        raise UsageError(
            f"extend: campaign {opened.id} was started from {started['id']} {started['version']}, "
            "whose rows its points go behind; name that bundle or a later version of it"
        )
    if not told_rows(opened.queries).any():
        raise DataError(
            f"extend: campaign {opened.id} has no evaluated point, allowed one or more; tell its "
            "results first"
        )
    if parent is None:
        merged = first_scan(opened, Path(path).name, document, version)
    else:
        merged = _merged(parent, opened, version)
    with journal.new_folder(Path(path)) as folder:
        made = _write(folder / _INNER, merged, parent, opened)
        _add_models(made, merged, parent, opened, retrain=retrain, seed=seed)
        for file in sorted((folder / _INNER).iterdir()):
            os.rename(file, folder / file.name)
        (folder / _INNER).rmdir()
    return open_bundle(path)


def _opened(campaign: Campaign | str | Path) -> Campaign:
    if isinstance(campaign, str | Path):
        from limen.active.campaign import Campaign as Opened

        return Opened.open(campaign)
    return campaign


def _merged(parent: Bundle, campaign: Campaign, version: str | None) -> Merged:
    """Put the campaign's rows behind the parent's, and say so in the document."""
    from limen.training.rows import population_text

    rows = gather(campaign, {name: c.to_dict() for name, c in parent.columns.items()})
    merged = merge(parent, rows, campaign.id)
    document = merged.document
    document["parent"] = parent.as_parent()
    document["version"] = version or next_minor(parent.manifest["version"])
    table = document["tables"][0]
    note_sampling(table, campaign, merged.rows)
    population = population_text(parent)
    note_population(table, campaign, merged.rows, population, column=merged.origin)
    return merged


def _write(path: Path, merged: Merged, parent: Bundle | None, campaign: Campaign) -> Bundle:
    """Write scan, queries and the campaign's record as a draft."""
    attached: list[Path] = []
    if parent is not None:
        files = parent.manifest["files"]
        attached = [parent.verified(n) for n, e in files.items() if e["role"] == "attachment"]
    bundle = write_bundle(merged.document, merged.dtypes, merged.blocks, path, attached)
    columns = {name: column.to_dict() for name, column in bundle.columns.items()}
    record = campaign_record(campaign, merged.rows, assess(campaign))
    with bundle.edit() as change:
        table = write_queries(
            change.folder / QUERIES, campaign, columns, _scan_rows(merged, campaign), parent
        )
        change.roles[QUERIES] = "scan"
        change.manifest["tables"].append(table)
        change.manifest["campaign"] = record
        if parent is not None:
            note_moved_best(change.manifest, parent, bundle)
    return bundle


def _scan_rows(merged: Merged, campaign: Campaign) -> NDArray[np.int64]:
    """Give for each query its row of the scan; -1 if it has none."""
    place = np.full(len(campaign.queries), -1, dtype=np.int64)
    for query, row in merged.found.items():
        place[query] = row
    place[merged.rows.query] = merged.before + np.arange(len(merged.rows))
    return place


def _add_models(
    bundle: Bundle,
    merged: Merged,
    parent: Bundle | None,
    campaign: Campaign,
    *,
    retrain: bool,
    seed: int,
) -> None:
    """Train the parent's models again and publish the campaign's surrogate."""
    from limen.active.publishing import publish_surrogates
    from limen.active.retraining import retrain_models

    notes: list[str] = []
    if parent is not None and retrain:
        notes += retrain_models(parent, bundle)
    elif parent is not None and parent.models:
        named = ", ".join(parent.models)
        notes.append(f"not trained again, as was asked: {named}; they stay with the parent")
    names, more = publish_surrogates(bundle, campaign, seed=seed)
    for note in (*notes, *more):
        _log.warning("%s", note)
    with bundle.edit() as change:
        record: dict[str, Any] = change.manifest["campaign"]
        record["surrogates"] = names
        record["notes"] = [*notes, *more]
