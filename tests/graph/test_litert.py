# SPDX-License-Identifier: Apache-2.0
"""The simulator against LiteRT's reference kernels (BUILTIN_REF): every element, every operator."""

import numpy as np
import pytest

from shrinkfit.graph import ir, simulate
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.graph.litert_draw import WIRE, Draw, one_op
from tests.graph.litert_families import FAMILIES, chain
from tests.graph.litert_families_more import MORE_FAMILIES
from tests.graph.litert_oracle import SHARED, differences, interpreter, litert_run, random_inputs, simulated

SEEDS = 60
ALL_FAMILIES = FAMILIES | MORE_FAMILIES
# Seeds at which a difference was found once. LSTM: cells below -32, where the exponential ends.
FOUND = {"lstm": (1046, 1530)}
MODELS = SHARED / "models"
COVERED = (
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/ic_pretrainedResnet_int8",
    "mlperf_tiny/kws_ref_model_int8",
    "mlperf_tiny/str_ww_ref_model_int8",
    "mlperf_tiny/vww_96_int8",
    "wild/hello_world_int8",
    "wild/micro_speech_quantized",
    "wild/mnist_resnet_q",
)


def model_bytes(name: str) -> bytes:
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"the shared models are not beside the project: no {name}.tflite")
    return path.read_bytes()


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_random_operators_equal_litert(family):
    wrong = {}
    for seed in (*range(SEEDS), *FOUND.get(family, ())):
        draw = Draw(seed)
        count = differences(ALL_FAMILIES[family](draw), draw.rng)
        if count:
            wrong[seed] = count
    assert wrong == {}, f"{family}: elements that differ, by seed"


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_written_operators_read_back_with_the_same_outputs(family):
    for seed in range(20):
        draw = Draw(seed)
        graph = ALL_FAMILIES[family](draw)
        again = read_tflite(write_tflite(graph), graph.name)
        inputs = random_inputs(graph, draw.rng, 5)
        np.testing.assert_array_equal(simulated(again, *inputs), simulated(graph, *inputs))
        assert write_tflite(again) == write_tflite(read_tflite(write_tflite(again), graph.name))


def _sums(op_kind: str, effective: float, sums: np.ndarray, source_scale: float, target_scale: float) -> ir.Graph:
    """An operator whose output channel i sees exactly sums[i]: kernels of zero, and the sums as biases."""
    n = len(sums)
    scales = np.full(n, effective * target_scale / source_scale, np.float32)
    weights = {"bias": sums.astype(np.int32), "kernel_scales": scales}
    kinds = {
        "conv2d": lambda: ir.Conv2D(**WIRE, **weights, kernel=np.zeros((n, 1, 1, 1), np.int8)),
        "transpose_conv2d": lambda: ir.TransposeConv2D(
            **WIRE, **weights, kernel=np.zeros((n, 1, 1, 1), np.int8), output_size=(1, 1)
        ),
        "depthwise": lambda: ir.DepthwiseConv2D(
            **WIRE, **weights, kernel=np.zeros((1, 1, n), np.int8), depth_multiplier=n
        ),
        "dense": lambda: ir.Dense(**WIRE, **weights, kernel=np.zeros((n, 1), np.int8)),
    }
    op = kinds[op_kind]()
    source = ir.Tensor("x", (1, 1) if op_kind == "dense" else (1, 1, 1, 1), source_scale, 0)
    return one_op(op, (source,), ir.Tensor("y", op.output_shape(source.shape), target_scale, 0))


@pytest.mark.parametrize("kind", ["conv2d", "transpose_conv2d", "depthwise", "dense"])
@pytest.mark.parametrize("exponent", [-20, -16, -10, -5, -1])
def test_sums_next_to_every_tie(kind, exponent):
    rng = np.random.default_rng(exponent + 100)
    for exact in (True, False):
        effective = 2.0 ** (exponent + (0 if exact else rng.uniform(-0.9, 0.9)))
        source, target = (2.0**-4, 2.0**-3) if exact else (0.0437, 0.0911)
        real = float(np.float32(source)) * float(np.float32(effective * target / source)) / float(np.float32(target))
        ties = np.rint((np.arange(-128, 127) + 0.5) / real)
        sums = np.unique((ties[:, None] + np.arange(-2, 3)).ravel())
        graph = _sums(kind, effective, sums, source, target)
        assert differences(graph, rng, 1) == 0


