"""REST: the numbers and words of the command line, caps, and answers to hostile requests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from limen.bundle import open_bundle

pytest.importorskip("starlette", reason="REST needs the extra 'app'")
schemathesis = pytest.importorskip("schemathesis", reason="the extra 'test' brings it")

import requests  # noqa: E402
import uvicorn  # noqa: E402
from click.testing import Result  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from openapi_spec_validator import validate  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import Response  # noqa: E402
from starlette.routing import Route  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from limen_app.headers import PageHeaders  # noqa: E402
from limen_app.library import Library  # noqa: E402
from limen_app.limits import Limits  # noqa: E402
from limen_app.rest import routes  # noqa: E402
from limen_app.rest.guarding import Rate  # noqa: E402

PREDICT = "/api/v1/predict"
INFER = "/v2/models/{name}/infer"
POINT = {"m": 550.0, "g": 0.5}
FENCE = re.compile(r"^```(\w+(?: exec)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STARTS = {"sh": ["bash", "-e", "-c"], "python exec": [sys.executable, "-c"]}
FREE = Limits(requests_per_minute=0)


def application(place: Path, limits: Limits = FREE) -> Starlette:
    return Starlette(routes=routes(Library.open([str(place)]), limits))


@pytest.fixture(scope="module")
def app(trained: Path) -> Starlette:
    """Serve the small bundle with its model."""
    return application(trained)


@pytest.fixture(scope="module")
def client(app: Starlette) -> TestClient:
    return TestClient(app)


def ask(client: TestClient, points: Any, **more: Any) -> Any:
    return client.post(PREDICT, json={"bundle": "toy", "points": points} | more)


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert "Traceback" not in answer.text
    assert document["detail"]
    return dict(document)


# What the command line and the library say


QUESTIONS: dict[str, tuple[list[str], list[dict[str, Any]], dict[str, Any]]] = {
    "inside": (["m=550", "g=0.5"], [POINT], {}),
    "outside of the region": (["m=150", "g=0.9"], [{"m": 150, "g": 0.9}], {}),
    "a unit": (
        ["m=0.55TeV", "g=0.5"],
        [{"m": {"value": 0.55, "unit": "TeV"}, "g": {"value": 0.5}}],
        {},
    ),
    "outside of the domain": (
        ["m=9100", "g=0.5", "--extrapolate"],
        [{"m": 9100, "g": 0.5}],
        {"outside": True},
    ),
    "another kind of unit": (
        ["m=1fb", "g=0.5"],
        [{"m": {"value": 1, "unit": "fb"}, "g": 0.5}],
        {},
    ),
    "neighbours": (["m=550", "g=0.5", "--nearest", "3"], [POINT], {"nearest": 3}),
}


@pytest.mark.parametrize(("line", "points", "more"), QUESTIONS.values(), ids=QUESTIONS)
def test_the_answer_is_that_of_the_command_line(
    client: TestClient,
    trained: Path,
    limen: Callable[..., Result],
    line: list[str],
    points: list[dict[str, Any]],
    more: dict[str, Any],
) -> None:
    options = [f"--set={word}" if "=" in word else word for word in line]
    said = json.loads(limen("predict", trained, *options, "--json").stdout)
    answer = ask(client, points, **more)
    assert answer.status_code == 200
    found = answer.json()
    assert {name: found[name] for name in said} == said


def test_points_are_answered_in_order_with_the_numbers_of_the_predictor(
    client: TestClient, trained: Path
) -> None:
    points = [{"m": 100.0 + 5 * row, "g": (row % 50) / 50, "id": f"p{row}"} for row in range(150)]
    columns = {name: [point[name] for point in points] for name in ("m", "g")}
    expected = open_bundle(trained).predictor().verdicts(columns)
    found = ask(client, points).json()["points"]
    assert [row["id"] for row in found] == [point["id"] for point in points]
    for row, verdict in zip(found, expected, strict=True):
        assert verdict.to_dict().items() <= row.items()


def test_a_fault_stays_in_its_row(client: TestClient) -> None:
    points = [POINT, {"m": None, "g": 0.5}, {"m": {"value": 1, "unit": "Gev"}, "g": 0.5}, POINT]
    found = ask(client, points).json()["points"]
    verdicts = [row["verdict"] for row in found]
    assert verdicts == ["inside_region", "invalid_input", "invalid_input", "inside_region"]
    assert found[1]["reasons"] == ["m: found no value, allowed a number"]
    assert "do you mean 'GeV'" in found[2]["reasons"][0]
    assert found[1]["probability"] is None


def test_what_to_cite_and_what_the_confidence_is_of_come_with_the_answer(
    client: TestClient,
) -> None:
    (model,) = ask(client, [POINT], model="region", version="1.0.0").json()["models"]
    assert model["confidence_population"] == "uniform in the box"
    assert "Share of points" in model["confidence_meaning"]
    assert model["doi"] is None
    assert model["cite"] == "A likelihood of a mass and a coupling (draft, no DOI yet)"


def test_a_conversion_is_noted(client: TestClient) -> None:
    found = ask(client, [{"m": {"value": 0.5, "unit": "TeV"}, "g": 0.5}]).json()
    assert found["notes"] == ["m: converted from TeV to GeV"]


# What is refused, and where


REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "a name that is near": ({"points": [{"m": 1, "gg": 2}]}, 422, "/points/0/gg", "nearest: g"),
    "a later name": ({"points": [POINT, POINT | {"M1": 2}]}, 422, "/points/1/M1", "unknown"),
    "a value is missing": ({"points": [POINT, {"m": 1}]}, 422, "/points/1/g", "missing"),
    "a parameter is missing": ({"points": [{"m": 1}]}, 422, "/points/0/g", "missing"),
    "text": ({"points": [POINT | {"m": "550"}]}, 422, "/points/0/m", "allowed a number"),
    "true": ({"points": [POINT | {"m": True}]}, 422, "/points/0/m", "found true"),
    "a list of values": ({"points": [POINT | {"m": [1, 2]}]}, 422, "/points/0/m", "a list of 2"),
    "no value": ({"points": [POINT | {"m": {"unit": "GeV"}}]}, 422, "/points/0/m", "without value"),
    "another name": (
        {"points": [POINT | {"m": {"value": 1, "units": "GeV"}}]},
        422,
        "/points/0/m",
        "'units'",
    ),
    "a unit of numbers": (
        {"points": [POINT | {"m": {"value": 1, "unit": 3}}]},
        422,
        "/points/0/m",
        "unit: found 3",
    ),
    "columns": ({"points": {"m": [1], "g": [2]}}, 422, "/points", "a list of objects"),
    "no names": ({"points": [[550.0, 0.5]]}, 422, "/points/0", "an object with names"),
    "no points": ({"points": []}, 422, "/points", "at least one"),
    "twice by its unit": (
        {"points": [POINT | {"m [TeV]": 0.5}]},
        422,
        "/points",
        "m is given twice",
    ),
    "many names": (
        {"points": [POINT | {f"x{n}": 1 for n in range(5000)}]},
        422,
        "/points",
        "5,002 different names",
    ),
    "a long name": ({"points": [POINT | {"x" * 999: 1}]}, 422, "/points/0", "999 characters"),
    "a long id": ({"points": [POINT | {"id": "x" * 999}]}, 422, "/points/0/id", "999 characters"),
    "another bundle": ({"bundle": "tuy"}, 422, "/bundle", "toy@1.0.0"),
    "another version": ({"version": "2.0.0"}, 422, "/bundle", "toy@2.0.0"),
    "the id for a version": ({"version": "toy"}, 422, "/bundle", "toy@toy"),
    "another model": ({"model": "regoin"}, 422, "/model", "do you mean 'region'"),
    "an unknown field": ({"boundle": "toy"}, 422, "/boundle", "do you mean 'bundle'"),
    "a number for a name": ({"bundle": 3}, 422, "/bundle", "allowed text"),
    "too near": ({"nearest": 101}, 422, "/nearest", "0 to 100"),
    "none nearest": ({"nearest": -1}, 422, "/nearest", "0 to 100"),
    "half a row": ({"nearest": 0.5}, 422, "/nearest", "a whole number"),
    "too many": ({"points": [POINT] * 10_001}, 413, "/points", "10,001"),
    "too many with nearest": ({"points": [POINT] * 101, "nearest": 1}, 413, "/nearest", "101"),
}


@pytest.mark.parametrize(("change", "status", "pointer", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_question_is_refused_at_its_place(
    client: TestClient, change: dict[str, Any], status: int, pointer: str, words: str
) -> None:
    problem = is_problem(ask(client, **({"points": [POINT]} | change)), status)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert words in str(problem)


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON at line 1"),
    "cut": (b'{"bundle": "toy",\n "points": [', "line 2, column"),
    "HTML": (b"<html><script>alert(1)</script></html>", "not JSON"),
    "binary": (bytes(range(256)), "not UTF-8 at byte"),
    "no object": (b"[1, 2]", "found list"),
    "null": (b"null", "found nothing"),
    "a name twice": (b'{"bundle": "toy", "bundle": "toy"}', "'bundle' twice"),
    "a parameter twice": (b'{"bundle": "toy", "points": [{"m": 1, "m": 2}]}', "'m' twice"),
    "NaN": (b'{"bundle": "toy", "points": [{"m": NaN, "g": 1}]}', "found NaN"),
    "Infinity": (b'{"bundle": "toy", "points": [{"m": -Infinity, "g": 1}]}', "-Infinity"),
    "beyond floats": (b'{"bundle": "toy", "points": [{"m": 1e999, "g": 1}]}', "found 1e999"),
    "many digits": (b'{"bundle": "toy", "points": [{"m": ' + b"9" * 100_000 + b"}]}", "digits"),
    "deep": (b'{"bundle": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested deeper"),
    "deep objects": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    "a byte order mark": ("\ufeff{}".encode(), "body"),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_is_refused_with_the_place(
    client: TestClient, body: bytes, words: str
) -> None:
    headers = {"content-type": "application/json"}
    assert words in is_problem(client.post(PREDICT, content=body, headers=headers), 400)["detail"]


def test_no_more_faults_are_looked_for_than_are_listed(client: TestClient) -> None:
    body = {f"x{number}": 1 for number in range(10_000)}
    problem = is_problem(client.post(PREDICT, json=body), 422)
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("(and 19 more)")


def test_half_a_letter_comes_back_as_it_came(client: TestClient) -> None:
    body = json.dumps({"bundle": "toy", "points": [POINT | {"id": "\ud800<b>"}]}).encode()
    answer = client.post(PREDICT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert b'"id": "\\ud800<b>"' in answer.content


HEADERS: dict[str, tuple[dict[str, str], int]] = {
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "plain text": ({"content-type": "text/plain"}, 415),
    "another charset": ({"content-type": "application/json; charset=utf-16"}, 415),
    "compressed": ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    "HTML wanted": ({"content-type": "application/json", "accept": "text/html"}, 406),
    "JSON not wanted": (
        {"content-type": "application/json", "accept": "application/json;q=0, text/csv"},
        406,
    ),
}


@pytest.mark.parametrize(("headers", "status"), HEADERS.values(), ids=HEADERS)
def test_other_kinds_of_bodies_and_answers_are_refused(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    body = json.dumps({"bundle": "toy", "points": [POINT]}).encode()
    is_problem(client.post(PREDICT, content=body, headers=headers), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PREDICT, 405),
        ("POST", "/api/v1/bundles", 405),
        ("OPTIONS", PREDICT, 405),
        ("GET", "/api/v1/predictions", 404),
        ("GET", "/api", 404),
        ("GET", "/api/v1/bundles/", 404),
        ("GET", "/api/v1/bundles/tuy", 404),
        ("GET", "/api/v1/bundles/toy@9.9.9", 404),
    ],
)
def test_other_addresses_and_methods_are_refused(
    client: TestClient, method: str, path: str, status: int
) -> None:
    is_problem(client.request(method, path), status)


# Caps


async def _parts(app: Starlette, headers: list[tuple[bytes, bytes]], parts: Any) -> Any:
    """Send a request part by part, and give the status, the answer and how much was taken."""
    sent: list[Any] = []
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        part = await anext(parts, None)
        taken += len(part or b"")
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PREDICT,
        "raw_path": PREDICT.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"]), taken


async def _endless() -> Any:
    while True:
        yield b" " * 50_000


async def _stalled() -> Any:
    yield b"{"
    await asyncio.Event().wait()


def test_a_body_of_unknown_length_is_given_up_at_the_cap(trained: Path) -> None:
    app = application(trained, Limits(body_bytes=200_000))
    status, document, taken = asyncio.run(_parts(app, [], _endless()))
    assert (status, document["status"]) == (413, 413)
    assert "200,000 bytes" in document["detail"]
    assert taken == 250_000


def test_a_stated_length_beyond_the_cap_is_refused_unread(trained: Path) -> None:
    app = application(trained, Limits(body_bytes=200_000))
    headers = [(b"content-length", b"9" * 30)]
    status, _, taken = asyncio.run(_parts(app, headers, _endless()))
    assert (status, taken) == (413, 0)


def test_a_body_that_does_not_come_is_given_up(trained: Path) -> None:
    app = application(trained, Limits(body_seconds=1))
    status, document, _ = asyncio.run(_parts(app, [], _stalled()))
    assert status == 408
    assert "1 s" in document["detail"]


def test_who_asks_too_often_is_told_when_to_come_back(trained: Path) -> None:
    client = TestClient(application(trained, Limits(requests_per_minute=2)))
    answers = [client.get("/api/v1/bundles") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    is_problem(answers[2], 429)
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    assert client.get("/healthz").status_code == 200


def test_a_client_may_ask_again_as_time_passes_and_others_are_not_held_up() -> None:
    now = 0.0
    rate = Rate(60, clock=lambda: now)
    assert [rate.wait("192.0.2.1") for _ in range(61)] == [0] * 60 + [1]
    assert rate.wait("192.0.2.2") == 0
    now = 1.0
    assert [rate.wait("192.0.2.1") for _ in range(2)] == [0, 1]


def test_a_network_of_ipv6_is_one_client_and_this_machine_is_free() -> None:
    rate = Rate(1, clock=lambda: 0.0)
    assert [rate.wait(f"2001:db8::{n}") for n in range(2)] == [0, 60]
    assert [rate.wait("::1") for _ in range(3)] == [0, 0, 0]


def test_limits_come_from_the_environment() -> None:
    assert Limits.from_environment({"LIMEN_APP_ROWS": "7"}) == Limits(rows=7)
    with pytest.raises(ValueError, match="LIMEN_APP_ROWS: found 'many'"):
        Limits.from_environment({"LIMEN_APP_ROWS": "many"})
    with pytest.raises(ValueError, match="from 1"):
        Limits.from_environment({"LIMEN_APP_ROWS": "0"})


def test_more_models_count_as_more_rows(trained: Path) -> None:
    client = TestClient(application(trained, Limits(rows=2)))
    assert ask(client, [POINT] * 2, model="all").status_code == 200
    is_problem(ask(client, [POINT] * 3, model="all"), 413)


# Bundles and their files


def test_bundles_are_listed_and_described(client: TestClient, trained: Path) -> None:
    bundle = open_bundle(trained)
    (short,) = client.get("/api/v1/bundles").json()["bundles"]
    assert (short["key"], short["points"], short["models"]) == ("toy@1.0.0", 400, ["region"])
    whole = client.get("/api/v1/bundles/toy").json()
    assert whole == client.get("/api/v1/bundles/toy@1.0.0").json()
    assert whole["columns"] == [column.to_dict() for column in bundle.columns.values()]
    (model,) = whole["models"]
    assert model["metrics"] == [dict(metric) for metric in bundle.model().metrics]
    assert [entry["column"] for entry in model["inputs"]] == ["m", "g"]
    assert model["inputs"][0]["low"] < model["inputs"][0]["high"]
    assert {entry["name"] for entry in whole["files"]} == set(bundle.manifest["files"])


def test_files_are_given_whole_and_in_ranges(client: TestClient, trained: Path) -> None:
    for name in ("bundle.json", *open_bundle(trained).manifest["files"]):
        answer = client.get(f"/api/v1/bundles/toy/files/{name}")
        assert answer.content == (trained / name).read_bytes()
        assert answer.headers["content-disposition"].startswith("attachment")
    scan = "/api/v1/bundles/toy/files/scan.zarr.zip"
    part = client.get(scan, headers={"range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == (trained / "scan.zarr.zip").read_bytes()[10:20]
    is_problem(client.get(scan, headers={"range": "bytes=999999999-"}), 416)
    assert client.head(scan).headers["content-length"] == str(
        (trained / "scan.zarr.zip").stat().st_size
    )


TRICKS = (
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "%2e%2e",
    ".edit",
    "bundle.json%00.csv",
    "BUNDLE.JSON",
    "preview.csv%2f..%2fbundle.json",
    "preview.csv/",
    "secret.txt",
    "link.csv",
)


@pytest.mark.parametrize("name", TRICKS)
def test_only_files_that_the_manifest_lists_are_given(model_path: Path, name: str) -> None:
    (model_path / "secret.txt").write_text("secret")
    (model_path / "link.csv").symlink_to("/etc/passwd")
    client = TestClient(application(model_path))
    is_problem(client.get(f"/api/v1/bundles/toy/files/{name}"), 404)
    is_problem(client.get(f"/api/v1/bundles/..%2ftoy/files/{name}"), 404)


def test_a_file_that_became_a_link_is_not_followed(model_path: Path) -> None:
    client = TestClient(application(model_path))
    (model_path / "preview.csv").unlink()
    (model_path / "preview.csv").symlink_to("/etc/passwd")
    is_problem(client.get("/api/v1/bundles/toy/files/preview.csv"), 503)


def test_a_page_in_a_bundle_is_a_download_that_no_browser_runs(
    model_path: Path, sign: Callable[..., None]
) -> None:
    (model_path / "README.md").write_text("<script>alert(1)</script>")
    sign(model_path, "README.md")
    manifest = json.loads((model_path / "bundle.json").read_text())
    manifest["files"]["README.md"]["media_type"] = "text/html"
    (model_path / "bundle.json").write_text(json.dumps(manifest))
    client = TestClient(application(model_path))
    headers = client.get("/api/v1/bundles/toy/files/README.md").headers
    assert headers["content-type"] == "text/markdown; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize("asked_before", [True, False], ids=["asked before", "not asked before"])
def test_a_bundle_deleted_while_open_is_said_to_be_gone(
    model_path: Path, asked_before: bool
) -> None:
    client = TestClient(application(model_path))
    if asked_before:
        assert ask(client, [POINT], nearest=1).status_code == 200
    shutil.rmtree(model_path)
    for answer in (
        ask(client, [POINT]),
        ask(client, [POINT], nearest=1),
        client.get("/api/v1/bundles/toy"),
        client.get("/api/v1/bundles/toy/files/preview.csv"),
    ):
        problem = is_problem(answer, 503)
        assert "toy@1.0.0" in problem["detail"]
        assert str(model_path) not in answer.text
    assert client.get("/api/v1/bundles").json() == {"bundles": []}
    assert client.get("/api/v1/openapi.json").status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_model_that_is_broken_is_said_to_be(model_path: Path) -> None:
    client = TestClient(application(model_path))
    (model_path / "region.onnx").write_bytes(b"no graph")
    problem = is_problem(ask(client, [POINT]), 503)
    assert "broken or was changed" in problem["detail"]
    (model_path / "region.onnx").unlink()
    assert "is not here" in is_problem(ask(client, [POINT]), 503)["detail"]


# Views


def test_the_rows_of_a_view_are_counted_and_its_link_says_the_same(
    client: TestClient, trained: Path
) -> None:
    scan = open_bundle(trained).scan
    m, cross = scan["m"].values, scan["xsec"].values
    filters = {"m": {"low": 200, "high": 700}, "xsec": {"high": 30.0, "inverted": True}}
    answer = client.post("/api/v1/select", json={"bundle": "toy@1.0.0", "filters": filters})
    found = answer.json()
    assert found["selected"] == int(((m >= 200) & (m <= 700) & (cross > 30.0)).sum())
    assert (found["rows"], found["dropped"]) == (400, [])
    query = found["link"].partition("?")[2]
    again = client.get(f"/api/v1/select?{query}").json()
    assert (again["selected"], again["where"]) == (found["selected"], found["where"])


def test_the_condition_of_a_view_selects_the_same_rows(
    client: TestClient, trained: Path, tmp_path: Path, limen: Callable[..., Result]
) -> None:
    found = client.get("/api/v1/select?b=toy&f.m=200~700").json()
    done = limen("select", trained, "--where", found["where"], "-o", tmp_path / "part")
    assert done.exit_code == 0, done.output
    assert open_bundle(tmp_path / "part").n_points == found["selected"]


def test_what_means_nothing_in_a_view_is_left_out_and_told(client: TestClient) -> None:
    found = client.get("/api/v1/select?b=toy&f.mass=1~2&f.m=..%2f..&p.m=<b>&z=1").json()
    assert found["selected"] == 400
    assert len(found["dropped"]) == 4


@pytest.mark.parametrize("query", ["", "?b=tuy", "?b=..%2f..%2fetc"])
def test_a_view_of_no_bundle_is_refused(client: TestClient, query: str) -> None:
    is_problem(client.get(f"/api/v1/select{query}"), 422)
    is_problem(client.post("/api/v1/select", json={"bundle": query}), 422)


# The server


def test_a_server_that_is_opening_its_bundles_says_so() -> None:
    client = TestClient(Starlette(routes=routes(lambda: None, FREE)))
    assert client.get("/healthz").json() == {"status": "ok"}
    for answer in (client.get("/readyz"), ask(client, [POINT]), client.get("/api/v1/bundles")):
        is_problem(answer, 503)
        assert answer.headers["retry-after"] == "2"


def test_a_server_with_bundles_is_ready(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "bundles": 1}


def test_other_sites_get_nothing_and_no_cookie_is_set(client: TestClient) -> None:
    answer = client.get("/api/v1/bundles", headers={"origin": "https://example.org"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_pages_load_scripts_and_pictures_from_their_server_only() -> None:
    def page(_: Request) -> Response:
        return Response("<p>")

    middleware = [Middleware(PageHeaders)]
    pages = Starlette(routes=[Route("/", page), *routes(lambda: None, FREE)], middleware=middleware)
    client = TestClient(pages)
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert policy["script-src"].startswith("'self' blob: 'sha256-")
    assert policy["img-src"] == "'self' data: blob:"
    assert headers["referrer-policy"] == "same-origin"
    assert "sandbox" in client.get("/healthz").headers["content-security-policy"]


def test_points_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        ask(client, [{"m": 543.21234, "g": 0.5}])
        ask(client, [{"m": "543.21234", "g": 0.5}])
    assert "543.21234" not in caplog.text


def test_the_description_is_valid_and_names_the_inputs(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    point = document["components"]["schemas"]["point-toy-1.0.0-region"]
    assert point["required"] == ["m", "g"]
    assert point["properties"]["m"]["description"].startswith("mass [GeV]")


@pytest.fixture(scope="module")
def described(app: Starlette) -> Any:
    """Read the description of the server, which schemathesis then plays through."""
    refusals = {"expected-statuses": [400, 404, 405, 406, 413, 415, 422]}
    config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": refusals}})
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, config=config)


OPERATIONS = [
    ("POST", PREDICT),
    ("GET", "/api/v1/select"),
    ("POST", "/api/v1/select"),
    ("GET", "/api/v1/bundles"),
    ("GET", "/api/v1/bundles/{key}"),
    ("GET", "/api/v1/bundles/{key}/files/{name}"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("GET", "/v2/models/{name}"),
    ("GET", "/v2/models/{name}/ready"),
    ("POST", INFER),
    ("GET", "/v2/models/{name}/versions/{version}"),
    ("GET", "/v2/models/{name}/versions/{version}/ready"),
    ("POST", "/v2/models/{name}/versions/{version}/infer"),
]
# Nothing but a body can be other than described: an address is text, and all text is allowed.
PLAYS = [(*each, GenerationMode.POSITIVE) for each in OPERATIONS]
PLAYS += [("POST", path, GenerationMode.NEGATIVE) for path in (PREDICT, INFER)]


def test_every_operation_is_played_through(described: Any) -> None:
    found = {(each.ok().method.upper(), each.ok().path) for each in described.get_all_operations()}
    # The description's own address is no operation to schemathesis unless it is asked for.
    assert found | {("GET", "/api/v1/openapi.json")} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("method", "path", "mode"), PLAYS, ids=[f"{mode.value} {path}" for _, path, mode in PLAYS]
)
def test_the_server_does_what_its_description_says(
    described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method]
    # No schema says that tensors are as long as their shapes, or that each input is there once.
    skipped = [positive_data_acceptance] if path.endswith("/infer") else []

    @settings(
        max_examples=100 if path == PREDICT else 20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def play(case: Any) -> None:
        case.call_and_validate(excluded_checks=skipped)

    play()


@pytest.fixture(scope="module")
def address(app: Starlette) -> Iterator[str]:
    """Serve the application on this machine by uvicorn."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def test_fifty_clients_at_once_get_their_own_answers(address: str, trained: Path) -> None:
    masses = [100.0 + 17.0 * number for number in range(50)]
    expected = open_bundle(trained).predictor().verdicts({"m": masses, "g": 0.5})

    def visit(number: int) -> list[Any]:
        with requests.Session() as session:
            point = {"m": masses[number], "g": 0.5, "id": str(number)}
            body = {"bundle": "toy", "points": [point]}
            answers = [session.post(f"{address}{PREDICT}", json=body) for _ in range(4)]
            return [answer.json()["points"][0] for answer in answers]

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(visit, range(50)))
    for number, rows in enumerate(found):
        for row in rows:
            assert row["id"] == str(number)
            assert expected[number].to_dict().items() <= row.items()


