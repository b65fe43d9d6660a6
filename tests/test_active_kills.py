"""Campaigns whose processes are killed at any moment, and several processes on one campaign."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_evaluators
import pytest
from fake_evaluators import FLAGS, gone, place, wait_for

from limen.active import Campaign, events
from limen.active.evaluators import Program
from limen.active.running import run

if not hasattr(os, "fork"):
    pytest.skip("processes are forked and killed", allow_module_level=True)

SPACE = {"m": {"range": [0.0, 1000.0], "unit": "GeV"}, "g": (0.0, 1.0)}
LIMEN = str(Path(sys.executable).with_name("limen"))
BUDGET, BATCH = 12, 4


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Campaign]:
    """Start a campaign with cheap points."""

    def make(name: str = "campaign", **options: Any) -> Campaign:
        given: dict[str, Any] = {"space": SPACE, "outputs": {"y": {"threshold": 200.0}}}
        return Campaign.start(tmp_path / name, **{**given, "strategy": "sobol", **options})

    return make


@pytest.fixture(autouse=True)
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let evaluations leave notes."""
    (tmp_path / "flags").mkdir()
    monkeypatch.setenv(FLAGS, str(tmp_path / "flags"))


def history(campaign: Campaign) -> list[tuple[Any, ...]]:
    """Give what was asked and told, to the last bit."""
    table = campaign.queries[["id", "round", "origin", "m", "g", "acquisition", "status", "y"]]
    return list(table.fillna(-1.0).itertuples(index=False, name=None))


def told(campaign: Campaign) -> set[str]:
    """Give the ids whose results are on the disk."""
    found, _ = events.read(campaign.folder / "queries.jsonl")
    return {r["id"] for event in found if event["event"] == "tell" for r in event["results"]}


