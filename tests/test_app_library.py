"""The library of a server: what opens, what does not, and what becomes of it afterwards."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from limen.bundle import open_bundle
from limen.errors import (
    BundleNotFoundError,
    IntegrityError,
    LimenError,
    PartMissingError,
    UsageError,
)
from limen_app.library import Library

KEY = "toy@1.0.0"


def _version(source: Path, target: Path, version: str) -> Path:
    open_bundle(source).next_version(target, version)
    return target


def test_a_bundle_is_offered_by_id_and_version(trained: Path) -> None:
    library = Library.open([str(trained)])
    assert library.keys() == (KEY,)
    assert library.get(KEY).path == trained
    assert library.get("toy").path == trained
    assert library.faults == {}
    assert library.place(KEY) == str(trained)
    assert library.digest(KEY) == open_bundle(trained).manifest_sha256


def test_a_plain_id_means_the_newest_version(model_path: Path, tmp_path: Path) -> None:
    _version(model_path, tmp_path / "b", "1.10.0")
    _version(model_path, tmp_path / "c", "1.9.0")
    library = Library.open([str(tmp_path / "c"), str(tmp_path / "b"), str(model_path)])
    assert library.resolve("toy") == "toy@1.10.0"
    assert library.get("toy@1.9.0").path == tmp_path / "c"


def test_a_folder_of_bundles_gives_all_of_them(model_path: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copytree(model_path, shelf / "one")
    _version(model_path, shelf / "two", "2.0.0")
    (shelf / "notes").mkdir()
    assert Library.open([str(shelf)]).keys() == (KEY, "toy@2.0.0")


def test_broken_places_are_messages_and_the_others_open(trained: Path, tmp_path: Path) -> None:
    broken, later, empty = (tmp_path / name for name in ("broken", "later", "empty"))
    for folder in (broken, later, empty):
        folder.mkdir()
    (broken / "bundle.json").write_text("{", encoding="utf-8")
    (later / "bundle.json").write_text('{"format": "9.0"}', encoding="utf-8")
    places = [str(broken), str(later), str(empty), str(tmp_path / "nowhere"), str(trained)]
    library = Library.open(places)
    assert library.keys() == (KEY,)
    assert set(library.faults) == set(places[:4])
    assert all("\n" not in message and len(message) < 700 for message in library.faults.values())
    assert "not JSON" in library.faults[str(broken)]


def test_a_manifest_of_many_faults_is_one_short_message(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.mkdir()
    document = json.loads((trained / "bundle.json").read_text(encoding="utf-8"))
    document["tables"][0]["columns"] = [{"name": "!" * 50} for _ in range(500)]
    (path / "bundle.json").write_text(json.dumps(document), encoding="utf-8")
    message = Library.open([str(path)]).faults[str(path)]
    assert "more" in message
    assert len(message) < 700


def test_the_same_bundle_twice_is_said(trained: Path, model_path: Path) -> None:
    library = Library.open([str(trained), str(model_path)])
    assert library.keys() == (KEY,)
    assert "already" in library.faults[str(model_path)]


def test_a_place_more_is_opened_once(trained: Path, model_path: Path, tmp_path: Path) -> None:
    _version(model_path, tmp_path / "later", "2.0.0")
    library = Library.open([str(trained)])
    for _ in range(2):
        assert library.add(str(tmp_path / "later")) == ("toy@2.0.0",)
    assert library.keys() == (KEY, "toy@2.0.0")
    with pytest.raises(UsageError, match="open from"):
        library.add(str(model_path))
    with pytest.raises(LimenError):
        library.add(str(tmp_path / "nowhere"))
    assert library.faults == {}


def test_folders_are_not_opened_for_other_machines(limen: Any) -> None:
    result = limen("app", "--open", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "--open: found together with --host 0.0.0.0" in result.stderr


def test_a_campaign_folder_is_a_campaign(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "campaign").mkdir()
    (tmp_path / "campaign" / "campaign.json").write_text("{}", encoding="utf-8")
    library = Library.open([str(tmp_path / "campaign"), str(trained)])
    assert library.campaigns == (tmp_path / "campaign",)
    assert library.keys() == (KEY,)


@pytest.mark.parametrize("key", ["", "nobody", "toy@9.9.9", "../toy", "toy@"], ids=repr)
def test_what_is_not_open_is_refused_with_what_is(trained: Path, key: str) -> None:
    with pytest.raises(BundleNotFoundError, match=KEY):
        Library.open([str(trained)]).get(key)


def test_a_model_is_loaded_once_from_many_threads(trained: Path) -> None:
    library = Library.open([str(trained)])
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(library.predictor(KEY, "region")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(one) for one in found}) == 1
    with pytest.raises(UsageError, match="region"):
        library.predictor(KEY, "gone")


def test_a_bundle_deleted_while_open_is_said_and_comes_back(
    model_path: Path, tmp_path: Path
) -> None:
    library = Library.open([str(model_path)])
    library.predictor(KEY, "region")
    moved = tmp_path / "moved"
    model_path.rename(moved)
    for call in (library.get, library.digest, lambda key: library.predictor(key, "region")):
        with pytest.raises(BundleNotFoundError, match="deleted or moved"):
            call(KEY)
    assert KEY in library.faults
    assert library.keys() == (KEY,)
    moved.rename(model_path)
    assert library.get(KEY).n_points == 400
    assert library.faults == {}


def test_a_bundle_changed_while_open_is_opened_again_and_said(model_path: Path) -> None:
    library = Library.open([str(model_path)])
    before = library.digest(KEY)
    with open_bundle(model_path).edit() as change:
        change.manifest["title"] = "Another title"
    assert library.get(KEY).manifest["title"] == "Another title"
    assert library.digest(KEY) != before
    assert "changed while it was open" in library.notices[KEY]


def test_another_bundle_in_its_place_is_said(model_path: Path, tmp_path: Path) -> None:
    library = Library.open([str(model_path)])
    _version(model_path, tmp_path / "next", "2.0.0")
    shutil.rmtree(model_path)
    (tmp_path / "next").rename(model_path)
    with pytest.raises(BundleNotFoundError, match=r"toy@2\.0\.0"):
        library.get(KEY)


def test_a_broken_model_file_is_said_and_others_still_answer(
    trained: Path, model_path: Path, tmp_path: Path
) -> None:
    other = _version(trained, tmp_path / "other", "3.0.0")
    library = Library.open([str(model_path), str(other)])
    library.predictor(KEY, "region")
    data = (model_path / "region.onnx").read_bytes()
    (model_path / "region.onnx").write_bytes(data[:-1] + b"x")
    with pytest.raises(IntegrityError, match="SHA-256"):
        library.predictor(KEY, "region")
    (model_path / "region.onnx").unlink()
    with pytest.raises(PartMissingError, match="not fetched"):
        library.predictor(KEY, "region")
    assert library.predictor("toy@3.0.0", "region").one({"m": 550.0, "g": 0.5}).verdict
    (model_path / "region.onnx").write_bytes(data)
    assert library.predictor(KEY, "region").one({"m": 550.0, "g": 0.5}).verdict


def test_an_invalid_manifest_while_open_is_one_error(model_path: Path) -> None:
    library = Library.open([str(model_path)])
    (model_path / "bundle.json").write_text("[]", encoding="utf-8")
    with pytest.raises(LimenError):
        library.get(KEY)
    assert KEY in library.faults


def test_a_published_bundle_opens_by_its_doi(archive: Any, model_path: Path) -> None:
    open_bundle(model_path).freeze()
    doi = str(archive.publish(model_path).doi)
    absent = "10.5281/zenodo.999999999"
    library = Library.open([doi, absent])
    assert library.keys() == (KEY,)
    assert library.predictor(KEY, "region").one({"m": 550.0, "g": 0.5}).verdict == "inside_region"
    assert set(library.faults) == {absent}
