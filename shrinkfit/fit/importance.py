# SPDX-License-Identifier: Apache-2.0
"""Weights in, one number per unit out: how much a channel is worth keeping."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shrinkfit.fit.channels import Channels
from shrinkfit.read.keras_model import batch_norm_line
from shrinkfit.read.stages import WEIGHTED, Stage


def magnitude(
    stages: tuple[Stage, ...], channels: Channels, weights: Mapping[str, Mapping[str, np.ndarray]]
) -> np.ndarray:
    """The length of each channel's kernel as it acts, batch normalization folded in.

    Lengths are divided by their mean over the layer, so that layers of different fan-in compare;
    a unit that several layers make has the sum of its shares.

    Args:
        stages, channels: of one topology.
        weights: node name -> role -> array with canonical axes.
    Returns:
        float64 [units]; 0 for units that no kernel makes.
    """
    worth = np.zeros(channels.count)
    for stage in stages:
        if stage.kind not in WEIGHTED:
            continue
        lengths = _channel_lengths(stage, weights)
        np.add.at(worth, channels.of_node[stage.head.name], lengths / max(float(lengths.mean()), 1e-12))
    return worth


def _channel_lengths(stage: Stage, weights: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
    kernel = weights[stage.head.name]["kernel"]
    rows = kernel.reshape(-1, kernel.shape[-1]) if stage.kind != "depthwise" else _depthwise_rows(kernel)
    lengths = np.sqrt((rows**2).sum(axis=0))
    if stage.batch_norm is not None:
        factor, _ = batch_norm_line(weights[stage.batch_norm.name], stage.batch_norm.attributes["epsilon"])
        lengths = lengths * np.abs(factor)
    return lengths


def _depthwise_rows(kernel: np.ndarray) -> np.ndarray:
    return kernel.reshape(kernel.shape[0] * kernel.shape[1], -1)
