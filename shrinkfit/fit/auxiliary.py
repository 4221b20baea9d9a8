# SPDX-License-Identifier: Apache-2.0
"""A Keras model with outputs that only help to train goes in; the part of it that ships comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.floors import checked_names
from shrinkfit.fit.keras_versions import keras_of


def shipped_part(model: Any, auxiliary: Sequence[str]) -> Any:
    """The model without its auxiliary outputs and the layers that lead to nothing else.

    Args:
        model: a built Functional Keras model.
        auxiliary: names of outputs: their keys, where the model gives a dict, or those of the layers that make them.
    Returns:
        a model of the same layers, which trains with the other; the model itself where none are named.
    Raises:
        ShrinkfitError: there is no such output, no other one, or a layer that both parts run more often than the
            part that ships does alone.
    """
    if not auxiliary:
        return model
    outputs = _outputs(model)
    unknown = [name for name in auxiliary if not any(name in names for names, _ in outputs)]
    if unknown:
        there = ", ".join(" or ".join(names) for names, _ in outputs) or "none that Keras knows (is it built?)"
        raise ShrinkfitError(
            f"auxiliary: model '{model.name}' has no output {', '.join(map(repr, unknown))}; it has {there}"
        )
    kept = [(names[0], output) for names, output in outputs if not set(names) & set(auxiliary)]
    if not kept:
        raise ShrinkfitError(
            f"auxiliary: all outputs of model '{model.name}' are named, none is left for the device; leave one out"
        )
    ends: Any = dict(kept) if isinstance(model.output, dict) else [output for _, output in kept]
    part = keras_of(model).Model(model.input, kept[0][1] if len(kept) == 1 else ends, name=model.name)
    _require_apart(model, part)
    return part


def checked_auxiliary(auxiliary: str | Iterable[str] | None, distill: float) -> tuple[str, ...]:
    """What FitDevice takes as auxiliary; a single name counts as a list of one.

    Raises:
        ShrinkfitError: it is no list, something in it is no text, or distill is set too.
    """
    names = checked_names(auxiliary, "auxiliary", "names of outputs")
    if names and distill:
        raise ShrinkfitError(
            f"auxiliary {', '.join(map(repr, names))} and distill={distill:g}: expected one of the two; mix what the "
            "teacher answers into the targets instead"
        )
    return names


def _outputs(model: Any) -> list[tuple[tuple[str, ...], Any]]:
    """The names that each output goes by, and its tensor."""
    flat = getattr(model, "outputs", None) or []  # a subclassed model tells nothing of them
    # A Keras 3 Sequential knows its outputs, and no names of them.
    known = getattr(model, "output_names", None) or [_maker(end) for end in flat]
    made_by = {id(end): name for end, name in zip(flat, known, strict=True)}
    ends = getattr(model, "output", None)
    if isinstance(ends, dict):
        return [(tuple(dict.fromkeys((key, made_by[id(end)]))), end) for key, end in ends.items()]
    return [((made_by[id(end)],), end) for end in flat]


def _maker(end: Any) -> str:
    """The name of the layer that makes a symbolic tensor."""
    return end._keras_history[0].name


def _require_apart(model: Any, part: Any) -> None:
    """A layer's runs are told apart by their order, which an auxiliary run of it would change."""
    runs, shipped = _runs(model), _runs(part)
    shared = sorted({layer.name for number, layer in runs.items() if number not in shipped} & _names(shipped))
    if shared:
        raise ShrinkfitError(
            f"auxiliary: {', '.join(map(repr, shared))} of model '{model.name}' runs for the device and again for an "
            "auxiliary output; give that output a layer of its own"
        )


def _runs(model: Any) -> dict[int, Any]:
    """Identity of each of a model's nodes -> the layer that runs there."""
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    return {id(node): getattr(node, "operation", None) or node.layer for node in nodes}


def _names(runs: dict[int, Any]) -> set[str]:
    return {layer.name for layer in runs.values()}
