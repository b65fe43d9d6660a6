"""GAMBIT's HDF5 output: invalid points are never good ones, and what the file says is kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import ReadError
from limen.readers import guess_format, open_source, read_columns
from limen.readers.drafting import draft
from limen.readers.gambit import is_gambit, open_gambit
from limen.readers.gambit.labels import hint_of, short_names
from limen.readers.options import Selection

N = 1000
M2 = "#MSSM7atQ_parameters @MSSM7atQ::primary_parameters::M2"
ALPHA = "#StandardModel_SLHA2_parameters @StandardModel_SLHA2::primary_parameters::alphaS"
OMEGA = "#RD_oh2 @DarkBit::RD_oh2_general"
RUN = {
    "GAMBIT": ["2.4.1", "2.4.2"],
    "Date": ["2024-01-01 10:00", "2024-01-02 10:00"],
    "Scan_ID": ["1"],
    "Scanner::scanner": ["de"],
    "Scanner::options::plugin": ["diver"],
    "Scanner::options::NP": ["19200"],
    "Scanner::options::convthresh": ["1e-5"],
    "Parameters::MSSM7atQ::M2::prior_type": ["log"],
    "Parameters::MSSM7atQ::M2::range": ["[100, 10000]"],
    "Parameters::StandardModel_SLHA2::alphaS::fixed_value": ["0.1181"],
    "ObsLikes::0x55::purpose": ["LogLike"],
    "ObsLikes::0x55::capability": ["lnL_oh2"],
    "ObsLikes::0x55::module": ["DarkBit"],
    "KeyValue::default_output_path": ["/home/someone/runs"],
    "KeyValue::rng::seed": ["7"],
    "YAML": ["Parameters: {}\n"],
}

Columns = dict[str, tuple[np.ndarray, np.ndarray]]


def points(n: int = N, start: int = 0) -> Columns:
    """Give points of which a third is invalid, as GAMBIT writes them: with LogLike 0."""
    rng = np.random.default_rng(start + 1)
    good = rng.random(n) < 0.65
    always = np.ones(n, dtype=np.int32)
    mass = 10 ** rng.uniform(2, 4, n)
    log_likelihood = np.where(good, -255.0 - np.log10(mass / 500) ** 2 * 50, 0.0)
    flags = good.astype(np.int32)
    return {
        M2: (mass, always),
        ALPHA: (np.full(n, 0.1181), always),
        "LogLike": (log_likelihood, flags),
        OMEGA: (np.where(good, 0.12 * mass / 1000, 0.0), flags),
        "MPIrank": (np.arange(n, dtype=np.int32) % 4, always),
        "pointID": (np.arange(start, start + n, dtype=np.uint64), always),
    }


def written(
    path: Path,
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    group: str = "data",
    metadata: Mapping[str, list[str]] | None = None,
) -> Path:
    """Write a file as GAMBIT's printer does: extendible datasets in chunks of 100."""
    with h5py.File(path, "a") as file:
        place = file.require_group(group)
        for label, pair in columns.items():
            for name, values in zip((label, f"{label}_isvalid"), pair, strict=True):
                place.create_dataset(name, data=values, chunks=(100,), maxshape=(None,))
        if metadata is not None:
            strings = h5py.string_dtype("utf-8")
            for key, texts in metadata.items():
                file.create_dataset(
                    f"metadata/{key}", data=np.array(texts, dtype=object), dtype=strings
                )
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return written(tmp_path / "run.hdf5", points(), metadata=RUN)


