# SPDX-License-Identifier: Apache-2.0
"""A dense layer in, the one stream that sf_dense_pairs reads out; runtime_c/sf_dense_pairs.h has its order."""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import wrap_int32
from shrinkfit.graph.multipliers import dense_multipliers
from shrinkfit.price.kernels_dense import GROUP, SHIFTS, is_constant, is_uniform, largest_sums
from shrinkfit.write.packed import Packed, Tensors
from shrinkfit.write.stages import fold_zero_point

# SMMLA drops 32 bits of a product, the saturation one more; a multiplier has 31 fractional bits.
DROPPED_BITS, MULTIPLIER_BITS = 33, 31


def pack_dense_pairs(op: ir.Dense, sources: Tensors, target: ir.Tensor) -> Packed:
    """The constants of a layer that the kernel takes."""
    source = sources[0]
    bias = fold_zero_point(op, source.zero_point)
    outputs, inputs = op.kernel.shape
    own_records = not is_uniform(op, source, target)
    rows, biases, multipliers, shifts = (
        evened(x) for x in (word_rows(op.kernel), bias, *rounded_once(op, source, target))
    )
    groups = [slice(first, first + GROUP) for first in range(0, outputs - GROUP + 1, GROUP)]
    groups += [slice(first, first + 2) for first in range(len(groups) * GROUP, outputs, 2)]
    parts = [] if own_records else [shared_record(multipliers, shifts)]
    for group in groups:
        parts += [pair_biases(biases[group]), pair_words(rows[group])]
        parts += [records(multipliers[group], shifts[group])] if own_records else []
    sizes = {"rows": prod(target.shape[:-1]), "inputs": inputs, "outputs": outputs}
    fields = {"stream": "stream"} | sizes | {"out_zero_point": target.zero_point}
    fields |= {"activation_min": op.activation_min, "activation_max": op.activation_max}
    fields |= {"own_records": int(own_records)}
    return Packed("sf_dense_pairs_params", {"stream": np.concatenate(parts).astype(np.int32)}, fields)


def rounded_once(op: ir.Dense, source: ir.Tensor, target: ir.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(multipliers, shifts), int64 [outputs]; where an output never changes, such as every kernel takes."""
    multipliers, shifts = dense_multipliers(op, source, target)
    constant = is_constant(largest_sums(op, source.zero_point), multipliers, shifts)
    return np.where(constant, 0, multipliers), np.where(constant, SHIFTS[1], shifts)


def shared_record(multipliers: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Of a uniform layer, for two outputs: that of one that changes is right for those that do not as well."""
    twice = [multipliers.argmax()] * 2
    return records(multipliers[twice], shifts[twice])


def evened(values: np.ndarray) -> np.ndarray:
    """int64, with a zero behind an odd number of outputs."""
    return np.pad(values.astype(np.int64), [(0, len(values) % 2)] + [(0, 0)] * (values.ndim - 1))


def word_rows(kernel: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs] -> [outputs, words, 4]; the last word is that of the last four inputs."""
    outputs, inputs = kernel.shape
    whole, left = divmod(inputs, 4)
    words = np.zeros((outputs, -(-inputs // 4), 4), np.int8)
    words[:, :whole] = kernel[:, : 4 * whole].reshape(outputs, whole, 4)
    if left:
        place = slice(4 - left, 4) if whole else slice(left)
        words[:, whole, place] = kernel[:, 4 * whole :]
    return words


def pair_biases(biases: np.ndarray) -> np.ndarray:
    """Of every pair 256 * A + B, then of every pair B."""
    a, b = biases[::2], biases[1::2]
    return np.concatenate([wrap_int32(256 * a + b), b])


def pair_words(rows: np.ndarray) -> np.ndarray:
    """int64 [outputs, words, 4] -> per word of inputs the pairs' words of inputs 0 and 2, then of inputs 1 and 3."""
    pairs = 256 * rows[::2] + rows[1::2]
    low, high = pairs[:, :, :2], pairs[:, :, 2:]
    return wrap_int32((low & 0xFFFF) | high << 16).transpose(1, 2, 0).reshape(-1)


def records(multipliers: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Per four outputs, or two where there are no more: a word of shifts to the right, a byte each; multipliers."""
    right = MULTIPLIER_BITS - shifts - DROPPED_BITS
    parts: list[np.ndarray] = []
    for first in range(0, len(multipliers), 4):
        four = right[first : first + 4]
        word = int((four << 8 * np.arange(len(four))).sum())
        parts += [wrap_int32(np.array([word])), multipliers[first : first + 4]]
    return np.concatenate(parts)
