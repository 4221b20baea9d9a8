# SPDX-License-Identifier: Apache-2.0
"""What the .tflite reader takes, and what it refuses and how it says so."""

import resource
import subprocess
import sys

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.errors import ExportError, ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.activation import activation_range
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from shrinkfit.write.tflite_file import FlatWriter
from tests.graph.litert_oracle import SHARED, litert_run


def small_graph(**changes) -> ir.Graph:
    """conv 3x3 with RELU, mean, dense, softmax."""
    rng = np.random.default_rng(3)
    x = ir.Tensor("x", (1, 6, 5, 2), 0.5, 3)
    y = ir.Tensor("y", (1, 6, 5, 4), 0.25, -10)
    mean, logits = ir.Tensor("m", (1, 4), 0.25, -10), ir.Tensor("z", (1, 3), 0.125, 5)
    conv = {
        "kernel": rng.integers(-127, 128, (4, 3, 3, 2)).astype(np.int8),
        "bias": rng.integers(-500, 500, 4).astype(np.int32),
        "kernel_scales": rng.uniform(0.001, 0.002, 4).astype(np.float32),
        "padding": ir.Padding(1, 1, 1, 1),
        "activation_min": -10,
    }
    kernel, bias = rng.integers(-127, 128, (3, 4)).astype(np.int8), np.zeros(3, np.int32)
    ops = (
        ir.Conv2D(name="conv", inputs=("x",), outputs=("y",), **(conv | changes)),
        ir.Mean(name="mean", inputs=("y",), outputs=("m",), axes=(1, 2)),
        ir.Dense(
            name="dense",
            inputs=("m",),
            outputs=("z",),
            kernel=kernel,
            bias=bias,
            kernel_scales=np.full(3, 0.01, np.float32),
        ),
        ir.Softmax(name="softmax", inputs=("z",), outputs=("p",)),
    )
    tensors = (x, y, mean, logits, ir.Tensor("p", (1, 3), 1 / 256, -128))
    return ir.Graph("small", {t.name: t for t in tensors}, ops, ("x",), ("p",))


SMALL = write_tflite(small_graph())


def edited(change) -> bytes:
    """The small model's file after `change(model, subgraph)` on the schema's objects."""
    model = schema.ModelT.InitFromPackedBuf(SMALL)
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def named(subgraph, name: str):
    return next(t for t in subgraph.tensors if t.name in (name, name.encode()))


def set_code(position: int, code: str, custom: str | None = None):
    def change(model, subgraph):
        entry = model.operatorCodes[position]
        entry.builtinCode = getattr(schema.BuiltinOperator, code)
        entry.deprecatedBuiltinCode = min(entry.builtinCode, 127)
        entry.customCode = custom

    return change


def set_types(**types: str):
    def change(model, subgraph):
        for name, kind in types.items():
            named(subgraph, name.replace("_in_", "/")).type = getattr(schema.TensorType, kind)

    return change


def every_type(kind: str):
    def change(model, subgraph):
        for tensor in subgraph.tensors:
            tensor.type = getattr(schema.TensorType, kind)

    return change


def set_field(name: str, **fields):
    def change(model, subgraph):
        for field, value in fields.items():
            setattr(named(subgraph, name), field, value)

    return change


def set_option(position: int, **options):
    def change(model, subgraph):
        for option, value in options.items():
            setattr(subgraph.operators[position].builtinOptions, option, value)

    return change


def set_zero_points(model, subgraph):
    named(subgraph, "dense/kernel").quantization.zeroPoint = np.array([4], np.int64)


def drop_quantization(model, subgraph):
    named(subgraph, "m").quantization = None


def constant_input(model, subgraph):
    subgraph.operators[2].inputs = np.array([subgraph.tensors.index(named(subgraph, "dense/kernel"))] * 2, np.int32)


