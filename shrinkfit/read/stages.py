# SPDX-License-Identifier: Apache-2.0
"""Nodes in, stages out: which nodes become one integer operator, and where the int8 tensors lie between them.

A stage's output is a tensor boundary of the integer graph, so fake quantization sits on exactly
these outputs and reading makes exactly these tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.read.topology import Node, Topology

WEIGHTED = ("conv", "depthwise", "dense")
# Stages whose output has a range of its own; the others pass their input's scale on, or have a fixed one.
RANGED = ("input", *WEIGHTED, "batch_norm", "relu", "add", "global_average")
CAN_CLAMP = (*WEIGHTED, "batch_norm", "add", "max_pool", "average_pool")


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
    """

    key: str
    kind: str
    head: Node
    inputs: tuple[str, ...]
    zero_pad: Node | None
    batch_norm: Node | None
    relu: Node | None
    last: Node

    @property
    def has_range(self) -> bool:
        return self.kind in RANGED


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
    return tuple(stages)


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
        **parts,
    )
    return stage, members


def _padding_before(topology: Topology, head: Node) -> Node | None:
    if head.kind not in ("conv", "depthwise"):
        return None
    node = topology.nodes[head.inputs[0]]
    while node.kind == "identity":
        node = topology.nodes[node.inputs[0]]
    return node if node.kind == "zero_pad" and _folds_into(topology, node) is head else None
