"""Executors: in this process, in others, on a Dask cluster; with workers that hang and die."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_evaluators
import pytest
from fake_evaluators import FLAGS, gone, place, wait_for

from limen.active.evaluators import Job, Outcome, Program, PythonFunction
from limen.active.executors import Executor, executor_of
from limen.errors import UsageError

MIXED = {
    50.0: "raised ValueError: no convergence (fake_evaluators.py",
    150.0: "y: found nan, allowed a finite number",
    250.0: "returned '12.5', allowed a number or a mapping with y",
    350.0: "took longer than 0.5 s",
    450.0: "the process that evaluated it died (signal SIGKILL)",
    550.0: "raised SystemExit: given up",
    900.0: "",
}
IN_PROCESS = {m: reason for m, reason in MIXED.items() if m != 450.0}


@pytest.fixture(autouse=True)
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let evaluations leave notes."""
    folder = tmp_path / "flags"
    folder.mkdir()
    monkeypatch.setenv(FLAGS, str(folder))
    return folder


def job(name: str) -> Job:
    return Job(PythonFunction(place(name)), ("y",))


def outcomes(executor: Executor, masses: Any) -> dict[float, Outcome]:
    """Evaluate points, as many at a time as the executor takes."""
    waiting, found = list(masses), {}
    flying = 0
    try:
        while waiting or flying:
            while waiting and flying < executor.slots():
                executor.submit(f"{waiting[0]:g}", {"m": waiting[0], "g": 0.5})
                waiting, flying = waiting[1:], flying + 1
            for name, outcome in executor.completed():
                found[float(name)] = outcome
                flying -= 1
    finally:
        executor.close()
    return found


@pytest.mark.parametrize(
    ("which", "masses"),
    [("sequential", IN_PROCESS), ("processes", MIXED)],
    ids=["sequential", "processes"],
)
def test_evaluations_that_break_leave_the_others_alone(
    which: str, masses: dict[float, str]
) -> None:
    workers = None if which == "sequential" else 2
    executor = executor_of(which, job("mixed"), workers=workers, timeout=0.5)
    found = outcomes(executor, masses)
    for m, reason in masses.items():
        assert reason in found[m].message
        assert found[m].status == ("failed" if reason else "ok")
    assert found[900.0].values == {"y": 450.0}


def test_points_are_evaluated_in_order_in_this_process() -> None:
    executor = executor_of("sequential", job("product"))
    for m in (3.0, 1.0, 2.0):
        executor.submit(f"{m:g}", {"m": m, "g": 1.0})
    assert [executor.completed()[0][0] for _ in range(3)] == ["3", "1", "2"]


def test_what_a_function_prints_stays_out_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    executor = executor_of("sequential", Job(PythonFunction(lambda m, g: print("hello")), ("y",)))
    outcomes(executor, [1.0])
    assert capsys.readouterr().out == ""


def test_a_slow_point_holds_no_other() -> None:
    executor = executor_of("processes", job("slow_at_first"), workers=2)
    found = outcomes(executor, [1.0, 2.0, 3.0, 4.0])
    assert {outcome.status for outcome in found.values()} == {"ok"}
    slowest = max(found, key=lambda m: found[m].cost or 0.0)
    assert [float(line) for line in fake_evaluators.notes("evaluated")][-1] == slowest


def test_a_killed_evaluation_ends_with_what_it_started() -> None:
    executor = executor_of("processes", job("hangs_with_a_child"), workers=1, timeout=0.5)
    assert "took longer" in outcomes(executor, [1.0])[1.0].message
    assert gone(int(fake_evaluators.notes("child")[0]))


def test_closing_ends_evaluations_in_flight() -> None:
    executor = executor_of("processes", job("hangs"), workers=1)
    executor.submit("1", {"m": 1.0, "g": 1.0})
    wait_for("begun")
    executor.close()
    assert gone(int(fake_evaluators.notes("begun")[0]))


