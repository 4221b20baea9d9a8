# SPDX-License-Identifier: Apache-2.0
"""An exported folder in, its C compiled for this computer and callable from Python out."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit.check.build import build_library
from shrinkfit.check.exported import Exported
from shrinkfit.errors import CheckError
from shrinkfit.graph.inputs import named_inputs
from shrinkfit.graph.ir import Tensor
from shrinkfit.graph.simulate import dequantize

ALIGNMENT = 8
# Not zero: a model that reads what it never wrote gives other outputs than the simulator.
PAINT = 0xA5


@dataclass(frozen=True)
class Port:
    """An input or output of a loaded model.

    Args:
        name: the tensor's.
        dtype: what the C takes or gives, "int8" for most models.
        shape: of one, without the batch.
        scale: real = scale * (value - zero_point); None for types that are not quantized, as zero_point.
        zero_point: the value that stands for 0.
        labels: what each output stands for; empty where export was given none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int | None = None
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"

    @property
    def tensor(self) -> Tensor:
        """The same as the integer graph has it."""
        return Tensor(self.name, (1, *self.shape), self.scale or 1.0, self.zero_point or 0, self.dtype)

    def real(self, values: np.ndarray) -> np.ndarray:
        """The real numbers that values of this type stand for: float32, or as they are where it is not quantized."""
        return values if self.scale is None else dequantize(self.tensor, values)


def load(folder: str | PathLike[str], *, dsp: bool = False) -> LoadedModel:
    """Compile the C of an exported folder for this computer and give it back as a callable model.

    Args:
        folder: what export wrote; it is left as it is.
        dsp: run the portable twins of the kernels for cores with DSP instructions, in place of the scalar ones. Both
            give the same bytes.

    Returns:
        The model. What it computes is what the device computes, bit for bit.

    Raises:
        CheckError: the folder is not shrinkfit's, or does not compile.
        ToolMissingError: no C compiler is installed.
    """
    exported = Exported.read(Path(folder))
    # The linker would not miss them: a library may lack functions until it is loaded.
    sources = [file for file in exported.report["files"] if "/" not in file and file.endswith(".c")]
    missing = [file for file in sources if not (exported.folder / file).is_file()]
    if missing:
        raise CheckError(f"'{folder}' has no {', '.join(missing)}, which its report.json promises; export again")
    if dsp and not exported.target.dsp:
        raise CheckError(
            f"'{folder}' was exported for {exported.target.core} without DSP instructions, so it has no DSP kernels; "
            "load it without dsp"
        )
    with tempfile.TemporaryDirectory(prefix="shrinkfit-load-") as place:
        # The file may go as soon as it is loaded: the pages stay.
        library = _library(exported.folder, build_library(exported.folder, Path(place), use_dsp=dsp))
    return LoadedModel(exported, library, dsp)


