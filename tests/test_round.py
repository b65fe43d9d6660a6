"""The whole way of a bundle: from columns to a DOI, to strangers, and to its next version."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import limen_zenodo
from limen.bundle import open_bundle


@pytest.fixture
def publish(archive, limen, monkeypatch):
    """Deposit and publish a bundle by the command line; gives what `publish` answers."""
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())

    def call(bundle: Path) -> dict[str, object]:
        for line in (
            ("deposit", bundle, "--production", "--json"),
            ("publish", bundle, "--production", "--yes", "--json"),
        ):
            result = limen(*line)
            assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return call


def answered(result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_bundle_goes_to_an_archive_and_comes_back_to_strangers(
    model_path, publish, archive, limen, tmp_path, monkeypatch
):
    published = publish(model_path)
    monkeypatch.delenv("ZENODO_TOKEN")
    doi = published["doi"]
    own = open_bundle(model_path)
    assert (own.manifest["doi"], own.status) == (doi, "frozen")

    # A stranger finds it by what the manifest says, in another cache.
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "strangers"))
    found = answered(limen("search", "coupling", "--json"))
    assert [entry["doi"] for entry in found] == [doi]

    folder = tmp_path / "fetched"
    fetched = limen("fetch", doi, "--parts", "manifest,models", "-o", folder)
    assert fetched.exit_code == 0, fetched.output
    assert not (folder / "scan.zarr.zip").exists()
    assert limen("check", folder).exit_code == 0
    assert limen("check", folder, "--complete").exit_code != 0

    local = answered(limen("predict", model_path, "--set", "m=550", "--set", "g=0.5", "--json"))
    for place in (folder, doi):
        given = answered(limen("predict", place, "--set", "m=550", "--set", "g=0.5", "--json"))
        assert given == local

    # Reading in parts gives the same numbers as the whole.
    remote = limen_zenodo.open_remote(doi)
    rows = slice(3, 50)
    with own.open_scan() as scan:
        expected = scan.read(["m", "xsec"], rows.start, rows.stop)
    for name, values in expected.items():
        np.testing.assert_array_equal(remote.scan[name].isel(point=rows).values, values)

    whole = limen_zenodo.fetch(doi, parts=("all",), path=tmp_path / "whole")
    assert {path.name for path in whole.path.iterdir()} == {*own.manifest["files"], "bundle.json"}
    checked = limen("check", whole.path, "--deep", "--complete")
    assert checked.exit_code == 0, checked.output


def test_the_next_version_belongs_to_the_same_concept(
    model_path, publish, archive, limen, tmp_path, monkeypatch
):
    first = publish(model_path)
    new = tmp_path / "next"
    edited = limen("edit", model_path, "--set", "title=A better likelihood", "-o", new)
    assert edited.exit_code == 0, edited.output
    second = publish(new)
    monkeypatch.delenv("ZENODO_TOKEN")
    assert second["concept_doi"] == first["concept_doi"]
    assert second["doi"] != first["doi"]
    assert open_bundle(new).manifest["parent"]["doi"] == first["doi"]

    # A version stays what it was; the concept leads to the newest.
    for asked, doi in ((first["doi"], first["doi"]), (first["concept_doi"], second["doi"])):
        assert limen_zenodo.fetch(asked, parts=("manifest",)).manifest["doi"] == doi
    difference = limen("diff", model_path, new, "--json")
    assert difference.exit_code == 0, difference.output
