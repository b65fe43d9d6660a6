"""From a scan document and its files to a bundle."""

from limen.packing.writing import make_bundle, pack, write_bundle

__all__ = ["make_bundle", "pack", "write_bundle"]
