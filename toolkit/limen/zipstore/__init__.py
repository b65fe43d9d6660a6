"""
Stored zip files: written front to back, read by byte range.

The writer gives the same bytes for the same members. The reader takes any ``read(offset, length)``,
so that a local file and a remote one are read by the same code, and never more of them than asked.
"""

from limen.zipstore.directory import Member, PlannedRead, Read, check_headers, read_directory
from limen.zipstore.files import FileReader, file_reader
from limen.zipstore.store import open_store, range_store
from limen.zipstore.writer import ZipWriter

__all__ = [
    "FileReader",
    "Member",
    "PlannedRead",
    "Read",
    "ZipWriter",
    "check_headers",
    "file_reader",
    "open_store",
    "range_store",
    "read_directory",
]
