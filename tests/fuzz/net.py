# SPDX-License-Identifier: Apache-2.0
"""A random graph in the making: tensors to read, numbers to draw."""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.activation import ACTIVATION_BOUNDS, activation_range, is_computed
from shrinkfit.graph.base import DTYPE_RANGES

MAX_ELEMENTS = 3000
# Where effective scales end: below the first every output is the zero_point; from 2**30 on LiteRT's shift is undefined.
SCALE_EXPONENTS = (-40, 29)
FINEST = 2.0 ** -SCALE_EXPONENTS[1]
# Of tensors: so that no product of a few leaves the range above.
TENSOR_EXPONENTS = (-25, 12)


def bounded(scale: float, least: float = 0.0) -> float:
    """A tensor's scale, not finer than `least`."""
    low, high = (2.0**n for n in TENSOR_EXPONENTS)
    return min(max(scale, low, least), high)


class Net:
    """Tensors, operators and constants so far. Half of the nets have scales that are powers of two, where ties happen.

    Args:
        seed: all that is drawn follows from it.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.exact = self.chance(0.5)
        self.tensors: dict[str, ir.Tensor] = {}
        self.inputs: list[str] = []
        self.constants: dict[str, np.ndarray] = {}
        self.variables: dict[str, ir.Variable] = {}
        self.ops: list[ir.Op] = []

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def choice(self, items):
        return items[self.int(0, len(items) - 1)]

    def ints(self, count: int, low: int, high: int) -> tuple[int, ...]:
        return tuple(self.int(low, high) for _ in range(count))

    def power(self, low: float, high: float) -> float:
        exponent = self.rng.integers(low, high + 1) if self.exact else self.rng.uniform(low, high)
        return float(np.float32(2.0 ** float(exponent)))

    def scale(self) -> float:
        return self.power(-7, 0) if self.chance(0.8) else self.power(-15, 5)

    def effective(self, spread: float) -> float:
        """A factor from sums of about this size to the output: mostly one that fills int8, sometimes any at all."""
        if self.chance(0.75):
            return float(2.0 ** np.floor(np.log2(64 / max(spread, 1)))) * self.power(-3, 2)
        return self.power(*SCALE_EXPONENTS)

    def zero_point(self, dtype: str = "int8") -> int:
        low, high = DTYPE_RANGES[dtype]
        return 0 if dtype == "int16" else self.choice([low, high, (low + high + 1) // 2, *self.ints(2, low, high)])

    def array(self, shape, low: int, high: int, dtype: str) -> np.ndarray:
        """Random numbers, half of the arrays within a much smaller reach."""
        if self.chance(0.5):
            low, high = max(low, -3), min(high, 3)
        return self.rng.integers(low, high + 1, shape).astype(dtype)

    def tensor(
        self, shape, scale: float | None = None, zero_point: int | None = None, dtype: str = "int8"
    ) -> ir.Tensor:
        """A new one, random where nothing is said."""
        if dtype == "float32":
            scale, zero_point = 1.0, 0
        scale = self.scale() if scale is None else scale
        zero_point = self.zero_point(dtype) if zero_point is None else zero_point
        made = ir.Tensor(f"t{len(self.tensors)}", shape, scale, zero_point, dtype)
        self.tensors[made.name] = made
        return made

    def like(self, tensor: ir.Tensor, shape=None) -> ir.Tensor:
        return self.tensor(tensor.shape if shape is None else shape, *tensor.quantization, tensor.dtype)

    def near(self, tensor: ir.Tensor, shape=None) -> ir.Tensor:
        """Another scale, mostly close to the tensor's."""
        factor = self.power(-2, 2) if self.chance(0.8) else self.power(-9, 9)
        return self.tensor(tensor.shape if shape is None else shape, bounded(tensor.scale * factor))

    def input(self, shape, **fields) -> ir.Tensor:
        made = self.tensor(shape, **fields)
        self.inputs.append(made.name)
        return made

    def constant(self, shape, *quantization) -> ir.Tensor:
        made = self.tensor(shape, *quantization)
        self.constants[made.name] = self.rng.integers(-128, 128, made.shape).astype(np.int8)
        return made

    def source(
        self, dtype: str = "int8", ranks=range(1, 6), most: int = MAX_ELEMENTS, batched: bool = True
    ) -> ir.Tensor:
        """A tensor to read: mostly the youngest, sometimes an older or a new input; always a new one where none fits.

        Args:
            ranks: how many dimensions it may have.
            most: how many elements.
            batched: False where its first dimension has to be 1.
        """
        known = [
            t
            for t in self.tensors.values()
            if t.dtype == dtype
            and t.name not in self.constants
            and len(t.shape) in ranks
            and prod(t.shape) <= most
            and (batched or t.shape[0] == 1)
        ]
        if not known or self.chance(0.08):
            return self.input(self.shape(ranks, most), dtype=dtype)
        return known[-1] if self.chance(0.7) else self.choice(known)

    def shape(self, ranks=range(1, 6), most: int = MAX_ELEMENTS) -> tuple[int, ...]:
        """A batch of 1, then mostly a plane where ranks allow it."""
        rank = 4 if 4 in ranks and self.chance(0.7) else self.choice(ranks)
        high = 4 if rank > 4 or self.chance(0.5) else 11
        shape = (1, *self.ints(rank - 1, 1, high))
        return shape if prod(shape) <= most else (1,) * rank

    def plane(self) -> ir.Tensor:
        return self.source(ranks=(4,), batched=False)

    def clamp(self, target: ir.Tensor, names=tuple(ACTIVATION_BOUNDS)) -> dict[str, int]:
        """A fused activation that leaves something of the range."""
        drawn = [str(name) for name in self.rng.permutation(names)]
        ranges = [activation_range(name, target) for name in drawn if is_computed(name, target)]
        low, high = next(pair for pair in (*ranges, (-128, 127)) if pair[0] <= pair[1])
        return {"activation_min": low, "activation_max": high}

    def add(self, kind: type[ir.Op], sources, targets, **fields) -> None:
        names = tuple(t.name for t in sources), tuple(t.name for t in targets)
        self.ops.append(kind(name=f"op{len(self.ops)}", inputs=names[0], outputs=names[1], **fields))

    def variable(self, shape, scale: float, zero_point: int, initial: np.ndarray) -> str:
        name = f"v{len(self.variables)}"
        tensor = ir.Tensor(name, shape, scale, zero_point, str(initial.dtype))
        self.variables[name] = ir.Variable(tensor, initial)
        return name

    def graph(self) -> ir.Graph:
        """What nothing reads becomes an output, and sometimes something else too."""
        read = {name for op in self.ops for name in op.inputs} | set(self.inputs)
        for tensor in [t for t in self.tensors.values() if t.name not in read and t.shape[0] != 1]:
            shape = (1, prod(tensor.shape))
            self.add(ir.Reshape, (tensor,), (self.like(tensor, shape),), shape=shape)
        read = {name for op in self.ops for name in op.inputs} | set(self.inputs)
        made = [name for op in self.ops for name in op.outputs if self.tensors[name].shape[0] == 1]
        outputs = [name for name in made if name not in read or self.chance(0.1)] or made[-1:] or self.inputs[:1]
        outputs += [name for name in self.inputs if self.chance(0.02)]
        return ir.Graph("net", self.tensors, self.ops, self.inputs, outputs, self.constants, self.variables)
