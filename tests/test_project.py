"""The project itself: what is installed, what is documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from limen.cli import main

ROOT = Path(__file__).resolve().parents[1]


def verbs() -> dict[str, click.Command]:
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    for name, command in list(found.items()):
        if isinstance(command, click.Group):
            inner = {
                word: command.get_command(context, word) for word in command.list_commands(context)
            }
            found |= {f"{name} {word}": each for word, each in inner.items()}
    return {name: command for name, command in found.items() if command is not None}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_every_verb_and_option_is_in_the_docs():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for name, command in verbs().items():
        line = next((row for row in text.splitlines() if row.startswith(f"| `limen {name} ")), "")
        assert line or f"`limen {name}" in text, f"limen {name} is not documented"
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option not in ("--help", "--format", "--option"):
                    assert option in line or option in text, f"limen {name} {option}"


def test_every_verb_says_what_it_does():
    for name, command in verbs().items():
        assert command.help, name
        assert all(p.help for p in command.params if isinstance(p, click.Option)), name


def test_the_readme_names_its_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_links_between_documents_lead_somewhere():
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_wheel_holds_the_schemas_and_the_three_packages(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("bundle", "catalogue", "column", "model-card", "probe", "scan-document"):
        assert f"limen/schemas/1.0/{name}.schema.json" in names
    for name in ("limen/py.typed", "limen/data/bsll10.json", "limen_zenodo/__init__.py"):
        assert name in names
    assert "limen_zenodo/catalogue.json" in names
    assert "limen_app/__init__.py" in names


def test_the_schemas_are_found_in_a_wheel_and_in_a_checkout(wheel: Path, tmp_path: Path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from limen import resources, schema; print(resources.schemas_path());"
        "print(len(schema.faults({}, 'bundle')) > 3)"
    )
    for place in (tmp_path, ROOT / "toolkit"):
        environment = os.environ | {"PYTHONPATH": str(place)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found, right = done.stdout.split()
        assert Path(found).is_relative_to(tmp_path if place == tmp_path else ROOT / "schemas")
        assert right == "True"


def test_importing_limen_loads_nothing_heavy():
    code = "import sys, limen; print(sorted(set(sys.modules) & {'numpy', 'xarray', 'onnxruntime'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_names_a_registry():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    hosts = re.compile("|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.org")))
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2**20:
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not hosts.search(text), f"{name} names a registry"
