# SPDX-License-Identifier: Apache-2.0
"""A streamed graph gives what the graph gives for windows, or for everything since the reset; else it says so."""

from functools import cache

import numpy as np
import pytest
from keras import Model, layers

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.optimize import optimize
from shrinkfit.graph.stream_explicit import explicit
from shrinkfit.graph.streaming import to_streaming
from tests.graph import streams

FRAMES = 1000
VALID = {
    "ds_cnn": (streams.ds_cnn, {}),
    "ds_cnn even": (streams.ds_cnn, {"frames": 24}),
    "tc_resnet": (streams.tc_resnet, {}),
    "tc_resnet even": (streams.tc_resnet, {"frames": 44}),
    "flat window": (streams.flat_window, {}),
}
CAUSAL = {"ds_cnn": (streams.ds_cnn, {"causal": True}), "tc_resnet": (streams.tc_resnet, {"padding": "causal"})}


@cache
def graph_of(make, fields):
    return optimize(streams.integer(make(**dict(fields))))[0]


def graph(models, name):
    make, fields = models[name]
    return graph_of(make, tuple(fields.items()))


@pytest.mark.parametrize("frames_per_call", [None, 6])
@pytest.mark.parametrize("name", VALID)
def test_valid_models_equal_the_model_on_every_full_window(name, frames_per_call):
    whole = graph(VALID, name)
    made = to_streaming(whole, frames_per_call)
    frames, n, first = streams.frames_for(whole, FRAMES), made.report.frames_per_call, made.report.warmup_calls
    got = streams.streamed(made, frames)
    assert (made.report.equals, set(made.report.delay_frames.values())) == ("window", {0})
    assert first == -(-made.report.window_frames // n) and made.graph.macs < 0.5 * whole.macs * n / 2
    expected = streams.windows(whole, frames, np.arange(first, len(got) + 1) * n)
    np.testing.assert_array_equal(got[first - 1 :], expected)
    assert len(np.unique(got, axis=0)) > 20


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_models_equal_the_model_over_all_frames_since_the_reset(name):
    whole = graph(CAUSAL, name)
    made = to_streaming(whole)
    frames, got = streams.frames_for(whole, FRAMES), streams.streamed(made, streams.frames_for(whole, FRAMES))
    assert made.report.equals == "sequence" and not made.report.advice
    pooled = next(op for op in whole.ops if op.kind == "mean").inputs[0]
    expected = streams.pooled_over(whole, frames, pooled, len(got))
    np.testing.assert_array_equal(got[-len(expected) :], expected)
    first = simulate.run(whole, frames[None, : made.report.window_frames])
    at = -(-made.report.window_frames // made.report.frames_per_call) - 1
    np.testing.assert_array_equal(got[at], first[0])


@pytest.mark.parametrize("frames_per_call", [1, 5])
def test_an_output_for_each_frame(frames_per_call):
    whole = graph_of(streams.conv1d_stack, ())
    made, frames = to_streaming(whole, frames_per_call), streams.frames_for(whole, FRAMES)
    expected = simulate.run(streams.stretched(whole, FRAMES, whole.outputs[0]), frames[None])[0]
    np.testing.assert_array_equal(streams.streamed(made, frames).reshape(expected.shape), expected)
    assert made.report.warmup_calls == 1 and made.report.delay_frames == {whole.outputs[0]: 0}


def test_valid_before_causal_is_exact_once_it_has_warmed_up():
    inputs = layers.Input((20, 6))
    x = layers.Conv1D(6, 4, activation="relu")(inputs)
    whole = streams.integer(Model(inputs, layers.Conv1D(4, 3, padding="causal")(x)))
    made, frames = to_streaming(whole), streams.frames_for(whole, 60)
    expected = simulate.run(streams.stretched(whole, 60, whole.outputs[0]), frames[None])[0]
    got = streams.streamed(made, frames)[:, 0]
    late = made.report.delay_frames[whole.outputs[0]] + 3
    warm = made.report.warmup_calls
    assert made.report.equals == "sequence, warmed up" and late == 3
    np.testing.assert_array_equal(got[warm:], expected[warm - late : 60 - late])


def test_same_padding_is_reported_with_its_layers_and_measured():
    model = streams.tc_resnet(padding="same")
    whole = streams.integer(model)
    examples = streams.sound(model.input_shape[1:], 8, np.random.default_rng(5))
    report = to_streaming(whole, examples=examples).report
    assert report.equals == "approximate" and not report.exact and report.delay_frames[whole.outputs[0]] == 9
    assert [(one.before, one.after) for one in report.padded] == [(1, 1), (2, 2), (1, 1), (2, 2), (2, 2)]
    assert "'conv1d" in report.advice and "causal" in report.advice and "measured on" in str(report)
    assert report.difference["windows"] > 100 and 0 < report.difference["equal_percent"] < 100


def test_same_padding_computes_what_the_model_gives_inside_a_long_stretch():
    """Away from both ends of a long sequence, padding takes no part."""
    whole = streams.integer(streams.conv1d_stack(padding="same"))
    made, frames = to_streaming(whole), streams.frames_for(whole, 200)
    expected = simulate.run(streams.stretched(whole, 200, whole.outputs[0]), frames[None])[0]
    late, got = made.report.delay_frames[whole.outputs[0]], streams.streamed(made, frames)[:, 0]
    assert late == 5
    np.testing.assert_array_equal(got[50 + late : 150 + late], expected[50:150])


def counted_steps(monkeypatch):
    """A list that grows with every step of a Session."""
    steps, step = [], simulate.Session.step
    monkeypatch.setattr(simulate.Session, "step", lambda *args, **options: steps.append(1) or step(*args, **options))
    return steps


@pytest.mark.parametrize("calls", [1, 33, 34, 35, 100, 500])
@pytest.mark.parametrize(
    "models, name", [(VALID, "ds_cnn"), (VALID, "tc_resnet"), (CAUSAL, "ds_cnn"), (CAUSAL, "tc_resnet")]
)
def test_stretches_side_by_side_give_what_one_stream_gives(models, name, calls, monkeypatch):
    made = to_streaming(graph(models, name), 2)
    frames = streams.frames_for(made.graph, 2 * calls)
    inputs = frames.reshape(calls, *made.graph.tensors[made.graph.inputs[0]].shape[1:])
    expected, steps = simulate.Session(made.graph).run(inputs), counted_steps(monkeypatch)
    np.testing.assert_array_equal(simulate.run_stream(made.graph, inputs, 32), expected)
    assert len(steps) == (calls if calls <= 33 else 0)


def test_what_remembers_longer_than_was_thought_is_run_one_by_one(monkeypatch):
    made = to_streaming(graph(VALID, "tc_resnet"), 2)
    inputs = streams.frames_for(made.graph, 400).reshape(200, *made.graph.tensors[made.graph.inputs[0]].shape[1:])
    expected, steps = simulate.Session(made.graph).run(inputs), counted_steps(monkeypatch)
    np.testing.assert_array_equal(simulate.run_stream(made.graph, inputs, 3), expected)
    assert len(steps) == 200


@pytest.mark.parametrize("name", ["ds_cnn", "flat window"])
def test_written_out_in_liteRT_operators_it_is_the_same(name):
    made = to_streaming(graph(VALID, name))
    written, frames = explicit(made.graph), streams.frames_for(graph(VALID, name), 100)
    kinds = {op.kind for op in written.ops}
    assert not kinds & {"time_window", "time_mean"} and "assign_variable" in kinds
    rows = frames[: 100 // 2 * 2].reshape(50, 2, *frames.shape[1:])
    got = simulate.Session(written).run(rows)
    np.testing.assert_array_equal(got, streams.streamed(made, frames))


def test_a_window_given_as_one_row_of_numbers_becomes_frames():
    inputs = layers.Input((20 * 6,))
    x = layers.Conv2D(4, (3, 3), activation="relu")(layers.Reshape((20, 6, 1))(inputs))
    whole = streams.integer(Model(inputs, layers.Dense(3)(layers.GlobalMaxPooling2D()(x))))
    made = to_streaming(whole)
    frames = streams.frames_for(made.graph, 60).reshape(60, 6)
    got = simulate.Session(made.graph).run(frames[:, None, :, None])
    clips = np.stack([frames[end - 20 : end].reshape(-1) for end in range(20, 61)])
    np.testing.assert_array_equal(got[19:], simulate.run(whole, clips))


def shared_padding():
    """A padding that two layers read stays an operator; the two run at strides of their own."""
    inputs = layers.Input((24, 6))
    x = layers.ZeroPadding1D((4, 0))(layers.Conv1D(6, 3, padding="causal", activation="relu")(inputs))
    left, right = layers.Conv1D(4, 5, strides=2)(x), layers.Conv1D(4, 3, strides=2)(layers.Cropping1D((2, 0))(x))
    return Model(inputs, layers.Dense(3)(layers.Add()([left, right])))


@pytest.mark.parametrize("frames_per_call", [2, 8])
def test_a_padding_that_two_layers_share(frames_per_call):
    whole = streams.integer(shared_padding())
    assert "pad" in {op.kind for op in whole.ops}
    made, frames = to_streaming(whole, frames_per_call), streams.frames_for(whole, 240)
    expected = simulate.run(streams.stretched(whole, 240, whole.outputs[0]), frames[None])[0]
    got = streams.streamed(made, frames)
    assert made.report.equals == "sequence"
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)


def squeeze_and_excite():
    inputs = layers.Input((16, 6))
    x = layers.Conv1D(4, 3, activation="relu", name="first")(inputs)
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling1D(keepdims=True)(x))
    return Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.Multiply(name="gated")([x, gate]))))


