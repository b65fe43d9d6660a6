"""The Open Inference Protocol: the verdicts of REST, as named tensors, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from limen.bundle import open_bundle
from limen.training import train

pytest.importorskip("starlette", reason="REST needs the extra 'app'")

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.testclient import TestClient

from limen_app.library import Library
from limen_app.limits import Limits
from limen_app.rest import routes
from limen_app.rest.tensors import OUTPUTS

MODEL = "/v2/models/toy.region"
FREE = Limits(requests_per_minute=0)
NUMBERS = [name for name, datatype in OUTPUTS.items() if datatype == "FP64"]
M = [550.0, 150.0, 9100.0, None, 720, 10**30]
G = [0.5, 0.9, 0.5, 0.5, 0, 0.5]


def served(*places: Path, limits: Limits = FREE) -> TestClient:
    library = Library.open([str(place) for place in places])
    return TestClient(Starlette(routes=routes(library, limits)))


@pytest.fixture(scope="module")
def path(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the small bundle with a classifier, and a regression of a cross section."""
    path = tmp_path_factory.mktemp("inference") / "toy"
    shutil.copytree(trained, path)
    train(open_bundle(path), "xsec", name="rate", options={"n_estimators": 10})
    return path


@pytest.fixture(scope="module")
def client(path: Path) -> TestClient:
    return served(path)


