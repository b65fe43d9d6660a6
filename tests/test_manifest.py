"""Manifests, scan documents, cards: the examples, the checks beside the schema, the values."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from limen import manifest, schema
from limen.errors import ColumnError, Fault, SchemaError
from limen.manifest import Column, ModelCard
from limen_zenodo.catalogue import check_catalogue

DATA = Path(__file__).parent / "data"
sys.path.insert(0, str(DATA))
import make_invalid  # noqa: E402

VALID = sorted(p.relative_to(DATA / "valid").as_posix() for p in (DATA / "valid").rglob("*.*"))
INVALID = sorted(
    p.relative_to(DATA / "invalid").as_posix() for p in (DATA / "invalid").rglob("*.json")
)
# Examples in which one mistake has consequences elsewhere.
SEVERAL = 3


def check(kind: str, document: Any) -> list[Fault]:
    checks: dict[str, Callable[[Any], list[Fault]]] = {
        "bundle": manifest.check_manifest,
        "catalogue": check_catalogue,
        "scan-document": manifest.check_scan_document,
        "probe": manifest.check_probe,
    }
    if kind in checks:
        return checks[kind](document)
    return schema.faults(document, kind)  # type: ignore[arg-type]


def load(name: str) -> dict[str, Any]:
    path = DATA / "valid" / name
    return schema.load_json(path) if path.suffix == ".json" else schema.load_yaml(path)


@pytest.mark.parametrize("name", VALID)
def test_a_valid_example_passes(name: str) -> None:
    assert check(name.partition("/")[0], load(name)) == []


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_example_fails_at_the_pointer_it_states(name: str) -> None:
    kind, _, file = name.partition("/")
    document = json.loads((DATA / "invalid" / name).read_text(encoding="utf-8"))
    found = check(kind, document)
    assert make_invalid.stated_pointer(file) in [fault.pointer for fault in found]
    assert len(found) <= SEVERAL
    assert all(fault.message and "\n" not in fault.message for fault in found)


def test_the_invalid_examples_are_those_listed() -> None:
    listed = {
        name: make_invalid.text(document) for name, document in make_invalid.examples().items()
    }
    assert sorted(listed) == INVALID, "run python tests/data/make_invalid.py"
    for name in INVALID:
        stored = (DATA / "invalid" / name).read_text(encoding="utf-8")
        assert stored == listed[name], f"{name}: run python tests/data/make_invalid.py"


def required_names() -> list[tuple[str, str]]:
    """Give (schema, name) of everything that is required, also under a condition."""

    def walk(node: Any, kind: str) -> None:
        if isinstance(node, dict):
            for key, child in node.items():
                if key == "required" and isinstance(child, list):
                    found.extend((kind, name) for name in child)
                if key != "if":
                    walk(child, kind)
        elif isinstance(node, list):
            for child in node:
                walk(child, kind)

    from limen.resources import schema_text

    found: list[tuple[str, str]] = []
    for kind in schema.KINDS:
        walk(json.loads(schema_text(kind)), kind)
    return found


def test_every_required_name_is_left_out_in_some_example() -> None:
    missing = {
        pointer.pointer.rsplit("/", 1)[-1]
        for name in INVALID
        for pointer in check(
            name.partition("/")[0],
            json.loads((DATA / "invalid" / name).read_text(encoding="utf-8")),
        )
        if pointer.message.startswith("missing")
    }
    assert {name for _, name in required_names()} - missing == set()


def test_all_faults_beside_the_schema_come_at_once() -> None:
    document = load("bundle/modelled.json")
    columns = document["tables"][0]["columns"]
    columns[0]["unit"] = "gev"
    columns[4]["derived"] = "x * w"
    document["models"][0]["target"] = "dead"
    document["models"][0]["inputs"][1]["index"] = 5
    del document["files"]["value.onnx"]
    pointers = [fault.pointer for fault in manifest.check_manifest(document)]
    assert {
        "/tables/0/columns/0/unit",
        "/tables/0/columns/4/derived",
        "/models/0/target",
        "/models/0/inputs/1/index",
        "/models/1/file",
    } <= set(pointers)


@pytest.mark.parametrize("value", [None, "TODO", "TODO: GeV or TeV?"], ids=repr)
def test_the_undecided_is_told_once_beside_other_faults(value: object) -> None:
    document = load("scan-document/tiny.yaml")
    document["tables"][0]["columns"][0]["role"] = value
    document["missing"] = "drop"
    found = manifest.check_scan_document(document)
    assert [fault.pointer for fault in found] == ["/tables/0/columns/0/role", "/missing"]
    assert "a human must decide" in found[0].message


def test_an_undecided_value_deep_in_free_settings_is_found() -> None:
    document = load("scan-document/bsll10.yaml")
    document["tables"][0]["sampling"][0]["settings"]["seed"] = None
    found = manifest.check_scan_document(document)
    assert [f.pointer for f in found] == ["/tables/0/sampling/0/settings/seed"]


@pytest.mark.parametrize("value", [None, [], "TODO", {}, {"tables": 5}], ids=repr)
def test_what_is_no_document_is_faults_not_a_crash(value: Any) -> None:
    assert manifest.check_manifest(value) != []
    assert manifest.check_scan_document(value) != []
    assert manifest.check_probe(value) != []


def test_a_later_format_is_one_fault() -> None:
    document = load("bundle/tiny.json") | {"format": "1.7", "new": 1}
    assert [fault.pointer for fault in manifest.check_manifest(document)] == ["/format"]


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    document = load("bundle/modelled.json")
    document["models"][0]["target"] = "exclude"
    assert any("do you mean 'excluded'?" in f.message for f in manifest.check_manifest(document))


def test_columns_that_lead_into_a_circle_are_not_called_part_of_it() -> None:
    document = load("bundle/modelled.json")
    columns = document["tables"][0]["columns"]
    columns[0]["derived"] = "y + 1"
    columns[1]["derived"] = "y * 2"
    found = manifest.check_manifest(document)
    assert [fault.pointer for fault in found] == ["/tables/0/columns/1/derived"]


def test_a_long_chain_of_derived_columns_is_checked_quickly() -> None:
    document = load("bundle/tiny.json")
    columns = [{"name": "c0", "role": "parameter", "unit": "1", "dtype": "float64"}]
    for i in range(1, 400):
        columns.append(
            {
                "name": f"c{i}",
                "role": "observable",
                "unit": "1",
                "dtype": "float64",
                "derived": f"c{i - 1} + 1",
            }
        )
    document["tables"][0]["columns"] = columns[::-1]
    assert manifest.check_manifest(document) == []


@pytest.mark.parametrize(
    ("quantity", "comparison", "faulty"),
    [
        ("r", ">", False),
        ("r", "<", True),
        ("signal_strength_limit", "<=", False),
        ("signal_strength_limit", ">", True),
        ("cross_section_limit", ">", False),
        ("cross_section_limit", "<", False),
    ],
)
def test_a_label_excludes_on_the_side_of_its_quantity(
    quantity: str, comparison: str, faulty: bool
) -> None:
    document = load("bundle/modelled.json")
    cls, label = document["tables"][0]["columns"][2:4]
    cls.update(role="test" if quantity == "r" else "limit", quantity=quantity)
    label["definition"].update(comparison=comparison, threshold=1.0)
    pointers = [fault.pointer for fault in manifest.check_manifest(document)]
    assert ("/tables/0/columns/3/definition/comparison" in pointers) is faulty


@pytest.mark.parametrize("name", [n for n in VALID if n.startswith("column/")])
def test_a_column_comes_back_unchanged(name: str) -> None:
    document = load(name)
    column = Column.from_dict(document)
    assert column.to_dict() == document
    assert Column.from_dict(column.to_dict()) == column


@pytest.mark.parametrize("name", [n for n in VALID if n.startswith("model-card/")])
def test_a_model_card_comes_back_unchanged(name: str) -> None:
    document = load(name)
    card = ModelCard.from_dict(document)
    assert card.to_dict() == document
    assert card.input_names[2] == "C9_bsmumu"


def test_the_fields_of_the_values_are_those_of_the_schemas() -> None:
    from dataclasses import fields

    from limen.resources import schema_text

    column = json.loads(schema_text("column"))["$defs"]["declared"]["properties"]
    card = json.loads(schema_text("model-card"))["properties"]
    assert {field.name for field in fields(Column)} == set(column)
    assert {field.name for field in fields(ModelCard)} == set(card)


def test_a_value_shares_nothing_with_its_document() -> None:
    document = load("column/cls.json")
    before = copy.deepcopy(document)
    column = Column.from_dict(document)
    column.to_dict()["statistics"]["tool"] = "other"
    document["statistics"]["tool"] = "another"
    assert column.to_dict() == before


def test_a_column_refuses_what_it_does_not_know() -> None:
    with pytest.raises(SchemaError, match="Column: unknown name 'units'"):
        Column.from_dict({"name": "a", "role": "parameter", "units": "1"})
    with pytest.raises(SchemaError, match=r"Column: .*'unit'"):
        Column.from_dict({"name": "a", "role": "parameter"})


def test_columns_and_models_go_by_name_in_order() -> None:
    document = load("bundle/bsll10.json")
    columns = manifest.columns(document)
    assert list(columns)[:3] == ["C7_bs", "C7p_bs", "C9_bsmumu"]
    assert columns["loglike"].analyses == ("LHCb-2022-RK", "flavio-bsll-rates")
    assert columns["C7_bs"].analyses == ()
    assert list(manifest.models(document)) == ["region", "loglike", "dchi2"]
    assert manifest.models(load("bundle/tiny.json")) == {}
    queries = manifest.columns(load("bundle/sbottom.json"), "queries")
    assert list(queries) == ["m_sbottom", "status", "acquisition", "origin"]
    with pytest.raises(ColumnError, match="found no 'queries', allowed 'scan'"):
        manifest.columns(document, "queries")


def test_an_alias_means_one_column() -> None:
    columns = manifest.columns(load("bundle/bsll10.json"))
    assert manifest.resolve_alias("C9", columns) == "C9_bsmumu"
    assert manifest.resolve_alias("C9_bsmumu", columns) == "C9_bsmumu"
    with pytest.raises(
        ColumnError, match="found 'loglik', which is no column; do you mean 'loglike'"
    ):
        manifest.resolve_alias("loglik", columns)
    twice = [
        Column("a", "parameter", "1", aliases=("m",)),
        Column("b", "parameter", "1", aliases=("m",)),
    ]
    with pytest.raises(ColumnError, match="may mean 'a', 'b'"):
        manifest.resolve_alias("m", twice)
