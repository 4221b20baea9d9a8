# SPDX-License-Identifier: Apache-2.0
"""The kernels compile for every core without a warning, alone, and hold no state."""

import re
import shutil
import subprocess

import pytest

from tests.runtime_c.images import WARNINGS, ArmObject, compile_arm
from tests.runtime_c.native import RUNTIME

CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
LEVELS = ("-O2", "-O0")
SOURCES = sorted(RUNTIME.glob("sf_*.c"))
# What a compiler may call on its own, and libgcc's arithmetic.
ALLOWED = {"memcpy", "memset", "memmove", "__aeabi_lmul", "__aeabi_idiv", "__aeabi_lasr", "__aeabi_llsl"}
ALLOWED |= {"__aeabi_idivmod"}
# DEQUANTIZE alone computes in floating point.
ALLOWED |= {"__aeabi_fmul", "__aeabi_i2f"}
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("level", LEVELS)
def test_compiles_without_warning_on_this_computer(tmp_path, level):
    command = ["gcc", "-std=c99", level, *WARNINGS, "-c", *map(str, SOURCES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.o"))) == len(SOURCES)


@needs_arm
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("core", CORES)
def test_compiles_without_warning(arm_objects, core, level):
    assert len(arm_objects(core, level)) == len(SOURCES)


@needs_arm
@pytest.mark.parametrize("core", CORES)
def test_no_library_no_state(arm_objects, core):
    objects = arm_objects(core)
    text = subprocess.run(["arm-none-eabi-nm", *map(str, objects)], check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in text.splitlines() if line and not line.endswith(":")]
    undefined = {name for kind, name in symbols if kind == "U"}
    defined = {name for kind, name in symbols if kind != "U"}
    assert undefined - defined <= ALLOWED
    assert not [name for kind, name in symbols if kind in "dDbBC"], "a kernel holds writable data"


CALLS_ITSELF = """int f(int n); int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }
int g(int n); int h(int n) { return n < 1 ? n : g(n - 1) * 3; } int g(int n) { return h(n - 1) + 1; }
int s(int n) { volatile int a[n]; a[0] = n; return a[0]; }"""


def references(objects):
    """Function -> the functions that it calls or takes the address of, in any file; gcc's own list of calls besides.

    Relocations show assembly's calls as well, but not those of a static function to itself.
    """
    found = {}
    for path in objects:
        here = ArmObject.read(path)
        inside = {section: name for name, (section, _) in here.entries.items()}
        for section, name in inside.items():
            meant = here.relocations.get(section, {}).values()
            found.setdefault(name, set()).update(inside.get(other, other) for other in meant)
            found[name] -= {name}  # a literal or a branch; calls of itself come from gcc
        calls = re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', path.with_suffix(".ci").read_text())
        for source, target in calls:
            source, target = (end.rpartition(":")[2] for end in (source, target))
            found.setdefault(source, set()).add(target)
    return found


def cycle(graph):
    """The names along one cycle, or nothing."""
    done = set()

    def walk(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (walk(other, [*path, name]) for other in sorted(graph.get(name, ())))), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in sorted(graph))), [])


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m33"])
def test_no_recursion_and_frames_of_fixed_size(arm_objects, core):
    objects = arm_objects(core)
    assert cycle(references(objects)) == []
    frames = [line.split("\t") for path in objects for line in path.with_suffix(".su").read_text().splitlines()]
    assert len(frames) > len(SOURCES) and {kind for _, _, kind in frames} == {"static"}


@needs_arm
def test_recursion_and_variable_frames_would_be_found(tmp_path):
    (tmp_path / "bad.c").write_text(CALLS_ITSELF)
    flags = ["-O1", "-fno-optimize-sibling-calls", "-fstack-usage", "-fcallgraph-info"]
    (path,) = compile_arm(tmp_path, "cortex-m4", *flags, sources=[tmp_path / "bad.c"])
    graph = references([path])
    assert cycle(graph) == ["f", "f"]
    assert cycle({name: graph[name] for name in "gh"})[0] in "gh"
    assert "dynamic" in path.with_suffix(".su").read_text()
