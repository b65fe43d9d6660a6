"""
The surrogate of a campaign as models of a bundle: mean and standard deviation, in ONNX.

It is the surrogate that has not learnt from the reserved points, since they judge it. It holds
over the space of the campaign; how little is known somewhere, its standard deviation says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.active.assessing import history_after
from limen.active.gathering import origin_meanings
from limen.active.numbers import process_of, rescaled, to_column, to_unit_cube
from limen.active.outputs import Output
from limen.active.populations import reserved_text
from limen.bundle import Bundle
from limen.confidence import Calibration, coverage
from limen.domain import Domain, fit_domain
from limen.errors import ExportError, LimenError
from limen.estimators.fitted import FittedModel, versions
from limen.estimators.given import GivenProcess, given_process
from limen.estimators.standardiser import Standardiser
from limen.training.judging import Judgement
from limen.training.publishing import publish
from limen.training.rows import TEST, TRAIN, TrainingRows, load_rows
from limen.transforms import TargetTransform
from limen.units import convert

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["publish_surrogates"]

Floats = NDArray[np.float64]

_PLACES = 4_096
# Unit coordinates that differ by less are one point: they went through two units.
_SAME = 1e-8
_FAITHFUL = 1e-6
_COMPARED = 512
# Of the domain, beyond the farthest place of the prior that was looked at.
_ROOM = 1.25
# With fewer reserved points a figure says nothing.
_FEWEST = 5
_UNUSED = -1


def publish_surrogates(
    bundle: Bundle, campaign: Campaign, *, seed: int = 0
) -> tuple[list[str], list[str]]:
    """
    Add the surrogate of a campaign to a draft, one model for each output.

    Parameters
    ----------
    bundle : Bundle
        A draft with the campaign's points.
    campaign : Campaign
    seed : int
        Of what is drawn to verify and judge.

    Returns
    -------
    names : list of str
        Models that were added.
    notes : list of str
        Outputs without one, and why.
    """
    history = history_after(campaign)
    find = getattr(campaign.strategy, "posterior", None)
    posterior = find(history, campaign.memory) if find and history.known.any() else None
    names, notes = [], []
    for j, output in enumerate(campaign.problem.outputs):
        process = None if posterior is None else process_of(posterior, j)
        if process is None:
            notes.append(
                f"no surrogate of {output.name} is published: what the strategy "
                f"{campaign.strategy.name} estimates by is not one Gaussian process"
            )
            continue
        try:
            names.append(_publish(bundle, campaign, process, posterior, j, seed))
        except LimenError as error:
            notes.append(f"the surrogate of {output.name} is not published: {error}"[:2000])
    return names, notes


def _publish(
    bundle: Bundle, campaign: Campaign, process: GivenProcess, posterior: Any, j: int, seed: int
) -> str:
    """Publish the process of one output; give the model's name."""
    space, output = campaign.problem.space, campaign.problem.outputs[j]
    column = bundle.columns[output.name]
    inputs = to_unit_cube(space, [bundle.columns[name].unit for name in space.names])
    fitted = given_process(
        rescaled(process, *to_column(output, column.unit)),
        inputs,
        hyperparameters=_hyperparameters(posterior),
        software=versions("scipy", "torch", "gpytorch", "botorch"),
    )
    rng = np.random.default_rng(seed)
    rows = _rows(bundle, campaign, output, process, inputs)
    _refuse_unfaithful(campaign, fitted, posterior, j, inputs, column.unit)
    region = f"origin: {origin_meanings(campaign.id)['reserved']}"
    transform = _transform(output, column.unit)

    def judging(answer: dict[str, Any]) -> Judgement:
        return _judge(rows, answer, transform, region, rng)

    card = publish(
        bundle,
        _free_name(bundle, output.name),
        rows,
        fitted,
        calibration=Calibration(),
        transform=transform,
        domain=_domain(campaign, rows, inputs, rng),
        out_of_bag=None,
        rng=rng,
        seed=seed,
        rebuild=f"limen extend BUNDLE CAMPAIGN -o NEW --seed {seed}",
        judging=judging,
    )
    return card.name


def _hyperparameters(posterior: Any) -> dict[str, Any]:
    return {"process": dict(posterior.hyperparameters)}


def _free_name(bundle: Bundle, output: str) -> str:
    stem = re.sub(r"[^a-z0-9_-]", "-", output.lower()).lstrip("_-0123456789")[:48] or "output"
    name, number = f"{stem}-surrogate", 2
    while name in bundle.models and bundle.models[name].training["estimator"] != "campaign":
        name, number = f"{stem}-surrogate{number}", number + 1
    return name