def test_a_large_question_does_not_hold_up_small_ones(address: str) -> None:
    large = {"bundle": "toy", "points": [POINT] * 10_000}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.post, f"{address}{PREDICT}", json=large, timeout=60)
        answers = 0
        while not slow.done():
            assert requests.get(f"{address}/healthz", timeout=60).status_code == 200
            answers += 1
    assert slow.result().status_code == 200
    assert len(slow.result().json()["points"]) == 10_000
    assert answers >= 2


def test_a_body_in_chunks_is_cut_off_by_a_real_server(address: str) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(400):
            yield b" " * 100_000

    headers = {"content-type": "application/json"}
    try:
        answer = requests.post(f"{address}{PREDICT}", data=parts(), headers=headers, timeout=30)
    except requests.ConnectionError:
        return  # The server closed the connection while the body was still being sent.
    is_problem(answer, 413)


# The server as it is deployed


ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "app"
_NOT_INSTALLED = ("torch", "sklearn", "xgboost", "skl2onnx", "scipy")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start `limen app` on the example where no training library is; give address and log."""
    from limen.demonstration import make_example
    from limen.training import train

    folder = tmp_path_factory.mktemp("deployed")
    bundle = make_example(folder / "bsll10", n=400, toys=10)
    train(bundle, "outside_95cr", name="region", options={"n_estimators": 20})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({_NOT_INSTALLED!r})); "
        f"from limen.cli import main; main(['app', {str(bundle.path)!r}, '--port', '{port}'])"
    )
    environment = os.environ | {"LIMEN_CACHE": str(folder / "cache"), "HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [sys.executable, "-c", code], stdout=stream, stderr=stream, env=environment
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(server, address, log)
        yield address, log
    finally:
        server.terminate()
        server.wait(20)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    while True:
        assert server.poll() is None, log.read_text()
        try:
            if requests.get(f"{address}/readyz", timeout=30).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.1)


def test_the_commands_of_the_page_on_rest_run(
    deployed: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the page calls curl, which is not here")
    monkeypatch.chdir(tmp_path)
    blocks = FENCE.findall((DOCS / "rest.md").read_text(encoding="utf-8"))
    ran = [
        subprocess.run(
            [*start, body.replace("http://127.0.0.1:8501", deployed[0])],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        for language, body in blocks
        if (start := STARTS.get(language))
    ]
    assert [done.stderr for done in ran if done.returncode] == []
    verdict = json.loads(ran[0].stdout)["points"][0]
    assert (verdict["id"], verdict["model"]) == ("C9 = -1", "region")
    assert "invalid_input" in ran[1].stdout
    assert len((tmp_path / "start.bin").read_bytes()) == 100


def test_the_refusal_on_the_page_is_the_servers(deployed: tuple[str, Path]) -> None:
    blocks = dict(FENCE.findall((DOCS / "rest.md").read_text(encoding="utf-8")))
    names = open_bundle(deployed[1].parent / "bsll10").model().input_names
    point = {name: 0.0 for name in names if name != "C9_bsmumu"} | {"C9": 0.0}
    body = {"bundle": "bsll10", "points": [point]}
    answer = requests.post(f"{deployed[0]}{PREDICT}", json=body, timeout=30)
    assert answer.json() == json.loads(blocks["json"])


def test_pages_and_rest_share_one_process(deployed: tuple[str, Path]) -> None:
    address, _ = deployed
    page = requests.get(f"{address}/predict?p.m=543.21234", timeout=30)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    is_problem(requests.get(f"{address}/api/v1/m=543.21234", timeout=30), 404)
    assert requests.get(f"{address}/_stcore/health", timeout=30).status_code == 200


def test_neither_addresses_nor_points_are_in_the_log(deployed: tuple[str, Path]) -> None:
    address, log = deployed
    requests.get(f"{address}/predict?p.m=543.21234", timeout=30)
    requests.post(f"{address}{PREDICT}", json={"bundle": "bsll10", "points": [{"C9": 543.21234}]})
    requests.post(f"{address}{PREDICT}", data=b"543.21234", timeout=30)
    assert "543.21234" not in log.read_text()
    assert log.read_text().count("\n") <= 2


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.org/limen/browse", "https://example.org/limen"),
        ("https://example.org/limen/", "https://example.org/limen"),
        ("http://127.0.0.1:8501/predict?p.m=1/2", "http://127.0.0.1:8501"),
        ("http://127.0.0.1:8501", "http://127.0.0.1:8501"),
        (None, ""),
    ],
)
def test_links_lead_below_the_path_that_a_proxy_gives(
    monkeypatch: pytest.MonkeyPatch, url: str | None, origin: str
) -> None:
    from limen_app import visiting

    monkeypatch.setattr(visiting, "st", SimpleNamespace(context=SimpleNamespace(url=url)))
    assert visiting.origin() == origin


def test_every_limit_is_on_the_page_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "deploy.md").read_text(), re.MULTILINE)
    assert dict(rows) == {
        f"LIMEN_APP_{field.name.upper()}": str(field.default) for field in fields(Limits)
    }


def test_the_image_holds_what_a_wheel_needs_and_no_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = set(re.search(r"^COPY (pyproject.*) \./$", text, re.MULTILINE)[1].split())
    copied |= set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())
    target = build["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in (*target["packages"], *target["force-include"])}
    needed |= {build["project"]["readme"], *build["project"]["license-files"], "constraints.txt"}
    assert needed <= copied
    kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied <= kept
    assert "'.[app]'" in text
    assert "\nUSER limen\n" in text
    command = json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1])
    assert command[0] == "app"
    assert "/healthz" in text
