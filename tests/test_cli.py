"""The command line: exit codes, streams, JSON, and one line for every fault of what was given."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.shell_completion import ShellComplete

from limen import errors
from limen.bundle import SCAN, open_bundle
from limen.cli import main
from limen.cli.running import exit_code
from limen.packing import make_bundle

DONE, REFUSED, MISUSED, NOT_FOUND, CORRUPT, PARTLY = 0, 1, 2, 3, 4, 5
VERBS = main.list_commands(None)
DOCS = Path(__file__).parents[1] / "docs" / "command-line.md"

SOURCE = """
id: small
version: 1.0.0
title: Small
tables:
  - name: scan
    columns:
      - {name: m, role: parameter, unit: GeV}
      - {name: y, role: observable, unit: "1"}
      - {name: chi2, role: likelihood, quantity: chi2, unit: "1",
         statistics: {normalisation: full, nuisances: none}}
      - name: out
        role: label
        quantity: outside_region
        unit: "1"
        definition: {text: far, column: chi2, comparison: ">", threshold: 4}
        statistics: {confidence_level: 0.95, construction: delta_chi2}
read:
  - files: [data.csv]
"""


@pytest.fixture
def source(tmp_path):
    """Write a scan document with its CSV file, and give the document's path."""

    def write(text, document=SOURCE):
        (tmp_path / "data.csv").write_bytes(text.encode() if isinstance(text, str) else text)
        (tmp_path / "scan.yaml").write_text(document)
        return tmp_path / "scan.yaml"

    return write


