# SPDX-License-Identifier: Apache-2.0
"""Weights and gathered gradients in, one number per unit out: how much a channel is worth keeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from shrinkfit.errors import ShrinkfitError, did_you_mean
from shrinkfit.fit.channels import MAKERS, Channels
from shrinkfit.read.stages import Stage
from shrinkfit.read.steps import batch_norm_line

MEASURES = ("taylor", "magnitude", "batch_norm")
Weights = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class LayerView:
    """What an importance of the user's own sees of one layer; arrays cannot be written.

    Args:
        name: the layer's name, with "/part" behind it for the parts of a separable convolution.
        kind: "conv", "depthwise", "dense", ...
        kernel: float, the output channels on the last axis: [height, width, in, out] for convolutions of one or two
            dimensions, [in, out] for dense; depthwise [height, width, in, multiplier].
        bias: float [channels], or None.
        gamma, beta: of the normalization behind the layer, float [channels], or None.
        taylor: float64 [channels], (value * gradient)^2 gathered over the steps since the last narrowing; None where
            the layer gathers none (depthwise) or no step was taken.
        alive: bool [channels], False for channels that are gone already; what is returned for them is not read.
    """

    name: str
    kind: str
    kernel: np.ndarray
    bias: np.ndarray | None
    gamma: np.ndarray | None
    beta: np.ndarray | None
    taylor: np.ndarray | None
    alive: np.ndarray


Measure = Callable[[LayerView], np.ndarray]


def checked_measure(importance: str | Measure) -> str | Measure:
    """What FitDevice takes as importance.

    Raises:
        ShrinkfitError: it is neither a known name nor callable.
    """
    if importance in MEASURES or callable(importance):
        return importance
    near = did_you_mean(str(importance), MEASURES)
    raise ShrinkfitError(f"importance is {importance!r}, expected {', '.join(map(repr, MEASURES))} or a function{near}")


def measure(
    importance: str | Measure,
    stages: tuple[Stage, ...],
    channels: Channels,
    weights: Weights,
    taps: Mapping[str, np.ndarray] | None,
    alive: np.ndarray,
) -> tuple[np.ndarray, dict[str, str]]:
    """Measure every unit.

    Args:
        importance: one of MEASURES, or a function of a LayerView that returns an array [channels] of numbers of at
            least 0. They are compared across layers; a unit that several layers make has the sum.
        stages, channels: of one topology.
        weights: node name -> role -> array with canonical axes.
        taps: stage key -> float64 [channels], first-order importance; None where no step was taken.
        alive: bool [units].
    Returns:
        worth: float64 [units]; 0 for units that are gone.
        instead: layer name, or "all", -> why another measure than the one asked for took its place.
    Raises:
        ShrinkfitError: the function's array has a wrong shape, or numbers that are NaN, infinite or negative.
    """
    instead: dict[str, str] = {}
    if callable(importance):
        worth = _by_function(importance, stages, channels, weights, taps or {}, alive)
    elif importance == "taylor" and taps is not None:
        worth = taylor(stages, channels, taps)
    elif importance == "batch_norm":
        worth, instead = batch_norm(stages, channels, weights)
    else:
        worth = magnitude(stages, channels, weights)
        if importance == "taylor":
            instead = {"all": "magnitude: no float step was taken since the last narrowing"}
    return np.where(alive, worth, 0.0), instead


def taylor(stages: tuple[Stage, ...], channels: Channels, taps: Mapping[str, np.ndarray]) -> np.ndarray:
    """How much the loss would change, to first order, without the unit; float64 [units]."""
    return _sum_over_units(channels, {s.last.name: taps[s.key] for s in stages if s.key in taps})


def magnitude(stages: tuple[Stage, ...], channels: Channels, weights: Weights) -> np.ndarray:
    """The length of each channel's kernel as it acts, batch normalization folded in.

    Lengths are divided by their mean over the layer, so that layers of different fan-in compare;
    a unit that several layers make has the sum of its shares.

    Args:
        stages, channels: of one topology.
        weights: node name -> role -> array with canonical axes.
    Returns:
        float64 [units]; 0 for units that no kernel makes.
    """
    return _sum_over_units(channels, {s.head.name: _relative_lengths(s, weights) for s in _weighted(stages, weights)})


def batch_norm(stages: tuple[Stage, ...], channels: Channels, weights: Weights) -> tuple[np.ndarray, dict[str, str]]:
    """|gamma| of the normalization behind each layer (Liu et al., "Network Slimming", 2017), over the layer's mean.

    Returns:
        worth: float64 [units].
        instead: name of a layer without gamma -> why its kernel's magnitude stands there.
    """
    worth, instead = {}, {}
    for stage in _weighted(stages, weights):
        gamma = None if stage.batch_norm is None else weights[stage.batch_norm.name].get("gamma")
        if gamma is None:
            instead[stage.head.name] = "magnitude: no gamma behind it"
            worth[stage.head.name] = _relative_lengths(stage, weights)
        else:
            worth[stage.head.name] = _over_mean(np.abs(gamma))
    return _sum_over_units(channels, worth), instead


def _by_function(
    function: Measure,
    stages: tuple[Stage, ...],
    channels: Channels,
    weights: Weights,
    taps: Mapping[str, np.ndarray],
    alive: np.ndarray,
) -> np.ndarray:
    worth = {}
    for stage in _weighted(stages, weights):
        view = _view(stage, weights, taps, alive[channels.of_node[stage.head.name]])
        worth[view.name] = _checked(function(view), view)
    return _sum_over_units(channels, worth)


def _view(stage: Stage, weights: Weights, taps: Mapping[str, np.ndarray], alive: np.ndarray) -> LayerView:
    own = weights[stage.head.name]
    norm = weights[stage.batch_norm.name] if stage.batch_norm is not None else {}
    return LayerView(
        name=stage.head.name,
        kind=stage.kind,
        kernel=_read_only(own["kernel"]),
        bias=_read_only_if_any(own.get("bias")),
        gamma=_read_only_if_any(norm.get("gamma")),
        beta=_read_only_if_any(norm.get("beta")),
        taylor=_read_only_if_any(taps.get(stage.key)),
        alive=_read_only(alive),
    )


def _read_only_if_any(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else _read_only(array)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _checked(answer: object, view: LayerView) -> np.ndarray:
    worth = np.asarray(answer, np.float64)
    if worth.shape != view.alive.shape:
        raise ShrinkfitError(
            f"importance of layer '{view.name}' has shape {worth.shape}, "
            f"expected {view.alive.shape}: a number per channel"
        )
    bad = np.flatnonzero(view.alive & ~(np.isfinite(worth) & (worth >= 0)))
    if len(bad):
        raise ShrinkfitError(
            f"importance of layer '{view.name}' is {worth[bad[0]]} for channel {bad[0]}, "
            "expected finite numbers of at least 0"
        )
    return np.where(view.alive, worth, 0.0)


def _sum_over_units(channels: Channels, by_node: Mapping[str, np.ndarray]) -> np.ndarray:
    worth = np.zeros(channels.count)
    for name, values in by_node.items():
        np.add.at(worth, channels.of_node[name], values)
    return worth


def _weighted(stages: tuple[Stage, ...], weights: Weights) -> list[Stage]:
    return [s for s in stages if s.kind in (*MAKERS, "depthwise") and "kernel" in weights[s.head.name]]


def _relative_lengths(stage: Stage, weights: Weights) -> np.ndarray:
    return _over_mean(_channel_lengths(stage, weights))


def _over_mean(values: np.ndarray) -> np.ndarray:
    return values / max(float(values.mean()), 1e-12)


def _channel_lengths(stage: Stage, weights: Weights) -> np.ndarray:
    kernel = weights[stage.head.name]["kernel"]
    rows = kernel.reshape(-1, kernel.shape[-1]) if stage.kind != "depthwise" else _depthwise_rows(kernel)
    lengths = np.sqrt((rows**2).sum(axis=0))
    if stage.batch_norm is not None:
        factor, _ = batch_norm_line(weights[stage.batch_norm.name], stage.batch_norm.attributes["epsilon"])
        lengths = lengths * np.abs(factor)
    return lengths


def _depthwise_rows(kernel: np.ndarray) -> np.ndarray:
    return kernel.reshape(kernel.shape[0] * kernel.shape[1], -1)