def decided(text: str) -> dict[str, Any]:
    """Answer the questions of a draft."""
    document = yaml.safe_load(text)
    document |= {"title": "A fit", "description": "Made up.", "theory": {}}
    document["theory"] = {"family": "MSSM7", "convention": "at Q = 1 TeV"}
    document["creators"] = [{"name": "Doe, Jane"}]
    document["licences"] = {"data": "CC0-1.0", "models": "CC0-1.0"}
    units = {"M2": "GeV"}
    for column in document["tables"][0]["columns"]:
        if column["unit"] == "TODO":
            column["unit"] = units.get(column["name"], "1")
        if column["role"] == "likelihood":
            column["statistics"] |= {"normalisation": "full", "nuisances": "profiled"}
    for entry in [*document["toolchain"], *document["tables"][0]["sampling"]]:
        entry |= {key: "unknown" for key, value in entry.items() if value == "TODO"}
    return document


def packed(files: list[Path], folder: Path) -> Path:
    """Go the whole way from files to a bundle."""
    from limen.packing import pack

    document = folder / "scan.yaml"
    text = draft(files, folder=folder)
    document.write_text(yaml.safe_dump(decided(text), sort_keys=False), encoding="utf-8")
    pack(document, folder / "bundle")
    return folder / "bundle"


def test_the_best_point_of_a_bundle_is_the_best_valid_point(run, tmp_path):
    from limen.bundle import open_bundle

    with h5py.File(run) as file:
        values = file["data/LogLike"][()]
        good = file["data/LogLike_isvalid"][()].astype(bool)
    best = np.argmax(np.where(good, values, -np.inf))
    assert values.max() == 0.0, "the naive maximum is an invalid point"
    assert values[best] < -250

    with open_bundle(packed([run], tmp_path)).scan as scan:
        found, masses = scan["LogLike"].values, scan["M2"].values
    assert np.nanmax(found) == values[best]
    assert masses[np.nanargmax(found)] == points()[M2][0][best]
    np.testing.assert_array_equal(np.isnan(found), ~good)


def test_a_file_becomes_a_bundle_that_passes_the_deep_check(run, tmp_path, limen):
    result = limen("check", packed([run], tmp_path), "--deep")
    assert result.exit_code == 0, result.output


def test_the_real_file_becomes_a_bundle_that_passes_the_deep_check(shared_data, tmp_path, limen):
    path = shared_data / "gambit_hdf5" / "results_run1.hdf5"
    bundle = packed([path], tmp_path)
    result = limen("check", bundle, "--deep")
    assert result.exit_code == 0, result.output


def test_the_real_file_is_read_without_loss(shared_data):
    path = shared_data / "gambit_hdf5" / "results_run1.hdf5"
    assert guess_format(path) == "gambit"
    columns = read_columns([path])
    with h5py.File(path) as file:
        for name, dataset in file["data"].items():
            found, expected = columns[name], dataset[()]
            if name.endswith("_isvalid"):
                expected = expected.astype(bool)
            np.testing.assert_array_equal(found, expected)


def test_run_times_under_a_wrong_label_get_the_unit_they_are_in(shared_data, tmp_path):
    path = shared_data / "gambit_hdf5" / "results_run1.hdf5"
    hints = open_gambit([path], {}, Selection()).hints
    label = "Runtime(ns) for #normaldist_loglike @ExampleBit_A::lnL_gaussian"
    assert hints[label]["unit"] == "s"
    assert hints["Runtime(ms) intraloop"]["unit"] == "ms"
    counted = points() | {label: (np.full(N, 5200.0), np.ones(N, np.int32))}
    old = written(tmp_path / "old.hdf5", counted)
    assert open_gambit([old], {}, Selection()).hints[label]["unit"] == "ns"
    assert open_gambit([old, path], {}, Selection()).hints[label]["unit"] == "TODO"


def test_an_invalid_float_is_nan_and_an_invalid_integer_keeps_its_mask(tmp_path):
    good = np.arange(N) % 2
    columns = {
        "x": (np.ones(N, np.float32), good),
        "code": (np.full(N, 7, np.uint16), good.astype(bool)),
    }
    found = read_columns([written(tmp_path / "a.hdf5", columns)])
    assert {name: str(values.dtype) for name, values in found.items()} == {
        "x": "float32",
        "code": "int32",
        "x_isvalid": "bool",
        "code_isvalid": "bool",
    }
    np.testing.assert_array_equal(np.isnan(found["x"]), good == 0)
    np.testing.assert_array_equal(found["code_isvalid"], good == 1)


