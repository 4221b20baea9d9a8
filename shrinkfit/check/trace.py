# SPDX-License-Identifier: Apache-2.0
"""Two executions of one model -> the first tensor in the order of the layers where they differ.

Either the exported C on the host, in whose copy every layer is followed by a line that writes down what the layer
wrote; or a .tflite file in LiteRT's reference kernels. The other execution is the simulator.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkfit._progress import step, steps
from shrinkfit.check.build import build_host
from shrinkfit.check.compare import HOST_KERNELS, CheckResult
from shrinkfit.check.execute import run_host
from shrinkfit.check.exported import Exported
from shrinkfit.check.steps import difference, given_inputs, input_rows
from shrinkfit.errors import CheckError, ToolMissingError
from shrinkfit.graph.inputs import rows_of
from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.graph.simulate import trace_runs

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_RECORDER = """#include <stdint.h>
#include <stdio.h>

void sf_trace(const void *from, uint32_t bytes);
void sf_trace(const void *from, uint32_t bytes) {{
    static FILE *file;
    if (file == NULL) {{
        file = fopen({path}, "wb");
    }}
    if (file != NULL) {{
        (void)fwrite(from, 1, bytes, file);
    }}
}}
"""
_DECLARATION = "void sf_trace(const void *from, uint32_t bytes);\n"
_END_OF_RUN = "    return SF_OK;\n}\n"


@dataclass(frozen=True)
class _Record:
    """What one traced line writes down: a tensor after its layer, or a variable after the run."""

    what: str
    tensor: Tensor


def trace_folder(exported: Exported, graph: Graph, inputs: dict[str, np.ndarray], place: Path) -> CheckResult:
    """Run an exported folder's C and compare every tensor with the simulator's.

    Args:
        exported: the folder.
        graph: its integer graph.
        inputs: by name, [n, ...].
        place: an existing directory for the copy.
    """
    copy = place / "traced"
    shutil.copytree(exported.folder, copy, ignore=shutil.ignore_patterns("build"))
    records = _insert_hooks(copy / f"{exported.name}.c", exported, graph)
    rows, names = input_rows(graph, inputs), [record.tensor.name for record in records]
    step(f"simulating {len(rows)} inputs")
    values = trace_runs(graph, inputs, dict.fromkeys([*names, *graph.outputs]))
    expected = _table(values, names, len(rows))
    differences, first, outputs = 0, "", None
    for label, use_dsp in HOST_KERNELS:
        path = place / f"trace_{int(use_dsp)}.bin"
        (copy / "ports" / "host" / "sf_trace.c").write_text(_RECORDER.format(path=json.dumps(str(path))))
        written = run_host(build_host(copy, place, use_dsp=use_dsp), rows, exported.output_bytes)
        outputs = written if outputs is None else outputs
        got = np.frombuffer(path.read_bytes() if path.exists() else b"", np.int8)
        if got.size != expected.size:
            raise CheckError(f"the traced {label} wrote {got.size} bytes, expected {expected.size}; export again")
        got = got.reshape(expected.shape)
        differences = max(differences, int(np.count_nonzero(got != expected)))
        first = first or _first(label, records, got, expected)
    return _result(exported.name, graph, len(rows), differences, first, values)


def _insert_hooks(path: Path, exported: Exported, graph: Graph) -> list[_Record]:
    """A line behind each layer's last call, and one for each variable at the end of the run."""
    text, records = path.read_text(encoding="utf-8"), []
    for row in exported.report["layers"]:
        writes = [write for write in row["writes"] if write["tensor"] in graph.tensors]
        if not row["function"] or not writes:
            continue
        call = f"{row['function']}(&{row['identifiers'][-1]}, "
        start = text.find(call)
        if start < 0:
            raise CheckError(f"'{path.name}' does not call {call.rstrip(', ')}...) as report.json says; export again")
        end = text.index("\n", start) + 1
        tensors = [graph.tensors[write["tensor"]] for write in writes]
        lines = [_hook(write["offset"], tensor) for write, tensor in zip(writes, tensors, strict=True)]
        text = text[:end] + "".join(lines) + text[end:]
        records += [_Record(f"{row['kind']} '{row['name']}' writes", tensor) for tensor in tensors]
    body, found, rest = text.rpartition(_END_OF_RUN)
    if not found:
        raise CheckError(f"'{path.name}' does not end its run as an exported model does; export again")
    for state in exported.report["state"]:
        tensor = graph.variables[state["variable"]].tensor if state["variable"] in graph.variables else None
        if tensor is not None:
            body += _hook(state["offset"], tensor)
            records.append(_Record("after the run state", tensor))
    text = (body + found + rest).replace('#include "sf_select.h"\n', f'#include "sf_select.h"\n{_DECLARATION}', 1)
    path.write_text(text, encoding="utf-8")
    return records


