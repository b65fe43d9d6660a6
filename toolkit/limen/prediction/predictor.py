"""The predictor: points in, verdicts out, never a number without a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import manifest
from limen.domain import Domain
from limen.errors import IntegrityError, ShapeError, UsageError
from limen.graph import Session, audit
from limen.manifest import Column, ModelCard
from limen.prediction.answers import CODE, Judge, describe
from limen.prediction.binding import bind
from limen.prediction.neighbours import Neighbours
from limen.prediction.points import Points, read_points
from limen.prediction.verdict import NUMBERS, Verdict, Verdicts

if TYPE_CHECKING:
    import xarray

    from limen.scan import Scan

__all__ = ["Predictor", "input_digest"]

Array = np.ndarray[Any, Any]


def input_digest(inputs: Sequence[Mapping[str, Any]]) -> str:
    """Give the SHA-256 of a model's input list: names and units in order."""
    text = "\n".join(f"{entry['column']} [{entry['unit']}]" for entry in inputs)
    return hashlib.sha256(text.encode()).hexdigest()


class Predictor:
    """
    A loaded model that answers with verdicts.

    Parameters
    ----------
    card : ModelCard
    path : Path
        The ONNX file; its hash has been compared already.
    document : dict
        The manifest the card is from.
    neighbours : callable, optional
        Opens the scan, for ``nearest``.

    Raises
    ------
    GraphError
        If the graph may not be run.
    IntegrityError
        If the graph is not the one the card describes.
    """

    def __init__(
        self,
        card: ModelCard,
        path: Path,
        document: Mapping[str, Any],
        neighbours: Callable[[], Scan] | None = None,
    ) -> None:
        self.card = card
        self.path = path
        self.columns: dict[str, Column] = manifest.columns(dict(document))
        self.inputs: tuple[Column, ...] = tuple(self.columns[e["column"]] for e in card.inputs)
        self.domain = Domain.from_card(card.domain)
        self._judge = Judge(card, self.columns)
        self.target = self._judge.target
        self.answering_label = self._judge.label
        self.attrs = describe(card, self.answering_label or self.target, document)
        self._neighbours = (
            None
            if neighbours is None
            else Neighbours(neighbours, self.inputs, self.target, self.domain)
        )
        audit(path, [column.name for column in self.inputs])
        self.session = Session(path, len(self.inputs))
        self._check_identity(document)
        self._choices = {
            position: np.array(sorted(int(code) for code in column.categories))
            for position, column in enumerate(self.inputs)
            if column.categories
        }

    def __repr__(self) -> str:
        return f"<Predictor {self.card.name}: {self.card.target} from {len(self.inputs)} inputs>"

    def _check_identity(self, document: Mapping[str, Any]) -> None:
        stored = self.session.metadata
        expected = {
            "limen.bundle": document["id"],
            "limen.model": self.card.name,
            "limen.inputs_sha256": input_digest(self.card.inputs),
        }
        for key, value in expected.items():
            if stored.get(key) != value:
                raise IntegrityError(
                    f"{self.card.file} metadata {key}: found {stored.get(key)!r}, allowed "
                    f"{value!r}; this graph does not belong to this model card"
                )

    def __call__(
        self,
        points: Any,
        *,
        nearest: int = 0,
        extrapolate: bool = False,
        ignore_extra: bool = False,
    ) -> xarray.Dataset:
        """
        Answer with an xarray Dataset; see :meth:`verdicts` for the parameters.

        Returns
        -------
        xarray.Dataset
            Dimension ``point`` in the order of the input; attributes name bundle, model,
            the meaning and population of the confidence, and what to cite.
        """
        answer = self.verdicts(
            points, nearest=nearest, extrapolate=extrapolate, ignore_extra=ignore_extra
        )
        return answer.to_dataset()

    def one(self, point: Mapping[str, Any], **options: Any) -> Verdict:
        """
        Answer for one point; xarray is not imported.

        Parameters
        ----------
        point : mapping of str to float, (float, unit) or {"value", "unit"}
        **options
            As in :meth:`verdicts`.

        Raises
        ------
        ShapeError
            If more than one point is given.
        """
        answer = self.verdicts(point, **options)
        if len(answer) != 1:
            raise ShapeError(f"point: found {len(answer)} points, allowed one; use verdicts()")
        return answer[0]

    def verdicts(
        self,
        points: Any,
        *,
        nearest: int = 0,
        extrapolate: bool = False,
        ignore_extra: bool = False,
        faults: Mapping[int, Sequence[str]] | None = None,
        uncovered: Mapping[int, Sequence[str]] | None = None,
    ) -> Verdicts:
        """
        Answer with plain arrays; xarray is not imported.

        Parameters
        ----------
        points : mapping, pandas.DataFrame or xarray.Dataset
            Columns by name; units as in ``{"M1": (values, "TeV")}`` or ``{"M1 [TeV]": values}``.
        nearest : int
            How many nearest rows of the scan to give with each point.
        extrapolate : bool
            Give, apart, the model's number for points outside the domain.
        ignore_extra : bool
            Let unknown columns pass.
        faults : mapping of int to sequence of str, optional
            By row, why a point is no valid input, where that is known already.
        uncovered : mapping of int to sequence of str, optional
            By row, why a valid point is outside of what the bundle covers, beyond its parameters.

        Returns
        -------
        Verdicts

        Raises
        ------
        ColumnError, ShapeError, UsageError
            If the points as a whole cannot be understood.
        """
        if nearest < 0:
            raise UsageError(f"nearest: found {nearest}, allowed 0 or more rows")
        if nearest and self._neighbours is None:
            raise UsageError("nearest: this predictor was loaded without a scan")
        read = read_points(points, self.inputs, self.columns, ignore_extra=ignore_extra)
        self._refuse_categories(read)
        for row, texts in (faults or {}).items():
            read.faults[row], read.X[row] = list(texts), np.nan
        verdict, numbers, reasons, extrapolated = self._judge_rows(read)
        for row, texts in (uncovered or {}).items():
            if row not in read.faults:
                verdict[row], reasons[row] = CODE["outside_domain"], tuple(texts)
                for values in (*numbers.values(), extrapolated):
                    values[row] = np.nan
        near = self._neighbours.nearest(read.X, nearest) if self._neighbours and nearest else {}
        return Verdicts(
            verdict,
            **numbers,
            reasons=reasons,
            attrs=dict(self.attrs),
            unit=self.target.unit,
            notes=tuple(read.notes),
            neighbours=near,
            extrapolated=extrapolated if extrapolate else None,
        )

    def _judge_rows(
        self, read: Points, *, explained: bool = True
    ) -> tuple[Array, dict[str, Array], list[tuple[str, ...]], Array]:
        """Give verdicts, numbers, reasons, and the model's numbers outside of the domain."""
        n = len(read.X)
        numbers = {name: np.full(n, np.nan) for name in NUMBERS}
        verdict = np.full(n, CODE["invalid_input"])
        reasons: list[tuple[str, ...]] = [tuple(read.faults.get(row, ())) for row in range(n)]
        extrapolated = np.full(n, np.nan)
        whole = np.flatnonzero(np.isfinite(read.X).all(axis=1))
        if whole.size:
            outputs = self.run(read.X[whole])
            inside = outputs["domain_score"] <= 1.0
            self._answer(outputs, inside, whole[inside], verdict, numbers, reasons)
            outside = whole[~inside]
            verdict[outside] = CODE["outside_domain"]
            if explained:
                self._explain(read, outside, outputs["domain_score"][~inside], reasons)
            extrapolated[outside] = self._judge.number(outputs)[~inside]
        return verdict, numbers, reasons, extrapolated

    def run(self, X: Array) -> dict[str, Array]:
        """
        Run the graph: its outputs as they are, no domain and no verdict.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Points, in the inputs' order and units.

        Raises
        ------
        IntegrityError
            If the graph does not answer as the card says.
        """
        outputs = self.session.run(X)
        self._judge.refuse_other_shape(outputs, self.card.file)
        return outputs

    def _answer(
        self,
        outputs: Mapping[str, Array],
        inside: Array,
        rows: Array,
        verdict: Array,
        numbers: dict[str, Array],
        reasons: list[tuple[str, ...]],
    ) -> None:
        """Write what is said of the points inside the domain, which have the given rows."""
        answers = self._judge.judge({name: values[inside] for name, values in outputs.items()})
        verdict[rows] = answers.verdict
        numbers["domain_score"][rows] = outputs["domain_score"][inside]
        for name, values in answers.numbers.items():
            numbers[name][rows] = values
        for position, reason in answers.reasons.items():
            reasons[rows[position]] = (reason,)

    def _refuse_categories(self, read: Points) -> None:
        for position, codes in self._choices.items():
            column, values = self.inputs[position], read.X[:, position]
            named = column.categories or {}
            for row in np.flatnonzero(np.isfinite(values) & ~np.isin(values, codes)).tolist():
                allowed = ", ".join(f"{code} ({named[str(code)]})" for code in codes)
                fault = f"{column.name}: found {values[row]:g}, allowed {allowed}"
                read.faults.setdefault(row, []).append(fault)
                read.X[row, position] = np.nan

    def _explain(
        self, read: Points, rows: Array, scores: Array, reasons: list[tuple[str, ...]]
    ) -> None:
        names = [column.name for column in self.inputs]
        units = [column.unit for column in self.inputs]
        for row, score in zip(rows, scores, strict=True):
            why = self.domain.reasons(read.X[row], names, units, score=float(score))
            reasons[row] = tuple(why)

    def function(
        self, names: Sequence[str], fixed: Mapping[str, float] | None = None
    ) -> Callable[[Any], Any]:
        """
        Bind names once and get a plain function, for samplers and optimisers.

        Parameters
        ----------
        names : sequence of str
            The order in which the values will come.
        fixed : mapping of str to float, optional
            Inputs held at a value, in their units.

        Returns
        -------
        callable
            ``f(x)`` with ``x`` of shape (d,) or (n, d) gives a float or an ndarray of shape (n,):
            the model's value, or its probability. Outside the domain and for values that are not
            finite it gives -inf for a log-likelihood, else NaN.

        Raises
        ------
        ColumnError
            If the names and ``fixed`` are not exactly the inputs of the model.
        """
        return bind(self, names, dict(fixed or {}))

    def outline(self, X: Array) -> tuple[Array, dict[str, Array]]:
        """
        Give verdicts and numbers without reasons: for pictures of many points.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Points, in the inputs' order and units.

        Returns
        -------
        (ndarray of int8, dict of str to ndarray), shape (n,) each
            Positions in ``VERDICTS``, and the numbers of `Verdicts`, as :meth:`verdicts` gives
            them: NaN where a point is not valid or outside the domain.
        """
        read = Points(np.array(X, dtype=np.float64))
        self._refuse_categories(read)
        verdict, numbers, _, _ = self._judge_rows(read, explained=False)
        return verdict, numbers

    def values(self, X: Array, nothing: float) -> Array:
        """
        Give the model's number where the points are valid and inside, else ``nothing``.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Points, in the inputs' order and units.
        nothing : float

        Returns
        -------
        ndarray, shape (n,)
        """
        valid = np.isfinite(X).all(axis=1)
        for position, codes in self._choices.items():
            valid &= np.isin(X[:, position], codes)
        value = np.full(len(X), nothing)
        if valid.any():
            outputs = self.run(X[valid])
            inside = outputs["domain_score"] <= 1.0
            value[valid] = np.where(inside, self._judge.number(outputs), nothing)
        return value
