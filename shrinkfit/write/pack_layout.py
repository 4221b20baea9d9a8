# SPDX-License-Identifier: Apache-2.0
"""The constants of the calls that move bytes, and of the copy that a reset makes."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.kernels_layout import KERNELS, Copy, copies
from shrinkfit.write.packed import Fields, Packed


def pack_copies(op: ir.Op, graph: ir.Graph) -> tuple[Packed, ...]:
    """One per call; op is of a kind in price.kernels_layout.KERNELS."""
    packed = tuple(_packed(copy) for copy in copies(op, graph))
    return tuple(_padded(op, graph, one) for one in packed) if isinstance(op, ir.Pad) else packed


def pack_initial(variable: ir.Variable) -> Packed:
    """A copy of all bytes of a variable."""
    return _packed(Copy(0, 0, variable.tensor.size_bytes, ()))


def _packed(copy: Copy) -> Packed:
    arrays = {"axes": np.array(copy.axes, np.int32)} if copy.axes else {}
    fields = {"axes": "axes" if copy.axes else 0, "rank": len(copy.axes)}
    fields |= {"in_start": copy.in_start, "out_start": copy.out_start, "run": copy.run}
    return Packed("sf_copy_params", arrays, fields)


def _padded(op: ir.Pad, graph: ir.Graph, packed: Packed) -> Packed:
    (target,) = graph.op_outputs(op)
    value = target.zero_point if op.value is None else op.value
    fields: Fields = {"copy": packed.fields, "out_bytes": target.size_bytes, "value": value}
    return Packed("sf_pad_params", packed.arrays, fields)


KINDS = frozenset(KERNELS)
