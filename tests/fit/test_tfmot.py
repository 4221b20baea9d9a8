# SPDX-License-Identifier: Apache-2.0
"""What is taken from tfmot keeps its promises, and tf.keras stays Keras 3."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from shrinkfit.fit.tfmot import ActivationQuantizer, KernelQuantizer, polynomial_decay


def test_tf_keras_stays_keras_3_and_the_environment_as_it_was():
    code = (
        "import os; from shrinkfit.fit.tfmot import polynomial_decay; polynomial_decay(0.5, 0, 4, 2);"
        "import tensorflow as tf; assert tf.keras.__version__.startswith('3'), tf.keras.__version__;"
        "assert 'TF_USE_LEGACY_KERAS' not in os.environ"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("jit", [False, True])
def test_kernels_land_on_the_int8_grid_per_channel_even_when_a_channel_is_zero(jit):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
    kernel[..., 2] = 0
    quantizer = KernelQuantizer("k", 5)
    got = tf.function(quantizer.quantize, jit_compile=jit)(tf.constant(kernel)).numpy()
    steps = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    assert np.abs(got[..., 2]).max() < 1e-7
    for channel in (0, 1, 3, 4):
        grid = got[..., channel] / steps[channel]
        np.testing.assert_allclose(grid, np.rint(kernel[..., channel] / steps[channel]), atol=1e-3)


@pytest.mark.parametrize("jit", [False, True])
def test_activation_ranges_start_with_the_first_batch(jit):
    quantizer = ActivationQuantizer("b")
    tf.function(quantizer.observe, jit_compile=jit)(tf.constant([-1.0, 3.0]))
    assert quantizer.range() == (-1.0, 3.0)


@pytest.mark.parametrize("jit", [False, True])
def test_an_output_that_is_always_zero_stays_zero(jit):
    quantizer = ActivationQuantizer("a")
    tf.function(quantizer.observe, jit_compile=jit)(tf.zeros((4, 3)))
    assert not tf.function(quantizer.quantize, jit_compile=jit)(tf.zeros((4, 3))).numpy().any()
    assert quantizer.scale().numpy() > 0


@pytest.mark.parametrize(("top", "high"), [(None, 9.0), (6.0, 6.0)])
def test_the_clamp_of_a_rectified_range_is_the_relu(top, high):
    quantizer = ActivationQuantizer("r", rectified=True, top=top)
    x = tf.constant([-5.0, 0.0, 3.0, 9.0])
    quantizer.observe(x)
    assert quantizer.range() == (0.0, high)
    np.testing.assert_allclose(quantizer.quantize(x).numpy(), [0, 0, 3, high], atol=high / 255)


@pytest.mark.parametrize("jit", [False, True])
def test_a_rectified_range_has_the_gradient_of_a_relu(jit):
    quantizer, x = ActivationQuantizer("g", rectified=True), tf.constant([-5.0, 3.0, 9.0])
    quantizer.observe(tf.constant([8.0]))

    @tf.function(jit_compile=jit)
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = quantizer.quantize(x) * [2.0, 3.0, 4.0]
        return tape.gradient(y, x)

    np.testing.assert_array_equal(gradient().numpy(), [0, 3, 4])


def test_the_schedule_is_cubic_between_its_ends():
    got = [polynomial_decay(0.8, 2, 6, step) for step in range(8)]
    expected = [0.8 * (1 - (1 - min(max((s - 2) / 4, 0), 1)) ** 3) for s in range(8)]
    np.testing.assert_allclose(got, expected, atol=1e-6)
