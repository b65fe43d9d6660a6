"""HEPData tables: read whole or refused with all faults, and written back as they were printed."""

from __future__ import annotations

import contextlib
import io
import math
import tarfile
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.bundle import open_bundle
from limen.comparing import export_hepdata
from limen.comparing import hepdata as exporting
from limen.errors import DataError, ReadError, StorageError, UsageError
from limen.readers import guess_format, open_source, read_columns
from limen.readers.hepdata import files
from limen.readers.hepdata.values import Notes, limen_unit, spdx, statement
from limen.readers.sources import open_tables

SUBMISSION = r"""---
comment: "CERN-LHC. ATLAS. A made-up search for gluinos."
hepdata_doi: 10.17182/hepdata.12345.v1
record_ids:
- {type: inspire, id: 1765529}
additional_resources:
- {location: "https://doi.org/10.1140/epjc/s10052-000-0000-0", description: paper}
---
name: Upper limits
description: Upper limits on the cross section.
location: Figure 7
keywords:
- {name: cmenergies, values: [13000.0]}
- {name: observables, values: [SIG]}
- {name: phrases, values: [gluino]}
data_file: limits.yaml
data_license: {name: CC BY 4.0, url: "https://creativecommons.org/licenses/by/4.0/"}
table_doi: 10.17182/hepdata.12345.v1/t1
"""
LIMITS = r"""
independent_variables:
- header: {name: 'Gluino mass', units: GEV}
  values:
  - value: 1000
  - value: 1000.0
  - value: 1.20E+3
- header: {name: '$m(\tilde\chi_1^0)$', units: '$\mathrm{GeV}$'}
  values:
  - {low: 0, high: 100}
  - {low: 100, high: 200.50}
  - {low: 0, high: 100, value: 50}
dependent_variables:
- header: {name: Observed 95% CL upper limit, units: PB}
  qualifiers:
  - {name: SQRT(S), value: 13000, units: GEV}
  - {name: RE, value: P P --> GLUINO GLUINO}
  values:
  - value: 1.20E-3
    errors:
    - {asymerror: {plus: 0.40E-3, minus: -0.30E-3}, label: stat}
    - {symerror: 5%, label: "sys,lumi"}
  - value: 0.70
    errors:
    - {asymerror: {plus: 0.10, minus: -0.05}, label: stat}
    - {symerror: 7.5%, label: "sys,lumi"}
  - value: '-'
- header: {name: CLs}
  qualifiers:
  - {name: Result, value: observed}
  values: [{value: 0.001}, {value: 0.250}, {value: ''}]
- header: {name: CLs}
  qualifiers:
  - {name: Result, value: expected}
  values: [{value: 2.0e-3}, {value: 0.35}, {value: 1e-05}]
"""
GAP = {"", "-"}
LIMIT = "Observed 95% CL upper limit"


def contour() -> dict[str, str]:
    """Write a grid of 20 points with observed and expected limits and their bands."""
    header = "{name: '%s', units: FB}"
    grid = [(m, x) for m in range(800, 1800, 200) for x in (0, 100, 200, 400)]
    lines = ["independent_variables:"]
    for position, name in enumerate(("m(gluino) [GeV]", "m(LSP) [GeV]")):
        lines += [f"- header: {{name: '{name}'}}", "  values:"]
        lines += [f"  - value: {point[position]}" for point in grid]
    lines += ["dependent_variables:"]
    bands = {"": 1.0, " -1 sigma": 0.70, " +1 sigma": 1.40}
    names = {"Observed 95% CL upper limit on cross section": 1.05}
    names |= {f"Expected 95% CL upper limit on cross section{b}": f for b, f in bands.items()}
    for name, factor in names.items():
        lines += [f"- header: {header % name}", "  values:"]
        lines += [f"  - value: {factor * 1e4 / (m - x):.3f}" for m, x in grid]
    return {
        "submission.yaml": "name: Limits\ndescription: Limits.\nkeywords: []\ndata_file: t.yaml\n",
        "t.yaml": "\n".join(lines) + "\n",
    }


PARTS = {"submission.yaml": SUBMISSION, "limits.yaml": LIMITS}


