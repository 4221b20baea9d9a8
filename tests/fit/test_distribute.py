# SPDX-License-Identifier: Apache-2.0
"""Under tf.distribute masks and ranges are the same on all replicas, and all workers take the same decisions."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 300


def start(package, kind, output, **more):
    command = [sys.executable, "-m", "tests.fit.worker", package, kind, str(output)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | more)


def finished(processes, outputs):
    try:
        assert [p.wait(timeout=LIMIT_SECONDS) for p in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()
    return [json.loads(path.read_text()) for path in outputs]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def all_equal(found):
    """Every variable has one value on all replicas of one process."""
    groups = [*found["masks"].values(), *(ends for pair in found["ranges"].values() for ends in pair)]
    return all(value == values[0] for values in groups for value in values)


def test_mirrored_replicas_hold_the_same(tmp_path):
    output = tmp_path / "mirrored.json"
    (found,) = finished([start("keras", "mirrored", output)], [output])
    assert found["replicas"] == 2 and all(len(values) == 2 for values in found["masks"].values())
    assert all_equal(found) and found["fits"] and min(found["left"].values()) < 12


def test_two_workers_decide_the_same(tmp_path):
    """Keras 3.15's own fit() cannot take a batch apart under this strategy, with or without callbacks."""
    pytest.importorskip("tf_keras")
    ports = [free_port() for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    outputs = [tmp_path / f"{index}.json" for index in range(2)]
    processes = [
        start(
            "tf_keras",
            "workers",
            output,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}),
        )
        for i, output in enumerate(outputs)
    ]
    one, other = finished(processes, outputs)
    assert one["replicas"] == 2 and one["fits"] and min(one["left"].values()) < 12
    assert all(one[what] == other[what] for what in ("masks", "ranges", "left"))
    assert [h["pruned"] for h in one["history"]] == [h["pruned"] for h in other["history"]]
