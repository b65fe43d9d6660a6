"""Bundles beside each other, and parts taken out of them."""

from limen.comparing.extracts import export, write_csv
from limen.comparing.hepdata import export_hepdata
from limen.comparing.selections import select
from limen.comparing.versions import diff

__all__ = ["diff", "export", "export_hepdata", "select", "write_csv"]
