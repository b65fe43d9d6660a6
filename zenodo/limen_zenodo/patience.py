"""How long to wait between attempts, and when to give up."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from limen_zenodo.errors import ZenodoError

__all__ = ["Patience", "Waits", "demanded_wait"]

_log = logging.getLogger("limen.zenodo")

_WORTH_SAYING = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How much waiting is accepted.

    Parameters
    ----------
    budget : float
        Longest total wait without progress [s].
    first : float
        Wait after the first failure [s]; doubled each time, at random between zero and this.
    longest : float
        Longest single wait that is not demanded by the server [s].
    """

    budget: float = 600.0
    first: float = 1.0
    longest: float = 60.0


class Waits:
    """
    The waits of one piece of work.

    Parameters
    ----------
    patience : Patience
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.attempts = 0
        self.waited = 0.0

    def progress(self) -> None:
        """Begin anew, since something arrived."""
        self.attempts, self.waited = 0, 0.0

    def wait(self, demanded: float | None, trouble: ZenodoError) -> None:
        """
        Wait before the next attempt.

        Parameters
        ----------
        demanded : float or None
            What the server asks for [s].
        trouble : ZenodoError
            Raised if the wait is longer than is accepted.
        """
        grown = min(self.patience.first * 2.0 ** min(self.attempts, 60), self.patience.longest)
        # Attempts at random moments keep many clients from coming back together. A server that
        # asks for no wait at all is not asked without end.
        delay = max(demanded or 0.0, grown * (0.5 + 0.5 * random.random()))
        if self.waited + delay > self.patience.budget:
            raise trouble
        if delay > _WORTH_SAYING:
            _log.warning("%s; next attempt in %.0f s", trouble, delay)
        time.sleep(delay)
        self.attempts += 1
        self.waited += delay


def demanded_wait(
    headers: Mapping[str, str], now: float | None = None, *, status: int = 429
) -> float | None:
    """
    Read from an answer how long it asks to wait.

    Parameters
    ----------
    headers : mapping
        Of an answer that refused the request.
    now : float, optional
        The time [s since 1970].
    status : int
        Of the answer.

    Returns
    -------
    float or None
        Seconds; None if it asks for nothing.

    Examples
    --------
    >>> demanded_wait({"Retry-After": "37"})
    37.0
    >>> demanded_wait({"X-RateLimit-Reset": "1010"}, now=1000.0)
    10.0
    >>> demanded_wait({"Retry-After": "37", "X-RateLimit-Remaining": "12"}, status=503) is None
    True
    """
    now = time.time() if now is None else now
    # Zenodo sends the other headers with every answer, also where requests are left.
    if status != 429 and headers.get("X-RateLimit-Remaining", "0").strip() != "0":
        return None
    after = headers.get("Retry-After", "").strip()
    if after.isdigit():
        return float(after)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - now)
        except ValueError:
            pass
    reset = headers.get("X-RateLimit-Reset", "").strip()
    # Far resets are clocks that disagree.
    return min(max(0.0, float(reset) - now), 3600.0) if reset.isdigit() else None
