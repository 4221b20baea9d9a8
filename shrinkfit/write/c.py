# SPDX-License-Identifier: Apache-2.0
"""An integer graph and its memory plan in, the text of NAME.h, NAME_weights.h, NAME.c and sf_model.h out.

Straight-line code: one line per layer. The same graph gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir
from shrinkfit.price.arena import Plan, reset_fills
from shrinkfit.price.calls import Argument, flash_tensors, is_filled, roots
from shrinkfit.price.kernel import Kernel
from shrinkfit.write.api import C_TYPES, Api, Edge, identifier_part, unique
from shrinkfit.write.pack_layout import pack_initial
from shrinkfit.write.packed import Packed

LINE_LENGTH = 100
INT32_MIN = -(2**31)


@dataclass(frozen=True)
class Layer:
    """One call of the C: an operator, or a piece of one that joins or cuts.

    Args:
        op: the operator.
        kernel: what runs it.
        packed: the call's constants.
        arguments: what the call is given.
        identifier: prefix of the constants' names in C.
    """

    op: ir.Op
    kernel: Kernel
    packed: Packed
    arguments: tuple[Argument, ...]
    identifier: str


@dataclass(frozen=True)
class Model:
    """All that the C files of one model say.

    Args:
        name: C identifier.
        graph: the integer graph.
        api: names of its inputs and outputs.
        plan: offsets in the arena.
        layers: without those that cost nothing, in their order.
        format_version: SF_FORMAT_VERSION of the runtime.
        dsp: whether the plan has room for the DSP kernels' scratch.
        stack_bytes: what a call of run takes at most.
        labels: names of the outputs, or empty.
    """

    name: str
    graph: ir.Graph
    api: Api
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
    def keeps_state(self) -> bool:
        return bool(self.graph.variables)

    @cached_property
    def flash_names(self) -> dict[str, str]:
        """Constant of the graph -> the name of its array in C."""
        return _array_names(f"{self.name}_constant", flash_tensors(self.graph), self._taken)

    @cached_property
    def state_names(self) -> dict[str, str]:
        """Variable -> prefix of its initial values' names in C, where a reset needs an array."""
        needed = (name for name, variable in self.graph.variables.items() if not is_filled(variable))
        return _array_names(f"{self.name}_state", needed, self._taken)

    @property
    def _taken(self) -> set[str]:
        taken = set(self.api.names)
        for layer in self.layers:
            taken |= _objects(layer.identifier, layer.packed)
        return taken

    @cached_property
    def roots(self) -> dict[str, str]:
        return roots(self.graph)


def _array_names(prefix: str, names: Iterable[str], taken: set[str]) -> dict[str, str]:
    found = {}
    for name in names:
        stem = f"{prefix}_{identifier_part(name, 'values')}"
        used = taken | {other.removesuffix("_initial") for other in taken}
        found[name] = unique(stem, used)
        taken |= {found[name], f"{found[name]}_initial"}
    return found


def render(model: Model) -> dict[str, str]:
    """File name -> text."""
    return {
        f"{model.name}.h": render_header(model),
        f"{model.name}_weights.h": render_weights(model),
        f"{model.name}.c": render_source(model),
        "sf_model.h": render_aliases(model),
    }


def layer_identifiers(name: str, taken: frozenset[str], packed: list[tuple[str, Packed]]) -> list[str]:
    """A C identifier for each (operator name, constants), so that no two objects of the model share a name.

    Args:
        name: the model's name.
        taken: names that are not free.
        packed: calls in their order.
    """
    used = set(taken)
    identifiers = []
    for op_name, constants in packed:
        stem = identifier_part(op_name, "layer")
        candidate, count = f"{name}_{stem}", 1
        while used & _objects(candidate, constants):
            count += 1
            candidate = f"{name}_{stem}_{count}"
        used |= _objects(candidate, constants)
        identifiers.append(candidate)
    return identifiers


def _objects(identifier: str, packed: Packed) -> set[str]:
    return {identifier} | {f"{identifier}_{array}" for array in packed.arrays}


