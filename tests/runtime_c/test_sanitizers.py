# SPDX-License-Identifier: Apache-2.0
"""The kernels read and write nothing that is not theirs, and rely on nothing undefined."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime_c.cases import CASES
from tests.runtime_c.cases_arithmetic import CASES as ARITHMETIC_CASES
from tests.runtime_c.native import RUNTIME

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
OVERREAD = "signed char overread(signed char *p, int n) { return p[n]; }"


def run_preloaded(arguments):
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    options = {"LD_PRELOAD": asan, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc", "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **options}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, cwd=ROOT)


def test_all_cases_are_clean(tmp_path):
    library = tmp_path / "sanitized.so"
    sources = [str(path) for path in sorted(RUNTIME.glob("sf_*.c"))]
    subprocess.run(["gcc", "-std=c99", "-shared", "-fPIC", *SANITIZE, *sources, "-o", str(library)], check=True)
    done = run_preloaded(["-m", "tests.runtime_c.sanitized", str(library)])
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[0] == str(len(CASES) + len(ARITHMETIC_CASES))


@pytest.mark.parametrize(("index", "clean"), [(6, True), (7, False)])
def test_a_byte_read_too_far_is_found(tmp_path, index, clean):
    """The sanitizers see numpy's arrays: otherwise the test above could not fail."""
    (tmp_path / "overread.c").write_text(OVERREAD)
    library = tmp_path / "overread.so"
    subprocess.run(["gcc", "-shared", "-fPIC", *SANITIZE, str(tmp_path / "overread.c"), "-o", str(library)], check=True)
    program = (
        "import ctypes, sys, numpy as np; a = np.zeros(7, np.int8);"
        "ctypes.CDLL(sys.argv[1]).overread(ctypes.c_void_p(a.ctypes.data), int(sys.argv[2]))"
    )
    assert (run_preloaded(["-c", program, str(library), str(index)]).returncode == 0) == clean