@pytest.mark.parametrize("source_scale, target_scale", [(0.1, 0.2), (0.3, 0.1), (0.7, 0.3), (0.05, 0.15), (1.1, 0.55)])
@pytest.mark.parametrize("names", [("NONE",), ("RELU",)])
def test_requantize_where_the_quotient_is_nearly_a_tie(source_scale, target_scale, names):
    source, target = ir.Tensor("x", (1, 256), source_scale, -128), ir.Tensor("y", (1, 256), target_scale, -100)
    op = ir.Requantize(**WIRE, **Draw(0).clamp(target, names))
    every_value = np.arange(-128, 128, dtype=np.int8)[None]
    graph = one_op(op, (source,), target)
    np.testing.assert_array_equal(simulate.run(graph, every_value), litert_run(write_tflite(graph), every_value))


@pytest.mark.parametrize("name, bound", [("RELU6", 6.0), ("RELU_N1_TO_1", 1.0)])
def test_bounds_of_a_clamp_where_the_division_is_nearly_a_tie(name, bound):
    """LiteRT divides bound by scale in float32, where many of these quotients become exact ties."""
    for n in range(1, 110):
        target = ir.Tensor("y", (1, 256), bound / (n + 0.5), 0)
        op = ir.Requantize(**WIRE, **Draw(0).clamp(target, (name,)))
        graph = one_op(op, (ir.Tensor("x", (1, 256), target.scale, 0),), target)
        every_value = np.arange(-128, 128, dtype=np.int8)[None]
        np.testing.assert_array_equal(simulate.run(graph, every_value), litert_run(write_tflite(graph), every_value))


@pytest.mark.parametrize("name", COVERED)
def test_models_equal_litert(name):
    data = model_bytes(name)
    graph = read_tflite(data, "model")
    inputs = random_inputs(graph, np.random.default_rng(7), 50)
    np.testing.assert_array_equal(simulate.run(graph, *inputs), litert_run(data, *inputs))


def assert_every_tensor_equal(graph: ir.Graph, data: bytes, count: int) -> None:
    """Softmax saturates and hides errors, so all that lies before it is compared too."""
    run = interpreter(data, every_tensor=True)
    index = {d["name"]: d["index"] for d in run.get_tensor_details()}
    inputs = random_inputs(graph, np.random.default_rng(8), count)
    traced = simulate.trace(graph, *inputs)
    # The reader puts a reshape of its own in front of a dense layer that flattens.
    missing = {name for name in traced if name not in index}
    assert all(name.endswith("/flat") for name in missing), missing
    for i, values in enumerate(inputs[0]):
        run.set_tensor(run.get_input_details()[0]["index"], values[None])
        run.invoke()
        for tensor in traced.keys() - missing:
            np.testing.assert_array_equal(traced[tensor][i], run.get_tensor(index[tensor])[0], err_msg=tensor)


@pytest.mark.parametrize("name", COVERED)
def test_every_tensor_of_a_model_equals_litert(name):
    data = model_bytes(name)
    assert_every_tensor_equal(read_tflite(data, "model"), data, 2)


@pytest.mark.parametrize("seeds", [range(0, 40), range(40, 80), range(80, 120)], ids=str)
def test_every_tensor_of_random_chains_equals_litert(seeds):
    for seed in seeds:
        graph = chain(seed)
        data = write_tflite(graph)
        assert_every_tensor_equal(graph, data, 3)
        assert_every_tensor_equal(read_tflite(data), data, 1)


@pytest.mark.parametrize("name", COVERED)
def test_rewritten_models_give_the_same_bits_under_litert(name):
    data = model_bytes(name)
    graph = read_tflite(data, "model")
    inputs = random_inputs(graph, np.random.default_rng(9), 5)
    np.testing.assert_array_equal(litert_run(write_tflite(graph), *inputs), litert_run(data, *inputs))


def test_keyword_spotting_on_the_recorded_vectors():
    data = model_bytes("mlperf_tiny/kws_ref_model_int8")
    vectors = np.load(MODELS / "mlperf_tiny/kws_vectors.npz")
    graph = read_tflite(data, "kws")
    inputs = vectors["inputs"].astype(np.int8).reshape(-1, 49, 10, 1)
    assert len(inputs) == 500
    np.testing.assert_array_equal(simulate.run(graph, inputs), vectors["out_builtin_ref"])
