# SPDX-License-Identifier: Apache-2.0
"""Folders of .tflite models in, a table out: does the exported C write the bytes of LiteRT's reference kernels?

    python benchmarks/exactness.py ../shared/models/mlperf_tiny ../shared/models/wild --inputs 1000 --emulated 5

Each model is exported with its rewrites, compiled for the host (scalar kernels and DSP twins, with
sanitizers) and for a Cortex-M4, and run on random inputs; models with state take them as steps of one run.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from rich.console import Console
from rich.table import Table

import shrinkfit
from shrinkfit.graph import optimize
from shrinkfit.read.tflite import read_tflite


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--inputs", type=int, default=100, help="random inputs, or steps, per model (%(default)s)")
    parser.add_argument("--emulated", type=int, default=5, help="of them on an emulated Cortex-M4 (%(default)s)")
    parser.add_argument("--optimize", default="balanced", help="balanced, speed or size (%(default)s)")
    args = parser.parse_args()
    table = Table(title=f"C against LiteRT's reference kernels, {args.inputs} inputs, {args.emulated} emulated")
    for column in ("model", "MACs", "after rewrites", "inputs", "C differs", "simulator differs", "emulated differs"):
        table.add_column(column, justify="left" if column == "model" else "right")
    failed = False
    for path in [path for folder in args.folders for path in sorted(folder.glob("*.tflite"))]:
        figures = compare(path, args.inputs, args.emulated, args.optimize)
        failed |= any(figures[-3:])
        table.add_row(path.stem, *(f"{figure:,}" for figure in figures))
        Console(stderr=True).print(f"{path.stem}: {figures}")
    Console(width=140).print(table)
    return int(failed)


def compare(path: Path, count: int, emulated: int, goal: str) -> tuple[int, ...]:
    """MACs as they came and after rewrites, inputs; then what differs: C from LiteRT, C from simulated, emulated."""
    graph = read_tflite(path)
    tensor = graph.tensors[graph.inputs[0]]
    x = random_inputs(tensor, count)
    with tempfile.TemporaryDirectory() as place:
        shrinkfit.export(path, Path(place) / "net", name="net", optimize=goal)
        host = shrinkfit.check(Path(place) / "net", x)
        core = shrinkfit.check(Path(place) / "net", x[:emulated], on="cortex-m4")
    expected = litert(path, x)
    wrong = int(np.count_nonzero(host.outputs != expected))
    wrong_core = int(np.count_nonzero(core.outputs != expected[:emulated])) + core.differences
    return graph.macs, optimize.optimize(graph)[0].macs, count, wrong, host.differences, wrong_core


def random_inputs(tensor, count: int) -> np.ndarray:
    """Half noise over the whole range, half slow walks, which keep streaming models out of saturation."""
    rng = np.random.default_rng(11)
    shape = (count, *tensor.shape[1:])
    if tensor.dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    bounds = np.iinfo(tensor.dtype)
    noise = rng.integers(bounds.min, bounds.max + 1, shape)
    walk = np.clip(np.cumsum(rng.integers(-9, 10, shape), axis=0), bounds.min, bounds.max)
    takes_noise = (np.arange(count) % 20 < 10).reshape(-1, *(1,) * (len(shape) - 1))
    return np.where(takes_noise, noise, walk).astype(tensor.dtype)


def litert(path: Path, inputs: np.ndarray) -> np.ndarray:
    """Outputs of LiteRT's reference kernels, input after input."""
    run = Interpreter(
        model_content=accepted(path.read_bytes()), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    run.allocate_tensors()
    source, target = run.get_input_details()[0]["index"], run.get_output_details()[0]["index"]
    results = []
    for values in inputs:
        run.set_tensor(source, values[None])
        run.invoke()
        results.append(run.get_tensor(target)[0].copy())
    return np.array(results)


def accepted(data: bytes) -> bytes:
    """The same model with the axis of one-dimensional tensors' scales set to 0, the only one there is.

    LiteRT and TensorFlow refuse person_detect for an axis of 3 there, at which no kernel ever looks.
    """
    model = schema.ModelT.InitFromPackedBuf(data)
    odd = [
        tensor
        for tensor in model.subgraphs[0].tensors
        if tensor.quantization is not None and len(tensor.shape) == 1 and tensor.quantization.quantizedDimension
    ]
    if not odd:
        return data
    for tensor in odd:
        tensor.quantization.quantizedDimension = 0
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    sys.exit(main())
