# SPDX-License-Identifier: Apache-2.0
"""What pruning decided in, plain records out: numbers, strings, lists and dicts only, so that JSON holds them.

Tables and plots (report/) only render these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from shrinkfit.fit.channels import MAKERS, Channels, Group
from shrinkfit.fit.floors import Floor, makers_of
from shrinkfit.fit.prune import Pruned, Widths
from shrinkfit.price.cost import Cost
from shrinkfit.read.topology import Topology

Record = dict[str, Any]


def narrowings(
    pruned: Iterable[Pruned],
    epoch: int,
    topology: Topology,
    channels: Channels,
    worth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
) -> list[Record]:
    """One record per group that was narrowed.

    Args:
        pruned: what `prune.narrow` decided.
        epoch: at whose beginning it did.
        topology, channels: of the model.
        worth: float [units], by which it decided.
        before, after: bool [units], alive before and after it.
    Returns:
        Records with the fields of Pruned and
            epoch: counted from 0.
            channels: layer name -> indices of the channels that went.
            importance: of each of them, in the order of the first layer's indices.
            share: of the importance that the group had before, how much went with them.
    """
    groups = {group.name: group for group in channels.groups}
    records = []
    for one in pruned:
        group = groups[one.group]
        gone = group.units[before[group.units] & ~after[group.units]]
        kept = float(worth[group.units[before[group.units]]].sum())
        own = {"epoch": epoch, "channels": _indices(group, gone, topology, channels)}
        own["importance"] = [float(w) for w in worth[gone]]
        own["share"] = float(worth[gone].sum()) / kept if kept > 0 else 0.0
        records.append(_plain(asdict(one) | own))
    return records


def _indices(group: Group, gone: np.ndarray, topology: Topology, channels: Channels) -> dict[str, list[int]]:
    makers = makers_of(group, topology, channels)
    return {
        node.name: [int(i) for u in gone for i in np.flatnonzero(channels.of_node[node.name] == u)] for node in makers
    }


def held(groups: Sequence[Group], widths: Widths, floors: Sequence[Floor]) -> dict[str, str]:
    """Group name -> why it gives no more channels, for those that cannot."""
    return {g.name: f.reason for g, width, f in zip(groups, widths, floors, strict=True) if width <= f.width}


def layer_records(
    topology: Topology,
    channels: Channels,
    before: Cost,
    after: Cost,
    alive: np.ndarray,
    held_back: Mapping[str, str],
    history: Sequence[Mapping[str, Any]],
) -> list[Record]:
    """One record per layer of the model that computes something of its own, in the order in which they run.

    Args:
        topology, channels: of the model.
        before, after: its price with all channels, and with those alive.
        alive: bool [units].
        held_back: see `held`.
        history: of the fit.
    Returns:
        Records with
            layer, kind: the layer's name, the kind of its operators.
            makes_channels: whether its channels are its own, as a convolution's are, or handed on.
            groups: names of the groups that its channels are of: layers that share one are coupled; empty where its
                channels are fixed.
            width_before, width_after: output channels.
            flops_before, flops_after, flash_bytes_..., ram_bytes_...: its own share of the costs; RAM is what is alive
                in the arena while it runs.
            epochs: [first, last] epoch in which its channels went, or None.
            reason: the resource that most of them went for, or why they stayed.
    """
    last = {node.call: node for node in topology.nodes.values()}
    groups = {int(u): group.name for group in channels.groups for u in group.units}
    went: dict[str, list[Mapping[str, Any]]] = {}
    for record in (record for epoch in history for record in epoch["pruned"]):
        went.setdefault(record["group"], []).append(record)
    old, new = _by_layer(before, last), _by_layer(after, last)
    records = []
    for name, costs in old.items():
        units = channels.of_node[last[name].name]
        own = list(dict.fromkeys(groups[int(u)] for u in units if int(u) in groups))
        narrowed = [record for group in own for record in went.get(group, [])]
        makes = any(node.kind in MAKERS and node.call == name for node in topology.nodes.values())
        record = {"layer": name, "kind": costs["kind"], "makes_channels": makes, "groups": own}
        record |= {"width_before": len(units), "width_after": int(alive[units].sum())}
        for resource in ("flops", "flash_bytes", "ram_bytes"):
            record[f"{resource}_before"] = costs[resource]
            record[f"{resource}_after"] = new.get(name, {}).get(resource, 0)
        record["epochs"], record["reason"] = _span(narrowed), _reason(own, narrowed, held_back)
        records.append(record)
    return records


def _by_layer(cost: Cost, layers: Iterable[str]) -> dict[str, Record]:
    """The costs of operators, which bear their layer's name with "/kind" behind it, added up by layer."""
    known, found = set(layers), {}
    for op in cost.layers:
        name = op.name if op.name in known else op.name.rpartition("/")[0]
        if name not in known:
            continue
        record = found.setdefault(name, {"kind": op.kind, "flops": 0, "flash_bytes": 0, "ram_bytes": 0})
        record["kind"] = record["kind"] if op.kind in record["kind"] else f"{record['kind']} + {op.kind}"
        record["flops"] += op.flops
        record["flash_bytes"] += op.bytes
        record["ram_bytes"] = max(record["ram_bytes"], op.arena_live_bytes)
    return found


def _span(narrowed: Sequence[Mapping[str, Any]]) -> list[int] | None:
    epochs = [record["epoch"] for record in narrowed]
    return [min(epochs), max(epochs)] if epochs else None


def _reason(own: Sequence[str], narrowed: Sequence[Mapping[str, Any]], held_back: Mapping[str, str]) -> str:
    if not own:
        return "fixed by the model's inputs or outputs"
    why = "; ".join(dict.fromkeys(held_back[name] for name in own if name in held_back))
    if not narrowed:
        return why or "the limits held without"
    by_resource: dict[str, int] = {}
    for record in narrowed:
        by_resource[record["resource"]] = by_resource.get(record["resource"], 0) + record["before"] - record["after"]
    main = max(by_resource, key=lambda resource: by_resource[resource])
    return f"{main}; no further: {why}" if why else main


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's own."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
