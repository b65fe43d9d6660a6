"""A stranger's bundle: refused with its reason, or examined once and remembered."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile import CASES
from hostile.__main__ import table
from hostile.editing import edit_model, edit_probe, sign

from limen import errors
from limen.errors import Fault, GraphError, IntegrityError
from limen.packing import make_bundle
from limen_zenodo import errors as ours
from limen_zenodo import trust
from limen_zenodo.names import name_fault, name_faults, safe_name
from limen_zenodo.trial import Limits, main, try_model
from limen_zenodo.trust import examine, open_examined, refuse_listing

PATIENT = Limits(memory=2**30, cpu=2)
MOST_SECONDS, MOST_BYTES = 10, 500 * 2**20

posix = pytest.mark.skipif(os.name != "posix", reason="limits are those of POSIX")


def seen(folder: Path) -> dict[str, tuple[int, float]]:
    """Give every entry below a folder, links not followed, with its size and time of change."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            state = path.lstat()
            found[str(path.relative_to(folder))] = (state.st_size, state.st_mtime)
    return found


def peak() -> int:
    """Give the largest memory that this process has had [byte]."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the models that would be tried, and let them pass without."""
    run: list[str] = []

    def noted(folder: Path, name: str, size: int, limits: Limits) -> list[Fault]:
        run.append(name)
        return []

    monkeypatch.setattr(trust, "try_model", noted)
    return run


@posix
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_bundle_is_refused_with_its_reason(case, model_path, tmp_path, cache):
    case.make(model_path)
    before, memory, start = seen(tmp_path), peak(), time.perf_counter()
    error = getattr(ours, case.error, None) or getattr(errors, case.error)
    with pytest.raises(error, match=case.message) as raised:
        open_examined(model_path, cache=cache, limits=PATIENT)
    assert type(raised.value) is error
    assert time.perf_counter() - start < MOST_SECONDS
    assert peak() - memory < MOST_BYTES
    assert seen(tmp_path) == before
    assert str(raised.value).replace("\n", " ").isprintable()


def test_the_table_of_hostile_bundles_is_that_of_their_readme():
    readme = Path(__file__).parent / "hostile" / "README.md"
    assert readme.read_text(encoding="utf-8").endswith("\n\n" + table())


def test_hostile_bundles_have_names_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_valid_bundle_passes_and_nothing_is_written_but_that(model_path, cache):
    before = seen(model_path)
    bundle = open_examined(model_path, cache=cache)
    assert bundle.predictor().one({"m": 550.0, "g": 0.5}).verdict == "inside_region"
    assert seen(model_path) == before
    (passed,) = (cache / "trials").iterdir()
    assert passed.suffix == ".json"


def test_a_probe_is_run_once(model_path, cache, trials):
    bundle = open_examined(model_path, cache=cache)
    examine(bundle, cache=cache)
    assert trials == ["region"]


def test_a_bundle_without_models_passes(bundle_path, cache, trials):
    open_examined(bundle_path, cache=cache)
    assert trials == []


@pytest.mark.parametrize("absent", ["scan.zarr.zip", "region.probe.json", "region.onnx"])
def test_what_was_not_fetched_is_not_missed(model_path, cache, absent, trials):
    (model_path / absent).unlink()
    open_examined(model_path, cache=cache)
    assert trials == (["region"] if absent == "scan.zarr.zip" else [])


def test_a_model_without_its_probe_is_audited_all_the_same(model_path, cache):
    edit_model(model_path, lambda model: model.training_info.add())
    (model_path / "region.probe.json").unlink()
    with pytest.raises(GraphError, match="training information"):
        open_examined(model_path, cache=cache)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: edit_model(path, lambda model: setattr(model, "doc_string", "new")),
        lambda path: edit_probe(path, lambda probe: probe["tolerance"].update(relative=1e-4)),
    ],
    ids=["model", "probe"],
)
def test_a_changed_model_or_probe_is_tried_again(model_path, cache, trials, change):
    open_examined(model_path, cache=cache)
    change(model_path)
    open_examined(model_path, cache=cache)
    assert trials == ["region", "region"]


