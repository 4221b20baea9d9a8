# SPDX-License-Identifier: Apache-2.0
"""Runs .tflite bytes under LiteRT's reference kernels, and compares the simulator with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.base import DTYPE_RANGES
from shrinkfit.write.tflite import write_tflite

SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))


def interpreter(model: bytes, every_tensor: bool = False) -> Interpreter:
    made = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=every_tensor,
        num_threads=1,
    )
    made.allocate_tensors()
    return made


def litert_run(model: bytes, *inputs: np.ndarray) -> np.ndarray:
    """[n, ...] per input, consecutive runs of one interpreter -> the first output, [n, ...]."""
    made = interpreter(model)
    output = made.get_output_details()[0]["index"]
    results = []
    for values in zip(*inputs, strict=True):
        for detail, value in zip(made.get_input_details(), values, strict=True):
            made.set_tensor(detail["index"], value[None])
        made.invoke()
        results.append(made.get_tensor(output)[0])
    return np.array(results)


def random_inputs(graph: ir.Graph, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    return [_random_values(graph.tensors[name], rng, count) for name in graph.inputs]


def _random_values(tensor: ir.Tensor, rng: np.random.Generator, count: int) -> np.ndarray:
    shape = (count, *tensor.shape[1:])
    if tensor.dtype == "float32":
        # Up to three times what int8 reaches; a third of them exact ties at scales of powers of two.
        return np.where(rng.random(shape) < 0.3, rng.integers(-99, 99, shape) / 2, rng.normal(0, 20, shape)).astype(
            "f4"
        )
    low, high = DTYPE_RANGES[tensor.dtype]
    return rng.integers(low, high + 1, shape).astype(tensor.dtype)


def differences(graph: ir.Graph, rng: np.random.Generator, count: int = 20) -> int:
    """How many output elements differ between the simulator and LiteRT's reference kernels."""
    inputs = random_inputs(graph, rng, count)
    got = simulated(graph, *inputs)
    return int(np.count_nonzero(got != litert_run(write_tflite(graph), *inputs)))


def simulated(graph: ir.Graph, *inputs: np.ndarray) -> np.ndarray:
    """Consecutive runs of a session for graphs with state, independent ones for others: the first output, [n, ...]."""
    named = dict(zip(graph.inputs, inputs, strict=True))
    if not graph.variables:
        return simulate.trace(graph, named)[graph.outputs[0]]
    session = simulate.Session(graph)
    steps = ({name: values[i] for name, values in named.items()} for i in range(len(inputs[0])))
    return np.array([session.step(step)[graph.outputs[0]] for step in steps])
