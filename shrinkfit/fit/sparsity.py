# SPDX-License-Identifier: Apache-2.0
"""Zero blocks along the input channels of a kernel: magnitudes and a share in, kernel masks out.

A block is BLOCK consecutive input channels of one output channel of a dense layer or a 1x1 convolution, counted on the
channels that pruning has left. Each output channel has zero blocks of its own: on a core with DSP instructions the C
neither stores nor multiplies them, where that is faster (price.kernels_sparse); other cores gain nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from numbers import Real
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.channels import Channels, kept
from shrinkfit.fit.floors import layers_that_match
from shrinkfit.fit.tfmot import polynomial_decay
from shrinkfit.read.stages import Stage
from shrinkfit.read.steps import batch_norm_line
from shrinkfit.read.topology import Node, Topology, canonical_weights, keras_value

BLOCK = 4


def sparse_nodes(topology: Topology, patterns: Sequence[str] | None) -> tuple[Node, ...]:
    """The dense layers and 1x1 convolutions whose kernels get zero blocks.

    Args:
        topology: of the model.
        patterns: names or patterns of layers; None for all that can.
    Raises:
        ShrinkfitError: a name or pattern matches none that can.
    """
    able = [node for node in topology.nodes.values() if _has_block_rows(node)]
    if patterns is None:
        return tuple(able)
    names = list(dict.fromkeys(node.call for node in able))
    kind = f"dense layer or 1x1 convolution of at least {BLOCK} input channels"
    chosen = {n for pattern in patterns for n in layers_that_match(pattern, names, "sparsity_layers", kind)}
    return tuple(node for node in able if node.call in chosen)


def _has_block_rows(node: Node) -> bool:
    if node.kind not in ("conv", "dense") or node.attributes.get("groups", 1) != 1:
        return False
    *window, inputs, _ = node.variables["kernel"].shape
    return prod(window) == 1 and inputs >= BLOCK


class BlockSparsity:
    """The zero blocks of one fit.

    Blocks that are zero stay so, because zero blocks are the first to be chosen again; what a backup of the model's
    weights brings back is therefore enough to go on.

    Args:
        stages, channels: of the model.
        nodes: see `sparse_nodes`.
        masks: node name -> TensorFlow variable of the kernel's shape.
        final: the share of blocks that is zero at the end.
        begin, end: epochs; the share grows from the first to the second after tfmot's PolynomialDecay.
    Attributes:
        end: the first epoch with the final share; 0 where there are no zero blocks.
    """

    def __init__(
        self,
        stages: Iterable[Stage],
        channels: Channels,
        nodes: Sequence[Node],
        masks: Mapping[str, Any],
        *,
        final: float,
        begin: int,
        end: int,
    ) -> None:
        self._channels, self._nodes, self._masks = channels, nodes, masks
        self._final, self._begin, self.end = final, begin, max(begin, end) if nodes else 0
        self._norms = {stage.head.name: stage.batch_norm for stage in stages}

    def share_at(self, epoch: int) -> float:
        """The share of zero blocks in an epoch, counted from 0."""
        if not self._nodes or epoch < self._begin:
            return 0.0
        # One step later than the epoch, so that the first epoch already has some.
        return polynomial_decay(self._final, self._begin, self.end + 1, epoch + 1)

    def update(self, epoch: int, alive: np.ndarray) -> dict[str, dict[str, float]]:
        """Mask this epoch's share of each kernel's blocks, those of the least magnitude, and write their zeros.

        Args:
            epoch: counted from 0.
            alive: bool [units].
        Returns:
            Layer name -> blocks in all, zero blocks, and their share.
        """
        share = self.share_at(epoch)
        if share == 0:
            return {}
        records = {}
        for node in self._nodes:
            incoming, outgoing = kept(node, self._channels, alive)
            if incoming.sum() < BLOCK:
                continue
            lengths = block_lengths(self._acting_kernel(node), incoming, outgoing)
            zero = least_blocks(lengths, share)
            mask = kernel_mask(zero, incoming, outgoing)
            self._masks[node.name].assign(mask.reshape(self._masks[node.name].shape))
            blocks, count = int(zero.size), int(zero.sum())
            records[node.name] = {"blocks": blocks, "zero": count, "share": count / blocks}
        self.bake()
        return records

    def bake(self) -> None:
        """Write the masks into the kernels."""
        for node in self._nodes:
            kernel, mask = node.variables["kernel"], self._masks[node.name].numpy()
            if not mask.all():
                kernel.assign(np.where(mask > 0, keras_value(kernel), 0))

    def _acting_kernel(self, node: Node) -> np.ndarray:
        """float64 [inputs, outputs], times the normalization behind it, so that output channels compare."""
        kernel = canonical_weights(node)["kernel"]
        kernel = kernel.reshape(kernel.shape[-2:])
        norm = self._norms.get(node.name)
        if norm is None:
            return kernel
        return kernel * np.abs(batch_norm_line(canonical_weights(norm), norm.attributes["epsilon"])[0])


def block_lengths(kernel: np.ndarray, incoming: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
    """The length of each block of what is left of a kernel.

    Args:
        kernel: [inputs, outputs].
        incoming, outgoing: bool [inputs] and [outputs], which stay.
    Returns:
        float [blocks, outputs that stay]; the last block may hold fewer than BLOCK inputs.
    """
    left = kernel[incoming][:, outgoing]
    blocks = -(-len(left) // BLOCK)
    rows = np.pad(left, ((0, blocks * BLOCK - len(left)), (0, 0)))
    return np.sqrt((rows.reshape(blocks, BLOCK, rows.shape[1]) ** 2).sum(axis=1))


def least_blocks(lengths: np.ndarray, share: float) -> np.ndarray:
    """Which blocks make the share, the shortest first; bool in the shape of lengths.

    The longest block of each output channel stays: a channel without any would be constant, export would drop it, and
    the blocks of the layer behind it would no longer lie where they were counted.
    """
    zero = np.zeros(lengths.size, bool)
    if not lengths.size:
        return zero.reshape(lengths.shape)
    lengths = lengths.copy()
    lengths[lengths.argmax(axis=0), np.arange(lengths.shape[1])] = np.inf
    count = min(round(share * lengths.size), int(np.isfinite(lengths).sum()))
    zero[np.argsort(lengths, axis=None, kind="stable")[:count]] = True
    return zero.reshape(lengths.shape)


def kernel_mask(zero: np.ndarray, incoming: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
    """Zero blocks as a mask of the whole kernel, float32 [inputs, outputs]; 1 wherever a channel is gone."""
    left = np.repeat(~zero, BLOCK, axis=0)[: incoming.sum()]
    mask = np.ones((len(incoming), len(outgoing)), np.float32)
    mask[np.ix_(incoming, outgoing)] = left
    return mask


def checked_sparsity(share: float) -> float:
    """What FitDevice takes as block_sparsity.

    Raises:
        ShrinkfitError: it is below 0, or 1 or more.
    """
    if not isinstance(share, Real) or not 0 <= share < 1:
        raise ShrinkfitError(f"block_sparsity is {share!r}, expected a share of the blocks of at least 0 and below 1")
    return float(share)