class LoadedModel:
    """An exported model's own C, in this process. `load` makes it. It has one arena: one thread at a time.

    Args:
        exported: the folder.
        library: its C.
        dsp: which kernels it was compiled with.

    Attributes:
        name: the model's name in C.
        folder: where it was exported to.
        inputs, outputs: Ports, in the model's order.
        report: report.json's content.
    """

    def __init__(self, exported: Exported, library: ctypes.CDLL, dsp: bool) -> None:
        self.name, self.folder, self.report, self.dsp = exported.name, exported.folder, exported.report, dsp
        self.inputs = tuple(_port(edge) for edge in self.report["inputs"])
        labels = tuple(self.report["labels"])
        self.outputs = tuple(_port(edge, labels) for edge in self.report["outputs"])
        self._memory = ctypes.create_string_buffer(self.report["arena_bytes"] + ALIGNMENT)
        ctypes.memset(self._memory, PAINT, len(self._memory))
        self._arena = -(-ctypes.addressof(self._memory) // ALIGNMENT) * ALIGNMENT
        self._run = _function(library, f"{self.name}_run", ctypes.c_int)
        self._reset = _function(library, self.report["reset"], None) if self.report["reset"] else None
        self._sources = [self._view(library, edge) for edge in self.report["inputs"]]
        self._targets = [self._view(library, edge) for edge in self.report["outputs"]]
        self.reset()

    def _view(self, library: ctypes.CDLL, edge: dict[str, Any]) -> np.ndarray:
        """An array over the bytes where an input or output lies, in the arena or among the constants."""
        address = _function(library, edge["function"], ctypes.c_void_p)(self._arena)
        memory = (ctypes.c_int8 * edge["bytes"]).from_address(address)
        return np.frombuffer(memory, edge["dtype"]).reshape(edge["shape"][1:])

    @property
    def input(self) -> Port:
        """The input of a model that has one."""
        return _only(self.inputs, "input")

    @property
    def output(self) -> Port:
        """The output of a model that has one."""
        return _only(self.outputs, "output")

    @property
    def keeps_state(self) -> bool:
        """Whether a run depends on the runs before it."""
        return self._reset is not None

    def reset(self) -> None:
        """Forget all earlier runs; a model that keeps no state has nothing to forget."""
        if self._reset is not None:
            self._reset(self._arena)

    def predict(self, inputs: Any) -> Any:
        """Run the model on a batch, in real numbers.

        Args:
            inputs: float [n, *input.shape], which is quantized, or the input's own type; for several inputs a
                dictionary of such by name. A model that keeps state takes them one after the other, after those of
                earlier calls.

        Returns:
            float32 [n, *output.shape], or a dictionary of such by name for several outputs.

        Raises:
            CheckError: a dtype, shape or value that the model cannot take.
        """
        return self._packed([port.real(v) for port, v in zip(self.outputs, self._run_all(inputs), strict=True)])

    __call__ = predict

    def run_int8(self, inputs: Any) -> Any:
        """Run the model on a batch, in the integers of the C; of models with other types in those.

        Args:
            inputs: input.dtype [n, *input.shape], or a dictionary of such by name for several inputs.

        Returns:
            output.dtype [n, *output.shape], or a dictionary of such by name for several outputs.

        Raises:
            CheckError: a dtype or shape that is not the model's.
        """
        given = inputs if isinstance(inputs, dict) else dict.fromkeys([self.inputs[0].name], inputs)
        for port in self.inputs:
            dtype = getattr(given.get(port.name), "dtype", port.dtype)
            if dtype != port.dtype:
                raise CheckError(f"input '{port.name}' is {dtype}, expected {port.dtype}; predict() takes floats")
        return self._packed(self._run_all(inputs))

    def _run_all(self, inputs: Any) -> list[np.ndarray]:
        arrays = list(named_inputs([port.tensor for port in self.inputs], inputs).values())
        count = len(arrays[0])
        results = [np.empty((count, *view.shape), view.dtype) for view in self._targets]
        for i in range(count):
            for view, array in zip(self._sources, arrays, strict=True):
                view[...] = array[i]
            status = self._run(self._arena)
            if status != 0:
                raise CheckError(f"{self.name}_run returned status {status} for input {i}; expected 0")
            for result, view in zip(results, self._targets, strict=True):
                result[i] = view
        return results

    def _packed(self, results: list[np.ndarray]) -> Any:
        if len(results) == 1:
            return results[0]
        return {port.name: values for port, values in zip(self.outputs, results, strict=True)}

    def __repr__(self) -> str:
        inputs, outputs = (", ".join(map(str, side)) for side in (self.inputs, self.outputs))
        state = ", keeps state" if self.keeps_state else ""
        kernels = "DSP" if self.dsp else "scalar"
        return (
            f"<shrinkfit model '{self.name}': {inputs} -> {outputs}{state}, "
            f"arena of {self.report['arena_bytes']:,} bytes, {kernels} kernels, from '{self.folder}'>"
        )


def _port(edge: dict[str, Any], labels: tuple[str, ...] = ()) -> Port:
    shape = tuple(edge["shape"][1:])
    fitting = labels if len(labels) == prod(shape) else ()
    return Port(edge["name"], edge["dtype"], shape, edge.get("scale"), edge.get("zero_point"), fitting)


def _only(ports: tuple[Port, ...], what: str) -> Port:
    if len(ports) != 1:
        names = ", ".join(f"'{port.name}'" for port in ports)
        raise CheckError(f"the model has {len(ports)} {what}s: {names}; use .{what}s")
    return ports[0]


def _library(folder: Path, path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        said = str(error).removeprefix(f"{path}: ")
        raise CheckError(f"the C of '{folder}' compiles, but cannot be loaded: {said}; export again") from error


def _function(library: ctypes.CDLL, name: str, result: Any) -> Callable[..., Any]:
    """A C function that takes the arena."""
    try:
        function = library[name]
    except AttributeError as error:
        raise CheckError(f"the exported C has no function '{name}', which its report.json promises") from error
    function.argtypes, function.restype = [ctypes.c_void_p], result
    return function