def upsampled():
    inputs = layers.Input((16, 6))
    return Model(inputs, layers.Conv1D(4, 3)(layers.UpSampling1D(2, name="doubled")(inputs)))


@pytest.mark.parametrize("make, layer", [(squeeze_and_excite, "gated"), (upsampled, "doubled")])
def test_what_mixes_frames_otherwise_is_refused_by_name(make, layer):
    with pytest.raises(UnsupportedLayerError, match=f"'{layer}'.*cannot be computed call by call"):
        to_streaming(streams.integer(make()))


def test_frames_per_call_has_to_fit_the_strides_and_the_window():
    whole = graph(VALID, "ds_cnn")
    with pytest.raises(ShrinkfitError, match="is 3, and layer .* 2 frames at a time; expected a multiple of 2"):
        to_streaming(whole, 3)
    with pytest.raises(ShrinkfitError, match="is 26, expected 1 to the model's 25"):
        to_streaming(whole, 26)
    with pytest.raises(ShrinkfitError, match="keeps state"):
        to_streaming(to_streaming(whole).graph)


def test_an_input_without_frames_is_refused():
    tensor, out = ir.Tensor("x", (1, 1)), ir.Tensor("y", (1, 1))
    lone = ir.Graph(
        "lone", {"x": tensor, "y": out}, (ir.Requantize(name="r", inputs=("x",), outputs=("y",)),), ("x",), ("y",)
    )
    with pytest.raises(ShrinkfitError, match="1 frames"):
        to_streaming(lone)
