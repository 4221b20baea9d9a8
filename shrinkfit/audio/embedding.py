# SPDX-License-Identifier: Apache-2.0
"""Log-mel features go in, what speech they hold comes out: Google's pretrained speech embedding, its weights frozen.

Twenty small convolutions that Lin, Kilgour, Roblek and Sharifi ("Training keyword spotters with limited and synthesized
speech data", 2020, arXiv:2002.01322) trained to tell five thousand words of real voices apart. Of 76 frames of 10 ms
they make 96 numbers in which words lie apart, whoever says them; a small network behind learns a new word from these.
The weights (Apache-2.0) are read from the package `pyopen-wakeword`, as openWakeWord (David Scripka) has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shrinkfit.audio.features import AudioError, FeatureConfig
from shrinkfit.read.tflite_file import parse_tflite

if TYPE_CHECKING:
    import keras

PACKAGE, FILE = "pyopen_wakeword", Path("models", "embedding_model.tflite")
INSTALL = 'pip install "shrinkfit[verifier]"'
# As the embedding was trained: windows of 25 ms every 10 ms, 32 bands up to 3.8 kHz on Slaney's scale. They are made of
# all bins of the FFT, as those below 1 kHz lie 68 Hz apart and every second bin 62.5 Hz.
EMBEDDING_FEATURES = FeatureConfig(
    window_samples=400, hop_samples=160, bands=32, low_hz=60, high_hz=3800, fine=True, mel_scale="slaney"
)
WINDOW_FRAMES, STEP_FRAMES, WIDTH = 76, 8, 96
# The embedding's input is log10 of a band's power (x10 for dB, /10 + 2 as openWakeWord scales it): our log2 of power
# times log10(2), and a shift between the two spectra's units, fitted on 280 recordings of speech.
LOG10_PER_LOG2, SHIFT = 0.30103, 2.709
# Its activation is max(x, 0.2 x, -0.4).
SLOPE, LEAST = 0.2, -0.4
AT_ONCE = 16  # windows of a run by LiteRT; more are no faster
KINDS = {"CONV_2D": 20, "LEAKY_RELU": 19, "MAXIMUM": 19, "MAX_POOL_2D": 5}


@dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution and the pooling behind it.

    Args:
        kernel: float32 [height, width, channels in, channels out]; height is time, width is bands.
        bias: float32 [channels out].
        pool: (frames, bands) of which the largest is kept; (1, 1) for none.
    """

    kernel: np.ndarray
    bias: np.ndarray
    pool: tuple[int, int] = (1, 1)


def positions(frames: int) -> int:
    """How many embeddings so many frames give.

    Raises:
        AudioError: not even one.
    """
    if frames < WINDOW_FRAMES:
        raise AudioError(
            f"frames is {frames}; the speech embedding hears {WINDOW_FRAMES} of 10 ms at once: give it as many or more"
        )
    return (frames - WINDOW_FRAMES) // STEP_FRAMES + 1


def speech_embedding(frames: int) -> keras.Model:
    """The embedding as a Keras model that shrinkfit reads; none of its weights is trained.

    Args:
        frames: of EMBEDDING_FEATURES, 76 or more.
    Returns:
        from float [batch, frames, 32], features as `as_float` gives them, to float [batch, positions, 96].
    Raises:
        AudioError: too few frames, or the package with the weights is missing or holds another network.
    """
    count = positions(frames)
    convolutions = _convolutions()
    import keras
    from keras import layers

    inputs = keras.Input((frames, EMBEDDING_FEATURES.bands), name="features")
    x = layers.Reshape((frames, EMBEDDING_FEATURES.bands, 1), name="plane")(inputs)
    # Before any padding, whose zeros are zeros of the embedding's own scale.
    x = layers.Rescaling(*_scale(), name="embedding_scale")(x)
    floor = _constant(x, LEAST / SLOPE)
    for number, part in enumerate(convolutions, 1):
        x = _convolved(x, part, number)
        if number < len(convolutions):
            x = _activated(x, part, number, floor)
    outputs = layers.Reshape((count, WIDTH), name="embeddings")(x)
    model = keras.Model(inputs, outputs, name="speech_embedding")
    for number, part in enumerate(convolutions, 1):
        model.get_layer(f"embedding_conv{number}").set_weights([part.kernel, part.bias])
    model.trainable = False
    return model