def test_closing_ends_the_programs_of_workers(tmp_path: Path) -> None:
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    told = {
        "command": ["{python}", "-c", code, str(tmp_path / "flags" / "begun"), "{m}{g}"],
        "output": {"format": "csv"},
    }
    made = Program.from_dict(told).kept_in(tmp_path, ("y",), None)
    executor = executor_of("processes", Job(made, ("y",)), workers=1)
    executor.submit("1", {"m": 1.0, "g": 1.0})
    wait_for("begun")
    executor.close()
    assert gone(int(fake_evaluators.notes("begun")[0]))


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        textwrap.dedent(
            f"""
            from limen.active import Campaign
            from limen.active.running import run
            campaign = Campaign.start(
                {str(tmp_path / "campaign")!r}, space={{"m": (0.0, 1.0), "g": (0.0, 1.0)}},
                outputs={{"y": {{}}}}, strategy="random",
            ) if not __import__("os").path.exists({str(tmp_path / "campaign")!r}) else (
                Campaign.open({str(tmp_path / "campaign")!r})
            )
            run(campaign, {place("product")!r}, executor="processes", workers=1, budget=2)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "a script that starts a run needs 'if __name__" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("which", "options", "reason"),
    [
        ("threads", {}, "executor: found 'threads', allowed sequential, processes, dask"),
        ("sequential", {"workers": 2}, "workers: found 2 with the executor sequential"),
        ("processes", {"workers": 0}, "workers: found 0, allowed 1 to"),
        ("processes", {"timeout": 0.0}, "timeout: found 0 s"),
        ("processes", {"address": "tcp://a:1"}, "allowed with dask only"),
        ("dask", {"address": "nowhere"}, "no scheduler answers at nowhere"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    which: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError) as error:
        executor_of(which, job("product"), **options)
    assert reason in str(error.value)


def test_time_is_not_limited_in_a_thread_of_this_process() -> None:
    found: list[UsageError] = []

    def start() -> None:
        try:
            executor_of("sequential", job("product"), timeout=1.0)
        except UsageError as error:
            found.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "allowed with the executors processes and dask" in str(found[0])


@pytest.mark.parametrize("which", ["processes", "dask"])
def test_a_function_that_stays_here_is_refused_elsewhere(which: str) -> None:
    with pytest.raises(UsageError, match="other processes cannot find it"):
        executor_of(which, Job(PythonFunction(lambda m, g: m), ("y",)))


# --- Dask


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which evaluations on workers leave notes."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, notebook: Path) -> Iterator[Any]:
    """Start a cluster of two workers, each a process."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FLAGS, str(notebook))
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address=":0",
                local_directory=tmp_path_factory.mktemp("dask"),
                silence_logs=50,
            ) as cluster,
            distributed.Client(cluster) as found,
        ):
            yield found


@pytest.fixture
def on_workers(client: Any, notebook: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the client; evaluations leave notes, also on workers that start again."""
    monkeypatch.setenv(FLAGS, str(notebook))
    return client


def test_points_of_a_killed_worker_run_again_elsewhere(on_workers: Any) -> None:
    executor = executor_of(on_workers, job("killed_while_it_runs"))
    assert executor.slots() == 2
    found: list[dict[float, Outcome]] = []
    thread = threading.Thread(target=lambda: found.append(outcomes(executor, range(1, 7))))
    thread.start()
    wait_for("begun")
    os.kill(int(fake_evaluators.notes("begun")[0]), 9)
    (Path(os.environ[FLAGS]) / "go").touch()
    thread.join(60)
    assert {outcome.status for outcome in found[0].values()} == {"ok"}
    assert len(found[0]) == 6
    # The point that was being evaluated began twice.
    assert len(fake_evaluators.notes("begun")) == 7


def test_what_breaks_on_a_cluster_leaves_the_others_alone(on_workers: Any) -> None:
    found = outcomes(executor_of(on_workers, job("mixed")), [50.0, 150.0, 250.0, 900.0])
    assert {m: MIXED[m] in found[m].message for m in found} == dict.fromkeys(found, True)
    assert found[900.0].values == {"y": 450.0}


def test_an_evaluation_that_hangs_on_a_cluster_is_ended(on_workers: Any) -> None:
    found = outcomes(executor_of(on_workers, job("mixed"), timeout=0.5), [350.0, 900.0])
    assert found[350.0].message == "took longer than 0.5 s"
    assert found[900.0].status == "ok"


def test_a_cluster_is_reached_by_its_address(client: Any) -> None:
    address = client.scheduler_info()["address"]
    found = outcomes(executor_of("dask", job("product"), address=address), [2.0])
    assert found[2.0].values == {"y": 1.0}
    assert client.status == "running"
