"""The documentation: its commands run, its pages are complete, its site builds without a warning."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result

from limen.cli import main
from limen.cli.running import EXIT_CODES, PARTLY, REFUSED
from limen.readers.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# The commands of the other examples are tested where their subject is.
EXAMPLES = [
    ROOT / "examples" / name / "README.md" for name in ("campaigns", "gambit", "pyhf", "slha")
]
ZENODO = sorted(DOCS.glob("zenodo/*.md"))
STARTS = [DOCS / "get-started.md", DOCS / "campaigns" / "index.md"]
PAGES = [*STARTS, *sorted(DOCS.glob("sources/*.md")), *ZENODO, *EXAMPLES]
VERBS = main.list_commands(None)  # type: ignore[arg-type]
DATA = "LIMEN_SHARED_DATA"
FENCE = re.compile(r"^```(\w+(?: exec)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^(limen (?:.*\\\n)*.*\n)", re.MULTILINE)
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "build")
# What a browser loads by itself; a link that a reader may follow is none of it.
LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link[^>]*\srel=["']?(?:stylesheet|preconnect|icon|preload)[^>]*\shref=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


def named(page: Path) -> str:
    """Name a page in the tests."""
    return str(page.relative_to(ROOT))


def blocks(page: str) -> list[tuple[str, str]]:
    """Give what a page has run, in the order of reading: language and text of each block."""
    return [found for found in FENCE.findall(page) if found[0] in ("sh", "python exec")]


def steps(block: str) -> list[str]:
    """Part a block of shell into calls of limen and what stands between them."""
    return [step for step in CALL.split(block) if step.strip()]


def plain(step: str) -> list[str]:
    """Give the arguments of a call of limen that needs no shell; else nothing."""
    line = os.path.expandvars(step.replace("\\\n", " ")).strip()
    if not CALL.match(step):
        return []
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    return [] if any(set(word) <= set("();<>|&") for word in words) else shlex.split(line)[1:]


def run_block(language: str, body: str, limen: Callable[..., Result]) -> None:
    """Run a block; what can be in this process, which saves the start of a program per call."""
    for step in steps(body) if language == "sh" else [body]:
        if call := plain(step):
            result = limen(*call)
            assert result.exit_code == 0, f"{step}: {result.output}"
            continue
        start = [sys.executable] if language != "sh" else ["bash", "-e", "-o", "pipefail"]
        line = [*start, "-c", step]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make what `limen demo` makes, with fewer rows and smaller models."""
    from limen.demonstration import make_example
    from limen.training import train

    path = tmp_path_factory.mktemp("demo") / "limen-demo"
    bundle = make_example(path / "bsll10", n=400, toys=10)
    for name, target in (("region", "outside_95cr"), ("loglike", "loglike")):
        train(bundle, target, name=name, options={"n_estimators": 20})
    return path


