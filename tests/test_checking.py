"""A check finds what is wrong with files, data and models, also where the hashes were corrected."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from limen import schema
from limen.bundle import SCAN, open_bundle
from limen.checking import check
from limen.checking.checklist import CHECKLIST
from limen.errors import GraphError, IntegrityError, LimenError
from limen.packing import make_bundle
from limen.scan import ScanColumn, open_scan, write_scan
from limen.training import train


def pointers(report):
    return [fault.pointer for fault in report.faults]


@pytest.fixture
def rewrite(sign):
    """Write the scan anew with some columns changed, and correct its hash."""

    def change(path, **changes):
        with open_scan(path / SCAN) as scan:
            columns = scan.read()
            attrs = {name: scan.column_attrs(name) for name in scan.names}
        columns = {k: v for k, v in (columns | changes).items() if v is not None}
        (path / SCAN).unlink()
        listed = [
            ScanColumn(
                name,
                values.dtype.name,
                lambda start, stop, values=values: values[start:stop],
                attrs.get(name, {}),
            )
            for name, values in columns.items()
        ]
        write_scan(path / SCAN, listed, len(next(iter(columns.values()))))
        sign(path, SCAN)
        return columns

    return change


@pytest.fixture
def amend():
    """Change the manifest as it lies on disk, past all checks."""

    def change(path, how):
        manifest = schema.load_json(path / "bundle.json")
        how(manifest)
        (path / "bundle.json").write_bytes(schema.canonical_json(manifest))

    return change


def read(path, name):
    with open_scan(path / SCAN) as scan:
        return scan.read([name])[name]


def test_a_whole_bundle_passes(trained):
    report = check(trained, deep=True, complete=True)
    assert report.passed
    assert report.faults == report.integrity == report.not_fetched == []
    assert "derived columns and labels recomputed" in report.done
    assert "model region: published metrics and benchmark points recomputed" in report.done


def test_a_report_is_plain_json(trained):
    answer = json.loads(json.dumps(check(trained).to_dict(), allow_nan=False))
    assert answer["passed"] is True
    assert [point["point"] for point in answer["checklist"]] == list(CHECKLIST)


@pytest.mark.parametrize("name", [SCAN, "region.onnx", "region.probe.json", "README.md"])
def test_a_changed_file_is_an_integrity_fault(model_path, name):
    data = bytearray((model_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model_path / name).write_bytes(data)
    report = check(model_path)
    assert pointers(report) == [name]
    assert report.integrity
    assert not report.passed


@pytest.mark.parametrize("complete", [False, True], ids=["of a fetched folder", "of a whole one"])
def test_a_missing_file(model_path, complete):
    (model_path / SCAN).unlink()
    report = check(model_path, deep=True, complete=complete)
    assert report.not_fetched == [SCAN]
    assert report.passed is not complete
    assert pointers(report) == ([SCAN] if complete else [])
    assert "model region: 32 probe rows" in report.done


def test_an_extra_file_is_told_with_what_to_do(bundle_path):
    (bundle_path / "notes.txt").write_text("")
    (bundle_path / "folder").mkdir()
    report = check(bundle_path)
    assert pointers(report) == ["folder", "notes.txt"]
    assert "limen edit --attach" in report.integrity[0].message


def test_links_are_told(bundle_path, tmp_path):
    shutil.move(bundle_path / "preview.csv", tmp_path / "preview.csv")
    (bundle_path / "preview.csv").symlink_to(tmp_path / "preview.csv")
    (bundle_path / "extra").symlink_to("/etc/passwd")
    assert sorted(pointers(check(bundle_path))) == ["extra", "preview.csv"]


def test_a_wrong_label_is_found(bundle_path, rewrite):
    label = read(bundle_path, "outside").copy()
    label[[5, 50]] ^= 1
    rewrite(bundle_path, outside=label)
    assert check(bundle_path).passed
    report = check(bundle_path, deep=True)
    assert pointers(report) == [f"{SCAN}/outside"]
    assert "found 2 labels that contradict delta_chi2 > 5.99" in report.faults[0].message


def test_a_wrong_derived_value_is_found(bundle_path, rewrite):
    delta = read(bundle_path, "delta_chi2").copy()
    delta[7] += 1e-3
    rewrite(bundle_path, delta_chi2=delta)
    report = check(bundle_path, deep=True)
    assert pointers(report) == [f"{SCAN}/delta_chi2"]
    assert "found 1 values that are not 2 * (max_over_points" in report.faults[0].message


def scan_faults():
    """Changes of a scan that its manifest does not know of, and what is said of each."""

    def masked_number(path):
        values, ok = read(path, "xsec").copy(), read(path, "ok")
        values[np.flatnonzero(~ok)[0]] = 20.0
        return {"xsec": values}

    def nan(path):
        values, ok = read(path, "xsec").copy(), read(path, "ok")
        values[np.flatnonzero(ok)[0]] = np.nan
        return {"xsec": values}

    def high(path):
        values = read(path, "g").copy()
        values[0] = 7.0
        return {"g": values}

    def code(path):
        values = read(path, "split").copy()
        values[0] = 3
        return {"split": values}

    return {
        "a value outside the range": (high, "g", "found 1 values outside"),
        "NaN that no mask declares": (nan, "xsec", "found 1 NaN that no mask declares"),
        "a number that is masked": (masked_number, "xsec", "masked but not NaN"),
        "a code without meaning": (code, "split", "codes that are no category"),
        "another dtype": (lambda p: {"g": read(p, "g").astype("f4")}, "g", "found float32"),
    }


@pytest.mark.parametrize("case", scan_faults())
def test_data_that_contradict_their_column_are_found(bundle_path, rewrite, case):
    change, column, text = scan_faults()[case]
    rewrite(bundle_path, **change(bundle_path))
    report = check(bundle_path)
    assert pointers(report) == [f"{SCAN}/{column}"]
    assert text in report.faults[0].message


def test_other_columns_than_declared_are_found(bundle_path, rewrite):
    rewrite(bundle_path, g=None, h=np.zeros(400))
    report = check(bundle_path)
    assert report.faults == [(SCAN, "columns missing: g; not declared: h")]


def test_another_number_of_rows_is_found(bundle_path, amend):
    amend(bundle_path, lambda m: m["tables"][0].update(rows=401, valid_rows=401))
    assert "found 400 rows, the manifest says 401" in check(bundle_path).faults[0].message


def test_a_wrong_number_of_valid_rows_is_found(bundle_path, amend):
    def change(manifest):
        manifest["tables"][0]["valid_rows"] = 399

    amend(bundle_path, change)
    assert "found 400 valid rows, the manifest says 399" in check(bundle_path).faults[0].message


def test_a_narrowed_range_in_the_manifest_is_found(bundle_path, amend, column_of):
    amend(bundle_path, lambda m: column_of(m, "m").update(range=[200.0, 1000.0]))
    assert pointers(check(bundle_path)) == [f"{SCAN}/m"]


def tamper_metric(card):
    metric = next(m for m in card["metrics"] if m["name"] == "accuracy" and m["split"] == "test")
    metric["value"], metric["interval"] = 0.999, [0.99, 1.0]


def tamper_coverage(kind):
    def change(card):
        entry = next(e for e in card["confidence"] if e["kind"] == kind)
        entry["coverage"]["value"] = 0.777

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (tamper_metric, "accuracy"),
        (tamper_coverage("conformal"), "coverage"),
        (tamper_coverage("binned_accuracy"), "coverage"),
    ],
    ids=["accuracy", "coverage of the sets", "coverage of the bins"],
)
def test_a_figure_in_the_card_that_is_too_good_is_found(model_path, amend, change, said):
    amend(model_path, lambda manifest: change(manifest["models"][0]))
    assert check(model_path).passed
    report = check(model_path, deep=True)
    assert len(report.faults) == 1
    assert said in str(report.faults[0])
    assert "published 0." in report.faults[0].message


def test_a_card_without_a_quantile_is_checked_all_the_same(model_path, amend):
    def change(manifest):
        entry = next(e for e in manifest["models"][0]["confidence"] if e["kind"] == "conformal")
        entry["quantile"] = None
        entry.pop("coverage")

    amend(model_path, change)
    assert check(model_path, deep=True).passed


@pytest.mark.parametrize("classes", [[0, 1, 2], [1, 0], [0, -1]], ids=str)
def test_a_card_of_impossible_classes_is_refused(model_path, amend, classes):
    amend(model_path, lambda m: m["models"][0]["outputs"][0].update(classes=classes))
    with pytest.raises(LimenError, match=r"/models/0/outputs/0/classes: found .* allowed codes"):
        check(model_path, deep=True)


def test_a_benchmark_point_with_another_answer_is_found(model_path, amend):
    def change(manifest):
        manifest["benchmarks"][0]["expected"]["outside"] = "outside_region"

    amend(model_path, change)
    report = check(model_path, deep=True)
    assert len(report.faults) == 1
    assert "found inside_region, known is outside_region" in report.faults[0].message


@pytest.fixture
def probe(model_path, sign):
    """Change the probe and correct its hash."""

    def change(how):
        path = model_path / "region.probe.json"
        document = schema.load_json(path)
        how(document)
        path.write_bytes(schema.canonical_json(document))
        sign(model_path, path.name)
        return check(model_path)

    return change


def test_a_tampered_answer_of_the_probe_is_found(probe):
    def change(document):
        document["outputs"]["probability"][3][1] += 0.01

    report = probe(change)
    assert pointers(report) == ["region.probe.json /outputs/probability"]
    assert "beyond the tolerance" in report.faults[0].message


def test_a_probe_of_tiny_values_is_not_compared_by_an_absolute_tolerance(tmp_path, sign):
    rng = np.random.default_rng(0)
    b = rng.uniform(0.0, 1.0, 300)
    columns = [
        {"name": "b", "role": "parameter", "unit": "1"},
        {"name": "xsec", "role": "observable", "unit": "pb"},
    ]
    document = {"id": "tiny", "version": "1.0.0", "title": "Tiny cross sections"}
    document["tables"] = [{"name": "scan", "sampling": [{"sampler": "r"}], "columns": columns}]
    bundle = make_bundle(document, {"b": b, "xsec": 1e-9 * (1.0 + b)}, tmp_path / "tiny")
    train(bundle, "xsec", options={"n_estimators": 5})
    path = bundle.path / "xsec.probe.json"
    probe = schema.load_json(path)
    probe["outputs"]["mean"][0] *= 1.5
    path.write_bytes(schema.canonical_json(probe))
    sign(bundle.path, path.name)
    assert pointers(check(bundle.path)) == ["xsec.probe.json /outputs/mean"]


@pytest.mark.parametrize(("change", "found"), [(1e-9, []), (0.1, ["y.probe.json /outputs/std"])])
def test_a_std_of_mere_rounding_is_compared_beside_the_mean(change, found, tmp_path, sign):
    x = np.linspace(1.0, 2.0, 200)
    columns = [
        {"name": "x", "role": "parameter", "unit": "1"},
        {"name": "y", "role": "observable", "unit": "1"},
    ]
    document = {"id": "exact", "version": "1.0.0", "title": "An exact trend"}
    document["tables"] = [{"name": "scan", "sampling": [{"sampler": "r"}], "columns": columns}]
    bundle = make_bundle(document, {"x": x, "y": 2.0 + x}, tmp_path / "exact")
    train(bundle, "y", estimator="gp")
    path = bundle.path / "y.probe.json"
    probe = schema.load_json(path)
    assert np.max(probe["outputs"]["std"]) < 1e-6
    probe["outputs"]["std"][0] += change
    path.write_bytes(schema.canonical_json(probe))
    sign(bundle.path, path.name)
    assert pointers(check(bundle.path)) == found


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda d: d["inputs"].reverse(), "/inputs"),
        (lambda d: d["outputs"].update(mean=[0.0] * 32), "/outputs/mean"),
        (lambda d: d["points"].pop(), "/outputs"),
        (lambda d: d.update(points=[]), "/points"),
        (lambda d: d.pop("tolerance"), "tolerance"),
        (lambda d: d["tolerance"].update(relative=0.5), "/tolerance/relative"),
        (lambda d: d.update(model="other"), "/model"),
        (lambda d: d.update(dtype="float64"), "/dtype"),
    ],
    ids=[
        "inputs reordered",
        "another output",
        "a row less",
        "no rows",
        "no tolerance",
        "a tolerance that passes all",
        "of another model",
        "of another precision",
    ],
)
def test_a_probe_that_does_not_fit_is_found(probe, change, pointer):
    report = probe(change)
    assert report.faults
    assert any(pointer in str(fault) for fault in report.faults)


def graph(op="Identity", domain="", external=False):
    """Make a graph of the right shape that a publisher could have put in place of the model."""
    shape = ["N", 2]
    made = helper.make_graph(
        [helper.make_node(op, ["points"], ["probability"], domain=domain)],
        "g",
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, shape)],
    )
    if external:
        tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        made.initializer.append(tensor)
    opsets = [helper.make_opsetid("", 18)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(made, opset_imports=opsets).SerializeToString()


HOSTILE = {
    "no model at all": (b"GIF89a", GraphError),
    "an empty file": (b"", GraphError),
    "a foreign operator": (graph("Shell", "com.evil"), GraphError),
    "data in another file": (graph(external=True), GraphError),
    "another model": (graph(), LimenError),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_model_in_place_of_the_models_is_refused_cleanly(model_path, sign, case):
    data, kind = HOSTILE[case]
    (model_path / "region.onnx").write_bytes(data)
    sign(model_path, "region.onnx")
    for deep in (False, True):
        report = check(model_path, deep=deep)
        assert report.faults
        assert all(fault.pointer == "model region" for fault in report.faults)
    with pytest.raises(kind, match=r"region\.onnx"):
        open_bundle(model_path).predictor("region")


def test_a_model_of_another_bundle_is_refused(model_path, amend):
    amend(model_path, lambda manifest: manifest.update(id="other"))
    with pytest.raises(IntegrityError, match=r"limen\.bundle: found 'toy', allowed 'other'"):
        open_bundle(model_path).predictor("region")
    assert not check(model_path).passed


def test_a_model_that_learnt_other_columns_is_refused(model_path, amend):
    def change(manifest):
        card = manifest["models"][0]
        card["inputs"][0]["column"], card["inputs"][1]["column"] = "g", "m"
        card["inputs"][0]["unit"], card["inputs"][1]["unit"] = "1", "GeV"
        card["domain"]["box"].reverse()

    amend(model_path, change)
    with pytest.raises(IntegrityError, match=r"limen\.inputs_sha256"):
        open_bundle(model_path).predictor("region")


def test_a_model_with_noise_in_it_is_refused(model_path, sign):
    model = onnx.load(model_path / "region.onnx")
    noise = helper.make_node("RandomNormal", [], ["noise"], shape=[1])
    model.graph.node.insert(0, noise)
    onnx.save(model, model_path / "region.onnx")
    sign(model_path, "region.onnx")
    with pytest.raises(GraphError, match="RandomNormal"):
        open_bundle(model_path).predictor("region")


def test_the_checklist_tells_what_is_met_missed_and_not_asked(packed):
    answers = {point["point"]: point["met"] for point in check(packed).checklist}
    assert answers["inputs are described"] is True
    assert answers["theory and its convention are stated"] is False
    assert answers["models can be made again"] is None


def test_the_checklist_sees_what_is_not_intact(bundle_path):
    (bundle_path / "preview.csv").write_text("")
    answers = {point["point"]: point for point in check(bundle_path).checklist}
    assert answers["all files are intact"]["met"] is False
    assert "preview.csv" in answers["all files are intact"]["why"]


def test_the_checklist_claims_nothing_of_parts_that_are_not_here(model_path):
    for name in ("region.onnx", "scan.zarr.zip"):
        (model_path / name).unlink()
    report = check(model_path)
    answers = {point["point"]: point for point in report.checklist}
    assert report.passed
    assert answers["models prove themselves on stored rows"]["met"] is None
    assert "region.onnx" in answers["models prove themselves on stored rows"]["why"]
    assert answers["all files are intact"]["met"] is None


def test_the_checklist_says_how_to_mend_what_is_missed(tmp_path, document, columns):
    bare = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "bare")
    missed = {p["point"]: p["why"] for p in check(bare).checklist if p["met"] is False}
    assert "--set theory=" in missed["theory and its convention are stated"]
    assert "--set toolchain='[{role:" in missed["versions of all tools are recorded"]
    assert "--set benchmarks='[{name:" in missed["there are benchmark points with known answers"]
    assert "comes with the deposit" in missed["it can be cited and its licences are known"]
    assert "--set creators" not in missed["it can be cited and its licences are known"]


@pytest.mark.parametrize(("fields", "met"), [({}, False), ({"reference": "a paper"}, True)])
def test_a_benchmark_point_counts_only_with_its_reference(bundle_path, fields, met):
    point = {"name": "P", "point": {"m": 550.0, "g": 0.5}, "expected": {"outside": 0.0}}
    opened = open_bundle(bundle_path)
    manifest = opened.manifest | {"benchmarks": [point | fields]}
    found = CHECKLIST["there are benchmark points with known answers"](manifest, check(opened))
    assert found[0] is met
