"""What files state of themselves goes into a draft; what they leave out is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limen.errors import Fault, ReadError
from limen.packing import pack
from limen.readers import formats
from limen.readers.drafting import TODO, draft
from limen.readers.formats import Format
from limen.readers.tables import Table
from limen.schema import faults, load_yaml

HINTS = {
    "#Model @Model::mass": {
        "name": "mass",
        "role": "parameter",
        "unit": "GeV",
        "source": [{"format": "gambit", "label": "#Model @Model::mass"}],
        "symbol": r"m_\chi",
    },
    "LogLike": {
        "role": "likelihood",
        "quantity": "log_likelihood",
        "unit": "1",
        "valid": "LogLike_isvalid",
        "statistics": {"normalisation": "full", "nuisances": TODO},
    },
    "LogLike_isvalid": {"role": "mask", "unit": "1", "label": "whether LogLike is valid"},
    "hole": {"role": "observable", "unit": "fb", "valid": "hole_isvalid"},
    "hole_isvalid": {"role": "mask", "unit": "1"},
}
DOCUMENT = {
    "title": "A run",
    "theory": {"family": "toy", "convention": TODO},
    "toolchain": [{"role": "scan", "name": "GAMBIT", "version": "2.5.1", "settings": {"x": 1e-05}}],
    "sampling": [{"sampler": "random", "prior": "flat: no, 'really'", "selection": "none"}],
    "licences": {"data": "CC0-1.0"},
    "split": {"group": "#Model @Model::mass"},
}


def columns(rows: int) -> dict[str, np.ndarray]:
    valid = np.arange(rows) % 2 == 0
    return {
        "#Model @Model::mass": np.linspace(1.0, 2.0, rows),
        "LogLike": np.where(valid, -1.5, np.nan),
        "LogLike_isvalid": valid,
        "hole": np.full(rows, np.nan),
        "hole_isvalid": np.zeros(rows, dtype=bool),
    }


@pytest.fixture
def stating(monkeypatch):
    """Register a format whose files state much of themselves."""

    def register(refused: tuple[Fault, ...] = (), preview: bool = False) -> None:
        def open_all(paths, options, selection):
            block = columns(20)
            kept = {name: v for name, v in block.items() if name not in selection.drop}
            return Table(
                paths[0],
                tuple(block),
                {name: values.dtype for name, values in kept.items()},
                20,
                lambda rows: iter([kept]),
                files=tuple(paths),
                hints=HINTS,
                document=DOCUMENT,
                refused=refused,
                preview=(lambda rows: iter([kept])) if preview else None,
            )

        form = Format(open_all, (), together=True, folders=True, recognise=Path.is_dir)
        monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, "stating": form})
        monkeypatch.setattr("limen.readers.sources.FORMATS", formats.FORMATS)

    return register


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def drafted(folder: Path) -> dict:
    path = folder.parent / "scan.yaml"
    path.write_text(draft([folder], folder=folder.parent), encoding="utf-8")
    return load_yaml(path)


def test_what_files_state_is_written_and_not_asked(stating, folder):
    stating()
    document = drafted(folder)
    found = {column["name"]: column for column in document["tables"][0]["columns"]}
    assert found["mass"]["role"] == "parameter"
    assert found["mass"]["aliases"] == ["#Model @Model::mass"]
    assert found["mass"]["source"] == HINTS["#Model @Model::mass"]["source"]
    assert found["LogLike"]["valid"] == "LogLike_isvalid"
    assert found["LogLike"]["statistics"] == {"normalisation": "full", "nuisances": TODO}
    assert document["title"] == "A run"
    assert document["toolchain"] == DOCUMENT["toolchain"]
    assert document["tables"][0]["sampling"] == DOCUMENT["sampling"]
    assert document["theory"] == {"family": "toy", "convention": TODO}
    assert document["licences"] == {"data": "CC0-1.0", "models": TODO}
    assert document["split"] == {"seed": 0, "group": "mass"}
    assert "missing" not in document


def test_a_column_without_values_goes_with_its_mask(stating, folder):
    stating()
    assert drafted(folder)["read"][0]["options"]["drop"] == ["hole", "hole_isvalid"]


def test_columns_that_are_still_to_be_computed_stay(stating, folder):
    stating(preview=True)
    names = [column["name"] for column in drafted(folder)["tables"][0]["columns"]]
    assert {"hole", "hole_isvalid"} <= set(names)


def finished(folder: Path) -> Path:
    path = folder.parent / "scan.yaml"
    text = draft([folder], folder=folder.parent)
    for asked, answer in (("nuisances", "fixed"), ("data", "CC0-1.0"), ("models", "CC0-1.0")):
        text = text.replace(f"{asked}: {TODO}", f"{asked}: {answer}")
    path.write_text(text.replace(TODO, "decided"), encoding="utf-8")
    assert faults(load_yaml(path), "scan-document") == []
    return path


def test_the_finished_draft_is_packed_and_rows_left_out_are_told(stating, folder, tmp_path):
    stating((Fault("run/3.slha", "found HTML"), Fault("run/4.slha", "empty")))
    bundle = pack(finished(folder), tmp_path / "bundle")
    assert bundle.n_points == 20
    assert [fault.pointer for fault in bundle.refused] == ["run/3.slha", "run/4.slha"]
    assert bundle.table["sampling"][0]["selection"] == (
        "none; 2 rows could not be read and were left out"
    )


def test_packing_in_part_exits_5_and_lists_the_rows(stating, folder, tmp_path, limen):
    stating((Fault("run/3.slha line 7", "found 'abc', allowed a number"),))
    result = limen("pack", finished(folder), "-o", tmp_path / "bundle")
    assert result.exit_code == 5
    assert "1 row could not be read" in result.stderr
    assert "run/3.slha line 7: found 'abc', allowed a number" in result.stderr
    assert limen("check", tmp_path / "bundle").exit_code == 0


def test_a_folder_is_refused_by_a_format_of_files(folder):
    with pytest.raises(ReadError, match="found a folder, allowed a file"):
        draft([folder], format="csv")
