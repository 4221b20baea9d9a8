# SPDX-License-Identifier: Apache-2.0
"""What may be exported around a model: a protocol for it, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cost import Cost
from shrinkfit.price.listening import Listens
from shrinkfit.write.model import Model


@dataclass(frozen=True)
class Extra:
    """What comes on top of a model's own files.

    Args:
        files: relative path -> content.
        runtime: names of the files of the runtime that it needs too.
        makefile: rules that the folder's Makefile ends with.
        details: what report.json says of it.
        lines: what the printed report says of it.
    """

    files: dict[str, bytes]
    runtime: tuple[str, ...]
    makefile: str
    details: dict[str, Any]
    lines: tuple[str, ...] = field(default=())


class Around(Listens, Protocol):
    """Something that is exported around a model, such as audio.listener.Listener."""

    def labels_of(self, graph: Graph) -> tuple[str, ...]:
        """Names of the model's outputs, where the caller gives none; errors as those of `extra`."""

    def extra(self, model: Model, device: Device, cost: Cost) -> Extra:
        """What to write.

        Args:
            model: all that the model's C says.
            device: what it is written for.
            cost: the model's own.
        Raises:
            ShrinkfitError: it does not go with this model.
        """
