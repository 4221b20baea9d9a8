# SPDX-License-Identifier: Apache-2.0
"""The kernels compile for every core without a warning, alone, and hold no state."""

import shutil
import subprocess

import pytest

from tests.runtime_c.native import RUNTIME

WARNINGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = [["gcc"], ["gcc", "-O0"]] + [
    ["arm-none-eabi-gcc", "-mthumb", f"-mcpu={core}", *more]
    for core in ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")
    for more in ([], ["-O0"])
]
SOURCES = sorted(RUNTIME.glob("sf_*.c"))
# What a compiler may call on its own, and libgcc's arithmetic.
ALLOWED = {"memcpy", "memset", "memmove", "__aeabi_lmul", "__aeabi_idiv", "__aeabi_lasr", "__aeabi_llsl"}
ALLOWED |= {"__aeabi_idivmod"}
# DEQUANTIZE alone computes in floating point.
ALLOWED |= {"__aeabi_fmul", "__aeabi_i2f"}


def compile_into(folder, compiler):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    command = [compiler[0], *WARNINGS, *compiler[1:], "-c", *map(str, SOURCES)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sorted(folder.glob("*.o"))


@pytest.mark.parametrize("compiler", COMPILERS, ids=" ".join)
def test_compiles_without_warning(tmp_path, compiler):
    assert len(compile_into(tmp_path, compiler)) == len(SOURCES)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_no_library_no_state(tmp_path, core):
    objects = compile_into(tmp_path, ["arm-none-eabi-gcc", "-mthumb", f"-mcpu={core}"])
    text = subprocess.run(["arm-none-eabi-nm", *map(str, objects)], check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in text.splitlines() if line and not line.endswith(":")]
    undefined = {name for kind, name in symbols if kind == "U"}
    own = {name for kind, name in symbols if kind == "T"}
    assert undefined <= ALLOWED | own
    assert not [name for kind, name in symbols if kind in "dDbBC"], "a kernel holds writable data"
