# SPDX-License-Identifier: Apache-2.0
"""A frozen graph and an operator in, another frozen graph without it out; and the record that a rewrite leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shrinkfit.graph import ir, simulate


@dataclass(frozen=True)
class Rewrite:
    """What one rewrite did.

    Args:
        rule: which rewrite, such as "fold_pad".
        op: name of the operator that changed or went.
        change: what was rewritten.
        reason: why every output keeps its bits.
        macs: multiply-accumulates of one run that it saved.
        weight_bytes: bytes of kernels (1 each) and biases (4 each) that it saved.
        tensor_bytes: bytes of activations that it saved, as if none shared memory.
    """

    rule: str
    op: str
    change: str
    reason: str
    macs: int = 0
    weight_bytes: int = 0
    tensor_bytes: int = 0


def weight_bytes(op: ir.Op) -> int:
    """Bytes of kernel and bias, 0 for an operator without."""
    return op.kernel.size + 4 * op.bias.size if isinstance(op, ir.Weighted) else 0


def readers(graph: ir.Graph) -> dict[str, tuple[ir.Op, ...]]:
    """Tensor name -> the operators that read it, in order; an empty tuple where none does."""
    found: dict[str, tuple[ir.Op, ...]] = {name: () for name in graph.tensors}
    for op in graph.ops:
        for name in dict.fromkeys(op.inputs):
            found[name] += (op,)
    return found


def fill_value(pad: ir.Pad, target: ir.Tensor) -> int:
    """What a Pad writes around its input: its own value if it has one, else the output's zero_point."""
    return target.zero_point if pad.value is None else pad.value


def producers(graph: ir.Graph) -> dict[str, ir.Op]:
    """Tensor name -> the operator that makes it; inputs have none."""
    return {name: op for op in graph.ops for name in op.outputs}


def same_numbers(a: ir.Tensor, b: ir.Tensor) -> bool:
    """Does a stored value mean the same in both? All but name and shape has to agree."""
    return replace(b, name=a.name, shape=a.shape) == a


def rebuilt(graph: ir.Graph, changed: dict[str, ir.Op | None], gone: tuple[str, ...] = ()) -> ir.Graph:
    """The graph with operators replaced by name (None: dropped) and without the tensors named in `gone`."""
    ops = (changed.get(op.name, op) for op in graph.ops)
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name not in gone}
    return replace(graph, tensors=tensors, ops=tuple(op for op in ops if op is not None))


def bypassed(graph: ir.Graph, op: ir.Op) -> ir.Graph | None:
    """The graph without an operator whose output holds what its input holds, and means the same (`same_numbers`).

    Returns:
        the graph; None where both tensors have to stay because both are the model's inputs or outputs.
    """
    source, target = op.inputs[0], op.outputs[0]
    keep, gone = (target, source) if target in graph.outputs else (source, target)
    if gone in (*graph.inputs, *graph.outputs, *graph.constants):
        return None
    changed: dict[str, ir.Op | None] = {
        other.name: renamed(other, gone, keep) for other in graph.ops if gone in (*other.inputs, *other.outputs)
    }
    return rebuilt(graph, {**changed, op.name: None}, (gone,))


def renamed(op: ir.Op, old: str, new: str) -> ir.Op:
    """The operator with one tensor it reads or makes under another name."""
    inputs = tuple(new if name == old else name for name in op.inputs)
    outputs = tuple(new if name == old else name for name in op.outputs)
    return replace(op, inputs=inputs, outputs=outputs)


def run_alone(op: ir.Op, sources: tuple[ir.Tensor, ...], target: ir.Tensor, values: list[np.ndarray]) -> np.ndarray:
    """Run one operator by the simulator; int8 [n, ...] per input -> int8 [n, ...]. Names of tensors do not matter."""
    inputs = tuple(replace(tensor, name=f"in{i}") for i, tensor in enumerate(sources))
    output = replace(target, name="out")
    names = tuple(tensor.name for tensor in inputs)
    alone = replace(op, inputs=names, outputs=("out",))
    graph = ir.Graph("alone", {t.name: t for t in (*inputs, output)}, (alone,), names, ("out",))
    return simulate.trace(graph, dict(zip(names, values, strict=True)), keep=("out",))["out"]


def value_table(op: ir.Op, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    """What an elementwise operator with one input makes of each int8 value, int8 [256]; index = value + 128."""
    every = np.arange(ir.INT8_MIN, ir.INT8_MAX + 1, dtype=np.int8)[None]
    return run_alone(op, (replace(source, shape=(1, 256)),), replace(target, shape=(1, 256)), [every])[0]
