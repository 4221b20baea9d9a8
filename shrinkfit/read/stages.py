# SPDX-License-Identifier: Apache-2.0
"""Nodes in, stages out: which nodes become one integer operator, and where the int8 tensors lie between them.

A stage's output is a tensor boundary of the integer graph, so fake quantization sits on exactly
these outputs and reading makes exactly these tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shrinkfit.read.nodes import WEIGHTED
from shrinkfit.read.topology import Node, Topology

__all__ = ["WEIGHTED", "Stage", "fuse", "stage_of_output"]

# Stages whose output has a range of its own (a table's may be fixed); the others pass their input's scale on.
RANGED = (
    *("input", *WEIGHTED, "batch_norm", "affine", "relu", "table", "prelu"),
    *("add", "subtract", "multiply", "average", "maximum", "minimum", "concat", "global_average"),
)
# LiteRT's own scales: what these give always lies between known ends.
FIXED = {"softmax": (1 / 256, -128), "logistic": (1 / 256, -128), "hard_sigmoid": (1 / 256, -128), "tanh": (1 / 128, 0)}
CAN_CLAMP = (*WEIGHTED, "batch_norm", "affine", "add", "subtract", "multiply", "average", "max_pool", "average_pool")
# What gives the bytes that it reads: its inputs have to have its own scale.
CHOOSING = ("concat", "maximum", "minimum")
# These move values or choose among them, so that rounding before them is rounding behind them.
MOVING = ("reshape", "permute", "zero_pad", "crop", "max_pool", "global_max")


@dataclass(frozen=True, eq=False)
class Stage:
    """Nodes that run as one integer operator.

    Args:
        key: name of the last node in it; the integer graph's tensor has this name.
        kind: the head's kind.
        head: the node that computes.
        inputs: keys of the stages read.
        zero_pad: a padding layer folded into the convolution behind it.
        batch_norm, relu: nodes fused behind the head.
        last: the node whose output is the stage's output.
        scale_from: key of the stage whose range, or fixed scale, the output has: its own, that of what it passes on,
            or that of the concatenation, maximum or minimum that alone reads it.
        ends_model: whether its output is one of the model's.
    """

    key: str
    kind: str
    head: Node
    inputs: tuple[str, ...]
    zero_pad: Node | None
    batch_norm: Node | None
    relu: Node | None
    last: Node
    scale_from: str = ""
    ends_model: bool = False

    @property
    def fixed(self) -> tuple[float, int] | None:
        """(scale, zero_point) where LiteRT prescribes them."""
        return FIXED.get(self.head.attributes.get("function", self.kind))

    @property
    def has_range(self) -> bool:
        """Whether a range is to be learned for it."""
        return self.kind in RANGED and self.fixed is None and self.scale_from == self.key


def fuse(topology: Topology) -> tuple[Stage, ...]:
    """Group a topology's nodes into stages, in an order in which they can run."""
    stages: list[Stage] = []
    key_of: dict[str, str] = {}
    absorbed: set[str] = set()
    for node in topology.nodes.values():
        if node.name in absorbed:
            continue
        if node.kind == "identity":
            key_of[node.name] = key_of[node.inputs[0]]
            continue
        if node.kind == "zero_pad" and _folds_into(topology, node) is not None:
            key_of[node.name] = key_of[node.inputs[0]]
            continue
        stage, members = _stage(topology, node, key_of)
        stages.append(stage)
        absorbed.update(members)
        key_of.update(dict.fromkeys(members, stage.key))
    ends = {key_of[name] for name in topology.outputs}
    return _with_scales(tuple(replace(stage, ends_model=stage.key in ends) for stage in stages))


def _with_scales(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    lent = _lent(stages)
    scale_from: dict[str, str] = {}
    for stage in stages:
        if stage.fixed is not None:
            scale_from[stage.key] = stage.key
        elif stage.kind in RANGED:
            scale_from[stage.key] = lent.get(stage.key, stage.key)
        else:
            scale_from[stage.key] = scale_from[stage.inputs[0]]
    return tuple(replace(stage, scale_from=scale_from[stage.key]) for stage in stages)


def _lent(stages: tuple[Stage, ...]) -> Mapping[str, str]:
    """Stage key -> the concatenation (or maximum) whose range it takes because nothing else reads it.

    Joining then only copies; and the larger of two values that were rounded is the larger one, rounded.
    """
    readers: dict[str, list[Stage]] = {stage.key: [] for stage in stages}
    for stage in stages:
        for key in dict.fromkeys(stage.inputs):
            readers[key].append(stage)
    lent: dict[str, str] = {}
    for stage in reversed(stages):
        if len(readers[stage.key]) != 1 or stage.ends_model:
            continue
        (reader,) = readers[stage.key]
        if reader.kind in CHOOSING:
            lent[stage.key] = lent.get(reader.key, reader.key)
        elif reader.kind in MOVING and reader.relu is None and reader.key in lent:
            lent[stage.key] = lent[reader.key]
    return lent


def stage_of_output(topology: Topology, stages: tuple[Stage, ...], name: str) -> str:
    """The key of the stage that computes a model output."""
    node = topology.nodes[name]
    keys = {stage.key for stage in stages}
    while node.name not in keys:
        node = topology.nodes[node.inputs[0]]
    return node.name


def _next(topology: Topology, node: Node) -> tuple[Node | None, list[Node]]:
    """The only reader of a node, past identities, and the identities passed."""
    passed = []
    reader = topology.only_reader(node.name)
    while reader is not None and reader.kind == "identity":
        passed.append(reader)
        reader = topology.only_reader(reader.name)
    return reader, passed


def _folds_into(topology: Topology, pad: Node) -> Node | None:
    """The convolution that can pad for itself; its own padding must be VALID."""
    reader, _ = _next(topology, pad)
    if reader is not None and reader.kind in ("conv", "depthwise") and reader.attributes["padding"] == "valid":
        return reader
    return None


def _stage(topology: Topology, head: Node, key_of: dict[str, str]) -> tuple[Stage, list[str]]:
    members, last = [head.name], head
    parts: dict[str, Node | None] = {"batch_norm": None, "relu": None}
    for kind, heads in (("batch_norm", WEIGHTED), ("relu", CAN_CLAMP)):
        reader, passed = _next(topology, last)
        if head.kind in heads and reader is not None and reader.kind == kind:
            parts[kind] = reader
            members += [n.name for n in passed] + [reader.name]
            last = reader
    stage = Stage(
        key=last.name,
        kind=head.kind,
        head=head,
        inputs=tuple(key_of[name] for name in head.inputs),
        zero_pad=_padding_before(topology, head),
        last=last,
        batch_norm=parts["batch_norm"],
        relu=parts["relu"],
    )
    return stage, members


def _padding_before(topology: Topology, head: Node) -> Node | None:
    if head.kind not in ("conv", "depthwise"):
        return None
    node = topology.nodes[head.inputs[0]]
    while node.kind == "identity":
        node = topology.nodes[node.inputs[0]]
    return node if node.kind == "zero_pad" and _folds_into(topology, node) is head else None
