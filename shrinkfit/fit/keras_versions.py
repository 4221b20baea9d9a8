# SPDX-License-Identifier: Apache-2.0
"""Where Keras 3 and tf_keras differ for a fit: the package of a model, its variables' tensors, its replicas."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def is_tf_keras(thing: Any) -> bool:
    """Whether a model, layer or callback is one of tf_keras (Keras 2)."""
    return any(cls.__module__.split(".")[0] == "tf_keras" for cls in type(thing).__mro__)


def keras_of(model: Any) -> ModuleType:
    """The package that a model belongs to: keras or tf_keras."""
    if is_tf_keras(model):
        import tf_keras

        return tf_keras
    import keras

    return keras


def tensor_of(variable: Any) -> Any:
    """A variable's value as a tensor; Keras 3's `value` is one, TensorFlow's is a method."""
    value = variable.value
    return value() if callable(value) else value


def scope_of(model: Any) -> Any:
    """The context in which variables belong to the model's tf.distribute strategy; nothing special without one."""
    return model.distribute_strategy.scope()


def is_chief(model: Any) -> bool:
    """Whether this process writes files; of several worker processes the first does."""
    return bool(model.distribute_strategy.extended.should_checkpoint)
