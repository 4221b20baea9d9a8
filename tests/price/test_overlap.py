# SPDX-License-Identifier: Apache-2.0
"""What may overlap: each kernel's declared order, byte by byte, never meets a byte that was overwritten."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.graph import ir
from shrinkfit.price.arena import overlaps, plan, tensor_buffers, tensor_roots
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.overlap import overlap
from tests.fuzz.cuts import drawn_cut
from tests.fuzz.draw import draw_graph
from tests.fuzz.tight import tight_plan
from tests.price.order import Memory, steps


def pool(size, window, stride, padding, channels=3):
    """Average pooling of a plane."""
    op = ir.Pool2D(
        name="p", inputs=("x",), outputs=("y",), mode="average", window=window, stride=stride, padding=padding
    )
    tensors = {"x": ir.Tensor("x", (1, *size, channels))}
    tensors["y"] = ir.Tensor("y", op.output_shape(tensors["x"].shape))
    return op, ir.Graph("g", tensors, (op,), ("x",), ("y",))


def conv(size, window, stride, padding, channels=3, outputs=5, dilation=(1, 1)):
    kernel = np.zeros((outputs, *window, channels), np.int8)
    op = ir.Conv2D(
        name="c", inputs=("x",), outputs=("y",), kernel=kernel, bias=np.zeros(outputs, np.int32),
        kernel_scales=np.ones(outputs, np.float32), stride=stride, padding=padding, dilation=dilation,
    )  # fmt: skip
    tensors = {"x": ir.Tensor("x", (1, *size, channels))}
    tensors["y"] = ir.Tensor("y", op.output_shape(tensors["x"].shape))
    return op, ir.Graph("g", tensors, (op,), ("x",), ("y",))


def transposed(size, window, stride, output_size, channels=3, outputs=2):
    padding = ir.transpose_padding(size, window, stride, output_size, True)
    op = ir.TransposeConv2D(
        name="t", inputs=("x",), outputs=("y",), kernel=np.zeros((outputs, *window, channels), np.int8),
        bias=np.zeros(outputs, np.int32), kernel_scales=np.ones(outputs, np.float32), stride=stride,
        padding=padding, output_size=output_size,
    )  # fmt: skip
    tensors = {"x": ir.Tensor("x", (1, *size, channels)), "y": ir.Tensor("y", (1, *output_size, outputs))}
    return op, ir.Graph("g", tensors, (op,), ("x",), ("y",))


def reads_what_it_overwrote(op, graph, distance: int) -> bool:
    """With the input `distance` bytes behind the output's start."""
    size = sum(t.size_bytes for t in graph.tensors.values()) + max(distance, 0)
    memory = np.full(size, -1)
    memory[distance : distance + graph.op_inputs(op)[0].size_bytes] = np.arange(graph.op_inputs(op)[0].size_bytes)
    for reads, written in steps(op, graph):
        memory[written] = -2
        if not np.array_equal(memory[distance + reads.get(0, written[:0])], reads.get(0, written[:0])):
            return True
    return False


PADS = [ir.Padding(), ir.Padding(1, 1, 1, 1), ir.Padding(2, 0, 0, 2)]
WINDOWS = [
    *(conv((5, 6), (h, w), s, p) for (h, w), s, p in product([(1, 1), (3, 3), (2, 4)], [(1, 1), (2, 1), (2, 3)], PADS)),
    *(conv((7, 7), (3, 2), (1, 1), p, dilation=(2, 3)) for p in PADS),
    *(conv((4, 4), (1, 1), (1, 1), ir.Padding(), 8, n) for n in (1, 8, 9)),
    *(pool((6, 5), (2, 2), s, p) for s, p in product([(1, 1), (2, 2)], PADS[:2])),
    *(transposed((3, 4), w, s, (3 * s[0], 4 * s[1])) for w, s in product([(2, 2), (3, 3)], [(1, 1), (2, 2)])),
]


@pytest.mark.parametrize(("op", "graph"), WINDOWS)
def test_the_distance_is_enough_and_one_byte_less_is_not(op, graph):
    distance = overlap(op, graph, 0).distance
    assert not reads_what_it_overwrote(op, graph, distance)
    assert distance == 0 or reads_what_it_overwrote(op, graph, distance - 1)


def test_a_pointwise_convolution_writes_a_pixel_behind_what_it_reads():
    for inputs, outputs, expected in ((8, 8, 8), (8, 4, 4), (8, 9, 8 + 16)):
        op, graph = conv((4, 4), (1, 1), (1, 1), ir.Padding(), inputs, outputs)
        assert overlap(op, graph, 0).distance == expected


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([plan, tight_plan]))
def test_no_kernel_reads_a_byte_that_was_overwritten(seed, planner):
    graph = draw_graph(seed)
    graph = drawn_cut(graph, seed) or graph
    scratch = scratch_sizes(graph, True)
    memory = Memory(graph, planner(graph, scratch))
    for name in graph.inputs:
        memory.write(name, np.arange(graph.tensors[name].size_bytes))
    for op in graph.ops:
        assert memory.run(op, scratch.get(op.name, 0)) == ""
    for name in graph.outputs:
        assert memory.holds(name, np.arange(graph.tensors[name].size_bytes))


def test_random_graphs_have_overlaps_of_every_kind():
    seen = Counter()
    for seed in range(300):
        graph = draw_graph(seed)
        makers = {name: op.kind for op in graph.ops for name in op.outputs}
        root_of = tensor_roots(graph)
        seen.update(makers[made] for _, made in overlaps(graph, tensor_buffers(graph, root_of)))
    kinds = {"conv2d", "transpose_conv2d", "depthwise_conv2d", "pool2d", "add", "sub", "mul", "prelu", "table"}
    assert kinds | {"requantize", "softmax", "maximum", "minimum"} <= set(seen) and min(seen.values()) >= 5, seen
