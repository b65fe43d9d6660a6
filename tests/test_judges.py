"""What Limen writes, judged by programs that are not ours and know nothing of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limen import resources, schema

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
JUDGES = ROOT / "tests" / "judges"
FOREIGN = JUDGES / "cpp" / "node_modules" / "com.github.asus4.onnxruntime" / "Plugins"
VENV = ROOT / ".venv-judges"
EXAMPLES = {
    word: [(p.parent.name, p) for p in sorted((DATA / word).rglob("*.*"))]
    for word in ("valid", "invalid")
}
# Targets of each kind, and options that keep the fit short.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "boosted": ("outside", {}),
    "mlp": ("delta_chi2", {}),
    "gp": ("xsec", {"max_rows": 200, "tuning_rows": 100, "restarts": 0}),
}
NAMES = ("region", *MODELS)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPETS = FENCE.findall((ROOT / "docs" / "use-elsewhere.md").read_text(encoding="utf-8"))


def snippet(language: str, word: str) -> str:
    """Give the one block of the page in a language that holds a word."""
    (found,) = [body for kind, body in SNIPPETS if kind == language and word in body]
    return found


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a foreign program that cannot import Limen."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.fixture(scope="session")
def node() -> str:
    """Give the path of node, with the judges installed."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("found no node; install Node.js with npm, and run `make judges`")
    if not (JUDGES / "node_modules" / ".ready").exists():
        pytest.skip("the node programs are not installed; run `make judges`")
    return found


@pytest.fixture(scope="session")
def cffconvert() -> Path:
    """Give the path of cffconvert in its own environment."""
    path = VENV / "bin" / "cffconvert"
    if not path.exists():
        pytest.skip("cffconvert is not installed; run `make judges`")
    return path