@pytest.fixture
def submission(tmp_path: Path) -> Callable[..., Path]:
    """Write a submission folder, with changed files where they are given."""

    def write(changed: dict[str, str | bytes] | None = None, name: str = "sub") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, text in {**PARTS, **(changed or {})}.items():
            (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
        return folder

    return write


def read(path: Path, **options: Any) -> dict[str, np.ndarray]:
    return read_columns([path], "hepdata", options)


def test_a_table_becomes_columns_with_bins_errors_and_masks(submission: Callable[..., Path]):
    table = read(submission())
    np.testing.assert_array_equal(table["Gluino mass"], [1000, 1000, 1200])
    np.testing.assert_array_equal(table[r"$m(\tilde\chi_1^0)$_low"], [0, 100, 0])
    np.testing.assert_array_equal(table[r"$m(\tilde\chi_1^0)$_high"], [100, 200.5, 100])
    np.testing.assert_array_equal(table[r"$m(\tilde\chi_1^0)$"], [np.nan, np.nan, 50])
    np.testing.assert_array_equal(table[LIMIT], [1.2e-3, 0.7, np.nan])
    np.testing.assert_array_equal(table[f"{LIMIT} stat up"], [4e-4, 0.1, np.nan])
    np.testing.assert_array_equal(table[f"{LIMIT} stat down"], [3e-4, 0.05, np.nan])
    np.testing.assert_allclose(table[f"{LIMIT} sys,lumi"], [6e-5, 0.0525, np.nan], rtol=1e-15)
    np.testing.assert_array_equal(table[f"{LIMIT}_valid"], [True, True, False])
    np.testing.assert_array_equal(table["CLs [Result expected]"], [2e-3, 0.35, 1e-5])


def test_hints_and_document_carry_what_the_submission_says(submission: Callable[..., Path]):
    _, (table,), _ = open_tables([submission()], None, None)
    limit = table.hints[LIMIT]
    assert (limit["role"], limit["quantity"], limit["unit"]) == (
        "limit",
        "cross_section_limit",
        "pb",
    )
    assert limit["statistics"] == {"confidence_level": 0.95, "result": "observed"}
    assert limit["source"] == [
        {
            "format": "hepdata",
            "record": "10.17182/hepdata.12345.v1",
            "table": "Upper limits",
            "column": LIMIT,
        }
    ]
    assert "HEPData qualifier RE: P P --> GLUINO GLUINO" in limit["description"]
    lumi = table.hints[f"{LIMIT} sys,lumi"]
    assert (lumi["of"], lumi["kind"], lumi["side"]) == (LIMIT, "syst", "both")
    assert table.hints["CLs [Result observed]"]["valid"] == f"{LIMIT}_valid"
    document = table.document
    assert document["licences"] == {"data": "CC-BY-4.0"}
    assert document["keywords"] == ["SIG", "gluino"]
    assert document["analyses"] == [
        {
            "experiment": "ATLAS",
            "id": "TODO",
            "inspire": 1765529,
            "sqrt_s": 13.0,
            "hepdata": "10.17182/hepdata.12345.v1",
        }
    ]
    assert [entry["identifier"] for entry in document["related"]] == [
        "10.17182/hepdata.12345.v1",
        "10.17182/hepdata.12345.v1/t1",
        "10.1140/epjc/s10052-000-0000-0",
    ]


def test_without_a_licence_a_table_is_cc0_and_without_a_record_it_has_no_address(tmp_path: Path):
    path = tmp_path / "table.yaml"
    path.write_text(LIMITS)
    assert guess_format(path) == "hepdata"
    _, (table,), _ = open_tables([path], None, None)
    assert table.document["licences"] == {"data": "CC0-1.0"}
    assert "source" not in table.hints[LIMIT]
    _, (table,), _ = open_tables([path], None, {"record": "ins1765529"})
    assert table.hints[LIMIT]["source"][0]["record"] == "ins1765529"


def as_tar(path: Path, parts: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def as_zip(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


PACKERS = [pytest.param(as_tar, "a.tar.gz", id="tar.gz"), pytest.param(as_zip, "a.zip", id="zip")]


@pytest.mark.parametrize(("packer", "name"), PACKERS)
def test_an_archive_is_read_like_its_folder(
    packer: Callable[..., Path], name: str, tmp_path: Path, submission: Callable[..., Path]
):
    parts = {f"HEPData-ins1-v1-yaml/{file}": text for file, text in PARTS.items()}
    archive = packer(tmp_path / name, parts)
    assert guess_format(archive) == "hepdata"
    inside, outside = read(archive), read(submission())
    assert inside.keys() == outside.keys()
    for column, values in inside.items():
        np.testing.assert_array_equal(values, outside[column])
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "sub"])


@pytest.mark.parametrize(("packer", "name"), PACKERS)
@pytest.mark.parametrize("member", ["../evil.yaml", "/evil.yaml", "a/../../evil.yaml"])
def test_an_archive_with_a_path_out_of_it_is_refused(
    packer: Callable[..., Path], name: str, member: str, tmp_path: Path
):
    archive = packer(tmp_path / name, {**PARTS, member: "x: 1"})
    with pytest.raises(ReadError, match="found a path out of the archive"):
        read(archive)


def test_an_archive_with_a_link_is_refused(tmp_path: Path):
    archive = as_tar(tmp_path / "a.tar.gz", PARTS)
    with tarfile.open(tmp_path / "b.tar", "w") as linked:
        info = tarfile.TarInfo("limits.yaml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        linked.addfile(info)
    with pytest.raises(ReadError, match="found a link or device"):
        read(tmp_path / "b.tar")
    (tmp_path / "cut.tar.gz").write_bytes(archive.read_bytes()[:100])
    with pytest.raises(ReadError, match="damaged or foreign archive"):
        read(tmp_path / "cut.tar.gz")


def test_a_link_in_a_folder_is_refused(submission: Callable[..., Path], tmp_path: Path):
    folder = submission()
    (tmp_path / "secret.yaml").write_text(LIMITS)
    (folder / "limits.yaml").unlink()
    (folder / "limits.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(ReadError, match="found a link"):
        read(folder)


def test_a_huge_file_is_refused(submission: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAXIMUM_BYTES", 1000)
    with pytest.raises(ReadError, match="found more than"):
        read(submission())


BROKEN = [
    pytest.param("a: &x 1\nb: *x", "found an anchor", id="anchor"),
    pytest.param("a: 1\nb: *x", "found an alias|undefined alias", id="alias"),
    pytest.param("a: !!python/object:os.system {}", "found the tag", id="tag"),
    pytest.param("a: 1\na: 2", "found the name 'a' twice", id="name twice"),
    pytest.param("a: [1, 2", "not YAML", id="not closed"),
    pytest.param("- 1\n- 2", "found no mapping", id="a list"),
    pytest.param("? [a]\n: 1", "found a list or mapping as a name", id="a list as a name"),
    pytest.param("a: " + "[" * 40 + "]" * 40, "nested deeper", id="deep"),
    pytest.param(b"\xff\xfe\x00binary", "not UTF-8", id="binary"),
    pytest.param(b"\x00\x01\x02", "not YAML", id="control characters"),
    pytest.param("", "found 0 documents", id="empty"),
    pytest.param("x: 1", "found none, allowed a list", id="no variables"),
    pytest.param(
        LIMITS.partition("dependent_variables:\n- header: {name: Obs")[0],
        "independent_variables|dependent_variables",
        id="only independents",
    ),
]


@pytest.mark.parametrize(("text", "match"), BROKEN)
def test_what_is_no_table_is_refused(
    text: str | bytes, match: str, submission: Callable[..., Path]
):
    with pytest.raises(ReadError, match=match):
        read(submission({"limits.yaml": text}))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        pytest.param(
            "value: 0.70",
            "value: about 0.7",
            r"column 'Observed.*row 2: found 'about",
            id="text among numbers",
        ),
        pytest.param("value: 0.70", "value: 1e999", "row 2: found '1e999'", id="overflow"),
        pytest.param("high: 200.50", "high: wide", "high row 2: found 'wide'", id="edge of a bin"),
        pytest.param(
            "symerror: 5%", "symerror: five%", "row 1: found the error", id="error is no number"
        ),
        pytest.param("symerror: 5%", "error: 5", "row 1: found the error", id="unknown error"),
        pytest.param(
            "{plus: 0.10, minus: -0.05}",
            "{plus: 0.10}",
            "row 2: found the error",
            id="half an error",
        ),
        pytest.param("  - value: '-'\n", "", "found columns of lengths", id="unequal lengths"),
        pytest.param("{name: CLs}", "{units: x}", "found no header with a name", id="no header"),
        pytest.param("value: 0.70", "value: [1, 2]", "with a plain value", id="list as a value"),
    ],
)
def test_a_fault_is_named_by_table_column_and_row(
    old: str, new: str, match: str, submission: Callable[..., Path]
):
    with pytest.raises(ReadError, match=match):
        read(submission({"limits.yaml": LIMITS.replace(old, new, 1)}))


def test_all_faults_are_named_together(submission: Callable[..., Path]):
    text = LIMITS.replace("value: 0.70", "value: x").replace("0.250", "y").replace("5%", "z")
    with pytest.raises(ReadError) as caught:
        read(submission({"limits.yaml": text}))
    assert len(caught.value.faults) >= 3
    assert all("table 'Upper limits'" in fault.pointer for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../limits.yaml", "allowed the name of a file beside"),
        ("/etc/passwd", "allowed the name of a file beside"),
        ("gone.yaml", "which is not there"),
    ],
)
def test_a_data_file_that_is_elsewhere_is_refused(
    name: str, match: str, submission: Callable[..., Path]
):
    with pytest.raises(ReadError, match=match):
        read(submission({"submission.yaml": SUBMISSION.replace("limits.yaml", name)}))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, len(LIMITS) - 1), st.integers(0, 40), st.binary(max_size=6))
