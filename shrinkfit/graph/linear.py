# SPDX-License-Identifier: Apache-2.0
"""ADD, SUB and a change of scale in, one multiplication per input out, where that gives the same bits.

The reference rounds two to five times on the way; int8 inputs have few enough values to try them all. So a line
replaces it only where every output is proven equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import INT32_MAX, INT32_MIN
from shrinkfit.graph.kernels_arithmetic import KERNELS

# Fractional bits of the line's sum, and of the terms before the shift that SMLAW makes.
LINE_BITS, TERM_BITS = 21, 8
# In what steps, and how far from the nearest, other factors are tried: half a step of the sum at the largest input.
FACTOR_STEPS = (0, 1, -1, 2, -2)
VALUES = np.arange(ir.INT8_MIN, ir.INT8_MAX + 1, dtype=np.int64)


@dataclass(frozen=True)
class Line:
    """output = saturate((offset + sum(factor * input >> 8)) >> 21), for int8 inputs with their zero points in them.

    Args:
        factors: int32, one per input.
        offset: int32.
    """

    factors: tuple[int, ...]
    offset: int


def line_of(op: ir.Op, sources: tuple[ir.Tensor, ...], target: ir.Tensor) -> Line | None:
    """The line that gives an operator's outputs for all its inputs' values, or None.

    Args:
        op: an add, sub or requantize.
        sources, target: its tensors.
    """
    signs = (1, -1) if op.kind == "sub" else (1, 1)
    scales = tuple(sign * source.scale / target.scale for sign, source in zip(signs, sources, strict=False))
    names = tuple("ab")[: len(sources)]
    small = tuple(replace(t, name=n, shape=(1,)) for t, n in zip((*sources, target), (*names, "y"), strict=True))
    # Operators are equal only to themselves; what counts are the values in them.
    own = tuple((f.name, getattr(op, f.name)) for f in fields(op) if f.name not in ("name", "inputs", "outputs"))
    make: Callable[..., ir.Op] = type(op)
    return _find(make, own, small, scales)


@lru_cache(maxsize=256)
def _find(
    make: Callable[..., ir.Op],
    own: tuple[tuple[str, Any], ...],
    tensors: tuple[ir.Tensor, ...],
    scales: tuple[float, ...],
) -> Line | None:
    *names, target = (tensor.name for tensor in tensors)
    op = make(name="op", inputs=tuple(names), outputs=(target,), **dict(own))
    unit = 2.0 ** (LINE_BITS + TERM_BITS)
    if not all(abs(scale) < 4 for scale in scales):
        return None
    nearest = [round(scale * unit) for scale in scales]
    if not all(nearest):
        return None
    outputs = _outputs(op, tensors)
    for steps in sorted(product(FACTOR_STEPS, repeat=len(scales)), key=lambda s: sum(map(abs, s))):
        factors = tuple(factor + step for factor, step in zip(nearest, steps, strict=True))
        if max(map(abs, factors)) <= INT32_MAX and (line := _line(factors, outputs)):
            return line
    return None


def _outputs(op: ir.Op, tensors: tuple[ir.Tensor, ...]) -> np.ndarray:
    """The operator's outputs for all values of one input, int64 [256], or of two, [256, 256]."""
    *sources, target = tensors
    grids = np.meshgrid(*[VALUES] * len(sources), indexing="ij")
    values = [grid.reshape(-1, 1) for grid in grids]
    return KERNELS[op.kind](op, sources, [target], values).astype(np.int64).reshape(grids[0].shape)


def _line(factors: tuple[int, ...], outputs: np.ndarray) -> Line | None:
    """The middle of the offsets with which these factors give all outputs, if there is one."""
    terms = [factor * VALUES >> TERM_BITS for factor in factors]
    total = terms[0] if len(terms) == 1 else terms[0][:, None] + terms[1]
    low, high = outputs > ir.INT8_MIN, outputs < ir.INT8_MAX
    least = ((outputs << LINE_BITS) - total)[low].max(initial=INT32_MIN)
    most = (((outputs + 1) << LINE_BITS) - 1 - total)[high].min(initial=INT32_MAX)
    # The sum wraps on the way as it likes; only its end has to fit.
    least, most = max(least, INT32_MIN - total.min()), min(most, INT32_MAX - total.max())
    offset = int(least + most) // 2
    fits = least <= most and INT32_MIN <= offset <= INT32_MAX
    return Line(factors, offset) if fits else None
