# SPDX-License-Identifier: Apache-2.0
"""The C kernels as a shared library, called with what write/pack.py packs for one operator."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack
from tests.runtime_c import structs_arithmetic

RUNTIME = Path(__file__).resolve().parents[2] / "runtime_c"
_INTS = {"b": ctypes.c_int8, "B": ctypes.c_uint8, "H": ctypes.c_uint16, "i": ctypes.c_int32, "I": ctypes.c_uint32}
POINTER = ctypes.c_void_p
GUARD = 64
NAME = "libshrinkfit.so"


def _struct(name, fields):
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def _fields(code, names):
    return [(name, _INTS[code]) for name in names.split()]


STAGE = _struct(
    "sf_output_stage",
    [(name, POINTER) for name in ("bias", "multiplier", "shift")]
    + _fields("b", "in_zero_point out_zero_point activation_min activation_max")
    + _fields("B", "plain"),
)
WINDOW = _struct(
    "sf_window",
    _fields(
        "H",
        "in_height in_width in_channels out_height out_width out_channels kernel_height kernel_width "
        "stride_height stride_width dilation_height dilation_width pad_top pad_left",
    ),
)
COPY = [("axes", POINTER)] + _fields("I", "rank") + _fields("i", "in_start out_start") + _fields("I", "run")
_WEIGHTED = [("kernel", POINTER), ("stage", STAGE)]
STRUCTS = {
    "sf_conv2d_params": _WEIGHTED + [("window", WINDOW)],
    "sf_conv2d_pairs_params": [("kernel", POINTER), ("records", POINTER), ("window", WINDOW)]
    + _fields("b", "in_zero_point out_zero_point activation_min activation_max"),
    "sf_conv2d_3x3_params": [("kernel", POINTER), ("records", POINTER), ("window", WINDOW)]
    + _fields("b", "in_zero_point out_zero_point activation_min activation_max"),
    "sf_grouped_conv2d_params": _WEIGHTED + [("window", WINDOW)] + _fields("H", "group_inputs group_outputs"),
    "sf_depthwise_params": _WEIGHTED + [("window", WINDOW)] + _fields("H", "depth_multiplier"),
    "sf_depthwise_3x3_params": [("records", POINTER), ("window", WINDOW)]
    + _fields("H", "depth_multiplier strip_outputs strips buffers band_rows")
    + _fields("b", "in_zero_point out_zero_point"),
    "sf_dense_params": _WEIGHTED + _fields("H", "rows inputs outputs"),
    "sf_dense_pairs_params": [("stream", POINTER)]
    + _fields("H", "rows inputs outputs")
    + _fields("b", "out_zero_point activation_min activation_max")
    + _fields("B", "own_records"),
    "sf_sparse_params": [("weights", POINTER), ("blocks", POINTER)]
    + _fields("H", "inputs outputs")
    + _fields("I", "rows")
    + _fields("b", "out_zero_point activation_min activation_max"),
    "sf_pool_params": [("window", WINDOW)] + _fields("b", "activation_min activation_max"),
    "sf_softmax_params": _fields("H", "rows depth")
    + _fields("i", "multiplier")
    + _fields("b", "shift")
    + _fields("i", "diff_min"),
    "sf_copy_params": COPY,
}
STRUCTS = {name: _struct(name, fields) for name, fields in STRUCTS.items()}
STRUCTS["sf_pad_params"] = _struct(
    "sf_pad_params", [("copy", STRUCTS["sf_copy_params"])] + _fields("I", "out_bytes") + _fields("b", "value")
)
STRUCTS |= structs_arithmetic.STRUCTS


def compile_kernels(folder: Path) -> None:
    """All kernels, scalar and the portable twins of the DSP ones, into NAME there; tests have the fixture `lib`."""
    sources = [str(p) for p in sorted(RUNTIME.glob("sf_*.c"))]
    command = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    subprocess.run([*command, *sources, "-o", str(folder / NAME)], check=True)


def params(packed, keep: list) -> ctypes.Structure:
    """A packed layer as its C struct; the arrays are kept alive in `keep`."""
    arrays = {name: np.ascontiguousarray(a) for name, a in packed.arrays.items()}
    keep.extend(arrays.values())

    def fill(struct, fields):
        assert [name for name, _ in struct._fields_] == list(fields), "struct and packed fields differ"
        for name, value in fields.items():
            if isinstance(value, dict):
                fill(getattr(struct, name), value)
            else:
                setattr(struct, name, arrays[value].ctypes.data if isinstance(value, str) else value)
                assert isinstance(value, str) or (getattr(struct, name) or 0) == value, f"{name}: {value} does not fit"

    struct = STRUCTS[packed.params]()
    fill(struct, packed.fields)
    return struct


def guarded(size: int, fill: int) -> np.ndarray:
    """int8 [size + GUARD], 8-byte aligned."""
    return np.full((size + GUARD + 7) // 8, fill, np.uint64).view(np.int8)


def run(
    lib: ctypes.CDLL, graph, inputs: list[np.ndarray], dsp: bool, output_index: int | None = None, reference=False
) -> np.ndarray:
    """Run a graph of one operator on one set of inputs (without batch axis): int8 of the output's shape.

    reference: the scalar kernel for what is packed for the DSP one.

    Scratch and output start as garbage, with bytes behind them that must stay.
    """
    (op,) = graph.ops
    kernel = kernel_for(op, graph, dsp)
    keep = []
    struct = params(pack(op, graph, dsp), keep)
    output = graph.op_outputs(op)[0]
    out, scratch = guarded(output.size_bytes, 0x5A5A5A5A5A5A5A5A), guarded(kernel.scratch_bytes, 0xA5A5A5A5A5A5A5A5)
    buffers = [np.ascontiguousarray(x) for x in inputs]
    if output_index is not None:
        out = buffers[output_index].reshape(-1)
    arguments = [POINTER(b.ctypes.data) for b in (*buffers, out)]
    if kernel.takes_scratch:
        arguments.append(POINTER(scratch.ctypes.data))
    scalar = kernel.function.removesuffix("_compact")
    symbol = f"{scalar}_s8" if reference and kernel.symbol.endswith("_dsp") else kernel.symbol
    getattr(lib, symbol)(ctypes.byref(struct), *arguments)
    if output_index is None:
        assert np.all(out[output.size_bytes :] == 0x5A), "wrote behind the output"
    assert np.all(scratch[kernel.scratch_bytes :].view(np.uint8) == 0xA5), "wrote behind the scratch"
    return out[: output.size_bytes].reshape(output.shape[1:])
