"""Run a campaign: ask points, have them evaluated, tell, until it may stop."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from limen.active.evaluators import Evaluator, Job, Outcome, Program, PythonFunction, failure
from limen.active.executors import Executor, executor_of
from limen.active.interrupts import Interrupts
from limen.active.problem import STATUSES
from limen.errors import CampaignError, UsageError

if TYPE_CHECKING:
    from limen.active.campaign import Campaign
    from limen.active.stopping import Rule

__all__ = ["Ran", "run"]

_log = logging.getLogger(__name__)

_EVERY = 2.0
# Failures in a row that say something about the evaluator, not about its points.
_FEWEST = 5
_FAILED = STATUSES[1]
Progress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """
    What a run did.

    Attributes
    ----------
    reason : str
        Why it stopped.
    evaluated : int
        Points told by this run.
    counts : dict of str to int
        Points of the campaign, by status.
    asked : int
        Points of the campaign.
    """

    reason: str
    evaluated: int
    counts: dict[str, int]
    asked: int


def run(
    campaign: Campaign,
    evaluator: Evaluator | Callable[..., Any] | str,
    *,
    executor: Any = "sequential",
    workers: int | None = None,
    address: str | None = None,
    batch: int = 10,
    budget: int | None = None,
    max_pending: int | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    stop: Rule | None = None,
    progress: Progress | None = None,
) -> Ran:
    """
    Evaluate what is pending, then ask and tell until the campaign may stop.

    Points that were submitted elsewhere are left alone. With the executor ``sequential`` points are
    asked in batches, each when the one before was told: a run that was killed and started again
    asks bit for bit the points of one that was not. With others, points are asked as workers become
    free. Every result is told at once. If all points of the first batch fail, the run stops; the
    next one begins with them.

    Parameters
    ----------
    campaign : Campaign
    evaluator : Evaluator, callable or str
        A function, or where it is found, is taken for
        :class:`~limen.active.evaluators.PythonFunction`.
    executor : str or distributed.Client
        ``sequential`` (in this process), ``processes``, ``dask``.
    workers : int, optional
        Points that are evaluated at the same time.
    address : str, optional
        Of a Dask scheduler; by default Dask starts workers on this machine.
    batch : int
        Points of one ask, at most.
    budget : int, optional
        Stop when the campaign has asked so many points, failed ones included.
    max_pending : int, optional
        Points that may wait or be evaluated, where points are asked as workers become free; by
        default as many as there are workers. With more, points are asked ahead, in batches.
    timeout : float, optional
        Longest time of one evaluation [s]; by default that of the evaluator, if it has one.
    retries : int, optional
        How often a failed evaluation is tried again; by default what the evaluator says, or 0.
    stop : callable, optional
        A rule of :mod:`limen.active.stopping`.
    progress : callable, optional
        Called after each result with counts, as plain data.

    Returns
    -------
    Ran

    Raises
    ------
    UsageError
        Without budget and rule, and for options and evaluators that do not fit.
    CampaignError
        If another run evaluates the points of this campaign.
    StorageError
        If the disk is full; results so far are told, other points stay pending.
    KeyboardInterrupt
        On SIGINT and SIGTERM: evaluations in flight were ended, their points stay pending.

    Examples
    --------
    >>> import tempfile
    >>> from limen.active import Campaign
    >>> campaign = Campaign.start(
    ...     tempfile.mkdtemp(), space={"m": (0.0, 1.0)}, outputs={"y": {}}, strategy="sobol"
    ... )
    >>> run(campaign, lambda m: m**2, budget=8).reason
    '8 points asked of a budget of 8'
    """
    if budget is None and stop is None:
        raise UsageError(
            "run: found neither budget nor rule, allowed one or both; when is it done?"
        )
    for name, number in (("batch", batch), ("budget", budget), ("max_pending", max_pending)):
        if number is not None and (isinstance(number, bool) or number < 1):
            raise UsageError(f"{name}: found {number!r}, allowed 1 or more")
    if retries is not None and not 0 <= retries <= 100:
        raise UsageError(f"retries: found {retries!r}, allowed 0 to 100")
    made = PythonFunction(evaluator) if isinstance(evaluator, str) else evaluator
    if not hasattr(made, "check"):
        made = PythonFunction(made)
    outputs = tuple(output.name for output in campaign.problem.outputs)
    if isinstance(made, Program):
        # It ends in time by itself, with all that it started.
        made = made.kept_in(campaign.folder / "points", outputs, timeout)
        timeout, retries = None, made.retries if retries is None else retries
    made.check(campaign.problem)
    job = Job(made, outputs)
    interrupts = Interrupts()
    with campaign.run_lock(), interrupts.caught():
        pool = executor_of(executor, job, workers=workers, timeout=timeout, address=address)
        going = _Going(campaign, pool, interrupts, retries or 0, progress)
        try:
            return going.until_done(batch, budget, max_pending, stop)
        finally:
            pool.close()


class _Going:
    """A run while it goes on: what waits, what is being evaluated."""

    def __init__(
        self,
        campaign: Campaign,
        pool: Executor,
        interrupts: Interrupts,
        retries: int,
        progress: Progress | None,
    ) -> None:
        self.campaign, self.pool, self.interrupts = campaign, pool, interrupts
        self.retries, self.progress = retries, progress
        self.evaluated = 0
        self._points: dict[str, dict[str, float]] = {}
        self._waiting: deque[str] = deque()
        self._tried: dict[str, int] = {}
        self._dry = False
        self._said = time.monotonic()
        self._succeeded = self._any_succeeded()

    def until_done(
        self, batch: int, budget: int | None, most: int | None, stop: Rule | None
    ) -> Ran:
        """Go on until budget, rule or space end it."""
        pending = self.campaign.pending
        self._take(pending[pending["task"] == ""].drop(columns="task"))
        if not self._succeeded:
            # Whatever kept all of them from succeeding may have been mended.
            self._take(self.campaign.failed)
        reason, fresh = "", batch
        while True:
            while self._waiting and len(self._tried) < self.pool.slots():
                self._submit(self._waiting.popleft())
            room = self._room(batch, most)
            if not reason and self._hopeless(batch):
                reason = self._why_hopeless()
            if not reason and room:
                # A rule costs as much as an ask: it speaks once per batch.
                if stop is not None and fresh >= batch:
                    reason, fresh = stop(self.campaign) or "", 0
                reason = reason or self._ask(room, budget)
                if not reason or self._waiting:
                    continue
            if not self._points:
                break
            told = self.evaluated
            for name, outcome in self.pool.completed():
                self._finish(name, outcome)
            fresh += self.evaluated - told
            self._dry = False
        self._say(reason)
        status = self.campaign.status()
        return Ran(reason, self.evaluated, status["counts"], status["asked"])

    def _room(self, batch: int, most: int | None) -> int:
        """Say how many points may be asked now."""
        if self._dry or not self.pool.parallel:
            return 0 if self._points else batch
        slots = self.pool.slots()
        room = min(batch, (most or slots) - len(self._points))
        # Asked ahead, points come in batches: to choose one costs as much as to choose many.
        least = min(batch, max((most or slots) - slots, 1))
        return room if room >= least else 0

    def _any_succeeded(self) -> bool:
        counts = self.campaign.counts()
        return any(counts[status] for status in STATUSES if status != _FAILED)

    def _hopeless(self, batch: int) -> bool:
        """Say whether a whole batch failed before any point ever did not."""
        if self._succeeded or self.evaluated < max(batch, _FEWEST):
            return False
        self._succeeded = self._any_succeeded()
        return not self._succeeded

    def _why_hopeless(self) -> str:
        while self._waiting:
            del self._points[self._waiting.popleft()]
        reasons = self.campaign.status()["failures"]
        often, times = next(iter(reasons.items()))
        return (
            f"all {sum(reasons.values())} points failed, {times} of them with: {often}; mend the "
            "evaluator and run again: these points are evaluated first"
        )

    def _ask(self, number: int, budget: int | None) -> str:
        """Ask points; say why not, if it is over."""
        if budget is not None:
            asked = self.campaign.history().asked
            if asked >= budget:
                return f"{asked} points asked of a budget of {budget}"
            number = min(number, budget - asked)
        try:
            self._take(self.campaign.ask(number))
        except CampaignError as error:
            if not self._points:
                return str(error)
            self._dry = True
        return ""

    def _take(self, frame: Any) -> None:
        for point in frame.to_dict("records"):
            name = point.pop("id")
            self._points[name] = point
            self._waiting.append(name)

    def _submit(self, name: str) -> None:
        self._tried[name] = self._tried.get(name, 0) + 1
        self.pool.submit(name, self._points[name])

    def _finish(self, name: str, outcome: Outcome) -> None:
        """Tell a result at once, or try again."""
        if outcome.status == _FAILED and self._tried[name] <= self.retries:
            _log.info("%s: %s; trying again", name, outcome.message)
            self._submit(name)
            return
        with self.interrupts.held():
            self._tell(name, outcome)
            del self._points[name], self._tried[name]
            self.evaluated += 1
        if self.progress is not None:
            self.progress(self.campaign.counts())
        if time.monotonic() - self._said > _EVERY:
            self._say()

    def _tell(self, name: str, outcome: Outcome) -> None:
        told = self._told(name, outcome)
        if told:
            again = replace(failure("; ".join(told)), cost=outcome.cost)
            if self._told(name, again):
                _log.warning("%s: %s", name, "; ".join(told))

    def _told(self, name: str, outcome: Outcome) -> list[str]:
        """Tell a result; give what speaks against it."""
        told = self.campaign.tell(
            [name],
            {key: [value] for key, value in outcome.values.items()},
            status=outcome.status,
            y_err={key: [value] for key, value in outcome.errors.items()},
            message=outcome.message,
            cost=outcome.cost,
            strict=False,
        )
        return [fault.message for fault in told.faults]

    def _say(self, reason: str = "") -> None:
        self._said = time.monotonic()
        counts = self.campaign.counts()
        told = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
        _log.info("%s: %s%s", self.campaign.folder, told, f"; stopped: {reason}" if reason else "")
