"""Spectra in files, folders and archives: into bundles, and as points of a model."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import re
import shutil
import tarfile

import numpy as np
import pytest

from limen.errors import ColumnError, ReadError
from limen.packing import make_bundle
from limen.readers import open_source, read_columns
from limen.readers.drafting import draft
from limen.slha import looks_like_spectra, preset_columns
from limen.training import train

SOFT = {1: 100.0, 2: 200.0, 3: 3000.0} | dict.fromkeys(
    (31, 32, 33, 34, 35, 36, 41, 42, 43, 44, 45, 46, 47, 48, 49), 2000.0
)
HEAD = "BLOCK SPINFO\n 1 SOFTSUSY\n 2 4.1.7\n"
STABLE = "DECAY 1000022 0.0\n"


def spectrum(soft=None, tanb="BLOCK HMIX Q= 1.0E3\n 1 350.0\n 2 9.5\n", more=STABLE, head=HEAD):
    """Write the spectrum of a point of the pMSSM19."""
    lines = "".join(f"  {key}  {value:.8E}\n" for key, value in (SOFT | (soft or {})).items())
    return (
        f"{head}BLOCK MSOFT Q= 1.0E3\n{lines}{tanb}BLOCK AU Q= 1.0E3\n 3 3 1000.\n"
        "BLOCK AD Q= 1.0E3\n 3 3 0.\nBLOCK AE Q= 1.0E3\n 3 3 -5.0D1\n"
        f"BLOCK MASS\n 36 1500.\n 25 125.1\n 1000022 -99.5\n{more}"
    )


@pytest.fixture
def folder(tmp_path):
    """Give a folder of three spectra, made in another order than that of their names."""
    path = tmp_path / "spectra"
    path.mkdir()
    for number in (30, 10, 20):
        (path / f"p{number}.slha").write_text(spectrum({1: float(number)}))
    (path / "README.md").write_text("Not a spectrum.")
    return path


def pack_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content.encode()
            if not isinstance(content, tarfile.TarInfo):
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    source = open_source([folder])
    assert source.format == "slha"
    found = read_columns([folder])
    assert found["M1"].tolist() == [10.0, 20.0, 30.0]
    assert found["point_id"].tolist() == [10, 20, 30]
    assert found["tanb"].tolist() == [9.5] * 3
    assert len(found) == 20
    assert source.refused == ()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_gives_what_its_folder_gives(folder, tmp_path, mode):
    names = ["p20", "p30", "p10"]
    members = [(f"./in/{name}.slha", (folder / f"{name}.slha").read_text()) for name in names]
    path = pack_tar(tmp_path / "scan.tar", [*members, ("in/README", "no spectrum")], mode)
    found, expected = read_columns([path]), read_columns([folder])
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize(
    ("name", "text", "known"),
    [
        ("LesHouches.out", "# SPheno\n\nBlock MODSEL # x\n", True),
        ("spectrum", "BLOCK SPINFO\n", True),
        ("a.csv", "block,m\n1,2\n", False),
        ("broken.tar.gz", "no archive", False),
        ("nested/deep/p.in", "BLOCK MINPAR\n", True),
        ("nested/deep/p.md", "text", False),
    ],
)
def test_spectra_are_known_by_their_beginning(tmp_path, name, text, known):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert looks_like_spectra(tmp_path / name.partition("/")[0]) is known


def test_files_folders_and_archives_make_one_table(folder, tmp_path):
    archive = pack_tar(tmp_path / "more.tgz", [("q.slha", spectrum({1: 77.0}))])
    found = read_columns([folder / "p30.slha", archive, folder])
    assert found["M1"].tolist() == [30.0, 77.0, 10.0, 20.0, 30.0]
    assert found["point_id"].tolist() == [0, 1, 2, 3, 4]


def test_processes_give_the_same_rows(folder):
    for number in range(100, 260):
        (folder / f"p{number}.slha").write_text(spectrum({1: float(number)}))
    alone, beside = (read_columns([folder], options={"workers": n}) for n in (1, 2))
    for name, values in alone.items():
        np.testing.assert_array_equal(beside[name], values)


def test_bad_files_are_listed_and_the_good_ones_kept(folder):
    bad = {
        "a.slha": ("<html>404</html>", "HTML"),
        "b.slha": ("", "empty file"),
        "c.slha": ("\0\1", "binary"),
        "d.slha": ("#" * 11_000_000, "more than 10,000,000 bytes"),
        "e.slha": ("BLOCK MINPAR\n 1 100.\n", "no MSOFT 1 or EXTPAR 1, .*M2: .*tanb: "),
        "f.slha": (spectrum(more="BLOCK NMIX\n 1 1 NaN\n"), "line [0-9]+: found .*NaN"),
        "g.slha": (spectrum({42: 2100.0}), "allowed equal masses of the first two generations"),
        "h.slha": (spectrum(head="BLOCK SPINFO\n 4 no EWSB\n"), "calls this point wrong"),
        "i.slha": (spectrum(more="BLOCK HMIX Q=2E16\n 2 11.\n"), "scales 1000 GeV .*2e.16 GeV"),
        "j.slha": (spectrum().replace("25 125.1", "36 125.1"), "found MASS 36 again"),
    }
    for name, (text, _) in bad.items():
        (folder / name).write_text(text)
    source = open_source([folder])
    assert source.n_rows == 3
    assert [fault.pointer.rpartition("/")[2] for fault in source.refused] == list(bad)
    for fault, (_, said) in zip(source.refused, bad.values(), strict=True):
        assert re.search(said, fault.message), fault


def test_no_good_file_at_all_is_an_error(tmp_path):
    (tmp_path / "a.slha").write_text("<html>")
    with pytest.raises(ReadError, match=r"no spectrum can be used.*a\.slha: found HTML"):
        open_source([tmp_path])


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../a.slha", "x")], r"'\.\./a\.slha'.*found '\.\.'"),
        ([("in/../../a.slha", "x")], r"found '\.\.'"),
        ([("/etc/a.slha", "x")], "an absolute name"),
        ([("a.slha", special("a.slha", tarfile.SYMTYPE, "/etc/passwd"))], "a link to '/etc/pass"),
        ([("a.slha", special("a.slha", tarfile.LNKTYPE, "b.slha"))], "a link to 'b.slha'"),
        ([("a.slha", special("a.slha", tarfile.FIFOTYPE))], "a device or pipe"),
        ([("a.slha", "x"), ("a.slha", "y")], "found twice"),
        ([("in", special("in", tarfile.DIRTYPE))], "no file in the archive"),
    ],
    ids=["up", "inner up", "absolute", "symlink", "hard link", "pipe", "twice", "empty"],
)
def test_an_archive_with_traps_is_refused_whole(tmp_path, members, said):
    good = [] if "no file" in said else [("good.slha", spectrum())]
    with pytest.raises(ReadError, match=said):
        open_source([pack_tar(tmp_path / "scan.tar.gz", [*good, *members])], "slha")


def test_all_traps_of_an_archive_are_told_together(tmp_path):
    path = pack_tar(tmp_path / "scan.tar", [("../a.slha", "x"), ("/b.slha", "y")])
    with pytest.raises(ReadError, match="2 faults"):
        open_source([path], "slha")


def test_a_bomb_is_refused_without_unpacking_it(tmp_path):
    member = tarfile.TarInfo("a.slha")
    member.size = 50_000_000_000
    path = tmp_path / "scan.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf() + bytes(10_000_000)))
    with pytest.raises(ReadError, match="50,000,000,000 bytes"):
        open_source([path], "slha")
    member.type, member.size = tarfile.XHDTYPE, 8_000_000_000
    path.write_bytes(gzip.compress(member.tobuf() + bytes(10_000_000)))
    with pytest.raises(ReadError, match="a header of 8,000,000,000 bytes"):
        open_source([path], "slha")


def test_a_member_that_is_too_large_is_one_bad_file(tmp_path):
    members = [("a.slha", spectrum()), ("b.slha", "#" * 11_000_000)]
    source = open_source([pack_tar(tmp_path / "scan.tar.gz", members)])
    assert source.n_rows == 1
    assert "more than 10,000,000 bytes" in source.refused[0].message


@pytest.mark.parametrize("size", [100, 700, 1300], ids=["first header", "member", "second"])
def test_a_truncated_archive_is_refused(tmp_path, size):
    path = pack_tar(tmp_path / "scan.tar", [(f"{i}.slha", spectrum()) for i in range(3)], "w")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ReadError, match="no whole tar archive"):
        open_source([path], "slha")


def test_the_address_that_served_is_recorded_where_it_differs(folder, caplog):
    text = spectrum(tanb="BLOCK HMIX Q=1E3\n 1 350.\nBLOCK MINPAR\n 3 10.\n")
    (folder / "p15.slha").write_text(text)
    with caplog.at_level(logging.WARNING, "limen"):
        found = read_columns([folder])
    assert found["tanb"].tolist() == [9.5, 10.0, 9.5, 9.5]
    assert found["source_tanb"].tolist() == [0, 2, 0, 0]
    assert found["source_tanb"].dtype == np.int8
    assert "HMIX 2, MINPAR 3, not the same quantity" in caplog.text
    hint = open_source([folder]).tables[0].hints["source_tanb"]
    assert hint["role"] == "origin"
    assert hint["categories"] == {"0": "HMIX 2", "2": "MINPAR 3"}


def test_a_warning_of_the_generator_is_passed_on(folder, caplog):
    (folder / "p40.slha").write_text(spectrum(head="BLOCK SPINFO\n 3 slow\n"))
    with caplog.at_level(logging.WARNING, "limen"):
        assert open_source([folder]).n_rows == 4
    assert "1 spectra carry a warning of their generator: slow" in caplog.text


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"masses": ["m_h"]}, {*preset_columns(), "m_h"}),
        ({"columns_at": {"bino": "MSOFT 1@Q=1000", "x": ["TU 3 3", "AU 3 3"]}}, {"bino", "x"}),
        ({"columns_at": {"lsp": "MASS 1000022"}, "preset": "pmssm19"}, {*preset_columns(), "lsp"}),
        ({"drop": ["M1", "point_id"]}, set(preset_columns()) - {"M1", "point_id"}),
    ],
    ids=["masses", "own addresses", "both", "drop"],
)
def test_columns_are_chosen_by_options(folder, options, names):
    found = read_columns([folder], options=options)
    assert set(found) - {"point_id"} == names
    if "lsp" in found:
        assert found["lsp"].tolist() == [-99.5] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "cmssm"}, "allowed pmssm19"),
        ({"columns_at": {"a": "MSOFT"}}, "column 'a'.*found 'MSOFT', allowed a block"),
        ({"columns_at": {"a": 1}}, "SLHA address, or a list"),
        ({"masses": ["m_top"]}, "found 'm_top'.*m_gluino"),
        ({"workers": 0}, "a number of processes"),
        ({"generations": "some"}, "equal or any"),
    ],
)
def test_a_wrong_option_is_refused(folder, options, said):
    with pytest.raises(ReadError, match=said):
        open_source([folder], options=options)


def test_unequal_generations_pass_where_it_is_said(folder):
    (folder / "p40.slha").write_text(spectrum({42: 2100.0}))
    source = open_source([folder], options={"generations": "any"})
    assert source.n_rows == 4
    assert source.tables[0].document["theory"]["family"] == "TODO"


def test_two_commands_make_a_bundle(folder, tmp_path, limen):
    done = limen("init", folder, "-o", tmp_path / "scan.yaml")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "scan.yaml").read_text()
    for said in ("family: pMSSM19", "name: SOFTSUSY", "block: HMIX", r"m_{\\tilde Q_3}"):
        assert said in text
    assert "role: TODO" not in text
    assert "unit: TODO" not in text
    (folder / "bad.slha").write_text("<html>")
    filled = text.replace("data: TODO", "data: CC0-1.0").replace("models: TODO", "models: CC0-1.0")
    (tmp_path / "scan.yaml").write_text(filled.replace(": TODO", ": said"))
    done = limen("pack", tmp_path / "scan.yaml", "-o", tmp_path / "bundle")
    assert done.exit_code == 5, done.output
    assert "bad.slha" in done.output
    assert limen("check", tmp_path / "bundle", "--deep").exit_code == 0


def test_a_draft_states_what_the_files_state(folder):
    assert "DRbar" in draft([folder], format=None, options={}, folder=None)


# Spectra as points of a model.

ASSUMED = [{"text": "Neutralino 1 is stable.", "kind": "stable", "particle": 1000022}]


def declared(*names):
    known = preset_columns()
    return [{"name": name} | known[name] for name in names]


@pytest.fixture(scope="session")
def answering(tmp_path_factory):
    """Train a classifier of M1 [GeV] and M2 [TeV] with addresses."""
    rng = np.random.default_rng(3)
    m1, m2 = rng.uniform(0.0, 1000.0, 400), rng.uniform(0.0, 1.0, 400)
    wino = declared("M2")[0] | {"unit": "TeV"}
    label = {
        "name": "out",
        "role": "label",
        "quantity": "excluded",
        "unit": "1",
        "definition": {"text": "M1 below 500 GeV"},
        "categories": {"0": "allowed", "1": "excluded"},
        "statistics": {"confidence_level": 0.95, "construction": "CLs", "result": "observed"},
    }
    document = {
        "id": "spectra",
        "version": "1.0.0",
        "title": "A label of spectra",
        "description": "Made up for tests.",
        "licences": {"data": "CC0-1.0", "models": "CC0-1.0"},
        "creators": [{"name": "Doe, Jane"}],
        "theory": {"family": "pMSSM19", "convention": "SLHA"},
        "assumptions": ASSUMED,
        "tables": [
            {
                "name": "scan",
                "sampling": [{"sampler": "random", "prior": "flat"}],
                "columns": [*declared("M1"), wino, label],
            }
        ],
    }
    path = tmp_path_factory.mktemp("answering") / "bundle"
    bundle = make_bundle(document, {"M1": m1, "M2": m2, "out": (m1 < 500.0).astype(np.int8)}, path)
    train(bundle, "out", options={"n_estimators": 20})
    return path


def rows_of(output):
    return list(csv.DictReader(io.StringIO(output)))


def test_spectra_are_points(answering, folder, tmp_path, limen):
    archive = pack_tar(tmp_path / "more.tar.gz", [("x.slha", spectrum({1: 900.0, 2: 500.0}))])
    (folder / "p30.slha").write_text(spectrum({1: 100.0, 2: 500.0}))
    done = limen("predict", answering, folder / "p30.slha", archive)
    assert done.exit_code == 0, done.output
    found = rows_of(done.stdout)
    assert [row["verdict"] for row in found] == ["excluded", "not_excluded"]
    assert found[0]["file"].endswith("p30.slha")
    assert found[1]["file"] == f"{archive}:x.slha"
    same = limen("predict", answering, "--set", "M1=100", "--set", "M2=0.5", "--json")
    answer = json.loads(same.stdout)["points"][0]
    assert float(found[0]["probability"]) == answer["probability"]


def test_a_bad_spectrum_is_an_invalid_point_with_its_reason(answering, folder, limen):
    (folder / "p05.slha").write_text("BLOCK MSOFT\n 1 NaN\n")
    (folder / "p06.slha").write_text("<html>")
    (folder / "p07.slha").write_text(spectrum({42: 2500.0}))
    done = limen("predict", answering, folder)
    assert done.exit_code == 5, done.output
    found = rows_of(done.stdout)
    assert len(found) == 6
    assert [row["verdict"] for row in found[:3]] == ["invalid_input"] * 3
    assert found[0]["reasons"] == "line 2: found 'NaN', allowed finite numbers"
    assert "HTML" in found[1]["reasons"]
    assert "first two generations" in found[2]["reasons"]


def test_a_topology_that_is_not_covered_is_outside_of_the_domain(answering, folder, limen):
    (folder / "p05.slha").write_text(spectrum({2: 500.0}, more="DECAY 1000022 1E-9\n"))
    done = limen("predict", answering, folder, "--extrapolate", "--json")
    point = json.loads(done.stdout)["points"][0]
    assert point["verdict"] == "outside_domain"
    assert point["reasons"][0].startswith("topology not covered: 1000022 has a width of 1e-09 GeV")
    assert point["probability"] is point["extrapolated"] is point["confidence"] is None


def test_the_address_that_served_is_told(answering, tmp_path, limen):
    path = tmp_path / "a.slha"
    path.write_text(f"BLOCK EXTPAR\n 1 100.\nBLOCK MSOFT Q=2.5D3\n 2 500.\n{STABLE}")
    done = limen("predict", answering, path, "--json")
    point = json.loads(done.stdout)["points"][0]
    assert point["read_from"] == {"M1": "EXTPAR 1 (line 2)", "M2": "MSOFT 2 (Q=2500 GeV, line 4)"}
    assert "M1: read from EXTPAR 1 instead of MSOFT 1 in 1 of 1 files" in done.stderr


def test_tables_and_spectra_are_asked_apart(answering, folder, tmp_path, limen):
    (tmp_path / "points.csv").write_text("M1,M2\n1,1\n")
    done = limen("predict", answering, tmp_path / "points.csv", folder)
    assert done.exit_code == 2
    assert "is an SLHA spectrum and" in done.output


def test_a_model_without_addresses_says_how_to_add_them(model_path, folder, limen):
    done = limen("predict", model_path, folder)
    assert done.exit_code == 1
    assert "columns m, g: found no SLHA address" in done.output
    assert "pack again" in done.output


def test_a_unit_that_the_address_has_not_is_refused():
    from limen.manifest import Column
    from limen.slha import read_points

    column = Column("M1", "parameter", "pb", source=tuple(preset_columns()["M1"]["source"]))
    with pytest.raises(ColumnError, match=r"found the unit pb.*MSOFT 1, GeV"):
        list(read_points([], [column]))


# The 67 spectra of the ATLAS pMSSM that SModelS ships with its own answers.

THEIRS = {
    "M1": "M_1", "M2": "M_2", "M3": "M_3", "At": "A_t", "Ab": "A_b", "Atau": "A_tau", "mu": "mu",
    "mA": "MA_pole", "tanb": "tanbeta", "mL1": "M_eL", "mL3": "M_tauL", "mE1": "M_eR",
    "mE3": "M_tauR", "mQ1": "M_q1L", "mQ3": "M_q3L", "mU1": "M_uR", "mU3": "M_tR", "mD1": "M_dR",
    "mD3": "M_bR", "m_h": "m_h", "m_gluino": "m_gluino", "m_neutralino1": "m_neutralino1",
    "m_neutralino2": "m_neutralino2", "m_chargino1": "m_chargino1", "m_stop1": "m_stop1",
    "m_sbottom1": "m_sbottom1",
}  # fmt: skip


@pytest.fixture(scope="module")
def atlas(shared_data):
    """Give the folder of spectra and the rows of SModelS's summary by point."""
    folder = shared_data / "slha_atlas_pmssm"
    with (folder / "summary.csv").open() as stream:
        summary = {int(row["slha_id"]): row for row in csv.DictReader(stream)}
    return folder / "slha", summary


