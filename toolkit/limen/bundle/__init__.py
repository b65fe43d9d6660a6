"""
A bundle: a folder with a manifest, a scan and the models trained on it.

Opening reads the manifest only. A draft is edited through the journal; a frozen bundle never
changes.
"""

from limen.bundle.changes import SCAN, Edit, complete, file_entry
from limen.bundle.opening import Bundle, next_minor, open_bundle

__all__ = ["SCAN", "Bundle", "Edit", "complete", "file_entry", "next_minor", "open_bundle"]
