"""HEPData submissions and tables: read as columns, and what is remembered for the way back."""

from limen.readers.hepdata.opening import is_hepdata, open_hepdata
from limen.readers.hepdata.values import Notes

__all__ = ["Notes", "is_hepdata", "open_hepdata"]
