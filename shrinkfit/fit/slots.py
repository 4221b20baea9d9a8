# SPDX-License-Identifier: Apache-2.0
"""An optimizer in, zeros where channels went: momentum left in a slot would move a pruned weight away from zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shrinkfit.fit.channels import Channels, kept
from shrinkfit.fit.instruments import ZEROED, zeroed
from shrinkfit.read.nodes import keras_value
from shrinkfit.read.topology import Topology

# Adagrad and Ftrl divide by these, which never begin at zero; beside a gradient of zero they move nothing.
_DIVISORS = ("_accumulators", "accumulator")


def zero_slots(optimizer: Any, topology: Topology, channels: Channels, alive: np.ndarray) -> int:
    """Write zeros into every slot entry that belongs to a channel that is not alive.

    Args:
        optimizer: of Keras 3 or tf_keras (legacy too), or None; one around another (loss scaling) is looked into.
        topology, channels: of its model.
        alive: bool [units].
    Returns:
        How many slots there were.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    count = 0
    for node in topology.nodes.values():
        incoming, outgoing = kept(node, channels, alive)
        for role, variable in node.variables.items():
            for slot in slots_of(optimizer, variable):
                count += 1
                if role in ZEROED and not (incoming.all() and outgoing.all()):
                    slot.assign(zeroed(node, role, keras_value(slot), incoming, outgoing))
    return count


def slots_of(optimizer: Any, variable: Any) -> Iterator[Any]:
    """The optimizer's variables that stand beside this one, entry by entry."""
    if hasattr(optimizer, "get_slot_names"):
        slots = {name: _legacy_slot(optimizer, variable, name) for name in optimizer.get_slot_names()}
    else:
        index, count = _index(optimizer, variable)
        lists = {} if index is None else vars(optimizer)
        slots = {name: value[index] for name, value in lists.items() if _is_list_of(value, count)}
    for name, slot in slots.items():
        fits = hasattr(slot, "assign") and slot is not variable and tuple(slot.shape) == tuple(variable.shape)
        if fits and name not in _DIVISORS:
            yield slot


def _index(optimizer: Any, variable: Any) -> tuple[int | None, int]:
    """(the variable's place in the optimizer's lists, their length); Keras 3 and tf_keras name them differently."""
    indices = getattr(optimizer, "_trainable_variables_indices", None)
    if indices is None:
        indices = getattr(optimizer, "_index_dict", None)
    if not indices:
        return None, 0
    return indices.get(optimizer._var_key(variable)), len(indices)


def _is_list_of(value: Any, count: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == count


def _legacy_slot(optimizer: Any, variable: Any, name: str) -> Any:
    try:
        return optimizer.get_slot(variable, name)
    except KeyError:  # no step was taken yet
        return None
