# SPDX-License-Identifier: Apache-2.0
"""Every activation, however it is written: the integer graph computes what Keras does; pruning knows its value at 0."""

import keras
import numpy as np
import pytest
import tf_keras
from keras import activations, layers, ops

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.fit.channels import couple
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.tables import function_table
from shrinkfit.read.activations import NOT_ZERO_AT_ZERO, SUPPORTED, TABLES
from shrinkfit.read.keras_model import read_keras, read_shapes
from shrinkfit.read.topology import read_topology

SHAPE = (7, 5, 4)
X = np.random.default_rng(0).normal(0, 2, (60, *SHAPE)).astype(np.float32)
# Other ways than by name, with settings other than the usual ones.
OTHER_WAYS = {
    "relu to 1": lambda: layers.ReLU(max_value=1),
    "relu with a slope": lambda: layers.ReLU(negative_slope=0.3),
    "relu of a tensor, to 4": lambda: lambda x: activations.relu(x, max_value=4.0),
    "LeakyReLU": lambda: layers.LeakyReLU(0.1),
    "ELU": lambda: layers.ELU(0.5),
    "gelu by tanh": lambda: lambda x: activations.gelu(x, approximate=True),
    "a layer in a layer": lambda: layers.Dense(6, activation=layers.LeakyReLU(0.25)),
    "a clamp in a layer": lambda: layers.Conv2D(6, 1, activation=layers.ReLU(2.0)),
    "celu": lambda: lambda x: ops.celu(x, alpha=0.5),
    "elu": lambda: lambda x: ops.elu(x, alpha=2.0),
    "squareplus": lambda: lambda x: ops.squareplus(x, b=1.0),
    "hard_shrink": lambda: lambda x: ops.hard_shrink(x, threshold=1.0),
    "soft_shrink": lambda: lambda x: ops.soft_shrink(x, threshold=1.0),
    "silu": lambda: ops.silu,
    "hard_sigmoid": lambda: ops.hard_sigmoid,
    "softmax": lambda: ops.softmax,
}
IN_TF_KERAS = ("elu", "selu", "gelu", "softplus", "softsign", "exponential", "mish", "swish", "hard_sigmoid")


def behind_a_convolution(function, package=keras):
    package.utils.set_random_seed(1)
    inputs = package.Input(SHAPE)
    return package.Model(inputs, function(package.layers.Conv2D(6, 3, padding="same")(inputs)))


def assert_computed(model):
    graph, expected = read_keras(model, X), np.asarray(model(X))
    got = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], X))
    error = simulate.dequantize(graph.tensors[graph.outputs[0]], got) - expected
    # exponential is steepest where it is largest; all others are below 0.04.
    assert np.sqrt((error**2).mean()) < 0.06 * expected.std()


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_activation_by_name(name):
    assert_computed(behind_a_convolution(layers.Activation(name)))


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_layers_operations_and_layers_in_layers(way):
    assert_computed(behind_a_convolution(OTHER_WAYS[way]()))


@pytest.mark.parametrize("package", [keras, tf_keras], ids=lambda package: package.__name__)
def test_learned_slopes_means_and_extrema_in_either_keras(package):
    slopes = package.initializers.RandomUniform(-0.5, 0.5, seed=2)
    assert_computed(behind_a_convolution(package.layers.PReLU(slopes, shared_axes=[1, 2]), package))
    assert_computed(behind_a_convolution(package.layers.PReLU(slopes), package))
    doubled = package.layers.Conv2D(6, 1)
    for kind in ("Average", "Maximum", "Minimum"):
        merge = getattr(package.layers, kind)()
        assert_computed(behind_a_convolution(lambda x, merge=merge: merge([x, doubled(x)]), package))


@pytest.mark.parametrize("name", IN_TF_KERAS)
def test_every_activation_in_tf_keras(name):
    assert_computed(behind_a_convolution(tf_keras.layers.Activation(name), tf_keras))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_what_keras_computes_of_every_value(name):
    source, target = ir.Tensor("x", (1, 256), 0.05, 17), ir.Tensor("y", (1, 256), 0.0437, -11)
    if name == "sigmoid":
        target = ir.Tensor("y", (1, 256), 1 / 256, -128)
    every_value = simulate.dequantize(source, np.arange(-128, 128, dtype=np.int8))
    expected = simulate.quantize(target, np.asarray(getattr(activations, name)(every_value.astype(np.float32))))
    table = function_table(TABLES[name][0], source, target, TABLES[name][1])
    # LiteRT rounds leaky_relu twice and hard_swish in 16 bits; at ties the last bit of a float decides.
    difference = np.abs(table.astype(int) - expected)
    in_integers = TABLES[name][0] in ("leaky_relu", "hard_swish")
    assert difference.max() <= 1 and (difference > 0).mean() < (0.2 if in_integers else 0.02)


@pytest.mark.parametrize("name", [name for name in SUPPORTED if name != "softmax"])
def test_a_channel_that_is_pruned_is_zero_behind_it_or_known_not_to_be(name):
    function = TABLES.get(name, (name,))[0]
    at_zero = float(getattr(activations, name if name != "swish" else "silu")(np.zeros(1, np.float32))[0])
    assert (at_zero != 0) == (function in NOT_ZERO_AT_ZERO)


@pytest.mark.parametrize(("name", "groups"), [("gelu", ["conv2d"]), ("softplus", []), ("exponential", [])])
def test_units_behind_an_activation_that_is_not_zero_at_zero_stay(name, groups):
    inputs = keras.Input(SHAPE)
    x = layers.Activation(name)(layers.Conv2D(6, 3, name="conv2d")(inputs))
    topology = read_topology(keras.Model(inputs, layers.Conv2D(2, 1, name="last")(x)))
    assert [g.name for g in couple(topology).groups] == groups


def test_a_layer_of_ones_own_is_not_taken_for_the_operation_of_its_name():
    class Exp(layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(UnsupportedLayerError, match=r"layer 'own' \(Exp\) is not supported"):
        read_shapes(behind_a_convolution(Exp(name="own")))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: layers.ReLU(max_value=6, negative_slope=0.1, name="r"), "layer 'r': ReLU has either a max_value"),
        (lambda: layers.ReLU(max_value=0, name="r"), "layer 'r': ReLU has either a max_value above 0"),
        (lambda: layers.Dense(3, activation=layers.ReLU(threshold=1), name="d"), "layer 'd': ReLU has either"),
        (lambda: lambda x: ops.celu(x, alpha=-1.0), "celu with alpha -1.0, expected one above 0"),
        (lambda: lambda x: 2 / x, "only a tensor divided by a number other than 0"),
        (lambda: lambda x: ops.maximum(x, 0.5), "Maximum of 1 tensors, expected 2 or more"),
        (lambda: layers.Activation("sparsemax", name="s"), "layer 's.*': activation 'sparsemax' is not supported"),
        (lambda: layers.Activation(lambda x: x * 2, name="l"), "layer 'l.*': activation '<lambda>' is not supported"),
    ],
)
def test_what_cannot_be_computed_is_named(function, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        read_shapes(behind_a_convolution(function()))
