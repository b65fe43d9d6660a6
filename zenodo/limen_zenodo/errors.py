"""
What can go wrong between here and an archive.

The tree::

    LimenError
      UsageError
        IdentifierError             no record id, DOI or address of a known archive
      ZenodoError                   an archive did not answer as needed; ``status``, ``url``
        NetworkError                nothing usable arrived (also ConnectionError)
          OfflineError              not in the cache, and offline
          RateLimitedError          too many requests, and the wait is longer than allowed
          ServiceUnavailableError   errors of the server, time-outs, broken connections
          IncompleteDownloadError   fewer bytes than the record says, after all attempts
          PublishUnknownError       whether a record was published cannot be told
        RecordNotFoundError         no such record, version or file (also LookupError)
          RecordWithdrawnError      the record was removed
        AccessError                 restricted, embargoed, or the token is refused
          ClientBlockedError        the server refuses this program (also PermissionError)
        DepositError                the archive does not accept what is deposited; ``faults``
        ChecksumError               bytes are not what record or manifest say (IntegrityError)
          RecordChangedError        the record itself was changed after it was pinned
        UnsafeNameError             a file name that could leave its folder (IntegrityError)

A token is in no message and no attribute.
"""

from __future__ import annotations

from collections.abc import Iterable

from limen.errors import IntegrityError, LimenError, UsageError

__all__ = [
    "AccessError",
    "ChecksumError",
    "ClientBlockedError",
    "DepositError",
    "IdentifierError",
    "IncompleteDownloadError",
    "NetworkError",
    "OfflineError",
    "PublishUnknownError",
    "RateLimitedError",
    "RecordChangedError",
    "RecordNotFoundError",
    "RecordWithdrawnError",
    "ServiceUnavailableError",
    "UnsafeNameError",
    "ZenodoError",
]


class IdentifierError(UsageError):
    """The text is no record id, DOI or address of a known archive."""


class ZenodoError(LimenError):
    """
    An archive did not answer as needed.

    Parameters
    ----------
    message : str
    faults : iterable of (str, str)
        All faults found.
    status : int or None
        Status of the answer; None if there was none.
    url : str
        What was asked for, without secrets.
    request_id : str
        By which the archive's support can find the request.
    """

    def __init__(
        self,
        message: str,
        faults: Iterable[tuple[str, str]] = (),
        *,
        status: int | None = None,
        url: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, faults)
        self.status = status
        self.url = url
        self.request_id = request_id


class NetworkError(ZenodoError, ConnectionError):
    """Nothing usable arrived."""


class OfflineError(NetworkError):
    """Not in the cache, and nothing may be fetched."""


class RateLimitedError(NetworkError):
    """Too many requests, and the wait that is asked for is longer than allowed."""


class ServiceUnavailableError(NetworkError):
    """Errors of the server, time-outs or broken connections, after all attempts."""


class IncompleteDownloadError(NetworkError):
    """Fewer bytes than the record says, after all attempts."""


class PublishUnknownError(NetworkError):
    """Whether a record was published cannot be told; it must not be tried again blindly."""


class RecordNotFoundError(ZenodoError, LookupError):
    """No such record, version or file."""


class RecordWithdrawnError(RecordNotFoundError):
    """The record was removed by its owner or the archive."""


class AccessError(ZenodoError, PermissionError):
    """Files are restricted or embargoed, or the token is refused."""


class ClientBlockedError(AccessError):
    """The server refuses this program, whatever it asks for."""


class DepositError(ZenodoError, ValueError):
    """The archive does not accept what is deposited."""


class ChecksumError(ZenodoError, IntegrityError):
    """Bytes are not what the record or the manifest says."""


class RecordChangedError(ChecksumError):
    """The record was changed after it was pinned; the bytes are what the server has now."""


class UnsafeNameError(ZenodoError, IntegrityError):
    """A file name that could leave its folder or hide another file."""