REFUSED = {
    "unknown operator": (set_code(3, "ELU"), "operator 3 (ELU)"),
    "custom operator": (set_code(0, "CUSTOM", "MyConv"), "operator 0 (CUSTOM 'MyConv')"),
    "dequantize to int8": (set_code(3, "DEQUANTIZE"), "operator 3 (DEQUANTIZE): its output 'p' is INT8"),
    "logistic of another scale": (set_code(2, "LOGISTIC"), "LiteRT takes only 1/256 and -128"),
    "concat of other scales": (set_code(1, "CONCATENATION"), "operator 1 (CONCATENATION)"),
    "variable without a first value": (set_code(1, "READ_VARIABLE"), "no CALL_ONCE before it"),
    "initializer that is not there": (set_code(1, "CALL_ONCE"), "operator 1 (CALL_ONCE)"),
    "float model": (every_type("FLOAT32"), "this is a float model"),
    "dynamic range": (set_types(x="FLOAT32", y="FLOAT32"), "dynamic range"),
    "uint8 model": (every_type("UINT8"), "old quantization scheme"),
    "int16 activations": (set_types(y="INT16"), "operator 0 (CONV_2D): its output 'y' is INT16"),
    "hybrid middle": (set_types(z="FLOAT32"), "operator 2 (FULLY_CONNECTED): its output 'z' is FLOAT32"),
    "int64 bias": (set_types(dense_in_bias="INT64"), "operator 2 (FULLY_CONNECTED) has INT64 in 'dense/bias'"),
    "asymmetric kernel": (set_zero_points, "zero_point"),
    "no quantization": (drop_quantization, "0 scales"),
    "tanh": (set_option(0, fusedActivationFunction=4), "operator 0 (CONV_2D) has the fused activation TANH"),
    "open width": (set_field("x", shapeSignature=np.array([-1, 6, -1, 2], np.int32)), "leaves dimension 2 open"),
    "batch": (set_field("x", shape=np.array([4, 6, 5, 2], np.int32)), "batch is 4"),
    "unequal groups": (set_field("x", shape=np.array([1, 6, 5, 5], np.int32)), "no groups of equal size"),
    "wrong output shape": (
        set_field("y", shape=np.array([1, 5, 5, 4], np.int32)),
        "conv2d 'conv2d_0': output shape is (1, 5, 5, 4)",
    ),
    "constant where a value belongs": (constant_input, "a constant"),
    "stride 0": (set_option(0, strideH=0), "stride (0, 1)"),
    "buffer too short": (set_field("dense/bias", shape=np.array([30], np.int32)), "12 bytes"),
    "no such buffer": (set_field("dense/bias", buffer=99), "buffer 99"),
    "shuffled weights": (set_option(2, weightsFormat=1), "shuffled weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_reason(case):
    change, message = REFUSED[case]
    with pytest.raises(ShrinkfitError) as raised:
        read_tflite(edited(change))
    assert message in str(raised.value)


def test_unsupported_operators_are_named_together():
    def change(model, subgraph):
        set_code(1, "RNN")(model, subgraph)
        set_code(3, "ELU")(model, subgraph)

    with pytest.raises(UnsupportedLayerError, match=r"operator 1 \(RNN\), operator 3 \(ELU\)"):
        read_tflite(edited(change))


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"not a model at all", b"\0\0\0\0TFL3", b"\x20\0\0\0TFL3" + b"\xff" * 40]
)
def test_what_is_no_tflite_file(data):
    with pytest.raises(ShrinkfitError, match="tflite file"):
        read_tflite(data)


def test_missing_file(tmp_path):
    with pytest.raises(ShrinkfitError, match="cannot read"):
        read_tflite(tmp_path / "nothing.tflite")