@pytest.mark.parametrize(
    ("label", "role", "unit"),
    [
        (M2, "parameter", "TODO"),
        (ALPHA, "nuisance", "TODO"),
        (
            "#Halo_gNFW_rho0_parameters @Halo_gNFW_rho0::primary_parameters::rho0",
            "nuisance",
            "TODO",
        ),
        ("LogLike", "likelihood", "1"),
        ("pointID", "id", "1"),
        ("MPIrank", "id", "1"),
        ("Runtime(ms) totalloop", "cost", "ms"),
        ("#lnL_Z @FlavBit::f", "observable", "1"),
        (OMEGA, "observable", "TODO"),
        ("unitCubeParameters[3]", "observable", "1"),
    ],
)
def test_a_label_tells_the_role(label, role, unit):
    stated = hint_of(label, "x", "m", {})
    assert (stated["role"], stated["unit"], stated["valid"]) == (role, unit, "m")
    assert stated["source"] == [{"format": "gambit", "label": label}]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([M2, "LogLike"], ["M2", "LogLike"]),
        (
            ["#A_parameters @A::primary_parameters::m", "#B_parameters @B::primary_parameters::m"],
            ["A_m", "B_m"],
        ),
        (["#x @M::f", "#x @M::g", "#x @M::f::sub[0]"], ["x_M_f", "x_M_g", "x_sub_0"]),
        (["Runtime(ns) for #x @M::f", "Runtime(ms) x"], ["runtime_ns_x_M_f", "runtime_ms_x"]),
        (["a b", "a_b", "a-b"], ["a_b", "a_b_2", "a_b_3"]),
        (["1/x", "split", "%%%"], ["c_1_x", "c_split", "c"]),
        (["y" * 300 + "1", "y" * 300 + "2"], ["y" * 58, "y" * 50 + "_2"]),
    ],
)
def test_labels_become_short_valid_names(labels, names):
    assert list(short_names(labels).values()) == names


@given(st.lists(st.text(max_size=70), unique=True, max_size=8))
def test_any_labels_become_different_valid_names(labels):
    names = short_names(labels)
    assert list(names) == labels
    assert len(set(names.values())) == len(labels)
    assert all(
        name.isascii() and name.isidentifier() and len(name) <= 58 for name in names.values()
    )


def test_what_the_run_says_of_itself_is_in_the_draft(run):
    document = yaml.safe_load(draft([run]))
    (program,) = document["toolchain"]
    (sampling,) = document["tables"][0]["sampling"]
    columns = {column["name"]: column for column in document["tables"][0]["columns"]}
    assert (program["name"], program["version"]) == ("GAMBIT", "2.4.2")
    assert program["settings"]["date"] == "2024-01-01 10:00 to 2024-01-02 10:00"
    assert program["settings"]["ObsLikes"] == ["LogLike lnL_oh2 (DarkBit)"]
    assert len(program["settings"]["yaml_sha256"]) == 64
    assert sampling["sampler"] == "diver"
    assert sampling["settings"]["NP"] == "19200"
    assert "MSSM7atQ::M2: log in [100, 10000]" in sampling["prior"]
    assert "alphaS: fixed at 0.1181" in sampling["prior"]
    assert sampling["rows"] == N
    assert columns["M2"]["scale"] == "log"
    assert columns["M2"]["aliases"] == [M2]
    assert columns["LogLike"]["statistics"]["terms"] == ["lnL_oh2"]
    assert columns["alphaS"]["role"] == "nuisance"


def test_paths_of_the_machine_stay_out_of_the_draft(run):
    text = draft([run], folder=run.parent)
    assert "/home/someone" not in text
    assert "rng::seed" in text


