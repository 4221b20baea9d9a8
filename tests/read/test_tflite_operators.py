# SPDX-License-Identifier: Apache-2.0
"""Files that the writer does not make: folded shapes, open batches, masks of slices, initializers, hostile files."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from shrinkfit.write.tflite_file import FlatWriter, quantization
from tests.graph.litert_draw import Draw
from tests.graph.litert_families import FAMILIES
from tests.graph.litert_families_more import MORE_FAMILIES
from tests.graph.litert_oracle import litert_run, random_inputs, simulated

SHAPE = (1, 4, 3, 2)


def writer_with_input(shape=SHAPE) -> tuple[FlatWriter, int]:
    file = FlatWriter()
    return file, file.activation("x", shape, 0.5, 3)


def numbers(file: FlatWriter, name: str, *values: int) -> int:
    return file.constant(name, np.array(values, np.int32))


def assert_equal_to_litert(data: bytes, count: int = 5) -> None:
    graph = read_tflite(data)
    inputs = random_inputs(graph, np.random.default_rng(2), count)
    np.testing.assert_array_equal(simulated(graph, *inputs), litert_run(data, *inputs))


def test_shape_arithmetic_folds_away():
    """What Keras writes around Flatten with an open batch: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    file, x = writer_with_input()
    shape, batch, packed = (file.integers(n, s) for n, s in (("shape", (4,)), ("batch", ()), ("packed", (2,))))
    y = file.activation("y", (1, 24), 0.5, 3)
    ends = [numbers(file, n, v) for n, v in (("begin", 0), ("end", 1), ("step", 1))]
    file.operator("SHAPE", 1, [x], [shape], schema.ShapeOptionsT(outType=schema.TensorType.INT32))
    file.operator("STRIDED_SLICE", 1, [shape, *ends], [batch], schema.StridedSliceOptionsT(shrinkAxisMask=1))
    size = file.constant("size", np.array(24, np.int32))
    file.operator("PACK", 1, [batch, size], [packed], schema.PackOptionsT(valuesCount=2))
    file.operator("RESHAPE", 1, [x, packed], [y], schema.ReshapeOptionsT())
    data = file.finish("fold", [x], [y])
    assert [op.kind for op in read_tflite(data).ops] == ["reshape"]
    assert_equal_to_litert(data)


# begin, end, strides, then masks; the shape that is left.
SLICES = [
    ((0, -3, 0, 0), (1, -1, 3, 2), (1, 1, 1, 1), {}, (1, 2, 3, 2)),
    ((0, 9, 0, 0), (1, -9, 3, 2), (1, -1, 1, 1), {}, (1, 4, 3, 2)),
    ((5, 1, 7, 1), (9, 9, 9, 9), (1, 2, 1, 1), {"beginMask": 5, "endMask": 15}, (1, 2, 3, 1)),
    ((0, 0, -1, 0), (1, 4, 0, 2), (1, 1, 1, 1), {"shrinkAxisMask": 4}, (1, 4, 2)),
    ((0, 2), (1, 4), (1, 1), {}, (1, 2, 3, 2)),
    ((0, 1, 0, 0), (1, 2, 3, 2), (1, 1, 1, 1), {"offset": True}, (1, 2, 3, 2)),
]


@pytest.mark.parametrize("case", SLICES, ids=str)
def test_slices_as_litert_counts_them(case):
    *ranges, masks, left = case
    file, x = writer_with_input()
    constants = [numbers(file, n, *values) for n, values in zip(("begin", "end", "strides"), ranges, strict=True)]
    y = file.activation("y", left, 0.5, 3)
    file.operator("STRIDED_SLICE", 4, [x, *constants], [y], schema.StridedSliceOptionsT(**masks))
    assert_equal_to_litert(file.finish("slice", [x], [y]))


def test_slice_and_split_of_equal_pieces():
    file, x = writer_with_input()
    y, p, q = (
        file.activation(n, s, 0.5, 3) for n, s in (("y", (1, 2, 3, 2)), ("p", (1, 1, 3, 2)), ("q", (1, 1, 3, 2)))
    )
    begin, size = numbers(file, "begin", 0, 1, 0, 0), numbers(file, "size", 1, 2, -1, -1)
    file.operator("SLICE", 2, [x, begin, size], [y], schema.SliceOptionsT())
    axis = file.constant("axis", np.array(-3, np.int32))
    file.operator("SPLIT", 2, [axis, y], [p, q], schema.SplitOptionsT(numSplits=2))
    graph = read_tflite(file.finish("slice", [x], [q]))
    values = np.random.default_rng(1).integers(-128, 128, (3, 4, 3, 2), dtype=np.int8)
    np.testing.assert_array_equal(simulate.run(graph, values), values[:, 2:3])


