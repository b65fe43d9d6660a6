"""From a scan document and its files to a bundle: what is made, what is refused, and the bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from limen.bundle import open_bundle
from limen.checking import check
from limen.errors import (
    DataError,
    FormatVersionError,
    LimenError,
    ReadError,
    SchemaError,
    StorageError,
    UsageError,
)
from limen.packing import make_bundle, pack, spool

NAN, INF = np.nan, np.inf
SPLITS = {"0": "train", "1": "calibration", "2": "test"}


@pytest.fixture
def make(document, columns, tmp_path):
    """Pack the small scan with some columns exchanged; ``missing`` and such go to the document."""

    def packed(changes=None, **fields):
        arrays = columns | (changes or {})
        arrays = {name: values for name, values in arrays.items() if values is not None}
        return make_bundle(document | fields, arrays, tmp_path / "made")

    return packed


def read(bundle, *names):
    with bundle.open_scan() as scan:
        table = scan.read(names)
    return table[names[0]] if len(names) == 1 else tuple(table[name] for name in names)


def test_every_column_comes_back_as_it_was_given(make, columns):
    bundle = make()
    for name, values in columns.items():
        assert np.array_equal(read(bundle, name), values, equal_nan=name == "xsec")
    assert bundle.n_points == 400
    assert check(bundle, deep=True).passed


def test_derived_columns_and_labels_are_made(make, columns):
    delta, outside = read(make(), "delta_chi2", "outside")
    best = columns["loglike"].max()
    assert np.allclose(delta, 2 * (best - columns["loglike"]), rtol=1e-12)
    assert outside.dtype == np.int8
    assert np.array_equal(outside, delta > 5.99)


@pytest.mark.parametrize("rows", [1, 7, 399, 400, 401])
def test_blocks_of_any_size_give_the_same_bytes(make, monkeypatch, tmp_path, rows):
    whole = make().manifest["files"]["scan.zarr.zip"]["sha256"]
    (tmp_path / "made").rename(tmp_path / "whole")
    monkeypatch.setattr(spool, "ROWS", rows)
    assert make().manifest["files"]["scan.zarr.zip"]["sha256"] == whole


def test_the_same_inputs_give_the_same_bytes(make, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, manifest = make(), open_bundle(tmp_path / "made").manifest_sha256
    (tmp_path / "made").rename(tmp_path / "first")
    again = make()
    assert again.manifest_sha256 == manifest
    assert again.manifest["created"] == "2023-11-14T22:13:20Z"
    assert sorted(p.name for p in first.path.parent.iterdir()) == ["first", "made"]
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "made" / path.name).read_bytes()


def test_a_date_that_is_none_is_refused(make, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH: found 'yesterday'"):
        make()


@pytest.fixture
def holes(columns):
    values = columns["m"].copy()
    values[[3, 8]] = NAN
    return values


def test_nan_without_a_mask_is_refused(make, holes, tmp_path):
    with pytest.raises(DataError, match=r"m: found 2 NaN \(first in row 3\) that no mask"):
        make({"m": holes})
    assert not (tmp_path / "made").exists()


def test_nan_becomes_a_mask_on_request(make, holes, column_of):
    bundle = make({"m": holes}, missing="mask")
    assert column_of(bundle.manifest, "m")["valid"] == "valid_m"
    assert np.flatnonzero(~read(bundle, "valid_m")).tolist() == [3, 8]
    assert bundle.table["valid_rows"] == 398
    assert check(bundle, deep=True).passed


def test_identical_masks_are_stored_once(make, holes, columns):
    g = np.where(np.isnan(holes), NAN, columns["g"])
    bundle = make({"m": holes, "g": g}, missing="mask")
    assert bundle.columns["m"].valid == bundle.columns["g"].valid == "valid_m"
    assert "valid_g" not in bundle.columns


def test_what_is_masked_becomes_nan(make, columns):
    bundle = make({"xsec": np.where(columns["ok"], 1.0, -999.0)})
    assert np.array_equal(np.isnan(read(bundle, "xsec")), ~columns["ok"])
    assert bundle.columns["xsec"].range == (1.0, 1.0)


def test_more_nan_than_the_mask_says_are_refused(make, columns):
    values = columns["xsec"].copy()
    values[np.flatnonzero(columns["ok"])[0]] = NAN
    with pytest.raises(DataError, match="xsec: found 1 NaN"):
        make({"xsec": values})


def test_a_masked_column_of_whole_numbers_keeps_its_type(make, document, column_of):
    column_of(document, "xsec")["dtype"] = "int32"
    values = np.arange(400.0)
    values[5] = NAN
    bundle = make({"xsec": values, "ok": np.arange(400) != 5})
    xsec = read(bundle, "xsec")
    assert xsec.dtype == np.int32
    assert np.array_equal(np.delete(xsec, 5), np.delete(np.arange(400), 5))
    assert bundle.columns["xsec"].range == (0.0, 399.0)
    assert check(bundle, deep=True).passed


def test_a_label_with_missing_entries_is_masked(make, columns):
    label = (2 * (columns["loglike"].max() - columns["loglike"]) > 5.99).astype(float)
    label[4] = NAN
    bundle = make({"outside": label}, missing="mask")
    valid, label = read(bundle, "valid_outside", "outside")
    assert np.flatnonzero(~valid).tolist() == [4]
    assert label.dtype == np.int8
    assert check(bundle, deep=True).passed


def test_an_impossible_likelihood_is_masked_with_all_that_follows(make, columns):
    loglike = columns["loglike"].copy()
    loglike[[0, 9]] = -INF
    bundle = make({"loglike": loglike})
    assert {bundle.columns[n].valid for n in ("loglike", "delta_chi2", "outside")} == {
        "valid_loglike"
    }
    values, delta, valid = read(bundle, "loglike", "delta_chi2", "valid_loglike")
    assert np.flatnonzero(np.isnan(values)).tolist() == [0, 9]
    assert np.flatnonzero(np.isnan(delta)).tolist() == [0, 9]
    assert np.flatnonzero(~valid).tolist() == [0, 9]
    assert bundle.table["valid_rows"] == 400
    assert check(bundle, deep=True).passed


@pytest.mark.parametrize("name", ["m", "loglike", "xsec"])
def test_plus_infinity_is_refused(make, columns, name):
    values = columns[name].copy()
    row = np.flatnonzero(columns["ok"])[2]
    values[row] = INF
    with pytest.raises(DataError, match=f"{name}: found inf in row {row}, allowed finite"):
        make({name: values})


def test_a_taken_name_of_a_mask_is_refused(make, document, holes):
    extra = {"name": "valid_m", "role": "observable", "unit": "1"}
    document["tables"][0]["columns"].append(extra)
    with pytest.raises(DataError, match="needs a mask of the name 'valid_m', which is taken"):
        make({"m": holes, "valid_m": np.ones(400)}, missing="mask")


def test_a_given_derived_column_is_checked(make, columns):
    right = 2 * (columns["loglike"].max() - columns["loglike"])
    wrong = right.copy()
    wrong[17] += 1.0
    with pytest.raises(DataError, match=r"delta_chi2: found .* in row 17 where 2 "):
        make({"delta_chi2": wrong})


def test_a_given_derived_column_that_agrees_is_kept(make, columns):
    right = 2 * (columns["loglike"].max() - columns["loglike"]) * (1 + 1e-9)
    assert np.array_equal(read(make({"delta_chi2": right}), "delta_chi2"), right)


def test_labels_that_contradict_their_definition_are_refused(make, columns):
    label = (2 * (columns["loglike"].max() - columns["loglike"]) > 5.99).astype(np.int8)
    row = int(np.flatnonzero(label)[3])
    label[row] = 0
    found = rf"found 1 labels that contradict .*delta_chi2 > 5\.99.* first in row {row}"
    with pytest.raises(DataError, match=found):
        make({"outside": label})


def test_a_label_between_no_and_yes_is_refused(make, columns):
    label = (2 * (columns["loglike"].max() - columns["loglike"]) > 5.99).astype(float)
    label[2] = 0.5
    with pytest.raises(DataError, match="first in row 2"):
        make({"outside": label})


def test_a_definition_on_the_wrong_side_is_refused(make, document, column_of):
    column_of(document, "outside")["definition"]["comparison"] = "<"
    with pytest.raises(SchemaError, match="definition/comparison"):
        make()


def test_values_outside_their_declared_range_are_refused(make, document, column_of):
    column_of(document, "g")["range"] = [0.0, 0.5]
    with pytest.raises(DataError, match=r"g: found values from .*, allowed the declared range"):
        make()


def test_a_declared_range_is_kept(make, document, column_of):
    column_of(document, "g")["range"] = [0.0, 2.0]
    assert make().columns["g"].range == (0.0, 2.0)


def test_all_faults_of_the_data_come_at_once(make, columns):
    m, g = columns["m"].copy(), columns["g"].copy()
    m[1], g[2] = NAN, INF
    with pytest.raises(DataError) as caught:
        make({"m": m, "g": g})
    assert len(caught.value.faults) == 2


def test_rounding_on_purpose_is_recorded(make, document, column_of):
    column_of(document, "m")["precision"] = "float32"
    bundle = make()
    assert read(bundle, "m").dtype == np.float32
    policy = column_of(bundle.manifest, "m")["precision"]
    assert (policy["source"], policy["stored"]) == ("float64", "float32")
    assert 1e-9 < policy["max_relative_error"] < 6e-8
    assert check(bundle, deep=True).passed


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float32", 0.1), ("int8", 300.0), ("int32", 0.5), ("int64", 1e30), ("uint64", -1.0)],
    ids=str,
)
def test_a_lossy_dtype_is_refused(make, document, columns, column_of, dtype, value):
    column_of(document, "m")["dtype"] = dtype
    m = np.round(columns["m"] / 20)
    m[11] = value
    with pytest.raises(DataError, match=f"m: found a value in row 11 that {dtype} cannot hold"):
        make({"m": m})


def test_rounding_does_not_hide_an_overflow(make, document, columns, column_of):
    column_of(document, "m")["precision"] = "float32"
    columns["m"][3] = 1e300
    with pytest.raises(DataError, match="m: found a value in row 3 that float32 cannot hold"):
        make({"m": columns["m"]})


def test_a_narrower_dtype_that_loses_nothing_is_allowed(make, document, column_of):
    column_of(document, "m")["dtype"] = "int16"
    assert read(make({"m": np.arange(400)}), "m").dtype == np.int16


def test_the_split_is_noted_and_explained(make, column_of):
    bundle = make(split={"seed": 3, "stratify": "outside"})
    split = read(bundle, "split")
    assert np.bincount(split).tolist() == pytest.approx([280, 60, 60], abs=2)
    assert column_of(bundle.manifest, "split")["categories"] == SPLITS
    assert bundle.table["split"]["seed"] == 3


def test_another_seed_splits_otherwise(make, tmp_path):
    first = read(make(), "split")
    (tmp_path / "made").rename(tmp_path / "first")
    assert not np.array_equal(first, read(make(split={"seed": 1}), "split"))


def test_a_split_in_the_files_is_kept(make, document):
    given = np.arange(400) % 3
    entry = {"name": "split", "role": "split", "unit": "1", "categories": SPLITS}
    document["tables"][0]["columns"].append(entry)
    assert np.array_equal(read(make({"split": given}), "split"), given)


def test_a_column_that_takes_the_name_of_the_split_is_refused(make, document):
    entry = {"name": "split", "role": "observable", "unit": "1"}
    document["tables"][0]["columns"].append(entry)
    with pytest.raises(SchemaError, match="the name 'split' belongs to the role split"):
        make({"split": np.ones(400)})


def test_rows_without_all_parameters_train(make, columns):
    m = columns["m"].copy()
    m[::2] = NAN
    assert not read(make({"m": m}, missing="mask"), "split")[::2].any()


MINIMAL = """
id: small
version: 1.0.0
title: Small
tables:
  - name: scan
    columns:
      - {name: m, role: parameter, unit: GeV}
      - {name: y, role: observable, unit: "1"}
