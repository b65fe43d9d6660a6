"""Runs: what is asked, evaluated and told, in which order, and when it ends."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_evaluators
import pytest
from click.testing import Result
from fake_evaluators import FLAGS, place, wait_for

from limen.active import Campaign, stopping
from limen.active.evaluators import Outcome, Program
from limen.active.interrupts import Interrupts
from limen.active.running import run
from limen.errors import CampaignError, StorageError, UsageError

SPACE = {"m": {"range": [0.0, 1000.0], "unit": "GeV"}, "g": (0.0, 1.0)}


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


def asked(campaign: Campaign) -> list[tuple[Any, ...]]:
    """Give what was asked, to the last bit."""
    table = campaign.queries
    return list(table[["id", "round", "origin", "m", "g"]].itertuples(index=False, name=None))


def events(campaign: Campaign) -> list[str]:
    """Give the kinds of events and how many points each has."""
    lines = (campaign.folder / "queries.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    return [f"{e['event']} {len(e.get('points', e.get('results', ())))}" for e in told]


def test_a_run_in_process_asks_a_batch_when_the_one_before_is_told(
    start: Callable[..., Campaign],
) -> None:
    campaign = start()
    ran = run(campaign, fake_evaluators.product, batch=2, budget=5)
    assert events(campaign) == ["ask 2", "tell 1", "tell 1"] * 2 + ["ask 1", "tell 1"]
    assert (ran.evaluated, ran.asked, ran.counts["ok"]) == (5, 5, 5)
    assert ran.reason == "5 points asked of a budget of 5"
    table = campaign.queries
    assert (table["y"] == table["m"] * table["g"]).all()


def test_what_is_pending_comes_first_and_what_was_submitted_is_left_alone(
    start: Callable[..., Campaign],
) -> None:
    campaign = start()
    ids = list(campaign.ask(3)["id"])
    campaign.submitted([ids[1]], "JEDI 4711")
    ran = run(campaign, place("product"), budget=4)
    assert ran.evaluated == 3
    assert list(campaign.pending["id"]) == [ids[1]]
    assert events(campaign)[2:] == ["tell 1", "tell 1", "ask 1", "tell 1"]


def test_a_budget_that_is_spent_asks_nothing(start: Callable[..., Campaign]) -> None:
    campaign = start()
    campaign.ask(3)
    assert run(campaign, place("product"), budget=2).evaluated == 3
    assert run(campaign, place("product"), budget=3).evaluated == 0


def test_failures_are_told_with_reason_and_count(start: Callable[..., Campaign]) -> None:
    campaign = start()
    ran = run(campaign, place("mixed"), executor="processes", workers=2, budget=20, timeout=0.3)
    assert ran.asked == 20
    assert ran.counts["ok"] + ran.counts["failed"] == 20
    reasons = " ".join(campaign.status()["failures"])
    for part in ("raised ValueError: no convergence", "y: found nan", "returned '12.5'"):
        assert part in reasons
    for part in ("took longer than 0.3 s", "died (signal SIGKILL)", "raised SystemExit"):
        assert part in reasons
    table = campaign.queries
    assert (table.loc[table["m"] >= 600, "status"] == "ok").all()


@pytest.mark.parametrize("options", [{}, {"executor": "processes", "workers": 2}])
def test_a_run_in_which_all_fails_stops_after_a_batch_and_begins_with_it_when_mended(
    start: Callable[..., Campaign], options: dict[str, Any]
) -> None:
    campaign = start()
    ran = run(campaign, place("never"), budget=60, batch=6, **options)
    assert 6 <= ran.asked <= 8
    assert "points failed" in ran.reason
    assert "raised ValueError: no card" in ran.reason
    before = asked(campaign)
    ran = run(campaign, place("product"), budget=10, batch=6, **options)
    assert (ran.asked, ran.evaluated, ran.counts["ok"]) == (10, 10, 10)
    assert asked(campaign)[: len(before)] == before


def test_failures_after_a_success_do_not_end_a_run(start: Callable[..., Campaign]) -> None:
    campaign = start()
    run(campaign, place("product"), budget=1)
    assert run(campaign, place("never"), budget=15, batch=5).asked == 15


def test_the_verb_says_that_all_fails(
    start: Callable[..., Campaign], limen: Callable[..., Result]
) -> None:
    result = limen("campaign", "run", start().folder, "--python", place("never"), "--budget", 60)
    assert result.exit_code == 1
    assert "all 10 points failed, 10 of them with: raised ValueError: no card" in result.output


def test_the_verb_runs_a_line(
    start: Callable[..., Campaign], limen: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "limit.py").write_text(
        "import csv, sys\n"
        "point = next(csv.DictReader(open(sys.argv[1])))\n"
        "value = float(point['m']) * float(point['g'])\n"
        "open(sys.argv[2], 'w').write(f'y\\n{value!r}\\n')\n"
    )
    campaign = start()
    line = f"{sys.executable} {tmp_path / 'limit.py'} {{input}} {{output}}"
    result = limen("campaign", "run", campaign.folder, "--command", line, "--budget", 3)
    assert result.exit_code == 0, result.output
    table = campaign.queries
    assert (table["y"] == table["m"] * table["g"]).all()


def test_a_line_finds_its_files_from_here(tmp_path: Path) -> None:
    (tmp_path / "limit.py").write_text("print('y')\nprint(2.5)\n")
    program = Program.from_command("{python} limit.py {output}", here=tmp_path)
    assert program.told.command == ("{python}", str(tmp_path / "limit.py"), "{output}")
    assert program.told.files == (tmp_path / "limit.py",)
    assert program.told.input is None
    with pytest.raises(UsageError, match="ends within a quote"):
        Program.from_command("prog '{input}")


def test_a_value_that_the_campaign_refuses_is_a_failure(start: Callable[..., Campaign]) -> None:
    campaign = start(outputs={"y": {"threshold": 1.0, "scale": "log"}})
    run(campaign, lambda m, g: 500.0 - m, budget=8)
    table = campaign.queries
    assert (table["status"] == table["m"].lt(500).map({True: "ok", False: "failed"})).all()
    assert "with scale log, allowed above 0" in table.loc[table["m"] > 500, "message"].iloc[0]


def test_statuses_errors_and_costs_reach_the_campaign(start: Callable[..., Campaign]) -> None:
    campaign = start()
    kinds = ["ok", "invalid", "censored"]
    left = list(kinds)

    def function(point: Any) -> Outcome:
        return Outcome({"y": 1.0}, {"y": 0.1}, left.pop(0), "why", 7.0)

    run(campaign, function, budget=3)
    table = campaign.queries
    assert list(table["status"]) == kinds
    assert set(table["cost"]) == {7.0}
    assert set(table["message"]) == {"why"}
    assert table["y_err"].tolist()[::2] == [0.1, 0.1]


@pytest.mark.parametrize(("retries", "status"), [(0, "failed"), (1, "ok")])
def test_a_failed_evaluation_is_tried_again(
    start: Callable[..., Campaign], retries: int, status: str
) -> None:
    campaign = start()
    options = {"executor": "processes", "workers": 1, "retries": retries}
    run(campaign, place("dies_once"), budget=2, **options)
    assert list(campaign.queries["status"]) == [status, "ok"]


def test_a_slow_point_does_not_hold_the_batch(start: Callable[..., Campaign]) -> None:
    campaign = start()
    run(campaign, place("slow_at_first"), executor="processes", workers=2, budget=6)
    kinds = events(campaign)
    # One worker slept at the first point while the other got all that followed.
    assert kinds[:2] == ["ask 2", "tell 1"]
    assert kinds.count("ask 1") >= 3
    slow = campaign.queries["cost"].idxmax()
    order = [json.loads(line) for line in (campaign.folder / "queries.jsonl").open()]
    told = [e["results"][0]["id"] for e in order if e["event"] == "tell"]
    assert told.index(campaign.queries["id"][slow]) >= 3


def test_points_may_be_asked_ahead(start: Callable[..., Campaign]) -> None:
    campaign = start()
    options = {"executor": "processes", "workers": 1, "max_pending": 4}
    run(campaign, place("product"), budget=6, batch=3, **options)
    assert [kind for kind in events(campaign) if kind != "tell 1"] == ["ask 3", "ask 3"]
    assert events(campaign).index("ask 3", 1) <= 3
    assert campaign.counts()["ok"] == 6


def test_a_rule_ends_a_run(start: Callable[..., Campaign]) -> None:
    campaign = start()
    ran = run(campaign, place("product"), stop=stopping.budget(7), batch=5)
    assert (ran.asked, ran.reason) == (10, "10 points asked of a budget of 7")


def test_a_rule_speaks_once_per_batch_where_workers_ask(start: Callable[..., Campaign]) -> None:
    campaign = start()
    spoken: list[int] = []

    def rule(campaign: Campaign) -> str | None:
        spoken.append(campaign.counts()["ok"])
        return "enough" if spoken[-1] >= 8 else None

    ran = run(campaign, place("product"), stop=rule, batch=4, executor="processes", workers=2)
    assert ran.reason == "enough"
    assert len(spoken) <= 4
    assert ran.counts["pending"] == 0


def test_a_run_ends_where_no_point_is_left(start: Callable[..., Campaign]) -> None:
    campaign = start(
        space={"m": {"values": [1.0, 2.0]}, "g": {"values": [1.0, 2.0]}}, strategy="grid"
    )
    ran = run(campaign, place("product"), budget=100, executor="processes", workers=3)
    assert "no point left" in ran.reason
    assert (ran.asked, ran.counts["ok"]) == (4, 4)


def test_a_run_tells_what_it_does(
    start: Callable[..., Campaign], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    with caplog.at_level(logging.INFO, "limen"):
        run(start(), place("product"), budget=3, progress=seen.append)
    assert [counts["ok"] for counts in seen] == [1, 2, 3]
    assert "3 ok; stopped: 3 points asked of a budget of 3" in caplog.text


def test_a_point_that_another_told_meanwhile_stays(
    start: Callable[..., Campaign], caplog: pytest.LogCaptureFixture
) -> None:
    campaign = start()

    def function(m: float, g: float) -> float:
        other = Campaign.open(campaign.folder)
        other.tell(list(other.pending["id"])[:1], [5.0])
        return 6.0

    run(campaign, function, budget=1)
    assert campaign.queries["y"].tolist() == [5.0]
    assert "told before" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "found neither budget nor rule"),
        ({"budget": 0}, "budget: found 0"),
        ({"budget": 5, "batch": 0}, "batch: found 0"),
        ({"budget": 5, "max_pending": -1}, "max_pending: found -1"),
        ({"budget": 5, "retries": -1}, "retries: found -1"),
        ({"budget": 5, "executor": "threads"}, "executor: found 'threads'"),
    ],
)
def test_options_that_do_not_fit_ask_nothing(
    start: Callable[..., Campaign], options: dict[str, Any], reason: str
) -> None:
    campaign = start()
    with pytest.raises(UsageError) as error:
        run(campaign, place("product"), **options)
    assert reason in str(error.value)
    assert campaign.counts()["pending"] == 0


def test_an_evaluator_that_does_not_fit_asks_nothing(start: Callable[..., Campaign]) -> None:
    campaign = start()
    with pytest.raises(UsageError, match="allowed the parameters m, g by name"):
        run(campaign, lambda m: m, budget=3)
    assert events(campaign) == []


def test_a_program_runs_in_the_campaign(start: Callable[..., Campaign]) -> None:
    campaign = start()
    told = {"command": ["{python}", "-I", "-S", "-c", "print('y'); print({m} * {g})"]}
    made = Program.from_dict(told | {"output": {"format": "csv", "file": "-"}})
    run(campaign, made, budget=2)
    table = campaign.queries
    assert table["y"].tolist() == pytest.approx((table["m"] * table["g"]).tolist(), rel=1e-15)
    for name in table["id"]:
        assert (campaign.folder / "points" / name / "log.txt").is_file()


def test_retries_and_time_of_a_program_are_those_of_its_document(
    start: Callable[..., Campaign],
) -> None:
    campaign = start()
    told = {"command": ["{python}", "-I", "-S", "-c", "import time; time.sleep(60)", "{m} {g}"]}
    told |= {"output": {"format": "csv"}, "retries": 1, "timeout": 0.2}
    run(campaign, Program.from_dict(told), budget=1)
    assert campaign.queries["message"].tolist() == ["took longer than 0.2 s"]
    (log,) = campaign.folder.glob("points/*/log.txt")
    assert log.read_text().count("$ ") == 2


def test_only_one_run_evaluates_the_points_of_a_campaign(start: Callable[..., Campaign]) -> None:
    campaign = start()

    def function(m: float, g: float) -> float:
        with pytest.raises(CampaignError, match="another run evaluates the points"):
            run(Campaign.open(campaign.folder), place("product"), budget=5)
        return 1.0

    run(campaign, function, budget=1)
    assert campaign.counts()["ok"] == 1


def test_a_full_disk_ends_a_run_and_loses_nothing(
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(48)
    campaign = Campaign.start(
        disk / "campaign", space=SPACE, outputs={"y": {"threshold": 200.0}}, strategy="sobol"
    )
    with pytest.raises(StorageError, match="the disk is full"):
        run(campaign, place("product"), budget=2000)
    again = Campaign.open(campaign.folder)
    told = again.counts()["ok"]
    assert told > 10
    assert again.counts()["failed"] == 0
    size = (campaign.folder / "queries.jsonl").stat().st_size
    subprocess.run(["mount", "-o", "remount,size=4M", str(disk)], check=True)
    run(again, place("product"), budget=told + 20)
    assert again.counts()["ok"] == told + 20
    assert (campaign.folder / "queries.jsonl").stat().st_size > size


@pytest.mark.parametrize("which", ["sequential", "processes"])
def test_a_disk_that_is_full_for_a_program_is_no_failure_of_points(
    small_disk: Callable[[int], Path], which: str
) -> None:
    disk = small_disk(400)
    campaign = Campaign.start(
        disk / "campaign", space=SPACE, outputs={"y": {"threshold": 200.0}}, strategy="sobol"
    )
    code = "print('y'); print({m} * {g}); open('ballast', 'w').write('x' * 60_000)"
    told = {"command": ["{python}", "-I", "-S", "-c", code]}
    made = Program.from_dict(told | {"output": {"format": "csv", "file": "-"}})
    with pytest.raises(StorageError, match="the disk is full"):
        run(campaign, made, budget=50, executor=which)
    assert campaign.counts()["failed"] == 0
    assert campaign.counts()["ok"] >= 2


def test_an_interrupt_waits_until_a_result_is_written() -> None:
    import signal

    interrupts, done = Interrupts(), []

    def work() -> None:
        with interrupts.caught():
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("written")
            done.append("never")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGTERM) is before


# --- limen campaign run


def test_the_verb_runs_a_function(
    start: Callable[..., Campaign], limen: Callable[..., Result]
) -> None:
    folder = start().folder
    result = limen("campaign", "run", folder, "--python", place("product"), "--budget", 3)
    assert result.exit_code == 0, result.output
    assert "3 points evaluated, 3 ok of 3" in result.output
    assert "stopped: 3 points asked of a budget of 3" in result.output


def test_the_verb_runs_a_program_and_answers_in_json(
    start: Callable[..., Campaign], tmp_path: Path, limen: Callable[..., Result]
) -> None:
    document = {"command": ["{python}", "-I", "-S", "-c", "print('y'); print({m} * {g})"]}
    document |= {"output": {"format": "csv", "file": "-"}}
    (tmp_path / "evaluator.json").write_text(json.dumps(document))
    line = ["--evaluator", tmp_path / "evaluator.json", "--budget", 2, "--json"]
    result = limen("campaign", "run", start().folder, *line, "--cache", tmp_path / "cache")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["evaluated"], answer["counts"]["ok"]) == (2, 2)
    assert len(list((tmp_path / "cache").glob("*/*.json"))) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (["--budget", 3], "give --command"),
        (["--python", "math:sin"], "found neither budget nor rule"),
        (["--python", "math:sin", "--cache", "c", "--budget", 3], "goes with programs only"),
        (["--python", "math:nothing", "--budget", 3], "found no 'nothing' there"),
        (["--python", "math:sin", "--until-error", 0.7], "mass_below: found 0.7"),
        (["--python", "math:sin", "--until-unchanged", 0], "unchanged_for: found 0 rounds"),
    ],
)
def test_the_verb_refuses_what_does_not_fit(
    start: Callable[..., Campaign], limen: Callable[..., Result], line: list[Any], reason: str
) -> None:
    result = limen("campaign", "run", start().folder, *line)
    assert result.exit_code == 2
    assert reason in result.output


def test_an_interrupted_verb_says_how_to_go_on(start: Callable[..., Campaign]) -> None:
    folder = start().folder
    program = str(Path(sys.executable).with_name("limen"))
    line = [program, "campaign", "run", str(folder), "--budget", "3"]
    with subprocess.Popen(
        [*line, "--python", place("hangs")], stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for("begun")
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 5
    assert "interrupted; all results are kept, 3 points are pending; run again" in said
    assert "Traceback" not in said
