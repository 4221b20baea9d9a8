# SPDX-License-Identifier: Apache-2.0
"""An operator in, the C kernel that runs it out: its function, its scratch and its constant bytes.

Sizes are those of 32-bit Arm, where a pointer has four bytes. The twins of the C size functions and
structs are tested against the compiled runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.memo import by_tensors
from shrinkfit.graph.softmax import softmax_parameters
from shrinkfit.price import kernels_3x3, kernels_arithmetic, kernels_dense, kernels_layout, kernels_sparse, kernels_time
from shrinkfit.price.calls import held_by_variables, is_free
from shrinkfit.price.kernel import GATHER_SLACK_BYTES, NO_KERNEL, UINT16_MAX, Choice, Kernel, KernelOf, supported, word
from shrinkfit.price.plain import fits_pairs
from shrinkfit.price.strips import RECORD_BYTES, PlaneShape, has_strips, strips

# What the kernels in little code share.
FOURS = ("sf_fours_dsp.c", "sf_fours.h")

# The sum of that many exponentials, each at most 1 in Q12.19, still fits int32.
SOFTMAX_MAX_DEPTH = 4095

# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = (
    {
        "sf_conv2d_params": 52,
        "sf_conv2d_pairs_params": 40,
        "sf_grouped_conv2d_params": 56,
        "sf_depthwise_params": 56,
        "sf_depthwise_3x3_params": 44,
        "sf_dense_params": 32,
        "sf_softmax_params": 16,
    }
    | kernels_3x3.STRUCT_BYTES
    | kernels_arithmetic.STRUCT_BYTES
    | kernels_dense.STRUCT_BYTES
    | kernels_sparse.STRUCT_BYTES
    | kernels_layout.STRUCT_BYTES
    | kernels_time.STRUCT_BYTES
)


@by_tensors
def kernel_for(op: ir.Op, graph: ir.Graph, choice: Choice | bool) -> Kernel:
    """The kernel that runs an operator; one without a name for a reshape or a read in place, which cost nothing.

    Args:
        op: an operator of the graph.
        graph: gives the tensors.
        choice: which kernels there are; True and False for those with DSP instructions and those without.
    Raises:
        UnsupportedLayerError: no kernel takes this operator; the message names it.
    """
    if is_free(op) or (op.kind == "read_variable" and op.outputs[0] in held_by_variables(graph)):
        return NO_KERNEL
    if op.kind not in kernels_arithmetic.KERNELS | kernels_layout.KERNELS | kernels_time.KERNELS:
        _check_limits(op, graph)
    if op.kind not in _KERNELS:
        raise UnsupportedLayerError(f"operator '{op.name}' is a {op.kind}, for which the C runtime has no kernel")
    choice = Choice.of(choice)
    if choice.dsp and choice.small and op.kind in _COMPACT:
        return _COMPACT[op.kind](op, graph)
    if isinstance(op, ir.Conv2D) and choice.dsp and choice.speed:
        source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        if kernels_3x3.has_tiles(op, source, target):
            return kernels_3x3.kernel(op, target.shape)
    return _KERNELS[op.kind](op, graph, choice.dsp)


def scratch_sizes(graph: ir.Graph, choice: Choice | bool) -> dict[str, int]:
    """Operator name -> bytes of scratch, for those that need any: what price.arena.plan takes."""
    kernels = {op.name: kernel_for(op, graph, choice) for op in graph.ops}
    return {name: kernel.scratch_bytes for name, kernel in kernels.items() if kernel.scratch_bytes > 0}


def conv2d_dsp_scratch_bytes(op: ir.Conv2D, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> int:
    """Twin of sf_conv2d_dsp_scratch_bytes and sf_conv2d_pairs_dsp_scratch_bytes."""
    (height, width), (kernel_height, kernel_width) = in_shape[1:3], op.window
    row = word(kernel_height * kernel_width * in_shape[3])
    lies_in_a_row = kernel_height == 1 or (kernel_width == width and op.dilation[0] == 1)
    whole_words = kernel_width * in_shape[3] % 4 == 0
    directly = (kernel_width == 1 or op.dilation[1] == 1) and (lies_in_a_row or whole_words)
    reach = [
        (n - 1) * s - p + (k - 1) * d
        for n, s, p, k, d in zip(
            out_shape[1:3], op.stride, (op.padding.top, op.padding.left), op.window, op.dilation, strict=True
        )
    ]
    inside = op.padding.top == 0 and op.padding.left == 0 and reach[0] < height and reach[1] < width
    return 4 * row if directly and inside else 5 * row + GATHER_SLACK_BYTES


def grouped_conv2d_dsp_scratch_bytes(op: ir.Conv2D) -> int:
    """Twin of sf_grouped_conv2d_dsp_scratch_bytes."""
    return 5 * word(op.kernel[0].size)


def depthwise_scratch_bytes(in_shape: tuple[int, ...]) -> int:
    """Twin of sf_depthwise_scratch_bytes."""
    return word(in_shape[1] * in_shape[2])


def depthwise_dsp_scratch_bytes(op: ir.DepthwiseConv2D, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> int:
    """Twin of sf_depthwise_dsp_scratch_bytes."""
    return max(PlaneShape.of(op, out_shape).scratch_bytes, depthwise_scratch_bytes(in_shape))


def _check_limits(op: ir.Op, graph: ir.Graph) -> None:
    """The structs hold sizes as uint16."""
    shapes = [graph.tensors[name].shape for name in (*op.inputs, *op.outputs)]
    numbers = [n for shape in shapes for n in shape]
    numbers += [n for name in ("stride", "dilation", "window") for n in getattr(op, name, ())]
    if hasattr(op, "padding"):
        numbers += [op.padding.top, op.padding.bottom, op.padding.left, op.padding.right]
    worst = max(numbers)
    supported(
        worst <= UINT16_MAX, f"{op.kind} '{op.name}' has a size of {worst}; the C runtime takes up to {UINT16_MAX}"
    )


def _stage_bytes(op: ir.Weighted) -> int:
    """Bias, multipliers and shifts: for every channel, so that the price depends on shapes only."""
    return 8 * op.channels + word(op.channels)


def _weighted(
    name: str, weight_bytes: int, scratch_bytes: int | None, op: ir.Weighted, dsp: bool, shared: tuple[str, ...] = ()
) -> Kernel:
    """shared: headers that the DSP variant needs besides sf_dsp.h."""
    params = f"{name}_params"
    return Kernel(
        function=name,
        symbol=f"{name}_s8_dsp" if dsp else f"{name}_s8",
        params=params,
        sources=(f"{name}.c", f"{name}_dsp.c", *shared) if dsp else (f"{name}.c",),
        takes_scratch=scratch_bytes is not None,
        scratch_bytes=(scratch_bytes or 0) if dsp else 0,
        data_bytes=word(weight_bytes) + _stage_bytes(op) + word(STRUCT_BYTES[params]),
    )


def _conv2d(op: ir.Conv2D, graph: ir.Graph, dsp: bool) -> Kernel:
    in_shape, out_shape = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
    weight_bytes, shared = op.channels * word(op.kernel[0].size), ("sf_conv2d_dsp.h", "sf_widen.h")
    if dsp and kernels_sparse.skips_blocks(op, graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]):
        return kernels_sparse.sparse(op)
    if dsp and op.groups(in_shape) == 1 and fits_pairs(op, graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]):
        return _conv2d_pairs(op, in_shape, out_shape)
    if op.groups(in_shape) > 1:
        scratch_bytes = grouped_conv2d_dsp_scratch_bytes(op)
        return _weighted("sf_grouped_conv2d", weight_bytes, scratch_bytes, op, dsp, shared)
    return _weighted("sf_conv2d", weight_bytes, conv2d_dsp_scratch_bytes(op, in_shape, out_shape), op, dsp, shared)


def _conv2d_pairs(op: ir.Conv2D, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Kernel:
    """Channels fall into groups of four; the last one may be of two."""
    params, rest = "sf_conv2d_pairs_params", op.channels % 4
    channels = op.channels - rest + (0, 2, 2, 4)[rest]
    record_bytes = 36 * -(-op.channels // 4)
    return Kernel(
        function="sf_conv2d_pairs",
        symbol="sf_conv2d_pairs_s8_dsp",
        params=params,
        sources=("sf_conv2d_pairs.c", "sf_conv2d_pairs_dsp.c", "sf_pairs_dsp.c", "sf_pairs.h", "sf_widen.h"),
        takes_scratch=True,
        scratch_bytes=conv2d_dsp_scratch_bytes(op, in_shape, out_shape),
        data_bytes=channels * word(op.kernel[0].size) + record_bytes + word(STRUCT_BYTES[params]),
    )


def _conv2d_compact(op: ir.Conv2D, graph: ir.Graph) -> Kernel:
    """Takes what the scalar kernel takes, which runs grouped ones itself."""
    scalar = _conv2d(op, graph, False)
    if op.groups(graph.tensors[op.inputs[0]].shape) > 1:
        return replace(scalar, function="sf_grouped_conv2d_s8")
    return replace(
        scalar,
        function="sf_conv2d_compact",
        symbol="sf_conv2d_compact_s8_dsp",
        sources=(*scalar.sources, "sf_conv2d_compact_dsp.c", *FOURS),
        scratch_bytes=word(op.kernel[0].size),
    )


def _transpose_conv2d(op: ir.TransposeConv2D, graph: ir.Graph, dsp: bool) -> Kernel:
    symbol, params = "sf_transpose_conv2d_s8", "sf_conv2d_params"
    data_bytes = op.channels * word(op.kernel[0].size) + _stage_bytes(op) + word(STRUCT_BYTES[params])
    return Kernel(symbol, symbol, params, ("sf_transpose_conv2d.c",), False, 0, data_bytes)


def _depthwise(op: ir.DepthwiseConv2D, graph: ir.Graph, dsp: bool) -> Kernel:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if dsp and has_strips(op, source, target):
        return _depthwise_3x3(op, strips(op, source.shape, target.shape).scratch_bytes)
    if dsp:
        return _depthwise_planes(op, graph)
    scalar = _weighted("sf_depthwise", op.kernel.size, 0, op, dsp)
    return replace(scalar, scratch_bytes=depthwise_scratch_bytes(source.shape))


def _depthwise_planes(op: ir.DepthwiseConv2D, graph: ir.Graph) -> Kernel:
    """Takes every window, in less code than the one for 3x3."""
    shapes = [graph.tensors[name].shape for name in (op.inputs[0], op.outputs[0])]
    kernel = _weighted("sf_depthwise", op.kernel.size, 0, op, True)
    return replace(kernel, scratch_bytes=depthwise_dsp_scratch_bytes(op, *shapes))


def _depthwise_3x3(op: ir.DepthwiseConv2D, scratch_bytes: int) -> Kernel:
    name = "sf_depthwise_3x3"
    data_bytes = op.channels * RECORD_BYTES + word(STRUCT_BYTES[f"{name}_params"])
    sources = (f"{name}.c", "sf_strips.h", "sf_dsp.h")
    return Kernel(name, f"{name}_s8", f"{name}_params", sources, True, scratch_bytes, data_bytes)


def _dense(op: ir.Dense, graph: ir.Graph, dsp: bool) -> Kernel:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    rows = prod(source.shape[:-1])
    supported(rows <= UINT16_MAX, f"dense '{op.name}' runs over {rows} rows; the C runtime takes up to {UINT16_MAX}")
    if dsp and kernels_sparse.skips_blocks(op, source, target):
        return kernels_sparse.sparse(op)
    if dsp and kernels_dense.takes_pairs(op, source, target):
        return kernels_dense.dense_pairs(op, source, target)
    return (
        _dense_fours(op, graph) if dsp else _weighted("sf_dense", op.channels * word(op.kernel.shape[1]), None, op, dsp)
    )


def _dense_fours(op: ir.Dense, graph: ir.Graph) -> Kernel:
    """Takes every layer, in less code than the one with weights in pairs."""
    return _weighted("sf_dense", op.channels * word(op.kernel.shape[1]), None, op, True, FOURS)


def _plain(function: str, params: str, source: str) -> Kernel:
    symbol = f"{function}_s8"
    return Kernel(symbol, symbol, params, (source,), False, 0, word(STRUCT_BYTES[params]))


def _pool2d(op: ir.Pool2D, graph: ir.Graph, dsp: bool) -> Kernel:
    channels = graph.tensors[op.inputs[0]].shape[3]
    if dsp and channels >= kernels_arithmetic.LANES:
        return kernels_arithmetic.dsp_kernel(f"sf_{op.mode}_pool", "sf_pool_params", "sf_pool", "sf_tile.h")
    return _plain(f"sf_{op.mode}_pool", "sf_pool_params", "sf_pool.c")


def _softmax(op: ir.Softmax, graph: ir.Graph, dsp: bool) -> Kernel:
    tensor = graph.tensors[op.inputs[0]]
    supported(
        tensor.shape[-1] <= SOFTMAX_MAX_DEPTH,
        f"softmax '{op.name}' is over {tensor.shape[-1]} values; the C runtime takes up to {SOFTMAX_MAX_DEPTH}",
    )
    rows = prod(tensor.shape[:-1])
    supported(rows <= UINT16_MAX, f"softmax '{op.name}' has {rows} rows; the C runtime takes up to {UINT16_MAX}")
    supported(
        softmax_parameters(tensor.scale, op.beta)[1] >= 0,
        f"softmax '{op.name}': input scale {tensor.scale:.3g} x beta {op.beta:g} is too small for the C runtime; the "
        "layer before it gives (nearly) constant values on the calibration data: give representative inputs",
    )
    return _plain("sf_softmax", "sf_softmax_params", "sf_softmax.c")


_COMPACT: dict[str, Callable[[OpOfKind, ir.Graph], Kernel]] = {
    "conv2d": _conv2d_compact,
    "depthwise_conv2d": _depthwise_planes,
    "dense": _dense_fours,
}

_KERNELS: dict[str, KernelOf] = {
    "conv2d": _conv2d,
    "transpose_conv2d": _transpose_conv2d,
    "depthwise_conv2d": _depthwise,
    "dense": _dense,
    "pool2d": _pool2d,
    "softmax": _softmax,
    **kernels_arithmetic.KERNELS,
    **kernels_layout.KERNELS,
    **kernels_time.KERNELS,
}
