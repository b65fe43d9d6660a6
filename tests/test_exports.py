"""Public names: every package says what it offers, sorted, and offers all of it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import limen
import limen_zenodo

FOUND = {
    module.name: module.ispkg
    for package in (limen, limen_zenodo)
    for module in pkgutil.walk_packages(
        package.__path__, f"{package.__name__}.", onerror=lambda name: None
    )
}
MODULES = sorted(name for name in FOUND if not name.rpartition(".")[2].startswith("_"))
PACKAGES = [name for name in MODULES if FOUND[name]]
CONTRACT = {
    "Bundle",
    "Column",
    "LimenError",
    "ModelCard",
    "Predictor",
    "Report",
    "Verdict",
    "Verdicts",
    "add_model",
    "check",
    "diff",
    "export",
    "make_bundle",
    "open_bundle",
    "pack",
    "read",
    "select",
    "train",
}


def test_the_package_exports_the_names_of_the_contract():
    assert set(limen.__all__) == CONTRACT


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_every_public_name_is_there_and_described(name):
    thing = getattr(limen, name)
    assert thing.__doc__
    assert thing.__module__.startswith("limen.")


def test_dir_lists_the_public_names():
    assert set(limen.__all__) <= set(dir(limen))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = limen.nothing


@pytest.mark.parametrize("package", [limen, limen_zenodo], ids=lambda p: p.__name__)
def test_the_names_for_type_checkers_are_those_of_the_package(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    named = {alias.asname or alias.name for node in block.body for alias in node.names}
    assert named == set(package.__all__)
    assert all(getattr(package, name).__doc__ for name in package.__all__)


def in_order(name):
    """Constants, then classes, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_sorted_list_of_names_that_exist(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__, key=in_order) == list(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    for exported in module.__all__:
        assert hasattr(module, exported)
    assert module.__doc__


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_only_exports_again(name):
    package = importlib.import_module(name)
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    assert all(isinstance(node, allowed) for node in tree.body)
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert imported == set(package.__all__)


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, limen\n"
        "import limen.cli, limen.prediction, limen.bundle, limen.training, limen_zenodo.client\n"
        "heavy = {'xarray', 'pandas', 'zarr', 'onnx', 'onnxruntime', 'sklearn', 'xgboost', 'skl2onnx',\n"
        "         'pyarrow', 'jsonschema', 'torch', 'scipy', 'requests', 'pooch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
