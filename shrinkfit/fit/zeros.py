# SPDX-License-Identifier: Apache-2.0
"""A model's weights in, the units that an earlier fit took away out: their channels are zero in all that makes them."""

from __future__ import annotations

import numpy as np

from shrinkfit.fit.channels import Channels
from shrinkfit.read.nodes import canonical_weights
from shrinkfit.read.topology import Node, Topology

MAKES = ("kernel", "bias", "gamma", "beta")


def alive_in_weights(topology: Topology, channels: Channels) -> np.ndarray:
    """Which units still say something.

    A unit counts as gone if kernels, biases, gammas and betas are zero in all its channels. A group that is zero
    as a whole has been initialized so, since pruning leaves some of every group.

    Args:
        topology, channels: of the model.
    Returns:
        bool [units].
    """
    prunable = np.zeros(channels.count, bool)
    for group in channels.groups:
        prunable[group.units] = True
    says = ~prunable
    for node in topology.nodes.values():
        if node.variables:
            np.logical_or.at(says, channels.of_node[node.name], _nonzero(node))
    for group in channels.groups:
        if not says[group.units].any():
            says[group.units] = True
    return says


def _nonzero(node: Node) -> np.ndarray:
    """Whether anything of a node's own is not zero, bool [channels]."""
    found = np.zeros(node.shape[-1], bool)
    for role, value in canonical_weights(node).items():
        if role in MAKES:
            found |= (value.reshape(-1, node.shape[-1]) != 0).any(axis=0)
    return found
