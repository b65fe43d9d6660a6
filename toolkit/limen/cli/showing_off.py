"""Verbs that need nothing of yours: demo, doctor."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.arguments import as_json, print_json
from limen.errors import DataError, StorageError, install_line

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["run_demo", "run_doctor"]

_EXTRAS = {
    "train": ("sklearn", "skl2onnx", "xgboost"),
    "io": ("iminuit", "jsonpatch", "pyarrow", "pyhf", "scipy"),
    "active": ("botorch", "gpytorch", "imblearn", "matplotlib", "scipy", "torch"),
    "scale": ("distributed",),
    "app": ("altair", "starlette", "streamlit", "uvicorn", "vl_convert"),
}
_BASE = ("numpy", "onnx", "onnxruntime", "zarr", "xarray", "h5py", "jsonschema", "pooch", "click")


@click.command()
@click.argument("folder", default="limen-demo", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Seed of every random choice.")
def run_demo(folder: Path, seed: int) -> None:
    """Make the example bundle bsll10 in FOLDER from its real likelihood and question it."""
    from limen.checking import check
    from limen.demonstration import make_example
    from limen.estimators import require
    from limen.training import train

    # Before minutes of work, not after.
    for module in ("sklearn.ensemble", "xgboost"):
        require(module)
    start = time.monotonic()
    path = folder / "bsll10"
    if path.exists():
        if not (path / "bundle.json").is_file():
            raise StorageError(f"{path}: there is something else here; choose another folder")
        shutil.rmtree(path)

    def step(text: str) -> None:
        click.echo(f"[{time.monotonic() - start:5.1f} s] {text}")

    step("drawing the scan: 50,000 points of a real ten-dimensional b -> s likelihood")
    bundle = make_example(path, seed=seed)
    label = bundle.columns["outside_95cr"]
    step(f"packed {path}: {(label.definition or {})['text']}")
    step("training a classifier of that region")
    train(bundle, "outside_95cr", estimator=REGION, name="region", seed=seed)
    step("training a regressor of the log-likelihood")
    train(
        bundle,
        "loglike",
        estimator=LIKELIHOOD,
        name="loglike",
        seed=seed,
        options=LIKELIHOOD_OPTIONS,
    )
    step("checking: hashes, labels, metrics, probes, benchmark points")
    report = check(bundle, deep=True)
    if not report.passed:
        raise DataError.from_faults(str(path), report.faults)
    step("passed; now some questions")
    _question(bundle)
    click.echo(_WHAT_NEXT.format(path=path, seconds=time.monotonic() - start))


REGION = "boosted"
LIKELIHOOD = "mlp"
# Half the networks and epochs of the defaults: a fifth less exact, in half the time.
LIKELIHOOD_OPTIONS = {"members": 2, "epochs": 30}

_WHAT_NEXT = """
Done in {seconds:.0f} s. Everything lies in {path}: the scan (scan.zarr.zip), two models (*.onnx),
their proofs (*.probe.json), a preview, and README.md, which describes it all. Try next:
  limen show {path}
  limen predict {path} --model region --set C7_bs=0 --set C7p_bs=0 --set C9_bsmumu=-1 \\
    --set C9p_bsmumu=0 --set C10_bsmumu=0 --set C10p_bsmumu=0 --set CS_bsmumu=0 \\
    --set CSp_bsmumu=0 --set CP_bsmumu=0 --set CPp_bsmumu=0 --nearest 3
  limen predict {path} {path}/preview.csv --model all -o verdicts.csv
  limen check {path} --deep
  limen select {path} --where "delta_chi2 < 13" -o {path}-inside"""


def _question(bundle: Bundle) -> None:
    """Ask both models about four points, beside what the bare graph would have said."""
    points = {entry["name"]: dict(entry["point"]) for entry in bundle.manifest["benchmarks"]}
    standard = points["Standard Model"]
    points["far outside the domain"] = standard | {"C9_bsmumu": 40.0}
    points["broken (C9 is not a number)"] = standard | {"C9_bsmumu": float("nan")}
    for name in bundle.models:
        predictor = bundle.predictor(name)
        click.echo(f"\n{name} ({predictor.target.title})")
        for title, point in points.items():
            verdict = predictor.one(point)
            click.echo(f"  {title:<28} {verdict.verdict.replace('_', ' '):<15} {_numbers(verdict)}")
            for reason in verdict.reasons:
                click.echo(f"  {'':<28} because {reason}")
            click.echo(f"  {'':<28} bare onnxruntime would say {_bare(predictor, point)}")


def _numbers(verdict: Any) -> str:
    if verdict.verdict in ("outside_domain", "invalid_input"):
        return "no number"
    if verdict.probability == verdict.probability:
        known = verdict.confidence == verdict.confidence
        sure = f", classification confidence {verdict.confidence:.3f}" if known else ""
        return f"probability {verdict.probability:.3f}{sure}"
    return f"{verdict.value:.2f}, interval {verdict.lower:.2f} to {verdict.upper:.2f}"


def _bare(predictor: Any, point: dict[str, float]) -> str:
    import onnxruntime

    session = onnxruntime.InferenceSession(predictor.path, providers=["CPUExecutionProvider"])
    row = [[point[column.name] for column in predictor.inputs]]
    import numpy as np

    answer = session.run(None, {"points": np.array(row, dtype=predictor.session.dtype)})[0]
    return f"{float(np.ravel(answer)[-1]):.3f}"


@click.command()
@as_json
def run_doctor(json_wanted: bool) -> None:
    """Say what is installed, for a report of a fault."""
    answer: dict[str, Any] = {
        "limen": importlib.metadata.version("limen"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "base": {name: importlib.metadata.version(name) for name in _BASE},
        "extras": {
            extra: all(importlib.util.find_spec(module) is not None for module in modules)
            for extra, modules in _EXTRAS.items()
        },
    }
    if json_wanted:
        print_json(answer)
        return
    click.echo(f"limen {answer['limen']}, Python {answer['python']}, {answer['system']}")
    for name, version in answer["base"].items():
        click.echo(f"  {name} {version}")
    for extra, present in answer["extras"].items():
        line = "installed" if present else f"not installed; {install_line(extra)}"
        click.echo(f"  extra {extra}: {line}")