def _hook(offset: int, tensor: Tensor) -> str:
    return f"    sf_trace(at + {offset}, {tensor.size_bytes});\n"


def _table(values: dict[str, np.ndarray], names: list[str], clips: int) -> np.ndarray:
    """int8 [clips, bytes of all records]."""
    if not names:
        return np.zeros((clips, 0), np.int8)
    return rows_of(values[name] for name in names)


def _first(label: str, records: list[_Record], got: np.ndarray, expected: np.ndarray) -> str:
    """The earliest run that differs, and in it the earliest layer."""
    clips = np.flatnonzero(np.any(got != expected, axis=1))
    if len(clips) == 0:
        return ""
    clip, start = int(clips[0]), 0
    for record in records:
        part = slice(start, start + record.tensor.size_bytes)
        found = difference(record.tensor, got[clip, part], expected[clip, part])
        if found:
            return f"{label}, clip {clip}, {record.what} {found}"
        start = part.stop
    return ""


def _result(
    name: str,
    graph: Graph,
    clips: int,
    differences: int,
    first: str,
    values: dict[str, np.ndarray],
    on: str = "host",
) -> CheckResult:
    outputs = [values[output] for output in graph.outputs]
    return CheckResult(
        name=name,
        on=on,
        core=on,
        clips=clips,
        differences=differences,
        first_difference=first,
        outputs=outputs[0] if len(outputs) == 1 else dict(zip(graph.outputs, outputs, strict=True)),
    )


def trace_tflite(path: Path, inputs: Any = None) -> CheckResult:
    """Run a .tflite file in LiteRT's reference kernels and compare every tensor with the simulator's.

    Args:
        path: the file.
        inputs: as `check` takes them.
    Raises:
        ShrinkfitError: the file cannot be read. ToolMissingError: LiteRT is not installed.
    """
    from shrinkfit.read.tflite import read_tflite

    graph = read_tflite(path)
    arrays = given_inputs(graph, inputs)
    interpreter = _interpreter(path)
    details = {detail["name"]: detail for detail in interpreter.get_tensor_details()}
    records = [
        _Record(f"{op.kind} '{op.name}' writes", graph.tensors[name])
        for op in graph.ops
        for name in op.outputs
        if name in details and _is_same(details[name], graph.tensors[name])
    ]
    names = [record.tensor.name for record in records]
    values = trace_runs(graph, arrays, dict.fromkeys([*names, *graph.outputs]))
    clips = len(arrays[graph.inputs[0]])
    expected, runs = _table(values, names, clips), []
    for clip in steps(range(clips), "running in LiteRT"):
        for name in graph.inputs:
            interpreter.set_tensor(details[name]["index"], arrays[name][clip].reshape(details[name]["shape"]))
        interpreter.invoke()
        runs.append(_table({n: interpreter.get_tensor(details[n]["index"])[None] for n in names}, names, 1))
    got = np.concatenate(runs)
    first = _first("LiteRT", records, got, expected)
    return _result(path.stem, graph, clips, int(np.count_nonzero(got != expected)), first, values, "LiteRT")


def _is_same(detail: dict[str, Any], tensor: Tensor) -> bool:
    return detail["dtype"] == np.dtype(tensor.dtype) and int(np.prod(detail["shape"])) == int(np.prod(tensor.shape))


def _interpreter(path: Path) -> Interpreter:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ToolMissingError("LiteRT is not installed; install it with: pip install ai-edge-litert") from error
    made = Interpreter(
        model_content=path.read_bytes(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    made.allocate_tensors()
    return made
