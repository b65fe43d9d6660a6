"""The verbs of campaigns: what they say, what they refuse, and that nothing is left half-written."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from limen import journal
from limen.active import Campaign
from limen.errors import StorageError

DONE, REFUSED, MISUSED, NOT_FOUND, CORRUPT, PARTLY = range(6)
SPACE = """
space:
  m: {range: [100, 1000], unit: GeV, label: mass}
  g: {range: [1e-3, 1], scale: log}
outputs:
  mu: {threshold: 1.0, scale: log}
  xsec: {unit: fb}
constraints: [m < 990]
strategy: sobol
reserve: 0.0
"""


def rows(text):
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def write(path, table):
    """Write rows as CSV."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


@pytest.fixture
def space(tmp_path):
    """Write a space."""
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def folder(space, tmp_path, limen):
    """Start a campaign."""
    result = limen("campaign", "start", space, "-o", tmp_path / "c")
    assert result.exit_code == DONE, result.output
    return tmp_path / "c"


@pytest.fixture
def batch(folder, limen):
    """Ask four points."""
    return rows(limen("campaign", "ask", folder, "-n", 4).stdout)


def results(batch, **cells):
    """Evaluate a batch; cells by row number may differ."""
    found = [row | {"mu": str(2 - float(row["g"])), "xsec": "3.5"} for row in batch]
    for row, changes in cells.items():
        found[int(row[1:])] |= changes
    return found


