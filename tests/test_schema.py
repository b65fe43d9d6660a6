"""Schemas and the documents that must fit them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen import resources, schema
from limen.errors import FormatVersionError, IntegrityError, SchemaError, UsageError
from limen.schema.wording import describe

DATA = Path(__file__).parent / "data"
CONDITIONS = {"if", "then", "else", "not", "allOf"}
COLUMN = {"name": "M1", "role": "parameter", "unit": "GeV", "dtype": "float64"}


def subschemas(node: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = [(path, node)] if isinstance(node, dict) else []
    children = node.items() if isinstance(node, dict) else ()
    for name, child in children:
        found += subschemas(child, (*path, name))
    if isinstance(node, list):
        for position, child in enumerate(node):
            found += subschemas(child, (*path, str(position)))
    return found


def document(kind: str) -> Any:
    return json.loads(resources.schema_text(kind))


@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_schema_is_valid_2020_12_with_its_id(kind: str) -> None:
    from jsonschema import Draft202012Validator

    contents = document(kind)
    Draft202012Validator.check_schema(contents)
    assert contents["$id"] == f"urn:limen:schema:1.0:{kind}"


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_property_is_described(kind: str) -> None:
    missing = [
        "/".join((*path, name))
        for path, node in subschemas(document(kind))
        if path and path[-1] == "properties" and not CONDITIONS & set(path)
        for name, property_ in node.items()
        if not property_.get("description")
    ]
    assert missing == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_object_is_closed_or_bounded(kind: str) -> None:
    bounds = {"additionalProperties", "maxProperties", "$ref"}
    loose = [
        "/".join(path)
        for path, node in subschemas(document(kind))
        if node.get("type") == "object" and not CONDITIONS & set(path) and not bounds & set(node)
    ]
    assert loose == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_array_and_free_text_is_bounded(kind: str) -> None:
    loose = [
        "/".join(path)
        for path, node in subschemas(document(kind))
        if not CONDITIONS & set(path)
        and (
            (node.get("type") == "array" and "maxItems" not in node)
            or (node.get("type") == "string" and not {"maxLength", "pattern"} & set(node))
        )
    ]
    assert loose == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_reference_leads_to_a_schema_of_ours(kind: str) -> None:
    for _, node in subschemas(document(kind)):
        if isinstance(node.get("$ref"), str):
            base, _, fragment = node["$ref"].partition("#")
            target = document(base.rsplit(":", 1)[-1] if base else kind)
            for part in fragment.split("/")[1:]:
                target = target[part]
            assert isinstance(target, dict)


def test_a_foreign_validator_agrees_on_the_valid_manifests() -> None:
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    registry = Registry().with_resources(
        (document(kind)["$id"], DRAFT202012.create_resource(document(kind)))
        for kind in schema.KINDS
    )
    validator = Draft202012Validator(document("bundle"), registry=registry)
    for path in sorted((DATA / "valid" / "bundle").iterdir()):
        validator.validate(json.loads(path.read_text(encoding="utf-8")))


def test_all_faults_come_at_once_in_the_order_of_the_document() -> None:
    broken = {"name": "9", "role": "param", "units": "GeV", "dtype": "float64", "range": [1]}
    found = schema.faults(broken, "column")
    assert [fault.pointer for fault in found] == ["/unit", "/name", "/role", "/units", "/range"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "param"}, r"column /role: found 'param', do you mean 'parameter'\? allowed"),
        ({"untis": "GeV"}, r"/untis: unknown name 'untis', do you mean 'unit'\?$"),
        ({"quantity": "mass"}, "found 'mass', not allowed here: only columns of role likelihood"),
        ({"range": [0, "a"]}, "/range/1: found 'a', allowed a number"),
        ({"role": "limit"}, "/statistics: missing; a limit states confidence_level, construction"),
        ({"label": "x" * 500}, r"found 'x{50,60}\.\.\., allowed 1 to 300 characters"),
        ({"name": "M1\n"}, r"found 'M1\\n', allowed a letter, then"),
        ({"range": [0.0, float("inf")]}, "/range/1: found inf, allowed finite numbers"),
    ],
    ids=["enum", "name", "forbidden", "type", "conditional", "long", "newline", "infinite"],
)
def test_a_message_says_what_was_found_and_what_is_allowed(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SchemaError, match=message):
        schema.validate(COLUMN | change, "column")


def test_the_number_of_faults_is_bounded() -> None:
    found = schema.faults({f"n{i}": 1 for i in range(5000)}, "column")
    assert len(found) == 201
    assert "more faults" in found[-1].message


def test_an_unknown_kind_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="found 'manifest', allowed 'bundle'"):
        schema.faults({}, "manifest")  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["1.1", "2.0", "10.0"])
def test_a_later_format_is_refused_before_its_schema(version: str) -> None:
    with pytest.raises(FormatVersionError, match="made by a later Limen; upgrade") as caught:
        schema.validate({"format": version, "nonsense": 1}, "bundle")
    assert [fault.pointer for fault in caught.value.faults] == ["/format"]


@pytest.mark.parametrize("version", ["0.9", "1", "1.0.0", 1.0, None, ["2.0"]], ids=repr)
def test_other_formats_are_faults_like_any(version: object) -> None:
    schema.refuse_later_format({"format": version}, "bundle.json")
    assert "/format" in [f.pointer for f in schema.faults({"format": version}, "bundle")]


def test_an_unquoted_format_says_how_to_write_it() -> None:
    found = schema.faults({"format": 1.0}, "scan-document")
    assert any("put it in quotes" in fault.message for fault in found)


@pytest.mark.parametrize("value", [None, [], "text", 3, True], ids=repr)
def test_what_is_no_object_is_a_fault(value: object) -> None:
    assert [fault.pointer for fault in schema.faults(value, "bundle")] == [""]


def test_a_pointer_is_escaped() -> None:
    assert "/a~1b~0c" in [f.pointer for f in schema.faults(COLUMN | {"a/b~c": 1}, "column")]


BAD_JSON = [
    (b"", "not JSON at line 1"),
    (b'{"a": 1,}', "not JSON at line 1, column"),
    (b'{"a": 1, "a": 2}', "found the name 'a' twice"),
    (b'{"b": {"a": 1, "a": 2}}', "found the name 'a' twice"),
    (b'{"a": NaN}', "found NaN, allowed finite numbers"),
    (b'{"a": -Infinity}', "found -Infinity"),
    (b'{"a": 1e999}', "found 1e999"),
    (b'{"a": ' + b"9" * 5000 + b"}", "integer of 5000 digits"),
    (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
    (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
    (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper than 64"),
    (b"[" * 100_000, "nested deeper than 64"),
    (b"[1]", "found list, allowed an object"),
    (b"null", "found nothing"),
]


@pytest.mark.parametrize(("data", "message"), BAD_JSON, ids=range(len(BAD_JSON)))
def test_bad_json_is_one_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match=message) as caught:
        schema.load_json(path)
    assert str(path) in str(caught.value)


def test_json_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_text('{"a": 1}')
    assert schema.load_json(path, limit=8) == {"a": 1}
    with pytest.raises(IntegrityError, match="found more than 7 bytes"):
        schema.load_json(path, limit=7)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_json_that_cannot_be_read_is_an_integrity_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        schema.load_json(tmp_path / name)


def load_yaml(tmp_path: Path, text: str | bytes) -> dict[str, Any]:
    path = tmp_path / "scan.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return schema.load_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+4", -25000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("010", 10),
        ("0x1F", 31),
        ("-7", -7),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("~", None),
        ("", None),
        ('"1.0"', "1.0"),
        ("1.0.0", "1.0.0"),
        ("=", "="),
        ("<<", "<<"),
        ("{0: a, true: b}", {"0": "a", "true": "b"}),
    ],
    ids=str,
)
def test_yaml_values_are_read_as_yaml_1_2_reads_them(
    tmp_path: Path, text: str, value: object
) -> None:
    found = load_yaml(tmp_path, f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


BAD_YAML = [
    ("", "found nothing"),
    ("- 1", "found list"),
    ("a: &x 1\nb: *x", "line 1: found an anchor"),
    ("a: 1\nb: *x", "line 2: found an alias"),
    ("a: 1\nb: 2\na: 3", "line 3: found the name 'a' twice"),
    ("a: {b: 1, b: 2}", "line 1: found the name 'b' twice"),
    ("a: !!python/object/apply:os.system [ls]", "line 1: found the tag"),
    ("a: !!set {x}", "found the tag"),
    ("a: .nan", "found .nan, allowed finite numbers"),
    ("a: 1e999", "found 1e999, allowed finite numbers"),
    ("a: [1, 2", "line 1: "),
    ("a: 1\n\tb: 2", "line 2: "),
    ("? [1, 2]\n: 3", "found a list or mapping as a name"),
    ("a: 1\n---\nb: 2", "line 2: "),
    (b"a: \xff", "not UTF-8 at byte 3"),
    ("a: \x00", "not YAML"),
    ("a: " + "[" * 100 + "]" * 100, "nested deeper than 64"),
    ("a: " + "9" * 30, "integer of 30 characters"),
]


@pytest.mark.parametrize(("text", "message"), BAD_YAML, ids=range(len(BAD_YAML)))
def test_bad_yaml_is_one_clear_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        load_yaml(tmp_path, text)


def test_yaml_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give an existing file"):
        schema.load_yaml(tmp_path / "scan.yaml")
    (tmp_path / "scan.yaml").write_text("a: 1")
    with pytest.raises(SchemaError, match="found more than 3 bytes"):
        schema.load_yaml(tmp_path / "scan.yaml", limit=3)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), VALUES, max_size=3))
def test_canonical_json_comes_back_unchanged(value: dict[str, Any]) -> None:
    from limen.schema.loading import parse_json

    written = schema.canonical_json(value)
    again = parse_json(written.decode(), "document")
    assert again == value
    assert schema.canonical_json(again) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"], ids=repr)
def test_canonical_json_refuses_what_json_cannot_hold(value: object) -> None:
    with pytest.raises(SchemaError, match="cannot be written as JSON"):
        schema.canonical_json({"a": value})


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, limen.schema, limen.manifest;"
        "sys.exit(' '.join({'jsonschema', 'yaml', 'referencing', 'xarray'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_missing_schema_or_data_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="found 'table', allowed 'bundle'"):
        resources.schema_text("table")
    with pytest.raises(UsageError, match=r"format '9\.9'"):
        resources.schemas_path("9.9")
    with pytest.raises(UsageError, match="found no 'nothing'"):
        resources.data_path("nothing")


def test_describe_covers_a_keyword_it_has_no_words_for() -> None:
    from jsonschema import Draft202012Validator

    error = next(Draft202012Validator({"multipleOf": 2}).iter_errors(3))
    assert [str(fault) for fault in describe(error)] == [
        "found 3, allowed 3 is not a multiple of 2"
    ]
