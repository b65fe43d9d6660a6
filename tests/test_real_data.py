"""Real data of many sources become bundles that a deep check passes, value by value."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

import limen
from limen.bundle import open_bundle
from limen.cli.running import PARTLY
from limen.schema import load_yaml

TESTS = Path(__file__).parent
SCANS = TESTS / "data" / "scans"

Columns = Mapping[str, np.ndarray]
Check = Callable[[limen.Bundle, float], limen.Bundle]


@pytest.fixture
def deep(record_property) -> Check:
    """Check a new bundle deeply, and report how fast its rows were packed."""

    def check(bundle: limen.Bundle, seconds: float) -> limen.Bundle:
        report = limen.check(bundle.path, deep=True)
        assert report.passed, report.faults + report.integrity
        rows = bundle.table["rows"]
        record_property("rows", rows)
        record_property("rows_per_second", round(rows / seconds))
        print(f"{bundle.manifest['id']}: {rows:,} rows, {rows / seconds:,.0f} rows/s")
        return bundle

    return check


@pytest.fixture
def benchmark_data(shared_data) -> ModuleType:
    """Load the module that makes the bundles that are measured on."""
    path = TESTS.parent / "benchmarks" / "data.py"
    if not path.is_file():
        pytest.skip("the benchmarks are not part of this copy of the project")
    spec = importlib.util.spec_from_file_location("benchmark_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SHARED = shared_data
    return module


def timed(make: Callable[[], limen.Bundle]) -> tuple[limen.Bundle, float]:
    """Make a bundle; and the seconds that it took."""
    start = time.perf_counter()
    return make(), time.perf_counter() - start


def named(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the columns of a scan document by name."""
    return {column["name"]: column for column in document["tables"][0]["columns"]}


def values_of(bundle: limen.Bundle) -> dict[str, np.ndarray]:
    """Give the stored columns of a bundle."""
    with bundle.open_scan() as scan:
        return dict(scan.read(list(bundle.columns)))


# Scan documents that read the files as they are.

FINISHED = {
    "bsll10_stored": 50_000,
    "cms_four_leptons": 278,
    "cms_zee": 18_885,
    "cms_zmumu": 10_583,
    "cms_zmumu_masses": 10_851,
    "darkmachines": 6_562,
    "darkmachines_scores": 28,
    "sbottom_full": 217,
    "slha_summary": 100,
    "thdm_full": 104_897,
}