read:
  - files: [data.csv]
"""


@pytest.fixture
def source(tmp_path):
    """Write a scan document and files beside it, and give the document's path."""

    def write(text=MINIMAL, **files):
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / name.replace("_", ".")).write_bytes(data)
        (tmp_path / "scan.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path / "scan.yaml"

    return write


def nothing_is_left(folder):
    return not any(path.is_dir() for path in folder.iterdir())


BAD_FILES = {
    "an empty file": ("", ReadError, "found no header and no rows"),
    "a header only": ("m,y\n", ReadError, "found no rows"),
    "a ragged line": ("m,y\n1,2\n3\n", ReadError, "line 3"),
    "text in a numeric column": ("m,y\n1,2\nheavy,3\n", ReadError, "heavy|text"),
    "a column twice": ("m,y,m\n1,2,3\n", ReadError, "twice"),
    "an unknown column": ("m,y,z\n1,2,3\n", DataError, "a column 'z' that is not declared"),
    "a missing column": ("m\n1\n", DataError, "no column of this name"),
    "a column of NaN": ("m,y\n1,nan\n2,nan\n", DataError, "y: found 2 NaN"),
    "no UTF-8": (b"m,y\n1,\xff\n", ReadError, "UTF-8"),
    "another unit in the header": ("m [TeV],y\n1,2\n", DataError, "found 'GeV', .* say 'TeV'"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_clear_error_and_leaves_nothing(source, tmp_path, case):
    content, kind, match = BAD_FILES[case]
    with pytest.raises(kind, match=match):
        pack(source(data_csv=content), tmp_path / "made")
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("m,y\n1,nan\n2,nan\n", "y: found no valid value in any row"),
        ("m,y\nnan,1\nnan,2\n", "found no row in which every parameter is valid|m: found no valid"),
        ("m,y\nnan,1\n2,nan\n", None),
    ],
    ids=["all of a column missing", "zero valid rows", "one valid row"],
)
def test_missing_values_can_be_masked_as_long_as_something_is_left(source, tmp_path, text, match):
    path = source(MINIMAL + "missing: mask\n", data_csv=text)
    if match is None:
        assert pack(path, tmp_path / "made").table["valid_rows"] == 1
        return
    with pytest.raises(DataError, match=match):
        pack(path, tmp_path / "made")
    assert nothing_is_left(tmp_path)


def test_zero_valid_rows_are_refused(make, columns):
    m, g = columns["m"].copy(), columns["g"].copy()
    m[::2], g[1::2] = NAN, NAN
    with pytest.raises(DataError, match="no row in which every parameter is valid"):
        make({"m": m, "g": g}, missing="mask")


def test_two_rows_are_packed_but_not_trained_on(source, tmp_path):
    bundle = pack(source(data_csv="m,y\n1,2\n3,4\n"), tmp_path / "made")
    assert bundle.n_points == 2
    assert check(bundle, deep=True).passed


BAD_DOCUMENTS = {
    "a unit that does not parse": (("unit: GeV", "unit: gev"), SchemaError, "/tables/0/columns/0"),
    "a column declared twice": (("name: y", "name: m"), SchemaError, "found 'm' twice"),
    "a later format": (("id: small", 'id: small\nformat: "2.0"'), FormatVersionError, "2.0"),
    "an unknown field": (("id: small", "id: small\ncolour: red"), SchemaError, "/colour"),
    "something undecided": (("GeV}", "TODO}"), SchemaError, "a human must decide"),
    "an alias of YAML": (("title: Small", "title: &a Small"), SchemaError, "anchor|alias"),
    "a file that is not there": (("data.csv", "else.csv"), ReadError, "no such file"),
    "an attachment that is not there": (
        ("title: Small", "title: Small\nattachments: [a.txt]"),
        ReadError,
        "a.txt: no such file",
    ),
    "an attachment with a name of ours": (
        ("title: Small", "title: Small\nattachments: [preview.csv]"),
        LimenError,
        "preview.csv",
    ),
    "an attachment with a name that may not be": (
        ("title: Small", "title: Small\nattachments: ['a b.txt']"),
        LimenError,
        "a b.txt",
    ),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_document_is_one_clear_error_and_leaves_nothing(source, tmp_path, case):
    (old, new), kind, match = BAD_DOCUMENTS[case]
    assert old in MINIMAL
    (tmp_path / "a b.txt").write_text("x")
    path = source(MINIMAL.replace(old, new, 1), data_csv="m,y\n1,2\n3,4\n", preview_csv="m\n1\n")
    with pytest.raises(kind, match=match):
        pack(path, tmp_path / "made")
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"\xff\xfe", "UTF-8"), (b"", "found nothing"), (b"a: [", "line 1"), (b"- 1\n", "found list")],
    ids=["no UTF-8", "empty", "no YAML", "no mapping"],
)
def test_a_document_that_is_none_is_refused(source, tmp_path, content, match):
    with pytest.raises(SchemaError, match=match):
        pack(source(content), tmp_path / "made")


