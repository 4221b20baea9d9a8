# SPDX-License-Identifier: Apache-2.0
"""What an exported model does, without a compiler: the C kernels called one after the other in one planned arena."""

from __future__ import annotations

import ctypes
import re
from functools import cache

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.arena import plan
from shrinkfit.price.calls import Argument, calls
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for, scratch_sizes
from shrinkfit.write.pack import pack_calls
from tests.runtime_c.native import POINTER, RUNTIME, guarded

_TYPES = {f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32)}
_TYPES |= {"float": ctypes.c_float}
GARBAGE, GUARD_BYTE = 0x5A5A5A5A5A5A5A5A, 0x5A


@cache
def structs() -> dict[str, type[ctypes.Structure]]:
    """The structs of shrinkfit.h by name, read from its text."""
    text = re.sub(r"/\*.*?\*/", "", (RUNTIME / "shrinkfit.h").read_text(), flags=re.S)
    found: dict[str, type[ctypes.Structure]] = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, flags=re.S):
        fields = [field for line in body.split(";") if line.strip() for field in _fields(line, found)]
        found[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return found


def _fields(line: str, known) -> list[tuple[str, type]]:
    line = line.replace("const ", " ").strip()
    kind, names = re.fullmatch(r"(?:struct )?(\w+)\s+(.*)", line, flags=re.S).groups()
    made = []
    for name in names.split(","):
        pointer, name, count = re.fullmatch(r"\s*(\*?)\s*(\w+)(?:\[(\d+)\])?\s*", name).groups()
        one = POINTER if pointer else known[kind] if kind in known else _TYPES[kind]
        made.append((name, one * int(count) if count else one))
    return made


def filled(packed, keep: list) -> ctypes.Structure:
    """A packed call as its C struct; its arrays are kept alive in `keep`."""
    arrays = {name: np.ascontiguousarray(a) for name, a in packed.arrays.items()}
    keep.extend(arrays.values())

    def fill(struct, fields):
        assert [name for name, _ in struct._fields_] == list(fields), f"{type(struct).__name__} and its fields differ"
        for name, value in fields.items():
            if isinstance(value, dict):
                fill(getattr(struct, name), value)
            elif isinstance(value, str):
                setattr(struct, name, arrays[value].ctypes.data)
            else:
                setattr(struct, name, value)
                assert (getattr(struct, name) or 0) == value, f"{packed.params}.{name}: {value} does not fit"

    struct = structs()[packed.params]()
    fill(struct, packed.fields)
    return struct


class Arena:
    """A graph's arena as export plans it, with bytes behind it that nothing may touch.

    Args:
        planner: what plans it.

    Raises:
        ShrinkfitError: the C runtime does not take an operator.
    """

    def __init__(self, graph: ir.Graph, lib: ctypes.CDLL, choice: Choice | bool, planner=plan) -> None:
        self.graph, self.plan = graph, planner(graph, scratch_sizes(graph, choice))
        self.bytes = guarded(self.plan.arena_bytes, GARBAGE)
        # Constants lie in flash; copies show who writes there.
        self.flash = {name: values.copy() for name, values in graph.constants.items()}
        self.keep: list[np.ndarray] = []
        self.calls = {op.name: self._calls(op, lib, choice) for op in graph.ops}

    def _calls(self, op: ir.Op, lib: ctypes.CDLL, choice: Choice | bool) -> list:
        kernel = kernel_for(op, self.graph, choice)
        if not kernel.symbol:
            return []
        function, made = getattr(lib, kernel.symbol), []
        function.restype = None
        for packed, arguments in zip(pack_calls(op, self.graph, choice), calls(op), strict=True):
            struct = filled(packed, self.keep)
            pointers = [POINTER(self._address(argument)) for argument in arguments]
            if kernel.takes_scratch:
                offset = self.plan.scratch_offsets.get(op.name)
                pointers.append(POINTER(None if offset is None else self.bytes.ctypes.data + offset))
            made.append((function, struct, pointers))
        return made

    def _address(self, argument: Argument) -> int:
        if argument.is_variable:
            return self.bytes.ctypes.data + self.plan.state_offsets[argument.name]
        if argument.name in self.plan.offsets:
            return self.bytes.ctypes.data + self.plan.offsets[argument.name]
        return self.flash[self._root(argument.name)].ctypes.data

    def _root(self, name: str) -> str:
        while name not in self.flash:
            name = next(op.inputs[0] for op in self.graph.ops if name in op.outputs)
        return name

    def _view(self, offset: int, tensor: ir.Tensor) -> np.ndarray:
        return self.bytes[offset : offset + tensor.size_bytes].view(tensor.dtype)

    def reset(self) -> None:
        """Initial values, as NAME_reset writes them."""
        for name, variable in self.graph.variables.items():
            self.state(name)[:] = variable.initial.reshape(-1)

    def state(self, name: str) -> np.ndarray:
        return self._view(self.plan.state_offsets[name], self.graph.variables[name].tensor)

    def write(self, name: str, values: np.ndarray) -> None:
        self.read(name)[:] = values.reshape(-1)

    def read(self, name: str) -> np.ndarray:
        if name not in self.plan.offsets:
            return self.flash[self._root(name)].reshape(-1)
        return self._view(self.plan.offsets[name], self.graph.tensors[name])

    def run(self, op: ir.Op) -> str:
        """Run one operator; what it broke besides, in words, or ""."""
        for function, struct, pointers in self.calls[op.name]:
            function(ctypes.byref(struct), *pointers)
        if np.any(self.bytes[self.plan.arena_bytes :] != GUARD_BYTE):
            return "wrote behind the arena"
        changed = [n for n, values in self.flash.items() if values.tobytes() != self.graph.constants[n].tobytes()]
        return f"wrote to the constant '{changed[0]}'" if changed else ""
