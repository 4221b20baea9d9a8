# SPDX-License-Identifier: Apache-2.0
"""What both Keras generations say about a built model: its layers' calls, inputs first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shrinkfit.errors import UnsupportedLayerError

Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Call:
    """One layer, called once.

    Args:
        name: the layer's name.
        kind: the name of the layer's class.
        layer: the layer, with its settings and variables as attributes.
        inputs: names of the calls whose outputs it reads.
        shape: output shape without the batch; an open dimension is None.
        sources: the symbolic tensors that it reads.
        output: the symbolic tensor that it gives.
        output_range: (smallest, largest) that the training learned for the output.
        inner_range: the same for what stands before the layer's own activation.
    """

    name: str
    kind: str
    layer: Any
    inputs: tuple[str, ...]
    shape: tuple[int | None, ...]
    sources: tuple[Any, ...]
    output: Any
    output_range: Range | None = None
    inner_range: Range | None = None


@dataclass(frozen=True, eq=False)
class Calls:
    """A model's calls in an order in which they can run, and the calls that are its inputs and outputs."""

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_calls(model: Any) -> Calls:
    """The calls of a Keras 3 or tf_keras model.

    Raises:
        UnsupportedLayerError: it is neither, or its graph is not known, or a layer is shared.
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


def check_called_once(layers: Iterable[Any]) -> None:
    seen: set[int] = set()
    for layer in layers:
        if id(layer) in seen:
            raise UnsupportedLayerError(
                f"layer '{layer.name}' is applied more than once; shared layers are not supported yet: "
                "give each place a layer of its own"
            )
        seen.add(id(layer))


def no_input_shape(model: Any) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"model '{model.name}' has no input shape yet; put keras.Input(shape=...) first or call model.build()"
    )


def subclassed(model: Any) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"model '{model.name}' is a subclassed {type(model).__name__}, whose graph Keras does not know; "
        "write it as a Sequential or Functional model"
    )


def single_output(layer: Any, outputs: list) -> Any:
    if len(outputs) != 1:
        raise UnsupportedLayerError(f"layer '{layer.name}' has {len(outputs)} outputs, expected one")
    return outputs[0]
