# SPDX-License-Identifier: Apache-2.0
"""An integer graph and its memory plan in, the text of NAME.h, NAME_weights.h, NAME.c and sf_model.h out.

Straight-line code: one line per layer. The same graph gives the same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.arena import Plan
from shrinkfit.price.kernels import Kernel
from shrinkfit.write.pack import Packed

LINE_LENGTH = 100
API_NAMES = ("run", "input", "output", "reset", "labels")
INT32_MIN = -(2**31)


@dataclass(frozen=True)
class Layer:
    """One operator that the C runs.

    Args:
        op: the operator.
        kernel: what runs it.
        packed: its constants.
        identifier: prefix of their names in C.
    """

    op: ir.Op
    kernel: Kernel
    packed: Packed
    identifier: str


@dataclass(frozen=True)
class Model:
    """All that the C files of one model say.

    Args:
        name: C identifier.
        graph: the integer graph, one input, one output.
        plan: offsets in the arena.
        layers: without reshapes, in their order.
        format_version: SF_FORMAT_VERSION of the runtime.
        dsp: whether the plan has room for the DSP kernels' scratch.
        stack_bytes: what a call of run takes at most.
        labels: names of the outputs, or empty.
    """

    name: str
    graph: ir.Graph
    plan: Plan
    layers: tuple[Layer, ...]
    format_version: int
    dsp: bool
    stack_bytes: int
    labels: tuple[str, ...] = field(default=())

    @property
    def prefix(self) -> str:
        return self.name.upper()

    @property
    def input(self) -> ir.Tensor:
        return self.graph.tensors[self.graph.inputs[0]]

    @property
    def output(self) -> ir.Tensor:
        return self.graph.tensors[self.graph.outputs[0]]


def render(model: Model) -> dict[str, str]:
    """File name -> text."""
    return {
        f"{model.name}.h": render_header(model),
        f"{model.name}_weights.h": render_weights(model),
        f"{model.name}.c": render_source(model),
        "sf_model.h": render_aliases(model),
    }


def layer_identifiers(name: str, packed: list[tuple[str, Packed]]) -> list[str]:
    """A C identifier for each (operator name, constants), so that no two objects of the model share a name.

    Args:
        name: the model's name.
        packed: operators in their order.
    """
    taken = {f"{name}_{api}" for api in API_NAMES}
    identifiers = []
    for op_name, constants in packed:
        stem = re.sub(r"[^a-z0-9]+", "_", op_name.lower()).strip("_")[:40].strip("_") or "layer"
        candidate, count = f"{name}_{stem}", 1
        while taken & _objects(candidate, constants):
            count += 1
            candidate = f"{name}_{stem}_{count}"
        taken |= _objects(candidate, constants)
        identifiers.append(candidate)
    return identifiers


def _objects(identifier: str, packed: Packed) -> set[str]:
    return {identifier} | {f"{identifier}_{array}" for array in packed.arrays}


def _guard(file_name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", file_name.upper())


def _shape(tensor: ir.Tensor) -> str:
    return "x".join(str(n) for n in tensor.shape[1:]) or "1"


def _comment(text: str) -> str:
    """Text that is safe inside a C comment."""
    return re.sub(r"[^\x20-\x7e]", "?", text).replace("*/", "* /").replace("/*", "/ *")


def _float(value: float) -> str:
    return f"{np.float32(value)!s}f"


def render_header(model: Model) -> str:
    """NAME.h: the API, sizes, scales."""
    p, n = model.prefix, model.name
    defines = "\n".join(
        f"#define {p}_{key} {value}"
        for key, value in {
            "ARENA_BYTES": model.plan.arena_bytes,
            "STACK_BYTES": f"{model.stack_bytes} /* a call of {n}_run takes no more */",
            "INPUT_BYTES": f"{model.input.size_bytes} /* int8 {_shape(model.input)} */",
            "INPUT_SCALE": f"{_float(model.input.scale)} /* real = scale * (value - zero_point) */",
            "INPUT_ZERO_POINT": f"({model.input.zero_point})",
            "OUTPUT_BYTES": f"{model.output.size_bytes} /* int8 {_shape(model.output)} */",
            "OUTPUT_SCALE": _float(model.output.scale),
            "OUTPUT_ZERO_POINT": f"({model.output.zero_point})",
        }.items()
    )
    labels = f"\n/* What each output stands for. */\nextern const char *const {n}_labels[{p}_OUTPUT_BYTES];\n"
    return f"""/* Written by shrinkfit from the model "{_comment(model.graph.name)}". Do not edit: export again. */
#ifndef {_guard(n)}_H
#define {_guard(n)}_H

#include "shrinkfit.h"

{defines}

#ifdef __cplusplus
extern "C" {{
#endif

/* Where the int8 input goes; a run may overwrite it. arena: {p}_ARENA_BYTES, aligned to 8. */
int8_t *{n}_input(void *arena);

/* Runs the model on the input in the arena. */
SF_WARN_UNUSED sf_status {n}_run(void *arena);

/* The int8 output of the last run; the next input or run may overwrite it. */
const int8_t *{n}_output(const void *arena);
{labels if model.labels else ""}
#ifdef __cplusplus
}}
#endif