def test_a_document_that_is_not_there_says_how_to_draft_one(tmp_path):
    with pytest.raises(ReadError, match="no such file; draft one: limen init"):
        pack(tmp_path / "scan.yaml", tmp_path / "made")


def test_two_bundles_do_not_lie_in_one_place(source, tmp_path):
    path = source(data_csv="m,y\n1,2\n")
    first = pack(path, tmp_path / "made").manifest_sha256
    with pytest.raises(StorageError, match="there is something here already"):
        pack(path, tmp_path / "made")
    assert open_bundle(tmp_path / "made").manifest_sha256 == first


def test_several_files_follow_each_other(source, tmp_path):
    text = MINIMAL.replace("[data.csv]", "[a.csv, b.csv]\n  - files: [c.csv]")
    path = source(text, a_csv="m,y\n1,1.5\n2,2\n", b_csv="y,m\n3,3\n", c_csv="m,y\n4,4\n")
    bundle = pack(path, tmp_path / "made")
    assert read(bundle, "m").tolist() == [1, 2, 3, 4]
    assert read(bundle, "y").tolist() == [1.5, 2, 3, 4]


def test_files_with_different_columns_are_refused(source, tmp_path):
    text = MINIMAL.replace("[data.csv]", "[a.csv]\n  - files: [b.csv]")
    path = source(text, a_csv="m,y\n1,1\n", b_csv="m\n2\n")
    with pytest.raises(DataError, match=r"/read"):
        pack(path, tmp_path / "made")


