# SPDX-License-Identifier: Apache-2.0
"""tfmot's wrapper layers in, the layers inside them out, with what the training under tfmot learned.

Nothing is imported from tfmot: its wrappers are known by the names of their classes. In a model that
QuantizeWrapper has run in, the inner layer's kernel and activation are tfmot's fake-quantized stand-ins;
the trained variables lie in the wrapper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.calls import Range

PACKAGE = "tensorflow_model_optimization"
BITS = 8
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


@dataclass(frozen=True, eq=False)
class Plain:
    """A layer without its wrapper.

    Args:
        layer: a layer, or a Stripped one.
        kind: its class's name.
        output_range, inner_range: learned, behind the layer and before its own activation.
    """

    layer: Any
    kind: str
    output_range: Range | None = None
    inner_range: Range | None = None


class Stripped:
    """A layer as it would be without its wrapper: the attributes given, the layer's own for all others."""

    def __init__(self, layer: Any, **attributes: Any) -> None:
        self._layer = layer
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


class Fixed:
    """A value that reads like a variable."""

    def __init__(self, value: Any) -> None:
        self._value = np.asarray(value)
        self.shape = self._value.shape

    def numpy(self) -> np.ndarray:
        return self._value


def unwrap(layer: Any) -> Plain:
    """Take tfmot's wrapper off a layer that has one.

    Raises:
        UnsupportedLayerError: it quantizes to something else than 8 bits.
    """
    kinds = [cls.__name__ for cls in type(layer).__mro__ if cls.__module__.startswith(PACKAGE)]
    if "PruneLowMagnitude" in kinds:
        return Plain(_pruned(layer), type(layer.layer).__name__)
    if "QuantizeWrapper" in kinds:
        return _quantized(layer)
    if "QuantizeLayer" in kinds:
        variables = getattr(layer, "quantizer_vars", None)
        return Plain(layer, "QuantizeLayer", _range(layer.name, layer.quantizer, variables))
    return Plain(layer, type(layer).__name__)


def _pruned(wrapper: Any) -> Any:
    """The variables are masked here too: only tfmot's UpdatePruningStep leaves them masked after the last step."""
    inner, masked = wrapper.layer, dict[str, Fixed]()
    for weight, mask, _ in wrapper.pruning_vars:
        value = Fixed(weight.numpy() * mask.numpy())
        masked |= {name: value for name in KERNELS if getattr(inner, name, None) is weight}
    return Stripped(inner, **masked)


def _quantized(wrapper: Any) -> Plain:
    inner, learned = wrapper.layer, {}
    output_range = inner_range = None
    for weight, quantizer, variables in wrapper._weight_vars:
        role = wrapper._weight_name(weight.name)
        _check_bits(inner.name, quantizer)
        # The kernel as tfmot's own evaluation sees it, whatever the quantizer does besides (sparsity, clusters).
        learned[role] = Fixed(np.asarray(quantizer(weight, False, weights=variables)))
        if role in KERNELS and getattr(quantizer, "symmetric", False) and getattr(quantizer, "narrow_range", False):
            learned["kernel_limit"] = Fixed(variables["max_var"].numpy())
    for aware in wrapper._quantize_activations:
        before = getattr(aware, "_pre_activation_vars", None)
        after = getattr(aware, "_post_activation_vars", None)
        inner_range = _range(inner.name, aware.quantizer, before) or inner_range
        output_range = _range(inner.name, aware.quantizer, after) or output_range
    if wrapper._output_quantizers:
        output_range = _range(inner.name, wrapper._output_quantizers[0], wrapper._output_quantizer_vars)
    if hasattr(inner, "activation"):
        learned["activation"] = _plain_activation(inner.activation)
    return Plain(Stripped(inner, **learned), type(inner).__name__, output_range, inner_range)


def _plain_activation(activation: Any) -> Any:
    """QuantizeAwareActivation's own activation; tfmot's NoOpActivation is none."""
    if type(activation).__name__ == "QuantizeAwareActivation":
        activation = activation.activation
    return None if type(activation).__name__ == "NoOpActivation" else activation


def _range(name: str, quantizer: Any, variables: dict[str, Any] | None) -> Range | None:
    if quantizer is None or not variables:
        return None
    _check_bits(name, quantizer)
    low, high = (variables[key].numpy() for key in ("min_var", "max_var"))
    if np.size(low) != 1:
        raise UnsupportedLayerError(f"layer '{name}': its activation is quantized per axis, expected per tensor")
    # Some of tfmot's ranges begin empty: until a training step has run nothing was learned.
    return (float(low), float(high)) if low < high else None


def _check_bits(name: str, quantizer: Any) -> None:
    bits = getattr(quantizer, "num_bits", BITS)
    if bits != BITS:
        raise UnsupportedLayerError(f"layer '{name}' is quantized to {bits} bits by tfmot; only {BITS} are supported")
