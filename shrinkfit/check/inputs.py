# SPDX-License-Identifier: Apache-2.0
"""What a user passes as inputs, or nothing -> int8 [n, ...] for the model, or an error that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shrinkfit.errors import CheckError
from shrinkfit.graph.ir import INT8_MAX, INT8_MIN, Tensor
from shrinkfit.graph.simulate import quantize

RANDOM_CLIPS = 32
SEED = 20


def random_inputs(tensor: Tensor, clips: int = RANDOM_CLIPS) -> np.ndarray:
    """Reproducible inputs: all lowest, all highest, both in turn, then noise of growing width, the last full.

    Args:
        tensor: the model's input.
        clips: how many, at least 3.

    Returns:
        int8 [clips, *shape without batch].
    """
    rng = np.random.default_rng(SEED)
    shape = tensor.shape[1:]
    width = np.linspace(1, 255, clips - 3).reshape(-1, *(1 for _ in shape))
    noise = tensor.zero_point + width * (rng.random((clips - 3, *shape)) - 0.5)
    noise[(clips - 3) // 2 :] = rng.integers(INT8_MIN, INT8_MAX + 1, (clips - 3 - (clips - 3) // 2, *shape))
    extremes = np.empty((3, *shape), np.int8)
    extremes[0], extremes[1] = INT8_MIN, INT8_MAX
    extremes[2] = np.where(np.arange(tensor.size_bytes) % 2, INT8_MIN, INT8_MAX).reshape(shape)
    return np.concatenate([extremes, np.clip(np.rint(noise), INT8_MIN, INT8_MAX).astype(np.int8)])


def model_inputs(tensor: Tensor, given: np.ndarray | str | Path | None) -> np.ndarray:
    """The inputs to check with.

    Args:
        tensor: the model's input.
        given: None for random ones; int8 [n, ...], or float [n, ...] in the model's own units, which is quantized
            with the tensor's scale and zero_point; or the path of an .npy file that holds either.

    Returns:
        int8 [n, *shape without batch].

    Raises:
        CheckError: not an .npy file, or a dtype, shape or value that the model cannot take.
    """
    if given is None:
        return random_inputs(tensor)
    values = _load(Path(given)) if isinstance(given, (str, Path)) else np.asarray(given)
    _check_shape(tensor, values)
    if values.dtype == np.int8:
        return np.ascontiguousarray(values)
    if not np.issubdtype(values.dtype, np.floating):
        raise CheckError(f"inputs are {values.dtype}, expected int8, or float to be quantized; use .astype")
    if not np.all(np.isfinite(values)):
        bad = np.argwhere(~np.isfinite(values))[0].tolist()
        raise CheckError(f"inputs hold {values[tuple(bad)]} at {bad}, expected finite numbers")
    return quantize(tensor, values)


def _load(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckError(f"inputs '{path}' cannot be read as an .npy file: {error}") from error
    if not isinstance(values, np.ndarray):
        raise CheckError(f"inputs '{path}' hold several arrays, expected one .npy array; save it with numpy.save")
    return values


def _check_shape(tensor: Tensor, values: np.ndarray) -> None:
    shape = tensor.shape[1:]
    if values.ndim != len(shape) + 1 or values.shape[1:] != shape or len(values) == 0:
        expected = ", ".join(map(str, ("n", *shape)))
        raise CheckError(f"inputs have shape {list(values.shape)}, expected [{expected}] with n at least 1")