def test_damaged_files_are_read_or_refused():
    """Truncations, flipped bits, and 32-bit words replaced: never another exception than ShrinkfitError."""
    rng = np.random.default_rng(11)
    refused = 0
    for n in range(600):
        data = bytearray(SMALL)
        if n % 3 == 0:
            data = data[: rng.integers(len(data))]
        elif n % 3 == 1:
            data[rng.integers(8, len(data))] ^= 1 << int(rng.integers(8))
        else:
            start = int(rng.integers(2, len(data) // 4)) * 4
            word = int(rng.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, int(rng.integers(4000))]))
            data[start : start + 4] = word.to_bytes(4, "little")
        try:
            read_tflite(bytes(data))
        except ShrinkfitError:
            refused += 1
    assert 200 <= refused < 600


def outputs_equal(a: ir.Graph, b: ir.Graph, count: int = 20) -> bool:
    x = np.random.default_rng(5).integers(-128, 128, (count, *a.tensors[a.inputs[0]].shape[1:]), dtype=np.int8)
    return np.array_equal(simulate.run(a, x), simulate.run(b, x))


def test_open_batch_counts_as_one():
    change = set_field("x", shape=np.array([-1, 6, 5, 2], np.int32), shapeSignature=np.array([-1, 6, 5, 2], np.int32))
    assert outputs_equal(read_tflite(edited(change)), small_graph())


def test_absent_bias_is_zero():
    def change(model, subgraph):
        subgraph.operators[2].inputs = subgraph.operators[2].inputs[:2]

    graph = read_tflite(edited(change))
    assert outputs_equal(graph, small_graph())
    assert not graph.ops[2].bias.any()


def test_kernel_with_one_scale_is_expanded():
    kernel_scales = np.full(4, 0.0017, np.float32)

    def change(model, subgraph):
        for name, scale in (("conv/kernel", 0.0017), ("conv/bias", 0.00085)):
            quantization = named(subgraph, name).quantization
            quantization.scale, quantization.zeroPoint = np.array([scale], np.float32), np.array([0], np.int64)

    graph = read_tflite(edited(change))
    np.testing.assert_array_equal(graph.ops[0].kernel_scales, kernel_scales)
    assert outputs_equal(graph, small_graph(kernel_scales=kernel_scales))


def test_repeated_tensor_names_are_told_apart():
    graph = read_tflite(edited(lambda model, subgraph: setattr(named(subgraph, "m"), "name", "y")))
    assert len(graph.tensors) == 5
    assert outputs_equal(graph, small_graph())


def test_dense_flattens_an_image_in_front():
    x, z = ir.Tensor("x", (1, 3, 2, 2), 0.5, 0), ir.Tensor("z", (1, 4), 0.5, 0)
    flat = ir.Tensor("flat", (1, 12), 0.5, 0)
    weights = {"kernel": np.eye(4, 12, dtype=np.int8) * 100, "bias": np.arange(4, dtype=np.int32)}
    dense = ir.Dense(name="d", inputs=("flat",), outputs=("z",), kernel_scales=np.full(4, 0.01, np.float32), **weights)
    reshape = ir.Reshape(name="r", inputs=("x",), outputs=("flat",), shape=(1, 12))
    model = schema.ModelT.InitFromPackedBuf(
        write_tflite(ir.Graph("g", {t.name: t for t in (x, flat, z)}, (reshape, dense), ("x",), ("z",)))
    )
    operators = model.subgraphs[0].operators
    operators[1].inputs = np.array([operators[0].inputs[0], *operators[1].inputs[1:]], np.int32)
    del operators[0]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    data = bytes(builder.Output())
    inputs = np.random.default_rng(1).integers(-128, 128, (10, 3, 2, 2), dtype=np.int8)
    np.testing.assert_array_equal(simulate.run(read_tflite(data), inputs), litert_run(data, inputs))


def test_pad_in_front_stays_a_pad():
    graph = read_tflite(write_tflite(small_graph(padding=ir.Padding(2, 0, 1, 1))))
    assert [op.kind for op in graph.ops] == ["pad", "conv2d", "mean", "dense", "softmax"]
    assert graph.ops[0].padding == ir.Padding(2, 0, 1, 1)
    assert outputs_equal(graph, small_graph(padding=ir.Padding(2, 0, 1, 1)))


