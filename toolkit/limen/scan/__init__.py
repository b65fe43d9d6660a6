"""
The scan of a bundle: ``scan.zarr.zip``, one Zarr array per column along the dimension ``point``.

Written once, front to back, in bounded memory; read by column and by range of rows.
"""

from limen.scan.auditing import audit_scan
from limen.scan.layout import ALLOWED_DTYPES
from limen.scan.reader import Scan, open_scan
from limen.scan.writer import ScanColumn, ScanFile, write_scan

__all__ = [
    "ALLOWED_DTYPES",
    "Scan",
    "ScanColumn",
    "ScanFile",
    "audit_scan",
    "open_scan",
    "write_scan",
]
