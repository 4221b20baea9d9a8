# SPDX-License-Identifier: Apache-2.0
"""What a second of sound costs: whole windows recomputed ten times a second against the streamed model.

    python benchmarks/streaming.py                     # a DS-CNN of 64 channels and 4 blocks, several minutes
    python benchmarks/streaming.py --channels 32       # a narrower one

Both run on an emulated Cortex-M4 that counts cycles, and every output is compared: the streamed model has to give what
the model itself gives for each whole window. Weights are random, which changes neither cycles nor sizes. The share is
of ten whole windows a second, also where a stream answers more often. Exit status 1 where an output differs, or where
a stream that answers ten times a second costs more than a fifth.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from rich.console import Console
from rich.table import Table

import shrinkfit
from shrinkfit.graph import simulate
from shrinkfit.graph.ir import Graph
from shrinkfit.read.keras_model import read_keras

INFERENCES_PER_SECOND = 10
MOST = 0.2
# Frames of a second of sound, frames a second, new frames a call: 20 ms and 10 ms from one frame to the next.
FEATURES = ((49, 50, (2, 4)), (98, 100, (2, 10)))
BANDS, CLASSES = 40, 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=64, help="of every layer (%(default)s)")
    parser.add_argument("--blocks", type=int, default=4, help="depthwise-separable ones (%(default)s)")
    parser.add_argument("--calls", type=int, default=3, help="compared on the emulated core once warm (%(default)s)")
    args = parser.parse_args()
    names = ("window", "calls/s", "new frames", "cycles/call", "Mcycles/s", "share", "MACs/s", "RAM", "flash", "differ")
    table = Table(title=f"DS-CNN {args.channels}x{args.blocks}, {BANDS} bands, a second of sound, valid in time")
    for name in names:
        table.add_column(name, justify="right")
    failed = False
    for frames, rate, hops in FEATURES:
        graph = hotword(frames, args.channels, args.blocks)
        whole = measured(graph, frames, None, args.calls)
        table.add_row(*row(frames, INFERENCES_PER_SECOND, frames, whole, whole[0] * INFERENCES_PER_SECOND))
        for hop in hops:
            figures = measured(graph, frames, hop, args.calls)
            calls = rate / hop
            table.add_row(*row(frames, calls, hop, figures, whole[0] * INFERENCES_PER_SECOND))
            share = figures[0] * calls / (whole[0] * INFERENCES_PER_SECOND)
            failed |= figures[-1] > 0 or (calls == INFERENCES_PER_SECOND and share > MOST)
    Console(width=140).print(table)
    return int(failed)


def hotword(frames: int, channels: int, blocks: int) -> Graph:
    """Along time no layer pads; over frequency all of them do."""
    x = inputs = keras.Input((frames, BANDS, 1))
    x = layers.ZeroPadding2D(((0, 0), (1, 1)))(x)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, (10, 4), strides=2, use_bias=False)(x)))
    for _ in range(blocks):
        x = layers.DepthwiseConv2D(3, use_bias=False)(layers.ZeroPadding2D(((0, 0), (1, 1)))(x))
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(x)))
    x = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    return read_keras(model, calibration=np.random.default_rng(0).normal(size=(8, frames, BANDS, 1)).astype(np.float32))


def measured(graph: Graph, frames: int, hop: int | None, calls: int) -> tuple[int, int, int, int, int]:
    """Cycles and MACs of a call, RAM and flash of the image, output values that differ from the model's.

    Args:
        graph: the model.
        frames: of its window.
        hop: new frames of a call, or None for whole windows.
        calls: that are compared.
    """
    tensor, rng = graph.tensors[graph.inputs[0]], np.random.default_rng(1)
    step = hop or frames
    warm = -(-frames // step) - 1
    sound = simulate.quantize(tensor, rng.normal(size=((warm + calls) * step, *tensor.shape[2:])))
    ends = [(warm + 1 + i) * step for i in range(calls)]
    expected = simulate.run(graph, np.stack([sound[end - frames : end] for end in ends]))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "net"
        report = shrinkfit.export(graph, folder, name="net", streaming=hop is not None, frames_per_call=hop)
        result = shrinkfit.check(folder, sound.reshape(warm + calls, step, *tensor.shape[2:]), on="cortex-m4")
    differ = result.differences + int(np.count_nonzero(result.outputs[warm:] != expected))
    return result.cycles, report.cost.macs, result.ram_bytes, result.flash_bytes, differ


def row(frames: int, calls: float, hop: int, figures: tuple, whole: float) -> list[str]:
    cycles, macs, ram, flash, differ = figures
    per_second = cycles * calls
    shown = [f"{frames}", f"{calls:g}", f"{hop}", f"{cycles:,}", f"{per_second / 1e6:.2f}"]
    shown += [f"{100 * per_second / whole:.1f} %", f"{macs * calls / 1e6:.2f} M", f"{ram:,}", f"{flash:,}", f"{differ}"]
    return shown


if __name__ == "__main__":
    sys.exit(main())
