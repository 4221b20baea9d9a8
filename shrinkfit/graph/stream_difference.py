# SPDX-License-Identifier: Apache-2.0
"""A graph, its streamed form and example inputs in, how far their outputs are apart out."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.stream_report import StreamReport

# So many frames tell enough, and take seconds.
MOST_FRAMES = 1000


def measured(graph: ir.Graph, streamed: ir.Graph, report: StreamReport, inputs: Any) -> dict[str, float]:
    """Run example inputs, laid one behind the other, through both.

    Args:
        graph: the model, with one input and one output.
        streamed, report: what `to_streaming` made of it.
        inputs: float or in the input's type, [n, *shape of the graph's input without its batch].
    Returns:
        "windows" compared; "equal_percent" of their output values; "largest_steps" and "mean_steps" between them, in
        steps of the output; "same_largest_percent": windows whose largest output is the same one. Empty where there
        are no more frames than a window has.
    """
    (name,), (out,) = graph.inputs, graph.outputs
    tensor, n = graph.tensors[name], report.frames_per_call
    stream = _stream(tensor, report.window_frames, inputs)
    calls = np.arange(report.warmup_calls, len(stream) // n + 1)
    ends = calls * n - report.delay_frames[out]
    kept = (ends >= report.window_frames) & (ends <= len(stream))
    if not kept.any():
        return {}
    length = len(stream) // n * n
    rows = stream[:length].reshape(-1, *streamed.tensors[name].shape[1:])
    got = simulate.Session(streamed).run(rows)[calls[kept] - 1]
    clips = np.stack([stream[end - report.window_frames : end] for end in ends[kept]])
    expected = simulate.run(graph, clips.reshape(-1, *tensor.shape[1:]))
    return _compared(got, _last_rows(expected, got.shape))


def _stream(tensor: ir.Tensor, frames: int, inputs: Any) -> np.ndarray:
    """[frames, ...] in the input's type."""
    values = np.asarray(inputs)
    values = values if values.dtype == tensor.dtype else simulate.quantize(tensor, values)
    values = values.reshape(len(values) * frames, -1)
    return values[:MOST_FRAMES]


def _last_rows(expected: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Of outputs that run along time, what the last call made."""
    for axis, (have, want) in enumerate(zip(expected.shape, shape, strict=True)):
        if have != want:
            expected = np.take(expected, range(have - want, have), axis=axis)
    return expected


def _compared(got: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    apart = np.abs(got.astype(np.float64) - expected)
    largest = got.argmax(axis=-1) == expected.argmax(axis=-1)
    return {
        "windows": len(got),
        "equal_percent": 100 * float(np.mean(apart == 0)),
        "largest_steps": float(apart.max()),
        "mean_steps": float(apart.mean()),
        "same_largest_percent": 100 * float(np.mean(largest)),
    }
