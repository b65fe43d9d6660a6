"""Bundles beside each other; parts taken out of them; and back from what was exported."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import yaml

from limen.bundle import SCAN, open_bundle
from limen.checking import check
from limen.comparing import diff, export, select
from limen.errors import (
    DataError,
    ExpressionError,
    IntegrityError,
    PartMissingError,
    StorageError,
    UsageError,
)
from limen.packing import make_bundle, pack
from limen.readers import read_columns


def read(bundle):
    with bundle.open_scan() as scan:
        return scan.read()


@pytest.fixture
def other(tmp_path, document, columns):
    """Make a second bundle like the first, with changes."""

    def make(**changes):
        return make_bundle(document, columns | changes, tmp_path / "other")

    return make


def test_a_bundle_does_not_differ_from_itself(trained):
    found = diff(trained, trained)
    assert found["summary"][-1] == "no difference"
    assert found["rows"] == {
        "before": 400,
        "after": 400,
        "common": 400,
        "new": 0,
        "gone": 0,
        "relabelled": {"outside": 0},
    }
    assert not any(found[key] for key in ("metadata", "minimum", "benchmarks"))


def test_rows_that_came_went_and_changed_their_label_are_counted(packed, other, columns):
    m, loglike = columns["m"].copy(), columns["loglike"].copy()
    m[:3] += 0.5
    best = int(np.argmax(loglike))
    loglike[best] += 4.0
    second = other(m=m, loglike=loglike)
    found = diff(packed, second)
    rows = found["rows"]
    assert (rows["common"], rows["new"], rows["gone"]) == (397, 3, 3)
    assert rows["relabelled"]["outside"] > 20
    assert found["minimum"]["loglike"]["after"] == pytest.approx(loglike[best])
    text = "\n".join(found["summary"])
    assert "rows: 397 common, 3 new, 3 gone" in text
    assert f"relabelled by outside: {rows['relabelled']['outside']} rows" in text
    assert "best loglike moved" in text


def test_the_order_of_rows_is_no_difference(packed, other, columns):
    order = np.random.default_rng(0).permutation(400)
    found = diff(packed, other(**{name: values[order] for name, values in columns.items()}))
    assert found["summary"][-1] == "no difference"


def test_columns_that_came_and_changed_are_named(packed, tmp_path, document, columns, column_of):
    column_of(document, "m")["label"] = "heavy mass"
    extra = {"name": "h", "role": "observable", "unit": "1"}
    document["tables"][0]["columns"].append(extra)
    second = make_bundle(document, columns | {"h": columns["g"]}, tmp_path / "second")
    found = diff(packed, second)["columns"]
    assert found["added"] == ["h"]
    assert found["changed"] == {"m": {"label": {"before": "mass", "after": "heavy mass"}}}
    assert diff(second, packed)["columns"]["removed"] == ["h"]


def test_other_parameters_are_told_instead_of_counted(
    packed, tmp_path, document, columns, column_of
):
    column_of(document, "g")["name"] = "g2"
    document["benchmarks"] = []
    columns["g2"] = columns.pop("g")
    second = make_bundle(document, columns, tmp_path / "second")
    assert diff(packed, second)["rows"]["why"] == "the parameters differ"


def test_models_metrics_and_benchmark_verdicts_are_compared(packed, trained, model_path, column_of):
    assert diff(packed, trained)["models"]["added"] == ["region"]
    assert diff(trained, packed)["models"]["removed"] == ["region"]
    manifest = json.loads((model_path / "bundle.json").read_text())
    metric = next(m for m in manifest["models"][0]["metrics"] if m["split"] == "test")
    metric["value"] = 0.25
    for side in manifest["models"][0]["domain"]["box"]:
        side["low"] = side["high"] = 0.0
    (model_path / "bundle.json").write_text(json.dumps(manifest))
    found = diff(trained, model_path)
    changed = found["models"]["metrics"]["region"][f"{metric['name']} (test)"]
    assert changed["after"] == 0.25
    json.dumps(found, allow_nan=False)


def test_a_difference_is_plain_json(packed, trained):
    assert json.loads(json.dumps(diff(packed, trained), allow_nan=False))


def test_a_selection_keeps_the_rows_that_meet_the_condition(packed, tmp_path):
    whole = read(open_bundle(packed))
    part = select(packed, "delta_chi2 < 3 and m > 500", tmp_path / "part")
    met = (whole["delta_chi2"] < 3) & (whole["m"] > 500)
    assert part.n_points == met.sum() > 10
    for name, values in read(part).items():
        assert np.array_equal(values, whole[name][met], equal_nan=values.dtype.kind == "f")
    assert check(part, deep=True, complete=True).passed


def test_a_selection_names_its_parent_and_the_condition(packed, tmp_path):
    part = select(packed, "g < 0.5", tmp_path / "part")
    bundle = open_bundle(packed)
    parent = part.manifest["parent"]
    assert (parent["id"], parent["manifest_sha256"]) == ("toy", bundle.manifest_sha256)
    assert part.manifest["title"].endswith("(selection)")
    assert part.table["sampling"][0]["selection"] == "g < 0.5"
    assert part.models == {}
    assert part.columns["delta_chi2"].derived is None
    assert "over all 400 points of the parent" in part.columns["delta_chi2"].reference


def test_a_selection_of_a_selection_names_both_conditions(packed, tmp_path):
    part = select(packed, "g < 0.5", tmp_path / "part")
    again = select(part, "m > 500", tmp_path / "again")
    assert again.table["sampling"][0]["selection"] == "g < 0.5; m > 500"
    assert again.manifest["parent"]["manifest_sha256"] == part.manifest_sha256


@pytest.mark.parametrize("where", ["1 < 2", "m > 0"], ids=["without a column", "by a column"])
def test_a_condition_that_all_rows_meet_keeps_all(packed, tmp_path, where):
    assert select(packed, where, tmp_path / "part").n_points == 400


def test_missing_values_meet_no_condition(packed, tmp_path):
    ok = read(open_bundle(packed))["ok"]
    for place, where in enumerate(("xsec > -1", "xsec != -1", "not xsec < -1")):
        assert select(packed, where, tmp_path / f"part{place}").n_points == ok.sum() < 400


@pytest.mark.parametrize(
    ("where", "kind", "match"),
    [
        ("m > 1e9", DataError, "no row of 400 meets it"),
        ("mass > 1", ExpressionError, "no column mass; columns are m, g"),
        ("m + 1", ExpressionError, "condition"),
        ("__import__('os')", ExpressionError, "where|allowed|expression"),
        ("loglike > max_over_points(loglike)", ExpressionError, "selects nothing"),
        ("m >", ExpressionError, "m >"),
        ("", ExpressionError, "expression|where"),
    ],
    ids=[
        "no rows",
        "unknown column",
        "a number",
        "a call",
        "a maximum",
        "no expression",
        "nothing",
    ],
)
def test_a_condition_that_is_none_is_refused(packed, tmp_path, where, kind, match):
    with pytest.raises(kind, match=match):
        select(packed, where, tmp_path / "part")
    assert list(tmp_path.iterdir()) == []


def test_a_selection_of_a_damaged_scan_leaves_nothing(bundle_path, tmp_path, sign):
    data = bytearray((bundle_path / SCAN).read_bytes())
    data[len(data) // 3] ^= 255
    (bundle_path / SCAN).write_bytes(data)
    with pytest.raises(IntegrityError):
        select(bundle_path, "m > 0", tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_an_exported_csv_is_packed_again_to_the_same_columns(packed, tmp_path):
    bundle = open_bundle(packed)
    file = export(bundle, "csv", tmp_path / "scan.csv")
    path = tmp_path / "scan.yaml"
    path.write_text(yaml.safe_dump(again(bundle, file.name), sort_keys=False))
    second = pack(path, tmp_path / "again")
    before, after = read(bundle), read(second)
    assert set(before) == set(after)
    for name, values in before.items():
        assert after[name].dtype == values.dtype
        assert np.array_equal(after[name], values, equal_nan=values.dtype.kind == "f")
    assert second.columns == bundle.columns
    assert diff(bundle, second)["summary"][-1] == "no difference"


def again(bundle, file, **fields):
    """Write the scan document that a manifest came from."""
    dropped = ("format", "status", "created", "files", "models", "tables")
    kept = {key: value for key, value in bundle.manifest.items() if key not in dropped}
    table = {key: bundle.table[key] for key in ("name", "sampling", "columns")}
    for column in table["columns"]:
        column.update(fields.get(column["name"], {}))
        if isinstance(column.get("precision"), dict):
            del column["precision"]
    return kept | {"tables": [table], "read": [{"files": [file]}]}


def test_single_precision_survives_a_csv(tmp_path, document, columns, column_of):
    column_of(document, "m")["precision"] = "float32"
    bundle = make_bundle(document, columns, tmp_path / "first")
    export(bundle, "csv", tmp_path / "scan.csv")
    (tmp_path / "scan.yaml").write_text(yaml.safe_dump(again(bundle, "scan.csv")))
    second = pack(tmp_path / "scan.yaml", tmp_path / "again")
    assert np.array_equal(read(second)["m"], read(bundle)["m"])


def test_a_csv_has_units_and_leaves_out_what_is_masked(packed, tmp_path):
    bundle = open_bundle(packed)
    with export(bundle, "csv", tmp_path / "scan.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 400
    assert {"m [GeV]", "g", "xsec [fb]", "split"} <= set(rows[0])
    ok = read(bundle)["ok"]
    assert [row["xsec [fb]"] != "" for row in rows] == ok.tolist()
    assert [row["ok"] for row in rows] == ["true" if value else "false" for value in ok]


def test_an_exported_parquet_holds_the_same_values(packed, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    bundle = open_bundle(packed)
    file = export(bundle, "parquet", tmp_path / "scan.parquet")
    table = parquet.read_table(file)
    assert table.schema.field("m").metadata[b"units"] == b"GeV"
    assert table["xsec"].null_count == (~read(bundle)["ok"]).sum()
    back = read_columns([file])
    for name, values in read(bundle).items():
        assert np.array_equal(back[name], values, equal_nan=values.dtype.kind == "f")


def test_the_croissant_description_is_the_bundles_own(packed, tmp_path):
    file = export(packed, "croissant", tmp_path / "made.json")
    assert file.read_bytes() == (packed / "croissant.json").read_bytes()


def test_an_export_in_an_unknown_format_is_refused(packed, tmp_path):
    with pytest.raises(UsageError, match="found 'xls', allowed croissant, csv, parquet"):
        export(packed, "xls", tmp_path / "scan.xls")


def test_an_export_does_not_overwrite(packed, tmp_path):
    (tmp_path / "scan.csv").write_text("mine")
    with pytest.raises(StorageError, match="there is a file here already"):
        export(packed, "csv", tmp_path / "scan.csv")
    assert (tmp_path / "scan.csv").read_text() == "mine"


def test_an_export_into_no_folder_is_a_clear_error(packed, tmp_path):
    with pytest.raises(StorageError, match="another place"):
        export(packed, "csv", tmp_path / "nowhere" / "scan.csv")


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_an_export_on_a_full_disk_leaves_nothing(packed, small_disk, to):
    place = small_disk(8)
    with pytest.raises(StorageError, match="disk is full"):
        export(packed, to, place / "scan.out")
    assert list(place.iterdir()) == []


def test_an_export_of_a_part_that_was_not_fetched_says_so(bundle_path, tmp_path):
    (bundle_path / SCAN).unlink()
    with pytest.raises(PartMissingError, match="this part was not fetched"):
        export(bundle_path, "csv", tmp_path / "scan.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_a_diff_needs_the_scans(packed, bundle_path):
    shutil.move(bundle_path / SCAN, bundle_path.parent / SCAN)
    with pytest.raises(PartMissingError):
        diff(packed, bundle_path)


def test_a_summary_is_words_and_json_without_python(packed, tmp_path, document, columns):
    changed = document | {"title": "Another", "creators": [{"name": "Roe, Richard"}]}
    second = make_bundle(changed, columns, tmp_path / "renamed")
    lines = diff(packed, second)["summary"]
    assert lines[0].endswith("toy 1.0.0, draft, 400 points, models: none")
    assert 'creators: [{"name": "Doe, Jane"}] -> [{"name": "Roe, Richard"}]' in lines
    assert not any("<Bundle" in line or "{'" in line for line in lines)