def test_several_inputs_and_outputs():
    file, x = writer_with_input()
    z = file.activation("z", SHAPE, 0.5, 3)
    y, w = (file.activation(n, (1, 4, 3, 4), 0.5, 3) for n in "yw")
    for pair, out in (((x, z), y), ((z, x), w)):
        file.operator("CONCATENATION", 2, pair, [out], schema.ConcatenationOptionsT(axis=-1))
    graph = read_tflite(file.finish("pair", [x, z], [w, y]))
    inputs = random_inputs(graph, np.random.default_rng(1), 2)
    got = simulate.trace(graph, dict(zip("xz", inputs, strict=True)))
    assert (graph.inputs, graph.outputs) == (("x", "z"), ("w", "y"))
    np.testing.assert_array_equal(got["w"], np.concatenate(inputs[::-1], axis=-1))


def looked_up(table: np.ndarray, first: int = 128, clamp: int = 0, **options: int) -> bytes:
    """Values cast to int32, a number added, and a table read at the sum."""
    file, x = writer_with_input()
    wide, at, y = file.integers("wide", SHAPE), file.integers("at", SHAPE), file.activation("y", SHAPE, 0.5, 3)
    values = file.constant("table", table, quantization(0.5, 3))
    file.operator("CAST", 1, [x], [wide], schema.CastOptionsT(inDataType=schema.TensorType.INT8, outDataType=2))
    file.operator(
        "ADD", 1, [wide, numbers(file, "first", first)], [at], schema.AddOptionsT(fusedActivationFunction=clamp)
    )
    file.operator("GATHER", 2, [values, at], [y], schema.GatherOptionsT(**options))
    return file.finish("lookup", [x], [y])


def test_a_table_that_is_gathered_from_is_one_operator():
    data = looked_up(np.random.default_rng(3).integers(-128, 128, 256).astype(np.int8))
    assert [(op.kind, op.function) for op in read_tflite(data).ops] == [("table", "lookup")]
    assert_equal_to_litert(data)


@pytest.mark.parametrize(("length", "first", "options"), [(255, 128, {}), (256, 127, {}), (256, 128, {"batchDims": 1})])
def test_tables_of_another_form_are_refused(length, first, options):
    with pytest.raises(UnsupportedLayerError, match=r"operator 2 \(GATHER\) looks values up in"):
        read_tflite(looked_up(np.zeros(length, np.int8), first, **options))


def test_positions_that_are_clamped_are_refused():
    with pytest.raises(UnsupportedLayerError, match=r"operator 1 \(ADD\) adds a number to int32 values and clamps"):
        read_tflite(looked_up(np.zeros(256, np.int8), clamp=schema.ActivationFunctionType.RELU6))


def cyclic(code: str):
    """A main subgraph whose initializer is itself, or has an operator that an initializer may not have."""
    file = FlatWriter()
    x, y = file.activation("x", SHAPE, 0.5, 3), file.activation("y", SHAPE, 0.5, 3)
    file.operator("CALL_ONCE", 1, (), (), schema.CallOnceOptionsT(initSubgraphIndex=0 if code == "itself" else 1))
    if code != "itself":
        file.subgraph("other").operator("CALL_ONCE", 1, (), (), schema.CallOnceOptionsT(initSubgraphIndex=1))
    file.operator("QUANTIZE", 2, [x], [y], schema.QuantizeOptionsT())
    return file.finish("cyclic", [x], [y])


@pytest.mark.parametrize("code", ["itself", "another"])
def test_subgraphs_that_call_each_other_are_refused(code):
    with pytest.raises(UnsupportedLayerError, match=r"operator 0 \(CALL_ONCE\) calls subgraph"):
        read_tflite(cyclic(code))


def test_huge_dimensions_cost_nothing():
    file, x = writer_with_input((1, 2**30, 2**30, 2**30))
    y = file.activation("y", (1, 2**30, 2**30, 2**30), 0.5, 3)
    file.operator("QUANTIZE", 2, [x], [y], schema.QuantizeOptionsT())
    with pytest.raises(ShrinkfitError, match="more bytes than any device"):
        read_tflite(file.finish("huge", [x], [y]))


