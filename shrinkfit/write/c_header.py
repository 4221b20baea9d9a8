# SPDX-License-Identifier: Apache-2.0
"""What a program sees of a model: NAME.h, and sf_model.h with names that are the same for every model."""

from __future__ import annotations

from shrinkfit.write.api import Edge
from shrinkfit.write.c_text import c_float, c_shape, comment, guard
from shrinkfit.write.model import Model


def render_header(model: Model) -> str:
    """NAME.h: the API, sizes, scales."""
    p, n, api = model.prefix, model.name, model.api
    defines = [
        f"#define {p}_ARENA_BYTES {model.plan.arena_bytes}",
        f"#define {p}_STACK_BYTES {model.stack_bytes} /* a call of {n}_run takes no more, compiled with -O2 */",
    ]
    if model.keeps_state:
        defines.append(f"#define {p}_STATE_BYTES {model.plan.state_bytes} /* the arena's first bytes */")
    defines += _stream_defines(model)
    formula = " /* real = scale * (value - zero_point) */"
    for edge in (*api.inputs, *api.outputs):
        defines += _edge_defines(edge, formula)
        formula = "" if edge.is_quantized else formula
    labels = f"\n/* What each output stands for. */\nextern const char *const {n}_labels[{len(model.labels)}];\n"
    return f"""/* Written by shrinkfit from the model "{comment(model.graph.name)}". Do not edit: export again. */
#ifndef {guard(n)}_H
#define {guard(n)}_H

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


def _stream_defines(model: Model) -> list[str]:
    if model.stream is None:
        return []
    values = (
        ("FRAMES_PER_CALL", model.stream.frames_per_call, "new frames that the input holds, oldest first"),
        ("WINDOW_FRAMES", model.stream.window_frames, "frames that the model was trained on"),
        ("WARMUP_CALLS", model.stream.warmup_calls, "runs after a reset until the outputs count"),
    )
    return [f"#define {model.prefix}_{name} {value} /* {what} */" for name, value, what in values]


def _edge_defines(edge: Edge, formula: str) -> list[str]:
    tensor, macro = edge.tensor, edge.macro
    lines = [f"#define {macro}_BYTES {tensor.size_bytes} /* {tensor.dtype} {c_shape(tensor)} */"]
    if edge.is_quantized:
        lines.append(f"#define {macro}_SCALE {c_float(tensor.scale)}{formula}")
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