#endif
"""


def render_aliases(model: Model) -> str:
    """sf_model.h: the model under names that the ports use for any model."""
    p, n = model.prefix, model.name
    sizes = ("ARENA_BYTES", "STACK_BYTES", "INPUT_BYTES", "INPUT_SCALE", "INPUT_ZERO_POINT")
    sizes += ("OUTPUT_BYTES", "OUTPUT_SCALE", "OUTPUT_ZERO_POINT")
    lines = [f'#define SF_MODEL_NAME "{n}"'] + [f"#define SF_MODEL_{size} {p}_{size}" for size in sizes]
    functions = ("input", "run", "output") + (("labels",) if model.labels else ())
    lines += [f"#define sf_model_{function} {n}_{function}" for function in functions]
    return f"""/* Written by shrinkfit: {n} under the names that the ports use for any model. */
#ifndef SF_MODEL_H
#define SF_MODEL_H

#include "{n}.h"

{chr(10).join(lines)}

#endif
"""


def render_weights(model: Model) -> str:
    """NAME_weights.h: the constants of every layer."""
    layers = "\n".join(_layer_constants(layer) for layer in model.layers)
    guard = _guard(f"{model.name}_weights")
    return f"""/* Written by shrinkfit: constants of {model.name}, in the order that the kernels want.
 * Only {model.name}.c includes this. */
#ifndef {guard}_H
#define {guard}_H

#include "shrinkfit.h"

{layers}
#endif
"""


def _layer_constants(layer: Layer) -> str:
    arrays = "".join(_array(f"{layer.identifier}_{name}", array) for name, array in layer.packed.arrays.items())
    fields = _fields(layer.packed.fields, layer.identifier, 1)
    struct = f"static const {layer.packed.params} {layer.identifier} = {{\n{fields}}};\n"
    return f"/* {_comment(layer.op.name)} */\n{arrays}{struct}"


def _array(name: str, array: np.ndarray) -> str:
    element = f"{array.dtype.name}_t"
    # Words of four weights are loaded at once.
    aligned = " SF_ALIGN(4)" if array.dtype == np.int8 and array.ndim == 2 else ""
    return f"static const {element} {name}[{array.size}]{aligned} = {{\n{_values(array.reshape(-1).tolist())}}};\n"


def _values(numbers: list[int]) -> str:
    lines, line = [], "   "
    for number in numbers:
        # -2147483648 is the negative of a number that no 32-bit int holds.
        text = f" {number}," if number != INT32_MIN else " -2147483647 - 1,"
        if len(line) + len(text) > LINE_LENGTH:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join([*lines, line]) + "\n"


def _fields(fields: dict, identifier: str, depth: int) -> str:
    indent = "    " * depth
    text = ""
    for name, value in fields.items():
        if isinstance(value, dict):
            text += f"{indent}.{name} =\n{indent}    {{\n{_fields(value, identifier, depth + 2)}{indent}    }},\n"
        else:
            text += f"{indent}.{name} = {_field(value, identifier)},\n"
    return text


def _field(value: int | float | str, identifier: str) -> str:
    if isinstance(value, str):
        return f"{identifier}_{value}"
    return _float(value) if isinstance(value, float) else str(value)


def render_source(model: Model) -> str:
    """NAME.c: the layers, one line each."""
    n = model.name
    calls = "\n".join(_call(model, layer) for layer in model.layers)
    force = "" if model.dsp else _NO_DSP
    labels = ""
    if model.labels:
        strings = "".join(f"    {_string(label)},\n" for label in model.labels)
        labels = f"\nconst char *const {n}_labels[{model.prefix}_OUTPUT_BYTES] = {{\n{strings}}};\n"
    at_input = model.plan.offsets[model.input.name]
    at_output = model.plan.offsets[model.output.name]
    return f"""/* Written by shrinkfit from the model "{_comment(model.graph.name)}". Do not edit: export again. */
#include <stddef.h>

#include "{n}.h"
{force}#include "sf_select.h"
#include "{n}_weights.h"

#if SF_FORMAT_VERSION != {model.format_version}
#error "{n}.c was written for another version of shrinkfit's runtime: export the model again"
#endif
{labels}
int8_t *{n}_input(void *arena) {{
    return (int8_t *)arena + {at_input};
}}

const int8_t *{n}_output(const void *arena) {{
    return (const int8_t *)arena + {at_output};
}}

sf_status {n}_run(void *arena) {{
    int8_t *const at = (int8_t *)arena;
    if (arena == NULL) {{
        return SF_ERROR_NULL;
    }}
    if ((uintptr_t)arena % 8 != 0) {{
        return SF_ERROR_ALIGNMENT;
    }}
{calls}
    return SF_OK;
}}
"""


_NO_DSP = """/* Exported for a core without DSP instructions: the arena has no room for what their kernels need. */
#undef SF_USE_DSP
#define SF_USE_DSP 0
"""


def _call(model: Model, layer: Layer) -> str:
    op, offsets = layer.op, model.plan.offsets
    arguments = [f"&{layer.identifier}"] + [f"at + {offsets[name]}" for name in (*op.inputs, *op.outputs)]
    if layer.kernel.takes_scratch:
        scratch = model.plan.scratch_offsets.get(op.name)
        arguments.append("NULL" if scratch is None else f"at + {scratch}")
    shapes = " + ".join(_shape(t) for t in model.graph.op_inputs(op))
    comment = f"{_comment(op.name)}: {shapes} -> {_shape(model.graph.op_outputs(op)[0])}"
    return f"    {layer.kernel.function}({', '.join(arguments)}); /* {comment} */"


def _string(text: str) -> str:
    """A C string literal of the text's UTF-8; octal escapes end after three digits, whatever follows."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8")) + '"'