def tensor(name: str, data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": "FP64", "data": data} | more


def infer(client: TestClient, *inputs: Any, at: str = MODEL, **more: Any) -> Any:
    return client.post(f"{at}/infer", json={"inputs": inputs} | more)


def outputs(answer: Any) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def is_refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert list(answer.json()) == ["error"]
    assert "Traceback" not in answer.text
    return str(answer.json()["error"])


# What the protocol has


def test_the_server_says_what_it_is_and_that_it_is_ready(client: TestClient) -> None:
    for address in ("/v2", "/v2/"):
        server = client.get(address).json()
        assert (server["name"], server["extensions"]) == ("limen", [])
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json()["ready"] is True
    for address in (f"{MODEL}/ready", f"{MODEL}/versions/1.0.0/ready"):
        assert client.get(address).json() == {"name": "toy.region", "ready": True}


def test_a_model_says_its_tensors_with_units(client: TestClient) -> None:
    found = client.get("/v2/models/toy.rate").json()
    assert found == client.get("/v2/models/toy.rate/versions/1.0.0").json()
    assert (found["platform"], found["versions"]) == ("onnx_onnxv1", ["1.0.0"])
    mass, coupling = found["inputs"]
    assert (mass["name"], mass["datatype"], mass["shape"]) == ("m", "FP64", [-1])
    assert (mass["parameters"]["unit"], coupling["parameters"]["unit"]) == ("GeV", "1")
    assert 100 < mass["parameters"]["low"] < mass["parameters"]["high"] < 1000
    said = {each["name"]: each for each in found["outputs"]}
    assert {name: each["datatype"] for name, each in said.items()} == OUTPUTS
    assert said["upper"]["parameters"]["unit"] == "fb"
    assert found["parameters"]["cite"].startswith("A likelihood of a mass")


@pytest.mark.parametrize("model", ["region", "rate"])
def test_numbers_are_those_of_the_other_face(client: TestClient, model: str) -> None:
    points = [{"m": m, "g": g} for m, g in zip(M, G, strict=True)]
    body = {"bundle": "toy", "model": model, "points": points}
    rows = client.post("/api/v1/predict", json=body).json()["points"]
    answer = infer(client, tensor("g", G), tensor("m", M), at=f"/v2/models/toy.{model}")
    found = outputs(answer)
    assert list(found) == list(OUTPUTS)
    for name in ("verdict", *NUMBERS):
        assert found[name] == [row[name] for row in rows]
    assert found["reasons"] == ["; ".join(row["reasons"]) for row in rows]
    assert found["verdict"][2:4] == ["outside_domain", "invalid_input"]
    assert [found[name][2:4] for name in NUMBERS] == [[None, None]] * len(NUMBERS)
    assert answer.json()["parameters"]["notes"] == ""


def test_a_unit_is_converted_as_by_the_other_face(client: TestClient) -> None:
    mass = tensor("m", [0.55, 0.1234567], parameters={"unit": " TeV"})
    answer = infer(client, mass, tensor("g", [0.5, 0.1]))
    quantities = [{"value": value, "unit": "TeV"} for value in (0.55, 0.1234567)]
    points = [{"m": quantities[0], "g": 0.5}, {"m": quantities[1], "g": 0.1}]
    rows = client.post(
        "/api/v1/predict", json={"bundle": "toy", "model": "region", "points": points}
    ).json()["points"]
    assert outputs(answer)["probability"] == [row["probability"] for row in rows]
    assert answer.json()["parameters"]["notes"] == "m: converted from TeV to GeV"


SHAPES: dict[str, dict[str, Any]] = {
    "a column of rows": {"shape": [2, 1], "data": [[550], [150]]},
    "a column, flat": {"shape": [2, 1], "data": [550, 150]},
    "whole numbers of JSON": {"shape": [2.0, 1.0], "data": [550, 150]},
    "FP32": {"datatype": "FP32"},
    "INT64": {"datatype": "INT64", "data": [550, 150.0]},
    "INT32": {"datatype": "INT32", "data": [550, 150]},
    "null for what may be left out": {"parameters": None},
    "hints of clients": {"parameters": {"content_type": "np", "unit": None}},
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES)
def test_a_tensor_may_come_in_other_forms(client: TestClient, change: dict[str, Any]) -> None:
    plain = outputs(infer(client, tensor("m", [550.0, 150.0]), tensor("g", [0.5, 0.9])))
    mass = tensor("m", [550.0, 150.0]) | change
    assert outputs(infer(client, mass, tensor("g", [0.5, 0.9]))) == plain


def test_outputs_that_are_asked_for_come_in_their_order_and_the_id_comes_back(
    client: TestClient,
) -> None:
    wanted = [{"name": "probability", "parameters": {"binary_data": True}}, {"name": "verdict"}]
    more = {"outputs": wanted, "id": "42", "parameters": {"binary_data_output": True}}
    answer = infer(client, tensor("m", [550]), tensor("g", [0.5]), **more)
    assert list(outputs(answer)) == ["probability", "verdict"]
    assert (answer.json()["id"], answer.json()["model_version"]) == ("42", "1.0.0")
    assert "id" not in infer(client, tensor("m", [550]), tensor("g", [0.5])).json()


def test_the_request_of_kserve_is_answered(client: TestClient) -> None:
    more = {"model_name": "toy.region", "id": None, "outputs": [], "parameters": None}
    answer = infer(client, tensor("m", [550]), tensor("g", [0.5]), **more)
    assert list(outputs(answer)) == list(OUTPUTS)


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "application/json"])
def test_a_body_may_come_without_its_kind(client: TestClient, kind: str | None) -> None:
    body = json.dumps({"inputs": [tensor("m", [550]), tensor("g", [0.5])]})
    headers = {} if kind is None else {"content-type": kind}
    assert client.post(f"{MODEL}/infer", content=body, headers=headers).status_code == 200


def test_the_newest_version_answers_unless_one_is_asked_for(
    model_path: Path, tmp_path: Path
) -> None:
    later = Path(shutil.copytree(model_path, tmp_path / "later"))
    manifest = (later / "bundle.json").read_text(encoding="utf-8")
    (later / "bundle.json").write_text(manifest.replace('"1.0.0"', '"1.10.0"', 1))
    client = served(later, model_path)
    assert client.get(MODEL).json()["versions"] == ["1.0.0", "1.10.0"]
    inputs = tensor("m", [550]), tensor("g", [0.5])
    assert infer(client, *inputs).json()["model_version"] == "1.10.0"
    old = infer(client, *inputs, at=f"{MODEL}/versions/1.0.0").json()
    assert (old["model_version"], old["parameters"]["version"]) == ("1.0.0", "1.0.0")