# 0.07 / (8 / 70) is 0.6125 and a little: 20 steps make 12.25, 40 steps almost exactly 24.5.
NEARLY_A_TIE = (0.07, 8 / 70)


def relu_file(source_scale: float, target_scale: float, zero_point: int) -> bytes:
    x, y = ir.Tensor("x", (1, 256), source_scale, -128), ir.Tensor("y", (1, 256), target_scale, zero_point)
    writer = FlatWriter()
    indices = [writer.activation(t.name, t.shape, t.scale, t.zero_point) for t in (x, y)]
    writer.operator("RELU", 2, indices[:1], indices[1:])
    return writer.finish("relu", indices[:1], indices[1:])


@pytest.mark.parametrize("source_scale", np.linspace(0.05, 0.2, 40))
def test_relu_of_its_own_is_exact(source_scale):
    data = relu_file(source_scale, 0.1, -100)
    every_value = np.arange(-128, 128, dtype=np.int8)[None]
    got = simulate.run(read_tflite(data), every_value)
    np.testing.assert_array_equal(got, litert_run(data, every_value))


@pytest.mark.parametrize("zero_point", [-100, -128])
def test_relu_divides_in_float32_even_where_it_clamps_nothing(zero_point):
    source, target = NEARLY_A_TIE
    every_value = np.arange(-128, 128, dtype=np.int8)[None]
    data = relu_file(source, target, zero_point)
    graph = read_tflite(data)
    np.testing.assert_array_equal(simulate.run(graph, every_value), litert_run(data, every_value))
    np.testing.assert_array_equal(litert_run(write_tflite(graph), every_value), litert_run(data, every_value))


ACTIVATIONS = [
    ("RELU", 0.1, -20, (-20, 127)),
    ("RELU", 0.1, -128, (-128, 127)),
    ("RELU6", 0.0234375, -128, (-128, 127)),
    ("RELU6", 0.05, -128, (-128, -8)),
    ("RELU6", 0.08, 0, (0, 75)),
    ("RELU_N1_TO_1", 0.08, 3, (-10, 16)),
    ("RELU_N1_TO_1", 2.0, 0, (-1, 1)),
    ("RELU6", 1e-38, 0, (0, 127)),
]


@pytest.mark.parametrize("name, scale, zero_point, expected", ACTIVATIONS)
def test_activation_range(name, scale, zero_point, expected):
    assert activation_range(name, ir.Tensor("y", (1, 1), scale, zero_point)) == expected


def test_a_clamp_that_is_no_activation_is_not_written():
    with pytest.raises(ExportError, match=r"conv2d 'conv' clamps to \[-10, 55\]"):
        write_tflite(small_graph(activation_max=55))


def test_written_bytes_are_the_same_each_time():
    assert write_tflite(small_graph()) == SMALL
    again = read_tflite(SMALL, "small")
    assert write_tflite(again) == write_tflite(read_tflite(write_tflite(again), "small"))


def test_constants_lie_at_multiples_of_16():
    """The schema's force_align, which kernels on real hardware rely on."""
    model = schema.Model.GetRootAs(SMALL, 0)
    start = np.frombuffer(SMALL, np.uint8).ctypes.data
    offsets = [model.Buffers(i).DataAsNumpy().ctypes.data - start for i in range(1, model.BuffersLength())]
    assert len(offsets) == 5
    assert all(offset % 16 == 0 for offset in offsets), offsets


def test_reading_is_fast_and_imports_no_tensorflow():
    path = SHARED / "models/mlperf_tiny/kws_ref_model_int8.tflite"
    if not path.exists():
        pytest.skip("the shared models are not beside the project: no kws_ref_model_int8.tflite")
    code = (
        "import sys; from shrinkfit.read.tflite import read_tflite; "
        f"read_tflite({str(path)!r}); print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
    # The processor's seconds, not the clock's: half of them are the start of Python and NumPy; 1 is the promise.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 3
