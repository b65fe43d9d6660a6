"""Check a bundle: hashes, data against columns, models against their probes."""

from __future__ import annotations

from pathlib import Path

from limen import journal
from limen.bundle import Bundle, open_bundle
from limen.checking.checklist import judge_reuse
from limen.checking.data import check_data
from limen.checking.models import check_model
from limen.checking.report import Report
from limen.errors import LimenError, PartMissingError

__all__ = ["check"]


def check(bundle: Bundle | str | Path, *, deep: bool = False, complete: bool = False) -> Report:
    """
    Check a bundle.

    Always: the manifest against schema and rules (opening does that), every file's size and
    SHA-256, the scan's columns, types, masks and ranges against the manifest, every model against
    its probe. ``deep`` also recomputes derived columns and labels, the published metrics of every
    model and the benchmark points, and reads every chunk of the scan.

    Parameters
    ----------
    bundle : Bundle, str or Path
    deep : bool
    complete : bool
        Count parts that were not fetched as faults.

    Returns
    -------
    Report

    Raises
    ------
    BundleNotFoundError, FormatVersionError, SchemaError
        If the bundle cannot even be opened.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    report = Report(done=["manifest against schema 1.0 and its rules"])
    present = _check_files(opened, report, complete)
    for table in opened.manifest["tables"]:
        if table["file"] in present:
            check_data(opened, report, deep=deep, table=table)
    for card in opened.models.values():
        if {card.file, card.probe} <= present:
            usable = opened.table["file"] in present
            check_model(opened, card, report, deep=deep and usable)
    report.checklist = judge_reuse(opened, report)
    return report


def _check_files(bundle: Bundle, report: Report, complete: bool) -> set[str]:
    """Compare every file with the manifest and give the ones that are right."""
    listed = bundle.manifest["files"]
    good: set[str] = set()
    for name in listed:
        try:
            bundle.verified(name)
            good.add(name)
        except PartMissingError as error:
            report.not_fetched.append(name)
            if complete:
                report.corrupt(name, error.message)
        except LimenError as error:
            report.corrupt(name, error.message)
    for path in sorted(bundle.path.iterdir()):
        own = path.name in (journal.EDIT, journal.COMMIT) and not path.is_symlink()
        if path.name not in listed and path.name != journal.MANIFEST and not own:
            text = "this file is not in the manifest; remove it, or attach it: limen edit --attach"
            report.corrupt(path.name, text)
    report.done.append(f"size and SHA-256 of {len(good)} of {len(listed)} files")
    return good