# What is refused, and where


GOOD = tensor("m", [550.0, 150.0]), tensor("g", [0.5, 0.9])
INPUTS: dict[str, tuple[list[Any], str, str]] = {
    "unknown": ([*GOOD, tensor("M1", [1, 2])], "/inputs/2/name", "unknown input 'M1'"),
    "misspelt": ([GOOD[0], tensor("G", [1, 2])], "/inputs/1/name", "do you mean 'g'"),
    "missing": ([GOOD[1]], "/inputs", "missing input 'm' [GeV]"),
    "twice": ([*GOOD, GOOD[0]], "/inputs/2/name", "'m' is given twice, first in /inputs/0"),
    "anonymous": (
        [tensor("input0", [1, 2, 3, 4], shape=[2, 2])],
        "/inputs/0/name",
        "by name, never by position; give each of 'm' [GeV], 'g' as a tensor of shape [n]",
    ),
    "none": ([], "/inputs", "missing input 'm'"),
    "many": ([tensor(f"x{n}", [1]) for n in range(5000)], "/inputs", "5,000 tensors"),
    "no object": ([*GOOD, 3], "/inputs/2", "found 3, allowed an object"),
    "another length": ([GOOD[0], tensor("g", [1])], "/inputs", "m 2, g 1"),
}


@pytest.mark.parametrize(("inputs", "pointer", "words"), INPUTS.values(), ids=INPUTS)
def test_inputs_go_by_name(client: TestClient, inputs: list[Any], pointer: str, words: str) -> None:
    error = is_refused(infer(client, *inputs), 400)
    assert f"{pointer}: " in error
    assert words in error


TENSORS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a matrix": ({"shape": [1, 2]}, "shape", "found [1, 2], allowed [n] or [n, 1]"),
    "three dimensions": ({"shape": [2, 1, 1]}, "shape", "allowed [n] or [n, 1]"),
    "no dimension": ({"shape": []}, "shape", "allowed [n] or [n, 1]"),
    "an empty one": ({"shape": [0], "data": []}, "shape", "n at least 1"),
    "half a row": ({"shape": [1.5]}, "shape", "found [1.5]"),
    "true rows": ({"shape": [True, 1]}, "shape", "found [True, 1]"),
    "another shape": ({"shape": [3]}, "data", "found 2 values, allowed 3"),
    "rows in a vector": ({"data": [[1], [2]]}, "data/0", "found a list of 1"),
    "text": ({"data": ["550", 1]}, "data/0", "found '550', allowed a number"),
    "true": ({"data": [1, True]}, "data/1", "found true"),
    "a half in INT32": ({"datatype": "INT32", "data": [1, 1.5]}, "data/1", "found 1.5"),
    "beyond INT32": ({"datatype": "INT32", "data": [2**31, 1]}, "data/0", "32 bits"),
    "beyond INT64": ({"datatype": "INT64", "data": [1, 2**63]}, "data/1", "64 bits"),
    "beyond FP64": ({"datatype": "INT64", "data": [2**53 + 1, 1]}, "data/0", "FP64 holds"),
    "another type": ({"datatype": "FP16"}, "datatype", "found 'FP16', allowed FP64, FP32"),
    "BYTES": ({"datatype": "BYTES", "data": ["a", "b"]}, "datatype", "found 'BYTES'"),
    "a type in small letters": ({"datatype": "fp64"}, "datatype", "found 'fp64'"),
    "a unit that does not fit": ({"parameters": {"unit": "fb"}}, "parameters/unit", "'GeV'"),
    "a misspelt unit": ({"parameters": {"unit": "Gev"}}, "parameters/unit", "'GeV'"),
    "a long unit": ({"parameters": {"unit": "x" * 99}}, "parameters/unit", "99 characters"),
    "a number for a unit": ({"parameters": {"unit": 3}}, "parameters/unit", "allowed text"),
    "units": ({"parameters": {"units": "TeV"}}, "parameters/units", "do you mean 'unit'"),
    "binary": ({"parameters": {"binary_data_size": 16}}, "parameters/binary_data_size", "unknown"),
    "no data": ({"data": None}, "data", "missing"),
    "another field": ({"dtype": "FP64"}, "dtype", "do you mean 'datatype'"),
}


