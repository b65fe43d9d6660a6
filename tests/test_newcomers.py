"""What somebody meets who has never made a bundle: their likely slips, and what is said of them."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from limen import manifest, schema
from limen.errors import DataError, ReadError, SchemaError
from limen.packing import make_bundle, pack
from limen.readers import open_source
from limen.readers.drafting import draft
from limen.readers.profiles import Profile
from limen.readers.sentinels import SentinelWatch

SCAN = """id: small
version: 1.0.0
title: Small
tables:
  - name: scan
    columns:
      - name: m
        role: parameter
        unit: GeV
      - name: out
        role: label
        quantity: excluded
        unit: 1
        definition: {text: far}
        statistics: {confidence_level: 0.95, construction: none, result: observed}
        categories: {"0": allowed, "1": excluded}
read:
  - files: [data.csv]
"""
ROWS = "m,out\n1,0\n2,1\n3,0\n"


@pytest.fixture
def packed(tmp_path):
    """Pack a scan document, changed as told, with its rows."""

    def run(*changes, rows=ROWS):
        text = SCAN
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / "scan.yaml").write_text(text)
        (tmp_path / "data.csv").write_text(rows)
        return pack(tmp_path / "scan.yaml", tmp_path / "made")

    return run


def test_the_number_one_is_the_unit_one(packed):
    assert packed().columns["out"].unit == "1"


def test_arrays_too_may_have_the_number_one_as_unit(document, columns, tmp_path):
    document["tables"][0]["columns"][1]["unit"] = 1
    assert make_bundle(document, columns, tmp_path / "made").columns["g"].unit == "1"


@pytest.mark.parametrize("unit", ["2", "true", "1.5"])
def test_other_numbers_are_no_unit(packed, unit):
    with pytest.raises(SchemaError, match="columns/1/unit: line 13, column out: found"):
        packed(("unit: 1", f"unit: {unit}"))


def test_a_fault_says_line_and_column_beside_its_pointer(packed):
    with pytest.raises(SchemaError) as caught:
        packed(("unit: GeV", "unit: 7"), ("title: Small", "title: 5"))
    first, second = caught.value.faults
    assert first.pointer == "/title"
    assert first.message.startswith("line 3: found 5")
    assert second.pointer == "/tables/0/columns/0/unit"
    assert second.message.startswith("line 9, column m: found 7")


def test_what_is_missing_is_at_the_line_of_what_lacks_it(packed):
    with pytest.raises(SchemaError, match="line 7, column m: missing"):
        packed(("        unit: GeV\n", ""))


def test_what_to_do_about_the_undecided_is_said_once(packed):
    with pytest.raises(SchemaError) as caught:
        packed(("unit: GeV", "unit: TODO"), ("title: Small", "title: TODO"))
    messages = [fault.message for fault in caught.value.faults]
    assert ["a human must decide" in message for message in messages] == [True, False]
    assert messages[1] == "line 9, column m: found 'TODO'"


def test_a_misspelt_quantity_is_one_fault(packed):
    with pytest.raises(SchemaError, match="do you mean 'excluded'") as caught:
        packed(("quantity: excluded", "quantity: exclded"))
    assert [fault.pointer for fault in caught.value.faults] == ["/tables/0/columns/1/quantity"]


def test_a_quantity_of_another_role_says_which(document):
    column = document["tables"][0]["columns"][4]
    column["quantity"] = "r"
    found = manifest.check_scan_document(document | {"read": [{"files": ["a"]}]})
    assert len(found) == 1
    assert "column loglike: " in found[0].message
    assert found[0].message.endswith("'r' is a quantity of role 'test'")


def test_the_lines_of_a_document_are_those_of_its_names(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# a\na/b: 1\nc:\n  - d: 2\n    e:\n      f\n  - [3,\n     4]\n")
    lines = schema.yaml_lines(path)
    expected = {"/a~1b": 2, "/c": 3, "/c/0": 4, "/c/0/e": 5, "/c/1": 7, "/c/1/1": 8}
    assert {place: lines[place] for place in expected} == expected


@pytest.mark.parametrize(
    ("cell", "found"), [("7", "7"), ("-1", "-1"), ("0.5", "0.5")], ids=["7", "-1", "0.5"]
)
def test_a_code_that_means_nothing_is_named_with_its_row(packed, cell, found):
    with pytest.raises(DataError, match=f"columns/out: found {found} in row 2, allowed 0 or 1"):
        packed(rows=ROWS.replace("3,0", f"3,{cell}"))


@pytest.mark.parametrize("value", [-999.0, 9999.0, -1e30, np.float32(-1e30)], ids=repr)
def test_a_repeated_far_number_is_a_sentinel(value):
    watch = SentinelWatch()
    watch.see(np.linspace(0, 60, 50))
    watch.see(np.array([value, 3, value]))
    assert watch.found == [(float(value), 2)]


@pytest.mark.parametrize(
    "values",
    [[1, 2, -999], [-1500, -999, -999, 900], [-1000, -999, -999, 5], [-999, -999], [1, -999, -999]],
    ids=["once", "inside", "near", "nothing else", "one other value"],
)
def test_other_numbers_are_no_sentinels(values):
    watch = SentinelWatch()
    watch.see(np.array(values))
    assert watch.found == []


def test_pack_warns_of_a_sentinel_in_a_parameter(packed, caplog):
    with caplog.at_level(logging.WARNING, logger="limen"):
        packed(rows=ROWS + "-999,1\n-999,0\n")
    assert "column m: found -999 in 2 rows" in caplog.text


def test_the_warning_reaches_stderr_without_a_terminal(limen, packed, tmp_path):
    packed(rows=ROWS + "-999,1\n-999,0\n")
    result = limen("pack", tmp_path / "scan.yaml", "-o", tmp_path / "again")
    assert result.exit_code == 0
    assert "limen: column m: found -999 in 2 rows" in result.stderr
    assert "checking" not in result.stderr


def test_a_draft_asks_about_a_sentinel(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1.5\n2.5\n-999\n-999\n")
    assert "-999 in 2 rows: does it stand for no value?" in draft([tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.geomspace(1e-3, 1e3, 100), True),
        (np.append(np.linspace(1, 1000, 100), 1e-4), False),
        (np.append(np.linspace(1, 10, 100), 1e5), False),
        (np.geomspace(1, 100, 100), False),
        (-np.geomspace(1e-3, 1e3, 100), False),
        (np.append(np.geomspace(1e-3, 1e3, 100), np.nan), True),
    ],
    ids=["even by logarithm", "one small", "one large", "two decades", "negative", "one missing"],
)
def test_a_logarithmic_scale_is_advised_where_it_is_evener(values, expected):
    profile = Profile(np.dtype(float))
    profile.see(values[:30])
    profile.see(values[30:])
    assert profile.logarithmic is expected


def test_no_range_ends_at_minus_zero(tmp_path):
    (tmp_path / "a.csv").write_text("x\n-5.5\n-0.0\n")
    assert "# float64, -5.5 to 0\n" in draft([tmp_path / "a.csv"])


def test_a_long_explanation_is_given_once(tmp_path):
    (tmp_path / "a.csv").write_text("foo,bar,baz\n1.5,2.5,3.5\n")
    text = draft([tmp_path / "a.csv"])
    assert text.count("parameter | nuisance | observable") == 1
    assert text.count("role: TODO  # as for column foo") == 2


def test_a_header_of_savetxt_is_a_header(tmp_path):
    path = tmp_path / "a.dat"
    np.savetxt(path, np.array([[1.0, 2.0], [3.0, 4.0]]), header="M1 tan_beta")
    assert 'delimiter: "whitespace"' in draft([path])
    source = open_source([path], options={"delimiter": " "})
    assert list(source.columns) == ["M1", "tan_beta"]
    assert next(source.blocks())["tan_beta"].tolist() == [2.0, 4.0]


def test_a_name_that_begins_with_a_hash_stays(tmp_path):
    (tmp_path / "a.csv").write_text("#jets,pt\n1,2\n")
    assert list(open_source([tmp_path / "a.csv"]).columns) == ["#jets", "pt"]


def test_a_comment_taken_for_the_header_is_explained(tmp_path):
    (tmp_path / "a.csv").write_text("# made in May\nx,y\n1,2\n")
    with pytest.raises(ReadError, match="--option comment=#") as caught:
        open_source([tmp_path / "a.csv"])
    assert caught.value.faults[0].pointer == "line 1"


def test_an_unknown_suffix_says_how_to_state_the_format(tmp_path):
    (tmp_path / "a.foo").write_text("x\n1\n")
    with pytest.raises(ReadError, match="--format csv, or format: csv in the scan document"):
        open_source([tmp_path / "a.foo"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["comment=#", "delimiter= "], "# x y\n# a\n1 2\n"),
        (["names=x,y", "delimiter=whitespace", "comment='#'"], "# a\n1 2\n"),
        (["names=[x, y]", r"delimiter=\t"], "1\t2\n"),
        (["delimiter=;", "skip_lines=1", "drop=z"], "a\nx;y;z\n1;2;3\n"),
    ],
    ids=["one character", "names with commas", "names in YAML", "a semicolon"],
)
def test_options_on_the_command_line_are_taken_literally(limen, tmp_path, options, text):
    (tmp_path / "a.dat").write_text(text)
    given = [part for option in options for part in ("--option", option)]
    if text.startswith("# x"):
        given += ["--option", "names=x,y"]
    result = limen("init", tmp_path / "a.dat", *given)
    assert result.exit_code == 0, result.stderr
    assert re.findall(r"- name: (\S+)", result.stdout)[2:] == ["x", '"y"']


def test_a_broken_option_is_named(limen, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    result = limen("init", tmp_path / "a.csv", "--option", "categories={")
    assert result.exit_code == 2
    assert "--option categories: found '{', allowed YAML" in result.stderr


def test_a_bundle_that_lacks_what_freezing_needs_says_how_to_give_it(limen, packed, tmp_path):
    packed()
    result = limen("freeze", tmp_path / "made")
    assert result.exit_code == 1
    assert "/description: missing" in result.stderr
    assert f"limen edit {tmp_path / 'made'} --set description=" in result.stderr
    assert "--set creators=" in result.stderr
