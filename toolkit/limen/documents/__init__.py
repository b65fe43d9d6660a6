"""The documents of a bundle that are made from its manifest, and its preview."""

from __future__ import annotations

from limen.documents.citation import bibtex, how_to_cite
from limen.documents.citation_file import citation_cff
from limen.documents.linked_data import croissant
from limen.documents.overview import readme
from limen.documents.sampling import preview_csv
from limen.documents.wording import campaign_text, metric_text

__all__ = [
    "bibtex",
    "campaign_text",
    "citation_cff",
    "croissant",
    "how_to_cite",
    "metric_text",
    "preview_csv",
    "readme",
]
