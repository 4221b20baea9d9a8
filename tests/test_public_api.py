# SPDX-License-Identifier: Apache-2.0
"""Public means documented: every name has a docstring and its types; what users import says all of its arguments."""

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import shrinkfit
from shrinkfit.graph import ir

PACKAGE = Path(shrinkfit.__file__).resolve().parent
ROOT = PACKAGE.parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if not re.search(r"/_(?!_init__\.py)", str(p.relative_to(ROOT))))
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.py")])
EXPORTED = sorted(set(shrinkfit.__all__) - {"__version__"})
Definition = ast.FunctionDef | ast.ClassDef


def definitions(source: str) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """Public functions and classes of a module and their public methods, each with the class that it is in."""
    found = [(node, None) for node in ast.parse(source).body]
    while found:
        node, owner = found.pop()
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node, owner
            if isinstance(node, ast.ClassDef):
                found += [(inner, node) for inner in node.body]


def base_names(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).rpartition(".")[2] for base in node.bases]


TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
CLASSES = {node.name: node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def inherits_docstring(method: str, owner: ast.ClassDef | None) -> bool:
    for base in base_names(owner) if owner else ():
        if base == "Callback" and method.startswith(("on_", "set_")):
            return True  # Keras says what its hooks are.
        found = CLASSES.get(base)
        if found and (has_docstring(method, found) or inherits_docstring(method, found)):
            return True
    return False


def has_docstring(method: str, owner: ast.ClassDef) -> bool:
    return any(isinstance(n, ast.FunctionDef) and n.name == method and ast.get_docstring(n) for n in owner.body)


def lacks_types(node: Definition, owner: ast.ClassDef | None) -> list[str]:
    """What of a function's signature has no annotation."""
    if isinstance(node, ast.ClassDef):
        return []
    given = node.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    is_static = any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)
    own = parameters[1:] if owner and not is_static else parameters
    missing = [one.arg for one in own if one is not None and one.annotation is None]
    return missing + ["what it returns"] * (node.returns is None)


