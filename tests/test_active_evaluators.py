"""Evaluators: functions, external programs, files that others evaluate."""

from __future__ import annotations

import json
import pickle
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fake_evaluators
import numpy as np
import pytest
from fake_evaluators import gone

from limen.active import Campaign, Problem, Space, outputs_from_mapping
from limen.active.evaluators import (
    Input,
    Job,
    Outcome,
    Program,
    PythonFunction,
    described,
    outcome_of,
    read_description,
    tell_drop,
    write_drop,
)
from limen.errors import CampaignError, ReadError, SchemaError, UsageError

SPACE = {"m": {"range": [0.0, 1000.0], "unit": "GeV"}, "g": {"range": [0.1, 1.0], "scale": "log"}}
POINT = {"m": 500.0, "g": 0.1}
CSV = {"format": "csv", "file": "-"}


def problem(*outputs: str) -> Problem:
    told = {name: {"threshold": 0.0} for name in outputs or ("y",)}
    return Problem(Space.from_mapping(SPACE), outputs_from_mapping(told))


def evaluated(returned: Any, outputs: tuple[str, ...] = ("y",)) -> Outcome:
    return Job(PythonFunction(lambda point: returned), outputs)("a-1", POINT)


# --- what an evaluation gives


@pytest.mark.parametrize(
    ("returned", "values", "errors"),
    [
        (2, {"y": 2.0}, {}),
        (np.float32(2), {"y": 2.0}, {}),
        (np.array(2.0), {"y": 2.0}, {}),
        ({"y": 2.0, "y_err": 0.1}, {"y": 2.0}, {"y": 0.1}),
        (Outcome({"y": 2.0}, {"y": 0.1}), {"y": 2.0}, {"y": 0.1}),
    ],
    ids=["int", "float32", "0-d array", "mapping", "outcome"],
)
def test_numbers_mappings_and_outcomes_are_results(returned: Any, values: Any, errors: Any) -> None:
    outcome = outcome_of(returned, ["y"])
    assert (outcome.status, outcome.values, outcome.errors) == ("ok", values, errors)


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (float("nan"), "y: found nan, allowed a finite number"),
        (float("inf"), "y: found inf, allowed a finite number"),
        ("12.5", "returned '12.5', allowed a number or a mapping with y"),
        ({"y": "12.5"}, "y: found '12.5', allowed a finite number"),
        (True, "allowed a number"),
        (None, "returned None"),
        (np.zeros(3), "returned ndarray"),
        ([1.0], "returned list"),
        ({}, "y: found nothing"),
        ({"z": 1.0}, "found z, allowed y; y: found nothing"),
        ({"y": 1.0, "y_err": -1.0}, "y_err: found -1.0, allowed a number of 0 or more"),
        ({"y": 1.0, "status": "fine"}, "status: found 'fine', allowed ok, failed"),
        ({"y": 1.0, "cost": "much"}, "cost: found 'much'"),
        ({"status": "censored"}, "y: found nothing"),
    ],
)
def test_whatever_is_no_result_fails_with_the_reason(returned: Any, reason: str) -> None:
    outcome = evaluated(returned)
    assert outcome.status == "failed"
    assert reason in outcome.message


def test_a_number_alone_is_no_result_for_two_outputs() -> None:
    assert "allowed a mapping with obs, exp" in outcome_of(1.0, ["obs", "exp"]).message


@pytest.mark.parametrize("status", ["failed", "invalid"])
def test_a_point_without_a_value_says_why(status: str) -> None:
    outcome = evaluated({"status": status, "message": "tachyon", "cost": 3})
    assert (outcome.status, outcome.message, outcome.cost) == (status, "tachyon", 3.0)


def test_a_bound_is_censored() -> None:
    outcome = evaluated({"y": 1.0, "status": "censored"})
    assert (outcome.status, outcome.values) == ("censored", {"y": 1.0})


def test_the_time_by_the_clock_is_the_cost_where_nobody_says() -> None:
    assert evaluated(1.0).cost is not None


# --- functions