@pytest.fixture(scope="module")
def modelled(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one model of each kind; not to be changed."""
    from limen.bundle import open_bundle
    from limen.training import train

    path = tmp_path_factory.mktemp("judged") / "toy"
    shutil.copytree(trained, path)
    for name, (target, options) in MODELS.items():
        train(open_bundle(path), target, estimator=name, name=name, options=options)
    return path


@pytest.fixture
def bundle(modelled: Path, tmp_path: Path) -> Path:
    """Give a copy of the bundle, with the node programs and the schemas beside its files."""
    path = Path(shutil.copytree(modelled, tmp_path / "bundle"))
    (path / "node_modules").symlink_to(JUDGES / "node_modules")
    (path / "schemas").symlink_to(ROOT / "schemas")
    return path


@pytest.fixture
def move_answers() -> Callable[[Path, str, float], None]:
    """Move the stored answers of a probe."""

    def change(path: Path, output: str, by: float) -> None:
        probe = json.loads(path.read_text(encoding="utf-8"))
        probe["outputs"][output][0] = (np.array(probe["outputs"][output][0]) + by).tolist()
        path.write_text(json.dumps(probe), encoding="utf-8")

    return change


# The manifest, cards, probes and scan documents: ajv


@pytest.fixture(scope="module")
def ajv(node: str) -> Callable[[list[tuple[str, Path]]], list[list[str]]]:
    """Ask ajv for the faults of many files in one process."""

    def ask(files: list[tuple[str, Path]]) -> list[list[str]]:
        text = json.dumps([[kind, str(path)] for kind, path in files])
        done = run(node, JUDGES / "ajv_check.mjs", ROOT / "schemas" / "1.0", input=text)
        assert done.returncode == 0, done.stderr
        verdicts: list[list[str]] = json.loads(done.stdout)
        assert len(verdicts) == len(files)
        return verdicts

    return ask


def as_json(kind: str, path: Path, folder: Path) -> tuple[str, Path]:
    """Write a scan document in JSON, since ajv reads no YAML."""
    if path.suffix == ".json":
        return kind, path
    place = folder / f"{path.stem}.json"
    place.write_bytes(schema.canonical_json(schema.load_yaml(path)))
    return kind, place


def test_ajv_accepts_every_valid_example(ajv: Callable[..., Any], tmp_path: Path) -> None:
    files = [as_json(kind, path, tmp_path) for kind, path in EXAMPLES["valid"]]
    assert {kind for kind, _ in files} == set(schema.KINDS)
    assert dict(zip(files, ajv(files), strict=True)) == {file: [] for file in files}


@cache
def plain_validator(kind: str) -> Any:
    """
    Make a validator of the schema alone.

    In JSON Schema a pattern is one of ECMA 262, where ``$`` is the end; in Python it also matches
    before a last line feed.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    def pattern(_: Any, pattern: str, instance: Any, __: Any) -> Any:
        if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
            yield ValidationError(f"does not match {pattern}")

    documents = [json.loads(resources.schema_text(name)) for name in schema.KINDS]
    registry = Registry().with_resources(
        (document["$id"], DRAFT202012.create_resource(document)) for document in documents
    )
    strict = validators.extend(Draft202012Validator, {"pattern": pattern})
    return strict(documents[schema.KINDS.index(kind)], registry=registry)


def broken_by_schema(kind: str, path: Path) -> bool:
    """Tell whether the schema alone refuses a file, or it is not JSON."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_json)
    except json.JSONDecodeError:
        return True
    return not plain_validator(kind).is_valid(document)


def _not_json(word: str) -> None:
    raise json.JSONDecodeError(word, word, 0)


def test_ajv_refuses_what_the_schemas_refuse_and_at_the_same_place(
    ajv: Callable[..., Any],
) -> None:
    files = EXAMPLES["invalid"]
    verdicts = dict(zip(files, ajv(files), strict=True))
    refused = {file for file, faults in verdicts.items() if faults}
    assert refused == {file for file in files if broken_by_schema(*file)}
    assert len(refused) > 400
    for kind, path in refused:
        pointer = path.name.partition("__")[0].replace("+", "/")
        faults = verdicts[kind, path]
        found = [fault.partition(": ")[0] for fault in faults]
        assert pointer in found or "not JSON" in faults[0], (path.name, faults)


def test_what_ajv_accepts_of_the_invalid_examples_breaks_a_rule_beyond_json_schema(
    ajv: Callable[..., Any],
) -> None:
    files = EXAMPLES["invalid"]
    accepted = [f for f, faults in zip(files, ajv(files), strict=True) if not faults]
    assert 0 < len(accepted) < len(files) / 3
    for kind, path in accepted:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert schema.faults(document, kind) == [], path.name


@pytest.mark.parametrize("frozen", [False, True], ids=["draft", "frozen"])
def test_ajv_accepts_the_documents_of_a_bundle(
    ajv: Callable[..., Any],
    limen: Callable[..., Any],
    bundle: Path,
    document: dict[str, Any],
    tmp_path: Path,
    frozen: bool,
) -> None:
    if frozen:
        for link in ("node_modules", "schemas"):
            (bundle / link).unlink()
        done = limen("freeze", bundle)
        assert done.exit_code == 0, done.output
    manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    assert manifest["status"] == ("frozen" if frozen else "draft")
    files = [("bundle", bundle / "bundle.json")]
    files += [("probe", bundle / f"{name}.probe.json") for name in NAMES]
    for number, card in enumerate(manifest["models"]):
        files.append(("model-card", tmp_path / f"card{number}.json"))
        files[-1][1].write_text(json.dumps(card), encoding="utf-8")
    files.append(("scan-document", tmp_path / "scan.json"))
    files[-1][1].write_text(json.dumps(document | {"read": [{"files": ["a.csv"]}]}))
    assert len(files) == 2 + 2 * len(NAMES)
    assert dict(zip(files, ajv(files), strict=True)) == {file: [] for file in files}


# Croissant and the citation


def test_mlcroissant_accepts_a_bundle_and_reads_all_its_rows(
    bundle: Path, columns: dict[str, np.ndarray]
) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(bundle / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    # A draft has no date of publication.
    assert all("datePublished" in warning for warning in issues.warnings)
    records = list(dataset.records("preview"))
    assert [record["preview/m"] for record in records] == columns["m"].tolist()
    assert [record["preview/ok"] for record in records] == columns["ok"].tolist()
    found = [np.nan if r["preview/xsec"] is None else r["preview/xsec"] for r in records]
    np.testing.assert_array_equal(found, columns["xsec"])


@pytest.mark.parametrize("whose", ["bundle", "limen"])
def test_cffconvert_accepts_the_citation(cffconvert: Path, modelled: Path, whose: str) -> None:
    path = (modelled if whose == "bundle" else ROOT) / "CITATION.cff"
    done = run(cffconvert, "--validate", "-i", path)
    assert done.returncode == 0, done.stderr
    assert "valid according to schema version 1.2.0" in done.stdout


def test_cffconvert_accepts_a_citation_full_of_awkward_text(
    cffconvert: Path,
    document: dict[str, Any],
    columns: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    from limen.packing import make_bundle

    document["title"] = 'yes: "quoted" # [not a comment] é ü \\ {x}'
    document["description"] = "- 1\n- 2\n\n\ttab: null\n"
    document["creators"] = [
        {"name": "O'Neil, Ægir", "orcid": "0000-0002-1825-0097", "affiliation": "CERN: 1"},
        {"name": "The 2026 Collaboration"},
    ]
    make_bundle(document, columns, tmp_path / "awkward")
    done = run(cffconvert, "--validate", "-i", tmp_path / "awkward" / "CITATION.cff")
    assert done.returncode == 0, done.stderr


def test_cffconvert_refuses_a_citation_without_authors(
    cffconvert: Path, modelled: Path, tmp_path: Path
) -> None:
    text = (modelled / "CITATION.cff").read_text(encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text(text.replace("authors:", "author:"), encoding="utf-8")
    assert run(cffconvert, "--validate", "-i", tmp_path / "CITATION.cff").returncode != 0


# Models: ONNX Runtime in node and in C++, from the probe alone


def test_onnxruntime_node_gives_the_stored_answers_of_every_kind_of_model(
    node: str, modelled: Path
) -> None:
    files = [modelled / f"{name}.probe.json" for name in NAMES]
    done = run(node, JUDGES / "onnx_probe.mjs", *files)
    assert done.returncode == 0, done.stderr
    verdicts = dict(zip(NAMES, json.loads(done.stdout), strict=True))
    assert {name: sorted(outputs) for name, outputs in verdicts.items()} == {
        "region": ["domain_score", "probability"],
        "boosted": ["domain_score", "probability"],
        "mlp": ["domain_score", "mean"],
        "gp": ["domain_score", "mean", "std"],
    }
    off = [(n, o, v) for n, outs in verdicts.items() for o, v in outs.items() if v["ppm"]]
    assert off == []


@pytest.mark.parametrize(
    ("name", "output", "by"),
    [("region", "probability", 1e-3), ("mlp", "mean", 1e-3), ("gp", "std", 1e-4)],
)
def test_onnxruntime_node_sees_answers_that_were_changed(
    node: str, bundle: Path, move_answers: Callable[..., None], name: str, output: str, by: float
) -> None:
    move_answers(bundle / f"{name}.probe.json", output, by)
    done = run(node, JUDGES / "onnx_probe.mjs", bundle / f"{name}.probe.json")
    (verdict,) = json.loads(done.stdout)
    assert {key: v["ppm"] > v["allowed"] for key, v in verdict.items()} == {
        key: key == output for key in verdict
    }


@pytest.fixture(scope="session")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the folders of ONNX Runtime for C++ and of the JSON header."""
    if shutil.which("g++") is None or shutil.which("make") is None:
        pytest.skip("found no g++ with make; install a C++ compiler")
    headers = FOREIGN / "iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers"
    library = FOREIGN / "Linux/x64/libonnxruntime.so"
    if not (headers / "onnxruntime_cxx_api.h").exists() or not library.exists():
        pytest.skip("ONNX Runtime for C++ is not installed; needs npm, see `make test-long`")
    if os.uname().machine != "x86_64":
        pytest.skip(f"the library is for x86_64, this machine is {os.uname().machine}")
    json_header = next(VENV.glob("lib/*/site-packages/nlohmann_json"), None)
    if json_header is None:
        pytest.skip("nlohmann-json is not installed; run `make judges`")
    place = tmp_path_factory.mktemp("onnxruntime")
    (place / "lib").mkdir()
    (place / "include").symlink_to(headers)
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (place / "lib" / name).symlink_to(library)
    return place, json_header


@pytest.fixture(scope="module")
def probe(cpp: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the example in C++."""
    path = tmp_path_factory.mktemp("cpp") / "probe"
    flags = "CXXFLAGS=-O1 -Wall -Wextra -Werror"
    words = [f"ONNXRUNTIME={cpp[0]}", f"JSON={cpp[1]}", f"OUT={path}", flags]
    done = run("make", "-C", ROOT / "examples" / "cpp", *words)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_cpp_gives_the_stored_answers(
    probe: Path, modelled: Path, name: str
) -> None:
    done = run(probe, modelled / f"{name}.probe.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 of 32 rows beyond") == (3 if name == "gp" else 2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "output", "by"),
    [("region", "probability", 1e-3), ("mlp", "mean", 1e-3), ("gp", "std", 1e-4)],
)
def test_the_example_in_cpp_sees_answers_that_were_changed(
    probe: Path, bundle: Path, move_answers: Callable[..., None], name: str, output: str, by: float
) -> None:
    move_answers(bundle / f"{name}.probe.json", output, by)
    done = run(probe, bundle / f"{name}.probe.json")
    assert done.returncode == 1, done.stderr
    assert f"{output}: largest difference {by:g}, 1 of 32 rows beyond" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "<html>", '{"model": "absent", "dtype": "float32"}'], ids=range(5)
)
def test_the_example_in_cpp_refuses_unusable_files(probe: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.probe.json").write_text(text)
    for words in ([tmp_path / "x.probe.json"], [tmp_path / "none"], []):
        done = run(probe, *words)
        assert done.returncode == 2
        assert done.stderr.startswith("probe: ")


# The page "Reading a bundle without Limen"


def python(code: str, folder: Path) -> str:
    """Run code of the page where Limen cannot be imported."""
    guard = "import sys\nsys.modules['limen'] = None\n"
    done = run(sys.executable, "-c", guard + code, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plain_xarray_reads_the_scan(bundle: Path, columns: dict[str, np.ndarray]) -> None:
    lines = python(snippet("python", "xarray"), bundle).splitlines()
    rows = {name: words for name, *words in map(str.split, lines)}
    assert {name: words[0] for name, words in rows.items()} == {
        "m": "parameter",
        "g": "parameter",
        "ok": "mask",
        "xsec": "observable",
        "loglike": "likelihood",
        "delta_chi2": "likelihood",
        "outside": "label",
        "split": "split",
    }
    assert rows["m"][1:] == ["GeV", str(columns["m"].min()), str(columns["m"].max())]
    valid = columns["xsec"][columns["ok"]]
    assert rows["xsec"][1:] == ["fb", str(valid.min()), str(valid.max())]


def test_plain_xarray_reads_every_value_as_it_was(
    bundle: Path, columns: dict[str, np.ndarray], tmp_path: Path
) -> None:
    code = (
        "import xarray, zarr\n"
        "scan = xarray.open_zarr(zarr.storage.ZipStore('scan.zarr.zip', mode='r'))\n"
        f"scan.load().to_dataframe().to_pickle({str(tmp_path / 'frame')!r})\n"
        "print(scan.m.attrs['units'], scan.m.attrs['role'])"
    )
    assert python(code, bundle).split() == ["GeV", "parameter"]
    frame = np.load(tmp_path / "frame", allow_pickle=True)
    for name, values in columns.items():
        np.testing.assert_array_equal(frame[name].to_numpy(), values, err_msg=name)
        assert frame[name].dtype == values.dtype


def test_the_page_s_python_gives_the_stored_answers(bundle: Path) -> None:
    assert float(python(snippet("python", "onnxruntime"), bundle)) < 1e-5


def test_the_page_s_python_reads_croissant(bundle: Path) -> None:
    assert "'preview/m': " in python(snippet("python", "mlcroissant"), bundle)


@pytest.mark.parametrize(("word", "answer"), [("onnxruntime", "0"), ("ajv", "true null")])
def test_the_page_s_javascript_runs(node: str, bundle: Path, word: str, answer: str) -> None:
    (bundle / "page.mjs").write_text(snippet("js", word), encoding="utf-8")
    done = run(node, "page.mjs", cwd=bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == answer or float(done.stdout) < 1e-5


@pytest.mark.long
def test_the_page_s_cpp_gives_the_answer_of_limen(
    cpp: tuple[Path, Path], bundle: Path, tmp_path: Path
) -> None:
    from limen.bundle import open_bundle

    source, program = tmp_path / "page.cpp", tmp_path / "page"
    source.write_text(snippet("cpp", "onnxruntime"), encoding="utf-8")
    lib = cpp[0] / "lib"
    place = ["-isystem", cpp[0] / "include", f"-L{lib}", f"-Wl,-rpath,{lib}"]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror"]
    done = run("g++", *flags, source, "-o", program, *place, "-lonnxruntime")
    assert done.returncode == 0, done.stderr
    done = run(program, cwd=bundle)
    assert done.returncode == 0, done.stderr
    for link in ("node_modules", "schemas"):
        (bundle / link).unlink()
    ours = open_bundle(bundle).predictor("region").run(np.array([[550.0, 0.5]]))
    assert float(done.stdout) == pytest.approx(ours["probability"][0, 1], abs=1e-5)
