# SPDX-License-Identifier: Apache-2.0
"""Real models against LiteRT's reference kernels: every tensor of every step, with state."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.graph import ir, simulate
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.graph.litert_oracle import SHARED, interpreter, litert_run, random_inputs

MODELS = SHARED / "models"
STATELESS = (
    "wild/hello_world_int8",
    "wild/micro_speech_quantized",
    "wild/mnist_resnet_q",
    "wild/person_detect",
    "mlperf_tiny/str_ww_ref_model_int8",
)
WITH_STATE = ("wild/alexa", "wild/okay_nabu", "wild/trained_lstm_int8")
STEPS = 100


def model_bytes(name: str) -> bytes:
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"the shared models are not beside the project: no {name}.tflite")
    return path.read_bytes()


def accepted_by_litert(data: bytes) -> bytes:
    """The same model where LiteRT refuses the file for an axis that means nothing.

    person_detect says that the scales of its one-dimensional biases run along axis 3, which LiteRT 2.3 and
    TensorFlow 2.21's tf.lite.Interpreter both refuse. Runtimes never look at that axis; here it becomes 0.
    """
    model = schema.ModelT.InitFromPackedBuf(data)
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None and len(tensor.shape) == 1:
            tensor.quantization.quantizedDimension = 0
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def oracle_bytes(name: str) -> bytes:
    data = model_bytes(name)
    return accepted_by_litert(data) if name == "wild/person_detect" else data


def model_inputs(graph: ir.Graph, count: int) -> np.ndarray:
    """Half random bytes, half a slow walk, which keeps streaming models out of saturation."""
    rng = np.random.default_rng(7)
    noise = random_inputs(graph, rng, count)[0]
    walk = np.clip(np.cumsum(rng.integers(-9, 10, noise.shape), axis=0), -128, 127).astype(np.int8)
    return np.where((np.arange(count) % 20 < 10).reshape(-1, *(1,) * (noise.ndim - 1)), noise, walk)


@pytest.mark.parametrize("name", STATELESS)
def test_models_without_state(name):
    graph = read_tflite(model_bytes(name), "model")
    inputs = model_inputs(graph, STEPS)
    np.testing.assert_array_equal(simulate.run(graph, inputs), litert_run(oracle_bytes(name), inputs))


def test_tensorflows_interpreter_agrees_on_person_detect():
    data = oracle_bytes("wild/person_detect")
    lite = pytest.importorskip("tensorflow").lite
    kernels = lite.experimental.OpResolverType.BUILTIN_REF
    run = lite.Interpreter(model_content=data, experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    graph = read_tflite(model_bytes("wild/person_detect"), "model")
    inputs = model_inputs(graph, 10)
    for values, expected in zip(inputs, simulate.run(graph, inputs), strict=True):
        run.set_tensor(run.get_input_details()[0]["index"], values[None])
        run.invoke()
        np.testing.assert_array_equal(run.get_tensor(run.get_output_details()[0]["index"])[0], expected)


@pytest.mark.parametrize("name", WITH_STATE)
def test_every_tensor_of_models_with_state(name):
    """Over 100 steps; what reads variables is among the tensors, so state is compared too."""
    data = model_bytes(name)
    graph = read_tflite(data, "model")
    run, session = interpreter(data, every_tensor=True), simulate.Session(graph)
    index = {d["name"]: d["index"] for d in run.get_tensor_details()}
    made = [name for op in graph.ops for name in op.outputs if name in index]
    # Variables that are read by an operator are resources, which LiteRT crashes on when asked for.
    states = [name for op in graph.ops if op.kind in ("svdf", "lstm") for name in op.variables]
    assert len(made) >= len(graph.ops) - 12
    for values in model_inputs(graph, STEPS):
        run.set_tensor(run.get_input_details()[0]["index"], values[None])
        run.invoke()
        got = session.step(values, keep=made)
        for tensor in made:
            np.testing.assert_array_equal(got[tensor], run.get_tensor(index[tensor])[0], err_msg=tensor)
        for state in states:
            np.testing.assert_array_equal(session.state[state], run.get_tensor(index[state]), err_msg=state)


@pytest.mark.parametrize("name", WITH_STATE)
def test_rewritten_models_with_state_give_the_same_bits_under_litert(name):
    data = model_bytes(name)
    graph = read_tflite(data, "model")
    inputs = model_inputs(graph, 30)
    twin = write_tflite(graph)
    np.testing.assert_array_equal(litert_run(twin, inputs), litert_run(data, inputs))
    assert write_tflite(read_tflite(twin, "model")) == twin


@pytest.mark.parametrize("name", WITH_STATE)
def test_reset_starts_anew(name):
    graph = read_tflite(model_bytes(name), "model")
    inputs, session = model_inputs(graph, 20), simulate.Session(graph)
    first = session.run(inputs)
    second = session.run(inputs)
    session.reset()
    np.testing.assert_array_equal(session.run(inputs), first)
    states = list(simulate.Session(graph).state.values())
    assert all(np.array_equal(a, v.initial) for a, v in zip(states, graph.variables.values(), strict=True))
    assert second.shape == first.shape
