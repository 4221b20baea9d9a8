# SPDX-License-Identifier: Apache-2.0
"""Zero blocks: the shortest of what pruning left, kept, and exactly zero in the int8 kernels."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import shrinkfit
from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.sparsity import BLOCK, block_lengths, kernel_mask, least_blocks, sparse_nodes
from shrinkfit.graph import ir
from shrinkfit.read.topology import read_topology
from tests.fit.test_callback import blobs, compiled
from tests.keras_models import CLASSES, MODELS, trained


@given(st.integers(1, 19), st.integers(1, 5), st.floats(0, 0.99), st.integers(0, 99))
def test_blocks_are_counted_on_what_is_left(inputs, outputs, share, seed):
    rng = np.random.default_rng(seed)
    incoming, outgoing = rng.random(inputs) < 0.7, rng.random(outputs) < 0.7
    kernel = rng.normal(size=(inputs, outputs))
    lengths = block_lengths(kernel, incoming, outgoing)
    assert lengths.shape == (-(-incoming.sum() // BLOCK), outgoing.sum())
    zero = least_blocks(lengths, share)
    mask = kernel_mask(zero, incoming, outgoing)
    assert zero.sum() == min(round(share * zero.size), zero.size - zero.shape[1] if zero.size else 0)
    assert not zero.size or not zero.all(axis=0).any()  # no output channel becomes constant
    others = ~zero & (lengths < lengths.max(axis=0, initial=0))
    assert not zero.any() or not others.any() or lengths[zero].max() <= lengths[others].min()
    assert mask[~incoming].all() and mask[:, ~outgoing].all()
    left = block_lengths(kernel * mask, incoming, outgoing)
    np.testing.assert_allclose(left, np.where(zero, 0, lengths))
    # Zero blocks are chosen again, so that they stay zero while the share grows.
    assert least_blocks(left, min(1, share + 0.2))[zero].all()


def network():
    return keras.Sequential(
        [
            keras.Input((16, 10)),
            layers.Conv1D(24, 3, use_bias=False, name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv1D(24, 1, name="point"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(CLASSES, name="head"),
        ]
    )


@pytest.fixture(scope="module")
def fitted():
    model = compiled(network, jit_compile=False)
    x, y = blobs(model.input_shape[1:], 128)
    flops = shrinkfit.price(model).flops * 0.6
    fit = shrinkfit.FitDevice("efm32", flops=flops, block_sparsity=0.5, width_multiple=1, prune_epochs=(0.1, 0.4))
    model.fit(x, y, epochs=6, callbacks=[fit], verbose=0)
    return fit, x


def int8_blocks(graph, name):
    """bool [blocks, outputs], whether a block of the int8 kernel is zero."""
    op = next(op for op in graph.ops if op.name == name)
    kernel = op.kernel.reshape(op.kernel.shape[0], -1).T if isinstance(op, ir.Conv2D) else op.kernel.T
    return block_lengths(kernel.astype(float), *(np.ones(n, bool) for n in kernel.shape)) == 0


@pytest.mark.parametrize("layer", ["point", "head"])
def test_the_int8_kernels_have_their_zero_blocks(fitted, layer):
    fit, _ = fitted
    record = fit.history[-1]["sparsity"][layer]
    zero = int8_blocks(fit.graph, layer)
    assert zero.size == record["blocks"] and zero.sum() >= record["zero"] == round(0.5 * zero.size)


def test_sparsity_grows_once_pruning_has_ended(fitted):
    fit, _ = fitted
    shares = [record["sparsity"].get("point", {"share": 0})["share"] for record in fit.history]
    assert shares[:2] == [0, 0] and shares[2] > 0 and shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.5, abs=0.05) and set(fit.history[-1]["sparsity"]) == {"point", "head"}


def test_the_small_model_the_masked_one_and_the_graph_agree(fitted):
    fit, x = fitted
    kernel = keras.ops.convert_to_numpy(fit.model.get_layer("point").kernel)[0]
    lengths = block_lengths(kernel, *(np.ones(n, bool) for n in kernel.shape))
    assert (lengths == 0).sum() == fit.history[-1]["sparsity"]["point"]["zero"]
    source, target = (fit.graph.tensors[names[0]] for names in (fit.graph.inputs, fit.graph.outputs))
    answer = shrinkfit.graph.simulate.run(fit.graph, shrinkfit.graph.simulate.quantize(source, x))
    steps = np.abs(shrinkfit.graph.simulate.dequantize(target, answer) - fit.predict(x)) / target.scale
    assert (steps < 0.01).mean() > 0.5 and steps.max() < 8


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (None, ["separable_conv2d/conv", "dense"]),
        (["dense"], ["dense"]),
        (["sep*"], ["separable_conv2d/conv"]),
    ],
)
def test_only_dense_layers_and_1x1_convolutions_have_blocks(patterns, found):
    keras.backend.clear_session()  # layers' names count from the beginning again
    nodes = sparse_nodes(read_topology(trained(MODELS["ds_cnn"])), patterns)
    assert [node.name for node in nodes] == found


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"block_sparsity": 1.0}, "block_sparsity is 1.0"), ({"block_sparsity": -0.1}, "block_sparsity is -0.1")],
)
def test_bad_shares(settings, message):
    with pytest.raises(ShrinkfitError, match=message):
        shrinkfit.FitDevice("efm32", **settings)


def test_a_layer_without_blocks_is_refused():
    keras.backend.clear_session()
    with pytest.raises(ShrinkfitError, match="sparsity_layers: 'conv2d' matches no dense layer or 1x1 convolution"):
        sparse_nodes(read_topology(trained(MODELS["ds_cnn"])), ["conv2d"])
