# SPDX-License-Identifier: Apache-2.0
"""One process of a distributed fit: `python -m tests.fit.worker PACKAGE KIND OUTPUT`, TF_CONFIG set by the test."""

import importlib
import json
import sys

import numpy as np
import tensorflow as tf

from tests.fit.tiny import X, Y, fit, halving, left, tiny

KINDS = ("mirrored", "workers")


def strategy_of(kind):
    if kind == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def copies(variable):
    """What each replica of this process holds."""
    return [np.asarray(v.numpy()).tolist() for v in getattr(variable, "values", [variable])]


def main(package, kind, output):
    strategy = strategy_of(kind)
    with strategy.scope():
        model = tiny(importlib.import_module(package))
    device = halving(model)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16, drop_remainder=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    fit(model, [device], x=data.with_options(options), y=None, batch_size=None, epochs=3)
    variables = device._instruments.variables
    found = {
        "masks": {name: copies(mask) for name, mask in variables.masks.items()},
        "ranges": {key: [copies(q.low), copies(q.high)] for key, q in variables.activations.items()},
        "replicas": strategy.num_replicas_in_sync,
        "history": device.history,
        "left": left(model),
        "fits": bool(device.cost.flops <= device.budget.flops),
    }
    with open(output, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