def test_whatever_is_changed_is_read_or_refused(
    tmp_path: Path, start: int, length: int, new: bytes
):
    path = tmp_path / "table.yaml"
    data = LIMITS.encode()
    path.write_bytes(data[:start] + new + data[start + length :])
    with contextlib.suppress(ReadError):
        read(path)


def second(name: str, header: str) -> str:
    return SUBMISSION + f"---\nname: {name}\ndescription: d\nkeywords: []\ndata_file: {header}\n"


def test_tables_on_the_same_grid_lie_side_by_side(submission: Callable[..., Path]):
    parts = {"submission.yaml": second("Other", "other.yaml"), "other.yaml": LIMITS}
    table = read(submission(parts))
    assert f"{LIMIT} (Other)" in table
    assert len(table["Gluino mass"]) == 3


def test_tables_of_the_same_columns_follow_each_other(submission: Callable[..., Path]):
    moved = LIMITS.replace("value: 1.20E+3", "value: 1400")
    folder = submission({"submission.yaml": second("Other", "other.yaml"), "other.yaml": moved})
    source = open_source([folder], "hepdata")
    assert source.n_rows == 6
    _, (table,), _ = open_tables([folder], None, None)
    assert table.hints["HEPData table"]["categories"] == {"0": "Upper limits", "1": "Other"}
    assert len(table.hints[LIMIT]["source"]) == 2