def test_another_runtime_tries_again(model_path, cache, trials, monkeypatch):
    open_examined(model_path, cache=cache)
    monkeypatch.setattr(trust, "version", lambda name: "0")
    open_examined(model_path, cache=cache)
    assert trials == ["region", "region"]


def test_trust_runs_no_probe_and_audits_all_the_same(model_path, cache, trials):
    open_examined(model_path, cache=cache, trust=True)
    assert (trials, cache.exists()) == ([], False)
    edit_model(model_path, lambda model: model.training_info.add())
    with pytest.raises(GraphError, match="training information"):
        open_examined(model_path, cache=cache, trust=True)


def test_a_model_that_failed_is_not_remembered(model_path, cache):
    edit_probe(model_path, lambda probe: probe.update(model="other"))
    with pytest.raises(GraphError, match="found other"):
        open_examined(model_path, cache=cache)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_no_fault(model_path, tmp_path, caplog, trials):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING, "limen.zenodo"):
        open_examined(model_path, cache=tmp_path / "file")
    assert "is not remembered" in caplog.text


def test_the_cache_is_that_of_limen_by_default(model_path, cache, monkeypatch, trials):
    monkeypatch.setenv("LIMEN_CACHE", str(cache))
    open_examined(model_path)
    assert list((cache / "trials").iterdir())


def test_all_faults_of_the_files_come_at_once(model_path, cache):
    (model_path / "README.md").write_bytes(b"other")
    (model_path / "one.py").touch()
    (model_path / "two.py").touch()
    with pytest.raises(IntegrityError, match="3 faults") as raised:
        open_examined(model_path, cache=cache)
    assert {fault.pointer for fault in raised.value.faults} == {"README.md", "one.py", "two.py"}


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(errors.BundleNotFoundError, match="no such folder"):
        open_examined(tmp_path / "none")


def test_a_listing_is_refused_before_anything_is_fetched():
    entry = {"bytes": 2**39}
    refuse_listing({"a": entry, "b": entry}, "record")
    with pytest.raises(IntegrityError, match="bytes, allowed 1099511627776"):
        refuse_listing({"a": entry, "b": entry, "c": entry}, "record")
    with pytest.raises(ours.UnsafeNameError, match="leads out of its folder"):
        refuse_listing({"../a": entry}, "record")


def test_attachments_named_as_modules_are_never_imported(model_path, cache, monkeypatch):
    for name in ("onnxruntime.py", "numpy.py", "limen.py", "sitecustomize.py"):
        (model_path / name).write_text("raise SystemExit('imported')", encoding="utf-8")
        sign(model_path, name)
    monkeypatch.chdir(model_path)
    before = seen(model_path)
    open_examined(model_path, cache=cache)
    assert seen(model_path) == before


@posix
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(memory=2**27), "needs more than 0.125 GiB of memory"),
        (Limits(wall=0.05), "took more than 0.05 s"),
    ],
    ids=["memory", "wall"],
)
def test_a_limit_is_one_clear_error(model_path, limits, message):
    (fault,) = try_model(model_path, "region", 0, limits)
    assert fault.pointer == "model region"
    assert message in fault.message
    assert "--trust" in fault.message


def test_a_crash_is_one_clear_error(tmp_path):
    (fault,) = try_model(tmp_path, "region", 0, Limits())
    assert "model region" in str(fault)
    assert "crashed (limen.errors.BundleNotFoundError" in fault.message


@posix
def test_the_other_process_knows_no_secrets(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho found ${SITE_TOKEN:-nothing} >&2\nexit 3\n", encoding="utf-8"
    )
    python.chmod(0o755)
    monkeypatch.setenv("SITE_TOKEN", "s3cret")
    monkeypatch.setattr(sys, "executable", str(python))
    (fault,) = try_model(tmp_path, "region", 0, Limits())
    assert "crashed (found nothing)" in fault.message


@posix
def test_a_small_model_passes_with_an_eighth_of_the_memory(model_path):
    assert try_model(model_path, "region", 0, Limits(memory=2**29)) == []


