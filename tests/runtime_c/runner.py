# SPDX-License-Identifier: Apache-2.0
"""Runs a graph of one operator by its C kernel, step after step, with constants, state and any element type."""

import ctypes

import numpy as np

from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack
from tests.runtime_c import native

FILL = 0x5A


class Runner:
    """The C twin of simulate.Session for one operator; dsp: of the kernel for such cores; state: name -> array."""

    def __init__(self, lib, graph, dsp=False):
        (self.op,) = graph.ops
        self.graph, self._keep = graph, []
        kernel = kernel_for(self.op, graph, dsp)
        assert not kernel.takes_scratch
        self._function = getattr(lib, kernel.symbol)
        self._struct = native.params(pack(self.op, graph, dsp), self._keep)
        self.state = {name: variable.initial.copy() for name, variable in graph.variables.items()}

    def step(self, inputs, in_place=None):
        """inputs: name -> array; in_place: the input that is the output too. Gives the output."""
        values = {name: np.ascontiguousarray(x).copy() for name, x in {**self.graph.constants, **inputs}.items()}
        (target,) = self.graph.op_outputs(self.op)
        out = native.guarded(target.size_bytes, int.from_bytes(bytes([FILL] * 8), "little"))
        buffers = [values[name] for name in self.op.inputs]
        buffers.append(out if in_place is None else values[in_place])
        buffers += [self.state[name] for name in self.op.variables]
        self._function(ctypes.byref(self._struct), *(native.POINTER(b.ctypes.data) for b in buffers))
        if in_place is not None:
            return values[in_place].reshape(target.shape[1:])
        assert np.all(out[target.size_bytes :] == FILL), "wrote behind the output"
        return (
            out[: target.size_bytes]
            .view(target.dtype)
            .reshape(target.shape[1:] if target.shape[0] == 1 else target.shape)
        )
