# SPDX-License-Identifier: Apache-2.0
"""The one place where tensorflow-model-optimization is imported.

Importing tfmot 0.8.1 sets TF_USE_LEGACY_KERAS=1, which turns a tf.keras that nobody has touched yet
into tf_keras. So tf.keras is resolved before the import and the environment is put back after it.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

CORE = "tensorflow_model_optimization.python.core"


def tfmot_module(name: str) -> ModuleType:
    """A module of tfmot by its path below its core, for example "quantization.keras.quantizers"."""
    import tensorflow as tf

    _ = tf.keras.Model  # resolves tf.keras to Keras 3 for good
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        return import_module(f"{CORE}.{name}")
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
