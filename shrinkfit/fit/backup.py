# SPDX-License-Identifier: Apache-2.0
"""A fit's state beside the backups of Keras's BackupAndRestore: written whole or not at all, found by the weights.

Keras backs up weights, optimizer and epoch, but not what belongs to the fit. The state is written before the weights
that it belongs to and named after a digest of their values, so that a kill between the two files mates no wrong ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.keras_versions import is_chief, is_tf_keras

FORMAT = 2
# The weights in the backup may be one save older than the newest state.
_KEPT = 2
# What of the state is a list of arrays, or None: in a file of its own.
_ARRAYS = ("teacher", "mean")


def digest(model: Any) -> str:
    """Of the values of all the model's weights."""
    return _digest(model.get_weights())


def _digest(arrays: list[np.ndarray]) -> str:
    found = hashlib.sha256()
    for value in arrays:
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()[:32]


class Backups:
    """Follows the BackupAndRestore callbacks of one fit().

    Args:
        model: the model that trains.
        callbacks: its BackupAndRestore callbacks.
        state: gives what has to be kept, as plain data for JSON, but for what is in _ARRAYS.
    """

    def __init__(self, model: Any, callbacks: list[Any], state: Callable[[], dict[str, Any]]) -> None:
        self._model, self._callbacks, self._state = model, callbacks, state
        for callback in callbacks:
            if is_tf_keras(callback) != is_tf_keras(model):
                raise ShrinkfitError(
                    "BackupAndRestore and the model come from different packages (keras and tf_keras); "
                    "take both from the same one"
                )

    def begin(self) -> None:
        """Call it before the callbacks' own on_train_begin."""
        self.end()  # of a run that was interrupted
        for callback in self._callbacks:
            if is_tf_keras(callback):
                _patch(callback, "_backup", self._saving(callback, callback._backup))
            else:
                _mend_metadata(callback, _newest(_folder(callback)))
        if any(not is_tf_keras(c) for c in self._callbacks):
            _patch(self._model, "save_weights", self._saving_weights(self._model.save_weights))

    def end(self) -> None:
        """Take the patches off; call it any number of times."""
        patched = [(self._model, "save_weights"), *((c, "_backup") for c in self._callbacks)]
        for owner, name in patched if self._callbacks else ():
            if getattr(owner.__dict__.get(name), "is_shrinkfit", False):
                del owner.__dict__[name]

    def delete(self) -> None:
        """Call it after the callbacks' own on_train_end: they have deleted theirs, if they were asked to."""
        for callback in self._callbacks if is_chief(self._model) else ():
            if getattr(callback, "delete_checkpoint", True):
                for path in _folder(callback).glob("*"):
                    path.unlink()
                if _folder(callback).exists():
                    _folder(callback).rmdir()

    def load(self) -> dict[str, Any] | None:
        """The state that belongs to the weights that the model has now, or None."""
        if not self._callbacks:
            return None
        name = f"{digest(self._model)}.json"
        paths = [_folder(c) / name for c in self._callbacks if (_folder(c) / name).exists()]
        if not paths:
            return None
        state = json.loads(paths[0].read_text())
        if state.get("format") != FORMAT:
            raise ShrinkfitError(
                f"the backup '{paths[0].parent.parent}' has format {state.get('format')} and this shrinkfit reads "
                f"format {FORMAT}; finish the run with the version that began it, or delete the backup"
            )
        for key in _ARRAYS:
            if state[key] is not None:
                with np.load(paths[0].parent / state[key]) as arrays:
                    state[key] = [arrays[name] for name in arrays.files]
        return state

    def _saving(self, callback: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def backup(*args: Any, **kwargs: Any) -> Any:
            self._write(callback)
            return original(*args, **kwargs)

        return backup

    def _saving_weights(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def save_weights(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            path = Path(filepath)
            mine = [c for c in self._callbacks if Path(c.backup_dir) == path.parent]
            if not mine or not is_chief(self._model):
                return original(filepath, *args, **kwargs)
            self._write(mine[0])
            whole = path.with_name(f"new_{path.name}")  # Keras asks for a name that ends in .weights.h5
            original(str(whole), *args, **kwargs)
            _sync(whole)
            os.replace(whole, path)

        return save_weights

    def _write(self, callback: Any) -> None:
        # All workers have to take part in reading what lies on several of them; the chief writes.
        name, state = f"{digest(self._model)}.json", self._state()
        if not is_chief(self._model):
            return
        folder = _folder(callback)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        for key in _ARRAYS:
            if state[key] is not None:
                state[key] = _write_arrays(folder, state[key])
        _write_whole(path, json.dumps({"format": FORMAT, **state}).encode())
        states = sorted(folder.glob("*.json"), key=lambda p: (p == path, p.stat().st_mtime_ns))
        for old in states[:-_KEPT]:
            old.unlink()
        used = {json.loads(kept.read_text()).get(key) for kept in states[-_KEPT:] for key in _ARRAYS}
        for old in folder.glob("*.npz"):
            if old.name not in used:
                old.unlink()


def _folder(callback: Any) -> Path:
    return Path(callback.backup_dir) / "shrinkfit"


def _newest(folder: Path) -> dict[str, Any] | None:
    paths = sorted(folder.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
    return json.loads(paths[-1].read_text()) if paths else None


def _mend_metadata(callback: Any, state: dict[str, Any] | None) -> None:
    """Keras 3 writes the epoch in place; a kill in that moment leaves a file that it cannot read."""
    path = Path(callback._training_metadata_path)
    if state is None or not path.exists():
        return
    try:
        json.loads(path.read_text())
    except json.JSONDecodeError:
        _write_whole(path, json.dumps({"epoch": state["epoch"], "batch": 0}).encode())


def _write_arrays(folder: Path, arrays: list[np.ndarray]) -> str:
    """The name of the file that holds them; what has not changed, as a teacher does not, is not written again."""
    path = folder / f"{_digest(arrays)}.npz"
    if not path.exists():
        text = io.BytesIO()
        np.savez(text, *arrays)
        _write_whole(path, text.getvalue())
    return path.name


def _write_whole(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    _sync(new)
    os.replace(new, path)


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _patch(owner: Any, name: str, method: Callable[..., Any]) -> None:
    method.__dict__["is_shrinkfit"] = True
    owner.__dict__[name] = method  # past Keras's __setattr__, which would track it
