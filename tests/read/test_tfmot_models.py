# SPDX-License-Identifier: Apache-2.0
"""Models that tfmot's quantize_model or prune_low_magnitude trained keep what they learned in the integer graph."""

import numpy as np
import pytest
import tf_keras

import shrinkfit
from shrinkfit._tfmot import tfmot_module
from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.read import keras2
from shrinkfit.read.calls import watched
from shrinkfit.read.keras_model import read_keras, read_shapes
from shrinkfit.read.topology import read_topology
from tests.tf_keras_models import SHAPE, shaken, small_resnet, task, trained_on_task

layers = tf_keras.layers
quantizing = tfmot_module("quantization.keras.quantize")
pruning = tfmot_module("sparsity.keras.prune")
schedules = tfmot_module("sparsity.keras.pruning_schedule")


@pytest.fixture(scope="module")
def quantized():
    """A model trained as float, then two epochs more under tfmot's quantize_model."""
    tf_keras.utils.set_random_seed(0)
    return trained_on_task(quantizing.quantize_model(trained_on_task(small_resnet(), epochs=6)), epochs=2)


def variable(layer, part):
    return next(w.numpy() for w in layer.weights if part in w.name)


def answers(graph, x):
    got = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x))
    return simulate.dequantize(graph.tensors[graph.outputs[0]], got)


def test_a_quantized_model_needs_no_calibration_and_keeps_its_classes(quantized):
    x, y = task(1000, 3)
    expected, got = quantized.predict(x, verbose=0), answers(read_keras(quantized), x)
    assert (expected.argmax(1) == y).mean() > 0.8, "an untrained model would prove nothing"
    assert (got.argmax(1) == expected.argmax(1)).mean() >= 0.98
    assert np.sqrt(((got - expected) ** 2).mean()) < 0.05 * expected.std()


def test_every_layer_computes_what_tfmot_simulated(quantized):
    """Roundings differ here and there, and add up with depth; a wrong range or kernel scale is many steps off."""
    graph, topology, (x, _) = read_keras(quantized), read_topology(quantized), task(100, 3)
    trace = simulate.trace(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x))
    names = [name for name in graph.tensors if name in topology.ranges and name in topology.calls]
    with watched(topology.calls.values(), set(names)) as seen:
        keras2.run(quantized, [x])
    for name in names:
        tensor, value = graph.tensors[name], seen[name][1].numpy()
        steps = (simulate.dequantize(tensor, trace[name]).reshape(value.shape) - value) / tensor.scale
        assert np.sqrt((steps**2).mean()) < 1, name
        assert (np.abs(steps) < 0.5).mean() > 0.97 or names.index(name) > 3, name
    assert len(names) >= 9


def test_learned_ranges_are_tfmot_s_variables(quantized):
    graph = read_keras(quantized)
    wrapper = quantized.get_layer("quant_last")
    low, high = variable(wrapper, "post_activation_min"), variable(wrapper, "post_activation_max")
    assert graph.tensors["last"].scale == pytest.approx((high - low) / 255, rel=1e-6)
    op = next(op for op in graph.ops if op.name == "last")
    np.testing.assert_allclose(op.kernel_scales, variable(wrapper, "kernel_max") / 127, rtol=1e-6)


def test_the_wrappers_leave_the_operators_of_the_plain_model(quantized):
    assert [op.kind for op in read_keras(quantized).ops] == [op.kind for op in read_shapes(small_resnet()).ops]


def test_a_saved_quantized_model_exports_from_its_path(quantized, tmp_path):
    path = tmp_path / "model.h5"
    quantized.save(path)
    x, _ = task(50, 3)
    np.testing.assert_array_equal(answers(read_keras(path), x), answers(read_keras(quantized), x))
    report = shrinkfit.export(path, tmp_path / "c", name="m")
    assert report.cost.flash_bytes == shrinkfit.price(path).flash_bytes


def test_a_format_that_tfmot_cannot_load_itself_is_said_so(quantized, tmp_path):
    quantized.save(tmp_path / "model.keras")
    with pytest.raises(ShrinkfitError, match="holds tfmot's wrappers, .* save it as .h5"):
        read_keras(tmp_path / "model.keras")