def one_fault(result, code):
    """Expect this exit code and one line on stderr, without a traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("limen: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, MISUSED),
        (errors.MissingExtraError, MISUSED),
        (errors.SchemaError, REFUSED),
        (errors.FormatVersionError, REFUSED),
        (errors.DataError, REFUSED),
        (errors.ReadError, REFUSED),
        (errors.UnitError, REFUSED),
        (errors.ExpressionError, REFUSED),
        (errors.ShapeError, REFUSED),
        (errors.ColumnError, REFUSED),
        (errors.TrainingError, REFUSED),
        (errors.ExportError, REFUSED),
        (errors.GraphError, REFUSED),
        (errors.IntegrityError, CORRUPT),
        (errors.BundleNotFoundError, NOT_FOUND),
        (errors.PartMissingError, NOT_FOUND),
        (errors.FrozenError, REFUSED),
        (errors.StorageError, REFUSED),
        (errors.LimenError, REFUSED),
    ],
)
def test_every_error_has_its_exit_code(kind, code):
    assert exit_code(kind("x")) == code


def test_the_table_of_exit_codes_misses_no_error():
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert {exit_code(kind("x")) for kind in kinds} == {REFUSED, MISUSED, NOT_FOUND, CORRUPT}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_stands_in_the_docs(limen, verb):
    result = limen(verb, "--help")
    assert result.exit_code == DONE
    assert result.stdout.startswith(f"Usage: main {verb} ")
    assert result.stderr == ""
    assert f"`limen {verb} " in DOCS.read_text()


def test_limen_alone_lists_its_verbs(limen):
    result = limen("--help")
    assert result.exit_code == DONE
    for verb in VERBS:
        assert f"\n  {verb} " in result.stdout


def test_the_version_is_that_of_the_package(limen):
    import limen as package

    assert limen("--version").stdout == f"limen, version {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["check"],
        ["check", "--wings", "bundle"],
        ["predict", "bundle"],
        ["predict", "bundle", "points.csv", "--set", "m=1"],
        ["predict", "bundle", "points.csv", "-o", "verdicts.txt"],
        ["edit", "bundle"],
        ["edit", "bundle", "--set", "title"],
        ["edit", "bundle", "--set", "title=a", "--set", "title=b"],
        ["edit", "bundle", "--set", "status=frozen"],
        ["edit", "bundle", "--attach", "nowhere.txt"],
        ["export", "bundle", "--to", "xls"],
        ["train", "bundle", "--target", "outside", "--estimator", "oracle"],
        ["predict", "bundle", "--model", "none", "--set", "m=1"],
    ],
    ids=" ".join,
)
def test_misuse_is_exit_code_2(limen, model_path, arguments):
    result = limen(*(model_path if a == "bundle" else a for a in arguments))
    assert result.exit_code == MISUSED, result.output
    assert result.stdout == ""
    assert result.stderr


@pytest.mark.parametrize("verb", ["check", "show", "cite", "freeze"])
def test_no_bundle_is_exit_code_3(limen, tmp_path, verb):
    assert "no such folder" in one_fault(limen(verb, tmp_path / "nowhere"), NOT_FOUND)
    assert "no bundle.json here" in one_fault(limen(verb, tmp_path), NOT_FOUND)


BAD_FILES = {
    "an empty file": ("", "no header"),
    "a header only": ("m,y,chi2\n", "found no rows"),
    "a ragged line": ("m,y,chi2\n1,2,3\n3\n", "line 3"),
    "text in a numeric column": ("m,y,chi2\n1,2,3\nheavy,3,4\n", "'m'"),
    "a column twice": ("m,y,m\n1,2,3\n", "twice"),
    "an unknown column": ("m,y,chi2,z\n1,2,3,4\n", "'z' that is not declared"),
    "a column of NaN": ("m,y,chi2\n1,nan,1\n2,nan,2\n", "found 2 NaN"),
    "a label that contradicts": ("m,y,chi2,out\n1,2,3,1\n2,2,5,1\n", "contradict"),
    "no UTF-8": (b"m,y,chi2\n1,\xff,1\n", "UTF-8"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_and_exit_code_1(limen, source, tmp_path, case):
    text, said = BAD_FILES[case]
    assert said in one_fault(limen("pack", source(text), "-o", tmp_path / "made"), REFUSED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "scan.yaml"]


BAD_DOCUMENTS = {
    "a unit that does not parse": ("unit: GeV", "unit: Gev", "/tables/0/columns/0/unit"),
    "a later format": ("id: small", 'id: small\nformat: "9.0"', "9.0"),
    "a definition on the wrong side": ('comparison: ">"', 'comparison: "<"', "definition"),
    "no YAML": ("id: small", "id: [small", "line"),
    "an impossible range": ("unit: GeV}", "unit: GeV, range: [1, 1.5]}", "declared range"),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_document_is_one_line_and_exit_code_1(limen, source, tmp_path, case):
    old, new, said = BAD_DOCUMENTS[case]
    path = source("m,y,chi2\n1,2,3\n2,3,5\n", SOURCE.replace(old, new, 1))
    assert said in one_fault(limen("pack", path, "-o", tmp_path / "made"), REFUSED)
    assert not (tmp_path / "made").exists()


def test_zero_valid_rows_are_one_line_and_exit_code_1(limen, source, tmp_path):
    document = SOURCE.replace("- {name: y, role: observable", "- {name: y, role: parameter")
    text = "m,y,chi2\nnan,1,1\n2,nan,2\n"
    path = source(text, document + "missing: mask\n")
    said = one_fault(limen("pack", path, "-o", tmp_path / "made"), REFUSED)
    assert "no row in which every parameter is valid" in said


def constant(columns):
    return {"xsec": np.ones(400), "ok": np.ones(400, dtype=bool)}


def one_class(columns):
    return {"loglike": np.zeros(400)}


def two_rows(columns):
    return {name: values[:2] for name, values in columns.items()}


UNTEACHABLE = {
    "a constant target": (constant, "xsec", "found the constant 1"),
    "one class only": (one_class, "outside", "found one class only (0)"),
    "two rows": (two_rows, "xsec", "valid training rows, allowed 20 or more"),
}


@pytest.mark.parametrize("case", UNTEACHABLE)
def test_what_teaches_nothing_is_one_line_and_changes_nothing(
    limen, document, columns, tmp_path, case
):
    from limen.training import train

    change, target, said = UNTEACHABLE[case]
    path = tmp_path / "made"
    bundle = make_bundle(document, columns | change(columns), path)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    assert said in one_fault(limen("train", path, "--target", target), REFUSED)
    with pytest.raises(errors.TrainingError):
        train(bundle, target)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def amend(path, how):
    manifest = json.loads((path / "bundle.json").read_text())
    how(manifest)
    (path / "bundle.json").write_text(json.dumps(manifest))


def entry(name):
    return lambda m: m["files"].update({name: dict(m["files"][SCAN], role="attachment")})


HOSTILE_MANIFESTS = {
    "a later format": lambda m: m.update(format="2.0"),
    "an absolute path": entry("/etc/passwd"),
    "a path upwards": entry("../x"),
    "a folder": entry("a/b"),
}


@pytest.mark.parametrize("verb", ["check", "show", "predict"])
@pytest.mark.parametrize("case", HOSTILE_MANIFESTS)
def test_a_hostile_manifest_is_one_line_and_exit_code_1(limen, model_path, verb, case):
    amend(model_path, HOSTILE_MANIFESTS[case])
    more = ["--set", "m=500"] if verb == "predict" else []
    one_fault(limen(verb, model_path, *more), REFUSED)


def cut(path):
    data = (path / SCAN).read_bytes()
    (path / SCAN).write_bytes(data[:-100])


def link(path):
    target = path.parent / SCAN
    (path / SCAN).rename(target)
    (path / SCAN).symlink_to(target)


DAMAGE = {
    "a truncated zip": (cut, SCAN),
    "a link": (link, SCAN),
    "a changed file": (lambda path: (path / "README.md").write_text("x"), "README.md"),
    "an extra file": (lambda path: (path / "extra.txt").write_text("x"), "extra.txt"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_check_of_damaged_files_is_exit_code_4(limen, bundle_path, case):
    damage, name = DAMAGE[case]
    damage(bundle_path)
    result = limen("check", bundle_path)
    assert result.exit_code == CORRUPT
    assert f"FAULT    {name}: " in result.stdout
    assert "Traceback" not in result.output


def test_a_missing_file_counts_if_the_bundle_is_to_be_complete(limen, bundle_path):
    (bundle_path / SCAN).unlink()
    result = limen("check", bundle_path)
    assert result.exit_code == DONE
    assert f"absent   {SCAN}: not fetched" in result.stdout
    assert limen("check", bundle_path, "--complete").exit_code == CORRUPT


def test_reading_an_absent_part_is_exit_code_3(limen, bundle_path, tmp_path):
    (bundle_path / SCAN).unlink()
    result = limen("export", bundle_path, "--to", "csv", "-o", tmp_path / "scan.csv")
    assert "not fetched" in one_fault(result, NOT_FOUND)


def test_a_hostile_model_is_refused_by_check_and_predict(limen, model_path, sign):
    (model_path / "region.onnx").write_bytes(b"not a model")
    sign(model_path, "region.onnx")
    assert limen("check", model_path).exit_code == REFUSED
    said = one_fault(limen("predict", model_path, "--set", "m=500", "--set", "g=0.5"), REFUSED)
    assert "region.onnx" in said


def test_a_changed_model_does_not_predict(limen, model_path):
    with (model_path / "region.onnx").open("ab") as stream:
        stream.write(b" ")
    one_fault(limen("predict", model_path, "--set", "m=500", "--set", "g=0.5"), CORRUPT)


def test_a_full_disk_is_one_line_and_leaves_nothing(limen, small_disk, source, packed):
    place = small_disk(8)
    said = one_fault(limen("pack", source("m,y,chi2\n1,2,3\n"), "-o", place / "made"), REFUSED)
    assert "full" in said or "cannot be written" in said
    assert list(place.iterdir()) == []
    said = one_fault(limen("export", packed, "--to", "csv", "-o", place / "x.csv"), REFUSED)
    assert "the disk is full" in said
    assert list(place.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_one_line(limen, bundle_path, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: mode != os.W_OK and access(p, mode))
    said = one_fault(limen("edit", bundle_path, "--set", "title=New"), REFUSED)
    assert "permission denied" in said
    assert open_bundle(bundle_path).manifest["title"] != "New"


@pytest.mark.parametrize("verb", ["pack", "init", "export", "predict"])
def test_a_place_that_is_none_is_one_line(limen, source, model_path, tmp_path, verb):
    place = "/proc/none/there.csv"
    calls = {
        "pack": ["pack", source("m,y,chi2\n1,2,3\n"), "-o", place],
        "init": ["init", source("m,y,chi2\n1,2,3\n").with_name("data.csv"), "-o", place],
        "export": ["export", model_path, "--to", "csv", "-o", place],
        "predict": ["predict", model_path, "--set", "m=500", "--set", "g=0.5", "-o", place],
    }
    assert "another place" in one_fault(limen(*calls[verb]), REFUSED)


def test_from_files_to_verdicts_by_verbs_alone(limen, tmp_path, columns, packed):
    data = limen("export", packed, "--to", "csv", "-o", tmp_path / "data.csv")
    assert data.exit_code == DONE
    drafted = limen("init", tmp_path / "data.csv", "-o", tmp_path / "scan.yaml")
    assert drafted.exit_code == DONE
    assert drafted.stdout == ""
    assert "TODO" in drafted.stderr
    undecided = limen("pack", tmp_path / "scan.yaml", "-o", tmp_path / "made")
    assert undecided.exit_code == REFUSED
    assert "a human must decide" in undecided.stderr


def test_a_draft_goes_to_stdout_if_no_file_is_named(limen, source):
    result = limen("init", source("m,y\n1,2\n").with_name("data.csv"))
    assert result.exit_code == DONE
    assert "name: m" in result.stdout
    assert result.stderr == ""


def test_packing_says_on_stderr_what_was_done(limen, source, tmp_path):
    path = source("m,y,chi2\n1,2,3\n2,3,5\n")
    result = limen("pack", path, "-o", tmp_path / "made")
    assert result.exit_code == DONE
    assert result.stdout == ""
    assert "packed 2 rows (2 valid)" in result.stderr
    answer = limen("pack", path, "-o", tmp_path / "again", "--json")
    assert json.loads(answer.stdout) == {
        "bundle": str(tmp_path / "again"),
        "rows": 2,
        "valid_rows": 2,
        "refused": [],
    }
    assert answer.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "bundle"],
        ["check", "bundle", "--deep"],
        ["show", "bundle"],
        ["cite", "bundle"],
        ["diff", "bundle", "bundle"],
        ["doctor"],
        ["predict", "bundle", "--set", "m=500", "--set", "g=0.5"],
        ["predict", "bundle", "--set", "m=500", "--set", "g=0.5", "--nearest", "2"],
        ["predict", "bundle", "--set", "m=5e5", "--set", "g=0.5", "--extrapolate"],
    ],
    ids=" ".join,
)
def test_an_answer_in_json_is_json_and_nothing_else(limen, trained, arguments):
    result = limen(*(trained if a == "bundle" else a for a in arguments), "--json")
    assert result.exit_code == DONE
    assert result.stderr == ""

    def constant(name):
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(result.stdout, parse_constant=constant)


def test_a_check_prints_the_reuse_checklist(limen, trained):
    result = limen("check", trained)
    assert result.exit_code == DONE
    assert "Limen reuse checklist" in result.stdout
    assert result.stdout.rstrip().endswith("passed")
    assert result.stderr == ""


def test_show_reads_the_manifest_only(limen, model_path):
    for path in model_path.iterdir():
        if path.name != "bundle.json":
            path.unlink()
    result = limen("show", model_path)
    assert result.exit_code == DONE
    for word in ("toy 1.0.0, draft", "400 points", "[GeV]", "region: classification of outside"):
        assert word in result.stdout


def test_show_aligns_its_columns_and_its_numbers_can_be_pasted(limen, trained):
    lines = limen("show", trained).stdout.splitlines()
    rows = lines[lines.index("columns") + 1 :]
    rows = rows[: rows.index("")]
    assert len({row.index(" [") for row in rows}) == 1
    assert not any("\N{MINUS SIGN}" in line for line in lines if "population" not in line)


def test_cite_gives_text_or_bibtex(limen, trained):
    assert "Doe" in limen("cite", trained).stdout
    assert limen("cite", trained, "--bibtex").stdout.startswith("@")


def test_edit_freeze_and_the_next_version(limen, bundle_path, tmp_path):
    assert limen("edit", bundle_path, "--set", "title=Newer").exit_code == DONE
    (tmp_path / "card.dat").write_text("x = 1")
    assert limen("edit", bundle_path, "--attach", tmp_path / "card.dat").exit_code == DONE
    frozen = limen("freeze", bundle_path)
    assert frozen.exit_code == DONE
    assert open_bundle(bundle_path).manifest_sha256 in frozen.stderr
    said = one_fault(limen("edit", bundle_path, "--set", "title=Newest"), REFUSED)
    assert "make the next version: limen edit BUNDLE --set ... -o NEW_BUNDLE" in said
    child = tmp_path / "child"
    result = limen("edit", bundle_path, "--set", "version=2.0.0", "--set", "title=2", "-o", child)
    assert result.exit_code == REFUSED, "a title must be text"
    assert not child.exists()
    result = limen("edit", bundle_path, "--set", "version=2.0.0", "--set", "title=Two", "-o", child)
    assert result.exit_code == DONE
    assert open_bundle(child).manifest["title"] == "Two"
    assert open_bundle(child).manifest["version"] == "2.0.0"
    assert limen("check", child, "--deep", "--complete").exit_code == DONE


def test_a_next_version_with_a_bad_field_is_not_made(limen, bundle_path, tmp_path):
    result = limen("edit", bundle_path, "--set", "colour=red", "-o", tmp_path / "child")
    assert result.exit_code == MISUSED
    assert not (tmp_path / "child").exists()


def test_a_damaged_draft_is_not_frozen(limen, bundle_path):
    (bundle_path / "preview.csv").write_text("")
    said = one_fault(limen("freeze", bundle_path), CORRUPT)
    assert "not frozen, the check found preview.csv: " in said
    assert open_bundle(bundle_path).status == "draft"


def test_an_incomplete_draft_is_not_frozen(limen, bundle_path):
    (bundle_path / SCAN).unlink()
    one_fault(limen("freeze", bundle_path), CORRUPT)
    assert open_bundle(bundle_path).status == "draft"


def test_select_and_diff_by_verbs(limen, packed, tmp_path):
    result = limen("select", packed, "--where", "m > 500", "-o", tmp_path / "part")
    assert result.exit_code == DONE
    n = open_bundle(tmp_path / "part").n_points
    assert f"{n:,} rows" in result.stderr
    found = json.loads(limen("diff", packed, tmp_path / "part", "--json").stdout)
    assert found["rows"]["gone"] == 400 - n
    assert f"{400 - n} gone" in limen("diff", packed, tmp_path / "part").stdout


@pytest.mark.parametrize("output", [(), ("-o", "-")], ids=["no-option", "dash"])
def test_an_export_as_csv_goes_to_stdout_if_no_file_is_named(limen, bundle_path, output):
    result = limen("export", bundle_path, "--to", "csv", *output)
    assert result.exit_code == DONE
    assert result.stdout.startswith("m [GeV],g,")
    assert len(result.stdout.splitlines()) == 401
    assert result.stderr == ""


@pytest.mark.parametrize("to", ["parquet", "croissant"])
def test_an_export_that_is_no_text_for_a_terminal_needs_a_file(limen, bundle_path, to):
    result = limen("export", bundle_path, "--to", to)
    assert result.exit_code == MISUSED
    assert "-o FILE" in result.stderr


def test_an_export_to_a_file_says_so(limen, bundle_path, tmp_path):
    result = limen("export", bundle_path, "--to", "csv", "-o", tmp_path / "toy.csv")
    assert result.exit_code == DONE
    assert "toy.csv" in result.stderr
    assert result.stdout == ""
    assert limen("check", bundle_path).exit_code == DONE


# --- predictions

POINTS = {"m": ["550", "990", "1e6"], "g": ["0.5", "0.99", "0.5"]}
ANSWERS = ["inside_region", "outside_region", "outside_domain"]


def as_csv(columns):
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *map(",".join, rows)]) + "\n"


@pytest.fixture
def points(tmp_path):
    def write(columns, name="points.csv"):
        (tmp_path / name).write_text(columns if isinstance(columns, str) else as_csv(columns))
        return tmp_path / name

    return write


def verdicts(result, code=DONE):
    assert result.exit_code == code, result.output
    return [row["verdict"] for row in rows_of(result.stdout)]


def test_points_from_a_file_get_a_verdict_each_in_order(limen, trained, points):
    result = limen("predict", trained, points(POINTS))
    assert verdicts(result) == ANSWERS
    rows = rows_of(result.stdout)
    assert [row["point"] for row in rows] == ["0", "1", "2"]
    assert 0.5 < float(rows[1]["probability"]) <= 1
    assert rows[2]["probability"] == ""
    assert "1e+06" in rows[2]["reasons"] or "1000000" in rows[2]["reasons"]
    assert "limen: 3 points: 1 inside_region, 1 outside_domain, 1 outside_region" in result.stderr


def test_points_from_stdin_get_the_same_verdicts(limen, trained, points):
    result = limen("predict", trained, "-", input=as_csv(POINTS))
    assert result.stdout == limen("predict", trained, points(POINTS)).stdout


def test_points_from_several_files_are_numbered_on(limen, trained, points):
    files = points(POINTS), points(POINTS, "more.csv")
    result = limen("predict", trained, *files)
    assert verdicts(result) == ANSWERS * 2
    assert [row["point"] for row in rows_of(result.stdout)] == list("012345")


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_points_from_binary_files(limen, trained, tmp_path, kind):
    columns = {name: np.array(values, dtype=float) for name, values in POINTS.items()}
    file = tmp_path / f"points.{kind}"
    if kind == "npz":
        np.savez(file, **columns)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), file)
    assert verdicts(limen("predict", trained, file)) == ANSWERS


def test_the_order_of_columns_does_not_matter(limen, trained, points):
    swapped = {"g": POINTS["g"], "m": POINTS["m"]}
    first = limen("predict", trained, points(POINTS)).stdout
    assert limen("predict", trained, points(swapped, "swapped.csv")).stdout == first


def test_units_in_a_header_are_converted_and_reported(limen, trained, points):
    tev = {"m [TeV]": ["0.55", "0.99", "1e3"], "g": POINTS["g"]}
    result = limen("predict", trained, points(tev))
    assert verdicts(result) == ANSWERS
    assert "limen: m: converted from TeV to GeV" in result.stderr


def test_units_that_do_not_fit_are_no_number(limen, trained, points):
    result = limen("predict", trained, points({"m [fb]": POINTS["m"], "g": POINTS["g"]}))
    assert verdicts(result, REFUSED) == ["invalid_input"] * 3
    assert "3 of 3 refused as invalid input: rows 0, 1, 2" in result.stderr


@pytest.mark.parametrize("cell", ["nan", "inf", "heavy", ""])
def test_a_broken_row_is_refused_and_the_others_answered(limen, trained, points, cell):
    result = limen("predict", trained, points({"m": ["550", cell], "g": ["0.5", "0.5"]}))
    assert verdicts(result, PARTLY) == ["inside_region", "invalid_input"]
    assert rows_of(result.stdout)[1]["value"] == ""
    assert "1 of 2 refused as invalid input: row 1" in result.stderr


def test_a_missing_column_is_one_fault_of_the_call(limen, trained, points):
    said = one_fault(limen("predict", trained, points({"m": POINTS["m"]})), REFUSED)
    assert "missing g; the model needs m [GeV], g" in said


def test_an_unknown_column_is_refused_with_the_nearest_name(limen, trained, points):
    path = points(POINTS | {"loglik": ["1", "2", "3"]})
    assert "'loglik' (nearest: loglike)" in one_fault(limen("predict", trained, path), REFUSED)
    assert verdicts(limen("predict", trained, path, "--ignore-extra")) == ANSWERS


def test_known_columns_and_ids_pass_through(limen, trained, points):
    path = points(POINTS | {"loglike": ["1", "2", "3"], "id": ["a", "b", "c"]})
    result = limen("predict", trained, path)
    assert verdicts(result) == ANSWERS
    assert [row["id"] for row in rows_of(result.stdout)] == ["a", "b", "c"]


BAD_POINTS = {
    "an empty file": ("", "found no header"),
    "a header only": ("m,g\n", "found a header and no points"),
    "a ragged line": ("m,g\n1,2\n3\n", "line 3: found 1 fields, allowed 2"),
    "a column twice": ("m,g,m\n1,2,3\n", "'m' twice"),
}


@pytest.mark.parametrize("case", BAD_POINTS)
def test_bad_points_are_one_line(limen, trained, points, case):
    text, said = BAD_POINTS[case]
    assert said in one_fault(limen("predict", trained, points(text)), REFUSED)


def test_points_that_are_not_utf8_are_one_line(limen, trained, tmp_path):
    (tmp_path / "points.csv").write_bytes(b"m,g\n\xff,1\n")
    assert "UTF-8" in one_fault(limen("predict", trained, tmp_path / "points.csv"), REFUSED)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.parquet"])
def test_points_that_are_not_there_are_one_line(limen, trained, tmp_path, name):
    assert "no such file" in one_fault(limen("predict", trained, tmp_path / name), REFUSED)


def test_one_point_by_options(limen, trained):
    result = limen("predict", trained, "--set", "m=550", "--set", "g=0.5", "--nearest", "2")
    assert result.exit_code == DONE
    assert result.stdout.startswith("region: inside region\n")
    for word in ("probability", "confidence", "near", "population", "cite"):
        assert f"\n  {word} " in result.stdout


def test_one_point_with_a_unit(limen, trained):
    plain = limen("predict", trained, "--set", "m=550", "--set", "g=0.5", "--json")
    tev = limen("predict", trained, "--set", "m=0.55TeV", "--set", "g=0.5", "--json")
    assert json.loads(tev.stdout)["points"] == json.loads(plain.stdout)["points"]
    assert "converted from TeV to GeV" in tev.stderr


def test_one_broken_point_is_refused(limen, trained):
    result = limen("predict", trained, "--set", "m=nan", "--set", "g=0.5")
    assert result.exit_code == REFUSED
    assert result.stdout.startswith("region: invalid input\n")


@pytest.mark.parametrize("text", ["m=heavy", "m=1 furlong", "m="])
def test_one_point_that_does_not_parse_is_one_line(limen, trained, text):
    result = limen("predict", trained, "--set", text, "--set", "g=0.5")
    assert result.exit_code in (REFUSED, MISUSED)
    assert "Traceback" not in result.output


def test_the_json_answer_keeps_its_names(limen, trained):
    result = limen("predict", trained, "--set", "m=550", "--set", "g=0.5", "--nearest=1", "--json")
    answer = json.loads(result.stdout)
    (model,), (point,) = answer["models"], answer["points"]
    assert set(model) >= {"name", "bundle", "version", "target", "confidence_population", "cite"}
    assert set(point) >= {
        *("point", "model", "verdict", "probability", "value", "lower", "upper", "confidence"),
        *("domain_score", "unit", "reasons", "nearest"),
    }
    assert set(point["nearest"][0]) == {"row", "distance", "outside"}


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_verdicts_go_to_a_file(limen, trained, points, tmp_path, ending):
    file = tmp_path / f"verdicts.{ending}"
    result = limen("predict", trained, points(POINTS), "-o", file)
    assert result.exit_code == DONE
    assert result.stdout == ""
    if ending == "csv":
        found = [row["verdict"] for row in rows_of(file.read_text())]
    elif ending == "json":
        found = [row["verdict"] for row in json.loads(file.read_text())["points"]]
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        found = parquet.read_table(file)["verdict"].to_pylist()
    assert found == ANSWERS
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_many_points_come_in_blocks_and_in_order(limen, trained, points, monkeypatch):
    from limen.cli import asking

    monkeypatch.setattr(asking, "_BLOCK", 2)
    columns = {name: values * 3 for name, values in POINTS.items()}
    result = limen("predict", trained, points(columns))
    assert verdicts(result) == ANSWERS * 3
    assert [row["point"] for row in rows_of(result.stdout)] == list("012345678")


def test_all_models_answer_every_point(limen, model_path, points):
    from limen.training import train

    options = {"n_estimators": 5}
    train(open_bundle(model_path), "outside", name="second", options=options, seed=1)
    result = limen("predict", model_path, points(POINTS), "--model", "all")
    rows = rows_of(result.stdout)
    assert [row["model"] for row in rows] == ["region", "second"] * 3
    assert [row["point"] for row in rows] == list("001122")
    said = limen("predict", model_path, points(POINTS))
    assert said.exit_code == MISUSED
    assert "region, second" in said.stderr


# --- processes of their own


def run(*arguments, code=None, **options):
    line = [sys.executable, *(["-c", code] if code else ["-m", "limen.cli"]), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, **options)


CALL = "import sys; from limen.cli import main; main(sys.argv[1:], prog_name='limen')"


def test_importing_limen_loads_no_library():
    code = "import sys; before = set(sys.modules); import limen; print(*set(sys.modules) - before)"
    loaded = {name.partition(".")[0] for name in run(code=code).stdout.split()}
    assert "limen" in loaded
    heavy = {"numpy", "xarray", "pandas", "sklearn", "onnx", "onnxruntime", "zarr", "jsonschema"}
    assert not loaded & heavy


def test_a_prediction_loads_no_training_library(trained):
    code = (
        "import sys; from limen.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('MODULES', *sys.modules)"
    )
    result = run("predict", trained, "--set", "m=550", "--set", "g=0.5", code=code)
    assert result.returncode == 0, result.stderr
    answer, _, modules = result.stdout.partition("MODULES")
    assert "inside region" in answer
    loaded = {name.partition(".")[0] for name in modules.split()}
    assert "onnxruntime" in loaded
    banned = {"xarray", "pandas", "sklearn", "xgboost", "torch", "zarr", "skl2onnx", "scipy"}
    assert not loaded & banned


def test_no_progress_where_stderr_is_no_terminal(source, tmp_path):
    path = source("m,y,chi2\n1,2,3\n")
    quiet = run("pack", path, "-o", tmp_path / "quiet", code=CALL)
    assert quiet.returncode == 0
    assert "writing" not in quiet.stderr
    loud = run("--verbose", "pack", path, "-o", tmp_path / "loud", code=CALL)
    assert "limen: writing scan.zarr.zip" in loud.stderr


def test_a_traceback_shows_only_on_request(tmp_path):
    plain = run("check", tmp_path, code=CALL)
    debugged = run("--debug", "check", tmp_path, code=CALL)
    assert plain.returncode == NOT_FOUND
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr


def test_a_reader_that_goes_away_is_no_error(trained):
    code = (
        "import os, sys; from limen.cli import main\n"
        "read, write = os.pipe(); os.dup2(write, 1); os.close(write); os.close(read)\n"
        "main(sys.argv[1:])"
    )
    result = run("show", trained, code=code)
    assert (result.returncode, result.stderr) == (0, "")


def completed(*arguments, incomplete=""):
    found = ShellComplete(main, {}, "limen", "_LIMEN_COMPLETE").get_completions(
        [str(a) for a in arguments], incomplete
    )
    return [item.value for item in found]


def test_verbs_columns_and_models_are_completed(trained, tmp_path):
    assert completed(incomplete="pre") == ["predict"]
    assert completed("train", trained, "--target", incomplete="o") == ["ok", "outside"]
    assert completed("predict", trained, "--model") == ["region", "all"]
    assert completed("predict", tmp_path, "--model") == []


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_completion_is_offered_to_bash():
    words = {"COMP_WORDS": "limen ch", "COMP_CWORD": "1", "_LIMEN_COMPLETE": "bash_complete"}
    result = run(code=CALL, env=os.environ | words)
    assert result.stdout.split() == ["plain,check"]


@pytest.mark.parametrize(
    ("option", "said"),
    [("n_estimators=[1", "allowed a YAML value"), ("n_estimators=many", "which do not fit")],
    ids=["no YAML", "no number"],
)
def test_a_hyper_parameter_that_does_not_fit_is_one_line(limen, model_path, option, said):
    done = limen("train", model_path, "--target", "outside", "--name", "next", "--option", option)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_training_tells_coverage_measured_from_coverage_aimed_at(limen, model_path):
    result = limen("train", model_path, "--target", "loglike", "--option", "n_estimators=5")
    assert result.exit_code == DONE
    assert re.search(
        r"conformal: \S+ \[\S+, \S+\] measured, 0\.95 aimed at; 60 test rows", result.stdout
    )
    assert "\N{MINUS SIGN}" not in result.stdout


def test_training_says_what_it_does_on_request(limen, model_path, monkeypatch):
    logger = logging.getLogger("limen")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.WARNING)
    line = ["train", model_path, "--target", "outside", "--name", "next"]
    quiet = limen(*line, "--option", "n_estimators=5")
    loud = limen("--verbose", *line, "--replace", "--option", "n_estimators=5")
    steps = ("fitting forest to", "exporting next", "verifying the graph", "judging next")
    assert all(step in loud.stderr for step in steps)
    assert not any(step in quiet.stderr for step in steps)