@pytest.fixture
def archives(small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in for Zenodo, which holds the example as 7000002, and for its sandbox."""
    from limen_zenodo import deposit, publish
    from standin import StandIn

    bundle = Path(shutil.copytree(small_demo / "bsll10", tmp_path / "published"))
    with StandIn() as zenodo, StandIn(doi_prefix="10.5072") as sandbox:
        places = {"zenodo": zenodo, "sandbox": sandbox}
        tables = [f'[{name}]\nurl = "{site.url}"\n' for name, site in places.items()]
        (tmp_path / "sites.toml").write_text("".join(tables), encoding="utf-8")
        monkeypatch.setenv("LIMEN_SITES", str(tmp_path / "sites.toml"))
        monkeypatch.setenv("ZENODO_SANDBOX_TOKEN", sandbox.token())
        with monkeypatch.context() as authors:
            authors.setenv("LIMEN_CACHE", str(tmp_path / "authors"))
            deposit(bundle, production=True, token=(token := zenodo.token()), deep=False)
            publish(bundle, production=True, token=token)
        yield


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_of_a_page_run(
    page: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    limen: Callable[..., Result],
) -> None:
    text = page.read_text(encoding="utf-8")
    home, place = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LIMEN_CACHE", str(home / "cache"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    if page in ZENODO:
        request.getfixturevalue("archives")
    if DATA in text:
        monkeypatch.setenv(DATA, str(request.getfixturevalue("shared_data").resolve()))
    if page.name == "README.md":
        shutil.copytree(page.parents[1], tmp_path / "examples", ignore=_NOT_COPIED)
        place = tmp_path / "examples" / page.parent.name
    else:
        place.mkdir()
    if "limen-demo/" in text:
        shutil.copytree(request.getfixturevalue("small_demo"), place / "limen-demo")
    monkeypatch.chdir(place)
    for language, body in blocks(text):
        run_block(language, body, limen)


def test_pages_are_read_block_by_block() -> None:
    page = "```console\n$ no\n```\n```sh\nlimen doctor\n```\n```python exec\nx = 1\n```\n```python\ny\n```\n"
    assert blocks(page) == [("sh", "limen doctor\n"), ("python exec", "x = 1\n")]


@pytest.mark.parametrize(
    ("step", "call"),
    [
        ("limen show a \\\n  --json\n", ["show", "a", "--json"]),
        ("limen select a --where 'm > 5'\n", ["select", "a", "--where", "m > 5"]),
        ("limen show a | head\n", []),
        ("cat b\n", []),
    ],
    ids=["continued", "quoted", "pipe", "other program"],
)
def test_calls_that_need_no_shell_are_told_from_others(step: str, call: list[str]) -> None:
    assert plain(step) == call


def test_a_block_is_parted_at_calls() -> None:
    block = "cat > a <<'END'\nx\nEND\nlimen pack a \\\n  -o b\nlimen check b\nls\n"
    assert steps(block) == [
        "cat > a <<'END'\nx\nEND\n",
        "limen pack a \\\n  -o b\n",
        "limen check b\n",
        "ls\n",
    ]


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


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_and_its_options_are_in_the_docs(name: str) -> None:
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if re.match(rf"\| [^|]*`{name}`", line))
    assert {word for word in FORMATS[name].options if f"`{word}`" not in row} == set()
    assert f"`{name}`" in (DOCS / "scan-document.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", sorted({code for _, code in EXIT_CODES} | {PARTLY, REFUSED}))
def test_every_exit_code_is_in_the_docs(code: int) -> None:
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {code} \| \w+", text, re.MULTILINE)


def test_the_short_scan_document_can_be_packed_and_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limen: Callable[..., Result]
) -> None:
    blocks = FENCE.findall((DOCS / "scan-document.md").read_text(encoding="utf-8"))
    document = next(body for language, body in blocks if language == "yaml")
    lines = shlex.split("\n".join(body for language, body in blocks if language == "sh"))
    rows = [f"{100 + row},{row % 10},{row % 7 / 10}" for row in range(60)]
    (tmp_path / "toy.csv").write_text("\n".join(["m,g,cls", *rows]), encoding="utf-8")
    (tmp_path / "scan.yaml").write_text(document, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert limen("pack", "scan.yaml", "-o", "mybundle").exit_code == 0
    starts = [place for place, word in enumerate(lines) if word == "limen"]
    for start, end in pairwise([*starts, len(lines)]):
        done = limen(*lines[start + 1 : end])
        assert done.exit_code == 0, done.output


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
        assert "```" not in text, path.name
        assert "\\|" not in text, path.name
        assert not re.search(r":(?:func|class|meth):<", text), path.name
    assert "Usage: limen predict" in (site / "reference" / "verbs.html").read_text()
    assert "One- or two-sided test" in (site / "reference" / "schemas.html").read_text()
    assert "Number of rows of the scan" in (site / "reference" / "python.html").read_text()