def problems(source: str) -> list[str]:
    found = []
    for node, owner in definitions(source):
        name = f"{owner.name}.{node.name}" if owner else node.name
        if not ast.get_docstring(node) and not inherits_docstring(node.name, owner):
            found.append(f"line {node.lineno}: {name} has no docstring")
        found += [f"line {node.lineno}: {name} lacks the type of {what}" for what in lacks_types(node, owner)]
    return sorted(found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_names_have_docstrings_and_types(path):
    found = problems(path.read_text(encoding="utf-8"))
    assert found == []


SAMPLE = '''
class Base:
    """One."""
    def known(self) -> int:
        """Two."""
class Own(Base):
    """Three."""
    def known(self): ...
    def new(self, a, *, b: int = 0) -> int: ...
    def _hidden(self, c): ...
def function() -> None:
    """Four."""
'''


def test_what_is_missing_is_found(monkeypatch):
    monkeypatch.setitem(CLASSES, "Base", ast.parse(SAMPLE).body[0])
    assert problems(SAMPLE) == [
        "line 8: Own.known lacks the type of what it returns",
        "line 9: Own.new has no docstring",
        "line 9: Own.new lacks the type of a",
    ]


# What prose calls shrinkfit.SOMETHING and is no name of the package: modules, the C header, the project's files.
OTHER = {p.stem for p in PACKAGE.iterdir()} - set(shrinkfit.__all__) | {"h", "toml"}


def names_used(text: str) -> set[str]:
    """Of shrinkfit itself, in prose and code."""
    used = set(re.findall(r"\bshrinkfit\.([A-Za-z]\w*)", text))
    for listed in re.findall(r"from shrinkfit import (\([^)]*\)|[^\n]*)", text):
        used |= set(re.findall(r"(?<!as )\b[A-Za-z]\w*(?! as)", listed.partition("#")[0])) - {"as"}
    return used - OTHER


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_use_public_names_only(path):
    assert names_used(path.read_text(encoding="utf-8")) <= set(shrinkfit.__all__)


def test_names_used_are_found():
    text = "`shrinkfit.price()`, shrinkfit.h, shrinkfit.graph.ir\nfrom shrinkfit import Budget, squeeze  # both"
    assert names_used(text) == {"price", "Budget", "squeeze"}


def section(value: object, heading: str) -> str:
    """Its indented text, empty where there is none."""
    text = inspect.cleandoc(value.__doc__ or "") + "\n"
    found = re.search(rf"^{heading}:\n((?:(?:    .*)?\n)*)", text, re.MULTILINE)
    return found[1] if found else ""


def listed(value: object, heading: str) -> set[str]:
    """The names that a section's entries begin with: "first, second: what they are"."""
    entries = re.findall(r"^    (\w+(?:, \w+)*):", section(value, heading), re.MULTILINE)
    return {name for names in entries for name in names.split(", ")}


def callables() -> Iterator[tuple[str, object]]:
    """What users call: the exported functions and classes, and the methods that these classes have from the package."""
    for name in EXPORTED:
        home, attribute = shrinkfit._HOMES[name]
        value = inspect.unwrap(getattr(importlib.import_module(home), attribute))
        if inspect.isfunction(value) or not issubclass(value, Exception):
            yield name, value
        own = [cls for cls in getattr(value, "__mro__", ())[::-1] if cls.__module__.startswith("shrinkfit.")]
        for inner, method in itertools.chain(*(vars(cls).items() for cls in own)):
            if inspect.isfunction(method) and not inner.startswith(("_", "on_", "set_")):
                yield f"{name}.{inner}", method


CALLABLES = dict(callables())


@pytest.mark.parametrize("name", CALLABLES)
def test_exported_names_document_each_argument(name):
    wanted = set(inspect.signature(CALLABLES[name]).parameters) - {"self"}
    assert listed(CALLABLES[name], "Args") == wanted


@pytest.mark.parametrize("name", [name for name in EXPORTED if inspect.isfunction(CALLABLES.get(name))])
def test_exported_functions_say_what_they_return(name):
    returned = inspect.signature(CALLABLES[name]).return_annotation
    assert bool(section(CALLABLES[name], "Returns")) == (returned not in (None, "None"))


def small_graph() -> ir.Graph:
    tensors = {name: ir.Tensor(name, (1, 16)) for name in ("x", "y")}
    op = ir.Reshape(name="reshape", inputs=("x",), outputs=("y",), shape=(1, 16))
    return ir.Graph("small", tensors, (op,), ("x",), ("y",))


NOWHERE, SILENCE = Path("no such folder"), np.zeros(16, np.int16)
WRONG = {
    "Budget": lambda: shrinkfit.Budget(ram_bytes=0),
    "Device": lambda: shrinkfit.Device(name="mine", core=""),
    "Device.budget": lambda: shrinkfit.get_device("efm32").budget(ram_bytes=2**40),
    "FitDevice": lambda: shrinkfit.FitDevice("emf32"),
    "FitDevice.plot_widths": lambda: shrinkfit.FitDevice("efm32").plot_widths(NOWHERE / "fit.png"),
    "FitDevice.predict": lambda: shrinkfit.FitDevice("efm32").predict(SILENCE),
    "FitDevice.records": lambda: shrinkfit.FitDevice("efm32").records(),
    "FitDevice.summary": lambda: shrinkfit.FitDevice("efm32").summary(),
    "check": lambda: shrinkfit.check(NOWHERE),
    "check_sound": lambda: shrinkfit.check_sound(NOWHERE, SILENCE),
    "export": lambda: shrinkfit.export("nowhere.tflite", NOWHERE, name="hotword"),
    "get_device": lambda: shrinkfit.get_device("emf32"),
    "listen": lambda: shrinkfit.listen(NOWHERE, SILENCE),
    "load": lambda: shrinkfit.load(NOWHERE),
    "plot_fit": lambda: shrinkfit.plot_fit(shrinkfit.FitDevice("efm32"), NOWHERE / "fit.png"),
    "price": lambda: shrinkfit.price("nowhere.tflite"),
    "price_all": lambda: shrinkfit.price_all("nowhere.tflite"),
    "profile": lambda: shrinkfit.profile(NOWHERE),
    "read_keras": lambda: shrinkfit.read_keras("nowhere.keras"),
    "read_tflite": lambda: shrinkfit.read_tflite("nowhere.tflite"),
    "simulate": lambda: shrinkfit.simulate(small_graph(), SILENCE),
    "summary": lambda: shrinkfit.summary(shrinkfit.FitDevice("efm32")),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_those_that_are_documented(name):
    with pytest.raises(shrinkfit.ShrinkfitError) as caught:
        WRONG[name]()
    # A parent's name does as well, but not that of all errors' parent.
    kinds = {kind.__name__ for kind in caught.type.__mro__ if issubclass(kind, shrinkfit.ShrinkfitError)}
    assert (kinds - {"ShrinkfitError"} or kinds) & listed(CALLABLES[name], "Raises")


def test_every_exported_function_has_a_wrong_call():
    cannot_fail = {"devices"}
    assert {name for name in EXPORTED if inspect.isfunction(CALLABLES.get(name))} <= WRONG.keys() | cannot_fail
