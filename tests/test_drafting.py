"""Drafting a scan document: facts filled in, decisions asked for, nothing guessed silently."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limen.errors import ReadError
from limen.readers import open_source
from limen.readers.drafting import TODO, draft
from limen.readers.guesses import column_names, guess
from limen.readers.profiles import Profile
from limen.schema import faults, load_yaml

DATA = Path(os.environ.get("LIMEN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))

SCAN = """M1 [TeV],RK(1.1-6),LogLike,excluded,isvalid,kind,id,note,CLs_exp_m2,xsec_err,empty
0.1,1.0,-10.5,1,1,bino,1,{0},0.01,0.1,
0.2,1.1,-11.5,0,1,wino,2,{1},0.02,0.1,
0.3,,-12.5,0,0,bino,3,{2},0.03,0.1,
0.4,1.2,-13.5,0,1,bino,4,{3},0.04,0.1,
"""

# What a human might answer, by key.
ANSWERS = {
    "data": "CC-BY-4.0",
    "models": "CC-BY-4.0",
    "role": "observable",
    "unit": '"1"',
    "quantity": {
        "label": "excluded",
        "likelihood": "chi2",
        "test": "cls",
        "limit": "signal_strength_limit",
    },
    "construction": "CLs",
    "confidence_level": "0.95",
    "result": "observed",
    "normalisation": "full",
    "nuisances": "none",
    "set": "scan",
    "kind": "stat",
    "side": "both",
}


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "my scan.csv"
    path.write_text(SCAN.format("a", "b", "c", "d"))
    return path


def loaded(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "scan.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path)


def columns_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in document["tables"][0]["columns"]}


def decided(text: str) -> str:
    """Replace every TODO as a human would."""
    lines, role, names = [], "", re.findall(r"- name: (\w+)\n", text)
    for line in text.split("\n"):
        match = re.match(r'( *(?:- )?"?(\w+)"?:) (\S+)', line)
        if match and match[2] == "role":
            role = match[3]
        if match and match[3] == TODO:
            answer = ANSWERS.get(match[2], "decided")
            answer = answer[role] if isinstance(answer, dict) else answer
            line = f"{match[1]} {names[1] if match[2] == 'of' else answer}"
        lines.append(line)
    return "\n".join(lines)


def test_facts_are_filled_in_and_roles_guessed_where_evident(scan, tmp_path):
    columns = columns_of(loaded(tmp_path, draft([scan])))
    assert {name: column["role"] for name, column in columns.items()} == {
        "M1": "parameter",
        "RK_1_1_6": TODO,
        "LogLike": "likelihood",
        "excluded": "label",
        "isvalid": "mask",
        "kind": TODO,
        "id": "id",
        "CLs_exp_m2": "test",
        "xsec_err": "uncertainty",
    }
    assert columns["M1"]["unit"] == "TeV"
    assert columns["RK_1_1_6"]["aliases"] == ["RK(1.1-6)"]
    assert columns["LogLike"]["quantity"] == "log_likelihood"
    assert columns["CLs_exp_m2"]["statistics"]["band"] == -2
    assert columns["kind"]["categories"] == {"0": "bino", "1": "wino"}


def test_what_only_a_human_knows_is_asked_for(scan, tmp_path):
    document = loaded(tmp_path, draft([scan]))
    columns = columns_of(document)
    assert document["title"] == document["licences"]["data"] == document["theory"]["family"] == TODO
    assert document["creators"] == [{"name": TODO}]
    assert document["tables"][0]["sampling"][0]["prior"] == TODO
    assert columns["LogLike"]["statistics"] == {"normalisation": TODO, "nuisances": TODO}
    assert columns["excluded"]["quantity"] == columns["excluded"]["definition"]["text"] == TODO
    assert columns["RK_1_1_6"]["unit"] == TODO


def test_missing_values_and_useless_columns_are_seen(scan, tmp_path):
    text = draft([scan])
    document = loaded(tmp_path, text)
    assert document["missing"] == "mask"
    assert document["read"][0]["options"]["drop"] == ["note", "empty"]
    assert "- note  # text, different in every row" in text
    assert "- empty  # no value in any row" in text
    assert "# float64, 1 to 1.2; 1 missing" in text


def test_the_list_on_top_names_every_open_line(scan):
    text = draft([scan])
    lines = text.split("\n")
    assert f"# Still undecided ({sum(': TODO' in line for line in lines)}):" in lines
    listed = [re.match(r"#   line (\d+): (?:.*: )?(\S+?)(,|$)", line) for line in lines]
    for match in filter(None, listed):
        assert f"{match[2]}: {TODO}" in lines[int(match[1]) - 1]
    assert sum(match is not None for match in listed) > 10


def test_every_guess_and_question_is_explained(scan):
    for line in draft([scan]).split("\n"):
        if f": {TODO}" in line:
            assert "  # " in line


def test_the_draft_reads_its_own_files(scan, tmp_path):
    document = loaded(tmp_path, draft([scan], folder=tmp_path))
    entry = document["read"][0]
    assert entry["files"] == ["my scan.csv"]
    source = open_source([tmp_path / entry["files"][0]], entry["format"], entry["options"])
    assert list(source.columns) == list(columns_of(document))
    assert next(source.blocks())["kind"].tolist() == [0, 1, 0, 0]


def test_the_undecided_draft_is_refused_and_the_decided_one_fits_the_schema(scan, tmp_path):
    text = draft([scan])
    assert faults(loaded(tmp_path, text), "scan-document")
    answered = decided(text)
    assert f": {TODO}" not in answered
    assert faults(loaded(tmp_path, answered), "scan-document") == []


HOSTILE = [
    "no",
    "a: b",
    "#x",
    "- y",
    "'",
    "{z}",
    "1e3",
    "null",
    "\u03c7\u00b2",
    "a" * 200,
    "a\u2028b",
]


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_hostile_names_and_texts_stay_text(tmp_path):
    path = tmp_path / "a.npy"
    table = np.zeros(100, dtype=[(name, "f8") for name in HOSTILE] + [("t", "U20")])
    table["t"] = [HOSTILE[i % 3] for i in range(100)]
    for name in HOSTILE:
        table[name] = np.linspace(0, 2, 100)
    np.save(path, table)
    document = loaded(tmp_path, draft([path]))
    names = list(columns_of(document))
    assert len(set(names)) == len(HOSTILE) + 1
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) for name in names)
    entry = document["read"][0]
    assert entry["options"]["categories"]["t"] == {"#x": 0, "a: b": 1, "no": 2}
    assert list(open_source([path], "npy", entry["options"]).columns) == names


def test_names_longer_than_yaml_takes_as_plain_keys_are_read_back(tmp_path):
    long = "observable of" + " a very long chain of capabilities" * 40
    path = tmp_path / "a.csv"
    path.write_text(f"M1,{long},{long} kind\n1,2,x\n2,4,y\n3,5,x\n4,4,y\n")
    document = loaded(tmp_path, draft([path]))
    options = document["read"][0]["options"]
    assert {long, f"{long} kind"} == options["columns"].keys()
    assert options["categories"] == {f"{long} kind": {"x": 0, "y": 1}}


def test_delimiters_are_found_for_the_draft(tmp_path):
    for text, expected in (
        ("a b\n1 2\n", "whitespace"),
        ("a\tb\n1\t2\n", "tab"),
        ("a;b\n1;2\n", ";"),
    ):
        path = tmp_path / "a.dat"
        path.write_text(text)
        options = loaded(tmp_path, draft([path]))["read"][0]["options"]
        assert options["delimiter"] == expected


def test_given_options_are_taken_over(scan, tmp_path):
    options = {
        "drop": ["id"],
        "columns": {"M1": "m_bino"},
        "categories": {"kind": {"bino": 5, "wino": 6}},
    }
    document = loaded(tmp_path, draft([scan], options=options))
    columns = columns_of(document)
    assert "m_bino" in columns
    assert "id" not in columns
    assert columns["kind"]["categories"] == {"5": "bino", "6": "wino"}
    assert document["read"][0]["options"]["categories"] == options["categories"]
    assert set(document["read"][0]["options"]["drop"]) == {"id", "note", "empty"}


def test_a_stated_unit_that_does_not_parse_is_asked_for(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("m [furlong],x\n1,2\n2,3\n")
    text = draft([path])
    assert columns_of(loaded(tmp_path, text))["m"]["unit"] == TODO
    assert 'the file states "furlong"' in text


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        pytest.param("ms", np.array([100, 200, 300]), "", id="increasing-masses-are-no-id"),
        pytest.param("row", np.array([4, 5, 6]), "id", id="consecutive"),
        pytest.param("W", np.array([0.1, 0.2]), "", id="oblique-W-is-no-weight"),
        pytest.param("weight", np.array([0.1, 0.2]), "weight", id="weight"),
        pytest.param("stable", np.array([0, 1, 1]), "label", id="0-1-integers"),
        pytest.param("stable", np.array([0.0, 1.0, np.nan]), "label", id="0-1-with-gaps"),
        pytest.param("stable", np.array([1, 1, 1]), "", id="constant"),
        pytest.param("delta", np.array([0.0, 1.0]), "", id="0-1-floats"),
        pytest.param("valid_mass", np.array([True, False]), "mask", id="mask"),
        pytest.param("sigmaEtaEta1", np.array([0.1, 0.2]), "", id="sigma-is-no-uncertainty"),
        pytest.param("delta_chi2", np.array([0.1, 0.2]), "likelihood", id="delta-chi2"),
    ],
)
def test_guesses_are_careful(name, values, role):
    profile = Profile(values.dtype)
    profile.see(values)
    assert guess(name, profile).role == role


def test_the_column_named_split_is_left_to_the_packer():
    profile = Profile(np.dtype("int64"))
    profile.see(np.array([0, 1, 2]))
    assert "limen writes itself" in guess("split", profile).drop


def test_names_collide_never():
    made = column_names(["a b", "a_b", "a+b", "a-b", "a.b", "2x", "%", "x" * 100, "x" * 99 + "y"])
    assert len(set(made.values())) == len(made)
    assert made["a_b"] == "a_b"


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "no header"), ("a,b\n", "no rows"), ("a,b\n1\n", "found 1 fields"), ("a\n\n", "no rows")],
    ids=["empty", "header-only", "ragged", "one-column"],
)
def test_bad_files_are_refused(text, match, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ReadError, match=match):
        draft([path])


@pytest.mark.parametrize(
    ("name", "format", "asked"),
    [
        ("flavio_bsll10/bsll10_scan.parquet", None, {"RK_1_1_6"}),
        ("susyai_oracle19/scan60k.parquet", None, {"p_allowed", "mA2"}),
        ("pmssm_xsec19/pmssm19_xsec.parquet", None, {"M_eL"}),
        ("thdm_scan/thdm_hybrid_scan.parquet", None, {"mh", "W"}),
        ("pyhf_sbottom/cls_regionA.csv", None, {"m_sbottom"}),
        ("events/xsec/gg_nllnlo_mstw2008.grid", "csv", {"ms", "mgl", "NLO_plus_NLL"}),
        ("events/cms/Zee_Run2011A.csv", None, {"pt1", "type1"}),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) and "/" in value else "",
)
def test_drafts_of_real_files_fit_the_schema_once_decided(name, format, asked, tmp_path):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here; set LIMEN_SHARED_DATA")
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    text = draft([DATA / name], format=format, folder=tmp_path)
    columns = columns_of(loaded(tmp_path, text))
    assert asked <= {name for name, column in columns.items() if column["role"] == TODO}
    assert faults(loaded(tmp_path, decided(text)), "scan-document") == []