def test_a_file_without_metadata_asks_and_points_to_the_yaml_file(tmp_path, caplog):
    path = written(tmp_path / "v1.hdf5", points())
    with caplog.at_level(logging.WARNING, "limen"):
        document = yaml.safe_load(draft([path]))
    assert "take version, scanner and priors from the YAML file" in caplog.text
    assert document["toolchain"] == [{"role": "global fit", "name": "GAMBIT", "version": "TODO"}]
    assert document["tables"][0]["sampling"][0]["sampler"] == "TODO"


def test_runs_with_different_columns_are_joined(tmp_path):
    first, second = points(), points(300, start=N)
    del second[OMEGA]
    second["extra"] = (np.arange(300), np.ones(300, np.int32))
    a = written(tmp_path / "a.hdf5", first, metadata=RUN)
    b = written(tmp_path / "b.hdf5", second, group="other/place", metadata=RUN)
    source = open_source([a, b])
    found = read_columns([a, b])
    assert source.n_rows == N + 300
    assert np.isnan(found[OMEGA][N:]).all()
    assert not found[f"{OMEGA}_isvalid"][N:].any()
    assert not found["extra_isvalid"][:N].any()
    np.testing.assert_array_equal(found["extra"][N:], np.arange(300))
    np.testing.assert_array_equal(found["pointID"], np.arange(N + 300))
    assert [block["LogLike"].size for block in source.blocks(500)] == [500, 500, 300]


def test_runs_with_different_columns_become_one_bundle(tmp_path, limen):
    second = points(300, start=N)
    del second[OMEGA]
    a = written(tmp_path / "a.hdf5", points(), metadata=RUN)
    b = written(tmp_path / "b.hdf5", second, metadata=RUN | {"Scanner::options::plugin": ["twalk"]})
    bundle = packed([a, b], tmp_path)
    assert limen("check", bundle, "--deep").exit_code == 0
    document = yaml.safe_load((tmp_path / "scan.yaml").read_text())
    entries = document["tables"][0]["sampling"]
    assert [(e["name"], e["sampler"], e["rows"]) for e in entries] == [
        ("a", "diver", N),
        ("b", "twalk", 300),
    ]


def test_points_that_repeat_within_a_file_are_reported(tmp_path, caplog):
    columns = points()
    ids = columns["pointID"][0]
    ids[[500, 501]] = ids[[0, 1]]
    path = written(tmp_path / "restarted.hdf5", columns, metadata=RUN)
    said = (
        "restarted.hdf5: 2 rows repeat a pair (MPIrank, pointID) of the same file, such as "
        "(0, 0), (1, 1)"
    )
    with caplog.at_level(logging.WARNING, "limen"):
        text = draft([path])
    assert said in caplog.text
    assert said in yaml.safe_load(text)["tables"][0]["sampling"][0]["selection"]


def test_points_that_repeat_across_files_are_reported_apart(tmp_path, caplog):
    a = written(tmp_path / "a.hdf5", points(10))
    b = written(tmp_path / "b.hdf5", points(12))
    c = written(tmp_path / "c.hdf5", points(10, start=50))
    with caplog.at_level(logging.WARNING, "limen"):
        open_source([a, b, c])
    assert "10 pairs (MPIrank, pointID) such as (0, 0), (0, 4)" in caplog.text
    assert "stand in more than one of a.hdf5, b.hdf5, c.hdf5: right for independent" in caplog.text
    assert "of the same file" not in caplog.text


def test_points_of_invalid_identity_do_not_repeat(tmp_path, caplog):
    columns = points()
    columns["pointID"] = (np.zeros(N, np.uint64), np.zeros(N, np.int32))
    open_source([written(tmp_path / "a.hdf5", columns)])
    assert "repeat" not in caplog.text


