# SPDX-License-Identifier: Apache-2.0
"""Keras models over time for tests of streaming, with weights that look trained, and what a stream has to equal."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from keras import layers

from shrinkfit.graph import ir, simulate
from shrinkfit.read.keras_model import read_keras

CLASSES = 4


def _pointwise(x, width, conv=layers.Conv2D):
    x = conv(width, 1, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def ds_cnn(frames=25, bands=10, width=8, causal=False, blocks=2):
    """A DS-CNN with a stride of 2 over time and frequency; over time its padding is valid or causal."""

    def padded(x, kernel, stride=1):
        sides = (kernel - 1) // 2
        return layers.ZeroPadding2D(((kernel - 1 if causal else 0, 0), (sides, sides)))(x)

    x = inputs = keras.Input((frames, bands, 1))
    x = layers.Conv2D(width, (5, 3), strides=2, use_bias=False)(
        layers.ZeroPadding2D(((4 if causal else 0, 0), (1, 1)))(x)
    )
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for _ in range(blocks):
        x = layers.DepthwiseConv2D(3, use_bias=False)(padded(x, 3))
        x = _pointwise(layers.ReLU()(layers.BatchNormalization()(x)), width)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def tc_resnet(frames=41, bands=10, padding="valid"):
    """Residual blocks over time, the second one with a stride and a projection; crops make their paths equal."""
    x = inputs = keras.Input((frames, bands))
    x = layers.Conv1D(8, 3, padding=padding, activation="relu")(x)
    for width, stride in ((8, 1), (12, 2)):
        y = layers.Conv1D(width, 5, strides=stride, padding=padding, activation="relu")(x)
        y = layers.Conv1D(width, 3, padding=padding)(y)
        if stride > 1:
            x = layers.Conv1D(width, 1, strides=stride, activation="relu")(x)
        cut = x.shape[1] - y.shape[1]
        x = layers.Cropping1D((cut // 2, cut - cut // 2))(x) if cut else x
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def conv1d_stack(frames=30, bands=10, padding="causal"):
    """An output for each frame; dilations and a depthwise layer."""
    x = inputs = keras.Input((frames, bands))
    x = layers.Conv1D(8, 3, padding=padding, activation="relu")(x)
    x = layers.Conv1D(8, 3, padding=padding, dilation_rate=2, activation="relu")(x)
    x = layers.Conv1D(12, 2, padding=padding, dilation_rate=4, activation="relu")(x)
    return keras.Model(inputs, layers.Conv1D(CLASSES, 1)(x))


def flat_window(frames=20, bands=6):
    """A convolution, a maximum over neighbours, then a dense layer over all that is left of the window."""
    x = inputs = keras.Input((frames, bands))
    x = layers.Conv1D(6, 3, activation="relu")(x)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Dense(8, activation="relu")(x)))


def integer(model, seed=0) -> ir.Graph:
    """The model quantized, with weights and ranges as if trained."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(0.7, 1.3, gamma.shape),
                    rng.normal(0, 0.3, beta.shape),
                    rng.normal(0, 0.2, mean.shape),
                    rng.uniform(0.3, 1.0, variance.shape),
                ]
            )
        else:
            layer.set_weights([_weights(rng, array.shape) for array in layer.get_weights()])
    return read_keras(model, calibration=sound(model.input_shape[1:], 20, rng))


def _weights(rng, shape):
    """A bias has one axis; a depthwise kernel ends in its multiplier of 1."""
    inputs = np.prod(shape[:-1] if shape[-1] > 1 else shape[:-2])
    return rng.normal(0, 0.1 if len(shape) == 1 else np.sqrt(2 / inputs), shape)


def sound(shape, count, rng):
    """Feature-like frames: slow changes and noise."""
    walk = np.cumsum(rng.normal(0, 0.3, (count, *shape)), axis=1)
    return (np.sin(walk) + 0.3 * rng.normal(0, 1, walk.shape)).astype(np.float32)


def frames_for(graph: ir.Graph, count: int, seed=1) -> np.ndarray:
    """int8 [count, ...]: a stream of frames in the graph's own steps."""
    tensor = graph.tensors[graph.inputs[0]]
    return simulate.quantize(tensor, sound((count, *tensor.shape[2:]), 1, np.random.default_rng(seed))[0])


def streamed(streaming, frames: np.ndarray) -> np.ndarray:
    """[calls, ...]: the outputs of all calls after a reset."""
    n = streaming.report.frames_per_call
    calls = len(frames) // n
    return simulate.Session(streaming.graph).run(frames[: calls * n].reshape(calls, n, *frames.shape[1:]))


def windows(graph: ir.Graph, frames: np.ndarray, ends) -> np.ndarray:
    """[len(ends), ...]: the model on the windows that end before these frames."""
    length = graph.tensors[graph.inputs[0]].shape[1]
    return simulate.run(graph, np.stack([frames[end - length : end] for end in ends]))


def stretched(graph: ir.Graph, frames: int, until: str) -> ir.Graph:
    """The part of a graph up to a tensor, over a longer window."""
    tensors, ops = {}, []
    for name in graph.inputs:
        tensor = graph.tensors[name]
        tensors[name] = replace(tensor, shape=(1, frames, *tensor.shape[2:]))
    for op in graph.ops:
        if op.kind == "reshape":
            shape = list(op.shape)
            axis = 2 if op.shape[1] == 1 and len(op.shape) == 4 else 1
            rest = int(np.prod([n for i, n in enumerate(op.shape) if i != axis]))
            shape[axis] = int(np.prod(tensors[op.inputs[0]].shape)) // rest
            op = replace(op, shape=tuple(shape))
        if op.kind == "strided_slice":
            axis = 2 if op.size[1] == 1 else 1
            size, n = list(op.size), tensors[op.inputs[0]].shape[axis]
            size[axis] = n - op.begin[axis]
            op = replace(op, size=tuple(size))
        shape = op.output_shape(*(tensors[name].shape for name in op.inputs))
        tensors[op.outputs[0]] = replace(graph.tensors[op.outputs[0]], shape=shape)
        ops.append(op)
        if until in op.outputs:
            break
    return ir.Graph("stretched", tensors, tuple(ops), graph.inputs, (until,))


def tail(graph: ir.Graph, first: str) -> ir.Graph:
    """The part of a graph behind a tensor."""
    place = next(i for i, op in enumerate(graph.ops) if first in op.inputs)
    ops = graph.ops[place:]
    names = {first, *(name for op in ops for name in op.outputs)}
    return ir.Graph("tail", {n: graph.tensors[n] for n in names}, ops, (first,), graph.outputs)


def pooled_over(graph: ir.Graph, frames: np.ndarray, pooled: str, calls: int) -> np.ndarray:
    """What a model that pools over its window gives for each call's last rows, over all frames since the reset."""
    rows = simulate.run(stretched(graph, len(frames), pooled), frames[None])[0]
    axis = 0 if rows.shape[0] > 1 else 1
    length, new = graph.tensors[pooled].shape[1 + axis], rows.shape[axis] // calls
    ends = [end for end in range(new, rows.shape[axis] + 1, new) if end >= length]
    windows_of_rows = np.stack([np.take(rows, range(end - length, end), axis=axis) for end in ends])
    return simulate.run(tail(graph, pooled), windows_of_rows)