@pytest.mark.parametrize(
    "function",
    [
        lambda m, g: m * g,
        lambda g, m, extra=1: m * g * extra,
        lambda **point: point["m"] * point["g"],
        lambda point: point["m"] * point["g"],
        lambda x, *, scale=1.0: x["m"] * x["g"] * scale,
    ],
    ids=["names", "other order", "keywords", "mapping", "mapping and option"],
)
def test_a_function_takes_names_or_a_mapping(function: Callable[..., Any]) -> None:
    made = PythonFunction(function)
    made.check(problem())
    assert made(POINT, "a-1") == pytest.approx(50.0)


@pytest.mark.parametrize(
    "function",
    [lambda m: m, lambda m, g, h: m, lambda a, b: a, lambda: 1.0],
    ids=["one missing", "one too many", "other names", "none"],
)
def test_a_function_that_takes_other_parameters_is_refused_at_once(
    function: Callable[..., Any],
) -> None:
    with pytest.raises(UsageError, match="allowed the parameters m, g by name, or one mapping"):
        PythonFunction(function).check(problem())


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ValueError("no convergence"), "raised ValueError: no convergence (test_active"),
        (SystemExit(3), "raised SystemExit: 3"),
        (KeyError("m1"), "raised KeyError: 'm1'"),
    ],
)
def test_a_function_that_raises_fails_with_reason_and_place(
    raised: BaseException, reason: str
) -> None:
    def function(point: Any) -> float:
        raise raised

    outcome = Job(PythonFunction(function), ("y",))("a-1", POINT)
    assert outcome.status == "failed"
    assert reason in outcome.message


def test_an_interrupt_is_no_failure_of_the_point() -> None:
    def function(point: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Job(PythonFunction(function), ("y",))("a-1", POINT)


def test_a_function_is_found_in_a_file_beside_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "neighbour_of_it.py").write_text("FACTOR = 3\n")
    (tmp_path / "mine.py").write_text(
        "from neighbour_of_it import FACTOR\n\ndef f(m, g):\n    return FACTOR * m\n"
    )
    monkeypatch.chdir(tmp_path)
    made = PythonFunction("mine.py:f")
    monkeypatch.chdir("/")
    assert made(POINT, "a-1") == 1500.0
    assert pickle.loads(pickle.dumps(made))(POINT, "a-1") == 1500.0


def test_a_function_is_found_in_a_module_of_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "module_of_here.py").write_text("class A:\n    f = staticmethod(lambda m, g: m)\n")
    monkeypatch.chdir(tmp_path)
    assert PythonFunction("module_of_here:A.f")(POINT, "a-1") == 500.0


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("math", "found 'math', allowed 'package.module:name'"),
        ("math:sinus", "found no 'sinus' there"),
        ("math:pi", "found no function there"),
        ("no_such_module:f", "cannot be imported"),
        ("no_such_file.py:f", "found no file"),
        (fake_evaluators.place("nothing"), "found no 'nothing' there"),
    ],
)
def test_a_place_without_a_function_is_refused(place: str, reason: str) -> None:
    with pytest.raises(UsageError, match=r"^function") as error:
        PythonFunction(place)
    assert reason in str(error.value)


def test_a_file_that_does_not_load_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(UsageError, match=r"cannot be loaded .ZeroDivisionError"):
        PythonFunction(f"{tmp_path}/bad.py:f")


def test_a_function_that_other_processes_cannot_find_is_refused() -> None:
    with pytest.raises(UsageError, match="other processes cannot find it"):
        PythonFunction(lambda m, g: m).check_portable()


# --- programs


def program(
    code: str, output: Mapping[str, Any] = CSV, *, words: tuple[str, ...] = (), **rest: Any
) -> Program:
    """Give a program that is a few lines of Python."""
    lines = textwrap.dedent(code)
    command = ["{python}", "-I", "-S", "-c", lines, "{m}", "{g}", *words]
    return Program.from_dict({"command": command, "output": dict(output), **rest})