def test_repeats_are_found_when_keys_do_not_fit_into_one_pass(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("limen.readers.gambit.repeats._HELD", 90)
    monkeypatch.setattr("limen.readers.gambit.repeats._COMPARED", 60)
    monkeypatch.setattr("limen.readers.gambit.repeats.SLAB", 70)
    columns = points()
    columns["pointID"][0][999] = columns["pointID"][0][3]
    open_source([written(tmp_path / "a.hdf5", columns)])
    assert "1 row repeats a pair (MPIrank, pointID) of the same file, such as (3, 3)" in caplog.text


def test_ranks_out_of_range_are_not_compared(tmp_path, caplog):
    columns = points()
    columns["MPIrank"] = (np.full(N, -1, np.int32), np.ones(N, np.int32))
    open_source([written(tmp_path / "a.hdf5", columns)])
    assert "out of range are not compared" in caplog.text


def test_random_access_datasets_and_groups_are_skipped(tmp_path):
    path = written(tmp_path / "temp.hdf5", points())
    apart = {f"RA_{k}": v for k, v in points(5).items() if k in ("pointID", "MPIrank")}
    written(path, points(5) | apart, group="RA")
    with h5py.File(path, "a") as file:
        file["data/RA_pointer"] = np.zeros((3, 3))
    source = open_source([path])
    assert source.n_rows == N
    assert not any(name.startswith("RA_") for name in source.columns)


def test_points_in_the_root_of_a_file_are_found(tmp_path):
    path = written(tmp_path / "root.hdf5", points(), group="/", metadata=RUN)
    assert open_source([path]).n_rows == N


def test_the_group_is_chosen_by_its_name(tmp_path):
    path = written(tmp_path / "two.hdf5", points())
    written(path, points(7), group="MSSM7")
    with pytest.raises(ReadError, match=r"several groups .* '/MSSM7' \(6 columns\), '/data'"):
        open_source([path])
    assert open_source([path], options={"group": "MSSM7"}).n_rows == 7
    assert open_source([path], options={"group": "/data"}).n_rows == N
    with pytest.raises(ReadError, match=r"'MSM7': found no such group; did you mean '/MSSM7'\?"):
        open_source([path], options={"group": "MSM7"})


def test_a_dropped_dataset_takes_its_mask_along(run):
    columns = open_source([run], options={"drop": [OMEGA, "pointID_isvalid"]}).columns
    assert OMEGA not in columns
    assert f"{OMEGA}_isvalid" not in columns
    assert "pointID" in columns
    assert "pointID_isvalid" not in columns


def test_a_dataset_that_is_invalid_everywhere_is_dropped_by_the_draft(tmp_path):
    columns = points() | {"never": (np.zeros(N), np.zeros(N, np.int32))}
    path = written(tmp_path / "a.hdf5", columns, metadata=RUN)
    document = yaml.safe_load(draft([path]))
    assert {"never", "never_isvalid"} <= set(document["read"][0]["options"]["drop"])
    assert packed([path], tmp_path).is_dir()


def test_an_unknown_column_to_drop_is_refused(run):
    with pytest.raises(ReadError, match="did you mean 'LogLike'"):
        open_source([run], options={"drop": ["LogLik"]})


def unequal(path: Path) -> Path:
    columns = points()
    columns["LogLike"] = (columns["LogLike"][0][:990], columns["LogLike"][1])
    columns[OMEGA] = (columns[OMEGA][0], columns[OMEGA][1][:980])
    return written(path, columns)


def test_datasets_of_different_lengths_are_refused_or_cut(tmp_path):
    path = unequal(tmp_path / "cut.hdf5")
    with pytest.raises(ReadError, match=r"'LogLike' 990, .*isvalid' 980, the others 1000") as error:
        open_source([path])
    assert "truncate: true" in str(error.value)
    found = read_columns([path], options={"truncate": True})
    np.testing.assert_array_equal(found[M2], points()[M2][0][:980])


def test_empty_files_have_no_say(tmp_path):
    empty = {k: (v[:0].astype(np.float32), f[:0]) for k, (v, f) in points().items()}
    a = written(tmp_path / "a.hdf5", empty)
    with pytest.raises(ReadError, match="found no rows"):
        open_source([a])
    b = written(tmp_path / "b.hdf5", points())
    source = open_source([a, b])
    assert source.n_rows == N
    assert source.columns["pointID"] == np.uint64


def with_dataset(path: Path, name: str, values: Any, *, mask: bool = True) -> Path:
    written(path, points())
    with h5py.File(path, "a") as file:
        file[f"data/{name}"] = values
        if mask:
            file[f"data/{name}_isvalid"] = np.ones(N, np.int32)
    return path


@pytest.mark.parametrize(
    ("name", "values", "mask", "said"),
    [
        ("plane", np.ones((N, 3)), True, r"found shape \(1000, 3\), allowed one number per point"),
        ("scalar", 3.0, True, r"found shape \(\)"),
        ("words", np.array([b"a"] * N), True, "values of type .S1"),
        ("complex", np.ones(N, complex), True, "values of type complex128"),
        ("alone", np.ones(N), False, "found no mask 'alone_isvalid'"),
        ("orphan_isvalid", np.ones(N), False, "found a mask without its dataset 'orphan'"),
        ("two\nlines", np.ones(N), True, "allowed at most 500, all printable"),
    ],
)
def test_datasets_that_are_no_columns_are_refused_unless_dropped(
    name, values, mask, said, tmp_path
):
    path = with_dataset(tmp_path / "a.hdf5", name, values, mask=mask)
    with pytest.raises(ReadError, match=said):
        open_source([path])
    drop = [name, f"{name}_isvalid"] if mask else [name]
    assert open_source([path], options={"drop": drop}).n_rows == N


@pytest.mark.parametrize("bad", [2, -1, np.nan])
def test_masks_other_than_0_and_1_are_refused(bad, tmp_path):
    columns = points()
    flags = np.ones(N, np.float64 if np.isnan(bad) else np.int32)
    flags[700] = bad
    columns["LogLike"] = (columns["LogLike"][0], flags)
    path = written(tmp_path / "a.hdf5", columns)
    with pytest.raises(ReadError, match=r"'LogLike': found .* in its mask, row 700, allowed 0"):
        read_columns([path])


def test_a_mask_of_text_is_refused(tmp_path):
    columns = points()
    columns["LogLike"] = (columns["LogLike"][0], np.array([b"yes"] * N))
    with pytest.raises(ReadError, match=r"LogLike_isvalid.*found values of type .*S3"):
        open_source([written(tmp_path / "a.hdf5", columns)])


def test_a_group_without_masks_is_refused(tmp_path):
    path = tmp_path / "plain.hdf5"
    with h5py.File(path, "w") as file:
        file["data/LogLike"] = np.zeros(N)
        file["data/M2"] = np.zeros(N)
    with pytest.raises(ReadError, match="no dataset X with a mask X_isvalid"):
        open_source([path])
    written(path, points(), group="good")
    with pytest.raises(ReadError, match="'data': found no dataset with a mask in it"):
        open_source([path], options={"group": "data"})


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(share, run, tmp_path):
    whole = run.read_bytes()
    path = tmp_path / "cut.hdf5"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ReadError, match=r"cut\.hdf5: found"):
        read_columns([path])