def _rows(
    bundle: Bundle,
    campaign: Campaign,
    output: Output,
    process: GivenProcess,
    inputs: Standardiser,
) -> TrainingRows:
    """Take the rows that the process learnt from, and the campaign's reserved ones to judge it."""
    from scipy.spatial import cKDTree

    sampled = any(column.role == "nuisance" for column in bundle.columns.values())
    rows = load_rows(
        bundle,
        output.name,
        campaign.problem.space.names,
        nuisances="include" if sampled else None,
    )
    apart, _ = cKDTree(process.points).query(inputs.apply(rows.X))
    split = np.where(apart < _SAME, TRAIN, _UNUSED).astype(np.int8)
    meaning = origin_meanings(campaign.id)["reserved"]
    name = bundle.table["split"]["population"]["column"]
    codes = {text: int(code) for code, text in (bundle.columns[name].categories or {}).items()}
    split[(rows.origin == codes[meaning]) & (rows.split == TEST)] = TEST
    rows = replace(rows, split=split).take(split != _UNUSED)
    n = len(rows.part(TEST))
    rows.population = reserved_text(campaign.id, campaign.problem, n)
    rows.counts = {"train": len(rows.part(TRAIN)), "calibration": 0, "test": n}
    return rows


def _refuse_unfaithful(
    campaign: Campaign, fitted: FittedModel, posterior: Any, j: int, inputs: Standardiser, unit: str
) -> None:
    """Compare the model with the strategy's posterior at points of the prior."""
    output = campaign.problem.outputs[j]
    u = campaign.problem.space.sobol(_COMPARED, [campaign.seed, 1])
    x = _columns(inputs, u)
    scale, shift = to_column(output, unit)
    mean, std = posterior.mean_std(u)
    wanted, wide = scale * mean[:, j] + shift, abs(scale) * std[:, j]
    off = np.abs(fitted.predict(x) - wanted).max() / (np.ptp(wanted) or 1.0)
    spread = fitted.predict_std(x)
    wrong = np.inf if spread is None else np.abs(spread - wide).max() / wide.max()
    if not max(off, wrong) < _FAITHFUL:
        raise ExportError(
            f"surrogate of {output.name}: found a mean that is off by {off:.2g} of its range and "
            f"a standard deviation by {wrong:.2g} of its largest, allowed {_FAITHFUL:g}"
        )


def _transform(output: Output, unit: str) -> TargetTransform:
    """Give the map from the column's values to what the model answers."""
    if output.scale == "log_deficit":
        factor = float(convert(1.0, output.unit, unit))
        return TargetTransform("log_deficit", top=factor * output.top, scale=factor * output.width)
    return TargetTransform("log" if output.scale == "log" else "identity")


def _columns(inputs: Standardiser, u: Floats) -> Floats:
    """Give unit coordinates in the units of the columns."""
    x = inputs.centre + u * inputs.scale
    x[:, inputs.log] = np.exp(x[:, inputs.log])
    return x


def _domain(
    campaign: Campaign, rows: TrainingRows, inputs: Standardiser, rng: np.random.Generator
) -> Domain:
    """
    Give the space of the campaign as the region where the model holds.

    The process answers anywhere in it, and says how little it knows. Where only the points of a
    pool can be evaluated, they say where it holds.
    """
    space = campaign.problem.space
    learnt = fit_domain(
        rows.X[rows.part(TRAIN)], rng=rng, names=[column.name for column in rows.inputs]
    )
    if campaign.problem.pool is not None:
        return learnt
    low, high = _columns(inputs, np.array([np.zeros(space.d), np.ones(space.d)]))
    whole = replace(learnt, low=low, high=high, subspaces=())
    score = whole.score(_columns(inputs, space.sobol(_PLACES, [campaign.seed, 2]))).max()
    return replace(whole, threshold=whole.threshold * max(1.0, _ROOM * score), quantile=1.0)


def _judge(
    rows: TrainingRows,
    answer: dict[str, Any],
    transform: TargetTransform,
    region: str,
    rng: np.random.Generator,
) -> Judgement:
    """Judge on the reserved points: coverage of the process, errors, and labels if there are."""
    test = rows.part(TEST)
    entry: dict[str, Any] = {
        "kind": "gp_posterior",
        "meaning": (
            "Standard deviation of the campaign's Gaussian process on the scale it learnt; the "
            "coverage is that of mean -/+ 1.96 standard deviations."
        ),
        "population": rows.population,
    }
    if len(test) < _FEWEST:
        remark = f"only {len(test)} reserved points: no figure is measured"
        return Judgement([entry], [], [remark])
    mean, y = answer["mean"][test].astype(float), rows.y[test]
    u, said = transform.forward(y), transform.forward(mean)
    std = answer["std"][test].astype(float) / transform.slope(said)
    entry["coverage"] = coverage(np.abs(u - said) <= 1.96 * std) | {"at": region}
    figures = metrics.regression_metrics(mean, y, rng=rng)
    if rows.boundary is not None and rows.threshold is not None:
        right = coverage((mean > rows.threshold) == (rows.boundary[test] > rows.threshold))
        figures.append({"name": "accuracy", **right})
    listed = [
        {
            "name": found["name"],
            "value": found["value"],
            "interval": None if found["interval"] is None else list(found["interval"]),
            "split": "test",
            "region": region,
            "population": rows.population,
            "rows": len(test),
        }
        for found in figures
    ]
    return Judgement([entry], listed, [])
