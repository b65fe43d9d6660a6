"""The page about runs and its examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from test_docs import FENCE, blocks, run_block

from limen.active import Campaign

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "campaigns" / "running.md"
EXAMPLES = ROOT / "examples" / "campaigns"


@pytest.fixture
def run_example(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limen: Callable[..., Result],
) -> Callable[..., list[str]]:
    """Run the script of an example in a folder of its own, with cheap points and few of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    said: list[str] = []

    def call(*arguments: Any) -> Result:
        result = limen(*arguments)
        said.append(result.output)
        return result

    def run(name: str) -> list[str]:
        folder = EXAMPLES / name
        subprocess.run(["sh", "-n", folder / "run.sh"], check=True)
        text = (folder / "run.sh").read_text(encoding="utf-8").partition("pwd)\n")[2]
        text = text.replace("$here", str(folder)).replace("${STRATEGY:-level-set}", "sobol")
        run_block("sh", text.replace("${BUDGET:-40}", "16"), call)
        return said

    return run


def test_the_example_with_slha_runs(run_example: Callable[..., list[str]], tmp_path: Path) -> None:
    said = "".join(run_example("slha"))
    assert "stopped: 16 points asked of a budget of 16" in said
    table = Campaign.open(tmp_path / "winos").queries
    assert set(table["status"]) <= {"ok", "censored", "invalid"}
    assert table["mu"].min() < 1 < table["mu"].max()
    assert table["mu_err"].notna().any()


def test_the_example_with_files_runs(run_example: Callable[..., list[str]], tmp_path: Path) -> None:
    said = "".join(run_example("file_drop"))
    assert "15 recorded, 1 pending" in said
    assert "0 recorded, 15 known before" in said
    campaign = Campaign.open(tmp_path / "gluinos")
    assert campaign.counts() | {"invalid": 0} == {
        "ok": 20,
        "failed": 2,
        "invalid": 0,
        "censored": 2,
        "pending": 0,
    }
    assert campaign.status()["failures"] == {"lost heartbeat": 2}


def test_the_blocks_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limen: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for language, body in blocks(PAGE.read_text(encoding="utf-8")):
        run_block(language, body, limen)
    assert Campaign.open(tmp_path / "campaign").counts()["failed"] == 1


def of_page(language: str, start: str) -> str:
    """Give the block of the page that starts so."""
    found = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    return next(body for kind, body in found if kind == language and body.startswith(start))


def test_the_document_of_the_page_is_that_of_the_example() -> None:
    import yaml

    from limen import schema

    page = re.sub(r"\s+#.*", "", of_page("yaml", 'command: ["{python}"'))
    assert yaml.safe_load(page) == schema.load_yaml(EXAMPLES / "slha" / "evaluator.yaml")


def test_other_blocks_of_the_page_are_what_they_claim_to_be(tmp_path: Path) -> None:
    import yaml

    from limen.active.evaluators import described

    reana = yaml.safe_load(of_page("yaml", "version:"))
    commands = reana["workflow"]["specification"]["steps"][0]["commands"]
    assert all("limen campaign" in command for command in commands)
    command = yaml.safe_load(of_page("yaml", "command: [apptainer"))
    described(command | {"output": {"format": "csv"}}, tmp_path)
    for start in ("OPTIONS", "from dask.distributed", "from dask_jobqueue"):
        compile(of_page("python", start), str(PAGE), "exec")


def test_a_queue_starts_the_workers(tmp_path: Path) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue.local")
    import distributed
    from fake_evaluators import place

    from limen.active.running import run

    given: dict[str, Any] = {}
    exec(of_page("python", "OPTIONS"), given)
    campaign = Campaign.start(
        tmp_path / "campaign",
        space={"m": (0.0, 1.0), "g": (0.0, 1.0)},
        outputs={"y": {"threshold": 0.2}},
        strategy="sobol",
    )
    own = {"log_directory": str(tmp_path), "local_directory": str(tmp_path)}
    with (
        jobqueue.LocalCluster(**given["OPTIONS"], **own, python=sys.executable) as cluster,
        distributed.Client(cluster) as client,
    ):
        cluster.scale(jobs=1)
        run(campaign, place("product"), executor=client, workers=2, budget=6)
    assert campaign.counts()["ok"] == 6