def files(folder):
    """Give the contents of a folder."""
    return {p.name: p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def test_a_campaign_is_started_asked_and_told(space, tmp_path, limen):
    result = limen("campaign", "start", space, "-o", tmp_path / "c")
    assert result.exit_code == DONE
    assert "2 parameters, mu at 1; xsec, sobol" in result.stdout
    assert f"next: limen campaign ask {tmp_path / 'c'} -n 10" in result.stderr
    result = limen("campaign", "ask", tmp_path / "c", "-n", 3, "-o", tmp_path / "batch.csv")
    assert (result.exit_code, result.stdout) == (DONE, "")
    batch = rows((tmp_path / "batch.csv").read_text())
    asked = Campaign.open(tmp_path / "c").pending
    assert [float(row["g"]) for row in batch] == list(asked["g"])
    write(tmp_path / "results.csv", results(batch)[::-1])
    result = limen("campaign", "tell", tmp_path / "c", tmp_path / "results.csv")
    assert result.stdout.endswith("c: 3 recorded, 0 pending\n")
    result = limen("campaign", "tell", tmp_path / "c", tmp_path / "results.csv")
    assert result.stdout.endswith("c: 0 recorded, 3 known before, 0 pending\n")
    result = limen("campaign", "status", tmp_path / "c", "--quick")
    assert "3 points asked in 1 rounds: 3 ok" in result.stdout


def test_answers_come_as_json(space, tmp_path, limen):
    started = json.loads(limen("campaign", "start", space, "-o", tmp_path / "c", "--json").stdout)
    assert (started["strategy"], started["asked"]) == ("sobol", 0)
    asked = json.loads(limen("campaign", "ask", tmp_path / "c", "-n", 2, "--json").stdout)
    assert asked["campaign"] == started["id"]
    assert [set(point) for point in asked["points"]] == [{"id", "m", "g"}] * 2
    write(tmp_path / "r.csv", results(asked["points"]))
    told = json.loads(
        limen("campaign", "tell", tmp_path / "c", tmp_path / "r.csv", "--json").stdout
    )
    assert told["recorded"] == [point["id"] for point in asked["points"]]
    assert (told["refused"], told["left"], told["counts"]["ok"]) == ([], 0, 2)
    found = json.loads(limen("campaign", "status", tmp_path / "c", "--quick", "--json").stdout)
    assert found["counts"]["ok"] == 2
    assert found["assessment"] is None


def test_results_come_from_stdin_with_notes(folder, batch, limen, tmp_path):
    table = [row | dict.fromkeys(("status", "message", "mu_err", "cost"), "") for row in batch]
    table = results(table)
    table[0] |= {"status": "failed", "message": "no convergence", "mu": "", "xsec": "", "cost": "3"}
    table[1] |= {"mu_err": "0.1", "cost": "1.5"}
    table[2] |= {"status": "censored", "mu": "9"}
    text = write(tmp_path / "r.csv", table).read_text()
    result = limen("campaign", "tell", folder, "-", input=text)
    assert result.exit_code == DONE, result.output
    queries = Campaign.open(folder).queries
    assert list(queries["status"]) == ["failed", "ok", "censored", "ok"]
    assert queries["message"][0] == "no convergence"
    assert queries["mu_err"][1] == 0.1
    assert list(queries["cost"][:2]) == [3.0, 1.5]
    result = limen("campaign", "status", folder, "--quick")
    assert "failure: no convergence (1)" in result.stdout
    # All known values lie on one side.
    assert "note: mu: all 3 known values" in result.stdout


def test_rows_that_are_not_evaluated_yet_stay_pending(folder, batch, limen, tmp_path):
    table = results(batch, _1={"mu": "", "xsec": " "}, _3={"mu": "", "xsec": ""})
    result = limen("campaign", "tell", folder, write(tmp_path / "r.csv", table))
    assert result.stdout.endswith("c: 2 recorded, 2 pending\n")
    assert "2 rows without a result are left pending" in result.stderr


def test_headers_may_carry_units(folder, batch, limen, tmp_path):
    table = [
        {"id": r["id"], "m [TeV]": float(r["m"]) / 1e3, "mu": 1.0, "xsec [pb]": 0.25} for r in batch
    ]
    result = limen("campaign", "tell", folder, write(tmp_path / "r.csv", table))
    assert result.exit_code == DONE, result.output
    assert list(Campaign.open(folder).queries["xsec"]) == [250.0] * 4


def test_a_threshold_that_nothing_crosses_is_said_when_it_is_told(folder, batch, limen, tmp_path):
    result = limen("campaign", "tell", folder, write(tmp_path / "r.csv", results(batch)))
    assert "limen: mu: all 4 known values" in result.stderr
    assert "does it cross the space at all?" in result.stderr


def test_pending_points_are_given_again(folder, batch, limen):
    again = rows(limen("campaign", "ask", folder, "--pending").stdout)
    assert again == [row | {"task": ""} for row in batch]
    assert len(Campaign.open(folder).queries) == 4


def test_points_are_submitted_by_id_and_by_batch(folder, batch, limen, tmp_path):
    path = write(tmp_path / "batch.csv", batch[:2])
    result = limen("campaign", "submitted", folder, path, batch[3]["id"], "--task", "panda 7")
    assert result.stdout.endswith("c: 3 points with panda 7\n")
    assert list(Campaign.open(folder).pending["task"]) == ["panda 7", "panda 7", "", "panda 7"]
    assert "3 of the pending ones are submitted" in limen("campaign", "status", folder).stdout
    limen("campaign", "submitted", folder, batch[0]["id"], "--task", "")
    assert Campaign.open(folder).pending["task"][0] == ""


def test_good_results_are_kept_on_request(folder, batch, limen, tmp_path):
    table = results(batch, _1={"mu": "x"}, _2={"xsec": "nan"})
    path = write(tmp_path / "r.csv", table)
    before = files(folder)
    result = limen("campaign", "tell", folder, path)
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert result.stderr.startswith("limen: tell: 2 faults\n  result 2 (")
    assert files(folder) == before
    result = limen("campaign", "tell", folder, path, "--keep-good")
    assert result.exit_code == PARTLY
    assert "2 recorded, 2 pending" in result.stdout
    assert "mu: found 'x', allowed a number" in result.stderr
    result = limen("campaign", "tell", folder, path, "--keep-good", "--json")
    answer = json.loads(result.stdout)
    assert (answer["recorded"], len(answer["repeated"]), len(answer["refused"])) == ([], 2, 2)
    result = limen("campaign", "tell", folder, write(path, table[1:3]), "--keep-good")
    assert result.exit_code == REFUSED


RESULTS = {
    "unknown id": ({"_0": {"id": "zz-1"}}, REFUSED, "result 1 (zz-1): unknown id"),
    "another point": ({"_0": {"m": "1.0"}}, REFUSED, "this is the result of another point"),
    "status": ({"_0": {"mu": "", "status": "done"}}, REFUSED, "status 'done', allowed ok"),
    "text": ({"_2": {"mu": "n/a"}}, REFUSED, "mu: found 'n/a', allowed a number"),
    "nan": ({"_2": {"mu": "nan"}}, REFUSED, "mu: found nan, allowed a finite number"),
    "one value only": ({"_2": {"mu": ""}}, REFUSED, "mu: found nothing, allowed a finite number"),
    "negative": ({"_2": {"mu": "-1"}}, REFUSED, "found -1 with scale log"),
}


@pytest.mark.parametrize(("cells", "code", "message"), RESULTS.values(), ids=RESULTS)
def test_bad_results_are_one_message_and_record_nothing(
    folder, batch, limen, tmp_path, cells, code, message
):
    before = files(folder)
    batch = [row | {"status": ""} for row in batch]
    path = write(tmp_path / "r.csv", results(batch, **cells))
    result = limen("campaign", "tell", folder, path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("limen: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert files(folder) == before


TABLES = {
    "no file": (None, REFUSED, "no such file; give a file of points"),
    "empty": ("", REFUSED, "found no header"),
    "header only": ("id,mu,xsec\n", REFUSED, "a header and no points"),
    "no id": ("mu,xsec\n1,2\n", REFUSED, "missing id; allowed id, mu, xsec, status"),
    "no output": ("id,mu\na,1\n", REFUSED, "missing xsec"),
    "another column": ("id,mu,xsecs\na,1,2\n", REFUSED, "unknown 'xsecs' (nearest: xsec"),
    "twice": ("id,mu,xsec,mu\na,1,2,1\n", REFUSED, "found the column 'mu' twice"),
    "twice by unit": ("id,mu,xsec,xsec [pb]\na,1,2,1\n", REFUSED, "found xsec twice"),
    "unit": ("id,mu,xsec [GeV]\na,1,2\n", REFUSED, "GeV"),
    "short row": ("id,mu,xsec\na,1\n", REFUSED, "line 2: found 2 fields, allowed 3"),
    "no result": ("id,mu,xsec\na,,\n", REFUSED, "found no row with a result; fill in mu, xsec"),
    "bytes": ("id,mu,xsec\na,1,\udcff\n", REFUSED, "is not UTF-8 text"),
    "unit of text": ("id,mu,xsec [pb]\na,1,x\n", REFUSED, "found 'x', allowed a number"),
}


@pytest.mark.parametrize(("text", "code", "message"), TABLES.values(), ids=TABLES)
def test_bad_tables_are_one_message_and_record_nothing(
    folder, batch, limen, tmp_path, text, code, message
):
    before = files(folder)
    path = tmp_path / "r.csv"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = limen("campaign", "tell", folder, path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert files(folder) == before


def test_contradictory_results_are_refused(folder, batch, limen, tmp_path):
    limen("campaign", "tell", folder, write(tmp_path / "r.csv", results(batch)))
    table = results(batch, _1={"mu": "7"})
    result = limen("campaign", "tell", folder, write(tmp_path / "r.csv", table))
    assert result.exit_code == REFUSED
    assert "a told result does not change" in result.stderr


# ----- start -----

STARTS = {
    "no file": ([], None, MISUSED, "cannot be read (No such file or directory)"),
    "no YAML": ([], "space: [", REFUSED, "space.yaml line 1"),
    "empty": ([], "a: 1", REFUSED, "/space: is missing"),
    "unknown": ([], SPACE + "sed: 1\n", REFUSED, "/sed: unknown (nearest: seed)"),
    "kind": ([], SPACE + "seed: one\n", REFUSED, "/seed: found 'one', allowed a whole number"),
    "range": ([], SPACE.replace("[100, 1000]", "[9, 1]"), REFUSED, "/m/range: found [9.0, 1.0]"),
    "constraint": ([], SPACE.replace("m < 990", "m > 1e5"), REFUSED, "0 of 20480 points"),
    "strategy": (["--strategy", "best"], SPACE, MISUSED, "strategy: found 'best', allowed"),
    "option": (["--option", "edge=3"], SPACE, MISUSED, "strategy sobol: found option 'edge'"),
    "no option": (["--option", "edge"], SPACE, MISUSED, "--option: found 'edge', allowed NAME="),
    "reserve": (["--reserve", "2"], SPACE, MISUSED, "reserve: found 2.0"),
    "seed": (["--seed", "-2"], SPACE, MISUSED, "seed: found -2"),
    "warm": (["--warm", "none.csv"], SPACE, REFUSED, "none.csv: no such file"),
    "output": (["--output", "mu"], SPACE, MISUSED, "--output: allowed with a bundle"),
    "grid": (["--strategy", "grid", "--option", "edge=99999"], SPACE, MISUSED, "allowed 1e+07"),
}


@pytest.mark.parametrize(("options", "text", "code", "message"), STARTS.values(), ids=STARTS)
def test_a_bad_start_is_one_message_and_no_folder(limen, tmp_path, options, text, code, message):
    place = tmp_path / "space.yaml"
    if text is not None:
        place.write_text(text)
    result = limen("campaign", "start", place, "-o", tmp_path / "new" / "c", *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not (tmp_path / "new" / "c").exists()
    assert not list(tmp_path.glob("new/.*"))


def test_options_go_before_the_document(space, tmp_path, limen):
    result = limen(
        *("campaign", "start", space, "-o", tmp_path / "c", "--strategy", "grid"),
        *("--option", "edge=3", "--seed", 7, "--reserve", 0.25),
    )
    assert result.exit_code == DONE, result.output
    document = Campaign.open(tmp_path / "c").document
    assert document["strategy"] == {"name": "grid", "options": {"edge": 3}}
    assert (document["seed"], document["reserve"]) == (7, 0.25)


def test_options_of_the_documents_strategy_are_kept(space, tmp_path, limen):
    told = SPACE.replace("strategy: sobol", "strategy: {name: grid, options: {edge: 4}}")
    space.write_text(told)
    limen("campaign", "start", space, "-o", tmp_path / "a")
    assert Campaign.open(tmp_path / "a").document["strategy"]["options"] == {"edge": 4}
    limen("campaign", "start", space, "-o", tmp_path / "b", "--option", "edge=5")
    assert Campaign.open(tmp_path / "b").document["strategy"] == {
        "name": "grid",
        "options": {"edge": 5},
    }
    limen("campaign", "start", space, "-o", tmp_path / "d", "--strategy", "random")
    assert Campaign.open(tmp_path / "d").document["strategy"]["options"] == {}


def test_tables_of_a_document_lie_beside_it(space, tmp_path, limen):
    space.write_text(SPACE + "warm: tables/warm.csv\npool: tables/pool.csv\n")
    (tmp_path / "tables").mkdir()
    warm = [{"m [TeV]": 0.2, "g": 0.1, "mu": 1.5, "xsec": ""}, {"m [TeV]": 9, "g": 1, "mu": 1}]
    write(tmp_path / "tables" / "warm.csv", [{"xsec": ""} | row for row in warm])
    write(tmp_path / "tables" / "pool.csv", [{"m": 100 + i, "g": 0.5} for i in range(5)])
    result = limen("campaign", "start", space, "-o", tmp_path / "c")
    assert result.exit_code == DONE, result.output
    assert "1 rows known" in result.stdout
    assert "1 rows outside of the space are not used" in result.stderr
    campaign = Campaign.open(tmp_path / "c")
    assert campaign.problem.space.to_physical(campaign.history().points)[0, 0] == 200.0
    result = limen("campaign", "ask", tmp_path / "c", "-n", 9)
    assert sorted(float(row["m"]) for row in rows(result.stdout)) == [100, 101, 102, 103, 104]
    assert "5 points are all that is left" in result.stderr
    result = limen("campaign", "ask", tmp_path / "c", "-n", 9)
    assert result.exit_code == REFUSED
    assert "has no point left to ask; tell the 5 pending ones" in result.stderr


def test_a_cheap_approximation_is_a_table(space, tmp_path, limen):
    cheap = write(tmp_path / "cheap.csv", [{"m": 300, "g": 0.1, "mu": 1.0, "xsec": 2.0}])
    result = limen("campaign", "start", space, "-o", tmp_path / "c", "--approximation", cheap)
    assert result.exit_code == DONE, result.output
    assert list(Campaign.open(tmp_path / "c").history().fidelity) == [1]


def test_a_campaign_starts_on_a_bundle(packed, tmp_path, limen):
    result = limen(
        *("campaign", "start", packed, "-o", tmp_path / "c", "--strategy", "sobol"),
        *("--output", "loglike", "--output", "xsec", "--threshold", "loglike=-3"),
        *("--threshold", "xsec=20", "--range", "m=200,800", "--constraint", "m < 1000 * g"),
        *("--approximation", "loglike=xsec", "--approximation", "xsec=loglike"),
    )
    assert result.exit_code == DONE, result.output
    assert "loglike at -3; xsec at 20, sobol, " in result.stdout
    campaign = Campaign.open(tmp_path / "c")
    assert campaign.problem.space.parameters[0].low == 200
    assert campaign.document["parent"]["id"] == "toy"
    one = limen(
        *("campaign", "start", packed, "-o", tmp_path / "d", "--strategy", "sobol"),
        *("--output", "loglike", "--threshold", "-3", "--threshold", "-1"),
    )
    assert "loglike at -3, -1, sobol, 400 rows known" in one.stdout


BUNDLES = {
    "no output": ([], MISUSED, "--output: found none"),
    "column": (["--output", "nothing"], REFUSED, "output: found 'nothing', allowed xsec"),
    "derived": (["--output", "delta_chi2"], REFUSED, "a column that derives from others"),
    "level": (["--output", "xsec", "--threshold", "high"], MISUSED, "found 'high', allowed a num"),
    "whose": (
        ["--output", "xsec", "--output", "loglike", "--threshold", "1"],
        MISUSED,
        "--threshold 1: found several outputs, allowed OUTPUT=1",
    ),
    "stranger": (["--output", "xsec", "--threshold", "m=1"], MISUSED, "found 'm', allowed xsec"),
    "range": (["--output", "xsec", "--range", "m=3"], MISUSED, "found '3', allowed LOW,HIGH"),
    "parameter": (["--output", "xsec", "--range", "x=3,4"], REFUSED, "space: found x, allowed"),
    "warm": (["--output", "xsec", "--warm", "a.csv"], MISUSED, "--warm: allowed with a space"),
    "cheap": (["--output", "xsec", "--approximation", "a.csv"], MISUSED, "allowed NAME=VALUE"),
}


@pytest.mark.parametrize(("options", "code", "message"), BUNDLES.values(), ids=BUNDLES)
def test_a_bad_start_on_a_bundle_is_one_message(packed, tmp_path, limen, options, code, message):
    line = ("campaign", "start", packed, "-o", tmp_path / "c", "--strategy", "sobol", *options)
    result = limen(*line)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_is_not_there_is_not_found(tmp_path, limen):
    result = limen("campaign", "start", tmp_path / "no", "-o", tmp_path / "c", "--output", "y")
    assert result.exit_code == NOT_FOUND


# ----- what may be wrong with the folder and the answer -----

VERBS = {
    "ask": ["ask"],
    "tell": ["tell", "r.csv"],
    "status": ["status"],
    "submitted": ["submitted", "a", "--task", "t"],
    "predict": ["predict", "r.csv"],
}


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_folder_without_a_campaign_is_not_found(limen, tmp_path, words):
    result = limen("campaign", words[0], tmp_path, *words[1:])
    assert (result.exit_code, result.stdout) == (NOT_FOUND, "")
    assert "start one with: limen campaign start" in result.stderr


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_log_that_was_changed_is_a_fault_of_integrity(limen, folder, batch, words):
    with (folder / "queries.jsonl").open("a") as stream:
        stream.write("no event\n")
    result = limen("campaign", words[0], folder, *words[1:])
    assert (result.exit_code, result.stdout) == (CORRUPT, "")
    assert "restore it from a copy" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("batch.txt", "allowed are names ending in .csv"),
        ("old.csv", "there is a file here already"),
        ("no/batch.csv", "found no folder"),
    ],
)
def test_a_batch_that_cannot_be_written_is_not_asked(limen, folder, tmp_path, name, message):
    (tmp_path / "old.csv").write_text("mine")
    result = limen("campaign", "ask", folder, "-o", tmp_path / name)
    assert result.exit_code in (REFUSED, MISUSED)
    assert message in result.stderr
    assert len(Campaign.open(folder).queries) == 0
    assert (tmp_path / "old.csv").read_text() == "mine"


def test_a_batch_that_was_lost_on_a_full_disk_is_pending(limen, folder, tmp_path, monkeypatch):
    def full(path):
        raise StorageError(f"{path}: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "new_file", full)
        result = limen("campaign", "ask", folder, "-n", 2, "-o", tmp_path / "batch.csv")
    assert result.exit_code == REFUSED
    assert "the points are pending: limen campaign ask" in result.stderr
    assert not (tmp_path / "batch.csv").exists()
    limen("campaign", "ask", folder, "--pending", "-o", tmp_path / "batch.csv")
    assert len(rows((tmp_path / "batch.csv").read_text())) == 2


def test_unknown_ids_are_not_submitted(limen, folder, batch, tmp_path):
    result = limen("campaign", "submitted", folder, batch[0]["id"], "zz", "--task", "7")
    assert result.exit_code == REFUSED
    assert "submitted zz: unknown id" in result.stderr
    result = limen(
        "campaign", "submitted", folder, write(tmp_path / "b.csv", [{"m": 1}]), "--task", 7
    )
    assert "found no column id" in result.stderr
    assert set(Campaign.open(folder).pending["task"]) == {""}


def test_nothing_is_predicted_before_a_value_is_known(limen, folder, batch, tmp_path):
    path = write(tmp_path / "points.csv", [{"m": 500, "g": 0.1}])
    result = limen("campaign", "predict", folder, path)
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert "no value is known yet, tell some results first" in result.stderr


def test_a_slice_without_a_page_is_misuse(limen, folder):
    result = limen("campaign", "status", folder, "--set", "m=500")
    assert result.exit_code == MISUSED
    assert "--set: allowed with --html" in result.stderr


def test_the_campaign_can_be_copied_to_another_place(limen, folder, batch, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    one = limen("campaign", "ask", folder, "-n", 2).stdout
    assert limen("campaign", "ask", tmp_path / "copy", "-n", 2).stdout == one


# ----- what the surrogate says -----


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Tell a campaign two rounds of an output that crosses its threshold; not to be changed."""
    folder = tmp_path_factory.mktemp("told") / "c"
    campaign = Campaign.start(
        folder,
        space={"m": {"range": [100, 1000], "unit": "GeV"}, "g": [0, 1]},
        outputs={"y": {"threshold": [0.0, 0.5], "unit": "fb"}},
        constraints=["m < 900"],
        strategy="sobol",
        reserve=0.2,
    )
    for _ in range(2):
        batch = campaign.ask(15)
        campaign.tell(batch["id"], {"y": batch["m"] / 500 + batch["g"] - 1.5})
    return folder


def test_the_status_states_the_error(told, limen):
    result = limen("campaign", "status", told)
    assert result.exit_code == DONE, result.output
    assert "30 points asked in 2 rounds: 30 ok" in result.stdout
    for level in ("0", "0.5"):
        assert f"y at {level}: expected misclassified prior mass" in result.stdout
        assert f"y at {level}: accuracy" in result.stdout
    found = json.loads(limen("campaign", "status", told, "--json").stdout)
    labels = found["assessment"]["labels"]
    assert [label["threshold"] for label in labels] == [0.0, 0.5]
    assert all(label["misclassified_reserved"]["n"] == 6 for label in labels)


def test_the_status_is_a_page_with_slices_where_they_are_wanted(told, limen, tmp_path):
    page = tmp_path / "page.html"
    result = limen("campaign", "status", told, "--quick", "--html", page, "--set", "m=500")
    assert result.exit_code == DONE, result.output
    assert result.stderr == f"{page}: written\n"
    assert "<svg" in page.read_text()
    before = page.read_bytes()
    result = limen("campaign", "status", told, "--html", page, "--set", "m=5 TeV")
    assert result.exit_code == MISUSED
    assert "allowed NAME=NUMBER in the parameter's unit" in result.stderr
    result = limen("campaign", "status", told, "--html", page, "--set", "mass=5")
    assert result.exit_code in (REFUSED, MISUSED)
    assert page.read_bytes() == before


def test_points_are_predicted_in_their_units(told, limen, tmp_path):
    table = [{"m [TeV]": 0.2, "g": 0.1, "id": "a"}, {"m [TeV]": 0.8, "g": 0.9, "id": "b"}]
    path = write(tmp_path / "points.csv", table)
    result = limen("campaign", "predict", told, path)
    assert result.exit_code == DONE, result.output
    found = rows(result.stdout)
    words = ["y_mean", "y_std", "y_below_0", "y_below_0.5", "reason"]
    assert list(found[0]) == ["id", "m", "g", *words]
    assert [row["id"] for row in found] == ["a", "b"]
    assert [float(row["m"]) for row in found] == [200.0, 800.0]
    assert [float(row["y_mean"]) for row in found] == pytest.approx([-1.0, 1.0], abs=0.05)
    assert [float(row["y_below_0"]) > 0.5 for row in found] == [True, False]
    result = limen("campaign", "predict", told, "-", "--json", input=path.read_text())
    answer = json.loads(result.stdout)
    assert answer["strategy"] == "sobol"
    assert [point["y_mean"] for point in answer["points"]] == [float(r["y_mean"]) for r in found]


def test_points_outside_of_the_space_are_listed(told, limen, tmp_path):
    table = [{"m": 200, "g": 0.5}, {"m": 950, "g": 0.5}, {"m": 5000, "g": 0.5}, {"m": "x", "g": 0}]
    path = write(tmp_path / "points.csv", table)
    result = limen("campaign", "predict", told, path, "-o", tmp_path / "out.csv")
    assert result.exit_code == PARTLY
    assert "3 of 4 rows have no estimate" in result.stderr
    found = rows((tmp_path / "out.csv").read_text())
    assert [row["y_mean"] == "" for row in found] == [False, True, True, True]
    assert [row["reason"] for row in found[1:]] == [
        "breaks the constraints m < 900",
        "m = 5000 GeV, the space ends at 100 and 1000",
        "m: found 'x', allowed a number",
    ]
    result = limen("campaign", "predict", told, write(path, table[1:]))
    assert result.exit_code == REFUSED


@pytest.mark.parametrize(
    ("header", "message"),
    [("m", "missing g"), ("m,g,h", "unknown 'h'"), ("m [kg],g", "kg")],
    ids=["missing", "unknown", "unit"],
)
def test_bad_points_are_one_message(told, limen, tmp_path, header, message):
    path = tmp_path / "points.csv"
    path.write_text(f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    result = limen("campaign", "predict", told, path)
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert message in result.stderr