def run_in(folder: Path, made: Program, *outputs: str, timeout: float | None = None) -> Outcome:
    bound = made.kept_in(folder / "points", outputs or ("y",), timeout)
    bound.check(problem(*outputs))
    return Job(bound, outputs or ("y",))("a-000001", POINT)


def test_numbers_reach_a_program_as_they_are(tmp_path: Path) -> None:
    code = "import sys; print('y'); print(repr(float(sys.argv[1]) / 3 + float(sys.argv[2])))"
    assert run_in(tmp_path, program(code)).values == {"y": 500.0 / 3 + 0.1}


@pytest.mark.parametrize(
    "given",
    [
        {"format": "slha", "values": {"m": "MSOFT 1", "g": "MINPAR 3"}},
        {"format": "slha", "template": "card.slha"},
        {"format": "csv"},
        {"format": "json", "values": {"m": "mass", "g": "g"}},
    ],
    ids=["slha", "slha template", "csv", "json"],
)
def test_input_files_hold_the_point(tmp_path: Path, given: dict[str, Any]) -> None:
    (tmp_path / "card.slha").write_text(
        "BLOCK MSOFT # {not a name}\n 1 {m}\nBLOCK MINPAR\n 3 {g}\n"
    )
    code = (
        "import sys; sys.stdout.write('y\\n1\\n'); print(open(sys.argv[1]).read(), file=sys.stderr)"
    )
    told = {"command": ["{python}", "-c", code, "{input}"], "input": given, "output": CSV}
    made = Program.from_dict(told, here=tmp_path)
    assert run_in(tmp_path, made).status == "ok"
    folder = tmp_path / "points" / "a-000001"
    text = (folder / f"input.{given['format']}").read_text()
    assert text.strip() in (folder / "log.txt").read_text()
    if given["format"] == "slha":
        from limen.slha import Address, parse, value_of

        spectrum = parse(text.encode())
        assert value_of(spectrum, [Address.from_text("MSOFT 1")]).value == 500.0
        assert value_of(spectrum, [Address.from_text("MINPAR 3")]).value == 0.1
    elif given["format"] == "csv":
        assert text == "m,g\n500,0.1\n"
    else:
        assert json.loads(text) == {"mass": 500.0, "g": 0.1}


@pytest.mark.parametrize(
    ("output", "text", "values"),
    [
        ({"format": "csv"}, "b,y,a\\n1,2.5,x\\n", {"y": 2.5}),
        ({"format": "csv", "values": {"y": "limit"}}, "limit\\ty\\n2.5\\t3\\n", {"y": 2.5}),
        ({"format": "json"}, '{"y": 2.5, "other": [1]}', {"y": 2.5}),
        ({"format": "json", "values": {"y": "a.0.b"}}, '{"a": [{"b": 2.5}]}', {"y": 2.5}),
        (
            {"format": "slha", "values": {"y": "XSEC 1"}},
            "BLOCK XSEC\\n 1 2.5D0 # pb\\n",
            {"y": 2.5},
        ),
    ],
    ids=["columns in any order", "other names", "json", "path", "slha"],
)
def test_output_files_are_read_by_name(
    tmp_path: Path, output: dict[str, Any], text: str, values: Any
) -> None:
    code = f"import sys; open(sys.argv[3], 'w').write('{text}')"
    outcome = run_in(tmp_path, program(code, output, words=("{output}",)))
    assert (outcome.message, outcome.values) == ("", values)


def test_errors_status_and_cost_may_stand_beside_the_values(tmp_path: Path) -> None:
    code = "print('cost,y_err,y,status,message'); print('7,0.5,2,censored,no events')"
    outcome = run_in(tmp_path, program(code))
    assert outcome == Outcome({"y": 2.0}, {"y": 0.5}, "censored", "no events", 7.0)


