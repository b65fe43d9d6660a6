"""Read files of foreign formats as blocks of columns."""

from __future__ import annotations

from limen.readers.formats import FORMATS, Format, guess_format
from limen.readers.sources import FileSource, Source, open_source, read_columns, text_columns

__all__ = [
    "FORMATS",
    "FileSource",
    "Format",
    "Source",
    "guess_format",
    "open_source",
    "read_columns",
    "text_columns",
]
