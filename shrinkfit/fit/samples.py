# SPDX-License-Identifier: Apache-2.0
"""Training batches in, some of an epoch's last inputs out: what the end of a fit measures its arithmetic on."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from shrinkfit.read.topology import Topology

# Rows that are kept, and how many each step gives. 128 do nearly as well (docs/fitting_quality.md).
ROWS, ROWS_A_STEP = 256, 8
MOST_BYTES = 8 * 2**20  # of one model input's rows: pictures are few, and their activations larger still


class Samples:
    """The last inputs of the steps taken since `forget`, the same on all replicas.

    Args:
        topology: of the model; made in the scope of its tf.distribute strategy.
    """

    def __init__(self, topology: Topology) -> None:
        import tensorflow as tf

        same = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self._rows, self._counts, self._readers = {}, {}, {}
        for name in (name for name in topology.inputs if topology.readers(name)):
            shape = topology.nodes[name].shape
            rows = int(np.clip(MOST_BYTES // (4 * prod(shape)), ROWS_A_STEP, ROWS))
            zeros = np.zeros((rows, *shape), np.float32)
            self._rows[name] = tf.Variable(zeros, trainable=False, name="rows", aggregation=same)
            self._counts[name] = tf.Variable(0, trainable=False, name="count", aggregation=same)
            # Of the several nodes that may read an input, one hands it in.
            self._readers[name] = topology.readers(name)[0].name

    def take(self, reader: str, name: str, x: Any) -> None:
        """Keep some rows of what the node `reader` reads of the node `name`, if that is a model input."""
        import tensorflow as tf

        if self._readers.get(name) != reader:
            return
        kept, count = self._rows[name], self._counts[name]
        new = _of_the_first_replica(_some_rows(tf.cast(x, tf.float32), kept.shape[1:]))
        kept.assign(tf.concat([new, kept[:-ROWS_A_STEP]], axis=0))
        count.assign_add(ROWS_A_STEP)

    def forget(self) -> None:
        """Start anew, with none."""
        for count in self._counts.values():
            count.assign(0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Model input -> float32 [n, *input shape], the newest first, n equal for all; empty where there are none."""
        count = min((int(count.numpy()) for count in self._counts.values()), default=0)
        count = min([count, *(rows.shape[0] for rows in self._rows.values())])
        return {name: rows.numpy()[:count] for name, rows in self._rows.items()} if count else {}


def _some_rows(x: Any, shape: Any) -> Any:
    """ROWS_A_STEP rows of a batch, some of them twice if it is smaller; zeros if it is empty, as a replica's may be."""
    import tensorflow as tf

    count = tf.shape(x)[0]
    padded = tf.concat([tf.reshape(x, (-1, *shape)), tf.zeros((1, *shape))], axis=0)
    return tf.gather(padded, tf.range(ROWS_A_STEP) % tf.maximum(count, 1))


def _of_the_first_replica(rows: Any) -> Any:
    """Its rows, on all replicas and workers."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    is_first = tf.equal(context.replica_id_in_sync_group, 0)
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(is_first, rows, 0.0))
