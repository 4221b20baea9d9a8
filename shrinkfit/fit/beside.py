# SPDX-License-Identifier: Apache-2.0
"""The callbacks beside FitDevice in fit(): their order, their best-so-far, their backups, and whether fit() still runs.

Keras hands its list of callbacks to none of them, so it is looked for in the frame that calls set_model().
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import keras

from shrinkfit.errors import ShrinkfitError

# Keras's own that remember the best value so far, and where; both Keras have them under these names.
_TRACKERS = ("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint")


class Last(keras.callbacks.Callback):
    """Stands last in the list and tells FitDevice when all others have had their turn."""

    def __init__(self, owner: Any) -> None:
        super().__init__()
        self.owner = owner

    def set_model(self, model: Any) -> None:
        """The owner has it."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """After all others' own."""
        self.owner.after_train_begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """After all others' own."""
        self.owner.after_epoch_end(epoch)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """After all others' own."""
        self.owner.after_train_end()

    def _implements_train_batch_hooks(self) -> bool:
        return False

    _implements_test_batch_hooks = _implements_predict_batch_hooks = _implements_train_batch_hooks


class Beside:
    """What stands beside one FitDevice in one fit().

    Args:
        owner: the FitDevice.
        found: Keras's CallbackList, or None where the hooks are called by something else.
    Raises:
        ShrinkfitError: there is a second FitDevice.
    """

    def __init__(self, owner: Any, found: Any) -> None:
        self._list = found
        self._first_best: dict[int, Any] = {}
        self._driver: CodeType | None = None
        others = [c for c in self.callbacks if type(c) is type(owner) and c is not owner]
        if others:
            raise ShrinkfitError("two FitDevice callbacks were given to one fit(); give it one, with all the limits")
        if found is not None:
            _put_in_order(found.callbacks, owner)

    @property
    def callbacks(self) -> list[Any]:
        """All callbacks of the fit(), in their order; none where the hooks are called by something else."""
        return self._list.callbacks if self._list is not None else []

    def begin(self) -> None:
        """Call it from on_train_begin."""
        self._first_best = {id(c): c.best for c in self._of("ModelCheckpoint") if hasattr(c, "best")}
        driver = next((f for f in _stack(sys._getframe(1)) if _holds(f, self._list)), None)
        self._driver = None if self._list is None or driver is None else driver.f_code

    def running(self) -> bool:
        """Whether the function that drives the callbacks is still on some thread's stack.

        Where that cannot be told (hooks called by hand), they are taken to run until on_train_end.
        """
        if self._driver is None:
            return True
        frames = (frame for top in list(sys._current_frames().values()) for frame in _stack(top))
        return any(f.f_code is self._driver and _holds(f, self._list) for f in frames)

    def start_anew(self) -> None:
        """The network has changed: what callbacks hold to be the best so far is of another one."""
        for callback in self._of("EarlyStopping", "ReduceLROnPlateau"):
            _keras_class(callback).on_train_begin(callback)
        for callback in self._of("ModelCheckpoint"):
            if id(callback) in self._first_best:
                callback.best = self._first_best[id(callback)]

    def take_back_stop(self, epoch: int) -> bool:
        """Whether an EarlyStopping has asked for the end in this epoch; it forgets that it did."""
        asked = [c for c in self._of("EarlyStopping") if c.stopped_epoch == epoch > 0]
        for callback in asked:
            callback.stopped_epoch = 0
        return bool(asked)

    def backups(self) -> Iterator[Any]:
        """The BackupAndRestore callbacks."""
        return self._of("BackupAndRestore")

    def _of(self, *names: str) -> Iterator[Any]:
        return (c for c in self.callbacks if any(cls.__name__ in names for cls in type(c).__mro__))


def find_beside(owner: Any) -> Beside:
    """Call it from set_model: looks for the list of callbacks that calls."""
    for frame in _stack(sys._getframe(1)):
        candidate = frame.f_locals.get("self")
        if candidate is not owner and _is_list_with(candidate, owner):
            return Beside(owner, candidate)
    return Beside(owner, None)


def _is_list_with(candidate: Any, owner: Any) -> bool:
    callbacks = getattr(candidate, "callbacks", None)
    return isinstance(callbacks, list) and any(c is owner for c in callbacks)


def _put_in_order(callbacks: list[Any], owner: Any) -> None:
    """The owner first, so that its costs are in the logs that all others see; its echo last.

    Keras is in the midst of walking over this list: what moves to the front makes room where it was.
    """
    callbacks.remove(owner)
    callbacks.insert(0, owner)
    if not any(isinstance(c, Last) and c.owner is owner for c in callbacks):
        callbacks.append(Last(owner))


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _holds(frame: FrameType, thing: Any) -> bool:
    """Whether a frame that is no method of the thing itself has it in a variable."""
    values = frame.f_locals
    return values.get("self") is not thing and any(v is thing for v in values.values())


def _keras_class(callback: Any) -> type[keras.callbacks.Callback]:
    """The Keras class behind a user's subclass."""
    return next(cls for cls in type(callback).__mro__ if cls.__name__ in _TRACKERS)
