# SPDX-License-Identifier: Apache-2.0
"""An integer graph and its memory plan in, the text of NAME.h, NAME_weights.h, NAME.c and sf_model.h out.

Straight-line code: one line per layer. The same graph gives the same text.
"""

from __future__ import annotations

from shrinkfit.graph import ir
from shrinkfit.price.arena import reset_fills
from shrinkfit.price.calls import Argument, is_cut
from shrinkfit.write.api import Edge
from shrinkfit.write.c_header import render_aliases, render_header
from shrinkfit.write.c_text import c_shape, c_string, comment
from shrinkfit.write.c_weights import render_weights
from shrinkfit.write.model import Layer, Model


def render(model: Model) -> dict[str, str]:
    """File name -> text."""
    return {
        f"{model.name}.h": render_header(model),
        f"{model.name}_weights.h": render_weights(model),
        f"{model.name}.c": render_source(model),
        "sf_model.h": render_aliases(model),
    }


def render_source(model: Model) -> str:
    """NAME.c: the layers, one line each."""
    n = model.name
    calls = "".join(f"{_call(model, layer)}\n" for layer in model.layers)
    force = "" if model.dsp else _NO_DSP
    labels = ""
    if model.labels:
        strings = "".join(f"    {c_string(label)},\n" for label in model.labels)
        labels = f"\nconst char *const {n}_labels[{len(model.labels)}] = {{\n{strings}}};\n"
    edges = [_input_function(model, edge) for edge in model.api.inputs]
    edges += [_output_function(model, edge) for edge in model.api.outputs]
    functions = [*edges, _reset(model)] if model.keeps_state else edges
    at = "    int8_t *const at = (int8_t *)arena;\n" if model.layers else ""
    at = _START if is_cut(model.graph) else at
    return f"""/* Written by shrinkfit from the model "{comment(model.graph.name)}". Do not edit: export again. */
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


# The compiler would keep addresses that come again on the stack, and stripes have many.
_START = """    int8_t *volatile start = (int8_t *)arena;
    int8_t *at;
"""
_NO_DSP = """/* Exported for the scalar kernels: the arena has no room for what those with DSP instructions need. */
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
    for start, size_bytes, value in reset_fills(model.graph):
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
    what = f"{comment(op.name)}: {_shapes(model, layer, False)} -> {_shapes(model, layer, True)}"
    at = "    at = start;\n" if is_cut(model.graph) else ""
    return f"{at}    {layer.kernel.function}({', '.join(arguments)}); /* {what} */"


def _tensor(model: Model, argument: Argument) -> ir.Tensor:
    graph = model.graph
    return graph.variables[argument.name].tensor if argument.is_variable else graph.tensors[argument.name]


def _shapes(model: Model, layer: Layer, written: bool) -> str:
    """Of what a call reads, or of what it writes; state is named only where there is nothing else."""
    sides = [argument for argument in layer.arguments if argument.written == written]
    tensors = [a for a in sides if not a.is_variable] or sides
    return " + ".join(c_shape(_tensor(model, argument)) for argument in tensors)


def _argument(model: Model, argument: Argument) -> str:
    if argument.is_variable:
        place = f"at + {model.plan.state_offsets[argument.name]}"
    elif model.roots[argument.name] in model.flash_names:
        return model.flash_names[model.roots[argument.name]]
    else:
        place = f"at + {model.plan.offsets[argument.name]}"
    return place if _tensor(model, argument).dtype == "int8" else f"(void *)({place})"
