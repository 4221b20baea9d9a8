# SPDX-License-Identifier: Apache-2.0
"""What a user passes as inputs, or nothing -> arrays for the model, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit.errors import CheckError, near_files
from shrinkfit.graph.base import DTYPE_RANGES
from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.graph.simulate import quantize

RANDOM_CLIPS = 32
SEED = 20
RANDOM_INT32 = (-1000, 1000)


def graph_inputs(graph: Graph, given: Any = None, clips: int | None = None) -> dict[str, np.ndarray]:
    """The inputs to run a model with, by tensor name.

    Args:
        graph: the model.
        given: None for random ones; for a model with one input what `model_inputs` takes; for several a
            dictionary by tensor name or the path of an .npz file, all with the same n.
        clips: how many random ones, at least 1; RANDOM_CLIPS when None.

    Returns:
        name -> array [n, *shape without batch] of the input's dtype.

    Raises:
        CheckError: an input is missing or strange, or what `model_inputs` says.
    """
    if given is None:
        given = {name: _random(graph, index, clips or RANDOM_CLIPS) for index, name in enumerate(graph.inputs)}
    return named_inputs([graph.tensors[name] for name in graph.inputs], given)


def named_inputs(tensors: Sequence[Tensor], given: Any) -> dict[str, np.ndarray]:
    """What is given for each of a model's inputs; arguments and errors as those of `graph_inputs`."""
    names = [tensor.name for tensor in tensors]
    values = _load(Path(given)) if isinstance(given, (str, Path)) else given
    if not isinstance(values, dict):
        if len(names) != 1:
            raise CheckError(
                f"the model has the inputs {_listed(names)}; give a dictionary or an .npz file with an array for each"
            )
        values = {names[0]: values}
    if set(values) != set(names):
        raise CheckError(f"inputs are given for {_listed(values)}; the model has {_listed(names)}")
    made = {tensor.name: model_inputs(tensor, values[tensor.name]) for tensor in tensors}
    counts = {name: len(array) for name, array in made.items()}
    if len(set(counts.values())) != 1:
        raise CheckError(f"inputs have different lengths: {counts}; each run needs one of each")
    return made


def rows_of(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Arrays [n, ...] of any types -> int8 [n, all their bytes]."""
    parts = [np.ascontiguousarray(a).reshape(len(a), -1).view(np.int8) for a in arrays]
    return np.concatenate(parts, axis=1)


def _random(graph: Graph, index: int, clips: int) -> np.ndarray:
    """Of few clips the last, which are noise."""
    name = graph.inputs[index]
    return random_inputs(graph.tensors[name], max(clips, 3), SEED + index, quantized_like(graph, name))[-clips:]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def quantized_like(graph: Graph, name: str) -> Tensor:
    """The tensor that an input is turned into, whose range says which real numbers matter."""
    tensor = graph.tensors[name]
    if tensor.dtype == "float32":
        for op in graph.ops:
            if op.kind == "quantize" and name in op.inputs:
                return graph.tensors[op.outputs[0]]
        return Tensor(name, tensor.shape, 1 / 32, 0)
    return tensor


def random_inputs(
    tensor: Tensor, clips: int = RANDOM_CLIPS, seed: int = SEED, like: Tensor | None = None
) -> np.ndarray:
    """Reproducible inputs: all lowest, all highest, both in turn, then noise of growing width, the last full.

    Args:
        tensor: the model's input.
        clips: how many, at least 3.
        seed: of the noise.
        like: a quantized tensor whose range a float32 input goes through, and a little beyond.

    Returns:
        tensor's dtype [clips, *shape without batch].
    """
    rng = np.random.default_rng(seed)
    like, shape = like or tensor, tensor.shape[1:]
    low, high = RANDOM_INT32 if like.dtype == "int32" else DTYPE_RANGES[like.dtype]
    width = np.linspace(1, high - low, clips - 3).reshape(-1, *(1 for _ in shape))
    noise = like.zero_point + width * (rng.random((clips - 3, *shape)) - 0.5)
    noise[(clips - 3) // 2 :] = rng.integers(low, high + 1, (clips - 3 - (clips - 3) // 2, *shape))
    extremes = np.empty((3, *shape))
    extremes[0], extremes[1] = low, high
    extremes[2] = np.where(np.arange(prod(shape)) % 2, low, high).reshape(shape)
    steps = np.concatenate([extremes, np.clip(np.rint(noise), low, high)])
    if tensor.dtype != "float32":
        return steps.astype(tensor.dtype)
    between = rng.uniform(-0.7, 0.7, steps.shape)
    return ((steps + between - like.zero_point) * like.scale).astype(np.float32)


def model_inputs(tensor: Tensor, given: np.ndarray | str | Path | None) -> np.ndarray:
    """The inputs of one tensor.

    Args:
        tensor: the model's input.
        given: None for random ones; the model's own type [n, ...], or float [n, ...] in the model's own units,
            which is quantized with the tensor's scale and zero_point; or the path of an .npy file that holds either.

    Returns:
        tensor's dtype [n, *shape without batch].

    Raises:
        CheckError: not an .npy file, or a dtype, shape or value that the model cannot take.
    """
    if given is None:
        return random_inputs(tensor)
    values = _load(Path(given)) if isinstance(given, (str, Path)) else np.asarray(given)
    if isinstance(values, dict):
        raise CheckError(f"inputs '{given}' hold several arrays, expected one .npy array; save it with numpy.save")
    _check_shape(tensor, values)
    if values.dtype == tensor.dtype:
        return np.ascontiguousarray(values)
    if not np.issubdtype(values.dtype, np.floating) or tensor.dtype == "int32":
        raise CheckError(f"inputs are {values.dtype}, expected {tensor.dtype}, or float to be quantized; use .astype")
    if not np.all(np.isfinite(values)):
        bad = np.argwhere(~np.isfinite(values))[0].tolist()
        raise CheckError(f"inputs hold {values[tuple(bad)]} at {bad}, expected finite numbers")
    return values.astype(np.float32) if tensor.dtype == "float32" else quantize(tensor, values)


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        values = np.load(path, allow_pickle=False)
        return values if isinstance(values, np.ndarray) else dict(values)
    except (OSError, ValueError, EOFError) as error:
        near = near_files(path, (".npy", ".npz")) if isinstance(error, FileNotFoundError) else ""
        raise CheckError(f"inputs '{path}' cannot be read as an .npy file: {error}{near}") from error


def _check_shape(tensor: Tensor, values: np.ndarray) -> None:
    shape = tensor.shape[1:]
    if values.ndim != len(shape) + 1 or values.shape[1:] != shape or len(values) == 0:
        expected = ", ".join(map(str, ("n", *shape)))
        raise CheckError(f"inputs have shape {list(values.shape)}, expected [{expected}] with n at least 1")