HUGE = """
import sys
from pathlib import Path
from limen import resources
resources.limit_process(memory=5 * 2**30, cpu=20)
import numpy as np
from limen.errors import GraphError
from limen.graph import Session
session = Session(Path(sys.argv[1]))
try:
    session.run(np.zeros((1, 1)))
except GraphError as error:
    print(error)
"""


@posix
def test_a_tiny_model_that_asks_for_400_gigabytes_fails_within_its_limits(tmp_path):
    from onnx import TensorProto, helper

    shape = helper.make_tensor("s", TensorProto.INT64, [2], [10**5, 10**6])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["s"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, ["N", 1])],
        [value("y", TensorProto.FLOAT, None)],
        [shape],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert path.stat().st_size < 200
    line = [sys.executable, "-c", HUGE, str(path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True)
    assert "the graph failed on 1 points" in done.stdout


@posix
def test_a_limited_process_writes_no_file_and_is_ended_by_its_time(tmp_path):
    code = (
        "import sys, pathlib\nfrom limen import resources\n"
        "resources.limit_process(memory=2**32, cpu=1)\n"
        "try:\n    pathlib.Path(sys.argv[1]).write_bytes(b'x')\n"
        "except OSError as error:\n    print('refused', flush=True)\n"
        "while True: pass"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "x")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "refused\n"
    assert done.returncode < 0
    assert (tmp_path / "x").stat().st_size == 0


def test_the_other_process_prints_its_faults(model_path, capsys, monkeypatch):
    monkeypatch.setattr("limen.resources.limit_process", lambda **limits: None)
    edit_probe(model_path, lambda probe: probe.update(model="other"))
    assert main([str(model_path), "region", "0", "0"]) == 0
    assert "found other, the card says region" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scan.zarr.zip", ""),
        ("_x-1.csv", ""),
        ("console.txt", ""),
        ("", "is empty"),
        ("..", "leads out"),
        ("a/../b", "leads out"),
        ("a/b", "names a folder"),
        ("a\\b", "names a folder"),
        ("/a", "is absolute"),
        ("\\\\host\\a", "is absolute"),
        ("c:a", "is absolute"),
        ("a:b", "is absolute"),
        ("ab:c", "other letters"),
        ("a b", "other letters"),
        ("\u0430.csv", "other letters"),
        ("a\u200bb", "control characters"),
        ("a\n", "control characters"),
        ("a\ud800", "control characters"),
        ("a.", "ends in a dot"),
        ("a ", "ends in a dot"),
        ("-a", "begins with '-'"),
        ("~a", "begins with '~'"),
        (".a", "is hidden"),
        ("CON", "reserved"),
        ("com1.txt", "reserved"),
        ("LPT9.tar.gz", "reserved"),
        ("a" * 255, ""),
        ("a" * 256, "longer than 255 bytes"),
    ],
)
def test_names_are_judged(name, message):
    assert (message in name_fault(name)) if message else name_fault(name) == ""


def test_names_of_one_set_are_unique_without_case():
    assert [f.pointer for f in name_faults(["a", "b", "A", "a"])] == ["A", "a"]
    assert name_faults(["a", "b"]) == []


def test_a_fault_of_a_name_shows_no_control_characters():
    with pytest.raises(ours.UnsafeNameError, match=r"x\\x1b\[2J: holds control") as raised:
        safe_name("x\x1b[2J")
    assert isinstance(raised.value, IntegrityError)
    safe_name("x")


def test_columns_that_compress_best_are_no_bomb(tmp_path, cache):
    from conftest import DOCUMENT

    n = 3_000_000
    document = {k: v for k, v in DOCUMENT.items() if k != "benchmarks"}
    document["tables"] = [{"name": "scan", "columns": DOCUMENT["tables"][0]["columns"][:3]}]
    columns = {"m": np.zeros(n), "g": np.zeros(n), "ok": np.ones(n, dtype=bool)}
    make_bundle(document, columns, tmp_path / "flat")
    open_examined(tmp_path / "flat", cache=cache)