def test_other_tables_are_chosen_by_name(submission: Callable[..., Path]):
    other = (
        "independent_variables: [{header: {name: a}, values: [{value: 1}]}]\n"
        "dependent_variables: [{header: {name: b}, values: [{value: 2}]}]\n"
    )
    folder = submission({"submission.yaml": second("Other", "other.yaml"), "other.yaml": other})
    with pytest.raises(ReadError, match="different columns and coordinates"):
        read(folder)
    assert list(read(folder, table="Other")) == ["a", "b"]
    assert LIMIT in read(folder, table=["Upper limits"])
    with pytest.raises(ReadError, match="did you mean 'Other'"):
        read(folder, table="Othr")
    with pytest.raises(ReadError, match="option 'record'"):
        read(folder, record="12")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("GEV", "GeV"),
        (r"$\mathrm{GeV}$", "GeV"),
        ("FB", "fb"),
        ("FB-1", "1/fb"),
        (r"fb$^{-1}$", "1/fb"),
        ("GEV**2", "GeV^2"),
        ("PB/GEV", "pb/GeV"),
        ("MUB", "ub"),
        (r"$\mu$b", "ub"),
        ("%", "%"),
        ("events", None),
    ],
)
def test_units_of_hepdata_are_written_as_ours(text: str, unit: str | None):
    assert limen_unit(text) == unit


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ({"name": "CC0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}, "CC0-1.0"),
        ({"name": "cc-by-4.0", "url": ""}, "CC-BY-4.0"),
        ({"name": "ours", "url": "https://example.org"}, None),
    ],
)
def test_licences_are_named_as_spdx_does(licence: dict[str, str], name: str | None):
    assert spdx(licence) == name