def test_a_state_of_another_size_than_its_layer_is_refused():
    draw = Draw(3)
    model = schema.ModelT.InitFromPackedBuf(write_tflite(MORE_FAMILIES["svdf"](draw)))
    state = next(t for t in model.subgraphs[0].tensors if t.isVariable)
    state.shape = np.array([1, 2**30], np.int32)
    with pytest.raises(UnsupportedLayerError, match=r"operator 0 \(SVDF\) keeps its state"):
        read_tflite(packed(model))


def packed(model) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_one_buffer_named_often_does_not_fill_the_memory():
    """A file of 2 MB whose hundred operators all take the same constant of 1.5 MB."""
    file, x = writer_with_input((1, 1500))
    constant = file.constant("kernel", np.ones((1000, 1500), np.int8), quantization(0.01, 0))
    for i in range(100):
        y = file.activation(f"y{i}", (1, 1000), 0.5, 3)
        file.operator("FULLY_CONNECTED", 4, [x, constant], [y], schema.FullyConnectedOptionsT())
    with pytest.raises(ShrinkfitError, match="more constants than its"):
        read_tflite(file.finish("greedy", [x], [y]))


def transposed(made=(1, 8, 6, 5), padding="SAME", bias=False, stride=2, output=None, **options) -> bytes:
    """TRANSPOSE_CONV with a kernel of 5 x 3 x 3 x 2 on 4 x 3 pixels; output: the shape of its tensor, if not `made`."""
    file, x = writer_with_input()
    rng = np.random.default_rng(1)
    kernel = rng.integers(-127, 128, (5, 3, 3, 2)).astype(np.int8)
    inputs = [numbers(file, "shape", *made), file.constant("kernel", kernel, quantization(np.full(5, 0.01), 0)), x]
    if bias:
        inputs.append(file.constant("bias", np.arange(5, dtype=np.int32) * 99, quantization(np.full(5, 0.005), 0)))
    y = file.activation("y", output or made, 0.5, -7)
    fields = options | {"padding": getattr(schema.Padding, padding), "strideH": stride, "strideW": stride}
    file.operator("TRANSPOSE_CONV", 4 if options else 2 + bias, inputs, [y], schema.TransposeConvOptionsT(**fields))
    return file.finish("up", [x], [y])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("options", [{}, {"fusedActivationFunction": schema.ActivationFunctionType.RELU}])
@pytest.mark.parametrize("made, padding", [((1, 8, 6, 5), "SAME"), ((1, 9, 7, 5), "VALID"), ((1, 10, 8, 5), "VALID")])
def test_transposed_convolutions_of_all_versions(made, padding, bias, options):
    data = transposed(made, padding, bias, **options)
    (op,) = read_tflite(data).ops
    assert op.output_size == made[1:3] and bool(op.bias.any()) == bias
    assert_equal_to_litert(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"made": (1, 9, 6, 5)}, r"makes \(9, 6\) of \(4, 3\), expected an input of \(5, 3\)"),
        ({"made": (1, 11, 7, 5), "padding": "VALID"}, r"expected an input of \(5, 3\)"),
        ({"output": (1, 8, 6, 4)}, r"for an output of \(1, 8, 6, 4\)"),
        ({"made": (1, 8, 6)}, r"\(1, 8, 6\), expected four dimensions"),
        ({"stride": 0}, r"stride \(0, 0\)"),
        ({"stride": -2}, r"stride \(-2, -2\)"),
    ],
)
def test_transposed_convolutions_that_contradict_themselves(changes, message):
    with pytest.raises(UnsupportedLayerError, match=r"operator 0 \(TRANSPOSE_CONV\).*" + message):
        read_tflite(transposed(**changes))


DAMAGED = ("svdf", "lstm", "variables", "split", "strided_slice", "mul", "prelu", "pad, any axes", "resize_bilinear")


@pytest.mark.parametrize("family", (*DAMAGED, "transpose_conv2d"))
def test_damaged_files_are_read_or_refused(family):
    """Truncations, flipped bits, replaced words: never another exception than ShrinkfitError."""
    rng = np.random.default_rng(5)
    sound = write_tflite((FAMILIES | MORE_FAMILIES)[family](Draw(1)))
    refused = 0
    for n in range(200):
        data = bytearray(sound)
        if n % 4 == 0:
            data = data[: rng.integers(len(data))]
        elif n % 4 == 1:
            data[rng.integers(8, len(data))] ^= 1 << int(rng.integers(8))
        else:
            start = int(rng.integers(2, len(data) // 4)) * 4
            word = int(rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, int(rng.integers(4000))]))
            data[start : start + 4] = word.to_bytes(4, "little")
        try:
            read_tflite(bytes(data))
        except ShrinkfitError:
            refused += 1
    assert 40 <= refused < 200