@pytest.mark.parametrize(
    ("output", "text", "reason"),
    [
        ({"format": "csv"}, "", "found 0 rows, allowed a header and 1 row"),
        ({"format": "csv"}, "y\\n", "found 0 rows"),
        ({"format": "csv"}, "y\\n1\\n2\\n", "found 2 rows"),
        ({"format": "csv"}, "x,z\\n1,2\\n", "found no column y among x, z"),
        ({"format": "csv"}, "y,y\\n1,2\\n", "found the column 'y' twice"),
        ({"format": "csv"}, "y,z\\n1\\n", "found 1 fields, allowed 2"),
        ({"format": "csv"}, "y\\nabc\\n", "y: found 'abc', allowed a finite number"),
        ({"format": "csv"}, "y\\nNaN\\n", "y: found nan, allowed a finite number"),
        ({"format": "csv"}, "y,z\\n,1\\n", "y: found nothing"),
        ({"format": "json"}, "y = 1", "is no JSON"),
        ({"format": "json"}, "[1]", "found a list, allowed an object"),
        ({"format": "json"}, '{"y": "1.5"}', ""),
        ({"format": "json"}, '{"y": NaN}', "y: found nan"),
        ({"format": "json"}, '{"x": 1}', "found no name y among x"),
        ({"format": "slha", "values": {"y": "XSEC 1"}}, "y\\n", "outside of a block"),
        ({"format": "slha", "values": {"y": "XSEC 1"}}, "BLOCK A\\n 1 2\\n", "found no XSEC 1"),
    ],
)
def test_an_output_that_is_none_fails_with_the_reason(
    tmp_path: Path, output: dict[str, Any], text: str, reason: str
) -> None:
    code = f"import sys; open(sys.argv[3], 'w').write('{text}')"
    outcome = run_in(tmp_path, program(code, output, words=("{output}",)))
    assert outcome.status == ("failed" if reason else "ok")
    assert reason in outcome.message


def test_a_point_that_the_generator_calls_wrong_is_invalid(tmp_path: Path) -> None:
    code = "print('BLOCK SPINFO\\n 4 tachyonic stop')"
    output = {"format": "slha", "file": "-", "values": {"y": "XSEC 1"}}
    outcome = run_in(tmp_path, program(code, output))
    assert (outcome.status, outcome.message) == ("invalid", "the generator says: tachyonic stop")


def test_no_output_fails(tmp_path: Path) -> None:
    assert run_in(tmp_path, program("", {"format": "csv"})).message == "wrote no output.csv"


def test_what_an_earlier_try_left_is_no_answer(tmp_path: Path) -> None:
    folder = tmp_path / "points" / "a-000001"
    folder.mkdir(parents=True)
    (folder / "output.csv").write_text("y\n1\n")
    assert run_in(tmp_path, program("", {"format": "csv"})).message == "wrote no output.csv"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [(3, "invalid", "exit code 3: unphysical"), (4, "censored", ""), (5, "failed", "code 5")],
)
def test_exit_codes_have_a_meaning(tmp_path: Path, code: int, status: str, message: str) -> None:
    lines = (
        f"print('y'); print(1); import sys; print('unphysical', file=sys.stderr); sys.exit({code})"
    )
    made = program(lines, exit_codes={"invalid": [3], "censored": 4})
    outcome = run_in(tmp_path, made)
    assert outcome.status == status
    assert message in outcome.message


def test_a_program_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    code = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, flush=True)
        time.sleep(60)
    """
    outcome = run_in(tmp_path, program(code, {"format": "csv"}), timeout=0.5)
    assert outcome.message == "took longer than 0.5 s"
    log = (tmp_path / "points" / "a-000001" / "log.txt").read_text()
    assert gone(int(log.splitlines()[-1]))


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    code = "import sys; print('y'); print(float(sys.argv[3] == '$(echo 1); {unknown'))"
    made = program(code, words=("$(echo 1); {unknown",))
    assert run_in(tmp_path, made).values == {"y": 1.0}


def test_an_id_leads_into_no_other_folder(tmp_path: Path) -> None:
    made = program("").kept_in(tmp_path, ("y",), None)
    with pytest.raises(UsageError, match="allowed letters, digits"):
        made(POINT, "../elsewhere")


def test_finished_folders_are_removed_where_only_failed_ones_are_kept(tmp_path: Path) -> None:
    assert run_in(tmp_path, program("print('y\\n1')", keep="failed")).status == "ok"
    assert not (tmp_path / "points" / "a-000001").exists()


# --- the cache


COUNTING = """
    import sys
    print(open(sys.argv[3]).read().strip())
    open(sys.argv[4], "a").write("x")
