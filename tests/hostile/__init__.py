"""Hostile bundles, one per rule: each valid but for one thing, and made anew by a function."""

from hostile.documents import MANIFESTS, PROBES
from hostile.editing import Case
from hostile.files import FILES, NAMES
from hostile.models import MODELS
from hostile.scans import LAYOUTS, ZIPS

__all__ = ["CASES", "Case"]

CASES = (*NAMES, *FILES, *ZIPS, *LAYOUTS, *MANIFESTS, *PROBES, *MODELS)
