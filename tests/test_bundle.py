"""A bundle: opened by its manifest, edited as a draft, frozen for ever, never read elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from limen import schema
from limen.bundle import open_bundle
from limen.checking import check
from limen.editing import set_fields
from limen.errors import (
    BundleNotFoundError,
    FormatVersionError,
    FrozenError,
    IntegrityError,
    PartMissingError,
    SchemaError,
    StorageError,
    UsageError,
)

SCAN = "scan.zarr.zip"


def rewrite(path: Path, change) -> None:
    """Change the manifest as it lies on disk, past all checks."""
    manifest = json.loads((path / "bundle.json").read_text())
    change(manifest)
    (path / "bundle.json").write_text(json.dumps(manifest))


def test_opening_reads_the_manifest_only(bundle_path):
    for path in bundle_path.iterdir():
        if path.name != "bundle.json":
            path.unlink()
    bundle = open_bundle(bundle_path)
    assert bundle.n_points == 400
    assert bundle.columns["m"].unit == "GeV"
    assert bundle.models == {}
    assert "400 points" in repr(bundle)


@pytest.mark.parametrize("name", ["", "bundle.json"], ids=["its folder", "its manifest"])
def test_a_bundle_is_named_by(bundle_path, name):
    assert open_bundle(bundle_path / name).path == bundle_path


def test_changing_the_copy_of_the_manifest_changes_nothing(bundle_path):
    bundle = open_bundle(bundle_path)
    bundle.manifest["title"] = "changed"
    bundle.table["rows"] = 0
    assert bundle.manifest["title"] == "A likelihood of a mass and a coupling"
    assert bundle.n_points == 400


def test_the_scan_is_a_lazy_dataset_with_masks_applied(bundle_path):
    scan = open_bundle(bundle_path).scan
    assert scan.sizes == {"point": 400}
    assert scan["m"].attrs["units"] == "GeV"
    assert np.isnan(scan["xsec"].values).sum() == (~scan["ok"].values).sum() > 0


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../outside.txt", "a/b.txt", "..", "a\\b.txt", "", "a b.txt", "bundle.json"],
)
def test_a_file_outside_of_the_folder_is_refused(bundle_path, name):
    def add(manifest):
        manifest["files"][name] = dict(manifest["files"][SCAN], role="attachment")

    rewrite(bundle_path, add)
    with pytest.raises(SchemaError, match="/files"):
        open_bundle(bundle_path)


@pytest.mark.parametrize("name", ["/etc/passwd", "../scan.zarr.zip"])
def test_a_scan_outside_of_the_folder_is_refused(bundle_path, name):
    rewrite(bundle_path, lambda manifest: manifest["tables"][0].update(file=name))
    with pytest.raises(SchemaError, match="/tables/0/file"):
        open_bundle(bundle_path)


def test_names_that_differ_in_case_only_are_refused(bundle_path):
    def add(manifest):
        manifest["files"]["SCAN.zarr.zip"] = dict(manifest["files"][SCAN], role="attachment")

    rewrite(bundle_path, add)
    with pytest.raises(SchemaError, match="names differ in more than case"):
        open_bundle(bundle_path)


@pytest.mark.parametrize("version", ["1.1", "2.0", "10.0"])
def test_a_manifest_of_a_later_format_is_refused(bundle_path, version):
    rewrite(bundle_path, lambda manifest: manifest.update(format=version, colour="red"))
    with pytest.raises(FormatVersionError, match=rf"{version}"):
        open_bundle(bundle_path)


@pytest.mark.parametrize(
    ("content", "kind", "match"),
    [
        (b"", SchemaError, "not JSON"),
        (b'{"id": "\xff"}', SchemaError, "not UTF-8"),
        (b"[]", SchemaError, "found list"),
        (b'{"id": 1, "id": 2}', SchemaError, "twice"),
        (b'{"id": NaN}', SchemaError, "NaN"),
        (b"[" * 100_000, SchemaError, "nested deeper"),
    ],
    ids=["empty", "no UTF-8", "a list", "a name twice", "NaN", "deep"],
)
def test_a_manifest_that_is_none_is_refused(bundle_path, content, kind, match):
    (bundle_path / "bundle.json").write_bytes(content)
    with pytest.raises(kind, match=match):
        open_bundle(bundle_path)


def test_all_faults_of_a_manifest_come_at_once(bundle_path):
    def spoil(manifest):
        manifest["version"] = "one"
        manifest["tables"][0]["rows"] = -1

    rewrite(bundle_path, spoil)
    with pytest.raises(SchemaError) as caught:
        open_bundle(bundle_path)
    assert {fault.pointer for fault in caught.value.faults} == {"/version", "/tables/0/rows"}


def test_a_part_that_is_absent_says_how_to_fetch_it(bundle_path):
    rewrite(bundle_path, lambda manifest: manifest.update(doi="10.5281/zenodo.7"))
    (bundle_path / SCAN).unlink()
    bundle = open_bundle(bundle_path)
    line = rf"limen fetch 10\.5281/zenodo\.7 --parts manifest,scan -o {bundle_path}"
    with pytest.raises(PartMissingError, match=line):
        bundle.open_scan()


def test_a_part_of_a_bundle_without_doi_must_be_copied(bundle_path):
    (bundle_path / SCAN).unlink()
    with pytest.raises(PartMissingError, match="the bundle has no DOI to fetch it from"):
        open_bundle(bundle_path).open_scan()


def test_a_file_that_is_not_listed_is_no_part(bundle_path):
    (bundle_path / "extra.txt").write_text("")
    with pytest.raises(IntegrityError, match=r"'extra\.txt' is no file of this bundle"):
        open_bundle(bundle_path).part("extra.txt")


def test_a_link_is_no_part(bundle_path, tmp_path):
    shutil.move(bundle_path / SCAN, tmp_path / SCAN)
    (bundle_path / SCAN).symlink_to(tmp_path / SCAN)
    with pytest.raises(IntegrityError, match="found a link or a folder, allowed a plain file"):
        open_bundle(bundle_path).open_scan()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-1], "the file was changed or cut"),
        (lambda data: data + b"x", "the file was changed or cut"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "another SHA-256"),
    ],
    ids=["cut", "longer", "one bit"],
)
def test_a_changed_file_is_told(bundle_path, change, match):
    file = bundle_path / "preview.csv"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(IntegrityError, match=match):
        open_bundle(bundle_path).verified("preview.csv")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99], ids=["empty", "a third", "nearly all"])
def test_a_truncated_scan_is_told_even_if_the_manifest_lies(bundle_path, sign, share):
    data = (bundle_path / SCAN).read_bytes()
    (bundle_path / SCAN).write_bytes(data[: int(share * len(data))])
    sign(bundle_path, SCAN)
    bundle = open_bundle(bundle_path)
    with pytest.raises(IntegrityError, match=SCAN):
        bundle.open_scan()
    report = check(bundle)
    assert report.integrity
    assert not report.passed


def test_an_edit_shows_at_once_and_renews_the_documents(bundle_path):
    bundle = open_bundle(bundle_path)
    before = bundle.manifest_sha256
    with bundle.edit() as change:
        change.manifest["title"] = "A better title"
    assert bundle.manifest["title"] == "A better title"
    assert bundle.manifest_sha256 != before
    assert "A better title" in (bundle_path / "README.md").read_text()
    assert "A better title" in (bundle_path / "CITATION.cff").read_text()
    assert check(bundle, deep=True).passed


def test_the_hash_of_the_manifest_is_that_of_the_file(bundle_path):
    data = (bundle_path / "bundle.json").read_bytes()
    assert open_bundle(bundle_path).manifest_sha256 == hashlib.sha256(data).hexdigest()


def test_a_frozen_bundle_does_not_change(bundle_path):
    bundle = open_bundle(bundle_path)
    bundle.freeze()
    assert bundle.status == "frozen"
    assert check(bundle, deep=True).passed
    before = {path.name: path.read_bytes() for path in bundle_path.iterdir()}
    for again in (bundle, open_bundle(bundle_path)):
        with pytest.raises(FrozenError, match="frozen and never changes"), again.edit():
            pass
    with pytest.raises(FrozenError):
        bundle.freeze()
    assert {path.name: path.read_bytes() for path in bundle_path.iterdir()} == before


def test_a_bundle_that_was_frozen_meanwhile_does_not_change(bundle_path):
    first, second = open_bundle(bundle_path), open_bundle(bundle_path)
    first.freeze()

    def edit():
        with second.edit() as change:
            change.manifest["title"] = "too late"

    with pytest.raises(FrozenError):
        edit()
    assert open_bundle(bundle_path).manifest["title"] != "too late"


def test_the_next_version_names_its_parent(bundle_path, tmp_path):
    bundle = open_bundle(bundle_path)
    bundle.freeze()
    child = bundle.next_version(tmp_path / "child")
    assert child.status == "draft"
    assert child.manifest["version"] == "1.1.0"
    assert child.manifest["parent"]["id"] == "toy"
    assert child.manifest["parent"]["version"] == "1.0.0"
    assert child.manifest["parent"]["manifest_sha256"] == bundle.manifest_sha256
    assert check(child, deep=True, complete=True).passed
    with child.edit() as change:
        change.manifest["title"] = "Second"
    assert open_bundle(bundle_path).manifest["title"] != "Second"


def test_the_next_version_has_no_doi_of_its_own_yet(bundle_path, tmp_path):
    rewrite(bundle_path, lambda manifest: manifest.update(doi="10.5281/zenodo.7"))
    child = open_bundle(bundle_path).next_version(tmp_path / "child", "2.0.0")
    assert child.manifest["version"] == "2.0.0"
    assert "doi" not in child.manifest
    assert child.manifest["parent"]["doi"] == "10.5281/zenodo.7"


def test_the_next_version_of_a_damaged_bundle_is_not_made(bundle_path, tmp_path):
    (bundle_path / SCAN).write_bytes(b"x")
    with pytest.raises(IntegrityError):
        open_bundle(bundle_path).next_version(tmp_path / "child")
    assert os.listdir(tmp_path) == ["bundle"]


def test_the_next_version_needs_another_number(bundle_path, tmp_path):
    with pytest.raises(SchemaError, match="/parent/version"):
        open_bundle(bundle_path).next_version(tmp_path / "child", "1.0.0")
    assert os.listdir(tmp_path) == ["bundle"]


def test_the_next_version_takes_no_place_that_is_taken(bundle_path, tmp_path):
    with pytest.raises(StorageError, match="there is something here already"):
        open_bundle(bundle_path).next_version(bundle_path)


def test_attachments_are_hashed_and_replaced(bundle_path, tmp_path):
    bundle = open_bundle(bundle_path)
    (tmp_path / "train.py").write_text("first")
    for text in ("first", "second"):
        (tmp_path / "train.py").write_text(text)
        with bundle.edit() as change:
            change.attach(tmp_path / "train.py")
    entry = bundle.manifest["files"]["train.py"]
    assert (entry["role"], entry["media_type"]) == ("attachment", "text/x-python")
    assert bundle.verified("train.py").read_text() == "second"
    assert check(bundle, complete=True).passed


@pytest.mark.parametrize("name", [SCAN, "bundle.json", "README.md", "Preview.csv", "a b.txt"])
def test_an_attachment_takes_no_name_that_is_taken_or_odd(bundle_path, tmp_path, name):
    (tmp_path / name).write_text("mine")
    bundle = open_bundle(bundle_path)
    before = {path.name: path.read_bytes() for path in bundle_path.iterdir()}

    def attach():
        with bundle.edit() as change:
            change.attach(tmp_path / name)

    with pytest.raises((UsageError, SchemaError)):
        attach()
    assert {path.name: path.read_bytes() for path in bundle_path.iterdir()} == before


@pytest.mark.parametrize(
    ("field", "text", "pick", "value"),
    [
        ("title", "Yes", lambda m: m["title"], "Yes"),
        ("title", "2026-01-31", lambda m: m["title"], "2026-01-31"),
        ("keywords", "[a, b]", lambda m: m["keywords"], ["a", "b"]),
        ("licences.models", "MIT", lambda m: m["licences"]["models"], "MIT"),
        ("licences.data", "", lambda m: m["licences"], {}),
        ("description", "", lambda m: m.get("description"), None),
        (
            "columns.m.label",
            "heavy mass",
            lambda m: m["tables"][0]["columns"][0]["label"],
            "heavy mass",
        ),
        (
            "columns.m.aliases",
            "[mass]",
            lambda m: m["tables"][0]["columns"][0]["aliases"],
            ["mass"],
        ),
        ("theory", "{family: MSSM, convention: SLHA2}", lambda m: m["theory"]["family"], "MSSM"),
        ("theory.family", "MSSM", lambda m: m["theory"], {"family": "MSSM"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_are_set_by_name(packed, field, text, pick, value):
    manifest = schema.load_json(packed / "bundle.json")
    set_fields(manifest, {field: text})
    assert pick(manifest) == value


@pytest.mark.parametrize(
    ("field", "text", "match"),
    [
        ("status", "frozen", "found 'status', allowed"),
        ("files", "{}", "found 'files'"),
        ("doi", "10.1/1", "found 'doi'"),
        ("a.b.c", "1", "found 'a.b.c'"),
        ("columns.m.unit", "TeV", "found 'columns.m.unit'"),
        ("columns.mm.label", "x", "found 'columns.mm.label'"),
        ("columns", "[]", "found 'columns'"),
        ("title", "[", "allowed a YAML value"),
        ("creators.0", "x", "is no part of a list"),
        ("title.x", "1", "is no part of"),
    ],
)
def test_what_the_data_rest_on_is_not_edited(packed, field, text, match):
    manifest = schema.load_json(packed / "bundle.json")
    with pytest.raises(UsageError, match=match):
        set_fields(manifest, {field: text})
    assert manifest == schema.load_json(packed / "bundle.json")


def test_the_id_is_not_edited_under_models(trained):
    manifest = schema.load_json(trained / "bundle.json")
    with pytest.raises(UsageError, match="the models carry the id"):
        set_fields(manifest, {"id": "other"})


def test_an_edit_that_breaks_the_schema_is_refused(bundle_path):
    bundle = open_bundle(bundle_path)

    def edit():
        with bundle.edit() as change:
            set_fields(change.manifest, {"id": "Not A Slug"})

    with pytest.raises(SchemaError, match="/id"):
        edit()
    assert open_bundle(bundle_path).manifest["id"] == "toy"


def test_a_model_that_is_not_there_names_those_that_are(model_path):
    with pytest.raises(UsageError, match="found 'regio', allowed: region"):
        open_bundle(model_path).predictor("regio")


def test_a_bundle_without_models_says_how_to_train_one(packed):
    with pytest.raises(UsageError, match="none yet; train one: limen train"):
        open_bundle(packed).predictor()


def test_a_place_without_a_bundle_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(BundleNotFoundError):
            open_bundle(path)
