"""From a scan document and its files to a bundle."""

from limen.packing.tables import QUERIES, write_table
from limen.packing.writing import make_bundle, pack, write_bundle

__all__ = ["QUERIES", "make_bundle", "pack", "write_bundle", "write_table"]