@pytest.mark.parametrize("kind", ["csv", "npz", "npy", "parquet"])
def test_every_format_gives_the_same_scan(source, tmp_path, kind):
    rng = np.random.default_rng(0)
    columns = {"m": rng.normal(size=30), "y": rng.normal(size=30)}
    file = tmp_path / f"data.{kind}"
    if kind == "csv":
        rows = zip(*(v.tolist() for v in columns.values()), strict=True)
        file.write_text("m,y\n" + "".join(f"{m!r},{y!r}\n" for m, y in rows))
    elif kind == "npz":
        np.savez(file, **columns)
    elif kind == "npy":
        np.save(file, np.rec.fromarrays(list(columns.values()), names="m,y"))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), file)
    bundle = pack(source(MINIMAL.replace("data.csv", file.name)), tmp_path / "made")
    for name, values in columns.items():
        assert np.array_equal(read(bundle, name), values)


def test_columns_can_be_renamed_and_dropped(source, tmp_path):
    text = MINIMAL + "    options: {columns: {mass: m}, drop: [host]}\n"
    bundle = pack(source(text, data_csv="mass,y,host\n1,2,a\n3,4,b\n"), tmp_path / "made")
    assert read(bundle, "m").tolist() == [1, 3]
    assert set(bundle.columns) == {"m", "y", "split"}