def test_a_statement_is_no_more_than_the_header_says():
    assert statement("Expected CLs upper limit", "fb")["statistics"] == {
        "construction": "CLs",
        "result": "expected",
    }
    assert statement("Observed or expected limit 95% CL", "GeV") == {}
    assert statement("Number of events", "1") == {}


def test_notes_survive_a_description_that_people_extended():
    notes = Notes("A | b", "PB", (("RE", "P P --> X [0.1]", ""), ("S", "13", "TEV")), "", True)
    assert Notes.read("Read me. " + notes.text()) == notes
    assert Notes.read("Nothing of it.") == Notes()


# The way back


def decided(path: Path, target: Path, **answers: str) -> Path:
    """Draft, decide every TODO as a person would, and pack."""
    from limen.packing import pack
    from limen.readers.drafting import draft

    document = yaml.safe_load(draft([path], folder=target.parent))
    document |= {"title": "Limits on gluinos", "creators": [{"name": "Doe, Jane"}]}
    document.setdefault("description", "Made up.")
    document["licences"]["models"] = "CC0-1.0"
    document["theory"] = {"family": "simplified model", "convention": "masses"}
    for analysis in document.get("analyses", []):
        analysis |= {"experiment": "ATLAS", "id": "ATLAS-SUSY-2000-01"}
    for column in document["tables"][0]["columns"]:
        if column["role"] == "limit":
            column["statistics"] = {
                "confidence_level": 0.95,
                "construction": "CLs",
                "result": "observed",
            } | {k: v for k, v in column["statistics"].items() if v != "TODO"}
        elif column["role"] == "test":
            column["statistics"] |= {"construction": "CLs"}
        elif column["role"] == "TODO":
            column["role"] = "observable"
    place = target.parent / f"{target.name}.yaml"
    place.write_text(yaml.safe_dump(document, sort_keys=False))
    pack(place, target)
    return target


def validated(folder: Path) -> list[str]:
    validators = pytest.importorskip("hepdata_validator.full_submission_validator")
    validator = validators.FullSubmissionValidator(autoload_remote_schemas=False)
    validator.validate(directory=str(folder))
    found = [str(m) for messages in validator.messages.values() for m in messages]
    data = pytest.importorskip("hepdata_validator.data_file_validator").DataFileValidator()
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "submission.yaml" and not data.validate(file_path=str(path)):
            found += [str(m) for m in data.get_messages(str(path))]
    module = pytest.importorskip("hepdata_validator.submission_file_validator")
    submission = module.SubmissionFileValidator()
    if not submission.validate(file_path=str(folder / "submission.yaml")):
        found += [str(m) for m in submission.get_messages(str(folder / "submission.yaml"))]
    return found


def loaded(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)


def same(before: str, after: str) -> bool:
    """Tell whether two cells agree to the digits that the first prints."""
    if before in GAP or after in GAP:
        return before in GAP and after in GAP
    if before.endswith("%") != after.endswith("%"):
        return False
    first, then = Decimal(before.rstrip("%")), Decimal(after.rstrip("%"))
    exponent = first.as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(first - then) < Decimal(5).scaleb(exponent - 1)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    return [value]


