"""A small scan and bundles made of it, shared by the tests; and where the real data lie."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

N = 400
THRESHOLD = 5.99

DOCUMENT: dict[str, Any] = {
    "id": "toy",
    "version": "1.0.0",
    "title": "A likelihood of a mass and a coupling",
    "description": "Made up for tests.",
    "licences": {"data": "CC0-1.0"},
    "creators": [{"name": "Doe, Jane"}],
    "tables": [
        {
            "name": "scan",
            "sampling": [{"sampler": "random", "prior": "uniform in the box"}],
            "columns": [
                {"name": "m", "role": "parameter", "unit": "GeV", "label": "mass"},
                {"name": "g", "role": "parameter", "unit": "1", "label": "coupling"},
                {"name": "ok", "role": "mask", "unit": "1"},
                {"name": "xsec", "role": "observable", "unit": "fb", "valid": "ok"},
                {
                    "name": "loglike",
                    "role": "likelihood",
                    "quantity": "log_likelihood",
                    "unit": "1",
                    "statistics": {"normalisation": "full", "nuisances": "none"},
                },
                {
                    "name": "delta_chi2",
                    "role": "likelihood",
                    "quantity": "delta_chi2",
                    "unit": "1",
                    "derived": "2 * (max_over_points(loglike) - loglike)",
                    "statistics": {
                        "normalisation": "ratio_to_best",
                        "nuisances": "none",
                        "reference": {"set": "scan"},
                    },
                },
                {
                    "name": "outside",
                    "role": "label",
                    "quantity": "outside_region",
                    "unit": "1",
                    "definition": {
                        "text": "outside the joint 95 % region",
                        "column": "delta_chi2",
                        "comparison": ">",
                        "threshold": THRESHOLD,
                    },
                    "statistics": {"confidence_level": 0.95, "construction": "delta_chi2"},
                },
            ],
        }
    ],
    "benchmarks": [
        {
            "name": "centre",
            "point": {"m": 550.0, "g": 0.5},
            "expected": {"outside": "inside_region"},
            "reference": "by construction",
        }
    ],
}


def _columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    m, g = rng.uniform(100.0, 1000.0, N), rng.uniform(0.0, 1.0, N)
    ok = rng.random(N) < 0.9
    return {
        "m": m,
        "g": g,
        "ok": ok,
        "xsec": np.where(ok, 1e4 / m, np.nan),
        "loglike": -((m - 550.0) ** 2) / 4e4 - 20.0 * (g - 0.5) ** 2,
    }


@pytest.fixture
def document() -> dict[str, Any]:
    """Give a scan document without ``read``; a copy to change."""
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    """Give the columns of the small scan; copies to change."""
    return _columns()


@pytest.fixture
def column_of() -> Callable[[dict[str, Any], str], dict[str, Any]]:
    """Find a column's entry in a scan document or a manifest."""

    def find(document: dict[str, Any], name: str) -> dict[str, Any]:
        return next(c for c in document["tables"][0]["columns"] if c["name"] == name)

    return find


@pytest.fixture
def write_source(tmp_path: Path) -> Callable[..., Path]:
    """Write a scan document with its CSV file, and give the document's path."""
    import yaml

    def write(document: dict[str, Any], text: str | bytes, name: str = "data.csv") -> Path:
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / name).write_bytes(data)
        path = tmp_path / "scan.yaml"
        whole = document | {"read": [{"files": [name]}]}
        path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack the small scan once; not to be changed."""
    from limen.packing import make_bundle

    path = tmp_path_factory.mktemp("packed") / "toy"
    make_bundle(DOCUMENT, _columns(), path)
    return path


@pytest.fixture(scope="session")
def trained(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small forest on the small scan once; not to be changed."""
    from limen.bundle import open_bundle
    from limen.training import train

    path = tmp_path_factory.mktemp("trained") / "toy"
    shutil.copytree(packed, path)
    train(open_bundle(path), "outside", name="region", options={"n_estimators": 20})
    return path


@pytest.fixture
def bundle_path(packed: Path, tmp_path: Path) -> Path:
    """Give a copy of the packed bundle."""
    return Path(shutil.copytree(packed, tmp_path / "bundle"))


@pytest.fixture
def model_path(trained: Path, tmp_path: Path) -> Path:
    """Give a copy of the bundle with the model ``region``."""
    return Path(shutil.copytree(trained, tmp_path / "bundle"))


@pytest.fixture
def limen() -> Callable[..., Result]:
    """Call the command line in this process."""
    from limen.cli import main

    def call(*arguments: Any, **options: Any) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], **options)

    return call


@pytest.fixture
def sign() -> Callable[..., None]:
    """Correct the manifest's entries for changed files, as a hostile publisher would."""
    from limen import schema
    from limen.bundle import file_entry

    def correct(path: Path, *names: str) -> None:
        manifest = schema.load_json(path / "bundle.json")
        for name in names:
            role = manifest["files"][name]["role"]
            manifest["files"][name] = file_entry(path / name, role)
        (path / "bundle.json").write_bytes(schema.canonical_json(manifest))

    return correct


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a file system of a few kilobytes; skips where that is not allowed."""
    import subprocess

    mounted: list[Path] = []

    def mount(kilobytes: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        line = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(place)]
        if shutil.which("mount") is None or subprocess.run(line, capture_output=True).returncode:
            pytest.skip("a file system cannot be mounted here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start an archive on this machine that is Zenodo to Limen, with a fresh cache and no token."""
    from standin import StandIn

    with StandIn() as site:
        text = (
            f'[zenodo]\nurl = "{site.url}"\nresolver = "{site.resolver}"\n'
            'doi_prefix = "10.5281/zenodo."\n'
            f'[elsewhere]\nurl = "{site.url}"\nresolver = "{site.resolver}"\n'
            'doi_prefix = "10.1234/else."\n'
        )
        path = tmp_path / "sites.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("LIMEN_SITES", str(path))
        monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "cache"))
        for name in ("ZENODO_TOKEN", "ZENODO_SANDBOX_TOKEN", "LIMEN_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield site


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give a function that opens a page of an app that offers some places."""
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from limen_app.offering import announce

    main = Path(__file__).parents[1] / "app" / "limen_app" / "main.py"

    def open_page(page: str, *places: Path | str, **query: str) -> AppTest:
        monkeypatch.setenv("LIMEN_APP_PLACES", "")
        announce([str(place) for place in places])
        app = AppTest.from_file(str(main), default_timeout=60)
        app._page_hash = calc_hash("" if page == "home" else page)
        for name, value in query.items():
            app.query_params[name.replace("__", ".")] = value
        return app.run()

    return open_page


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of the real data."""
    default = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("LIMEN_SHARED_DATA", default))
    if not path.is_dir():
        pytest.skip(f"no real data at {path}; set LIMEN_SHARED_DATA to their folder")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Give the browser of this machine."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium here: pages are not tested in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