def test_inputs_and_masses_are_those_of_the_summary(atlas):
    folder, summary = atlas
    inputs = {
        name: [f"{a['block']} {a['key'][0]}" for a in told["source"] if a["block"] != "MSOFT"][-1:]
        for name, told in preset_columns().items()
    }
    masses = [name for name in THEIRS if name.startswith("m_")]
    found = read_columns([folder], options={"columns_at": inputs, "masses": masses})
    assert len(found["point_id"]) == 67
    for name, theirs in THEIRS.items():
        expected = [float(summary[point][theirs]) for point in found["point_id"].tolist()]
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, err_msg=name)


def test_output_blocks_are_not_the_inputs(atlas):
    found = read_columns([atlas[0]])
    given = read_columns([atlas[0]], options={"columns_at": {"tanb": "MINPAR 3"}})
    shift = np.abs(found["tanb"] / given["tanb"] - 1.0)
    assert shift.mean() > 0.03
    assert (shift > 0.0).all()


def test_a_model_of_spectra_and_smodels_contradicts_smodels_nowhere(atlas, tmp_path, limen, capsys):
    folder, summary = atlas
    table = open_source([folder]).tables[0]
    found = read_columns([folder])
    r = np.array([float(summary[p]["r_max"] or "nan") for p in found["point_id"].tolist()])
    keep = np.isfinite(r)
    columns = [{"name": name} | dict(table.hints[name]) for name in found]
    statistics = {"construction": "none", "result": "observed", "tool": "SModelS"}
    columns += [
        {"name": "r", "role": "test", "quantity": "r", "unit": "1", "statistics": statistics},
        {
            "name": "excluded",
            "role": "label",
            "quantity": "excluded",
            "unit": "1",
            "definition": {"text": "r > 1", "column": "r", "comparison": ">", "threshold": 1.0},
            "categories": {"0": "not excluded", "1": "excluded"},
            "statistics": statistics | {"confidence_level": 0.95},
        },
    ]
    document = dict(table.document) | {
        "id": "smodels",
        "version": "1.0.0",
        "title": "SModelS on spectra",
        "description": "For a test.",
        "licences": {"data": "GPL-3.0-or-later", "models": "GPL-3.0-or-later"},
        "creators": [{"name": "Doe, Jane"}],
        "tables": [{"name": "scan", "sampling": [{"sampler": "ATLAS"}], "columns": columns}],
    }
    values = {name: column[keep] for name, column in found.items()} | {"r": r[keep]}
    bundle = make_bundle(document, values, tmp_path / "bundle")
    with bundle.open_scan() as scan:
        excluded, points, split = scan.read(["excluded", "point_id", "split"]).values()
    theirs = [summary[point]["excluded"] == "True" for point in points.tolist()]
    assert excluded.astype(bool).tolist() == theirs

    train(bundle, "r")
    done = limen("predict", tmp_path / "bundle", folder, "--json")
    answers = {row["file"]: row for row in json.loads(done.stdout)["points"]}
    unseen = points[split == 2].tolist()
    lines = [line_of(answers[f"{folder}/{p}.slha"], summary[p], p) for p in unseen]
    with capsys.disabled():
        print("\n", *lines, sep="\n")
    assert len(lines) >= 5
    # So few points allow no firm answer; what is said must not contradict SModelS.
    allowed = {"excluded", "uncertain", "outside_domain"}
    assert {answers[f"{folder}/{p}.slha"]["verdict"] for p in unseen} <= allowed
    assert all(float(summary[point]["r_max"]) > 1.0 for point in unseen)


def line_of(answer, theirs, point):
    """Set our r beside SModelS's for a point that the model has not seen."""
    ours = "          " if answer["value"] is None else f"{answer['value']:10.3g}"
    said = f"{answer['verdict']} {'; '.join(answer['reasons'])[:60]}"
    return f"{point}  ours {ours}  SModelS {float(theirs['r_max']):10.3g}  {said}"


def test_real_spectra_can_be_asked_of_a_bundle(answering, atlas, limen, tmp_path):
    shutil.copytree(atlas[0], tmp_path / "slha")
    done = limen("predict", answering, tmp_path / "slha", "--json")
    points = json.loads(done.stdout)["points"]
    assert len(points) == 67
    assert {point["verdict"] for point in points} <= {
        "excluded", "not_excluded", "uncertain", "outside_domain",
    }  # fmt: skip
    outside = [p for p in points if p["verdict"] == "outside_domain"]
    assert not any("topology" in reason for p in outside for reason in p["reasons"])