def assert_same_table(before: Any, after: Any) -> None:
    for section in ("independent_variables", "dependent_variables"):
        for old, new in zip(before[section], after[section], strict=True):
            assert new["header"] == old["header"]
            assert new.get("qualifiers", []) == old.get("qualifiers", [])
            for a, b in zip(old["values"], new["values"], strict=True):
                errors = zip(a.get("errors", []), b.get("errors", []), strict=True)
                for x, y in errors:
                    assert x.get("label") == y.get("label")
                    x, y = ({k: v for k, v in e.items() if k != "label"} for e in (x, y))
                    assert x.keys() == y.keys()
                    assert all(same(*pair) for pair in zip(leaves(x), leaves(y), strict=True))
                keys = {"value", "low", "high"}
                assert a.keys() & keys == b.keys() & keys
                assert all(same(a[key], b[key]) for key in a.keys() & keys)


def test_a_table_comes_back_as_it_was_printed(submission: Callable[..., Path], tmp_path: Path):
    bundle = decided(submission(), tmp_path / "bundle")
    folder = export_hepdata(bundle, tmp_path / "out")
    assert validated(folder) == []
    general, table = yaml.load_all((folder / "submission.yaml").read_text(), Loader=yaml.BaseLoader)
    assert "gluinos" in general["comment"]
    assert table["name"] == "Upper limits"
    assert table["data_license"]["name"] == "CC-BY-4.0"
    assert table["keywords"][0] == {"name": "cmenergies", "values": ["13000.0"]}
    assert table["related_to_table_dois"] == ["10.17182/hepdata.12345.v1/t1"]
    assert_same_table(loaded(LIMITS), loaded((folder / table["data_file"]).read_text()))
    again = read(folder)
    for name, values in read(submission(name="sub2")).items():
        np.testing.assert_allclose(again[name], values, rtol=1e-12)


def test_a_contour_grid_with_bands_comes_back(submission: Callable[..., Path], tmp_path: Path):
    parts = contour()
    bundle = decided(submission(parts), tmp_path / "bundle")
    columns = open_bundle(bundle).columns
    bands = [(c.statistics or {}).get("band") for c in columns.values() if c.role == "limit"]
    assert bands == [None, None, -1, 1]
    folder = export_hepdata(bundle, tmp_path / "out")
    assert validated(folder) == []
    (file,) = [path for path in folder.iterdir() if path.name != "submission.yaml"]
    assert_same_table(loaded(parts["t.yaml"]), loaded(file.read_text()))


def test_texts_come_back(submission: Callable[..., Path], tmp_path: Path):
    cells = [f"- {{value: {v}}}" for v in ("SR-A", "SR-A", "SR-B", "SR-B")]
    text = "\n".join(
        ["independent_variables:", "- header: {name: Region}", "  values:"]
        + [f"  {cell}" for cell in cells]
        + ["- header: {name: Mass, units: GEV}", "  values:"]
        + [f"  - value: {m}" for m in (1.50, 2.50, 1.50, 2.50)]
        + ["dependent_variables:", "- header: {name: Cross section, units: PB}", "  values:"]
        + [f"  - value: {x}" for x in ("1.230E-2", "0.010", "'-'", "7")]
    )
    bundle = decided(submission({"limits.yaml": text}), tmp_path / "bundle")
    folder = export_hepdata(bundle, tmp_path / "out")
    assert validated(folder) == []
    (file,) = [path for path in folder.iterdir() if path.name != "submission.yaml"]
    before, after = loaded(text), loaded(file.read_text())
    assert after["independent_variables"].pop(0) == before["independent_variables"].pop(0)
    assert_same_table(before, after)


def test_errors_keep_their_signs_and_gaps(submission: Callable[..., Path], tmp_path: Path):
    text = LIMITS.replace("{plus: 0.10, minus: -0.05}", "{plus: -0.10, minus: 0.05}").replace(
        "{plus: 0.40E-3, minus: -0.30E-3}", "{plus: '', minus: -0.30E-3}"
    )
    bundle = decided(submission({"limits.yaml": text}), tmp_path / "bundle")
    folder = export_hepdata(bundle, tmp_path / "out")
    assert validated(folder) == []
    (file,) = [path for path in folder.iterdir() if path.name != "submission.yaml"]
    assert_same_table(loaded(text), loaded(file.read_text()))