@pytest.mark.parametrize(("change", "place", "words"), TENSORS.values(), ids=TENSORS)
def test_a_tensor_is_refused_at_its_place(
    client: TestClient, change: dict[str, Any], place: str, words: str
) -> None:
    error = is_refused(infer(client, GOOD[0] | change, GOOD[1]), 400)
    assert f"/inputs/0/{place}: " in error
    assert words in error


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown output": ({"outputs": [{"name": "verdicts"}]}, "/outputs/0/name: found 'verdicts'"),
    "an output twice": ({"outputs": [{"name": "value"}] * 2}, "/outputs/1/name: 'value' is asked"),
    "many outputs": ({"outputs": [{"name": "value"}] * 9999}, "asked for twice"),
    "classes": (
        {"outputs": [{"name": "verdict", "parameters": {"classification": 3}}]},
        "/outputs/0/parameters/classification: unknown",
    ),
    "an unknown parameter": ({"parameters": {"priority": 1}}, "/parameters/priority: unknown"),
    "another model": ({"model_name": "toy.rate"}, "/model_name: found 'toy.rate'"),
    "a number for the id": ({"id": 3}, "/id: found 3, allowed text"),
    "a long id": ({"id": "x" * 999}, "/id: found 999 characters"),
    "an unknown field": ({"points": []}, "/points: unknown name"),
    "no inputs": ({"inputs": None}, "/inputs: missing"),
    "many fields": ({f"x{number}": 1 for number in range(100_000)}, "/x0: unknown name"),
}


@pytest.mark.parametrize(("change", "words"), FIELDS.values(), ids=FIELDS)
def test_a_request_is_refused_with_its_field(
    client: TestClient, change: dict[str, Any], words: str
) -> None:
    body = {"inputs": GOOD} | change
    assert words in is_refused(client.post(f"{MODEL}/infer", json=body), 400)


def test_all_faults_come_in_one_answer(client: TestClient) -> None:
    error = is_refused(infer(client, tensor("m", ["x"]), tensor("G", [1])), 400)
    assert "'G'" in error
    assert "found 'x'" in error
    assert "missing input 'g'" in error


@pytest.mark.parametrize(
    "address",
    [
        "/v2/models/toy.regoin",
        "/v2/models/toy",
        "/v2/models/.region",
        "/v2/models/tuy.region",
        "/v2/models/toy@1.0.0.region",
        "/v2/models/toy.all",
        "/v2/models/toy.region/versions/9.9.9",
        "/v2/models/toy.region/versions/toy",
        "/v2/models/..%2ftoy.region",
    ],
)
def test_a_model_that_is_not_open_is_not_found(client: TestClient, address: str) -> None:
    for answer in (client.get(address), client.get(f"{address}/ready")):
        is_refused(answer, 404)
    is_refused(infer(client, *GOOD, at=address), 404)


def test_a_model_that_is_not_open_is_told_which_are(client: TestClient) -> None:
    error = is_refused(client.get("/v2/models/toy.regoin"), 404)
    assert "do you mean 'toy.region'" in error
    assert error.endswith("open are toy.region (1.0.0), toy.rate (1.0.0)")


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", f"{MODEL}/infer", 405),
        ("POST", MODEL, 405),
        ("POST", "/v2/health/live", 405),
        ("GET", f"{MODEL}/config", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/a%0ab", 404),
        ("POST", "/v2/repository/index", 404),
    ],
)
def test_other_addresses_and_methods_are_refused_in_the_words_of_the_protocol(
    client: TestClient, method: str, address: str, status: int
) -> None:
    is_refused(client.request(method, address), status)


