# SPDX-License-Identifier: Apache-2.0
"""A model's inputs, outputs and state in, the C names under which a program reaches them out.

One input is NAME_input, of several each is NAME_input_TENSOR; outputs likewise. The C types are the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from math import prod
from typing import Any

from shrinkfit.graph import ir

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float"}
QUANTIZED = ("int8", "uint8", "int16")
LONGEST_PART = 40


@dataclass(frozen=True)
class Edge:
    """An input or output of the model.

    Args:
        tensor: what it is.
        function: the C function that says where it lies.
        macro: prefix of the macros about it.
    """

    tensor: ir.Tensor
    function: str
    macro: str

    @property
    def c_type(self) -> str:
        """The C type of an element."""
        return C_TYPES[self.tensor.dtype]

    @property
    def elements(self) -> int:
        """How many values it holds."""
        return prod(self.tensor.shape)

    @property
    def is_quantized(self) -> bool:
        """Whether its values have a scale and a zero_point."""
        return self.tensor.dtype in QUANTIZED

    def details(self) -> dict[str, Any]:
        """What report.json says about it."""
        tensor = self.tensor
        sizes = {"dtype": tensor.dtype, "shape": list(tensor.shape), "bytes": tensor.size_bytes}
        scales = {"scale": tensor.scale, "zero_point": tensor.zero_point} if self.is_quantized else {}
        return {"name": tensor.name, "function": self.function} | sizes | scales


@dataclass(frozen=True)
class Api:
    """All names that a model's header declares."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    names: frozenset[str]


def api_of(name: str, graph: ir.Graph) -> Api:
    """The C names of a model.

    Args:
        name: the model's name in C.
        graph: its integer graph.
    """
    inputs, outputs = (_edges(name, side, graph) for side in ("input", "output"))
    fixed = {f"{name}_{function}" for function in ("run", "input", "output", "reset", "labels", "selftest")}
    return Api(inputs, outputs, frozenset(fixed | {edge.function for edge in (*inputs, *outputs)}))


def _edges(name: str, side: str, graph: ir.Graph) -> tuple[Edge, ...]:
    tensors = [graph.tensors[n] for n in getattr(graph, f"{side}s")]
    if len(tensors) == 1:
        return (Edge(tensors[0], f"{name}_{side}", f"{name}_{side}".upper()),)
    taken: set[str] = set()
    edges = []
    for tensor in tensors:
        part = unique(identifier_part(tensor.name, side), taken)
        taken.add(part)
        edges.append(Edge(tensor, f"{name}_{side}_{part}", f"{name}_{side}_{part}".upper()))
    return tuple(edges)


def identifier_part(text: str, otherwise: str) -> str:
    """Lower case letters, digits and underscores, as near to a name as C allows."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST_PART].strip("_") or otherwise


def unique(stem: str, taken: Container[str]) -> str:
    """The stem, with a number behind it where it is taken."""
    candidate, count = stem, 1
    while candidate in taken:
        count += 1
        candidate = f"{stem}_{count}"
    return candidate
