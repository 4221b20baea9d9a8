# SPDX-License-Identifier: Apache-2.0
"""What fitting takes from tensorflow-model-optimization: quantizers and a schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from shrinkfit._tfmot import tfmot_module

# Weight of the past in an activation's range; tfmot's own 0.999 needs thousands of steps to settle.
EMA_DECAY = 0.98
# Keeps the range of an all-zero kernel off zero, where XLA's fake quantization gives NaN.
KERNEL_EPSILON = 1e-8
SMALLEST_RANGE = 1e-6


@cache
def _tfmot() -> tuple[Any, Any, Any]:
    """(quantizers, quant_ops, sparsity) of tfmot."""
    return (
        tfmot_module("quantization.keras.quantizers"),
        tfmot_module("quantization.keras.quant_ops"),
        tfmot_module("sparsity.keras.pruning_schedule"),
    )


class _Weights:
    """What a tfmot quantizer needs of a layer: add_weight. The variables belong to the fit, not to the model."""

    def add_weight(
        self, name: str, initializer: Any = None, trainable: bool = False, shape: Any = None, **_: Any
    ) -> Any:
        import tensorflow as tf

        shape = () if shape is None else ((shape,) if isinstance(shape, int) else tuple(shape))
        value = 0.0 if initializer is None else float(getattr(initializer, "value", 0.0))
        # Several replicas each see their part of the batch; the mean of what they would write is written.
        mean = tf.VariableAggregation.MEAN
        return tf.Variable(tf.fill(shape, value), trainable=False, name=name.replace("/", "_"), aggregation=mean)


class _Passing:
    """Takes the place of a variable that tfmot only writes and reads at once; a copy in memory would serve nobody."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def assign(self, value: Any, name: str | None = None) -> Any:
        return value


class KernelQuantizer:
    """int8 fake quantization of a kernel, symmetric per output channel, range of its present values."""

    def __init__(self, name: str, channels: int) -> None:
        import tensorflow as tf

        quantizers, _, _ = _tfmot()
        self._channels = channels
        self._quantizer = quantizers.LastValueQuantizer(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)
        self._weights = {"min_var": _Passing(tf.float32), "max_var": _Passing(tf.float32)}

    def quantize(self, kernel: Any) -> Any:
        """kernel [...], the output channels last -> the same shape, on the int8 grid."""
        import tensorflow as tf

        flat = tf.cast(tf.reshape(kernel, (-1, self._channels)), tf.float32)
        is_zero = tf.reduce_all(tf.equal(flat, 0.0), axis=0)
        flat = flat + tf.where(is_zero, KERNEL_EPSILON, 0.0)
        # training=True also in evaluation: the range has to be that of the weights as they are now.
        return tf.cast(tf.reshape(self._quantizer(flat, True, self._weights), kernel.shape), kernel.dtype)


class ActivationQuantizer:
    """int8 fake quantization of an activation, one range for the tensor: a moving average of batch extremes.

    Args:
        name: of its variables.
        rectified: whether a ReLU stands before it or is left to it; its range then begins at 0.
        top: where that ReLU ends, or None.
    """

    def __init__(self, name: str, *, rectified: bool = False, top: float | None = None) -> None:

        quantizers, self._ops, _ = _tfmot()
        self._rectified, self._top = rectified, top
        quantizer = quantizers.MovingAverageQuantizer(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)
        weights = quantizer.build(None, name, _Weights())
        self.low, self.high = weights["min_var"], weights["max_var"]
        self.seen = _Weights().add_weight(f"{name}_seen")
        if rectified:
            self.low.assign(0.0)

    def observe(self, x: Any) -> None:
        """Take x into the range. The first batches count as a plain mean."""
        import tensorflow as tf

        decay = tf.minimum(EMA_DECAY, self.seen / (self.seen + 1.0))
        high = tf.maximum(tf.cast(tf.reduce_max(x), tf.float32), 0.0)
        if self._top is not None:
            high = tf.minimum(high, self._top)
        self.high.assign(self.high * decay + high * (1 - decay))
        if not self._rectified:
            low = tf.minimum(tf.cast(tf.reduce_min(x), tf.float32), 0.0)
            self.low.assign(self.low * decay + low * (1 - decay))
        self.seen.assign_add(1.0)

    def quantize(self, x: Any) -> Any:
        """Fake quantize x with the range as it stands, which also clamps it."""
        return _rectified(self._quantized, x) if self._rectified and self._top is None else self._quantized(x)

    def _quantized(self, x: Any) -> Any:
        import tensorflow as tf

        high = self._upper()
        y = self._ops.MovingAvgQuantize(tf.cast(x, tf.float32), self.low, high, num_bits=8, is_training=False)
        return tf.cast(y, x.dtype)

    def scale(self) -> Any:
        """The width of one int8 step, a scalar tensor above 0."""
        return (self._upper() - self.low) / 255

    def _upper(self) -> Any:
        """The range's upper end; an output that is always zero has no range, and XLA's kernel would divide by it."""
        import tensorflow as tf

        return tf.maximum(self.high, self.low + SMALLEST_RANGE)

    def range(self) -> tuple[float, float]:
        """(low, high) as it stands, in real numbers."""
        return float(self.low.numpy()), float(self.high.numpy())

    def set_range(self, low: float, high: float) -> None:
        """Take other ends than those observed."""
        self.low.assign(low)
        self.high.assign(high)

    def state(self) -> list[float]:
        """What `restore` takes: both ends, and how many batches they were observed in."""
        return [*self.range(), float(self.seen.numpy())]

    def restore(self, state: list[float]) -> None:
        """Go on from what `state` gave."""
        for variable, value in zip((self.low, self.high, self.seen), state, strict=True):
            variable.assign(value)


def _rectified(quantized: Callable[..., Any], x: Any) -> Any:
    """quantized(x), and backwards as a ReLU: twice as fast as fake quantization's own way back, which adds up what
    the ends of the range would get. Values beyond the upper end still learn; there are few, as the range follows.
    """
    import tensorflow as tf

    def forward(x: Any) -> Any:
        return quantized(x), lambda upstream: tf.raw_ops.ReluGrad(gradients=upstream, features=x)

    return tf.custom_gradient(forward)(x)


def quantize_fixed(x: Any, scale: float, zero_point: int) -> Any:
    """x on the int8 grid of a given scale, such as softmax's: 0 to 255/256 in steps of 1/256."""
    import tensorflow as tf

    low, high = ((step - zero_point) * scale for step in (-128, 127))
    y = tf.quantization.fake_quant_with_min_max_args(tf.cast(x, tf.float32), min=low, max=high)
    return tf.cast(y, x.dtype)


def polynomial_decay(final: float, begin: int, end: int, step: int, power: float = 3) -> float:
    """tfmot's PolynomialDecay from 0 to `final` (in [0, 1)) between two steps, read at one step."""
    if step < begin:
        return 0.0
    if step >= end:
        return final
    _, _, schedules = _tfmot()
    schedule = schedules.PolynomialDecay(0.0, final, begin_step=begin, end_step=end, power=power, frequency=1)
    return float(schedule(step)[1].numpy())