def embed(x: np.ndarray, threads: int = 1) -> np.ndarray:
    """What `speech_embedding` says of features, by LiteRT: the same but for rounding, in less than half the time.

    Args:
        x: float [n, frames, 32].
        threads: of the processor, to compute with.
    Returns:
        float32 [n, positions, 96].
    Raises:
        AudioError: as `speech_embedding`.
    """
    count = positions(x.shape[1])
    _convolutions()  # refuses another network
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(_weights_file()), num_threads=threads)
    entry, end = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    factor, shift = _scale()
    said = np.empty((len(x), count, WIDTH), np.float32)
    for start in range(0, len(x), AT_ONCE):
        part = x[start : start + AT_ONCE, ..., None].astype(np.float32) * np.float32(factor) + np.float32(shift)
        if start == 0 or len(part) < AT_ONCE:
            interpreter.resize_tensor_input(entry, part.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(entry, part)
        interpreter.invoke()
        said[start : start + AT_ONCE] = interpreter.get_tensor(end).reshape(len(part), count, WIDTH)
    return said


def _scale() -> tuple[float, float]:
    """Factor and shift from our features in [-1, 1] to the embedding's own scale."""
    half = (EMBEDDING_FEATURES.ceiling_log2 - EMBEDDING_FEATURES.floor_log2) / 2
    middle = half + EMBEDDING_FEATURES.floor_log2
    return half * LOG10_PER_LOG2, middle * LOG10_PER_LOG2 + SHIFT


def _constant(x: keras.KerasTensor, value: float) -> keras.KerasTensor:
    """A number as a tensor [batch, 1, 1, 1]: a point of the plane that is multiplied by 0."""
    from keras import layers

    _, height, width, _ = x.shape
    x = layers.Cropping2D(((0, height - 1), (0, width - 1)), name="embedding_point")(x)
    return layers.Rescaling(0.0, value, name="embedding_floor")(x)


def _convolved(x: keras.KerasTensor, part: _Convolution, number: int) -> keras.KerasTensor:
    """A convolution; zeros around the bands, none along time."""
    from keras import layers

    height, width, _, channels = part.kernel.shape
    if width > 1:
        edge = width // 2
        x = layers.ZeroPadding2D(((0, 0), (edge, edge)), name=f"embedding_pad{number}")(x)
    return layers.Conv2D(channels, (height, width), name=f"embedding_conv{number}")(x)


def _activated(x: keras.KerasTensor, part: _Convolution, number: int, floor: keras.KerasTensor) -> keras.KerasTensor:
    """The activation behind a convolution, max(x, 0.2 x, -0.4), as leaky(max(x, -2)), and the pooling.

    In this order what lies below -2 takes no part of the convolution's int8 range, of which it would be half. And as
    the largest of some values stays so behind a function that rises, pooling comes before it: fewer values to look up.
    """
    from keras import layers

    x = layers.Maximum(name=f"embedding_maximum{number}")([x, floor])
    if part.pool != (1, 1):
        x = layers.MaxPooling2D(part.pool, name=f"embedding_pool{number}")(x)
    return layers.LeakyReLU(SLOPE, name=f"embedding_leaky{number}")(x)


@cache
def _convolutions() -> tuple[_Convolution, ...]:
    """The network's parts, in their order."""
    path = _weights_file()
    graph = parse_tflite(path.read_bytes()).subgraphs[0]
    found = {kind: sum(op.code == kind for op in graph.operators) for kind in KINDS}
    if found != KINDS:
        raise AudioError(f"{PACKAGE}'s {FILE.name} has {found}, expected {KINDS}: install it anew with {INSTALL}")
    parts: list[_Convolution] = []
    for op in graph.operators:
        if op.code == "CONV_2D":
            kernel, bias = (graph.tensors[index].values() for index in op.inputs[1:])
            parts.append(_Convolution(kernel.transpose(1, 2, 3, 0), bias))
        elif op.code == "MAX_POOL_2D":
            pool = op.options.filterHeight, op.options.filterWidth
            parts[-1] = _Convolution(parts[-1].kernel, parts[-1].bias, pool)
    return tuple(parts)


def embedding_installed() -> bool:
    """Whether the package with the weights is there: the `verifier` extra."""
    return bool(_weights_files())


def _weights_file() -> Path:
    """Where the package lies; it is not imported, as it would load a native library that nothing here needs."""
    found = _weights_files()
    if not found:
        spec = find_spec(PACKAGE)
        raise AudioError(
            "the speech embedding's weights come with the package pyopen-wakeword, which is "
            f"{'without ' + FILE.name if spec else 'not installed'}: {INSTALL}"
        )
    return found[0]


def _weights_files() -> list[Path]:
    spec = find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return [path for path in (Path(folder) / FILE for folder in folders) if path.is_file()]
