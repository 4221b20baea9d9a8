# SPDX-License-Identifier: Apache-2.0
"""Runtime and generated models in every dialect and compiler that they promise, and under cppcheck."""

import shutil
import subprocess
from pathlib import Path

import pytest

from shrinkfit.write.export import write_folder
from tests.runtime_c.images import RUNTIME_SOURCES
from tests.runtime_c.native import RUNTIME
from tests.write import nets, nets_arithmetic, stateful

WARNINGS = ["-O1", "-Wall", "-Wextra", "-Wconversion", "-Wvla", "-Werror"]
DIALECTS = [[compiler, f"-std={dialect}"] for compiler in ("gcc", "clang") for dialect in ("c99", "c11", "c17")]
DIALECTS += [[compiler, "-xc++", "-std=c++17"] for compiler in ("g++", "clang++")]
# Dialects differ in what they accept, not in what is made of it: one of C is enough to look for what only shows there.
WHOLE = [["clang", "-std=c99"], *DIALECTS[-2:]]  # gcc's: test_cores.py
ARM_CORES = ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]
NETS = [nets.residual, nets.chain, nets.decoder, nets_arithmetic.arithmetic, nets_arithmetic.cells, stateful.streaming]


def compiles(folder, command, sources):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, *map(str, sources)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The exported nets' folders."""
    folders = [tmp_path_factory.mktemp("models") / make.__name__ for make in NETS]
    for make, folder in zip(NETS, folders, strict=True):
        write_folder(make(), folder, name=make.__name__)
    return folders


@pytest.mark.parametrize("dialect", DIALECTS, ids=" ".join)
def test_runtime(tmp_path, dialect):
    compiles(tmp_path, [*dialect, *WARNINGS, "-c" if dialect in WHOLE else "-fsyntax-only"], RUNTIME_SOURCES)


@pytest.mark.parametrize("use_dsp", [0, 1])
@pytest.mark.parametrize("dialect", DIALECTS, ids=" ".join)
def test_generated_models(tmp_path, models, dialect, use_dsp):
    folders = [f"-I{folder}" for folder in models]
    sources = [folder / f"{folder.name}.c" for folder in models]
    compiles(tmp_path, [*dialect, *WARNINGS, f"-DSF_USE_DSP={use_dsp}", *folders, "-c"], sources)


@pytest.fixture(scope="module")
def newlib():
    """Where arm-none-eabi-gcc finds newlib's headers, for clang, which brings none."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    command = ["arm-none-eabi-gcc", "-xc", "-E", "-v", "-"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    places = [Path(line.strip()) for line in said.splitlines() if line.startswith(" /")]
    return [f"-isystem{place}" for place in places if (place / "string.h").is_file()]


@pytest.mark.parametrize("core", ARM_CORES)
def test_clang_for_arm(tmp_path, newlib, models, core):
    command = ["clang", "--target=arm-none-eabi", "-mthumb", f"-mcpu={core}", *newlib, "-std=c99", *WARNINGS]
    compiles(tmp_path, [*command, "-c"], RUNTIME_SOURCES)
    compiles(tmp_path, [*command, f"-I{models[0]}", "-c"], [models[0] / f"{models[0].name}.c"])


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_cpp_for_arm(tmp_path, core):
    command = ["arm-none-eabi-g++", "-xc++", "-std=c++17", "-mthumb", f"-mcpu={core}", *WARNINGS]
    compiles(tmp_path, [*command, "-c"], RUNTIME_SOURCES)


BIG_ENDIAN = [
    ["arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m4", "-mbig-endian"],
    ["clang", "--target=armeb-none-eabi", "-mthumb", "-mcpu=cortex-m4", "-ffreestanding"],
]


@pytest.mark.parametrize("compiler", BIG_ENDIAN, ids=lambda command: command[0])
def test_big_endian_is_refused(tmp_path, models, compiler):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    (tmp_path / "model.c").write_text('#include "shrinkfit.h"\n')
    for name, folder in (("model.c", RUNTIME), ("residual.c", models[0])):
        source = tmp_path / name if name == "model.c" else folder / name
        command = [*compiler, f"-I{folder}", "-fsyntax-only", str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode != 0 and "packed weights as little-endian words" in done.stderr


# Not looked for: shifts of negative numbers (sf_internal.h refuses compilers that differ), names that another
# file's static function has too, members that only hardware or the other half of a union reads, structs that are filled
# member by member (taken for uninitialized), and start-up's comparing of addresses that the linker script sets.
CPPCHECK = """cppcheck --quiet --std=c99 --enable=warning,style,performance,portability --error-exitcode=1
    --inline-suppr --suppress=shiftTooManyBitsSigned --suppress=shadowFunction --suppress=unusedStructMember
    --suppress=ctuuninitvar --suppress=comparePointers:*startup.c --platform=unix32 -DSF_USE_DSP=1"""


@pytest.mark.parametrize("defines", [[], ["-D__ARM_FEATURE_DSP=1"]], ids=["twins", "DSP"])
def test_cppcheck(tmp_path, models, defines):
    sources = [*RUNTIME_SOURCES, RUNTIME / "ports" / "cortex_m4" / "startup.c", models[0] / "ports" / "host" / "main.c"]
    sources += [folder / f"{folder.name}.c" for folder in models]
    compiles(tmp_path, [*CPPCHECK.split(), *defines, f"-I{models[0]}"], sources)


def test_cppcheck_would_find_something(tmp_path):
    (tmp_path / "bad.c").write_text("int f(void); int f(void) { int a[2] = {1, 2}; return a[2]; }\n")
    with pytest.raises(AssertionError, match="out of bounds"):
        compiles(tmp_path, CPPCHECK.split(), [tmp_path / "bad.c"])


def test_a_core_with_a_short_int_is_refused(tmp_path):
    """As a board with an AVR, which has 16 bits and the same byte order."""
    (tmp_path / "model.c").write_text('#include "shrinkfit.h"\n')
    command = ["gcc", "-U__SIZEOF_INT__", "-D__SIZEOF_INT__=2", f"-I{RUNTIME}", "-fsyntax-only", "model.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "need an int of 32 bits" in done.stderr