def annotated(*wanted):
    """A model in which only the layers named are quantized, after one step of training."""
    x = inputs = tf_keras.Input(SHAPE, name="in")
    parts = (layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D(name="mean"), layers.Dense(3, name="top"))
    for layer in parts:
        x = (quantizing.quantize_annotate_layer(layer) if layer.name in wanted else layer)(x)
    return quantizing.quantize_apply(tf_keras.Model(inputs, x, name="partly"))


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_range_that_tfmot_has_not_is_asked_for_by_name_and_calibration_supplies_it():
    model, x = annotated("conv"), noise(100, *SHAPE)
    with pytest.raises(ShrinkfitError, match="'partly' .* no range for the output of 'in', 'mean', 'top'; pass"):
        read_keras(model)
    model(x, training=True)
    with pytest.raises(ShrinkfitError, match="learned no range for the output of 'mean', 'top'; pass calibration="):
        read_keras(model)
    graph, expected = read_keras(model, x), model.predict(x, verbose=0)
    # What rounds by itself has no float means to correct biases by.
    told = read_keras(model, x, correct_biases=True)
    assert all(np.array_equal(a.bias, b.bias) for a, b in zip(told.ops, graph.ops, strict=True) if hasattr(a, "bias"))
    assert graph.tensors["conv"].scale == pytest.approx(12 / 255, rel=0.01), "tfmot starts with [-6, 6]"
    assert graph.tensors["top"].scale == pytest.approx((expected.max() - expected.min()) / 255, rel=0.01)
    assert np.sqrt(((answers(graph, x) - expected) ** 2).mean()) < 0.1 * expected.std()


def test_kernel_ranges_shared_between_channels_fold_with_the_normalization_behind():
    """tfmot has one range per depth multiplier of a depthwise kernel, and one for a whole dense kernel."""
    x = inputs = tf_keras.Input((6, 5, 3))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.Flatten()(layers.ReLU(max_value=6.0)(layers.BatchNormalization(name="norm")(x)))
    plain = shaken(tf_keras.Model(inputs, layers.Dense(4, name="top")(x)))
    model, data = quantizing.quantize_model(plain), noise(200, 6, 5, 3)
    model(data, training=True)
    graph, expected = read_keras(model), model.predict(data, verbose=0)
    assert np.sqrt(((answers(graph, data) - expected) ** 2).mean()) < 0.05 * expected.std()
    depthwise, top = graph.ops[0], graph.ops[-1]
    norm = model.get_layer("quant_norm").layer
    factor = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    shared = model.get_layer("quant_depthwise")._weight_vars[0][2]["max_var"].numpy() / 127
    np.testing.assert_allclose(depthwise.kernel_scales, np.tile(shared, 3) * np.abs(factor), rtol=1e-5)
    assert shared.shape == (2,) and np.ptp(top.kernel_scales) == 0


def test_other_widths_than_8_bits_are_refused():
    quantizers = tfmot_module("quantization.keras.quantizers")
    model = annotated("conv", "mean", "top")
    model.get_layer("quant_top")._quantize_activations[0].quantizer = quantizers.MovingAverageQuantizer(
        num_bits=4, per_axis=False, symmetric=False, narrow_range=False
    )
    with pytest.raises(UnsupportedLayerError, match="layer 'top' is quantized to 4 bits by tfmot"):
        read_keras(model)


@pytest.fixture(scope="module")
def pruned():
    tf_keras.utils.set_random_seed(0)
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(16, name="hidden")]
    model = tf_keras.Sequential([layers.Input(SHAPE), *parts, layers.Softmax()])
    model = pruning.prune_low_magnitude(model, schedules.ConstantSparsity(0.5, begin_step=0, frequency=4))
    step = tfmot_module("sparsity.keras.pruning_callbacks").UpdatePruningStep()
    return trained_on_task(model, epochs=2, callbacks=[step])


def dense_kernel(model, calibration):
    return next(op for op in read_keras(model, calibration).ops if op.name == "hidden").kernel


def test_pruning_wrappers_and_strip_pruning_give_the_same_graph(pruned):
    x, _ = task(200, 3)
    stripped = pruning.strip_pruning(pruned)
    np.testing.assert_array_equal(answers(read_keras(pruned, x), x), answers(read_keras(stripped, x), x))
    assert (dense_kernel(pruned, x) == 0).mean() >= 0.5
    with pytest.raises(ShrinkfitError, match="is a float model: pass calibration="):
        read_keras(pruned)


def test_masks_hold_even_where_the_last_step_left_weights_unmasked(pruned):
    x, _ = task(50, 3)
    before = dense_kernel(pruned, x)
    kernel = pruned.get_layer("prune_low_magnitude_hidden").layer.kernel
    saved = kernel.numpy()
    kernel.assign(np.where(saved == 0, 9.0, saved))
    try:
        np.testing.assert_array_equal(dense_kernel(pruned, x), before)
    finally:
        kernel.assign(saved)


def test_a_saved_pruned_model_loads_from_its_path(pruned, tmp_path):
    pruned.save(tmp_path / "m.h5")
    x, _ = task(50, 3)
    np.testing.assert_array_equal(answers(read_keras(tmp_path / "m.h5", x), x), answers(read_keras(pruned, x), x))
