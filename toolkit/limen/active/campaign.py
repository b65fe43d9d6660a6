"""
A campaign: points are asked, evaluated by whoever can, and told.

It lives in a folder: ``campaign.json`` says what is sought and never changes, ``queries.jsonl`` is
the log of asked and told points and only grows, ``warm.npz`` holds what was known before,
``state.json`` is a summary for readers (:mod:`limen.active.logbook`). A told result is on the disk
before :meth:`Campaign.tell` returns, an asked point before :meth:`Campaign.ask` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.active import definitions
from limen.active import warm as known
from limen.active.asking import next_event, seen_problem, set_aside
from limen.active.founding import DOCUMENT, WARM, found, read_known
from limen.active.logbook import Logbook
from limen.active.noticing import contradictions, uncrossed
from limen.active.problem import History, Strategy
from limen.active.strategies import build
from limen.active.telling import Told, check_results, writable
from limen.errors import CampaignError, UsageError

if TYPE_CHECKING:
    import pandas as pd
    import xarray

    from limen.bundle import Bundle

__all__ = ["MOST_ASKED", "Campaign"]

_log = logging.getLogger(__name__)

MOST_ASKED = 100_000
"""Points of one ask."""

# With fewer known values nothing is strange about a threshold that none of them crosses.
_FEW = 4
# Reasons of failures that a status lists.
_REASONS = 20


class Campaign:
    """
    A campaign that exists.

    Made by :meth:`start`, :meth:`from_bundle` or :meth:`open`.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> campaign = Campaign.start(
    ...     folder, space={"m": (0.0, 1.0)}, outputs={"y": {"threshold": 0.5}}, strategy="sobol"
    ... )
    >>> batch = campaign.ask(4)
    >>> campaign.tell(batch["id"], {"y": batch["m"] ** 2}).faults
    ()
    >>> campaign.status()["counts"]["ok"]
    4
    """

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self.folder = folder
        self.document = document
        problem = definitions.problem_of(document)
        self._warm, self.problem, self.pool = known.load(
            folder / WARM, document.get("warm", {}).get("sha256"), problem
        )
        self._logbook = Logbook(folder, self.problem, self.id)
        self._queries = self._logbook.queries
        self._warned = 0

    @classmethod
    def start(
        cls,
        folder: str | Path,
        *,
        space: Mapping[str, Any],
        outputs: Mapping[str, Any],
        constraints: Sequence[str] = (),
        strategy: str | Mapping[str, Any] = "level-set",
        seed: int = 0,
        reserve: float = 0.05,
        warm: Any = None,
        approximation: Any = None,
        pool: Any = None,
    ) -> Campaign:
        """
        Start a campaign in a new folder.

        Parameters
        ----------
        folder : str or Path
        space : mapping
            As :meth:`limen.active.Space.from_mapping` reads it: ``{"m": (0.0, 1.0), ...}``.
        outputs : mapping
            As :func:`limen.active.outputs_from_mapping` reads them: ``{"y": {"threshold": 0.0}}``.
        constraints : sequence of str
            Conditions among the parameters, such as ``m_n1 < m_n2``.
        strategy : str or mapping
            A name, or ``{"name": ..., "options": {...}}``.
        seed : int
            Of every random choice.
        reserve : float
            Share of the asked points that is a sample of the prior, set aside before each round to
            judge the contours; 0 for none.
        warm, approximation : mapping or pandas.DataFrame, optional
            Points that are known, by parameter and output: of the real thing, and of a cheap
            approximation of it.
        pool : mapping or pandas.DataFrame, optional
            The only points that can be evaluated, by parameter.

        Returns
        -------
        Campaign

        Raises
        ------
        DataError, UsageError
            With all faults of space and outputs; for options that the strategy does not have.
        StorageError
            If there is something in the folder already.
        """
        document = definitions.new_document(
            space, outputs, constraints, strategy, seed=seed, reserve=reserve
        )
        problem = definitions.problem_of(document)
        given = [(warm, 0, "warm"), (approximation, 1, "approximation")]
        parts = [read_known(t, problem, f, where) for t, f, where in given if t is not None]
        found(Path(folder), document, problem, parts, pool)
        return cls.open(folder)

    @classmethod
    def from_bundle(
        cls,
        folder: str | Path,
        bundle: Bundle | str | Path,
        outputs: Mapping[str, Any] | Sequence[str],
        *,
        space: Mapping[str, Any] | None = None,
        constraints: Sequence[str] = (),
        strategy: str | Mapping[str, Any] = "level-set",
        seed: int = 0,
        reserve: float = 0.05,
        approximation: Mapping[str, str] | None = None,
        pool: Any = None,
    ) -> Campaign:
        """
        Start a campaign whose first knowledge is the scan of a bundle.

        Parameters
        ----------
        folder : str or Path
        bundle : Bundle, str or Path
        outputs : mapping or sequence of str
            Columns of the scan; without thresholds those of the labels defined on them.
        space : mapping, optional
            Narrower ranges, other priors or scales of some parameters; by default the declared
            range of each parameter that is not constant.
        constraints, strategy, seed, reserve, pool
            As for :meth:`start`.
        approximation : mapping of str to str, optional
            For each output the column that approximates it: its rows are the cheap source, and the
            output's own values, where there are any, the real thing.

        Returns
        -------
        Campaign

        Raises
        ------
        ColumnError, DataError, UsageError, StorageError
        """
        from limen.bundle import Bundle as Opened
        from limen.bundle import open_bundle

        parent = bundle if isinstance(bundle, Opened) else open_bundle(bundle)
        document = definitions.document_of_bundle(
            parent, outputs, space, constraints, strategy, seed=seed, reserve=reserve
        )
        problem = definitions.problem_of(document)
        parts = [known.scan_rows(parent, problem)]
        if approximation is not None:
            definitions.check_approximation(parent, problem, approximation)
            parts.append(known.scan_rows(parent, problem, approximation))
        found(Path(folder), document, problem, parts, pool)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Campaign:
        """
        Open a campaign.

        Raises
        ------
        CampaignNotFoundError
            If there is no campaign in the folder.
        CampaignError
            If it is of a format that this version cannot read.
        IntegrityError
            If its files were changed by another program.
        """
        path = Path(folder)
        campaign = cls(path, definitions.read_document(path / DOCUMENT))
        campaign.refresh()
        return campaign

    def __repr__(self) -> str:
        return f"<Campaign {self.id} in {self.folder}: {len(self._queries)} points asked>"

    @property
    def id(self) -> str:
        """Id of the campaign; the ids of its points begin with it."""
        return str(self.document["id"])

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return int(self.document["seed"])

    @cached_property
    def strategy(self) -> Strategy:
        """The strategy that chooses points."""
        told = self.document["strategy"]
        return build(told["name"], seen_problem(self), told["options"])

    @cached_property
    def set_aside(self) -> np.ndarray[Any, Any]:
        """Members of the pool that are reserved, unit coordinates of shape (n, d)."""
        return set_aside(self)

    @property
    def memory(self) -> Mapping[str, Any]:
        """What the strategy remembers of the last ask."""
        return self._queries.memory

    def refresh(self) -> None:
        """Take in what other processes asked and told since."""
        self._logbook.refresh()

    @property
    def queries(self) -> pd.DataFrame:
        """All asked points with what became of them; numbers that are not there are NaN."""
        self.refresh()
        return self._queries.table()

    @property
    def pending(self) -> pd.DataFrame:
        """Points asked and not yet told: id, parameters, task."""
        self.refresh()
        return self._queries.frame(self._queries.pending(), task=True)

    @property
    def failed(self) -> pd.DataFrame:
        """Points whose evaluation failed: id, parameters. They may be told again."""
        self.refresh()
        return self._queries.frame(self._queries.failed())

    def history(self, rounds: int | None = None) -> History:
        """
        What is known, as strategies see it.

        Parameters
        ----------
        rounds : int, optional
            What would be known by now if only the points of the first rounds had been asked.

        Returns
        -------
        History
            Warm rows, then told points in the order of asking, whenever they were told.
        """
        self.refresh()
        return self._queries.history(self._warm, rounds)

    def ask(self, n: int = 1) -> pd.DataFrame:
        """
        Choose the next points; they are pending from now on.

        Parameters
        ----------
        n : int

        Returns
        -------
        pandas.DataFrame
            ``id`` and the parameters in their units; fewer rows than ``n`` if the pool, grid or
            discrete space has no more.

        Raises
        ------
        CampaignError
            If no point is left.
        StorageError
            If they cannot be written; then nothing was asked.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 0 < n <= MOST_ASKED:
            raise UsageError(f"ask: found {n!r}, allowed 1 to {MOST_ASKED} points")
        with self._logbook.alone():
            history = self._queries.history(self._warm)
            before = sum(q.origin == "reserved" for q in self._queries.by_id.values())
            event = next_event(
                self, history, int(n), number=self._queries.asks + 1, reserved=before
            )
            self._logbook.record(event)
        asked = [self._queries.by_id[point["id"]] for point in event["points"]]
        self._warn(history)
        return self._queries.frame(asked)

    def _warn(self, history: History) -> None:
        """Say what looks wrong; again when twice as much is known, not at every ask of a run."""
        known = int(history.known.sum())
        if known >= max(2 * self._warned, _FEW):
            self._warned = known
            for note in uncrossed(history, self.problem):
                _log.warning("%s", note)

    def tell(
        self,
        ids: Iterable[Any],
        values: Any = None,
        *,
        status: str | Sequence[str] = "ok",
        y_err: Any = None,
        message: str | Sequence[str] = "",
        cost: float | Sequence[float] | None = None,
        strict: bool = True,
    ) -> Told:
        """
        Record results: in any order, in parts, and again if you like.

        Parameters
        ----------
        ids : iterable of str, n
        values : mapping, pandas.DataFrame, or array of shape (n,) for a single output
            By output: one value per id, in the output's unit; for a censored point its bound. Not
            needed of failed and invalid points. Parameters may stand beside; they are compared
            with what was asked.
        status : str or sequence of str
            ``ok``, ``failed`` (the evaluation broke), ``invalid`` (the point is unphysical) or
            ``censored`` (no sensitivity), one or one per id.
        y_err : float, array or mapping of str to array, optional
            Standard errors in the outputs' units.
        message : str or sequence of str
            Reasons.
        cost : float or sequence of float, optional
        strict : bool
            With any fault record nothing and raise; else record the good results.

        Returns
        -------
        Told

        Raises
        ------
        CampaignError
            With all faults: unknown ids, ids given twice, no number, another point's parameters, a
            result that contradicts the one told before.
        StorageError
            If they cannot be written; then nothing was recorded.
        """
        with self._logbook.alone():
            results, told = check_results(
                self._queries, ids, values, status=status, y_err=y_err, message=message, cost=cost
            )
            if told.faults and strict:
                raise CampaignError.from_faults("tell", told.faults)
            if results:
                event = {"event": "tell", "at": definitions.now(), "results": results}
                self._logbook.record(event)
        return told

    def check(self, ids: Iterable[Any], values: Any = None, **told: Any) -> Told:
        """Say what :meth:`tell` would make of results, and record none."""
        self.refresh()
        return check_results(self._queries, ids, values, **told)[1]

    def submitted(self, ids: Iterable[Any], task: str) -> None:
        """
        Note that a production system has points: whoever evaluates next leaves them alone.

        Parameters
        ----------
        ids : iterable of str
        task : str
            Id of the task there; empty to take the mark away.

        Raises
        ------
        CampaignError
            If an id was not asked.
        """
        named = [ids] if isinstance(ids, str) else [str(name) for name in ids]
        with self._logbook.alone():
            unknown = [name for name in named if name not in self._queries.by_id]
            if unknown:
                raise CampaignError.from_faults(
                    "submitted", [(name, "unknown id; was it asked here?") for name in unknown]
                )
            event = {"event": "submitted", "at": definitions.now(), "ids": named}
            self._logbook.record(event | {"task": writable(str(task)[:300])})

    def predict(self, points: Any) -> xarray.Dataset:
        """
        What the surrogate believes at points.

        Parameters
        ----------
        points : mapping, pandas.DataFrame or xarray.Dataset
            By parameter, in its unit or with one, as for a bundle's predictor.

        Returns
        -------
        xarray.Dataset
            Along ``point``, for each output ``OUTPUT_mean`` and ``OUTPUT_std`` (in the unit, or of
            log10 where the scale is log) and, with thresholds, ``OUTPUT_below`` [1], the
            probability below each along ``OUTPUT_threshold``. NaN outside of the space.

        Raises
        ------
        CampaignError
            If nothing was told yet.
        ColumnError
            If parameters are missing or unknown.
        """
        from limen.active.estimates import estimates_dataset

        history = self.history()
        if not history.known.any():
            raise CampaignError(f"{self.folder}: no value is known yet, tell some results first")
        return estimates_dataset(self.problem, self.strategy, history, points, self.memory)

    def counts(self) -> dict[str, int]:
        """Give the numbers of asked points by status."""
        self.refresh()
        return self._queries.counts()

    def status(self) -> dict[str, Any]:
        """Give rounds, counts and notes as plain data."""
        history = self.history()
        return {
            "campaign": str(self.folder),
            "id": self.id,
            "strategy": self.strategy.name,
            "rounds": self._queries.asks,
            "asked": len(self._queries),
            "counts": self._queries.counts(),
            "warm": len(self._warm.points),
            "submitted": sum(bool(query.task) for query in self._queries.pending()),
            "failures": self._queries.failures(_REASONS),
            "notes": [*uncrossed(history, self.problem), *contradictions(history, self.problem)],
        }

    def run_lock(self) -> AbstractContextManager[None]:
        """
        Hold the right to evaluate pending points.

        Raises
        ------
        CampaignError
            If another run holds it.
        """
        return self._logbook.evaluating()