"""


@pytest.fixture
def counted(tmp_path: Path) -> Callable[..., Program]:
    (tmp_path / "table.txt").write_text("y\n1\n")

    def make(**rest: Any) -> Program:
        words = (str(tmp_path / "table.txt"), str(tmp_path / "count"))
        return program(COUNTING, words=words, files=[str(tmp_path / "table.txt")], **rest)

    return make


def count(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text())


def test_a_result_is_found_again_by_another_campaign(
    tmp_path: Path, counted: Callable[..., Program]
) -> None:
    from dataclasses import replace

    for name in ("one", "two"):
        made = replace(counted(), cache=tmp_path / "shared")
        assert run_in(tmp_path / name, made).values == {"y": 1.0}
    assert count(tmp_path) == 1


@pytest.mark.parametrize("change", ["file", "command", "point", "output"])
def test_what_a_result_depends_on_is_part_of_its_key(
    tmp_path: Path, counted: Callable[..., Program], change: str
) -> None:
    assert run_in(tmp_path, counted()).values == {"y": 1.0}
    made, point = counted(), dict(POINT)
    if change == "file":
        (tmp_path / "table.txt").write_text("y\n3\n")
    elif change == "command":
        words = made.told.command[-2:]
        made = program(COUNTING + "\n", words=words, files=[str(tmp_path / "table.txt")])
    elif change == "point":
        point["g"] = float(np.nextafter(0.1, 1))
    else:
        made = counted(exit_codes={"invalid": [3]})
    bound = made.kept_in(tmp_path / "points", ("y",), None)
    bound(point, "a-000002")
    assert count(tmp_path) == 2


def test_failed_results_are_evaluated_again(tmp_path: Path) -> None:
    made = program("print('x'); print(1)")
    assert [run_in(tmp_path, made).status for _ in range(2)] == ["failed", "failed"]
    log = (tmp_path / "points" / "a-000001" / "log.txt").read_text()
    assert log.count("$ ") == 2


def test_a_damaged_result_is_evaluated_again(
    tmp_path: Path, counted: Callable[..., Program], caplog: pytest.LogCaptureFixture
) -> None:
    run_in(tmp_path, counted())
    (entry,) = (tmp_path / "points" / "results").glob("*/*.json")
    entry.write_text('{"values": {"y": ')
    assert run_in(tmp_path, counted()).values == {"y": 1.0}
    assert count(tmp_path) == 2
    assert "evaluated again" in caplog.text


# --- the document


FAULTS = {
    "commands": [],
    "command": "run.sh {input}",
    "input": {"format": "xml", "template": "missing.txt", "values": {"m": "MSOFT 1"}},
    "output": {"format": "slha", "values": {"y": "XSEC"}, "file": "../out"},
    "timeout": 0,
    "retries": -1,
    "exit_codes": {"invalid": [0], "broken": [2], "censored": ["a"]},
    "files": ["missing.py"],
    "keep": "none",
}


def test_all_faults_of_a_document_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(SchemaError) as error:
        described(FAULTS, tmp_path)
    pointers = {fault.pointer for fault in error.value.faults}
    assert pointers == {
        "/commands",
        "/command",
        "/input",
        "/input/format",
        "/input/template",
        "/output/values/y",
        "/output/file",
        "/timeout",
        "/retries",
        "/exit_codes/invalid",
        "/exit_codes/broken",
        "/exit_codes/censored",
        "/files/0",
        "/keep",
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"output": None}, "/output"),
        ({"output": {"format": "slha"}}, "/output/values"),
        ({"input": []}, "/input"),
        ({"input": {"format": "slha"}}, "/input"),
        ({"input": {"format": "csv", "values": [1]}}, "/input/values"),
        ({"files": "a"}, "/files"),
        ({"exit_codes": [3]}, "/exit_codes"),
        ({"exit_codes": {"invalid": [3], "censored": [3]}}, "/exit_codes/censored"),
        ({"timeout": True}, "/timeout"),
        ({"command": []}, "/command"),
    ],
)
def test_each_fault_of_a_document_is_found(change: dict[str, Any], pointer: str) -> None:
    right = {"command": ["true"], "output": {"format": "csv"}}
    described(right, Path())
    with pytest.raises(SchemaError) as error:
        described(right | change, Path())
    assert [fault.pointer for fault in error.value.faults] == [pointer]


@pytest.mark.parametrize("name", ["evaluator.yaml", "evaluator.json"])
def test_a_document_is_yaml_or_json(tmp_path: Path, name: str) -> None:
    document = {"command": ["true", "{m}"], "output": {"format": "csv"}, "timeout": 5}
    (tmp_path / name).write_text(json.dumps(document))
    made = read_description(tmp_path / name)
    assert (made.command, made.timeout, made.here) == (("true", "{m}"), 5.0, tmp_path)


def test_a_document_that_does_not_fit_the_campaign_is_refused_with_all_faults() -> None:
    made = Program.from_dict(
        {
            "command": ["no-such-program-at-all", "{mass}"],
            "input": {"format": "csv", "values": {"n": "n"}},
            "output": {"format": "csv", "values": {"z": "z"}},
        }
    )
    with pytest.raises(UsageError) as error:
        made.check(problem())
    text = str(error.value)
    for part in (
        "found {mass}, allowed folder, here, id, input, output, python and the parameters g, m",
        "/input/values: found n, allowed g, m",
        "found no {input}",
        "the parameters g, m go nowhere",
        "/output/values: found z, allowed y",
        "found no y, which are needed",
        "found no program 'no-such-program-at-all'",
    ):
        assert part in text


def test_a_template_names_parameters_only(tmp_path: Path) -> None:
    (tmp_path / "card").write_text("{m} {g} {h}")
    told = {"command": ["true", "{input}"], "output": {"format": "csv"}}
    made = Program.from_dict(told | {"input": {"format": "csv", "template": "card"}}, tmp_path)
    with pytest.raises(UsageError, match=r"/input/template: found \{h\}, allowed the parameters"):
        made.check(problem())


# --- files that others evaluate


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    outputs = {"y": {"threshold": 1.0, "scale": "log"}, "z": {"threshold": 0.0}}
    made = Campaign.start(tmp_path / "campaign", space=SPACE, outputs=outputs, strategy="sobol")
    made.ask(4)
    return made


def test_a_drop_holds_the_pending_points_and_marks_them(campaign: Campaign, tmp_path: Path) -> None:
    pending = campaign.pending
    assert write_drop(campaign, tmp_path / "points.csv", task="JEDI 4711") == list(pending["id"])
    lines = (tmp_path / "points.csv").read_text().splitlines()
    assert lines[0] == "id,m,g"
    first = lines[1].split(",")
    assert [float(cell) for cell in first[1:]] == list(pending.loc[0, ["m", "g"]])
    assert set(campaign.pending["task"]) == {"JEDI 4711"}
    with pytest.raises(CampaignError, match="no pending point is left to submit"):
        write_drop(campaign, tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_a_drop_of_chosen_points_leaves_the_others(campaign: Campaign, tmp_path: Path) -> None:
    ids = list(campaign.pending["id"])
    write_drop(campaign, tmp_path / "one.csv", ids=[ids[2]], task="")
    assert set(campaign.pending["task"]) == {""}
    assert (tmp_path / "one.csv").read_text().splitlines()[1].startswith(ids[2])
    with pytest.raises(CampaignError, match="other: is not pending"):
        write_drop(campaign, tmp_path / "two.csv", ids=["other"])


def test_a_drop_of_spectra_is_a_file_per_point(campaign: Campaign, tmp_path: Path) -> None:
    told = Input("slha", {"m": "MASS 1000022", "g": "EXTPAR 25"})
    ids = write_drop(campaign, tmp_path / "drop", spectra=told)
    names = sorted(path.name for path in (tmp_path / "drop").iterdir())
    assert names == sorted([*(f"{name}.slha" for name in ids), "points.csv"])
    assert "BLOCK MASS" in (tmp_path / "drop" / f"{ids[0]}.slha").read_text()
    assert set(campaign.pending["task"]) == {"drop"}


def results(campaign: Campaign, tmp_path: Path, text: str) -> Path:
    """Write a file of results in which ``{0}`` and so on are ids and points."""
    rows = campaign.pending.to_dict("records")
    words = {f"id{i}": row["id"] for i, row in enumerate(rows)}
    words |= {f"m{i}": repr(row["m"]) for i, row in enumerate(rows)}
    path = tmp_path / "results.csv"
    path.write_text(textwrap.dedent(text).strip().format(**words) + "\n", encoding="utf-8")
    return path


def test_results_are_told_in_any_order_and_in_parts(campaign: Campaign, tmp_path: Path) -> None:
    text = """
        message,z,m,status,id,y,y_err,cost,task
        ,1,{m2},,{id2},10,0.5,30,JEDI 4711
        tachyon,,,invalid,{id0},,,2,
        ,,{m1},,{id1},,,,
        ,-1,{m3},censored,{id3},0.5,,,
    """
    path = results(campaign, tmp_path, text)
    told = tell_drop(campaign, path)
    assert (len(told.recorded), told.faults) == (3, ())
    table = campaign.queries
    assert list(table["status"]) == ["invalid", "pending", "ok", "censored"]
    assert table.loc[2, ["y", "y_err", "z", "cost"]].tolist() == [10.0, 0.5, 1.0, 30.0]
    assert table.loc[0, "message"] == "tachyon"
    assert len(tell_drop(campaign, path).repeated) == 3


BAD = """
    id,y,z,m
    {id0},10,1,{m0}
    {id0},10,1,{m0}
    unknown-1,10,1,
    ,10,1,
    {id1},abc,1
    {id1},abc,1,{m1}
    {id2},10,1,{m3}
    {id3},-1,NaN,