@pytest.mark.parametrize(
    "data",
    [b"", b"LogLike,M2\n1,2\n", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + os.urandom(4096)],
    ids=["empty", "text", "only-magic", "noise"],
)
def test_foreign_files_of_that_name_are_refused(data, tmp_path):
    path = tmp_path / "scan.hdf5"
    path.write_bytes(data)
    assert not is_gambit(path)
    with pytest.raises(ReadError, match=r"scan\.hdf5: found .*, allowed a"):
        open_source([path])


def test_noise_within_a_file_is_an_error_or_read_never_a_crash(run, tmp_path):
    whole = bytearray(run.read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "noisy.hdf5"
    for _ in range(40):
        noisy = whole.copy()
        for place in rng.integers(8, len(whole), 300):
            noisy[place] = rng.integers(256)
        path.write_bytes(noisy)
        try:
            read_columns([path])
        except ReadError:
            continue


def test_values_outside_the_file_are_never_read(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.full(N, 42.0).tobytes())
    path = written(tmp_path / "a.hdf5", points())
    with h5py.File(path, "a") as file:
        file["data"].create_dataset(
            "stolen", shape=(N,), dtype="f8", external=[(str(secret), 0, N * 8)]
        )
        file["data/stolen_isvalid"] = np.ones(N, np.int32)
        file["data/linked"] = h5py.ExternalLink(str(tmp_path / "b.hdf5"), "/data/LogLike")
        file["data/linked_isvalid"] = np.ones(N, np.int32)
    with pytest.raises(ReadError, match="found values outside this file") as error:
        open_source([path])
    assert [fault.pointer for fault in error.value.faults] == [
        "dataset 'linked'",
        "dataset 'stolen'",
    ]


def test_long_labels_get_short_names_and_endless_ones_are_refused(tmp_path):
    label, endless = f"#{'x' * 400} @Bit::f", f"#{'x' * 5000} @Bit::f"
    one = (np.ones(N), np.ones(N, np.int32))
    path = written(tmp_path / "a.hdf5", points() | {label: one, endless: one})
    with pytest.raises(ReadError, match="a label of 5009 characters, allowed at most 500"):
        open_source([path])
    hint = open_gambit([path], {"drop": [endless]}, Selection(drop=frozenset([endless]))).hints[
        label
    ]
    assert len(hint["name"]) == 58
    assert "source" not in hint
    assert label in hint["description"]


def test_a_label_beyond_an_address_goes_into_a_bundle(tmp_path):
    label = f"#{'x' * 400} @Bit::f"
    columns = points() | {label: (np.ones(N), np.ones(N, np.int32))}
    assert packed([written(tmp_path / "a.hdf5", columns)], tmp_path).is_dir()


def test_faults_of_all_files_come_together(run, tmp_path):
    cut = tmp_path / "cut.hdf5"
    cut.write_bytes(run.read_bytes()[:5000])
    other = unequal(tmp_path / "other.hdf5")
    with pytest.raises(ReadError, match="2 faults") as error:
        open_source([run, cut, other])
    assert "cut.hdf5" in str(error.value)
    assert "different lengths" in str(error.value)


def test_columns_of_numbers_and_of_true_or_false_do_not_join(tmp_path):
    a = written(tmp_path / "a.hdf5", {"x": (np.ones(5), np.ones(5, np.int32))})
    b = written(tmp_path / "b.hdf5", {"x": (np.ones(5, bool), np.ones(5, np.int32))})
    with pytest.raises(ReadError, match="dataset 'x': found bool, in another file float64"):
        open_source([a, b])


def test_gambit_files_are_known_whatever_their_names(run, tmp_path):
    other = tmp_path / "samples.h5"
    other.write_bytes(run.read_bytes())
    assert guess_format(other) == "gambit"
    with h5py.File(tmp_path / "chain.h5", "w") as file:
        file["mcmc/chain"] = np.zeros((3, 3))
    assert not is_gambit(tmp_path / "chain.h5")
    assert not is_gambit(tmp_path)


def test_a_file_that_shrinks_after_it_was_opened_is_refused(tmp_path):
    path = written(tmp_path / "a.hdf5", points())
    source = open_source([path])
    path.unlink()
    written(path, points(500))
    with pytest.raises(ReadError, match="found fewer rows than when it was opened"):
        list(source.blocks())