def as_written(path: Path, options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Read a file by other means than Limen's: as texts, or as pyarrow gives it."""
    if path.suffix == ".parquet":
        return dict(pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict())
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    header = options.get("names", rows[0])
    return dict(zip(header, (list(column) for column in zip(*rows[1:], strict=True)), strict=True))


def as_number(value: Any) -> float:
    """Give the number that a field means."""
    if value is None or value == "":
        return np.nan
    return float({"True": 1, "False": 0}.get(value, value) if isinstance(value, str) else value)


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_scan_document_packs_every_value_of_its_files(name, shared_data, tmp_path, deep):
    shutil.copy(SCANS / f"{name}.yaml", tmp_path / "scan.yaml")
    (tmp_path / "data").symlink_to(shared_data)
    bundle = deep(*timed(lambda: limen.pack(tmp_path / "scan.yaml", tmp_path / "bundle")))
    assert bundle.table["rows"] == FINISHED[name]
    (reading,) = load_yaml(tmp_path / "scan.yaml")["read"]
    options = reading.get("options", {})
    parts = [as_written(tmp_path / path, options) for path in reading["files"]]
    stored = values_of(bundle)
    compared = set()
    for source in parts[0].keys() - set(options.get("drop", ())):
        column = options.get("columns", {}).get(source, source)
        codes = options.get("categories", {}).get(source)
        texts = [value for part in parts for value in part[source]]
        wanted = [codes[text] for text in texts] if codes else list(map(as_number, texts))
        np.testing.assert_array_equal(stored[column].astype(float), wanted, err_msg=column)
        compared.add(column)
    made = {n for n, c in bundle.columns.items() if c.role in ("mask", "split")}
    assert set(stored) - compared <= made | {"excluded"}


# Data whose bundles the benchmarks make.


@pytest.mark.parametrize(
    ("maker", "rows"),
    [("pmssm", 18_422), ("oracle60k", 60_000), ("thdm", 104_897), ("sbottom", 217)],
)
def test_the_data_that_are_measured_on_pass_a_deep_check(
    maker, rows, benchmark_data, tmp_path, deep
):
    bundle = deep(*timed(lambda: getattr(benchmark_data, maker)(tmp_path)))
    assert 0.8 * rows < bundle.table["rows"] <= rows


# Cross sections: grids of NLL-fast, which text reads, and JSON of NNLL-fast and Resummino.

GRIDS = ("gdcpl", "gg", "gg_hm", "sb", "sdcpl", "sg", "sg_hm", "ss", "st")


def grid_columns(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Declare what the description beside a grid says of its columns."""
    listed: list[dict[str, Any]] = []
    for entry in info["columns"][1:]:
        name, unit = entry["name"], entry["unit"]
        if name.startswith("m"):
            if "dummy" not in name:
                listed.append({"name": name, "role": "parameter", "unit": unit})
        elif name.startswith("xsec"):
            listed.append({"name": name, "role": "observable", "unit": unit, "scale": "log"})
        else:
            listed.append(grid_uncertainty(name, unit, info["values"]))
    return listed


def grid_uncertainty(name: str, unit: str, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Declare an uncertainty; one of the parton densities belongs to all orders, so to the last."""
    side = "up" if "+" in name else "down"
    key = "unc+" if side == "up" else "unc-"
    of = [v["column"] for v in values if name in [u["column"] for u in v[key]]][-1]
    return {
        "name": name.replace("unc+", "unc_up").replace("unc-", "unc_down"),
        "role": "uncertainty",
        "unit": unit,
        "of": of,
        "kind": "theory",
        "side": side,
    }


@pytest.mark.parametrize("process", GRIDS)
def test_a_grid_of_nll_fast_is_read_as_text_with_its_uncertainties(
    process, benchmark_data, tmp_path, deep
):
    stem = process.replace("_hm", "") + "_nllnlo" + "_hm" * process.endswith("_hm")
    grid = benchmark_data.shared(f"events/xsec/{stem}_mstw2008.grid")
    info = json.loads(grid.with_suffix(".info").read_text(encoding="utf-8"))
    columns = grid_columns(info)
    renamed = [
        n["name"].replace("unc+", "unc_up").replace("unc-", "unc_down") for n in info["columns"]
    ]
    wanted = {column["name"] for column in columns}
    options = {
        "delimiter": "whitespace",
        "skip_lines": 1,
        "names": renamed,
        "drop": [name for name in renamed if name not in wanted],
    }
    read = [{"files": [str(grid)], "format": "csv", "options": options}]
    changes = {"title": info["document"]["title"], "read": read}
    document = benchmark_data.document(
        "nllfast", id=f"nllfast-{process.replace('_', '-')}", **changes
    )
    document["tables"][0]["columns"] = columns
    (tmp_path / "scan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    bundle = deep(*timed(lambda: limen.pack(tmp_path / "scan.yaml", tmp_path / "bundle")))
    lines = [line.split() for line in grid.read_text(encoding="utf-8").splitlines()[1:]]
    expected = dict(
        zip(renamed[1:], np.array([row[1:] for row in lines if row], float).T, strict=True)
    )
    stored = values_of(bundle)
    for name in wanted:
        np.testing.assert_array_equal(stored[name], expected[name], err_msg=name)


TABLES = {
    "pp13600_gluino_NNLO+NNLL": ("m_gluino",),
    "pp13600_SGmodel_SGxsec_NNLOa+NNLL": ("m_gluino", "m_squark"),
    "pp13600_hino_nondeg_1000022_1000023_NNLL": ("m_neutralino1", "m_chargino1"),
    "pp13600_wino_sq_dep_1000024_-1000024_NNLL": ("m_squark", "m_wino"),
}


def nested_rows(
    data: Mapping[str, Any], depth: int
) -> list[tuple[list[float], Mapping[str, float]]]:
    """Unfold cross sections that are keyed by one mass within another."""
    if depth == 0:
        return [([], data)]
    return [
        ([float(mass), *masses], found)
        for mass, inner in data.items()
        for masses, found in nested_rows(inner, depth - 1)
    ]


def cross_section_columns(masses: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    """Declare masses, the cross section, and its uncertainties by their names."""
    listed = [{"name": name, "role": "parameter", "unit": "GeV"} for name in masses]
    for name in names:
        if name == "xsec_pb":
            role = {"role": "observable", "quantity": "cross_section", "scale": "log"}
        else:
            side = "up" if "_up_" in name else "down" if "_down_" in name else "both"
            role = {"role": "uncertainty", "of": "xsec_pb", "kind": "theory", "side": side}
        listed.append({"name": name, "unit": "pb"} | role)
    return listed


@pytest.mark.parametrize("name", TABLES)
def test_a_cross_section_in_json_becomes_a_bundle(name, shared_data, tmp_path, deep):
    found = json.loads((shared_data / "events" / "xsec" / f"{name}.json").read_text("utf-8"))
    rows = nested_rows(found["data"], len(TABLES[name]))
    keys = list(rows[0][1])
    columns = {m: np.array([row[0][i] for row in rows]) for i, m in enumerate(TABLES[name])}
    columns |= {key: np.array([row[1][key] for row in rows]) for key in keys}
    document = load_yaml(SCANS / "nnll.yaml")
    document["description"] += f" Process {found['process_id']}, order {found['order']}."
    document["toolchain"] = [{"role": "cross section", "name": found["tool"], "version": "unknown"}]
    document["tables"][0]["columns"] = cross_section_columns(TABLES[name], keys)
    bundle = deep(*timed(lambda: limen.make_bundle(document, columns, tmp_path / "bundle")))
    assert bundle.table["rows"] == len(rows) > 40


# Events.


def test_events_of_signal_and_background_become_one_bundle_with_a_label(
    shared_data, tmp_path, deep
):
    toy = shared_data / "events" / "toy"
    files = [toy / "zgamma_background.csv.gz", toy / "zgamma_signal150.csv.gz"]
    start = time.perf_counter()
    parts = [limen.read([path]) for path in files]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    counts = [len(part["met"]) for part in parts]
    columns["signal"] = np.repeat(np.array([0, 1], np.int8), counts)
    bundle = limen.make_bundle(load_yaml(SCANS / "zgamma.yaml"), columns, tmp_path / "bundle")
    deep(bundle, time.perf_counter() - start)
    assert bundle.table["rows"] == sum(counts) == 24_958


OBJECTS = {"0": "none", "1": "j", "2": "b", "3": "e-", "4": "e+", "5": "m-", "6": "m+", "7": "g"}
FIELDS = {"E": "MeV", "pt": "MeV", "eta": "1", "phi": "rad"}


def read_events(path: Path, processes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Read ragged event lines; objects that an event lacks are NaN behind their mask."""
    code = {text: int(number) for number, text in OBJECTS.items()}
    number = {text: int(key) for key, text in processes.items()}
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    lines = [line.strip().rstrip(";").split(";") for line in text.splitlines()]
    most = max(len(line) for line in lines) - 5
    columns = {"process": np.array([number[line[1]] for line in lines], np.int8)}
    for place, name in enumerate(("weight", "met", "met_phi"), 2):
        columns[name] = np.array([float(line[place]) for line in lines])
    columns["n_objects"] = np.array([len(line) - 5 for line in lines], np.int16)
    for k in range(1, most + 1):
        rows = [line[4 + k].split(",") if len(line) > 4 + k else ["none"] for line in lines]
        columns[f"has_{k}"] = np.array([len(row) > 1 for row in rows])
        columns[f"type_{k}"] = np.array([code[row[0]] for row in rows], np.int8)
        for place, name in enumerate(FIELDS, 1):
            found = [float(row[place]) if len(row) > 1 else np.nan for row in rows]
            columns[f"{name}_{k}"] = np.array(found)
    return columns


def object_columns(k: int) -> list[dict[str, Any]]:
    """Declare the columns of the k-th object of an event."""
    kind = {"name": f"type_{k}", "role": "observable", "unit": "1", "categories": OBJECTS}
    numbers = [
        {"name": f"{name}_{k}", "role": "observable", "unit": unit, "valid": f"has_{k}"}
        for name, unit in FIELDS.items()
    ]
    return [{"name": f"has_{k}", "role": "mask", "unit": "1"}, kind, *numbers]


@pytest.mark.parametrize(
    ("name", "file", "events", "objects"),
    [
        (
            "leshouches_monojet",
            "leshouches_events/monojet_Zp2000.0_DM_50.0_chan3_head2000.csv",
            2_000,
            7_367,
        ),
        ("leshouches_toy", "events/toy/leshouches_toy_ttbar_4top.csv.gz", 5_000, 31_262),
    ],
    ids=["monojet", "toy"],
)
def test_ragged_events_become_a_bundle_without_losing_an_object(
    name, file, events, objects, shared_data, tmp_path, deep
):
    document = load_yaml(SCANS / f"{name}.yaml")
    declared = named(document)["process"]["categories"]
    start = time.perf_counter()
    columns = read_events(shared_data / file, declared)
    most = int(columns["n_objects"].max())
    for k in range(1, most + 1):
        document["tables"][0]["columns"] += object_columns(k)
    bundle = limen.make_bundle(document, columns, tmp_path / "bundle")
    deep(bundle, time.perf_counter() - start)
    stored = values_of(bundle)
    masks = [stored[f"has_{k}"] for k in range(1, most + 1)]
    assert len(stored["met"]) == events
    assert np.sum(masks) == np.sum(stored["n_objects"]) == objects
    assert np.isfinite(stored["pt_1"][stored["has_1"]]).all()


# Two commands: a draft, the answers of a human, a bundle.


def answered(found: Any, answer: Any) -> Any:
    """Put answers into a drafted document; list entries with a name are found by it."""
    if isinstance(found, dict) and isinstance(answer, dict):
        keys = [*found, *(key for key in answer if key not in found)]
        return {
            key: answered(found.get(key), answer[key]) if key in answer else found[key]
            for key in keys
        }
    if isinstance(found, list) and isinstance(answer, list):
        names = [entry.get("name") for entry in found]
        if {entry.get("name") for entry in answer} <= {*names}:
            given = {entry.get("name"): entry for entry in answer}
            return [answered(entry, given.get(entry.get("name"), {})) for entry in found]
    return answer


def drafted_and_packed(
    limen_line: Callable[..., Any], files: Sequence[Path], answers: str, folder: Path, *options: str
) -> Path:
    """Draft by the command line, answer what it asks, and pack by the command line."""
    draft, finished = folder / "draft.yaml", folder / "scan.yaml"
    result = limen_line("init", *files, "-o", draft, *options)
    assert result.exit_code == 0, result.output
    given = load_yaml(SCANS / "answers" / f"{answers}.yaml")
    document = answered(load_yaml(draft), given)
    text = yaml.safe_dump(document, sort_keys=False)
    assert "TODO" not in text
    finished.write_text(text, encoding="utf-8")
    result = limen_line("pack", finished, "-o", folder / "bundle")
    assert result.exit_code in (0, PARTLY), result.output
    return folder / "bundle"


def test_gambit_output_becomes_a_bundle_by_two_commands(limen, shared_data, tmp_path, deep):
    h5py = pytest.importorskip("h5py")
    path = shared_data / "gambit_hdf5" / "results_run1.hdf5"
    start = time.perf_counter()
    made = drafted_and_packed(limen, [path], "gambit", tmp_path)
    bundle = deep(open_bundle(made), time.perf_counter() - start)
    stored = values_of(bundle)
    with h5py.File(path) as file:
        group = file["data"]
        np.testing.assert_array_equal(stored["LogLike"], group["LogLike"][:])
        np.testing.assert_array_equal(stored["pointID"], group["pointID"][:])
    assert bundle.table["rows"] == 9_000
    assert stored["LogLike"].max() == pytest.approx(-25.313, abs=1e-3)


SAME_PARAMETERS = {
    "M1": "M_1",
    "M2": "M_2",
    "M3": "M_3",
    "At": "A_t",
    "Ab": "A_b",
    "Atau": "A_tau",
    "mA": "MA_pole",
    "mL1": "M_eL",
    "mL3": "M_tauL",
    "mE1": "M_eR",
    "mE3": "M_tauR",
    "mQ1": "M_q1L",
    "mQ3": "M_q3L",
    "mU1": "M_uR",
    "mU3": "M_tR",
    "mD1": "M_dR",
    "mD3": "M_bR",
}


def test_spectra_become_a_bundle_with_the_parameters_of_their_table(
    limen, shared_data, tmp_path, deep
):
    folder = shared_data / "slha_atlas_pmssm"
    start = time.perf_counter()
    made = drafted_and_packed(limen, [folder / "slha"], "slha", tmp_path)
    bundle = deep(open_bundle(made), time.perf_counter() - start)
    assert bundle.table["rows"] == 67
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as stream:
        summary = {int(row["slha_id"]): row for row in csv.DictReader(stream)}
    stored = values_of(bundle)
    rows = [summary[point] for point in stored["point_id"].tolist()]
    for column, name in SAME_PARAMETERS.items():
        wanted = [float(row[name]) for row in rows]
        np.testing.assert_allclose(stored[column], wanted, rtol=1e-5, err_msg=column)
    # The table has tan beta at m_Z and mu as input; the spectra are read at the SUSY scale.
    ratio = stored["tanb"] / [float(row["tanbeta"]) for row in rows]
    assert 0.001 < np.abs(ratio - 1).max() < 0.06


SBOTTOM = "m_sbottom,m_neutralino2,m_neutralino1"


def unpacked(archive: Path, folder: Path, patches: Sequence[str]) -> Path:
    """Take the background and some patches of region A out of the archive."""
    folder.mkdir()
    wanted = {"BkgOnly.json", *(f"patch.sbottom_{name}.json" for name in patches)}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = Path(member.name).name
            stream = tar.extractfile(member) if member.isfile() else None
            if "RegionA" in member.name and name in wanted and stream is not None:
                (folder / name).write_bytes(stream.read())
    return folder


def test_a_likelihood_with_loose_patches_gives_the_cls_of_its_table(
    limen, shared_data, tmp_path, deep
):
    pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    patches = ("1300_205_60", "1000_131_1")
    archive = shared_data / "pyhf_sbottom" / "SUSY-2018-31_likelihoods.tar.gz"
    files = sorted(unpacked(archive, tmp_path / "RegionA", patches).iterdir())
    start = time.perf_counter()
    made = drafted_and_packed(limen, files, "pyhf", tmp_path, "--option", f"names={SBOTTOM}")
    bundle = deep(open_bundle(made), time.perf_counter() - start)
    stored = values_of(bundle)
    assert stored["fit_ok"].all()
    with (shared_data / "pyhf_sbottom" / "cls_regionA.csv").open(encoding="utf-8") as stream:
        table = {row["patch"]: row for row in csv.DictReader(stream)}
    order = {float(name.split("_")[0]): f"sbottom_{name}" for name in patches}
    wanted = [float(table[order[mass]]["CLs_obs"]) for mass in stored["m_sbottom"]]
    np.testing.assert_allclose(stored["CLs_obs"], wanted, rtol=1e-3)


@pytest.mark.long
def test_an_archive_of_three_regions_takes_each_point_of_the_best_expected(
    limen, shared_data, tmp_path, deep
):
    pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    archive = shared_data / "pyhf_sbottom" / "SUSY-2018-31_likelihoods.tar.gz"
    start = time.perf_counter()
    made = drafted_and_packed(limen, [archive], "pyhf", tmp_path, "--option", f"names={SBOTTOM}")
    bundle = deep(open_bundle(made), time.perf_counter() - start)
    stored = values_of(bundle)
    assert bundle.table["rows"] == 218
    assert stored["fit_ok"].mean() > 0.95
    assert stored["excluded"][stored["fit_ok"]].sum() > 137


@pytest.mark.long
def test_a_patch_set_whose_fits_are_hard_becomes_a_bundle_without_false_cls(
    limen, shared_data, tmp_path, deep
):
    pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    folder = shared_data / "pyhf_3L_ins1771533"
    files = [folder / "BkgOnly.json", folder / "patchset.json"]
    start = time.perf_counter()
    made = drafted_and_packed(limen, files, "pyhf_3l", tmp_path)
    bundle = deep(open_bundle(made), time.perf_counter() - start)
    stored = values_of(bundle)
    assert bundle.table["rows"] == 64
    believed = stored["CLs_obs"][stored["fit_ok"]]
    assert (believed < 0.999).any()
    assert np.isnan(stored["CLs_obs"][~stored["fit_ok"]]).all()