"""


def test_all_faults_of_results_are_reported_together(campaign: Campaign, tmp_path: Path) -> None:
    path = results(campaign, tmp_path, BAD)
    with pytest.raises(CampaignError) as error:
        tell_drop(campaign, path)
    assert campaign.counts()["pending"] == 4
    text = str(error.value)
    assert text.startswith(f"{path}: 8 faults")
    for part in (
        "line 3 (",
        "this id stands in another row as well",
        "line 4 (unknown-1): unknown id",
        "line 5: found no id",
        "line 6: found 3 fields, allowed 4",
        "y: found 'abc', allowed a number",
        "this is the result of another point",
        "y: found -1 with scale log",
        "z: found NaN",
    ):
        assert part in text


def test_good_rows_are_taken_where_that_is_wanted(campaign: Campaign, tmp_path: Path) -> None:
    told = tell_drop(campaign, results(campaign, tmp_path, BAD), strict=False)
    assert len(told.recorded) == 1
    assert len(told.faults) == 8
    assert campaign.counts()["ok"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("y,z\n1,2", "header: found no id, allowed id, y, z, y_err, z_err, status"),
        ("id,y\n{id0},1", "header: found no z"),
        ("id,y,z,Y\n{id0},1,2,3", "header: found 'Y', allowed id, y, z"),
        ("id,y,z,y\n{id0},1,2,3", "header: found y twice"),
        ("id,y,z", "found a header and no row"),
        ("", "header: found no id, y, z"),
        ('id,y,z\n{id0},"1,2', "2 fields"),
    ],
)
def test_faults_of_the_header_are_told(
    campaign: Campaign, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(CampaignError) as error:
        tell_drop(campaign, results(campaign, tmp_path, text))
    assert reason in str(error.value)


@pytest.mark.parametrize("content", [None, b"id,y\n\xff\xfe"], ids=["none", "no text"])
def test_a_file_that_is_no_table_cannot_be_read(
    campaign: Campaign, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "results.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError, match=r"results\.csv"):
        tell_drop(campaign, path)
