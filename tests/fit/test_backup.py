# SPDX-License-Identifier: Apache-2.0
"""A killed run goes on from its backup with masks, ranges, importance, schedule and history; no file is half a file."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import shrinkfit
from tests.fit.tiny import EPOCHS, fit, halving, left, tiny


class Look(keras.callbacks.Callback):
    """Writes down what the fit is at, and may end it at one step by `how`."""

    def __init__(self, device, path, at=None, how=None):
        super().__init__()
        self.device, self.path, self.at, self.how = device, Path(path), at, how

    def on_train_batch_begin(self, batch, logs=None):
        seen = {"alive": self.device._pruner.alive.tolist(), "history": self.device.history, "left": left(self.model)}
        if not self.path.exists() or self.at is not None:
            self.path.write_text(json.dumps(seen | {"ranges": self.device._instruments.variables.ranges()}))
        if self.at is not None and (len(self.device.history) - 1, batch) == self.at:
            self.how()

    def _implements_train_batch_hooks(self):
        return True

    def _implements_test_batch_hooks(self):
        return False

    _implements_predict_batch_hooks = _implements_test_batch_hooks


class Stopped(Exception):
    pass


def stop():
    raise Stopped


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def train(folder, name, at=None, how=None, package=keras, save_freq="epoch", **settings):
    model = tiny(package)
    device = halving(model, prune_epochs=(0.2, 0.8), **settings)
    backup = package.callbacks.BackupAndRestore(str(folder / "backup"), save_freq=save_freq)
    fit(model, [backup, device, Look(device, folder / f"{name}.json", at, how)])
    return device


def continues(folder, device):
    """The second run began as the first one was, and ended within its limits."""
    before, after = (json.loads((folder / f"{name}.json").read_text()) for name in ("first", "second"))
    assert after["alive"] == before["alive"] and after["left"] == before["left"] and False in after["alive"]
    done = [h for h in before["history"] if "costs" in h]
    assert len(done) == 3 and device.history[: len(done)] == done
    assert [h["epoch"] for h in device.history] == list(range(EPOCHS))
    assert device.history[3]["pruned"][: len(before["history"][3]["pruned"])] == before["history"][3]["pruned"]
    assert device.cost.flops <= device.budget.flops


def test_a_run_killed_in_mid_epoch_goes_on(tmp_path):
    code = (
        "import sys, pathlib; from tests.fit import test_backup as t;"
        "t.train(pathlib.Path(sys.argv[1]), 'first', (3, 2), t.kill, save_freq=2)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    with h5py.File(tmp_path / "backup" / "latest.weights.h5") as file:
        assert list(file)
    states = [json.loads(path.read_text()) for path in (tmp_path / "backup" / "shrinkfit").iterdir()]
    assert sorted(state["epoch"] for state in states) == [2, 3]
    continues(tmp_path, train(tmp_path, "second"))
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(("name", "save_freq"), [("keras", "epoch"), ("tf_keras", "epoch"), ("tf_keras", 2)])
def test_a_run_ended_by_an_exception_goes_on(name, save_freq, tmp_path):
    package = pytest.importorskip(name)
    with pytest.raises(Stopped):
        train(tmp_path, "first", (3, 2), stop, package, save_freq)
    continues(tmp_path, train(tmp_path, "second", None, None, package, save_freq))
    assert not (tmp_path / "backup" / "shrinkfit").exists()


def test_a_backup_without_state_goes_on_from_the_zeros(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path, "first", (3, 2), stop)
    for path in (tmp_path / "backup" / "shrinkfit").iterdir():
        path.unlink()
    device = train(tmp_path, "second")
    before, after = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second"))
    assert sum(after["alive"]) <= sum(before["alive"]) < len(before["alive"])
    assert [h["epoch"] for h in device.history] == [3, 4] and device.cost.flops <= device.budget.flops


def test_a_half_written_epoch_is_mended(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path, "first", (3, 2), stop)
    (tmp_path / "backup" / "training_metadata.json").write_text("")
    continues(tmp_path, train(tmp_path, "second"))


def test_weights_are_replaced_whole(tmp_path, monkeypatch):
    """A kill while Keras writes leaves the backup that was there."""
    model = tiny()
    device = halving(model)
    save, original = [], keras.Model.save_weights

    def half(self, filepath, *args, **kwargs):
        save.append(filepath)
        if len(save) == 2:
            Path(filepath).write_bytes(b"half a file")
            raise Stopped
        return original(self, filepath, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "save_weights", half)
    with pytest.raises(Stopped):
        fit(model, [keras.callbacks.BackupAndRestore(str(tmp_path / "backup")), device])
    with h5py.File(tmp_path / "backup" / "latest.weights.h5") as file:
        assert list(file)
    assert all(Path(path).name != "latest.weights.h5" for path in save)


def test_callbacks_of_the_other_keras_are_refused(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    model = tiny()
    backup = tf_keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
    with pytest.raises(shrinkfit.ShrinkfitError, match="different packages"):
        fit(model, [backup, halving(model)])


def test_a_copied_teacher_goes_along(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path, "first", (3, 2), stop, distill=0.5)
    (path,) = (tmp_path / "backup" / "shrinkfit").glob("*.npz")
    with np.load(path) as arrays:
        taught = [arrays[name] for name in arrays.files]
    device = train(tmp_path, "second", distill=0.5)
    teacher = device._instruments.distiller.teacher
    assert all(np.array_equal(a, b) for a, b in zip(teacher.get_weights(), taught, strict=True))
    assert left(teacher) == {"first": 12, "second": 12}
