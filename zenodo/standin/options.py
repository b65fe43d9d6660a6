"""Switches of the stand-in archive."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(slots=True)
class Options:
    """
    How the archive behaves.

    Parameters
    ----------
    added_latency : float
        Wait before each answer [s].
    ranges : bool
        Whether ranges of files are served.
    etag : bool
        Whether files carry ``ETag`` and ``Content-MD5``.
    gzip : bool
        Whether text files are compressed for those who accept it.
    chunked : bool
        Whether files come in chunks, without their length.
    doi_prefix : str
        ``10.5281``, or ``10.5072`` for a sandbox.
    zenodo : bool
        Whether plain JSON has the Zenodo shape; else it has the RDM shape, as elsewhere.
    base : str
        Address in links, if other than that of the server.
    guest_page, member_page : int
        Largest page of a search, without and with a token.
    window : int
        Largest ``page * size`` of a search.
    max_files : int
        Files per record.
    quota : float
        Largest record [byte].
    max_body : float
        Largest body other than a file [byte].
    archive_limit : float
        Largest record that is served as one zip [byte].
    publish_delay : float
        How long a published record stays invisible [s].
    one_open_draft : bool
        Whether a second new version gives the draft that is already open.
    empty_files : bool
        Whether files without bytes are accepted.
    """

    added_latency: float = 0.0
    ranges: bool = True
    etag: bool = True
    gzip: bool = False
    chunked: bool = False
    doi_prefix: str = "10.5281"
    zenodo: bool = True
    base: str = ""
    guest_page: int = 25
    member_page: int = 100
    window: int = 10_000
    max_files: int = 100
    quota: float = 50e9
    max_body: float = 100e6
    archive_limit: float = 300e6
    publish_delay: float = 0.0
    one_open_draft: bool = True
    empty_files: bool = False