def test_binary_tensors_are_refused_and_what_to_do_is_told(client: TestClient) -> None:
    headers = {"inference-header-content-length": "2"}
    answer = client.post(f"{MODEL}/infer", content=b"{}\x00\x00", headers=headers)
    assert "binary_data=False" in is_refused(answer, 415)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"accept": "text/html"}, 406),
    ],
)
def test_other_kinds_of_bodies_and_answers_are_refused(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    body = json.dumps({"inputs": GOOD}).encode()
    is_refused(client.post(f"{MODEL}/infer", content=body, headers=headers), status)


def test_nan_is_no_json(client: TestClient) -> None:
    body = json.dumps({"inputs": [tensor("m", [float("nan")]), tensor("g", [1])]})
    assert "found NaN" in is_refused(client.post(f"{MODEL}/infer", content=body), 400)


# The same limits


def test_both_faces_have_the_same_limits(path: Path) -> None:
    client = served(path, limits=Limits(rows=2, body_bytes=2000, requests_per_minute=4))
    assert outputs(infer(client, *GOOD))
    many = infer(client, tensor("m", [1, 2, 3]), tensor("g", [1, 2, 3]))
    assert "3 points, allowed 2" in is_refused(many, 413)
    assert "2,000 bytes" in is_refused(infer(client, *GOOD, id="x" * 3000), 413)
    assert client.get("/api/v1/bundles").status_code == 200
    late = client.get("/v2")
    is_refused(late, 429)
    assert int(late.headers["retry-after"]) >= 1
    assert client.get("/v2/health/live").status_code == 200


def test_a_server_that_is_opening_its_bundles_is_not_ready() -> None:
    client = TestClient(Starlette(routes=routes(lambda: None, FREE)))
    assert client.get("/v2/health/live").status_code == 200
    for answer in (
        client.get("/v2/health/ready"),
        client.get(MODEL),
        client.get(f"{MODEL}/ready"),
        infer(client, *GOOD),
    ):
        is_refused(answer, 503)
        assert answer.headers["retry-after"] == "2"


def test_a_model_whose_files_are_gone_is_not_ready(model_path: Path) -> None:
    client = served(model_path)
    assert client.get(f"{MODEL}/ready").status_code == 200
    (model_path / "region.onnx").write_bytes(b"no graph")
    for answer in (client.get(f"{MODEL}/ready"), infer(client, *GOOD)):
        error = is_refused(answer, 503)
        assert "broken or was changed" in error
        assert str(model_path) not in error
    shutil.rmtree(model_path)
    is_refused(client.get(MODEL), 503)


def test_points_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        infer(client, tensor("m", [543.21234]), tensor("g", [0.5]))
        infer(client, tensor("m", ["543.21234"]), tensor("g", [0.5]))
    assert "543.21234" not in caplog.text


def test_the_description_has_the_models_that_are_open(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    validate(document)
    (name,) = document["paths"]["/v2/models/{name}/infer"]["parameters"]
    assert name["schema"]["enum"] == ["toy.region", "toy.rate"]


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES)
def test_requests_and_answers_are_as_described(client: TestClient, change: dict[str, Any]) -> None:
    schemas = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    request = {"inputs": [GOOD[0] | change, GOOD[1]], "id": "1", "outputs": None}
    answer = client.post(f"{MODEL}/infer", json=request).json()
    Draft202012Validator(schemas["inferenceRequest"]).validate(request)
    Draft202012Validator(schemas["inferenceResponse"]).validate(answer)
    Draft202012Validator(schemas["modelMetadata"]).validate(client.get(MODEL).json())
