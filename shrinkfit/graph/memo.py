# SPDX-License-Identifier: Apache-2.0
"""What depends on an operator and its tensors alone, worked out once.

While a model is fitted, hundreds of graphs are priced that share most of their operators.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from shrinkfit.graph.base import Op
    from shrinkfit.graph.ir import Graph

More = TypeVarTuple("More")
Result = TypeVar("Result")


def by_tensors(function: Callable[[Op, Graph, *More], Result]) -> Callable[[Op, Graph, *More], Result]:
    """Remember function(op, graph, *more) on the operator, for as long as that lives or until its tensors are others.

    Args:
        function: looks at nothing of the graph but the operator's tensors, or its variables: then nothing is
            remembered. more: hashable.
    """

    # Not the function itself, so that operators can be pickled.
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def remembered(op: Op, graph: Graph, *more: *More) -> Result:
        if op.variables:
            return function(op, graph, *more)
        known = op.__dict__.setdefault("_known", {})
        # Most often they are the same objects, which compare faster than they could be hashed.
        key, tensors = (name, *more), [graph.tensors[own] for own in (*op.inputs, *op.outputs)]
        found = known.get(key)
        if found is None or found[0] != tensors:
            found = known[key] = tensors, function(op, graph, *more)
        return found[1]

    return remembered
