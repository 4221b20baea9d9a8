# SPDX-License-Identifier: Apache-2.0
"""Runs every case in kernels built with address and undefined behaviour sanitizers; started by test_sanitizers.py.

usage: LD_PRELOAD=libasan.so python -m tests.runtime_c.sanitized LIBRARY
"""

import ctypes
import sys

import numpy as np

from shrinkfit.price.kernel import Choice
from tests.runtime_c import graphs_arithmetic, native
from tests.runtime_c.cases import CASES
from tests.runtime_c.cases_arithmetic import CASES as ARITHMETIC_CASES
from tests.runtime_c.runner import Runner


def main(path: str) -> None:
    lib = ctypes.CDLL(path)
    for make, sizes in CASES:
        rng = np.random.default_rng(2)
        graph = make(rng, **sizes)
        shapes = [graph.tensors[name].shape[1:] for name in graph.inputs]
        # Fresh arrays of exactly the size needed: a byte read beyond one is an error.
        inputs = [rng.integers(-128, 128, shape, np.int8) for shape in shapes]
        for dsp, reference in ((False, False), (True, False), (True, True), (Choice(True, speed=True), False)):
            native.run(lib, graph, inputs, dsp, reference=reference)
    for case in ARITHMETIC_CASES:
        rng = np.random.default_rng(2)
        graph = case.make(rng)
        for runner in (Runner(lib, graph), Runner(lib, graph, dsp=True)):
            for _ in range(3):
                runner.step(graphs_arithmetic.inputs_for(graph, rng))
    print(f"{len(CASES) + len(ARITHMETIC_CASES)} cases")


main(sys.argv[1])
