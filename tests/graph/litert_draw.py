# SPDX-License-Identifier: Apache-2.0
"""Random pieces of a graph, from a seed."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.activation import ACTIVATION_BOUNDS, activation_range

WIRE = {"name": "op", "inputs": ("x",), "outputs": ("y",)}


def one_op(op: ir.Op, sources: tuple[ir.Tensor, ...], target: ir.Tensor) -> ir.Graph:
    return ir.Graph("g", {t.name: t for t in (*sources, target)}, (op,), op.inputs, op.outputs)


class Draw:
    """Random pieces of a graph. Half of the draws have scales that are powers of two, where ties happen."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.exact = bool(self.rng.random() < 0.5)
        self.source: ir.Tensor | None = None

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def power(self, low: float, high: float) -> float:
        exponent = self.rng.integers(low, high + 1) if self.exact else self.rng.uniform(low, high)
        return float(np.float32(2.0**exponent))

    def tensor(self, name: str, shape, scale: float) -> ir.Tensor:
        zero_point = int(self.rng.choice([-128, 127, 0, self.int(-128, 127), self.int(-128, 127)]))
        return ir.Tensor(name, shape, scale, zero_point)

    def image(self) -> ir.Tensor:
        """What the operator reads: `source` where a chain has set it."""
        shape = (1, self.int(1, 7), self.int(1, 7), self.int(1, 5))
        return self.source or self.tensor("x", shape, self.power(-8, 2))

    def near(self, name: str, shape, tensor: ir.Tensor) -> ir.Tensor:
        return self.tensor(name, shape, tensor.scale * self.power(-2, 2))

    def clamp(self, target: ir.Tensor, names=tuple(ACTIVATION_BOUNDS)) -> dict[str, int]:
        ranges = [activation_range(str(name), target) for name in self.rng.permutation(names)]
        low, high = next(pair for pair in (*ranges, (-128, 127)) if pair[0] <= pair[1])
        return {"activation_min": low, "activation_max": high}

    def window(self, shape, dilation=(1, 1)) -> dict:
        """A window inside the plane, any stride, and no, TensorFlow's or odd padding."""
        limits = [min((n - 1) // d + 1, 4) for n, d in zip(shape[1:3], dilation, strict=True)]
        window = tuple(self.int(1, n) for n in limits)
        stride = (self.int(1, 3), self.int(1, 3))
        same = ir.same_padding(shape[1:3], window, stride, dilation)
        return {"window": window, "stride": stride, "padding": (ir.Padding(), same)[self.int(0, 1)]}