def _guard(file_name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", file_name.upper())


def _shape(tensor: ir.Tensor) -> str:
    shape = tensor.shape[1:] if tensor.shape[0] == 1 else tensor.shape
    return "x".join(str(n) for n in shape) or "1"


def _comment(text: str) -> str:
    """Text that is safe inside a C comment."""
    return re.sub(r"[^\x20-\x7e]", "?", text).replace("*/", "* /").replace("/*", "/ *")


def _float(value: float) -> str:
    return f"{np.float32(value)!s}f"


def render_header(model: Model) -> str:
    """NAME.h: the API, sizes, scales."""
    p, n, api = model.prefix, model.name, model.api
    defines = [
        f"#define {p}_ARENA_BYTES {model.plan.arena_bytes}",
        f"#define {p}_STACK_BYTES {model.stack_bytes} /* a call of {n}_run takes no more, compiled with -O2 */",
    ]
    if model.keeps_state:
        defines.append(f"#define {p}_STATE_BYTES {model.plan.state_bytes} /* the arena's first bytes */")
    formula = " /* real = scale * (value - zero_point) */"
    for edge in (*api.inputs, *api.outputs):
        defines += _edge_defines(edge, formula)
        formula = "" if edge.is_quantized else formula
    labels = f"\n/* What each output stands for. */\nextern const char *const {n}_labels[{len(model.labels)}];\n"
    return f"""/* Written by shrinkfit from the model "{_comment(model.graph.name)}". Do not edit: export again. */
#ifndef {_guard(n)}_H
#define {_guard(n)}_H

#include "shrinkfit.h"

{chr(10).join(defines)}

#ifdef __cplusplus
extern "C" {{
#endif
{_RESET_TEXT.format(p=p, n=n) if model.keeps_state else ""}
{_input_declarations(model)}

/* Runs the model on the input in the arena. */
SF_WARN_UNUSED sf_status {n}_run(void *arena);

{_output_declarations(model)}
{labels if model.labels else ""}
#ifdef __cplusplus
}}
#endif

#endif
"""


_RESET_TEXT = """
/* Forgets all earlier runs. Call it before the first run; the arena's first {p}_STATE_BYTES belong
 * to the model from then on, the others may serve other purposes between a run and the next input. */
void {n}_reset(void *arena);
"""


def _edge_defines(edge: Edge, formula: str) -> list[str]:
    tensor, macro = edge.tensor, edge.macro
    lines = [f"#define {macro}_BYTES {tensor.size_bytes} /* {tensor.dtype} {_shape(tensor)} */"]
    if edge.is_quantized:
        lines.append(f"#define {macro}_SCALE {_float(tensor.scale)}{formula}")
        lines.append(f"#define {macro}_ZERO_POINT ({tensor.zero_point})")
    return lines


def _input_declarations(model: Model) -> str:
    edges = model.api.inputs
    what = f"the {edges[0].tensor.dtype} input goes; a run may overwrite it"
    what = what if len(edges) == 1 else "the inputs go; a run may overwrite them"
    lines = [f"/* Where {what}. arena: {model.prefix}_ARENA_BYTES, aligned to 8. */"]
    return "\n".join(lines + [f"{edge.c_type} *{edge.function}(void *arena);" for edge in edges])


def _output_declarations(model: Model) -> str:
    edges = model.api.outputs
    what, it = (f"The {edges[0].tensor.dtype} output", "it") if len(edges) == 1 else ("The outputs", "them")
    lines = [f"/* {what} of the last run; the next input or run may overwrite {it}. */"]
    return "\n".join(lines + [f"const {edge.c_type} *{edge.function}(const void *arena);" for edge in edges])


def render_aliases(model: Model) -> str:
    """sf_model.h: the model under names that the ports use for any model."""
    p, n = model.prefix, model.name
    lines = [f'#define SF_MODEL_NAME "{n}"']
    lines += [f"#define SF_MODEL_{size} {p}_{size}" for size in ("ARENA_BYTES", "STACK_BYTES")]
    functions = []
    for side, edges in (("input", model.api.inputs), ("output", model.api.outputs)):
        lines += _side_sizes(side, edges)
        functions += [f"#define sf_model_{side} {edges[0].function}"] if len(edges) == 1 else []
    functions.insert(1, f"#define sf_model_run {n}_run")
    functions += [f"#define sf_model_labels {n}_labels"] if model.labels else []
    functions.append(f"#define sf_model_reset{f' {n}_reset' if model.keeps_state else '(arena) ((void)(arena))'}")
    return f"""/* Written by shrinkfit: {n} under the names that the ports use for any model. */
#ifndef SF_MODEL_H
#define SF_MODEL_H

#include "{n}.h"

{chr(10).join(lines + functions)}

/* each(function, bytes) for all inputs and outputs, in the model's order. */
{_each("INPUT", model.api.inputs)}
{_each("OUTPUT", model.api.outputs)}

#endif
"""


def _side_sizes(side: str, edges: tuple[Edge, ...]) -> list[str]:
    """The bytes of all; scales where there is one."""
    prefix = f"#define SF_MODEL_{side.upper()}"
    if len(edges) > 1:
        return [f"{prefix}_BYTES ({' + '.join(f'{edge.macro}_BYTES' for edge in edges)})"]
    values = ("BYTES", "SCALE", "ZERO_POINT") if edges[0].is_quantized else ("BYTES",)
    return [f"{prefix}_{value} {edges[0].macro}_{value}" for value in values]


def _each(side: str, edges: tuple[Edge, ...]) -> str:
    uses = " ".join(f"each({edge.function}, {edge.macro}_BYTES)" for edge in edges)
    return f"#define SF_MODEL_EACH_{side}(each) {uses}"


def render_weights(model: Model) -> str:
    """NAME_weights.h: the constants of every layer."""
    parts = [_constant(model, name) for name in model.flash_names]
    parts += [_call_constants(layer.op.name, layer.identifier, layer.packed) for layer in model.layers]
    parts += [_initial(model, name) for name in model.state_names]
    layers = "\n".join(parts)
    guard = _guard(f"{model.name}_weights")
    return f"""/* Written by shrinkfit: constants of {model.name}, in the order that the kernels want.
 * Only {model.name}.c includes this. */
#ifndef {guard}_H
#define {guard}_H

#include "shrinkfit.h"

{layers}
#endif
"""


def _constant(model: Model, name: str) -> str:
    return f"/* {_comment(name)} */\n{_array(model.flash_names[name], model.graph.constants[name].reshape(-1))}"


def _initial(model: Model, name: str) -> str:
    identifier, variable = model.state_names[name], model.graph.variables[name]
    array = _array(f"{identifier}_initial", variable.initial.reshape(-1))
    return array + _call_constants(f"{name} after a reset", identifier, pack_initial(variable))


def _call_constants(what: str, identifier: str, packed: Packed) -> str:
    arrays = "".join(_array(f"{identifier}_{name}", array) for name, array in packed.arrays.items())
    struct = f"static const {packed.params} {identifier} = {{\n{_fields(packed.fields, identifier, 1)}}};\n"
    return f"/* {_comment(what)} */\n{arrays}{struct}"


def _array(name: str, array: np.ndarray) -> str:
    # Words of four weights are loaded at once.
    aligned = " SF_ALIGN(4)" if array.dtype == np.int8 and array.ndim == 2 else ""
    is_float = array.dtype == np.float32
    texts = map(_exact_float if is_float else _integer, array.reshape(-1).tolist())
    element = {"uint16": "uint16_t", "uint32": "uint32_t"} | C_TYPES
    return f"static const {element[array.dtype.name]} {name}[{array.size}]{aligned} = {{\n{_values(texts)}}};\n"


def _integer(number: int) -> str:
    # -2147483648 is the negative of a number that no 32-bit int holds.
    return "-2147483647 - 1" if number == INT32_MIN else str(number)


def _exact_float(number: float) -> str:
    if not np.isfinite(number):
        raise UnsupportedLayerError(f"a constant of the model is {number}, which C cannot write as a number")
    return f"{number.hex()}F"


def _values(texts: Iterable[str]) -> str:
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > LINE_LENGTH:
            lines.append(line)
            line = "   "
        line += f" {text},"
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
    calls = "".join(f"{_call(model, layer)}\n" for layer in model.layers)
    force = "" if model.dsp else _NO_DSP
    labels = ""
    if model.labels:
        strings = "".join(f"    {_string(label)},\n" for label in model.labels)
        labels = f"\nconst char *const {n}_labels[{len(model.labels)}] = {{\n{strings}}};\n"
    edges = [_input_function(model, edge) for edge in model.api.inputs]
    edges += [_output_function(model, edge) for edge in model.api.outputs]
    functions = [*edges, _reset(model)] if model.keeps_state else edges
    at = "    int8_t *const at = (int8_t *)arena;\n" if model.layers else ""
    return f"""/* Written by shrinkfit from the model "{_comment(model.graph.name)}". Do not edit: export again. */
#include <stddef.h>

#include "{n}.h"
{force}#include "sf_select.h"
#include "{n}_weights.h"

#if SF_FORMAT_VERSION != {model.format_version}
#error "{n}.c was written for another version of shrinkfit's runtime: export the model again"
#endif
{labels}
{chr(10).join(functions)}
sf_status {n}_run(void *arena) {{
{at}    if (arena == NULL) {{
        return SF_ERROR_NULL;
    }}
    if ((uintptr_t)arena % 8 != 0) {{
        return SF_ERROR_ALIGNMENT;
    }}
{calls}    return SF_OK;
}}
"""


_NO_DSP = """/* Exported for a core without DSP instructions: the arena has no room for what their kernels need. */
#undef SF_USE_DSP
#define SF_USE_DSP 0
"""


def _input_function(model: Model, edge: Edge) -> str:
    place = f"(int8_t *)arena + {model.plan.offsets[edge.tensor.name]}"
    value = place if edge.c_type == "int8_t" else f"({edge.c_type} *)(void *)({place})"
    return f"{edge.c_type} *{edge.function}(void *arena) {{\n    return {value};\n}}\n"


def _output_function(model: Model, edge: Edge) -> str:
    root = model.roots[edge.tensor.name]
    if root in model.flash_names:
        body = f"    (void)arena;\n    return {model.flash_names[root]};\n"
    else:
        place = f"(const int8_t *)arena + {model.plan.offsets[edge.tensor.name]}"
        value = place if edge.c_type == "int8_t" else f"(const {edge.c_type} *)(const void *)({place})"
        body = f"    return {value};\n"
    return f"const {edge.c_type} *{edge.function}(const void *arena) {{\n{body}}}\n"


def _reset(model: Model) -> str:
    lines = []
    for start, size_bytes, value in reset_fills(model.graph, model.plan):
        lines.append(f"    sf_fill(at + {start}, {value}, {size_bytes});")
    for name, identifier in model.state_names.items():
        lines.append(f"    sf_copy(&{identifier}, {identifier}_initial, at + {model.plan.state_offsets[name]});")
    body = "\n".join(lines)
    return f"void {model.name}_reset(void *arena) {{\n    int8_t *const at = (int8_t *)arena;\n{body}\n}}\n"


def _call(model: Model, layer: Layer) -> str:
    op = layer.op
    arguments = [f"&{layer.identifier}"] + [_argument(model, argument) for argument in layer.arguments]
    if layer.kernel.takes_scratch:
        scratch = model.plan.scratch_offsets.get(op.name)
        arguments.append("NULL" if scratch is None else f"at + {scratch}")
    comment = f"{_comment(op.name)}: {_shapes(model, layer, False)} -> {_shapes(model, layer, True)}"
    return f"    {layer.kernel.function}({', '.join(arguments)}); /* {comment} */"


def _tensor(model: Model, argument: Argument) -> ir.Tensor:
    graph = model.graph
    return graph.variables[argument.name].tensor if argument.is_variable else graph.tensors[argument.name]


def _shapes(model: Model, layer: Layer, written: bool) -> str:
    """Of what a call reads, or of what it writes; state is named only where there is nothing else."""
    sides = [argument for argument in layer.arguments if argument.written == written]
    tensors = [a for a in sides if not a.is_variable] or sides
    return " + ".join(_shape(_tensor(model, argument)) for argument in tensors)


def _argument(model: Model, argument: Argument) -> str:
    if argument.is_variable:
        place = f"at + {model.plan.state_offsets[argument.name]}"
    elif model.roots[argument.name] in model.flash_names:
        return model.flash_names[model.roots[argument.name]]
    else:
        place = f"at + {model.plan.offsets[argument.name]}"
    return place if _tensor(model, argument).dtype == "int8" else f"(void *)({place})"


def _string(text: str) -> str:
    """A C string literal of the text's UTF-8; octal escapes end after three digits, whatever follows."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8")) + '"'
