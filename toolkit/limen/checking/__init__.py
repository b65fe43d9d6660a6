"""Does a bundle hold what it says? Files, data, models, and the reuse checklist."""

from limen.checking.bundles import check
from limen.checking.checklist import CHECKLIST
from limen.checking.report import Report

__all__ = ["CHECKLIST", "Report", "check"]