def test_a_scan_of_our_own_is_exported_with_its_model(model_path: Path, tmp_path: Path):
    folder = export_hepdata(model_path, tmp_path / "out", table="Likelihood of two parameters")
    assert validated(folder) == []
    general, table = yaml.safe_load_all((folder / "submission.yaml").read_text())
    assert table["name"] == "Likelihood of two parameters"
    (model,) = general["additional_resources"]
    assert model["type"] == "ONNX"
    assert (folder / model["location"]).is_file()
    content = yaml.safe_load((folder / table["data_file"]).read_text())
    names = [v["header"]["name"] for v in content["independent_variables"]]
    assert names == ["mass", "coupling"]
    assert content["independent_variables"][0]["header"]["units"] == "GeV"
    dependents = [v["header"]["name"] for v in content["dependent_variables"]]
    assert dependents == ["xsec", "loglike", "delta_chi2", "outside"]
    with open_bundle(model_path).open_scan() as scan:
        values = scan.read(["xsec", "ok"])
    written = [cell["value"] for cell in content["dependent_variables"][0]["values"]]
    assert [v == "-" for v in written] == (~values["ok"]).tolist()
    kept = [v for v in written if v != "-"]
    assert kept == values["xsec"][values["ok"]].tolist()


def test_a_large_model_is_named_and_not_copied(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exporting, "MAXIMUM_MODEL_BYTES", 10)
    folder = export_hepdata(model_path, tmp_path / "out")
    assert validated(folder) == []
    general = next(yaml.safe_load_all((folder / "submission.yaml").read_text()))
    assert "Models not included for their size: region." in general["comment"]
    assert not list(folder.glob("*.onnx"))


def test_bulk_is_refused_with_advice(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exporting, "MAXIMUM_ROWS", 100)
    with pytest.raises(UsageError, match=r"found 400 rows.*limen select"):
        export_hepdata(bundle_path, tmp_path / "out")
    monkeypatch.setattr(exporting, "MAXIMUM_ROWS", 1000)
    monkeypatch.setattr(exporting, "MAXIMUM_BYTES", 1000)
    with pytest.raises(UsageError, match=r"bytes, allowed 1,000.*limen select"):
        export_hepdata(bundle_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_refuses_a_long_name_and_a_folder_that_is_there(bundle_path: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="allowed 1 to 64"):
        export_hepdata(bundle_path, tmp_path / "out", table="x" * 65)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(StorageError, match="something here already"):
        export_hepdata(bundle_path, tmp_path / "out")


def test_half_of_an_asymmetric_error_is_not_exported(
    document: dict[str, Any], columns: dict[str, np.ndarray], tmp_path: Path
):
    from limen.packing import make_bundle

    entry = {"name": "e", "role": "uncertainty", "unit": "fb", "of": "xsec", "kind": "stat"}
    document["tables"][0]["columns"].append(entry | {"side": "up"})
    columns["e"] = np.full(len(columns["m"]), 0.1)
    make_bundle(document, columns, tmp_path / "bundle")
    with pytest.raises(DataError, match="side 'up' of an uncertainty of 'xsec' alone"):
        export_hepdata(tmp_path / "bundle", tmp_path / "out")


def test_the_command_line_exports(bundle_path: Path, tmp_path: Path, limen: Callable[..., Any]):
    answer = limen("export", bundle_path, "--to", "hepdata", "-o", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "out" / "submission.yaml").is_file()
    answer = limen("export", bundle_path, "--to", "hepdata")
    assert answer.exit_code == 2
    assert "-o FOLDER" in answer.output
    answer = limen("export", bundle_path, "--to", "csv", "--table", "x")
    assert answer.exit_code == 2


def test_small_numbers_are_floats_to_a_yaml_1_1_reader(
    submission: Callable[..., Path], tmp_path: Path
):
    folder = export_hepdata(decided(submission(), tmp_path / "bundle"), tmp_path / "out")
    (file,) = [path for path in folder.iterdir() if path.name != "submission.yaml"]
    cells = yaml.safe_load(file.read_text())["dependent_variables"][2]["values"]
    assert [type(cell["value"]) for cell in cells] == [float] * 3
    assert math.isclose(cells[2]["value"], 1e-5)
