# SPDX-License-Identifier: Apache-2.0
"""A teacher and a share in, a loss that also asks the model to answer as the teacher does (Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.keras_versions import keras_of, scope_of
from shrinkfit.read.stages import Stage, stage_of_output
from shrinkfit.read.topology import Topology

SMALLEST_PROBABILITY = 1e-7
PROBABILITIES, LOGITS, VALUES = "probabilities", "logits", "values"


class Distiller:
    """Mixes a teacher's answers into a model's training loss.

    The teacher belongs to the fit: no checkpoint of the model holds it, and its weights never change.

    Args:
        model: the one that is trained, with one output.
        topology, stages: of it.
        share: of the teacher in the loss, over 0 to 1: (1 - share) * own loss + share * distance to the teacher.
        temperature: divides the logits of classifiers; the distance is then KL * temperature^2. What is no classifier
            (its output is no softmax and its loss no categorical one from logits) has the mean squared distance.
        teacher: a Keras model with the same inputs and output shape; None for a copy of the model, see `take_copy`.
    Attributes:
        teacher: None until there is one.
        used: whether the training step has asked for the loss since there is a teacher.
    Raises:
        ShrinkfitError: the model has several outputs, or the teacher does not fit it.
    """

    def __init__(
        self,
        model: Any,
        topology: Topology,
        stages: tuple[Stage, ...],
        *,
        share: float,
        temperature: float,
        teacher: Any = None,
    ) -> None:
        self._share, self._temperature, self.teacher, self.used = share, temperature, teacher, False
        self._is_copy = False
        if len(topology.outputs) != 1:
            raise ShrinkfitError(
                f"distill: model '{model.name}' has {len(topology.outputs)} outputs, expected one; set distill=0"
            )
        if teacher is not None:
            _require_same_shapes(model, teacher)
        key = stage_of_output(topology, stages, topology.outputs[0])
        softmax = next(stage for stage in stages if stage.key == key).kind == "softmax"
        self._compares = PROBABILITIES if softmax else LOGITS if _loss_takes_logits(model) else VALUES
        self._teacher_gives = PROBABILITIES if teacher is not None and _ends_in_softmax(teacher) else self._compares

    @property
    def record(self) -> dict[str, Any]:
        """What history says of it."""
        temperature = {} if self._compares == VALUES else {"temperature": self._temperature}
        return {"share": self._share, "compares": self._compares, **temperature}

    def take_copy(self, model: Any) -> None:
        """Make a copy of the model, as it is now, the teacher."""
        with scope_of(model):
            self.teacher = keras_of(model).models.clone_model(model)
        self.teacher.set_weights(model.get_weights())
        self.teacher.trainable, self._is_copy = False, True

    def state(self) -> list[np.ndarray] | None:
        """The weights of a teacher that is a copy; None where there is no copy."""
        return self.teacher.get_weights() if self._is_copy else None

    def restore(self, model: Any, state: list[np.ndarray]) -> None:
        """Take the copy that `state` gave."""
        self.take_copy(model)
        self.teacher.set_weights(state)

    def loss_of(self, original: Callable[..., Any], is_training: Callable[[], Any]) -> Callable[..., Any]:
        """What takes the place of the model's `compute_loss`.

        Args:
            original: the model's own.
            is_training: whether the training step is being traced; evaluation keeps the model's own loss.
        """

        def compute_loss(
            x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            own = original(x, y, y_pred, sample_weight, *args, **kwargs)
            if not is_training():
                return own
            self.used = True
            return (1 - self._share) * own + _cast(self._share * self._distance(x, y_pred, sample_weight), own)

        return compute_loss

    def require_used(self) -> None:
        """Raise where the model's training goes around `compute_loss`."""
        if self.teacher is not None and not self.used:
            raise ShrinkfitError(
                "distill: the model's own train_step does not call self.compute_loss(x, y, y_pred, sample_weight), "
                "where the teacher's part of the loss is added; call it there, or set distill=0"
            )

    def _distance(self, x: Any, answer: Any, sample_weight: Any) -> Any:
        import tensorflow as tf

        wanted = tf.stop_gradient(tf.cast(self.teacher(x, training=False), tf.float32))
        answer = tf.cast(answer, tf.float32)
        if self._compares == VALUES:
            distance = tf.math.squared_difference(answer, wanted)
        else:
            distance = self._divergence(_logits(answer, self._compares), _logits(wanted, self._teacher_gives))
        count = tf.shape(distance)[0]
        each = tf.reduce_mean(tf.reshape(distance, (count, -1)), axis=1)
        if sample_weight is not None:
            each *= tf.reduce_mean(tf.reshape(tf.cast(sample_weight, tf.float32), (count, -1)), axis=1)
        # Keras adds up the replicas' losses, and has divided its own by their number.
        return tf.reduce_mean(each) / tf.distribute.get_strategy().num_replicas_in_sync

    def _divergence(self, answer: Any, wanted: Any) -> Any:
        import tensorflow as tf

        wanted, answer = (tf.nn.log_softmax(z / self._temperature) for z in (wanted, answer))
        return tf.reduce_sum(tf.exp(wanted) * (wanted - answer), axis=-1) * self._temperature**2


def _logits(values: Any, given: str) -> Any:
    import tensorflow as tf

    return tf.math.log(tf.maximum(values, SMALLEST_PROBABILITY)) if given == PROBABILITIES else values


def _cast(x: Any, like: Any) -> Any:
    import tensorflow as tf

    return tf.cast(x, like.dtype)


def _require_same_shapes(model: Any, teacher: Any) -> None:
    if teacher is model:
        raise ShrinkfitError("distill: the teacher is the model that is trained; leave teacher=None for a copy of it")
    for what in ("input_shape", "output_shape"):
        got, expected = getattr(teacher, what, None), getattr(model, what)
        if got != expected:
            raise ShrinkfitError(f"distill: the teacher's {what} is {got}, expected the model's, {expected}")


def _loss_takes_logits(model: Any) -> bool:
    """Whether the compiled loss is a categorical crossentropy that takes logits."""
    loss = getattr(model, "loss", None)
    from_logits = getattr(loss, "from_logits", None) or getattr(loss, "_fn_kwargs", {}).get("from_logits")
    return bool(from_logits) and "Categorical" in type(loss).__name__


def _ends_in_softmax(model: Any) -> bool:
    last = model.layers[-1]
    return type(last).__name__ == "Softmax" or last.get_config().get("activation") == "softmax"


def checked_distill(share: float, temperature: float) -> tuple[float, float]:
    """What FitDevice takes as distill and temperature.

    Raises:
        ShrinkfitError: the share is not between 0 and 1, or the temperature not over 0.
    """
    if not isinstance(share, Real) or not 0 <= share <= 1:
        raise ShrinkfitError(f"distill is {share!r}, expected the teacher's share of the loss, 0 to 1")
    if not isinstance(temperature, Real) or not temperature > 0:
        raise ShrinkfitError(f"temperature is {temperature!r}, expected a number over 0")
    return float(share), float(temperature)
