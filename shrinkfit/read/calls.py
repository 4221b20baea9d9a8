# SPDX-License-Identifier: Apache-2.0
"""What both Keras generations say about a built model: its layers' calls, inputs first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shrinkfit.errors import UnsupportedLayerError

Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Args:
        name: unique: the layer's name, behind that of the sub-model it is in; a second call ends in ":2".
        kind: the name of the layer's class.
        layer: the layer, with its settings and variables as attributes.
        inputs: names of the calls whose outputs it reads.
        shape: output shape without the batch; an open dimension is None.
        runs: the object whose `call` Keras runs: the layer itself, or a wrapper around it.
        output_range: (smallest, largest) that the training learned for the output.
        inner_range: the same for what stands before the layer's own activation.
        arguments: of an operation such as x + 3.0, in their order: None for a tensor of the model.
    """

    name: str
    kind: str
    layer: Any
    inputs: tuple[str, ...]
    shape: tuple[int | None, ...]
    runs: Any
    output_range: Range | None = None
    inner_range: Range | None = None
    arguments: tuple[Any, ...] = ()

    @property
    def fixed_shape(self) -> tuple[int, ...]:
        """The shape of a call that leaves no dimension open."""
        return tuple(n for n in self.shape if n is not None)


@dataclass(frozen=True, eq=False)
class Calls:
    """A model's calls in an order in which they can run, and the calls that are its inputs and outputs."""

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_calls(model: Any) -> Calls:
    """The calls of a Keras 3 or tf_keras model.

    Raises:
        UnsupportedLayerError: it is neither, or its graph is not known.
    """
    return generation(model).read_calls(model)


def generation(model: Any) -> Any:
    """keras3 or keras2, this room's module for the Keras that the model was built with. Imports neither Keras."""
    from shrinkfit.read import keras2, keras3

    for cls in type(model).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("keras", "tf_keras") and cls.__name__ == "Model":
            return keras3 if package == "keras" else keras2
    raise UnsupportedLayerError(
        f"got a {type(model).__name__}, expected a Keras 3 or tf_keras Sequential or Functional model"
    )


def ordered_nodes(nodes_by_depth: dict[int, list]) -> list[Any]:
    """The nodes of a Functional model in the order of execution; both Keras generations file them by depth."""
    return [node for depth in sorted(nodes_by_depth, reverse=True) for node in nodes_by_depth[depth]]


class Names:
    """Makes the names of calls unique: what is called again has a number behind its name."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it is taken; taken from now on."""
        number, made = 1, name
        while made in self._taken:
            number += 1
            made = f"{name}:{number}"
        self._taken.add(made)
        return made


Seen = dict[str, tuple[list[Any], Any]]


@contextmanager
def watched(calls: Iterable[Call], wanted: set[str]) -> Iterator[Seen]:
    """While the model runs once, eagerly: name of a wanted call -> (what it read, what it gave)."""
    by_layer: dict[int, list[Call]] = {}
    for call in calls:
        by_layer.setdefault(id(call.runs), []).append(call)
    seen: Seen = {}
    owners = [own[0].runs for own in by_layer.values() if any(call.name in wanted for call in own)]
    before = [owner.__dict__.get("call") for owner in owners]
    for owner in owners:
        # Past Keras's __setattr__, which would track what it is given as part of the model.
        owner.__dict__["call"] = _watching(owner.call, iter(by_layer[id(owner)]), wanted, seen)
    try:
        yield seen
    finally:
        for owner, method in zip(owners, before, strict=True):
            if method is None:
                del owner.__dict__["call"]
            else:
                owner.__dict__["call"] = method


def _watching(original: Callable, own: Iterator[Call], wanted: set[str], seen: Seen) -> Callable:
    """Keras makes a layer's calls in the order in which they were read."""

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        output = original(inputs, *args, **kwargs)
        name = next(own).name
        if name in wanted:
            seen[name] = (list(inputs) if isinstance(inputs, (list, tuple)) else [inputs, *args]), output
        return output

    return call


def no_input_shape(model: Any) -> UnsupportedLayerError:
    """What to say of a model that is not built."""
    return UnsupportedLayerError(
        f"model '{model.name}' has no input shape yet; put keras.Input(shape=...) first or call model.build()"
    )


def subclassed(model: Any) -> UnsupportedLayerError:
    """What to say of a model whose graph Keras does not know."""
    return UnsupportedLayerError(
        f"model '{model.name}' is a subclassed {type(model).__name__}, whose graph Keras does not know; "
        "write it as a Sequential or Functional model"
    )


def single_output(layer: Any, outputs: list) -> Any:
    """The one output of a layer's call.

    Raises:
        UnsupportedLayerError: it has another number of them.
    """
    if len(outputs) != 1:
        raise UnsupportedLayerError(f"layer '{layer.name}' has {len(outputs)} outputs, expected one")
    return outputs[0]