def test_attachments_are_copied_and_hashed(source, tmp_path):
    text = MINIMAL + "attachments: [card.dat]\n"
    bundle = pack(source(text, data_csv="m,y\n1,2\n", card_dat="x = 1"), tmp_path / "made")
    assert bundle.manifest["files"]["card.dat"]["role"] == "attachment"
    assert bundle.verified("card.dat").read_text() == "x = 1"


def test_the_scan_needs_no_limen_to_be_read(make):
    bundle = make()
    code = """
        import sys, types
        sys.modules["limen"] = None
        import numpy, xarray, zarr
        store = zarr.storage.ZipStore(sys.argv[1], mode="r")
        scan = xarray.open_zarr(store)
        print(scan.sizes["point"], scan["m"].attrs["units"], float(scan["m"][0]))
    """
    out = subprocess.run(
        [
            sys.executable,
            "-I",
            "-W",
            "error",
            "-c",
            textwrap.dedent(code),
            bundle.path / "scan.zarr.zip",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert out[:2] == ["400", "GeV"]
    assert float(out[2]) == read(bundle, "m")[0]


def test_documents_are_generated_and_the_manifest_lists_all_files(make):
    bundle = make()
    names = {path.name for path in bundle.path.iterdir()}
    assert names == set(bundle.manifest["files"]) | {"bundle.json"}
    assert {"README.md", "CITATION.cff", "croissant.json", "preview.csv"} <= names
    assert json.loads((bundle.path / "croissant.json").read_text())["name"]
    preview = (bundle.path / "preview.csv").read_text().splitlines()
    assert len(preview) == 401
    assert preview[0].startswith("m")


REAL = """
id: sbottom-region-a
version: 1.0.0
title: CLs of region A alone
tables:
  - name: scan
    columns:
      - {name: m_sbottom, role: parameter, unit: GeV}
      - {name: m_n2, role: parameter, unit: GeV}
      - {name: m_n1, role: parameter, unit: GeV}
      - name: cls
        role: test
        quantity: cls
        unit: "1"
        statistics: {confidence_level: 0.95, construction: CLs, result: observed}
      - name: excluded
        role: label
        quantity: excluded
        unit: "1"
        definition: {text: CLs below 0.05, column: cls, comparison: "<", threshold: 0.05}
        statistics: {confidence_level: 0.95, construction: CLs, result: observed}
read:
  - files: [FILE]
    options:
      columns: {m_neutralino2: m_n2, m_neutralino1: m_n1, CLs_obs: cls}
      drop: [patch, CLs_exp_m2, CLs_exp_m1, CLs_exp, CLs_exp_p1, CLs_exp_p2, CLsb_obs, CLb_obs,
        npars, seconds, error]
"""


def test_a_real_analysis_is_packed_with_its_137_excluded_points(shared_data, source, tmp_path):
    file = shared_data / "pyhf_sbottom" / "cls_regionA.csv"
    bundle = pack(source(REAL.replace("FILE", str(file))), tmp_path / "made")
    assert bundle.n_points == 217
    assert read(bundle, "excluded").sum() == 137
    assert check(bundle, deep=True).passed


def test_whole_numbers_of_a_likelihood_become_real_ones(make):
    bundle = make({"loglike": -np.arange(400)})
    assert read(bundle, "loglike").dtype == np.float64
    assert check(bundle, deep=True).passed
