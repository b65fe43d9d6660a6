"""The documentation: its commands run, its pages are complete, its site builds without a warning."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from limen.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Those that train models; the commands of the others are tested where their subject is.
LONG = ("gambit", "pyhf")
EXAMPLES = [ROOT / "examples" / name / "README.md" for name in ("gambit", "pyhf", "slha")]
PAGES = [DOCS / "get-started.md", *sorted(DOCS.glob("sources/*.md")), *EXAMPLES]


def named(page: Path) -> str:
    """Name a page in the tests."""
    return str(page.relative_to(ROOT))


VERBS = main.list_commands(None)  # type: ignore[arg-type]
DATA = "LIMEN_SHARED_DATA"
FENCE = re.compile(r"^```(\w+(?: exec)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "build")
# What a browser loads by itself; a link that a reader may follow is none of it.
LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link[^>]*\srel=["']?(?:stylesheet|preconnect|icon|preload)[^>]*\shref=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


def script(page: str) -> str:
    """Make one script of a page's commands, in the order of reading."""
    parts = []
    for language, body in FENCE.findall(page):
        if language == "sh":
            parts.append(body)
        elif language == "python exec":
            parts.append(f"python - <<'END_OF_BLOCK'\n{body}END_OF_BLOCK\n")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make what `limen demo` makes, with fewer rows and smaller models."""
    from limen.demonstration import make_example
    from limen.training import train

    path = tmp_path_factory.mktemp("demo") / "limen-demo"
    bundle = make_example(path / "bsll10", n=800, toys=30)
    for name, target in (("region", "outside_95cr"), ("loglike", "loglike")):
        train(bundle, target, name=name, options={"n_estimators": 20})
    return path


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.long] * (p.parent.name in LONG)) for p in PAGES],
    ids=named,
)
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    home, place = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
    }
    if DATA in text:
        environment[DATA] = str(request.getfixturevalue("shared_data").resolve())
    if page.name == "README.md":
        shutil.copytree(page.parents[1], tmp_path / "examples", ignore=_NOT_COPIED)
        place = tmp_path / "examples" / page.parent.name
    else:
        place.mkdir()
    if "limen-demo/" in text:
        shutil.copytree(request.getfixturevalue("small_demo"), place / "limen-demo")
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script(text)],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout


def test_pages_are_read_as_scripts() -> None:
    page = "```console\n$ no\n```\n```sh\nlimen doctor\n```\n```python exec\nx = 1\n```\n```python\ny\n```\n"
    assert script(page) == ("limen doctor\n\npython - <<'END_OF_BLOCK'\nx = 1\nEND_OF_BLOCK\n")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pages_show_no_command_that_does_not_exist(page: Path) -> None:
    verbs = set(VERBS) | {"--help", "--version"}
    bodies = [body for language, body in FENCE.findall(page.read_text()) if language != "text"]
    used = re.findall(r"^(?:\$ )?limen (\S+)", "\n".join(bodies), re.MULTILINE)
    assert set(used) <= verbs


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_docs(verb: str, generate: ModuleType) -> None:
    assert f"`limen {verb} " in (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert f"## limen {verb}\n" in generate.verbs()
    assert f"Usage: limen {verb} " in generate.verbs()


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """Load the hook that fills pages."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("split.seed", "Seed of the split"),
        ("statistics.reference.set", "`scan`, `box`, `refined`"),
        ("tables[].columns", "list of [column](#column)"),
        ("models", "list of [model-card](#model-card)"),
        ("files.NAME.sha256", "required"),
        ("dtype", "required"),
        ("domain.box[].low", "Smallest value trained on"),
        ("tolerance.mismatched_ppm", "in a million"),
    ],
)
def test_fields_of_the_schemas_are_described(path: str, words: str, generate: ModuleType) -> None:
    rows = [row for row in generate.schemas().splitlines() if row.startswith(f"| `{path}` ")]
    assert any(words in row for row in rows), rows


def test_every_field_of_the_schemas_is_described(generate: ModuleType) -> None:
    for row in generate.schemas().splitlines():
        if row.startswith("| `"):
            *_, meaning, _ = re.split(r"(?<!\\)\|", row)
            assert meaning.strip(), row


def test_a_mark_of_an_unknown_kind_is_an_error(generate: ModuleType) -> None:
    with pytest.raises(KeyError, match="wishes"):
        generate.fill("<!-- fill: wishes -->")


def test_every_public_name_is_in_the_reference() -> None:
    import limen

    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^::: limen\.(\w+)$", text, re.MULTILINE)) - {"errors"} == set(
        limen.__all__
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site with warnings as errors."""
    for library in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(library, reason="the documentation needs the extra 'docs'")
    path = tmp_path_factory.mktemp("site") / "site"
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done: Any = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return path


def test_the_site_has_every_page_and_lists_it(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    for page in DOCS.glob("**/*.md"):
        name = page.relative_to(DOCS).with_suffix(".html").as_posix()
        assert (site / name).is_file()
        assert f'href="{name}"' in start, f"{name} is not in the navigation"


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for path in [*site.glob("**/*.html"), *site.glob("**/*.css")]:
        found = LOADED.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found}"


def test_links_within_the_site_lead_to_files(site: Path) -> None:
    for path in site.glob("**/*.html"):
        if path.name == "404.html":
            continue
        for target in re.findall(r'(?:href|src)="([^"#?]+)', path.read_text(encoding="utf-8")):
            if not re.match(r"(?:https?|mailto|data):", target):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_no_mark_and_no_markup_is_left_over(site: Path) -> None:
    for path in site.glob("**/*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<!-- fill" not in text
        assert not re.search(r":(?:func|class|meth):<", text), path.name
    assert "Usage: limen predict" in (site / "reference" / "verbs.html").read_text()
    assert "One- or two-sided test" in (site / "reference" / "schemas.html").read_text()
    assert "Number of rows of the scan" in (site / "reference" / "python.html").read_text()
