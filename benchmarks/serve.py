"""REST under load: fifty clients for a minute, beside a bare route that runs the same graph."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Table

import limen
from limen.demonstration.making import make_example

CLIENTS = 50
SECONDS = 60.0
ROUNDS = 2
LARGE = 10_000
TRIES = 5
PLACES = "LIMEN_APP_PLACES"
GRAPH = "LIMEN_BENCH_GRAPH"
TARGETS = {
    "limen app, POST /api/v1/predict": "limen_app.serving:application",
    "bare Starlette route, the same onnxruntime call": "serve:bare",
}


def bare() -> Any:
    """Make the peer: an application whose one route runs the graph, without any check."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from limen.graph import Session

    session = Session(os.environ[GRAPH])

    def answer(document: Any) -> Any:
        points = [list(point.values()) for point in document["points"]]
        said = session.run(np.array(points, dtype=session.dtype))
        return {"probability": said["probability"][:, 1].tolist()}

    async def predict(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(answer, await request.json()))

    return Starlette(routes=[Route("/api/v1/predict", predict, methods=["POST"])])


@dataclass(slots=True)
class Load:
    """What clients saw: latencies [s], refusals, and how long it took [s]."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Give what the table shows."""
        p50, p99 = np.quantile(self.latencies, [0.5, 0.99]) * 1000
        return {
            "requests": len(self.latencies),
            "errors": self.errors,
            "requests / s": round(len(self.latencies) / self.seconds),
            "p50 [ms]": round(float(p50), 1),
            "p99 [ms]": round(float(p99), 1),
            "slowest [ms]": round(1000 * max(self.latencies), 1),
        }


def measure(folder: Path) -> list[Table]:
    """Serve the example's bundle and its graph, ask both for a minute a round, then at once."""
    bundle = make_example(folder / "bsll10", n=20_000, toys=100)
    limen.train(bundle, "outside_95cr", estimator="boosted", name="region")
    points = _points(bundle, LARGE)
    small = [_request({"bundle": "bsll10", "points": [point]}) for point in points[:1000]]
    large = _request({"bundle": "bsll10", "points": points})
    environment = {PLACES: json.dumps([str(bundle.path)]), GRAPH: str(bundle.part("region.onnx"))}
    loads: dict[str, list[Load]] = {name: [] for name in TARGETS}
    batches: dict[str, list[float]] = {name: [] for name in TARGETS}
    busy = f"Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    with _servers(environment) as ports:
        for _ in range(ROUNDS):
            for name, port in ports.items():
                loads[name].append(asyncio.run(_load(port, small, SECONDS)))
        for _ in range(TRIES):
            for name, port in ports.items():
                batches[name].append(asyncio.run(_once(port, large)))
    return [_load_table(loads, busy), _batch_table(batches, busy)]


def _load_table(loads: dict[str, list[Load]], busy: str) -> Table:
    table = Table(
        f"REST: {CLIENTS} clients at once for {SECONDS:.0f} s, one point a request",
        f"One server process each on this machine, which runs the clients too; {ROUNDS} rounds of "
        "both in turn, the round of median throughput shown, errors of all rounds. Limen checks "
        "names and units, decides domain, conformal set and confidence, and answers with reasons "
        f"and what to cite; the bare route returns a number. The ratio is of requests / s. {busy}",
    )
    middle = {
        name: sorted(rounds, key=lambda load: len(load.latencies))[len(rounds) // 2]
        for name, rounds in loads.items()
    }
    ours = next(iter(middle.values()))
    for name, load in middle.items():
        ratio = (len(ours.latencies) / ours.seconds) / (len(load.latencies) / load.seconds)
        errors = {"errors": sum(one.errors for one in loads[name])}
        table.add(name, load.figures() | errors | {"ours / this": round(ratio, 2)})
    return table


def _batch_table(batches: dict[str, list[float]], busy: str) -> Table:
    table = Table(
        f"REST: {LARGE} points in one request",
        f"As above; medians of {TRIES} requests in turn, seconds from the first byte sent to the "
        f"last received. {busy}",
    )
    ours = statistics.median(next(iter(batches.values())))
    for name, seconds in batches.items():
        median = statistics.median(seconds)
        figures = {"seconds": round(median, 2), "points / s": round(LARGE / median)}
        table.add(name, figures | {"time / ours": round(median / ours, 2)})
    return table


def _points(bundle: limen.Bundle, n: int) -> list[dict[str, float]]:
    names = bundle.model().input_names
    with bundle.open_scan() as scan:
        columns = scan.read(list(names), 0, n)
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _request(document: Any) -> bytes:
    body = json.dumps(document).encode()
    head = (
        "POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def _servers(environment: dict[str, str]) -> Iterator[dict[str, int]]:
    """Start a server for each target, each in its process, and give their ports."""
    started, ports = [], {}
    try:
        for name, factory in TARGETS.items():
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports[name] = probe.getsockname()[1]
            line = [sys.executable, "-m", "uvicorn", "--factory", factory]
            line += ["--port", str(ports[name]), "--log-level", "error", "--no-access-log"]
            here = str(Path(__file__).parent)
            started.append(subprocess.Popen(line, cwd=here, env=os.environ | environment))
        for port in ports.values():
            _wait(port)
        yield ports
    finally:
        for process in started:
            process.terminate()
            process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        except OSError:
            time.sleep(0.2)
    time.sleep(5)  # The bundles are opened beside the first answers.


async def _load(port: int, requests: list[bytes], seconds: float) -> Load:
    """Ask with all clients until the time is over."""
    load = Load()
    start = time.perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while time.perf_counter() - start < seconds:
            begun = time.perf_counter()
            writer.write(requests[turn % len(requests)])
            status = await _answered(reader)
            load.latencies.append(time.perf_counter() - begun)
            load.errors += status != 200
            turn += CLIENTS
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    load.seconds = time.perf_counter() - start
    return load


async def _once(port: int, request: bytes) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.perf_counter()
    writer.write(request)
    status = await _answered(reader)
    writer.close()
    if status != 200:
        raise AssertionError(f"found status {status}, allowed 200")
    return time.perf_counter() - begun


async def _answered(reader: asyncio.StreamReader) -> int:
    """Read one answer whole, and give its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split(" ", 2)[1])
