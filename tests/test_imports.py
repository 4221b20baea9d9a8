# SPDX-License-Identifier: Apache-2.0
"""Imports go one way, and the light ones stay light."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import shrinkfit

PACKAGE = Path(shrinkfit.__file__).resolve().parent
# A room imports itself and the rooms before it. The files at the package's top are open to all.
ROOMS = ("device", "graph", "read", "price", "fit", "report", "write", "check", "audio", "cli")
HEAVY = ("tensorflow", "keras", "tf_keras", "matplotlib", "scipy", "tensorflow_model_optimization", "unicorn")
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem == "cli")


def imported_names(source: str, module: str) -> set[str]:
    """Absolute names of all that a module imports, inside functions too, but not for type checkers only."""
    tree = ast.parse(source)
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }
    names = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def rooms_of(names: set[str]) -> set[str]:
    parts = (name.split(".") for name in names if name.startswith("shrinkfit."))
    return {part[1] for part in parts if part[1] in ROOMS}


def upward(source: str, module: str) -> set[str]:
    room = module.split(".")[1]
    return {other for other in rooms_of(imported_names(source, module)) if ROOMS.index(other) > ROOMS.index(room)}


def module_name(path: Path) -> str:
    """shrinkfit.price.arena; a package's __init__ counts as a module in it, which relative imports expect."""
    return ".".join(("shrinkfit", *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_upward_import(path):
    module = module_name(path)
    bad = upward(path.read_text(encoding="utf-8"), module)
    assert not bad, f"{module} imports {bad}, which come after it in {ROOMS}"


@pytest.mark.parametrize(
    "source",
    [
        "import shrinkfit.price.cost",
        "from shrinkfit.price import cost",
        "from shrinkfit import price",
        "from ..price.cost import price",
        "def f():\n    from shrinkfit.price.cost import price",
    ],
)
def test_upward_import_is_found(source):
    assert upward(source, "shrinkfit.graph.ir") == {"price"}
    assert upward(source, "shrinkfit.fit.callback") == set()


def test_every_folder_is_a_known_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert folders <= set(ROOMS)


def test_only_one_file_imports_tfmot():
    users = [
        module_name(path)
        for path in FILES
        if any("tensorflow_model_optimization" in n for n in imported_names(path.read_text(), module_name(path)))
    ]
    assert users in ([], ["shrinkfit.fit.tfmot"])


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    ).stdout


@pytest.mark.parametrize(
    "statement", ["import shrinkfit", "import shrinkfit.cli", "from shrinkfit import Device, devices"]
)
def test_import_is_light(statement):
    loaded = run_python(f"{statement}\nimport sys\nprint(*sys.modules)").split()
    assert not [name for name in HEAVY if name in loaded]


def test_every_public_name_resolves():
    assert set(shrinkfit.__all__) <= set(dir(shrinkfit))
    missing = [name for name in shrinkfit.__all__ if getattr(shrinkfit, name, None) is None]
    assert not missing


def test_unknown_attribute_is_named():
    with pytest.raises(AttributeError, match="no attribute 'squeeze'"):
        shrinkfit.squeeze  # noqa: B018


@pytest.mark.parametrize("verb, module", [("price", "shrinkfit.price.cost"), ("check", "shrinkfit.check.compare")])
def test_rooms_named_like_functions_stay_callable(verb, module, monkeypatch):
    home = importlib.import_module(module)
    monkeypatch.setattr(home, verb, lambda *args, **kwargs: (args, kwargs))
    for room in (getattr(shrinkfit, verb), importlib.import_module(f"shrinkfit.{verb}")):
        assert room("model", device="efm32") == (("model",), {"device": "efm32"})