def killed(work: Callable[[], Any]) -> None:
    """Do some work in another process that is killed meanwhile."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            # Nothing of the test's own process may happen twice.
            os._exit(3)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killing:
    """Kills the process at the n-th event of a kind, at some stage of its writing."""

    def __init__(self, kind: str, stage: str, number: int) -> None:
        self.kind, self.stage, self.left = kind, stage, number
        self.append = events.append

    def __call__(self, path: Path, event: Any) -> None:
        """Append an event, or die."""
        self.left -= event["event"] == self.kind
        if self.left or event["event"] != self.kind:
            self.append(path, event)
            return
        if self.stage == "half":
            line = json.dumps(event).encode()
            with path.open("ab", buffering=0) as stream:
                stream.write(line[: len(line) // 2])
        elif self.stage == "after":
            self.append(path, event)
        die()


def killed_run(campaign: Campaign, kind: str, stage: str, number: int) -> None:
    """Run a campaign in another process until it kills itself."""

    def work() -> None:
        opened = Campaign.open(campaign.folder)
        evaluate = fake_evaluators.noted
        if kind in ("ask", "tell"):
            events.append = Killing(kind, stage, number)
        elif kind == "state":
            replace, left = os.replace, [number]

            def at_state(source: Any, target: Any) -> None:
                left[0] -= Path(target).name == "state.json"
                if left[0] or Path(target).name != "state.json":
                    replace(source, target)
                elif stage == "after":
                    replace(source, target)
                    die()
                else:
                    Path(source).write_text("{")
                    die()

            os.replace = at_state
        else:
            calls = [number]

            def evaluate(m: float, g: float) -> float:
                calls[0] -= 1
                return die() or 0.0 if not calls[0] else fake_evaluators.noted(m, g)

        run(opened, evaluate, budget=BUDGET, batch=BATCH)

    killed(work)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("ask", "before"),
        ("ask", "half"),
        ("ask", "after"),
        ("evaluation", "during"),
        ("tell", "before"),
        ("tell", "half"),
        ("tell", "after"),
        ("state", "half"),
        ("state", "after"),
    ],
)
def test_a_run_killed_at_any_moment_goes_on_as_if_it_had_not_been(
    start: Callable[..., Campaign], tmp_path: Path, kind: str, stage: str, number: int
) -> None:
    whole = start("whole")
    run(whole, fake_evaluators.product, budget=BUDGET, batch=BATCH)
    campaign = start("killed")
    killed_run(campaign, kind, stage, 3 * number if kind != "ask" else number)
    kept = told(campaign)
    before = len(fake_evaluators.notes("evaluated"))
    # What was evaluated is told, but for the one that was in flight.
    assert before - 1 <= len(kept) <= before
    resumed = Campaign.open(campaign.folder)
    run(resumed, fake_evaluators.noted, budget=BUDGET, batch=BATCH)
    assert history(resumed) == history(whole)
    assert kept <= told(resumed)
    evaluated = fake_evaluators.notes("evaluated")
    assert len(evaluated) - len(set(evaluated)) <= 1
    assert len(evaluated) - before == BUDGET - len(kept)


def test_a_run_killed_again_and_again_comes_to_its_end(start: Callable[..., Campaign]) -> None:
    whole = start("whole")
    run(whole, fake_evaluators.product, budget=BUDGET, batch=BATCH)
    campaign = start("killed")
    for _ in range(3):
        killed_run(campaign, "tell", "half", 2)
        killed_run(campaign, "evaluation", "during", 2)
    run(Campaign.open(campaign.folder), fake_evaluators.product, budget=BUDGET, batch=BATCH)
    assert history(Campaign.open(campaign.folder)) == history(whole)


def test_a_verb_that_is_killed_goes_on(start: Callable[..., Campaign]) -> None:
    whole, campaign = start("whole"), start("killed")
    line = [LIMEN, "campaign", "run", str(campaign.folder), "--python", place("takes_a_while")]
    line += ["--budget", str(BUDGET), "--batch", str(BATCH)]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        wait_for("evaluated", 5)
        process.kill()
    assert 4 <= len(told(campaign)) < BUDGET
    subprocess.run(line, check=True, capture_output=True)
    run(whole, fake_evaluators.product, budget=BUDGET, batch=BATCH)
    assert history(Campaign.open(campaign.folder)) == history(whole)


def test_a_strategy_that_remembers_goes_on_bit_for_bit(start: Callable[..., Campaign]) -> None:
    pytest.importorskip("botorch")
    options = {"strategy": "optimise", "outputs": {"y": {}}}
    whole, campaign = start("whole", **options), start("killed", **options)
    line = [LIMEN, "campaign", "run", str(campaign.folder), "--budget", "12", "--batch", "2"]
    line += ["--python", place("dies_at_the_seventh")]
    done = subprocess.run(line, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    run(Campaign.open(campaign.folder), fake_evaluators.product, budget=12, batch=2)
    run(whole, fake_evaluators.product, budget=12, batch=2)
    assert history(Campaign.open(campaign.folder)) == history(whole)


def test_the_processes_of_a_killed_run_end_with_it(start: Callable[..., Campaign]) -> None:
    campaign = start()
    line = [LIMEN, "campaign", "run", str(campaign.folder), "--python", place("hangs")]
    line += ["--budget", "2", "--workers", "2"]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        wait_for("begun", 2)
        second = subprocess.run(line, capture_output=True, text=True, check=False)
        process.kill()
    assert second.returncode == 1
    assert "another run evaluates the points of this campaign" in second.stderr
    assert all(gone(int(pid)) for pid in fake_evaluators.notes("begun"))
    run(Campaign.open(campaign.folder), fake_evaluators.product, budget=2)
    assert campaign.counts()["ok"] == 2


def test_a_program_that_outlived_its_run_is_ended_before_its_point_runs_again(
    start: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign = start()
    code = (
        "import os, pathlib, time; flags = pathlib.Path(os.environ['LIMEN_TEST_FLAGS']);"
        "first = not (flags / 'begun').exists(); (flags / 'begun').write_text(str(os.getpid()));"
        "time.sleep(60 * first); print('y'); print({m} * {g})"
    )
    document = {"command": ["{python}", "-c", code], "output": {"format": "csv", "file": "-"}}
    (tmp_path / "evaluator.json").write_text(json.dumps(document))
    line = [LIMEN, "campaign", "run", str(campaign.folder), "--budget", "1", "--evaluator"]
    with subprocess.Popen(
        [*line, str(tmp_path / "evaluator.json")], stderr=subprocess.DEVNULL
    ) as process:
        wait_for("begun")
        process.kill()
    orphan = int(fake_evaluators.notes("begun")[0])
    os.kill(orphan, 0)
    run(Campaign.open(campaign.folder), Program.from_dict(document), budget=1)
    assert gone(orphan)
    assert campaign.counts()["ok"] == 1


def test_several_processes_ask_and_tell_one_campaign(start: Callable[..., Campaign]) -> None:
    campaign = start()

    def work() -> None:
        mine = Campaign.open(campaign.folder)
        for _ in range(5):
            batch = mine.ask(2)
            for row in batch.itertuples():
                mine.tell([row.id], [row.m * row.g])

    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    table = campaign.queries
    assert table["id"].is_unique
    assert not table.duplicated(["m", "g"]).any()
    assert (table["y"] == table["m"] * table["g"]).all()
    assert len(table) == 30
    state = json.loads((campaign.folder / "state.json").read_text())
    assert state["counts"]["ok"] == 30
