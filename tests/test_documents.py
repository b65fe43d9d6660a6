"""The generated documents: right for a real bundle, harmless for a hostile one."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from limen import documents
from limen.documents import bibtex, citation_cff, croissant, how_to_cite, preview_csv, readme
from limen.documents.wording import with_interval
from limen.errors import UsageError
from limen.scan import ScanColumn, write_scan

VALID = Path(__file__).parent / "data" / "valid" / "bundle"
DOI = "10.5281/zenodo.7000002"
HOSTILE = {
    "markdown": "# *bold* [x](javascript:alert(1)) ![i](http://e/i.png) `code` ~~no~~",
    "html": "<script>alert('x')</script><img src=x onerror=alert(1)> &amp;",
    "table": "a | b || c \\| d",
    "lines": "first\n\n## second\r\nthird\u2028fourth",
    "yaml": "- key: {a: [1, *ref, &anchor]} # not a comment: %TAG !!python/object",
    "quotes": "\"double\" 'single' ``` ~~~ \\",
    "latex": r"$\tilde{\chi}^0_1$ \input{/etc/passwd} 50% } {",
    "emoji": "Scan \U0001f600 of Δχ² — 中文",
    "terminal": "\x1b[31mred\x07 \u202ereversed\ud800",
    "number": "1e3",
    "list": "1. first\n2. second",
    "fence": "```\n````` out\n```",
    "ticks": "```",
    "span": "a` <b>x</b> [l](http://e) ![i](http://e) `b",
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))


def column(name: str, role: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "role": role, "unit": "1", "dtype": "float64", **fields}


STATISTICS = {
    "confidence_level": 0.95,
    "construction": "delta_chi2",
    "result": "observed",
    "calculator": "toys",
    "toys": 2000,
    "reference": {"value": -14.85, "set": "refined"},
    "coverage": {"value": 0.951, "interval": [0.94, 0.96], "n": 2000, "at": "best fit"},
    "goodness_of_fit": {"chi2": 29.7, "dof": 20, "p_value": 0.075, "at": "the best fit"},
}
CARD = {
    "name": "region",
    "task": "classification",
    "target": "outside_95cr",
    "file": "region.onnx",
    "probe": "region.probe.json",
    "inputs": [
        {"column": "C9_bsmumu", "unit": "1", "index": 0},
        {"column": "m_x", "unit": "GeV", "index": 1},
    ],
    "dtype": "float64",
    "domain": {
        "box": [
            {"column": "C9_bsmumu", "low": -4.0, "high": 2.0},
            {"column": "m_x", "low": 100.0, "high": 1000.0},
        ],
        "density": {"method": "nearest neighbours", "threshold": 1.0, "quantile": 0.99},
    },
    "confidence": [
        {
            "kind": "binned_accuracy",
            "meaning": "The share of right classifications in a bin",
            "population": "uniform in the box",
            "coverage": {"value": 0.96, "interval": [0.95, 0.97], "n": 900},
        }
    ],
    "metrics": [
        {
            "name": "accuracy",
            "value": 0.987,
            "interval": [0.985, 0.989],
            "split": "test",
            "population": "uniform in the box",
        }
    ],
    "limitations": "Only b to s transitions.",
}


@pytest.fixture
def manifest() -> dict[str, Any]:
    return {
        "format": "1.0",
        "id": "bsll10",
        "version": "1.0.0",
        "status": "frozen",
        "title": "A reduced likelihood of b to s transitions",
        "description": "Twenty observables.\n\nNot a global fit.",
        "keywords": ["flavour", "Wilson coefficients"],
        "creators": [
            {"name": "Doe, Jane", "orcid": "0000-0002-1825-0097", "affiliation": "A University"},
            {"name": "The Example Collaboration"},
        ],
        "licences": {"data": "CC-BY-4.0", "models": "CC-BY-4.0", "code": "BSD-3-Clause"},
        "created": "2026-02-03T10:00:00Z",
        "doi": DOI,
        "concept_doi": "10.5281/zenodo.7000001",
        "parent": {
            "id": "bsll10",
            "version": "0.9.0",
            "doi": "10.5281/zenodo.6000000",
            "manifest_sha256": "ab" * 32,
        },
        "related": [
            {"relation": "IsSupplementTo", "identifier": "arXiv:1810.08132", "scheme": "arxiv"},
            {"relation": "IsDerivedFrom", "identifier": "10.17182/hepdata.1", "scheme": "doi"},
        ],
        "theory": {"family": "WET", "convention": "flavio basis at 4.8 GeV"},
        "toolchain": [
            {"role": "theory", "name": "flavio", "version": "2.6.1", "settings": {"par": "default"}}
        ],
        "assumptions": [{"text": "New physics in muons only"}],
        "analyses": [
            {
                "experiment": "LHCb",
                "id": "LHCb-PAPER-2014-006",
                "inspire": 1287079,
                "sqrt_s": 8.0,
                "luminosity": 3.0,
            }
        ],
        "benchmarks": [
            {
                "name": "SM",
                "point": {"C9_bsmumu": 0.0, "m_x": 500.0},
                "expected": {"outside_95cr": 1},
            }
        ],
        "tables": [
            {
                "name": "scan",
                "file": "scan.zarr.zip",
                "dimension": "point",
                "rows": 20000,
                "valid_rows": 19990,
                "sampling": [{"sampler": "uniform", "prior": "flat in the box", "rows": 20000}],
                "columns": [
                    column("C9_bsmumu", "parameter", symbol="C_9^{bs\\mu\\mu}", range=[-4.0, 2.0]),
                    column(
                        "m_x",
                        "parameter",
                        unit="GeV",
                        range=[100.0, 1000.0],
                        scale="log",
                        valid="valid_m_x",
                        label="mass of X",
                    ),
                    column(
                        "outside_95cr",
                        "label",
                        quantity="outside_region",
                        dtype="int8",
                        valid="valid_m_x",
                        definition={"text": "Outside the joint 95 % region", "column": "logL"},
                        statistics=STATISTICS,
                    ),
                    column("valid_m_x", "mask", dtype="bool"),
                ],
            }
        ],
        "models": [CARD],
    }


@pytest.fixture
def files() -> dict[str, dict[str, Any]]:
    roles = {
        "scan.zarr.zip": ("scan", "application/zip"),
        "region.onnx": ("model", "application/octet-stream"),
        "region.probe.json": ("probe", "application/json"),
        "preview.csv": ("preview", "text/csv"),
        "README.md": ("document", "text/markdown"),
    }
    return {
        name: {"sha256": "0" * 64, "bytes": 12, "role": role, "media_type": media_type}
        for name, (role, media_type) in roles.items()
    }


class ArrayScan:
    """A scan in memory that counts the rows of each read."""

    def __init__(self, **columns: Any) -> None:
        self.arrays = {name: np.asarray(values) for name, values in columns.items()}
        self.n_points = len(next(iter(self.arrays.values())))
        self.longest = 0

    def read(self, names: Any, start: int, stop: int) -> dict[str, Any]:
        self.longest = max(self.longest, stop - start)
        return {name: self.arrays[name][start:stop] for name in names}


def hostile_everywhere(manifest: dict[str, Any], text: str) -> dict[str, Any]:
    """Put the text wherever the schema allows free text."""
    changed = copy.deepcopy(manifest)
    changed["title"] = changed["description"] = text
    changed["keywords"] = [text]
    changed["creators"][0]["name"] = f"{text}, {text}"
    changed["creators"][1]["name"] = text
    changed["creators"][0]["affiliation"] = text
    changed["theory"] = {"family": text, "convention": text}
    changed["assumptions"] = [{"text": text}]
    changed["related"][0]["identifier"] = text
    changed["toolchain"][0] |= {"role": text, "name": text, "settings": {text: text}}
    changed["analyses"] = [{"experiment": text, "id": text}]
    changed["benchmarks"][0] |= {"name": text, "reference": text, "expected": {text: text}}
    scan = changed["tables"][0]
    scan["sampling"][0] = {"sampler": text, "prior": text, "selection": text}
    for entry in scan["columns"]:
        entry |= {"label": text, "description": text, "symbol": text}
    scan["columns"][2]["definition"]["text"] = text
    scan["columns"][2]["statistics"] = STATISTICS | {"test_statistic": text, "coverage": text}
    card = copy.deepcopy(CARD)
    card |= {"limitations": text}
    card["metrics"][0] |= {"population": text, "region": text}
    card["confidence"][0] |= {"meaning": text, "population": text}
    changed["models"] = [card]
    return changed


def test_the_package_exports_its_six_functions() -> None:
    assert sorted(documents.__all__) == documents.__all__
    assert all(callable(getattr(documents, name)) for name in documents.__all__)


# README


@pytest.mark.parametrize(
    "phrase",
    [
        "# A reduced likelihood of b to s transitions",
        "`bsll10` version 1.0.0; frozen; DOI <https://doi.org/10.5281/zenodo.7000002>",
        "Not a global fit.",
        "20,000 rows (19,990 valid) of 4 columns, 2 of them parameters",
        "Outside the joint 95 % region. 1 = outside the region (which is not exclusion)",
        "95 % CL; Δχ² region (not CLs); observed; 2,000 toys",
        "relative to −14.85 at the best point of a refined fit",
        "goodness of fit: χ² = 29.7 for 20 degrees of freedom (p = 0.075) at the best fit",
        "| `m_x` |  | GeV | parameter | 100 to 1000 (log) | mass of X; where valid\\_m\\_x is true |",
        "accuracy 0.9870 \\[0.9850, 0.9890\\] (test); population: uniform in the box",
        "limen predict . preview.csv --model region",
        "predict.one({'C9_bsmumu': 0.0, 'm_x': 500.0})",
        "xarray.open_zarr(zarr.storage.ZipStore('scan.zarr.zip', mode='r'))",
        "onnxruntime.InferenceSession('region.onnx')",
        "flavio basis at 4.8 GeV",
        "INSPIRE 1287079",
        "New physics in muons only",
        "code: BSD-3-Clause (https://spdx.org/licenses/BSD-3-Clause)",
        "Previous version: bsll10 0.9.0",
        "@misc{bsll10_1.0.0,",
    ],
)
def test_readme_tells_a_physicist(manifest: dict[str, Any], phrase: str) -> None:
    assert phrase in readme(manifest)


def test_readme_of_a_draft_says_that_it_is_not_citable(manifest: dict[str, Any]) -> None:
    text = readme(manifest | {"status": "draft", "doi": None})
    assert "**draft: it may still change and is not citable yet**" in text
    assert "@misc" not in text


def test_readme_of_a_frozen_bundle_without_doi_says_so(manifest: dict[str, Any]) -> None:
    assert "no DOI yet" in readme(manifest | {"doi": None})


def test_readme_never_calls_a_point_allowed_or_the_standard_model_excluded(
    manifest: dict[str, Any],
) -> None:
    label = manifest["tables"][0]["columns"][2]
    label |= {"quantity": "excluded", "statistics": {"construction": "CLs", "rule": "any"}}
    text = readme(manifest)
    assert "1 = excluded, 0 = not excluded (which endorses nothing)" in text
    assert "not a test at the stated level" in text
    assert "allowed" not in text


def test_readme_of_the_smallest_draft_is_complete() -> None:
    text = readme(
        {"id": "toy", "title": "Toy", "version": "0.1.0", "status": "draft", "tables": []}
    )
    assert text.startswith("# Toy\n")
    assert "None yet." in text
    assert "Not chosen yet" in text


def test_readme_puts_unseen_rows_before_training_rows(manifest: dict[str, Any]) -> None:
    seen = {"name": "seen", "value": 1.0, "split": "train"}
    manifest["models"] = [CARD | {"metrics": [seen, *CARD["metrics"]]}]
    text = readme(manifest)
    assert text.index("accuracy 0.987") < text.index("seen 1 (train)")


def test_readme_says_a_population_once_per_model(manifest: dict[str, Any]) -> None:
    metric = CARD["metrics"][0]
    manifest["models"] = [CARD | {"metrics": [metric, metric | {"name": "auc"}]}]
    text = readme(manifest)
    section = text[text.index("## Models") : text.index("## Analyses")]
    assert section.count("uniform in the box") == 1


def test_readme_tells_populations_apart_where_they_differ(manifest: dict[str, Any]) -> None:
    metric = CARD["metrics"][0]
    other = metric | {"name": "auc", "population": "the posterior"}
    text = readme(manifest | {"models": [CARD | {"metrics": [metric, other]}]})
    assert "(test; uniform in the box)" in text
    assert "(test; the posterior)" in text


@pytest.mark.parametrize(
    ("value", "interval", "told"),
    [
        (0.98712, [0.98533, 0.98891], "0.9871 [0.9853, 0.9889]"),
        (0.999996, [0.9981, 1.0], "> 0.99999 [0.99810, 1.00000]"),
        (0.99999, [0.999985, 0.999995], "0.9999900 [0.9999850, 0.9999950]"),
        (0.9999999, None, "> 0.99999"),
        (1.0, [1.0, 1.0], "1 [1, 1]"),
        (1.0, [0.94, 1.0 - 2**-53], "1.000 [0.940, 1.000]"),
        (1.0, [0.99, 1.0], "1.0000 [0.9900, 1.0000]"),
        (-1234.5, [-1300.0, -1200.0], "−1234 [−1300, −1200]"),
        (2e-12, [1e-12, 3e-12], "2e−12 [1e−12, 3e−12]"),
        (0.3, [None, 0.4], "0.3 [none, 0.4]"),
        (None, None, "undefined"),
    ],
)
def test_a_figure_shows_the_digits_that_its_interval_bears(
    value: Any, interval: Any, told: str
) -> None:
    assert with_interval(value, interval) == told


def test_readme_shows_the_goodness_of_fit_of_the_likelihood_beside_a_region_made_of_it(
    manifest: dict[str, Any],
) -> None:
    columns = manifest["tables"][0]["columns"]
    bare = {key: value for key, value in STATISTICS.items() if key != "goodness_of_fit"}
    columns[2]["statistics"] = bare
    assert "goodness of fit" not in readme(manifest)
    columns[2]["definition"]["column"] = "dchi2"
    fit = {"goodness_of_fit": STATISTICS["goodness_of_fit"]}
    columns += [
        column("dchi2", "observable", derived="-2 * (logL - max_over_points(logL))"),
        column("logL", "observable", statistics=fit, derived="dchi2"),
    ]
    assert "χ² = 29.7 for 20 degrees of freedom" in readme(manifest)


@pytest.mark.parametrize("path", sorted(VALID.glob("*.json")), ids=lambda path: path.stem)
def test_every_valid_manifest_has_its_documents(path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))
    assert_is_cff(yaml.safe_load(citation_cff(manifest)))
    assert json.loads(croissant(manifest, manifest.get("files", {})))["name"] == manifest["title"]
    assert manifest["id"] in readme(manifest)
    assert manifest["version"] in bibtex(manifest)


def test_the_lines_that_read_the_scan_without_limen_do_read_it(
    manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.array([1.5, 2.5])
    column_of_scan = ScanColumn("m_x", "float64", lambda start, stop: values[start:stop])
    write_scan(tmp_path / "scan.zarr.zip", [column_of_scan], 2)
    monkeypatch.chdir(tmp_path)
    lines = re.search(r"^import xarray, zarr\nscan = .*$", readme(manifest), re.MULTILINE)
    assert lines is not None
    names: dict[str, Any] = {}
    exec(lines[0], names)
    assert names["scan"]["m_x"].values.tolist() == [1.5, 2.5]
    names["scan"].close()


@hostile
def test_readme_shows_hostile_text_as_text(manifest: dict[str, Any], text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    plain = parser.parse(readme(manifest))
    tokens = parser.parse(readme(hostile_everywhere(manifest, text)))
    inner = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inner]}
    assert not kinds & {
        "html_block",
        "html_inline",
        "image",
        "em_open",
        "s_open",
        "blockquote_open",
    }
    assert {child.attrs["href"] for child in inner if child.type == "link_open"} <= {
        f"https://doi.org/{DOI}"
    }
    for kind in ("heading_open", "fence", "table_open", "tr_open", "td_open", "list_item_open"):
        assert _count(tokens, kind) == _count(plain, kind), kind
    fences = [token.info for token in tokens if token.type == "fence"]
    assert fences == [token.info for token in plain if token.type == "fence"]


@hostile
def test_hostile_text_stays_in_its_cell(manifest: dict[str, Any], text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(readme(hostile_everywhere(manifest, text)))
    cells = [
        "".join(child.content for child in tokens[place + 1].children or ())
        for place, token in enumerate(tokens)
        if token.type == "td_open"
    ]
    printable = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202e\ud800-\udfff]", "", text)
    assert cells[:5] == ["C9_bsmumu", " ".join(printable.split()), "1", "parameter", "−4 to 2"]
    assert cells[6] == "m_x"


def _count(tokens: list[Any], kind: str) -> int:
    return sum(token.type == kind for token in tokens)


def test_the_lines_to_copy_quote_what_the_shell_would_obey(manifest: dict[str, Any]) -> None:
    evil = "x; rm -rf '$HOME' \"`id`\""
    manifest |= {"id": evil, "models": [CARD | {"name": evil}]}
    shell = re.search(r"^(`{3,})sh\n(.*?)\n\1$", readme(manifest), re.MULTILINE | re.DOTALL)
    assert shell is not None
    assert "'x; rm -rf '\"'\"'$HOME'\"'\"' \"`id`\"'" in shell[2]
    for block in re.findall(r"^(`{3,})python\n(.*?)\n\1$", readme(manifest), re.M | re.S):
        compile(block[1], "readme", "exec")


# CITATION.cff

PERSON = {"family-names", "given-names", "orcid", "affiliation"}
ENTITY = {"name", "orcid"}
TOP = {
    "abstract", "authors", "cff-version", "date-released", "doi", "identifiers", "keywords",
    "license", "license-url", "message", "references", "title", "type", "url", "version",
}  # fmt: skip
CFF_DOI = re.compile(r"^10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-\.\(\)\[\]\\]+$")


def assert_is_cff(document: Any) -> None:
    """Rules of the schema of CFF 1.2.0 that a file of ours could break."""
    assert document.keys() <= TOP
    assert document.keys() >= {"authors", "cff-version", "message", "title"}
    assert document["cff-version"] == "1.2.0"
    assert document["type"] == "dataset"
    assert all(value for value in document.values())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", document.get("date-released", "2000-01-01"))
    entries = [document, *document.get("references", [])]
    for entry in entries:
        assert CFF_DOI.match(entry.get("doi", "10.1234/x"))
        assert re.match(r"(https|http|ftp|sftp)://.+", entry.get("url", "http://x"))
        assert entry["title"]
        for author in entry["authors"]:
            assert author.keys() <= (PERSON if "family-names" in author else ENTITY)
            assert all(isinstance(part, str) and part for part in author.values())
    for name in ("authors", "keywords", "references", "identifiers"):
        values = [json.dumps(value) for value in document.get(name, [])]
        assert len(values) == len(set(values))
    for identifier in document.get("identifiers", []):
        assert identifier["type"] != "doi" or CFF_DOI.match(identifier["value"])


def test_citation_file_holds_what_a_citation_needs(manifest: dict[str, Any]) -> None:
    document = yaml.safe_load(citation_cff(manifest))
    assert_is_cff(document)
    assert document["authors"] == [
        {
            "family-names": "Doe",
            "given-names": "Jane",
            "orcid": "https://orcid.org/0000-0002-1825-0097",
            "affiliation": "A University",
        },
        {"name": "The Example Collaboration"},
    ]
    assert document["doi"] == DOI
    assert document["license"] == "CC-BY-4.0"
    assert document["date-released"] == "2026-02-03"
    assert document["version"] == "1.0.0"
    references = {entry["title"]: entry for entry in document["references"]}
    bare = {"relation": "Cites", "identifier": "1810.08132", "scheme": "arxiv"}
    assert "arXiv:1810.08132 (Cites)" in how_to_cite(manifest | {"related": [bare]})
    assert references["arXiv:1810.08132"]["url"] == "https://arxiv.org/abs/1810.08132"
    assert references["doi:10.17182/hepdata.1"]["doi"] == "10.17182/hepdata.1"
    assert references["LHCb-PAPER-2014-006"]["url"].endswith("/1287079")


@hostile
def test_citation_file_gives_hostile_text_back_unchanged(
    manifest: dict[str, Any], text: str
) -> None:
    document = yaml.safe_load(citation_cff(hostile_everywhere(manifest, text)))
    assert_is_cff(document)
    printable = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202e\ud800-\udfff]", "", text)
    assert document["title"] == " ".join(printable.split())
    assert document["keywords"] == [" ".join(printable.split())]


@pytest.mark.parametrize("text", ["1e3", "0o17", "yes", "null", "2026-02-03", "1:20", "~", "1_0"])
def test_citation_file_means_text_to_old_and_new_yaml(manifest: dict[str, Any], text: str) -> None:
    written = citation_cff(manifest | {"title": text, "version": text})
    document = yaml.safe_load(written)
    assert document["title"] == document["version"] == text
    # Quoted, it is text to readers of YAML 1.1 and of 1.2.
    assert re.search(rf"^title: (['\"]){re.escape(text)}\1$", written, re.MULTILINE)


def test_citation_file_of_a_draft_without_creators_is_valid_and_says_so() -> None:
    document = yaml.safe_load(citation_cff({"id": "toy", "title": "Toy", "status": "draft"}))
    assert_is_cff(document)
    assert "not citable" in document["message"]
    assert document["authors"] == [{"name": "Creators not named yet (bundle toy)"}]
    assert "date-released" not in document


@pytest.mark.parametrize(
    ("licence", "key", "value"),
    [
        ("MIT OR Apache-2.0", "license", ["MIT", "Apache-2.0"]),
        ("CDLA-Permissive-2.0", "license-url", "https://spdx.org/licenses/CDLA-Permissive-2.0"),
        ("MIT AND CC0-1.0", None, None),
        ("LicenseRef-mine", None, None),
    ],
    ids=["choice", "younger-than-cff", "both", "own"],
)
def test_citation_file_names_only_licences_that_it_may(
    manifest: dict[str, Any], licence: str, key: str | None, value: Any
) -> None:
    document = yaml.safe_load(citation_cff(manifest | {"licences": {"data": licence}}))
    assert_is_cff(document)
    assert document.get(key) == value
    assert {"license", "license-url"} & document.keys() == ({key} if key else set())


def test_citation_file_moves_a_doi_that_it_cannot_hold_to_the_identifiers(
    manifest: dict[str, Any],
) -> None:
    document = yaml.safe_load(citation_cff(manifest | {"doi": "10.1002/a<b>c"}))
    assert_is_cff(document)
    assert "doi" not in document
    assert document["identifiers"][0]["value"] == "doi:10.1002/a<b>c"


@pytest.mark.parametrize(
    ("creator", "author"),
    [
        ({"name": "ATLAS Collaboration"}, {"name": "ATLAS Collaboration"}),
        ({"name": "Jane Doe"}, {"name": "Jane Doe"}),
        (
            {"name": "Centre, North", "collaboration": "Centre, North"},
            {"name": "Centre, North"},
        ),
        ({"name": "Doe,"}, {"name": "Doe,"}),
        (
            {"name": "Doe, Jane", "collaboration": "ATLAS"},
            {"family-names": "Doe", "given-names": "Jane", "affiliation": "ATLAS"},
        ),
    ],
    ids=["collaboration", "no-comma", "collaboration-with-comma", "half", "member"],
)
def test_only_a_name_with_a_comma_is_taken_apart(
    manifest: dict[str, Any], creator: dict[str, Any], author: dict[str, str]
) -> None:
    document = yaml.safe_load(citation_cff(manifest | {"creators": [creator]}))
    assert document["authors"] == [author]


# BibTeX and the terminal


@hostile
def test_bibtex_stays_one_entry_with_balanced_braces(manifest: dict[str, Any], text: str) -> None:
    entry = bibtex(hostile_everywhere(manifest, text))
    depth, closed = 0, []
    for place, character in enumerate(entry):
        depth += (character == "{") - (character == "}")
        if character == "}" and depth == 0:
            closed.append(place)
    assert depth == 0
    assert closed == [len(entry) - 1]
    assert r"\input" not in entry
    assert not re.search(r"(?<!\\)[$%&#]", entry)


def test_bibtex_keeps_an_and_inside_a_name(manifest: dict[str, Any]) -> None:
    creators = [{"name": "Centre for Beauty and Charm"}, {"name": "Doe and Roe, Jane"}]
    assert "author = {{Centre for Beauty and Charm} and {Doe and Roe}, Jane}" in bibtex(
        manifest | {"creators": creators}
    )


def test_bibtex_of_a_draft_says_that_it_is_not_citable(manifest: dict[str, Any]) -> None:
    assert "not citable yet" in bibtex(manifest | {"status": "draft"})
    assert "note" not in bibtex(manifest)


def test_how_to_cite_names_bundle_analyses_and_tools(manifest: dict[str, Any]) -> None:
    text = how_to_cite(manifest)
    assert "Doe, Jane; The Example Collaboration (2026): A reduced likelihood" in text
    assert f"https://doi.org/{DOI}" in text
    assert "  LHCb-PAPER-2014-006; √s = 8 TeV" in text
    assert "https://inspirehep.net/literature/1287079" in text
    assert "flavio 2.6.1 (theory)" in text
    assert "draft" not in text


@hostile
def test_how_to_cite_cannot_steer_a_terminal(manifest: dict[str, Any], text: str) -> None:
    told = how_to_cite(hostile_everywhere(manifest, text))
    assert all(character == "\n" or character.isprintable() for character in told)
    told.encode()


# Croissant


def test_croissant_lists_the_data_files_and_every_column(
    manifest: dict[str, Any], files: dict[str, Any]
) -> None:
    document = json.loads(croissant(manifest, files))
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert document["url"] == f"https://doi.org/{DOI}"
    assert document["datePublished"] == "2026-02-03"
    assert document["license"][0] == "https://spdx.org/licenses/CC-BY-4.0"
    listed = {entry["@id"]: entry for entry in document["distribution"]}
    assert listed.keys() == files.keys() - {"README.md"}
    assert listed["preview.csv"]["sha256"] == "0" * 64
    assert listed["preview.csv"]["contentUrl"] == "preview.csv"
    assert listed["preview.csv"]["encodingFormat"] == "text/csv"
    fields = {entry["name"]: entry for entry in document["recordSet"][0]["field"]}
    assert list(fields) == ["C9_bsmumu", "m_x", "outside_95cr", "valid_m_x"]
    assert {name: entry["dataType"] for name, entry in fields.items()} == {
        "C9_bsmumu": "sc:Float",
        "m_x": "sc:Float",
        "outside_95cr": "sc:Float",
        "valid_m_x": "sc:Boolean",
    }
    assert "unit GeV" in fields["m_x"]["description"]
    assert fields["m_x"]["source"]["extract"] == {"column": "m_x"}


def test_croissant_of_a_draft_claims_no_publication(
    manifest: dict[str, Any], files: dict[str, Any]
) -> None:
    document = json.loads(croissant(manifest | {"status": "draft", "doi": None}, files))
    assert not {"datePublished", "url"} & document.keys()


def test_croissant_without_preview_has_no_records(
    manifest: dict[str, Any], files: dict[str, Any]
) -> None:
    del files["preview.csv"]
    assert "recordSet" not in json.loads(croissant(manifest, files))


@hostile
def test_croissant_can_be_embedded_in_html(
    manifest: dict[str, Any], files: dict[str, Any], text: str
) -> None:
    written = croissant(hostile_everywhere(manifest, text), files)
    assert "<" not in written
    assert json.loads(written)["name"]
    written.encode()


def test_croissant_is_valid_and_its_records_load(
    manifest: dict[str, Any], files: dict[str, Any], tmp_path: Path
) -> None:
    import mlcroissant

    scan = ArrayScan(
        C9_bsmumu=[-0.1, 1e-300, 2.5],
        m_x=[100.0, 200.0, np.nan],
        outside_95cr=np.array([0, 1, -1], dtype=np.int8),
        valid_m_x=[True, True, False],
    )
    columns = manifest["tables"][0]["columns"]
    content = preview_csv(scan, columns)
    (tmp_path / "preview.csv").write_bytes(content)
    files["preview.csv"]["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "croissant.json").write_text(croissant(manifest, files), encoding="utf-8")
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    records = list(dataset.records("preview"))
    assert [record["preview/C9_bsmumu"] for record in records] == [-0.1, 1e-300]
    assert [record["preview/valid_m_x"] for record in records] == [True, True]


# Preview


def read_csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    rows = list(csv.reader(io.StringIO(content.decode())))
    return rows[0], rows[1:]


def test_preview_numbers_come_back_as_they_were() -> None:
    generator = np.random.default_rng(0)
    double = generator.standard_normal(200) * 10.0 ** generator.integers(-300, 300, 200)
    single = double[generator.permutation(200)].clip(-1e30, 1e30).astype(np.float32)
    whole = generator.integers(0, 2**63, 200, dtype=np.uint64) * 2
    head, rows = read_csv(preview_csv(ArrayScan(d=double, s=single, u=whole), ["d", "s", "u"]))
    assert head == ["d", "s", "u"]
    assert [float(row[0]) for row in rows] == double.tolist()
    assert [np.float32(row[1]) for row in rows] == single.tolist()
    assert [int(row[2]) for row in rows] == whole.tolist()
    assert all(len(row[1]) <= 15 for row in rows)


def test_preview_leaves_missing_values_empty() -> None:
    scan = ArrayScan(
        x=[1.0, np.nan, -np.inf], flag=[True, False, True], y=[7, 8, 9], ok=[True, False, True]
    )
    columns = ["x", "flag", {"name": "y", "role": "label", "valid": "ok"}]
    assert preview_csv(scan, columns) == b"x,flag,y\n1.0,true,7\n,false,\n-inf,true,9\n"


def test_preview_takes_only_rows_whose_parameters_are_valid() -> None:
    scan = ArrayScan(a=[0, 1, 2, 3], va=[True, True, False, True], vb=[True, False, True, True])
    columns = [{"name": "a", "role": "parameter", "valid": "va"}]
    assert preview_csv(scan, columns) == b"a\n0\n1\n3\n"
    assert preview_csv(scan, columns, ["vb"]) == b"a\n0\n3\n"


@pytest.mark.parametrize(
    ("n_points", "limit", "n_rows"),
    [(0, 10, 0), (1, 10, 1), (10, 10, 10), (11, 10, 10), (70_000, 7, 7), (200_000, 10_000, 10_000)],
)
def test_preview_is_spread_evenly_over_the_scan(n_points: int, limit: int, n_rows: int) -> None:
    scan = ArrayScan(row=np.arange(n_points))
    _, rows = read_csv(preview_csv(scan, ["row"], limit=limit))
    picked = [int(row[0]) for row in rows]
    assert picked == [rank * n_points // n_rows for rank in range(n_rows)]
    assert scan.longest <= 65_536


def test_preview_spreads_over_the_valid_rows_across_blocks() -> None:
    valid = np.zeros(200_000, dtype=bool)
    valid[[0, 65_535, 65_536, 131_071, 131_072, 199_999]] = True
    scan = ArrayScan(row=np.arange(200_000), valid=valid)
    assert preview_csv(scan, ["row"], ["valid"], limit=3) == b"row\n0\n65536\n131072\n"


def test_preview_of_no_valid_row_is_a_header() -> None:
    scan = ArrayScan(a=[1.0], ok=[False])
    assert preview_csv(scan, ["a"], ["ok"]) == b"a\n"


@pytest.mark.parametrize(("columns", "limit"), [([], 5), (["a"], 0)], ids=["columns", "limit"])
def test_preview_of_nothing_is_refused(columns: list[str], limit: int) -> None:
    with pytest.raises(UsageError, match="preview: found limit"):
        preview_csv(ArrayScan(a=[1.0]), columns, limit=limit)


# All of them


def test_documents_do_not_change_from_call_to_call_or_touch_the_manifest(
    manifest: dict[str, Any], files: dict[str, Any]
) -> None:
    before = copy.deepcopy(manifest)
    for make in (readme, citation_cff, bibtex, how_to_cite, lambda m: croissant(m, files)):
        assert make(manifest) == make(copy.deepcopy(manifest))
    assert manifest == before


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan], ids=["inf", "-inf", "nan"])
def test_readme_survives_numbers_that_are_none(manifest: dict[str, Any], value: float) -> None:
    manifest["tables"][0]["columns"][0]["range"] = [value, 1.0]
    assert "to 1" in readme(manifest)
