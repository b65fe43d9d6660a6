"""The predictor: points in, verdicts out, never a number without a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import confidence as confidences
from limen import manifest
from limen.domain import Domain
from limen.errors import ColumnError, IntegrityError, ShapeError, UsageError
from limen.graph import Session, audit
from limen.manifest import Column, ModelCard
from limen.prediction.points import Points, read_points
from limen.prediction.verdict import VERDICTS, Verdict, Verdicts
from limen.transforms import TargetTransform

if TYPE_CHECKING:
    import xarray

    from limen.scan import Scan

__all__ = ["Predictor", "input_digest"]

_CODE = {name: np.int8(code) for code, name in enumerate(VERDICTS)}
_BY_LABEL = {
    "excluded": ("excluded", "not_excluded"),
    "outside_region": ("outside_region", "inside_region"),
}


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
        self.target = self.columns[card.target]
        self.attrs = _attributes(card, self.columns, document)
        self.domain = Domain.from_card(card.domain)
        self._neighbours = neighbours
        audit(path, [column.name for column in self.inputs])
        self.session = Session(path, len(self.inputs))
        self._check_identity(document)
        self._transform = TargetTransform.from_dict(card.target_transform or {"kind": "identity"})
        kinds = {entry["kind"]: entry for entry in card.confidence}
        self._table = kinds.get("binned_accuracy", {}).get("table")
        conformal = kinds.get("conformal", {})
        self._conformal = conformal if conformal.get("quantile") is not None else None
        self.answering_label = self._answering_label()
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
                    f"{self.card.file} metadata {key}: found {stored.get(key)!r}, allowed {value!r}; "
                    "this graph does not belong to this model card"
                )

    def _answering_label(self) -> Column | None:
        if self.card.task == "classification":
            return self.target
        defined = [
            column
            for column in self.columns.values()
            if column.role == "label"
            and (column.definition or {}).get("column") == self.card.target
            and "threshold" in (column.definition or {})
            and column.quantity in _BY_LABEL
        ]
        named = [column for column in defined if column.name == self.card.label]
        return next(iter(named or defined), None)

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

        Returns
        -------
        Verdicts

        Raises
        ------
        ColumnError, ShapeError, UsageError
            If the points as a whole cannot be understood.
        """
        read = read_points(points, self.inputs, self.columns, ignore_extra=ignore_extra)
        n = len(read.X)
        numbers = {name: np.full(n, np.nan) for name in _NUMBERS}
        verdict = np.full(n, _CODE["invalid_input"])
        reasons: list[tuple[str, ...]] = [()] * n
        for row, faults in read.faults.items():
            reasons[row] = tuple(faults)
        self._refuse_categories(read, reasons)
        whole = np.flatnonzero(np.isfinite(read.X).all(axis=1))
        extrapolated = np.full(n, np.nan) if extrapolate else None
        if whole.size:
            answer = self.session.run(read.X[whole])
            score = np.asarray(answer["domain_score"], dtype=np.float64)
            inside = score <= 1.0
            verdict[whole] = _CODE["outside_domain"]
            if inside.any():
                picked = {name: values[inside] for name, values in answer.items()}
                rows = whole[inside]
                verdict[rows] = self._judge(picked, rows, numbers, reasons)
                numbers["domain_score"][rows] = score[inside]
            self._explain(read, whole[~inside], score[~inside], reasons)
            if extrapolated is not None:
                extrapolated[whole[~inside]] = self._number(answer)[~inside]
        near = self._nearest(read.X, nearest) if nearest else {}
        return Verdicts(
            verdict,
            **numbers,
            reasons=reasons,
            attrs=dict(self.attrs),
            unit=self.target.unit,
            notes=tuple(read.notes),
            neighbours=near,
            extrapolated=extrapolated,
        )

    def _refuse_categories(self, read: Points, reasons: list[tuple[str, ...]]) -> None:
        for position, codes in self._choices.items():
            values = read.X[:, position]
            for row in np.flatnonzero(np.isfinite(values) & ~np.isin(values, codes)):
                column = self.inputs[position]
                named = column.categories or {}
                allowed = ", ".join(f"{code} ({named[str(code)]})" for code in codes)
                fault = f"{column.name}: found {values[row]:g}, allowed {allowed}"
                reasons[row] = (*reasons[row], fault)
                read.X[row, position] = np.nan

    def _explain(
        self, read: Points, rows: Any, scores: Any, reasons: list[tuple[str, ...]]
    ) -> None:
        names = [column.name for column in self.inputs]
        units = [column.unit for column in self.inputs]
        for row, score in zip(rows, scores, strict=True):
            why = self.domain.reasons(read.X[row], names, units, score=float(score))
            reasons[row] = tuple(why)

    def _number(self, answer: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        if self.card.task == "classification":
            return np.asarray(answer["probability"][:, 1], dtype=np.float64)
        return np.asarray(answer["mean"], dtype=np.float64)

    def _judge(
        self,
        answer: Mapping[str, Any],
        rows: Any,
        numbers: dict[str, Any],
        reasons: list[tuple[str, ...]],
    ) -> Any:
        if self.card.task == "classification":
            return self._classify(answer, rows, numbers, reasons)
        return self._regress(answer, rows, numbers, reasons)

    def _classify(
        self,
        answer: Mapping[str, Any],
        rows: Any,
        numbers: dict[str, Any],
        reasons: list[tuple[str, ...]],
    ) -> Any:
        probability = np.asarray(answer["probability"], dtype=np.float64)
        if probability.shape[1] > 2:
            return self._categorise(probability, rows, numbers)
        p = probability[:, 1]
        numbers["probability"][rows] = p
        if self._table is not None:
            numbers["confidence"][rows] = confidences.classification_confidence(p, self._table)
        verdict = self._name(p >= 0.5)
        if self.target.quantity == "category":
            numbers["value"][rows] = (p >= 0.5).astype(float)
        if self._conformal is not None:
            sets = confidences.conformal_sets(p, self._conformal["quantile"])
            unsure = sets.sum(axis=1) != 1
            verdict[unsure] = _CODE["uncertain"]
            level = 100 * self._conformal["level"]
            text = (
                f"the {level:g} % conformal set holds {{}} classes: too near the boundary to call"
            )
            both = ("both", "no")
            for row, size in zip(rows[unsure], sets[unsure].sum(axis=1), strict=True):
                reasons[row] = (text.format(both[0] if size else both[1]),)
        return verdict

    def _categorise(self, probability: Any, rows: Any, numbers: dict[str, Any]) -> Any:
        codes = np.array(sorted(int(code) for code in (self.target.categories or {})))
        numbers["value"][rows] = codes[probability.argmax(axis=1)]
        numbers["probability"][rows] = probability.max(axis=1)
        return np.full(len(probability), _CODE["predicted"])

    def _name(self, label: Any) -> Any:
        quantity = self.answering_label.quantity if self.answering_label is not None else None
        if quantity not in _BY_LABEL:
            return np.full(len(label), _CODE["predicted"])
        yes, no = _BY_LABEL[quantity]
        return np.where(label, _CODE[yes], _CODE[no])

    def _regress(
        self,
        answer: Mapping[str, Any],
        rows: Any,
        numbers: dict[str, Any],
        reasons: list[tuple[str, ...]],
    ) -> Any:
        mean = np.asarray(answer["mean"], dtype=np.float64)
        lower = upper = np.full(len(mean), np.nan)
        if self._conformal is not None:
            scaled = self._conformal["scale"] == "standard deviations"
            u = self._transform.forward(mean)
            std = answer["std"] / self._transform.slope(u) if scaled else None
            ends = confidences.conformal_interval(u, self._conformal["quantile"], std)
            lower, upper = self._transform.inverse_interval(*ends)
        numbers["value"][rows], numbers["lower"][rows], numbers["upper"][rows] = mean, lower, upper
        if self.answering_label is None or self.answering_label.definition is None:
            return np.full(len(mean), _CODE["predicted"])
        threshold = float(self.answering_label.definition["threshold"])
        above = self.answering_label.definition["comparison"] in (">", ">=")
        verdict = self._name((mean > threshold) == above)
        straddles = (lower <= threshold) & (upper >= threshold)
        verdict[straddles] = _CODE["uncertain"]
        text = (f"the interval of {self.target.name} straddles {threshold:g} {self.target.unit}",)
        for row in rows[straddles]:
            reasons[row] = text
        return verdict

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
        held = dict(fixed or {})
        wanted = [column.name for column in self.inputs]
        if sorted([*names, *held]) != sorted(wanted):
            raise ColumnError(
                f"names: found {', '.join([*names, *held])}, allowed exactly {', '.join(wanted)}, "
                "each once"
            )
        order = np.array([wanted.index(name) for name in names], dtype=int)
        template = np.array([held.get(name, np.nan) for name in wanted])
        nothing = -np.inf if self.target.quantity == "log_likelihood" else np.nan

        def evaluate(x: Any) -> Any:
            given = np.asarray(x, dtype=np.float64)
            rows = np.atleast_2d(given)
            if rows.ndim != 2 or rows.shape[1] != len(order):
                raise ShapeError(
                    f"x: found shape {given.shape}, allowed ({len(order)},) or (n, {len(order)})"
                )
            X = np.tile(template, (len(rows), 1))
            X[:, order] = rows
            value = np.full(len(X), nothing)
            finite = np.isfinite(X).all(axis=1)
            if finite.any():
                answer = self.session.run(X[finite])
                inside = answer["domain_score"] <= 1.0
                value[finite] = np.where(inside, self._number(answer), nothing)
            return float(value[0]) if given.ndim == 1 else value

        return evaluate

    @cached_property
    def _rows(self) -> tuple[Any, Any, Any]:
        if self._neighbours is None:
            raise UsageError("nearest: this predictor was loaded without a scan")
        names = [column.name for column in self.inputs]
        with self._neighbours() as scan:
            table = scan.read([*names, self.target.name])
        X = np.stack([table[name].astype(np.float64) for name in names], axis=1)
        rows = np.flatnonzero(np.isfinite(X).all(axis=1))
        scaled = ((X[rows] - self.domain.centre) / self.domain.scale).astype(np.float32)
        return rows, scaled, table[self.target.name]

    def _nearest(self, X: Any, k: int) -> dict[str, Any]:
        rows, scaled, target = self._rows
        k = min(k, len(rows))
        answer = {
            "row": np.full((len(X), k), -1),
            "distance": np.full((len(X), k), np.nan),
            "target": np.full((len(X), k), np.nan),
        }
        for position in np.flatnonzero(np.isfinite(X).all(axis=1)):
            point = ((X[position] - self.domain.centre) / self.domain.scale).astype(np.float32)
            square = ((scaled - point) ** 2).sum(axis=1)
            near = np.argpartition(square, k - 1)[:k]
            near = near[np.lexsort((rows[near], square[near]))]
            answer["row"][position] = rows[near]
            answer["distance"][position] = np.sqrt(square[near])
            answer["target"][position] = target[rows[near]]
        return answer


_NUMBERS = ("probability", "value", "lower", "upper", "confidence", "domain_score")


def _attributes(
    card: ModelCard, columns: Mapping[str, Column], document: Mapping[str, Any]
) -> dict[str, Any]:
    label = columns[card.target]
    statistics = dict(label.statistics or {})
    meanings = [f"{entry['kind']}: {entry['meaning']}" for entry in card.confidence]
    populations = sorted({entry["population"] for entry in card.confidence})
    doi = document.get("doi")
    analyses = [f"{a['experiment']} {a['id']}" for a in document.get("analyses", [])]
    return {
        "bundle": document["id"],
        "version": document["version"],
        "doi": doi or "",
        "model": card.name,
        "target": card.target,
        "confidence_level": statistics.get("confidence_level", ""),
        "result": statistics.get("result", ""),
        "analyses": ", ".join(analyses),
        "confidence_meaning": " ".join(meanings),
        "confidence_population": " ".join(populations),
        "cite": f"https://doi.org/{doi}" if doi else f"{document['title']} (draft, no DOI yet)",
    }
